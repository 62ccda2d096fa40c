"""Many calls within one attempt of an activity: each in its turn while there is time, and none is torn off.

An attempt that is ended from outside loses what it has done, and the next one does it again. So it ends itself: after
`begin` seconds nobody new is begun, whoever was begun has until `end`, and what was done is always reported.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from temporalio import activity

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class TurnLimits:
    """So many at the same time; seconds from the first: none is begun after `begin` or waited for after `end`."""

    at_once: int = 20
    begin: float = 15.0
    end: float = 40.0


PACE: Final = TurnLimits()
"""`end` - `begin` is more than one call may take (activities/http/calling.py)."""


@dataclass
class TurnResults(Generic[Item, Result]):
    """The results in the order of the items, and the items that were not begun or gave no answer in time."""

    results: list[Result] = field(default_factory=list)
    left: list[Item] = field(default_factory=list)


class Turns:
    """The turns of one attempt; after `stop`, or when the worker is to end, nothing more is begun."""

    def __init__(self, pace: TurnLimits = PACE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self.stopped = False

    def stop(self) -> None:
        """Let those who were begun come to their end, and nobody else."""
        self.stopped = True

    async def each(
        self, items: Sequence[Item], call: Callable[[Item], Coroutine[Any, Any, Result]]
    ) -> TurnResults[Item, Result]:
        """Call for each item; what `call` raises is raised after the others have ended."""
        results: dict[int, Result] = {}
        turns, closes = iter(enumerate(items)), self._clock() + self._pace.begin

        async def take_turns() -> None:
            for number, item in turns:
                if self._closed(closes):
                    return
                results[number] = await call(item)

        await self._to_the_end([asyncio.create_task(take_turns()) for _ in items[: self._pace.at_once]])
        left = [item for number, item in enumerate(items) if number not in results]
        return TurnResults([results[number] for number in sorted(results)], left)

    def _closed(self, closes: float) -> bool:
        ending = activity.in_activity() and activity.is_worker_shutdown()
        return self.stopped or ending or self._clock() >= closes

    async def _to_the_end(self, crew: list[asyncio.Task[None]]) -> None:
        if not crew:
            return
        done, late = await asyncio.wait(crew, timeout=self._pace.end)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()


async def unbroken(work: Awaitable[Result], stop: Callable[[], None]) -> Result:
    """The result of `work` although it is cancelled meanwhile: `stop` asks it to end, what it has done is reported.

    Temporal takes a result for one, also when the workflow had asked for a cancellation.
    """
    working = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            if working.cancelled():
                raise
            stop()
