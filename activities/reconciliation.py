"""The sweep over Core Signature's events, page by page, newest first: open requests are told what they missed.

Most events cost nothing: Core Signature says that their callback arrived, and what is final is seen in Temporal's
visibility. Of the others only the newest of each request is told, for the request then reads the document as it is.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import AwareDatetime, Field, ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities import runs
from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.wire import WireEvent
from activities.failures import failing_as_application_errors, final_failure, passing_failure
from activities.http.calling import ServiceFailure
from activities.rpc_errors import about_the_workflow
from activities.spelling import ID_PATTERN
from activities.store import Store
from workflows import names
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.provider import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.model.reconciliation import SHOWN_AT_MOST, Mended, SweepOrder, Swept
from workflows.model.subject import Code, Status
from workflows.ports import EventSweep

PAGES_AT_MOST: Final = 20
"""Pages of one part."""
PART_SECONDS: Final = 45.0
"""How long a part begins pages."""
AGAIN: Final = timedelta(minutes=10)
"""Before the place that was reached, all is looked at once more: an event may be listed late, clocks may differ."""
YOUNG: Final = timedelta(seconds=10)
"""The callback of an event that is younger may be on its way; the next sweep has it."""
FIRST_LOOK: Final = timedelta(days=30)
"""How far the first sweep looks back."""
TOLD_REMEMBERED: Final = 5_000
"""Requests that are not told of the same event by the next sweep; one that is forgotten knows it again."""
_AT_ONCE: Final = 25
_IDS_AT_MOST: Final = 50
"""Ids of one query."""
_LONGEST_ID: Final = 64
_SWEPT: Final = "swept-"
_LONGEST_TYPE: Final = 100
_A_WORD: Final = re.compile(r"\w{1,40}", re.ASCII)
_DISORDER: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Stride:
    """How far one part goes."""

    pages: int = PAGES_AT_MOST
    seconds: float = PART_SECONDS
    young: timedelta = YOUNG


class UnderWay(Model):
    """A pass from the newest event back that has not come to its end: its next page, and what was newest."""

    page: int
    newest: AwareDatetime


class Mark(Model):
    """How far the events were looked at, in the provider's time, and who was told up to which event lately."""

    until: AwareDatetime
    told: dict[str, AwareDatetime] = Field(default_factory=dict)
    under_way: UnderWay | None = None

    @property
    def floor(self) -> datetime:
        """Events from before this need not be looked at."""
        return self.until - AGAIN

    def over(self, newest: datetime | None, told: Mapping[str, datetime]) -> "Mark":
        """The pass has come to its end."""
        until = max(self.until, newest or self.until)
        return Mark(until=until, told=_newest({request: at for request, at in told.items() if at >= until - AGAIN}))

    def goes_on(self, under_way: UnderWay | None, told: Mapping[str, datetime]) -> "Mark":
        """The pass is to be gone on with, or begun anew."""
        return self.replace(told=_newest(told), under_way=under_way)


class OpenRequests(Protocol):
    """Where it is looked which requests go on; may raise `RPCError`."""

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """`CsStatus` of those of these that are open."""
        ...


@dataclass(frozen=True)
class TemporalOpenRequests:
    """See `OpenRequests`: Temporal's visibility, which lags by a moment."""

    client: Client

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """See `OpenRequests`."""
        found: dict[str, str] = {}
        for first in range(0, len(ids), _IDS_AT_MOST):
            listed = ", ".join(f"'{Kind.REQUEST.workflow_id(id)}'" for id in ids[first : first + _IDS_AT_MOST])
            query = f"WorkflowType = '{names.SIGNATURE_REQUEST}' AND {runs.OPEN} AND WorkflowId IN ({listed})"
            async for run in runs.listed(self.client, query):
                found[run.id.partition(":")[2]] = run.known.get(names.STATUS) or ""
        return found


class Sweep(EventSweep):
    """See `EventSweep`; the place is kept in the store, which all sweeps share."""

    def __init__(
        self,
        signature: CoreSignatureClient,
        temporal: Client,
        store: Store,
        open_requests: OpenRequests | None = None,
        stride: Stride | None = None,
    ) -> None:
        self._signature = signature
        self._temporal = temporal
        self._store = store
        self._open = open_requests or TemporalOpenRequests(temporal)
        self._stride = stride or Stride()

    async def sweep(self, order: SweepOrder) -> Swept:
        """See `EventSweep`."""
        with failing_as_application_errors():
            mark = await self._mark(order.now)
            part = _Part(self._signature, self._stride, mark)
            while not part.is_over and (events := await part.next_page()) is not None:
                part.mended += await self._tell(_unheard(events, part.told, order.now - self._stride.young), part.told)
            left = part.mark
            await self._store.replace_sweep_mark(left.model_dump_json().encode())
            return part.swept(left)

    async def _mark(self, now: datetime) -> Mark:
        kept = await self._store.sweep_mark()
        first = Mark(until=now - FIRST_LOOK)
        try:
            return Mark.model_validate_json(kept) if kept else first
        except ValidationError:
            activity.logger.warning("how far events were looked at cannot be read: it is looked back as at first")
            return first

    async def _tell(self, unheard: Mapping[str, WireEvent], told: dict[str, datetime]) -> list[Mended]:
        if not unheard:
            return []
        try:
            going_on = await self._open.among(list(unheard))
            some = asyncio.Semaphore(_AT_ONCE)

            async def one(id: str) -> Mended | None:
                async with some:
                    return await self._signal(id, unheard[id])

            waiting = [id for id, status in going_on.items() if not _has_ended(status)]
            mended = [mended for mended in await asyncio.gather(*map(one, waiting)) if mended]
        except RPCError as error:
            raise passing_failure(Code.UNREACHABLE, f"Temporal: {error.status.name}") from None
        told |= {one.request: one.at for one in mended}
        return mended

    async def _signal(self, id: str, event: WireEvent) -> Mended | None:
        at = event.timestamp
        if at is None:
            return None
        # An ending that does not show may have been heard of, and been read too early: it is to be read once more.
        id_of_event = f"{_SWEPT}{event.uuid}" if event.event_type in FINAL else event.uuid
        hint = ProviderEvent(id=id_of_event[:_LONGEST_ID], type=event.event_type[:_LONGEST_TYPE], at=at)
        try:
            handle = self._temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id))
            await handle.signal(names.PROVIDER_EVENT, hint)
        except RPCError as error:
            if about_the_workflow(error):
                return None  # It has ended meanwhile.
            raise
        word = event.event_type if _A_WORD.fullmatch(event.event_type) else "another"
        return Mended(request=id, event=word, at=at)


@dataclass
class _Part:
    """The pages of one part, and what they came to."""

    signature: CoreSignatureClient
    stride: Stride
    begun: Mark
    told: dict[str, datetime] = field(default_factory=dict)
    mended: list[Mended] = field(default_factory=list)
    pages: int = 0
    events: int = 0
    unnamed: int = 0
    reached: datetime | None = None
    newest: datetime | None = None
    is_over: bool = False

    def __post_init__(self) -> None:
        self.told |= self.begun.told
        going_on = self.begun.under_way
        self._page = going_on.page if going_on else 1
        self.newest = going_on.newest if going_on else None
        self._ends_at = time.monotonic() + self.stride.seconds

    async def next_page(self) -> list[WireEvent] | None:
        """The events of the next page that are to be looked at; None when the part is to end here."""
        if self.pages and self._is_to_end:
            return None
        try:
            found, more = await self.signature.events(self._page)
        except ServiceFailure as failure:
            if self._page > 1 and failure.status == 404:
                # The list has become shorter, or a gateway says so: what is the end of it is not taken on its word.
                self._page, self.newest = 1, None
            elif not self.pages:
                raise
            return None  # What was looked at is remembered; the next part meets the failure first.
        return self._taken(found, more=more)

    def _taken(self, found: list[WireEvent], *, more: bool) -> list[WireEvent]:
        dated = [(event.timestamp, event) for event in found if event.timestamp]
        _refuse_disorder(found, [at for at, _ in dated])
        fresh = [event for at, event in dated if at >= self.begun.floor]
        if dated:
            self.newest = self.newest or dated[0][0]
            self.reached = dated[-1][0]
        self.pages, self.events, self._page = self.pages + 1, self.events + len(fresh), self._page + 1
        self.unnamed += sum(not event.external_id and event.document is not None for event in fresh)
        self.is_over = not more or len(fresh) < len(dated)
        return fresh

    @property
    def _is_to_end(self) -> bool:
        ending = activity.in_activity() and activity.is_worker_shutdown()
        return ending or self.pages >= self.stride.pages or time.monotonic() >= self._ends_at

    @property
    def mark(self) -> Mark:
        """Where the next part goes on. The last page is read again: what was deleted moves the rest up."""
        if self.is_over:
            return self.begun.over(self.newest, self.told)
        under_way = UnderWay(page=max(1, self._page - 1), newest=self.newest) if self.newest else None
        return self.begun.goes_on(under_way, self.told)

    def swept(self, left: Mark) -> Swept:
        """For the workflow."""
        return Swept(
            pages=self.pages,
            events=self.events,
            told=len(self.mended),
            mended=tuple(self.mended[:SHOWN_AT_MOST]),
            unnamed=self.unnamed,
            until=left.until,
            reached=self.reached,
            over=self.is_over,
        )


def _unheard(events: Sequence[WireEvent], told: Mapping[str, datetime], before: datetime) -> dict[str, WireEvent]:
    """The newest event of each request of which it may not have heard.

    Whether one that is final has arrived is seen where the request stands, whatever is said of its callback.
    """
    found: dict[str, WireEvent] = {}
    for event in events:
        id, at = event.external_id, event.timestamp
        if id is None or at is None or at > before or not re.fullmatch(ID_PATTERN, id):
            continue
        heard = event.event_type in WITHOUT_EFFECT or (event.delivered and event.event_type not in FINAL)
        if not heard and (id not in told or at > told[id]):
            found.setdefault(id, event)
    return found


def _newest(told: Mapping[str, datetime]) -> dict[str, datetime]:
    return dict(sorted(told.items(), key=lambda one: one[1])[-TOLD_REMEMBERED:])


def _has_ended(status: str) -> bool:
    return status in set(Status) and Status(status).ended


def _refuse_disorder(found: Sequence[WireEvent], instants: Sequence[datetime]) -> None:
    if found and not instants:
        raise final_failure(
            Code.PROVIDER_UNSURE, "the events that Core Signature lists have no time: they cannot be swept"
        )
    if instants and instants[0] < instants[-1] - _DISORDER:
        raise final_failure(Code.PROVIDER_UNSURE, "Core Signature lists events oldest first: they cannot be swept")
