"""That our clock is behind, by what Core Signature has signed: noted for whoever is on call, whom a sweep tells."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

NOTED_EVERY: Final = 60.0
"""Seconds: however many callbacks say it, it is noted once in them."""
NOTED_WITHIN: Final = 10.0
"""Seconds: a store that is away holds up nothing, and the next callback says it again."""
Note = Callable[[timedelta, datetime], Awaitable[None]]
"""Keeps by how much it is behind, and when that was by the clock of Core Signature."""
_LOGGER: Final = structlog.get_logger("countersign.receiver")


class ClockBehind:
    """Notes it beside the answers, one at a time."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._noting: asyncio.Task[None] | None = None
        self._at = -NOTED_EVERY

    def by(self, behind: timedelta, at: datetime) -> None:
        """A genuine callback says so, of an event of this instant."""
        now = asyncio.get_running_loop().time()
        if now - self._at < NOTED_EVERY or (self._noting and not self._noting.done()):
            return
        self._at = now
        _LOGGER.error("the clock of this receiver is behind", seconds=int(behind.total_seconds()))
        self._noting = asyncio.create_task(self._noted(behind, at))

    async def _noted(self, behind: timedelta, at: datetime) -> None:
        try:
            async with asyncio.timeout(NOTED_WITHIN):
                await self._note(behind, at)
        except Exception as failure:  # remote stores raise what they like
            _LOGGER.warning("nobody on call hears of the clock yet", why=type(failure).__name__)
