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

from starter.cli import start_files
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
class UrgentFigures:
    """Seconds from start to push of each urgent request; after the last one `waiting` others were not made yet."""

    partitions: int
    waiting: int
    seconds: tuple[float, ...]

    @property
    def p95(self) -> float:
        """Not more than one in twenty took longer."""
        return sorted(self.seconds)[math.ceil(0.95 * len(self.seconds)) - 1]

    @property
    def is_met(self) -> bool:
        """Whether the aim was met."""
        return self.p95 < AIM_SECONDS


@dataclass(frozen=True)
class Course:
    """All runs, one for each number of partitions."""

    runs: tuple[UrgentFigures, ...]

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
                "green" if run.is_met else "red",
            )
            for run in self.runs
        )


async def measure(waiting: int = WAITING) -> Course:
    """Have so many wait, and time the urgent ones, with each number of partitions on a stack of its own."""
    return Course(tuple([await _overtaking(waiting, partitions) for partitions in PARTITIONS]))


async def _overtaking(waiting: int, partitions: int) -> UrgentFigures:
    conditions = Conditions(temporal=_split(partitions), own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": str(_RATE)})
    with tempfile.TemporaryDirectory() as folder:
        async with start_town(Path(folder) / "data", conditions) as full_stack:
            await start_crowd(full_stack, ids("crowd", waiting), PATIENT)
            seconds = [await time_urgent_request(full_stack, name) for name in ids(NAME, _URGENT)]
            created_count = len(await full_stack.vendor.ledger("request_created"))
    return UrgentFigures(partitions, waiting + _URGENT - created_count, tuple(seconds))


def _split(partitions: int) -> tuple[str, ...]:
    names = ("matching.numTaskqueueReadPartitions", "matching.numTaskqueueWritePartitions")
    return tuple(option for name in names for option in ("--dynamic-config-value", f"{name}={partitions}"))


async def start_crowd(full_stack: Town, names: Iterable[str], policy: Policy) -> None:
    """Start these; their tasks go on."""
    room = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def start_request(number: int, name: str) -> None:
        async with room:
            await start_files.start(
                full_stack.context, await full_stack.prepared(name, colleague(number), policy=policy)
            )

    await asyncio.gather(*(start_request(number, name) for number, name in enumerate(names)))


async def time_urgent_request(full_stack: Town, name: str) -> float:
    """The seconds from its start to its first push."""
    prepared, last_entry = (
        await full_stack.prepared(name, colleague(int(name[-3:])), policy=_POLICY),
        await full_stack.vendor.last(),
    )
    started_at = datetime.now(UTC)
    await start_files.start(full_stack.context, prepared)

    async def pushed() -> datetime | None:
        pushes = await full_stack.vendor.ledger("push", last_entry)
        return next((instant(push) for push in pushes if push["data"].get("request") == name), None)

    return (await eventually(pushed, _TOLD_WITHIN) - started_at).total_seconds()
