"""Rate limit of a service: one queue per process, urgent calls first, but every tenth turn by age; a token bucket.
After a 429 everybody waits. `CALLER` has urgency and deadline.
"""

import asyncio
import heapq
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import Final

from workflows import names

BURST: Final = 5.0
"""Calls without waiting after a rest."""
PATIENCE: Final = 8.0
"""Longest wait in seconds without a deadline, as for a page; a call that would wait longer is refused at once."""
UNSTATED_HOLD: Final = 5.0
"""Seconds of waiting after a 429 that does not say how long."""
_OLDEST_EVERY: Final = 10
"""Every so many turns one goes by age instead of urgency."""
_LOOK_AGAIN: Final = 30.0
"""Longest seconds before a refused call tries again, since the rate may have changed."""
_A_HAIR: Final = 1e-6


class Urgency(IntEnum):
    """The order of calls; the numbers are Temporal's priority keys."""

    URGENT = names.URGENT
    ORDINARY = 3
    BULK = names.BULK
    """Campaigns and reconciliation."""


@dataclass(frozen=True)
class RateLimitCaller:
    """A caller's urgency, and its deadline on the loop's clock."""

    urgency: int = Urgency.ORDINARY
    gives_up_at: float | None = None


CALLER: Final[ContextVar[RateLimitCaller | None]] = ContextVar("caller", default=None)


class TurnTooLate(Exception):
    """The turn would come too late; try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its turn would come in {seconds:.0f} s at the earliest")
        self.seconds = seconds


class RateLimiter:
    """Gives turns at a variable rate; 0 gives none. For one event loop."""

    def __init__(self, rate: float, burst: float = BURST) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._turns = self._burst
        self._counted_at: float | None = None
        self._held_until = 0.0
        self._opened = True
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._turns_given = 0
        self._turns_asked = 0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def rate(self) -> float:
        return self._rate

    @property
    def is_held(self) -> bool:
        """Whether everybody waits because the service asked for it."""
        return self._held_until > _now()

    @property
    def turns_asked(self) -> int:
        return self._turns_asked

    @property
    def waiting(self) -> bool:
        return bool(self._line)

    def close(self) -> None:
        """Give no turn until opened, while this process's share is unknown; calls wait."""
        self._opened = False

    def open(self) -> None:
        self._opened = True
        self._serve()

    def change(self, rate: float, burst: float = BURST) -> None:
        """Set the rate; waiting calls use it at once."""
        self._count()
        self._rate, self._burst = rate, max(1.0, burst)
        self._serve()

    def hold(self, seconds: float | None) -> None:
        """Give no turn for so long, and no burst after it."""
        self._held_until = max(self._held_until, _now() + (UNSTATED_HOLD if seconds is None else seconds))
        self._turns = min(self._turns, 0.0)
        self._serve()

    async def turn(self) -> None:
        """Wait for a turn; raises `TurnTooLate`."""
        caller = CALLER.get() or RateLimitCaller()
        gives_up_at = _now() + PATIENCE if caller.gives_up_at is None else caller.gives_up_at
        if _now() + self._expected_wait(caller.urgency) > gives_up_at:
            raise self._later(caller)
        self._turns_asked += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (caller.urgency, next(self._numbers), turn))
        self._serve()
        try:
            async with asyncio.timeout_at(gives_up_at):
                await turn
        except TimeoutError:
            raise self._later(caller) from None

    def _later(self, caller: RateLimitCaller) -> TurnTooLate:
        hold_seconds = self._held_until - _now()
        return TurnTooLate(hold_seconds if hold_seconds > 0 else min(_LOOK_AGAIN, self._expected_wait(caller.urgency)))

    def _expected_wait(self, urgency: int) -> float:
        self._count()
        ahead = sum(1 for other_urgency, _, turn in self._line if other_urgency <= urgency and not turn.done())
        hold_seconds = max(0.0, self._held_until - _now())
        missing = max(0.0, ahead + 1 - _A_HAIR - self._turns)
        if not missing:
            return hold_seconds
        return hold_seconds + missing / self._rate if self._rate else float("inf")

    def _serve(self) -> None:
        """Give the available turns, and set the alarm for the next one."""
        self._count()
        while self._line and self._opened and not self.is_held and self._turns >= 1 - _A_HAIR:
            turn = self._next()
            if not turn.done():
                turn.set_result(None)
                self._turns -= 1
                self._turns_given += 1
        self._set_alarm()

    def _next(self) -> asyncio.Future[None]:
        if (self._turns_given + 1) % _OLDEST_EVERY:
            return heapq.heappop(self._line)[2]
        oldest = min(self._line, key=lambda waiting: waiting[1])
        self._line.remove(oldest)
        heapq.heapify(self._line)
        return oldest[2]

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._line and self._line[0][2].done():
            heapq.heappop(self._line)
        if self._line and self._rate and self._opened:
            missing = max(0.0, 1 - self._turns) / self._rate
            alarm_at = max(self._held_until, _now()) + missing
            self._alarm = asyncio.get_running_loop().call_at(alarm_at, self._serve)

    def _count(self) -> None:
        """Add the turns of the passed time; none while held."""
        now = _now()
        counted_at = max(self._held_until, now if self._counted_at is None else self._counted_at)
        if now > counted_at:
            self._turns = min(self._burst, self._turns + (now - counted_at) * self._rate)
        self._turns = min(self._burst, self._turns)
        self._counted_at = now


def _now() -> float:
    return asyncio.get_running_loop().time()
