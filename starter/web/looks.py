"""Reads a follow-up for a page: from its workflow, else from Temporal and the store, with a short cache."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Generic, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from activities.documents.errors import StoreFailure
from activities.records.cover_sheet import CoverSheet, TaskCover
from activities.records.store import Store
from starter.boot.context import Context
from starter.errors import Refusal
from starter.queries.lookup import look_at, recorded
from starter.queries.onboarding import composed
from starter.temporal.codec import CodecError
from workflows.kinds import Kind, WorkflowName, referred
from workflows.model.views import Shown

LookAt = Callable[[str], Awaitable[Shown | None]]
"""Reads a follow-up quickly and never raises; None when unknown."""

Seen = TypeVar("Seen")

FRESH_SECONDS: Final = 5.0
RECENT_AT_MOST: Final = 500
"""Cached links; the oldest is dropped first."""


class RecentLooks(Generic[Seen]):
    """Caches results for `fresh` seconds; `clock` counts seconds."""

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
        """The result, maybe some seconds old."""
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
        """The result as of now."""
        self.forget(link)
        return await self(link, request)

    def forget(self, link: str) -> None:
        self._recent.pop(link, None)


_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=1.5)
_SECONDS: Final = 5.0
_NOT_SAID: Final = (
    *(Refusal, RPCError, RuntimeError, TimeoutError, StoreFailure),
    CodecError,
    # Of a newer worker, or a newer record: a word or a field that this process does not know.
    ValueError,
)


class QuickLook:
    """Asks the workflow, else the settled record, else the cover sheet; never raises.

    `seconds` limits the workflow, and again the store.
    """

    def __init__(self, client: Client, store: Store, *, seconds: float = _SECONDS) -> None:
        self._client = client
        self._store = store
        self._seconds = seconds

    async def __call__(self, reference: str) -> Shown | None:
        what = referred(reference)
        try:
            if what.kind is Kind.ONBOARDING:
                async with asyncio.timeout(2 * self._seconds):  # Its parts are asked after it.
                    return await composed(self._client, self._store, what.id)
            async with asyncio.timeout(self._seconds):
                return await look_at(self._client, self._store, what, within=_WORKER_ANSWERS_WITHIN)
        except _NOT_SAID:
            return await self._kept(what)

    async def _kept(self, what: WorkflowName) -> Shown | None:
        try:
            async with asyncio.timeout(self._seconds):
                if settled := await recorded(self._store, what):
                    return settled
                if what.kind is Kind.TASK:
                    return await TaskCover.shown(self._store, what.id)
                if what.kind in (Kind.ONBOARDING, Kind.CAMPAIGN):
                    return None
                cover = await CoverSheet.read(self._store, what.id)
                return cover.shown(what.id) if cover else None
        except _NOT_SAID:
            return None


_DESK_SECONDS: Final = 8.0
_DESK_WORKER_WITHIN: Final = timedelta(seconds=2)


def looker(context: Context) -> LookAt:
    """Asks the workflow, else Temporal and the store; raises what does not answer."""

    async def look(reference: str) -> Shown | None:
        what = referred(reference)
        try:
            async with asyncio.timeout(_DESK_SECONDS):
                if what.kind is Kind.ONBOARDING:
                    return await composed(context.client, context.store, what.id)
                return await look_at(context.client, context.store, what, within=_DESK_WORKER_WITHIN)
        except Refusal:
            return None

    return look
