"""`make bench BENCH=worker`: the processor time of `worker.py` until it says that it is ready, beside a script that
connects a Temporal worker with as many workflows (`worker_floor`).
"""

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

from starter.temporal.plugin import workflows
from tests.faults.town import WORKER, Town, start_town
from tests.processor_time import read_seconds

NAME: Final = "worker"
AIM: Final = 1.3
RUNS: Final = 5
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class WorkerStart:
    """Milliseconds of processor time until a worker is ready."""

    product: float
    floor: float

    @property
    def ratio(self) -> float:
        return self.product / self.floor

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        figures = {"ours": round(self.product), "floor": round(self.floor), "ratio": round(self.ratio, 2)}
        return {f"{NAME}.start_cpu_ms": figures}

    def in_words(self) -> Text:
        """One line, green if it met its aim."""
        sentence = f"a worker is ready after {self.product:.0f} ms of CPU, the floor after {self.floor:.0f}"
        return Text(f"{sentence}: {self.ratio:.2f} × (aim ≤ {AIM:g} ×)", "green" if self.ratio <= AIM else "red")


async def measure(runs: int = RUNS) -> WorkerStart:
    """The least of so many starts of each, in turns, with compiled bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        async with start_town(Path(folder) / "data") as full_stack:
            starts = [(await _start_product(full_stack), await _start_floor(full_stack)) for _ in range(runs)]
    product, floor = (1_000 * min(seconds) for seconds in zip(*starts, strict=True))
    return WorkerStart(product, floor)


async def _start_product(full_stack: Town) -> float:
    await full_stack.end(WORKER)
    await full_stack.start(WORKER)
    return read_seconds(full_stack.running[WORKER].pid)


async def _start_floor(full_stack: Town) -> float:
    address = full_stack.context.client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.worker_floor", address, str(len(workflows()))),
        cwd=_ROOT,
        env={name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return read_seconds(process.pid)
    finally:
        process.kill()
        await process.wait()
