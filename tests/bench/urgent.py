"""`make bench BENCH=urgent [WAITING=200]`: how soon urgent requests are on phones while thousands wait to be made.

The real processes at the usual rate of calls, with one partition of each queue and with four: a server that splits
its queues must not lose sight of what is urgent.
"""

import asyncio
import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.text import Text

from starter.cli import start_files as requests
from tests.faults.population import PATIENT, Policy, colleague
from tests.faults.town import Conditions, Town, eventually, ids, start_town
from tests.faults.vendor import instant

NAME: Final = "urgent"
WAITING: Final = 2_000
AIM_SECONDS: Final = 10.0
PARTITIONS: Final = (1, 4)
_URGENT: Final = 20
_RATE: Final = 5.0
_STARTS_AT_ONCE: Final = 20
_TOLD_WITHIN: Final = 120.0
_POLICY: Final[Policy] = {**PATIENT, "urgent": True}


@dataclass(frozen=True)
class Overtaken:
    """Seconds from start to push of each urgent request; after the last one `waiting` others were not made yet."""

    partitions: int
    waiting: int
    seconds: tuple[float, ...]

    @property
    def p95(self) -> float:
        """Not more than one in twenty took longer."""
        return sorted(self.seconds)[math.ceil(0.95 * len(self.seconds)) - 1]

    @property
    def met(self) -> bool:
        """Whether the aim was met."""
        return self.p95 < AIM_SECONDS


@dataclass(frozen=True)
class Course:
    """All runs, one for each number of partitions."""

    runs: tuple[Overtaken, ...]

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            f"{NAME}.start_to_push_p95_s.{run.partitions}": {
                "ours": round(run.p95, 2),
                "aim": AIM_SECONDS,
                "waiting": run.waiting,
            }
            for run in self.runs
        }

    def in_words(self) -> Text:
        """A line for each run, green when the aim was met."""
        return Text("\n").join(
            Text(
                f"{run.partitions} partition{'s' * (run.partitions > 1)}, {run.waiting:,} still waiting: "
                f"{len(run.seconds)} urgent, start to push p95 {run.p95:.1f} s (aim < {AIM_SECONDS:g} s)",
                "green" if run.met else "red",
            )
            for run in self.runs
        )


async def measure(waiting: int = WAITING) -> Course:
    """Have so many wait, and time the urgent ones, with each number of partitions on a stack of its own."""
    return Course(tuple([await _overtaking(waiting, partitions) for partitions in PARTITIONS]))


async def _overtaking(waiting: int, partitions: int) -> Overtaken:
    conditions = Conditions(temporal=_split(partitions), own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": str(_RATE)})
    with tempfile.TemporaryDirectory() as folder:
        async with start_town(Path(folder) / "data", conditions) as it:
            await _have_wait(it, ids("crowd", waiting))
            seconds = [await _start_to_push(it, name) for name in ids(NAME, _URGENT)]
            made = len(await it.vendor.ledger("request_created"))
    return Overtaken(partitions, waiting + _URGENT - made, tuple(seconds))


def _split(partitions: int) -> tuple[str, ...]:
    names = ("matching.numTaskqueueReadPartitions", "matching.numTaskqueueWritePartitions")
    return tuple(word for name in names for word in ("--dynamic-config-value", f"{name}={partitions}"))


async def _have_wait(it: Town, names: Iterable[str]) -> None:
    """Start these; what of their tasks is not done yet is to be overtaken as well."""
    room = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def one(number: int, name: str) -> None:
        async with room:
            await requests.start(it.context, await it.prepared(name, colleague(number)))

    await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))


async def _start_to_push(it: Town, name: str) -> float:
    prepared, after = await it.prepared(name, colleague(int(name[-3:])), policy=_POLICY), await it.vendor.last()
    begun = datetime.now(UTC)
    await requests.start(it.context, prepared)

    async def pushed() -> datetime | None:
        found = await it.vendor.ledger("push", after)
        return next((instant(push) for push in found if push["data"].get("request") == name), None)

    return (await eventually(pushed, _TOLD_WITHIN) - begun).total_seconds()
