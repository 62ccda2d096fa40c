"""What bounds the messages: so many on their way at once, and to one device so many a minute.

What is above that waits for the next attempt instead of being refused.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Final

from activities.push.dialect import Sent, too_soon

AT_ONCE: Final = 20
"""Messages on their way at the same time, over all deliveries of this process: its client has so many connections."""
LINE: Final = 15.0
"""Seconds a message waits for its place among them; then it is left open, as by a service that is busy."""

PER_MINUTE: Final = 240
"""What FCM allows one Android device (docs/core-signature.md, FCM)."""
_MINUTE: Final = 60.0


class Places:
    """The places of one service."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def one(self, send: Callable[[], Awaitable[Sent]]) -> Sent:
        """What became of a message that is sent from a place, once there is one."""
        try:
            async with asyncio.timeout(LINE):
                await self._free.acquire()
        except TimeoutError:
            return too_soon(0)
        try:
            return await send()
        finally:
            self._free.release()


class DeviceLimiter:
    """Counts the sends of the last minute per device, in this process; `clock` gives seconds and never goes back."""

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
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
