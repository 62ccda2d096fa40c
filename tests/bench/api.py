"""`make bench BENCH=api`: the API in front of the real processes.

How soon a request that a program starts is on a phone, beside one that the command starts, in turns. Then 200 starts a
second are offered for ten seconds: each is accepted and runs, or refused with 429 and the seconds to wait. And a list
of 50 of 20,000 that run.
"""

import asyncio
import base64
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
from rich.text import Text

from activities.temporal import executions
from activities.temporal.executions import RunStatus
from starter.cli import start_files
from starter.web.api.api import ROOT
from tests.bench import desk
from tests.faults.population import PDF, colleague, write_request
from tests.faults.town import Conditions, Town, eventually, ids, start_town
from tests.faults.vendor import instant
from tests.plain_http import plain_client
from tests.servers import real_server
from tests.starter.web.api.program import program
from workflows.kinds import Kind

NAME: Final = "api"
AIM_RATIO: Final = 1.3
AIM_LIST_MS: Final = 300.0
OFFERED_A_SECOND: Final = 200
_SECONDS: Final = 10
_ROUNDS: Final = 20
_WARM: Final = 3
_LISTS: Final = 40
_TOLD_WITHIN: Final = 60.0
_LOOKS_AT_ONCE: Final = 20
_AT_ONCE: Final = Conditions(sandbox={"SANDBOX_CONVERSION_DELAY": "0"})


@dataclass(frozen=True)
class BurstResult:
    """What became of the starts that were offered: by status, how many accepted ones run, and 429s without a time."""

    statuses: Mapping[int, int]
    living: int
    untimed: int

    @property
    def offered(self) -> int:
        return sum(self.statuses.values())

    @property
    def accepted(self) -> int:
        return self.statuses.get(201, 0)

    @property
    def is_met(self) -> bool:
        """Whether none was lost, and each of the others knows when to call again."""
        return self.statuses.keys() == {201, 429} and self.living == self.accepted and not self.untimed


@dataclass(frozen=True)
class Measured:
    by_api_ms: float
    """From the call to the push, the median."""
    by_command_ms: float
    offered: BurstResult
    open: int
    list_p95_ms: float

    @property
    def ratio(self) -> float:
        return self.by_api_ms / self.by_command_ms

    @property
    def is_met(self) -> bool:
        """Whether all aims were met."""
        return self.ratio <= AIM_RATIO and self.list_p95_ms < AIM_LIST_MS and self.offered.is_met

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        offered = self.offered
        return {
            f"{NAME}.start_to_push_ms": {
                "ours": round(self.by_api_ms, 1),
                "floor": round(self.by_command_ms, 1),
                "ratio": round(self.ratio, 2),
                "aim": AIM_RATIO,
            },
            f"{NAME}.list_p95_ms": {"ours": round(self.list_p95_ms, 1), "aim": AIM_LIST_MS, "open": self.open},
            f"{NAME}.offered": {
                "ours": offered.accepted,
                "offered": offered.offered,
                "living": offered.living,
                "refused": offered.statuses.get(429, 0),
            },
        }

    def in_words(self) -> Text:
        """Three lines, green when the aims were met."""
        offered = self.offered
        other_statuses = {status: count for status, count in offered.statuses.items() if status not in (201, 429)}
        return Text("\n").join(
            Text(sentence, "green" if is_met else "red")
            for sentence, is_met in (
                (
                    f"start to push by the API {self.by_api_ms:.0f} ms, by command {self.by_command_ms:.0f} ms: "
                    f"{self.ratio:.2f} × (aim ≤ {AIM_RATIO:g} ×)",
                    self.ratio <= AIM_RATIO,
                ),
                (
                    f"{self.open:,} open: a list of 50 in {self.list_p95_ms:.0f} ms p95 (aim < {AIM_LIST_MS:g} ms)",
                    self.list_p95_ms < AIM_LIST_MS,
                ),
                (
                    f"{offered.offered:,} starts offered at {OFFERED_A_SECOND} a second: {offered.accepted:,} accepted,"
                    f" {offered.living:,} of them run, {offered.statuses.get(429, 0):,} refused by 429"
                    + (f", others: {other_statuses}" if other_statuses else ""),
                    offered.is_met,
                ),
            )
        )


async def measure(open_: int = desk.OPEN) -> Measured:
    """All three, one after the other."""
    by_api, by_command, offered = await _on_a_stack()
    return Measured(by_api, by_command, offered, open_, await _lists(open_))


async def _on_a_stack() -> tuple[float, float, BurstResult]:
    with tempfile.TemporaryDirectory() as folder:
        async with start_town(Path(folder) / "data", _AT_ONCE) as full_stack:
            token = await full_stack.context.store.tokens.make("bench", ("read", "start"), "bench", datetime.now(UTC))
            async with plain_client(
                full_stack.receiver, timeout=60, headers={"authorization": f"Bearer {token}"}
            ) as http:
                took = [
                    (
                        await _by_api(full_stack, http, f"api-{name}", number),
                        await _by_command(full_stack, f"cli-{name}", number),
                    )
                    for number, name in enumerate(ids("bench", _ROUNDS + _WARM))
                ]
                offered = await _offer(full_stack, http)
    by_api, by_command = (median(seconds) * 1000 for seconds in zip(*took[_WARM:], strict=True))
    return by_api, by_command, offered


def _body(full_stack: Town, id: str, person: str) -> dict[str, Any]:
    """What the command reads from the file of a request, with its document inside."""
    file = write_request(full_stack.folder.path / "files", id, person)
    document = {"base64": base64.b64encode(PDF).decode(), "name": "Master services agreement"}
    return {**json.loads(file.read_text()), "document": document}


async def _by_api(full_stack: Town, http: httpx.AsyncClient, id: str, number: int) -> float:
    body, last_entry, started_at = (
        _body(full_stack, id, colleague(number)),
        await full_stack.vendor.last(),
        datetime.now(UTC),
    )
    answer = await http.post(f"{ROOT}/requests", json=body)
    assert answer.status_code == 201, answer.text
    return await _until_pushed(full_stack, id, last_entry, started_at)


async def _by_command(full_stack: Town, id: str, number: int) -> float:
    prepared, last_entry = await full_stack.prepared(id, colleague(number)), await full_stack.vendor.last()
    started_at = datetime.now(UTC)
    await start_files.start(full_stack.context, prepared)
    return await _until_pushed(full_stack, id, last_entry, started_at)


async def _until_pushed(full_stack: Town, id: str, last_entry: int, started_at: datetime) -> float:
    """Seconds until the first phone has it, by the clock of the phones."""

    async def pushed() -> datetime | None:
        pushes = await full_stack.vendor.ledger("push", last_entry)
        return next((instant(push) for push in pushes if push["data"].get("request") == id), None)

    return (await eventually(pushed, _TOLD_WITHIN) - started_at).total_seconds()


async def _offer(full_stack: Town, http: httpx.AsyncClient) -> BurstResult:
    """Offer the starts at their pace, however long the answers take; then look for each accepted one."""
    bodies = [
        _body(full_stack, id, colleague(number)) for number, id in enumerate(ids("burst", OFFERED_A_SECOND * _SECONDS))
    ]
    started_at, calls = time.perf_counter(), list[asyncio.Task[httpx.Response]]()
    async with asyncio.TaskGroup() as group:
        for number, body in enumerate(bodies):
            await asyncio.sleep(max(0.0, started_at + number / OFFERED_A_SECOND - time.perf_counter()))
            calls.append(group.create_task(http.post(f"{ROOT}/requests", json=body)))
    answers = [call.result() for call in calls]
    started = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    untimed = sum(answer.status_code == 429 and int(answer.headers.get("retry-after", 0)) < 1 for answer in answers)
    return BurstResult(Counter(answer.status_code for answer in answers), await _living(full_stack, started), untimed)


async def _living(full_stack: Town, started: list[str]) -> int:
    places = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def lives(id: str) -> bool:
        async with places:
            execution = await executions.find_run(full_stack.context.client, Kind.REQUEST.workflow_id(id))
        return execution is not None and execution.status is RunStatus.RUNNING

    return sum(await asyncio.gather(*map(lives, started)))


async def _lists(open_: int) -> float:
    """Milliseconds that 95 of 100 lists of 50 take at most."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            real_server("--log-level", "error") as env,
            program(Path(folder), env.client, None, "read") as api_program,
        ):
            await desk.fill(env.client, open_)
            took = []
            for _ in range(_LISTS):
                began = time.perf_counter()
                answer = await api_program.asks("GET", "/requests", params={"limit": 50})
                took.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200 and len(answer.json()["lines"]) == 50, answer.text
    return sorted(took)[math.ceil(0.95 * len(took)) - 1]
