"""Reads a follow-up for a page: from its workflow, else from Temporal and the store, with a short cache."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.records.cover_sheet import CoverSheet, TaskCover
from activities.records.store import Store
from starter.errors import Refusal
from starter.queries.lookup import find_best_view, recorded
from starter.queries.onboarding import composed
from starter.temporal.codec import CodecError
from starter.temporal.connection import Context
from workflows.kinds import Kind, WorkflowName, referred
from workflows.model.views import Shown

ReadView = Callable[[str], Awaitable[Shown | None]]
"""Reads a follow-up quickly and never raises; None when unknown."""
CachedView = TypeVar("CachedView")
FRESH_SECONDS: Final = 5.0
RECENT_AT_MOST: Final = 500
"""Cached links; the oldest is dropped first."""
_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=1.5)
_SECONDS: Final = 5.0
_NOT_SAID: Final = (
    *(Refusal, RPCError, RuntimeError, TimeoutError, StoreFailure),
    CodecError,
    # Of a newer worker, or a newer record: a word or a field that this process does not know.
    ValueError,
)
_DESK_SECONDS: Final = 8.0
_DESK_WORKER_WITHIN: Final = timedelta(seconds=2)


class ViewCache(Generic[CachedView]):
    """Caches results for `fresh` seconds; `clock` counts seconds."""

    def __init__(
        self,
        look: Callable[[str], Awaitable[CachedView]],
        clock: Callable[[], float],
        at_most: int = RECENT_AT_MOST,
        *,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        self._look = look
        self._clock = clock
        self._at_most = at_most
        self._fresh = fresh
        self._recent: OrderedDict[str, tuple[float, object, asyncio.Future[CachedView]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recent)

    async def __call__(self, link: str, request: str, mark: object = None) -> CachedView:
        """The result, maybe some seconds old, but none that was looked up under another `mark`."""
        now = self._clock()
        while self._recent and next(iter(self._recent.values()))[0] <= now - self._fresh:
            self._recent.popitem(last=False)
        if mark is not None and link in self._recent and self._recent[link][1] != mark:
            self.forget(link)
        if link not in self._recent:
            self._recent[link] = (now, mark, asyncio.ensure_future(self._look(request)))
        *_, future = self._recent[link]
        if len(self._recent) > self._at_most:
            self._recent.popitem(last=False)
        # Shielded: whoever hangs up takes nothing from the others who wait for the same answer.
        return await asyncio.shield(future)

    async def anew(self, link: str, request: str) -> CachedView:
        """The result as of now."""
        self.forget(link)
        return await self(link, request)

    def forget(self, link: str) -> None:
        self._recent.pop(link, None)


async def _no_cover(store: Store, id: str) -> None:
    return None


async def _itself(client: Client, store: Store, name: WorkflowName, wait: timedelta) -> Shown:
    return await find_best_view(client, store, name, time_limit=wait)


@dataclass(frozen=True)
class KindLook:
    """How it is found out where one of a kind stands.

    `cover` is what the store says of the one with this id that was started, while Temporal is down. `look` is the best
    answer there is, for which the workflow has so long; it asks as often `in_a_row`, which multiplies its time.
    """

    cover: Callable[[Store, str], Awaitable[Shown | None]] = _no_cover
    look: Callable[[Client, Store, WorkflowName, timedelta], Awaitable[Shown]] = _itself
    in_a_row: int = 1


async def _request_cover(store: Store, id: str) -> Shown | None:
    cover = await CoverSheet.read(store, id)
    return cover.to_show(id) if cover else None


async def _with_parts(client: Client, store: Store, name: WorkflowName, _: timedelta) -> Shown:
    return await composed(client, store, name.id)


LOOKS: Final[dict[Kind, KindLook]] = {
    Kind.REQUEST: KindLook(_request_cover),
    Kind.TASK: KindLook(TaskCover.read_show),
    Kind.ONBOARDING: KindLook(look=_with_parts, in_a_row=2),
    Kind.CAMPAIGN: KindLook(),
}
"""A further kind adds its own."""


class ViewReader:
    """Asks the workflow, else the settled record, else the cover sheet; never raises.

    `seconds` limits the workflow, and again the store.
    """

    def __init__(self, client: Client, store: Store, *, seconds: float = _SECONDS) -> None:
        self._client = client
        self._store = store
        self._seconds = seconds

    async def __call__(self, reference: str) -> Shown | None:
        name = referred(reference)
        try:
            kind = LOOKS[name.kind]
            async with asyncio.timeout(kind.in_a_row * self._seconds):
                return await kind.look(self._client, self._store, name, _WORKER_ANSWERS_WITHIN)
        except _NOT_SAID:
            return await self._read_record(name)

    async def _read_record(self, name: WorkflowName) -> Shown | None:
        try:
            async with asyncio.timeout(self._seconds):
                if settled := await recorded(self._store, name):
                    return settled
                return await LOOKS[name.kind].cover(self._store, name.id)
        except _NOT_SAID:
            return None


def desk_view_reader(context: Context) -> ReadView:
    """Asks the workflow, else Temporal and the store; raises what does not answer."""

    async def look(reference: str) -> Shown | None:
        name = referred(reference)
        try:
            async with asyncio.timeout(_DESK_SECONDS):
                return await LOOKS[name.kind].look(context.client, context.store, name, _DESK_WORKER_WITHIN)
        except Refusal:
            return None

    return look
