"""A server whose clock is set while requests live: by it timers are due, and by it a workflow knows what time it is."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.workflows.lives.virtual_time import VirtualTime


class JumpingTime(VirtualTime):
    """After `jump_after` of the time that really passes the server's clock is set ahead by `shift`, or back.

    With `behind_timer` that is just after the next timer has ended, and before the workflow has seen what time it is.
    """

    def __init__(self, jump_after: timedelta, shift: timedelta, *, behind_timer: bool = False) -> None:
        super().__init__()
        self._shift = shift
        self._jumped = self._behind_timer = False
        self._set: asyncio.Future[None] = self.create_future()
        self.call_at(jump_after.total_seconds(), self._wait_for_timer if behind_timer else self._jump)

    def now(self) -> datetime:
        """The instant that it is for the server."""
        return super().now() + (self._shift if self._jumped else timedelta())

    async def condition(self, holds: Callable[[], bool], at_most: timedelta | None) -> None:
        """A timer ends at an instant of the server's clock, however long that takes."""
        ends_at = self.now() + at_most if at_most is not None else None
        while True:
            seconds_left = None if ends_at is None else (ends_at - self.now()).total_seconds()
            if seconds_left is not None and seconds_left <= 0 and not holds():
                if self._behind_timer:
                    self._jump()
                raise TimeoutError
            if await self._holds_within(holds, self._set, seconds_left):
                return

    async def _holds_within(self, holds: Callable[[], bool], set_: asyncio.Future[None], seconds: float | None) -> bool:
        """Whether it holds by then, or when the clock is set."""
        waiter = self.create_task(super().condition(lambda: holds() or set_.done(), None))
        await asyncio.wait({waiter}, timeout=seconds)
        waiter.cancel()
        return holds()

    def _wait_for_timer(self) -> None:
        self._behind_timer = True

    def _jump(self) -> None:
        self._jumped, self._behind_timer = True, False
        self._set.set_result(None)
        self._set = self.create_future()
