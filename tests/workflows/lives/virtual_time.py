"""An event loop whose clock jumps from one thing that happens to the next, with conditions as Temporal checks them."""

import asyncio
import heapq
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

START: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)
_IN_ONE_INSTANT: Final = 20_000
_INSTANTS: Final = 20_000


class NeverEnds(Exception):
    """Nothing happens any more, or the same again and again."""


class VirtualTime(base_events.BaseEventLoop):
    """Seconds count from 0. During `worker_outages` whatever falls due waits for their end."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.worker_outages: list[tuple[float, float]] = []
        self._seconds = 0.0
        self._instants = 0
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def time(self) -> float:
        """The seconds that have passed."""
        return self._seconds

    def now(self) -> datetime:
        """The instant that it is."""
        return START + timedelta(microseconds=round(self._seconds * 1e6))

    async def condition(self, holds: Callable[[], bool], at_most: timedelta | None) -> None:
        """Wait until it holds; asked, as Temporal does, whenever nothing else is to be done in this instant."""
        holding: asyncio.Future[None] = self.create_future()
        self._conditions.append((holds, holding))
        await asyncio.wait_for(holding, at_most.total_seconds() if at_most else None)

    def _run_once(self) -> None:
        for _ in range(_IN_ONE_INSTANT):
            if self._stopping or not (self._ready or self._resolve_conditions()):
                break
            if self._ready and not (handle := self._ready.popleft()).cancelled():
                handle._run()
        else:
            raise NeverEnds("in one instant")
        if not self._stopping:
            self._go_on()

    def _resolve_conditions(self) -> bool:
        """Whether a condition has come true, of which its waiter hears now."""
        open_ = [(holds, holding) for holds, holding in self._conditions if not holding.done()]
        met_waiters = [holding for holds, holding in open_ if holds()]
        self._conditions = [condition for condition in open_ if condition[1] not in met_waiters]
        for holding in met_waiters:
            holding.set_result(None)
        return bool(met_waiters)

    def _go_on(self) -> None:
        """Jump to what happens next."""
        self._instants += 1
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)
        if not self._scheduled or self._instants > _INSTANTS:
            raise NeverEnds(f"after {self._instants} instants")
        next_at = self._scheduled[0].when()
        next_at = next((end for begin, end in self.worker_outages if begin <= next_at < end), next_at)
        self._seconds = max(self._seconds, next_at)
        while self._scheduled and self._scheduled[0].when() <= self._seconds:
            self._ready.append(heapq.heappop(self._scheduled))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when they are due."""

    def _process_events(self, event_list: Any) -> None:
        """There are no files or sockets."""

    def _write_to_self(self) -> None:
        """There are no threads."""
