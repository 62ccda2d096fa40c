"""One look at a request serves everybody who opens the same link within some seconds.

Each link has its own: whoever was just told that it is their turn is not shown what another signer saw before.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from workflows.model.views import Shown

Look = Callable[[str], Awaitable[Shown | None]]
"""What is known of a request or a task by our own side, None when nobody says; answers soon and never raises."""

Seen = TypeVar("Seen")

FRESH_SECONDS: Final = 5.0
RECENT_AT_MOST: Final = 500
"""Links whose last look is remembered; the oldest gives way, and its request is looked at again when it is opened."""


class RecentLooks(Generic[Seen]):
    """Looks for a link once in `fresh` seconds, unless told to forget what was seen; `clock` counts seconds."""

    def __init__(
        self,
        look: Callable[[str], Awaitable[Seen]],
        clock: Callable[[], float],
        at_most: int = RECENT_AT_MOST,
        *,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        self._look = look
        self._clock = clock
        self._at_most = at_most
        self._fresh = fresh
        self._recent: OrderedDict[str, tuple[float, asyncio.Future[Seen]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recent)

    async def __call__(self, link: str, request: str) -> Seen:
        """Where the request stands, as of some seconds ago."""
        now = self._clock()
        while self._recent and next(iter(self._recent.values()))[0] <= now - self._fresh:
            self._recent.popitem(last=False)
        if link not in self._recent:
            self._recent[link] = (now, asyncio.ensure_future(self._look(request)))
        _, seen = self._recent[link]
        if len(self._recent) > self._at_most:
            self._recent.popitem(last=False)
        # Shielded: whoever hangs up takes nothing from the others who wait for the same answer.
        return await asyncio.shield(seen)

    async def anew(self, link: str, request: str) -> Seen:
        """Where the request stands now, for whoever acts on it."""
        self.forget(link)
        return await self(link, request)

    def forget(self, link: str) -> None:
        """Look anew the next time: something was changed."""
        self._recent.pop(link, None)
