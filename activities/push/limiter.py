"""A device takes so many messages a minute; what is above that waits for the next attempt instead of being refused."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

PER_MINUTE: Final = 240
"""What FCM allows one Android device (docs/core-signature.md, FCM)."""
_MINUTE: Final = 60.0


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
