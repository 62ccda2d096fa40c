"""What bounds the messages: the project's quota, so many on their way at once, and to one device so many a minute.

What is above that waits for the next attempt instead of being refused.
"""

import asyncio
import heapq
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Final

from activities.http.pacing import CALLER, Caller, Later, Pacer
from activities.push.dialect import Sent, too_soon

AT_ONCE: Final = 20
"""Messages on their way at the same time, over all deliveries of this process: its client has so many connections."""
LINE: Final = 15.0
"""Seconds a message waits for its place among them; then it is left open, as by a service that is busy."""

PER_SECOND: Final = 1_000.0
"""Messages of this process: FCM takes 600,000 a minute of a project (docs/core-signature.md, FCM)."""
HELD_LINE: Final = 4.0
"""Seconds a message waits for the quota to free; longer waits are the workflow's, which are seen and hold no place."""
QUOTA_PAUSE: Final = 60.0
"""Seconds that nothing is sent after a 429 that does not say how long."""
PAUSE_AT_MOST: Final = 3600.0

PER_MINUTE: Final = 240
"""What FCM allows one Android device (docs/core-signature.md, FCM)."""
_MINUTE: Final = 60.0
_TOO_MANY: Final = 429


# Workers do not tell each other of a 429. Each hears its own with its next message, which costs nothing of the quota
# (docs/core-signature.md, FCM); a mark in the store would be one more call before every message of some seconds, judged
# by clocks that differ, and would save one refusal a worker. A rate at a task queue cannot be it: notices share theirs.
class Quota:
    """What a service takes of this process: once it has had enough it is sent nothing, and then the urgent first."""

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._pacer = Pacer(per_second, burst=per_second)

    async def one(self, send: Callable[[], Awaitable[Sent]]) -> Sent:
        """What became of a message that is sent in its turn, or that its turn comes too late."""
        asked = CALLER.get() or Caller()
        until = asyncio.get_running_loop().time() + HELD_LINE
        mine = CALLER.set(replace(asked, gives_up_at=min(until, asked.gives_up_at or until)))
        try:
            await self._pacer.turn()
        except Later as later:
            return too_soon(later.seconds, "the service has had enough messages for now")
        finally:
            CALLER.reset(mine)
        sent = await send()
        if sent.failure is not None and sent.failure.status == _TOO_MANY:
            asks = sent.failure.retry_after
            self._pacer.hold(min(PAUSE_AT_MOST, QUOTA_PAUSE if asks is None else asks))
        return sent


class Places:
    """The places of one service: what waits longer than `LINE` for one is left, and what is urgent goes first."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()

    async def one(self, send: Callable[[], Awaitable[Sent]]) -> Sent:
        """What became of a message that is sent from a place, once there is one."""
        try:
            async with asyncio.timeout(LINE):
                await self._take()
        except TimeoutError:
            return too_soon(0)
        try:
            return await send()
        finally:
            self._give_back()

    async def _take(self) -> None:
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        urgency = (CALLER.get() or Caller()).urgency
        heapq.heappush(self._line, (urgency, next(self._numbers), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._line:
            *_, first = heapq.heappop(self._line)
            if not first.done():
                first.set_result(None)
                return
        self._free += 1


class DeviceLimiter:
    """Counts the sends of the last minute per device, in this process; `clock` gives seconds and never goes back.

    `project` is what all devices together may get.
    """

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self.project: Final = Quota()
        self._sends: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, device: str) -> float:
        """0 if a message may be sent to `device` now, which then counts as sent; else how long until it may."""
        now = self._clock()
        self._forget(now - _MINUTE)
        sends = self._sends.setdefault(device, deque())
        while sends and sends[0] <= now - _MINUTE:
            sends.popleft()
        if len(sends) >= self._per_minute:
            return sends[0] + _MINUTE - now
        sends.append(now)
        self._sends.move_to_end(device)
        return 0

    def _forget(self, before: float) -> None:
        """Drop the devices that were last sent to before this instant: they stand first."""
        while self._sends and (not (sends := next(iter(self._sends.values()))) or sends[-1] <= before):
            self._sends.popitem(last=False)
