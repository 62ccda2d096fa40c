"""A crowd of recipients whose push service takes its time with every answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.faults.population import move_in
from tests.faults.town import WORKER, Town, eventually, town
from tests.faults.vendor import SENDS, instant

AN_ANSWER: Final = 4.0
EVERYBODY: Final = "everybody"


@asynccontextmanager
async def slow_crowd(folder: Path, names: Sequence[str]) -> AsyncIterator[Town]:
    """A town with this many more people, of whom each push is answered after `AN_ANSWER` seconds."""
    async with town(folder) as it:
        move_in(folder / "example" / "people.yaml", names, EVERYBODY)
        await it.vendor.arm("slow", SENDS, delay=AN_ANSWER, times=None)
        yield it


async def sends_to_each(it: Town, request: str, stage: str) -> Counter[str]:
    """How often each person was sent a notice of a stage."""
    return Counter(push["person"] for push in await it.vendor.pushes(request, stage))


async def until_sent(it: Town, request: str, stage: str, count: int, within: float) -> float:
    """Wait until so many notices of a stage were taken; the seconds from the first to the last."""

    async def probe() -> bool:
        await asyncio.sleep(0.5)
        return len(await it.vendor.pushes(request, stage)) >= count

    await eventually(probe, within)
    taken = [instant(push) for push in await it.vendor.pushes(request, stage)]
    return (max(taken) - min(taken)).total_seconds()


async def kill_the_worker(it: Town, request: str, stage: str) -> float:
    """Kill the worker and start another; the seconds until somebody is sent a notice of the stage again."""
    died = datetime.now(UTC)
    await it.kill(WORKER)
    before = len(await it.vendor.pushes(request, stage))
    await it.start(WORKER)
    await until_sent(it, request, stage, before + 1, within=60)
    return (instant((await it.vendor.pushes(request, stage))[before]) - died).total_seconds()
