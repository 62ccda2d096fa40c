"""A crowd of recipients whose push service takes its time with every answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.faults.population import move_in
from tests.faults.town import WORKER, Town, eventually, start_town
from tests.faults.vendor import SENDS, instant

AN_ANSWER: Final = 4.0
EVERYBODY: Final = "everybody"


@asynccontextmanager
async def slow_crowd(folder: Path, names: Sequence[str]) -> AsyncIterator[Town]:
    """A town with this many more people, of whom each push is answered after `AN_ANSWER` seconds."""
    async with start_town(folder) as town:
        move_in(folder / "example" / "people.yaml", names, EVERYBODY)
        await town.vendor.arm("slow", SENDS, delay=AN_ANSWER, times=None)
        yield town


async def sends_to_each(town: Town, request: str, stage: str) -> Counter[str]:
    """How often each person was sent a notice of a stage."""
    return Counter(push["person"] for push in await town.vendor.pushes(request, stage))


async def until_sent(town: Town, request: str, stage: str, count: int, timeout_seconds: float) -> float:
    """Wait until so many notices of a stage were taken; the seconds from the first to the last."""

    async def probe() -> bool:
        await asyncio.sleep(0.5)
        return len(await town.vendor.pushes(request, stage)) >= count

    await eventually(probe, timeout_seconds)
    taken_at = [instant(push) for push in await town.vendor.pushes(request, stage)]
    return (max(taken_at) - min(taken_at)).total_seconds()


async def kill_the_worker(town: Town, request: str, stage: str) -> float:
    """Kill the worker and start another; the seconds until somebody is sent a notice of the stage again."""
    died = datetime.now(UTC)
    await town.kill(WORKER)
    count_before = len(await town.vendor.pushes(request, stage))
    await town.start(WORKER)
    await until_sent(town, request, stage, count_before + 1, timeout_seconds=60)
    return (instant((await town.vendor.pushes(request, stage))[count_before]) - died).total_seconds()
