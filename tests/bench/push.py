"""`make bench BENCH=push`: how soon a request that is started is on a phone, beside the smallest workflow that keeps
the same promises (`push_floor`).

The real processes, one request at a time, the sandbox converting at once. Both are timed from before the start of the
workflow to the instant at which the push service has the message, by the clock of this machine.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.text import Text

from starter.boot import clients
from starter.cli import start_files
from tests.bench.push_floor import FLOOR, QUEUE
from tests.faults.population import COLLEAGUES, colleague, tokens
from tests.faults.town import Conditions, Town, eventually, ids, start_town
from tests.faults.vendor import DOCUMENTS, REQUESTS, instant

NAME: Final = "push"
AIM: Final = 1.3
AIM_MS: Final = 60.0
"""On an idle machine."""
_ROUNDS: Final = 30
_WARM: Final = 5
_ROOT: Final = Path(__file__).parents[2]
_TOLD_WITHIN: Final = 30.0
_AT_ONCE: Final = Conditions(sandbox={"SANDBOX_CONVERSION_DELAY": "0"})


@dataclass(frozen=True)
class PushComparison:
    """Milliseconds from start to push, ours and the floor's, each the median of as many rounds."""

    product: float
    floor: float

    @property
    def ratio(self) -> float:
        """How often ours takes as long as the floor."""
        return self.product / self.floor

    @property
    def is_met(self) -> bool:
        """Whether both aims were met."""
        return self.ratio <= AIM and self.product < AIM_MS

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            "start.to_push_ms": {
                "ours": round(self.product, 1),
                "floor": round(self.floor, 1),
                "ratio": round(self.ratio, 2),
            }
        }

    def in_words(self) -> Text:
        """One line, green when the aims were met."""
        sentence = (
            f"start to push {self.product:.0f} ms (aim < {AIM_MS:.0f} on an idle machine),"
            f" the floor {self.floor:.0f} ms: {self.ratio:.2f} × (aim ≤ {AIM:g} ×)"
        )
        return Text(sentence, "green" if self.is_met else "red")


async def measure(rounds: int = _ROUNDS) -> PushComparison:
    """Time both on one stack, in turns: what else the machine does falls on each."""
    with tempfile.TemporaryDirectory() as folder:
        async with start_town(Path(folder) / "data", _AT_ONCE) as full_stack, _floor(full_stack, folder):
            seconds = [
                await _round(full_stack, colleague(number), name)
                for number, name in enumerate(ids(NAME, rounds + _WARM))
            ]
    product, floor = (median(of_each) * 1000 for of_each in zip(*seconds[_WARM:], strict=True))
    return PushComparison(product, floor)


async def _round(full_stack: Town, person: str, name: str) -> tuple[float, float]:
    prepared, last_entry = await full_stack.prepared(name, person), await full_stack.vendor.last()
    started_at = datetime.now(UTC)
    await start_files.start(full_stack.context, prepared)
    product = await _instant_of_push(full_stack, name, last_entry) - started_at
    floor_name, last_entry = f"floor-{name}", await full_stack.vendor.last()
    started_at = datetime.now(UTC)
    await full_stack.context.client.start_workflow(FLOOR, args=[floor_name, person], id=floor_name, task_queue=QUEUE)
    floor = await _instant_of_push(full_stack, floor_name, last_entry) - started_at
    return product.total_seconds(), floor.total_seconds()


async def _instant_of_push(full_stack: Town, name: str, last_entry: int) -> datetime:
    async def pushed() -> datetime | None:
        pushes = await full_stack.vendor.ledger("push", last_entry)
        return next((instant(push) for push in pushes if push["data"].get("request") == name), None)

    return await eventually(pushed, _TOLD_WITHIN)


@asynccontextmanager
async def _floor(full_stack: Town, folder: str) -> AsyncIterator[None]:
    """Its worker, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.push_floor",
        json.dumps(_floor_settings(full_stack, folder)),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


def _floor_settings(full_stack: Town, folder: str) -> dict[str, Any]:
    settings, core = full_stack.settings, clients.signature_config(full_stack.settings).credentials
    return {
        "temporal": full_stack.context.client.service_client.config.target_host,
        "url": full_stack.vendor.url,
        "file": str(Path(folder) / "floor.sqlite3"),
        "people": {colleague(number): tokens(colleague(number))[0] for number in range(COLLEAGUES)},
        "signature": {
            "token_url": core.token_url,
            "id": core.client_id,
            "secret": core.client_secret.get_secret_value(),
        },
        "push": {
            "token_url": settings.push.token_url,
            "id": settings.push.client_id,
            "secret": settings.push.client_secret.get_secret_value(),
        },
        "paths": {
            "documents": DOCUMENTS,
            "requests": REQUESTS,
            "messages": settings.push.send_path.replace("{project}", settings.push.project),
        },
    }
