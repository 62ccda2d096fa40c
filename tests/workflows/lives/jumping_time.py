"""A server whose clock is set while requests live: by it timers are due, and by it a workflow knows what time it is."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.workflows.lives.virtual_time import VirtualTime


class JumpingTime(VirtualTime):
    """After `at` of the time that really passes the server's clock is set `by` ahead, or back.

    With `behind_timer` that is just after the next timer has ended, and before the workflow has seen what time it is.
    """

    def __init__(self, at: timedelta, by: timedelta, *, behind_timer: bool = False) -> None:
        super().__init__()
        self._by = by
        self._jumped = self._behind_timer = False
        self._set: asyncio.Future[None] = self.create_future()
        self.call_at(at.total_seconds(), self._wait_for_timer if behind_timer else self._jump)

    def now(self) -> datetime:
        """The instant that it is for the server."""
        return super().now() + (self._by if self._jumped else timedelta())

    async def condition(self, holds: Callable[[], bool], at_most: timedelta | None) -> None:
        """A timer ends at an instant of the server's clock, however long that takes."""
        until = self.now() + at_most if at_most is not None else None
        while True:
            left = None if until is None else (until - self.now()).total_seconds()
            if left is not None and left <= 0 and not holds():
                if self._behind_timer:
                    self._jump()
                raise TimeoutError
            if await self._came(holds, self._set, left):
                return

    async def _came(self, holds: Callable[[], bool], set_: asyncio.Future[None], seconds: float | None) -> bool:
        """Whether it holds by then, or when the clock is set."""
        either = self.create_task(super().condition(lambda: holds() or set_.done(), None))
        await asyncio.wait({either}, timeout=seconds)
        either.cancel()
        return holds()

    def _wait_for_timer(self) -> None:
        self._behind_timer = True

    def _jump(self) -> None:
        self._jumped, self._behind_timer = True, False
        self._set.set_result(None)
        self._set = self.create_future()
