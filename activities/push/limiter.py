"""What bounds the messages: the project's quota, so many on their way at once, and to one device so many a minute.

What is above that waits for the next attempt instead of being refused.
"""

import asyncio
import heapq
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from activities.http.pacing import CALLER, Caller, RateLimiter, TurnTooLate
from activities.push.dialect import MessageResult, no_place, too_soon

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
WAITING_AT_MOST: Final = 10_000
"""Messages to one device whose turns are remembered: one more is told a time, and gets a turn when it comes again."""
_MINUTE: Final = 60.0
_TOO_MANY: Final = 429


# Workers do not tell each other of a 429. Each hears its own with its next message, which costs nothing of the quota
# (docs/core-signature.md, FCM); a mark in the store would be one more call before every message of some seconds, judged
# by clocks that differ, and would save one refusal a worker. A rate at a task queue cannot be it: notices share theirs.
class SendQuota:
    """What a service takes of this process: once it has had enough it is sent nothing, and then the urgent first."""

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._pacer = RateLimiter(per_second, burst=per_second)

    async def one(self, send: Callable[[], Awaitable[MessageResult]]) -> MessageResult:
        """What became of a message that is sent in its turn, or that its turn comes too late."""
        asked = CALLER.get() or Caller()
        until = asyncio.get_running_loop().time() + HELD_LINE
        mine = CALLER.set(replace(asked, gives_up_at=min(until, asked.gives_up_at or until)))
        try:
            await self._pacer.turn()
        except TurnTooLate as later:
            return too_soon(later.seconds, "the service has had enough messages for now")
        finally:
            CALLER.reset(mine)
        sent = await send()
        if sent.failure is not None and sent.failure.status == _TOO_MANY:
            asks = sent.failure.retry_after
            self._pacer.hold(min(PAUSE_AT_MOST, QUOTA_PAUSE if asks is None else asks))
        return sent


class SendSlots:
    """The places of one service: what waits longer than `LINE` for one is left, and what is urgent goes first."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()

    async def one(self, send: Callable[[], Awaitable[MessageResult]]) -> MessageResult:
        """What became of a message that is sent from a place, once there is one."""
        try:
            async with asyncio.timeout(LINE):
                await self._take()
        except TimeoutError:
            return no_place()
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


@dataclass
class _Line:
    """The messages to one device: when those of the last minute were sent, and when those that wait may be."""

    sent: deque[float] = field(default_factory=deque)
    waiting: dict[str, float] = field(default_factory=dict)

    def at(self, now: float) -> None:
        """Forget what does not count any more; who is late by more than a minute has lost their turn."""
        while self.sent and self.sent[0] <= now - _MINUTE:
            self.sent.popleft()
        late = [message for message, turn in self.waiting.items() if turn <= now - _MINUTE]
        for message in late:
            del self.waiting[message]

    @property
    def last(self) -> float:
        """The last instant at which anything was, or is to be, sent."""
        return max((*self.waiting.values(), *self.sent), default=-math.inf)


class DeviceLimiter:
    """Counts the sends of the last minute per device, in this process; `clock` gives seconds and never goes back.

    Whatever is too much has a turn of its own, behind all that wait: a crowd that came together would not pass by
    coming again together. `project` is what all devices together may get.
    """

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self.project: Final = SendQuota()
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    def seconds_to_wait(self, device: str, message: str) -> float:
        """0 if a message may be sent to `device` now, which then counts as sent; else how long until its turn.

        `message` says which it is when it comes again.
        """
        now = self._clock()
        self._forget(now - _MINUTE)
        line = self._lines.setdefault(device, _Line())
        self._lines.move_to_end(device)
        line.at(now)
        turn = line.waiting.get(message)
        if turn is not None and turn > now:
            return turn - now
        if len(line.sent) < self._per_minute and (turn is not None or not line.waiting):
            line.waiting.pop(message, None)
            line.sent.append(now)
            return 0
        return self._turn(line, message, now) - now

    def _turn(self, line: _Line, message: str, now: float) -> float:
        """The instant at which a message may be sent that is too much now."""
        behind = max(line.waiting.values(), default=now) + _MINUTE / self._per_minute
        frees = line.sent[0] + _MINUTE if len(line.sent) >= self._per_minute else now
        turn = frees if message in line.waiting or not line.waiting else max(frees, behind)
        if message in line.waiting or len(line.waiting) < WAITING_AT_MOST:
            line.waiting[message] = turn
        return turn

    def _forget(self, before: float) -> None:
        """Drop the devices that were last sent to before this instant: they stand first."""
        while self._lines and next(iter(self._lines.values())).last <= before:
            self._lines.popitem(last=False)
