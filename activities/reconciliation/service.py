"""The reconciliation activity: reads Core Signature's events, newest first, down to the stored position, and tells open
requests what callbacks missed. Most events cost nothing: their callback arrived, or visibility shows the final status.
Otherwise only the newest event of a request is signalled, which then reads its document. With adoption, events of
documents sent by hand go to their requests.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median_low
from typing import Final, Protocol, Self

from pydantic import AwareDatetime, Field, ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.absence.service import announce_leavers, begin_overdue
from activities.core_signature.client import CoreSignatureClient, ResultPage, if_found
from activities.core_signature.wire import WireEvent
from activities.errors import ID_PATTERN, StoreFailure
from activities.http.client import ServiceFailure
from activities.metrics import MENDS
from activities.reconciliation.adoption import Adoption, NotYetAdoptable
from activities.reconciliation.callback_health import CallbackAlarm, CallbackClockSkew, CallbackHealth
from activities.reconciliation.figures import FigureCounter
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import about_the_workflow, about_this_one_alone
from activities.temporal.failures import failing_as_application_errors, final_failure
from workflows import names
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.reconciliation import (
    SHOWN_AT_MOST,
    AdoptionRefusal,
    CorrectedRequest,
    ReconciliationOrder,
    ReconciliationResult,
)
from workflows.model.signature import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.model.subject import Code, Status
from workflows.names import adopted_id
from workflows.ports import EventReconciliation

WAITING_AT_MOST: Final = 1_000
"""Documents that wait to be adopted; one more is met again with its next event."""
JUDGED_REMEMBERED: Final = 5_000
"""Documents that are judged once for each event; one that is forgotten is judged again."""
GIVEN_UP_AFTER: Final = timedelta(days=1)
"""How long a document that is not shown is asked for."""
NAMES_REMEMBERED: Final = 5_000
"""Documents of which it is known; one that is forgotten is read once more with its next event."""
PAGES_AT_MOST: Final = 20
"""Pages of one part."""
PART_SECONDS: Final = 45.0
"""How long a part begins pages, and looks at documents to adopt them: what was begun last ends within its attempt."""
AGAIN: Final = timedelta(minutes=10)
"""Before the place that was reached, all is looked at once more: an event may be listed late, clocks may differ."""
YOUNG: Final = timedelta(seconds=10)
"""The callback of an event that is younger may be on its way; the next sweep has it."""
TOLD_REMEMBERED: Final = 20_000
"""Requests that are not told again; one that is forgotten is, of each older event, and reads its document each time."""
_JITTER: Final = timedelta(seconds=5)
"""Events less apart may stand in any order: clocks differ."""
_TELLING: Final = 4
"""Of fewer events one that was recorded late would be half."""
_SURE: Final = 5
"""Events at the end of a page by which it is known that what follows was looked at before."""
_TIMELESS: Final = "the events that Core Signature lists have no time: they cannot be swept"
_OLDEST_FIRST: Final = "Core Signature lists events oldest first: they cannot be swept"
_IDS_AT_MOST: Final = 50
"""Ids of one query."""
FIRST_LOOK: Final = timedelta(days=30)
"""How far the first sweep looks back."""
_AT_ONCE: Final = 25
UNFIT_AT_MOST: Final = 200
"""Open documents that cannot be adopted and are listed, the newest."""
ADOPTED_AT_MOST: Final = 50
"""Documents that one part looks at to adopt them, each by one call of Core Signature."""
_LONGEST_ID: Final = 64
_SWEPT: Final = "swept-"
_LONGEST_TYPE: Final = 100
_A_WORD: Final = re.compile(r"\w{1,40}", re.ASCII)


class RejectedDocument(Model):
    """A document that Core Signature does not show: since when, when last asked, and its answer."""

    since: AwareDatetime
    last: AwareDatetime
    why: str

    def is_due(self, now: datetime) -> bool:
        """Whether to ask again: each pause is as long as all before it."""
        return now - self.last >= self.last - self.since


class UnmanagedDocuments(Model):
    """Documents that wait to be judged, some of them refused; judged ones with their newest event; and the open ones
    that cannot be adopted, with the reason.
    """

    waiting: dict[str, AwareDatetime] = Field(default_factory=dict)
    refused: dict[str, RejectedDocument] = Field(default_factory=dict)
    judged: dict[str, AwareDatetime] = Field(default_factory=dict)
    unfit: dict[str, str] = Field(default_factory=dict)

    def add_documents(self, event_at_by_document: Mapping[str, datetime]) -> Self:
        """Add documents with events; a judged one is judged again only after another event."""
        news = {
            uuid: event_at
            for uuid, event_at in event_at_by_document.items()
            if uuid not in self.waiting and (uuid not in self.judged or event_at > self.judged[uuid])
        }
        room = WAITING_AT_MOST - len(self.waiting)
        return self.replace(waiting={**self.waiting, **dict(list(news.items())[:room])})

    def due(self, now: datetime) -> list[str]:
        """Those to look at, the longest waiting first."""
        return [uuid for uuid in self.waiting if uuid not in self.refused or self.refused[uuid].is_due(now)]

    def judge(self, uuid: str, reason: str | None = None) -> Self:
        """This one is done; with a reason it cannot be adopted."""
        waiting, refused = dict(self.waiting), dict(self.refused)
        judged = {**self.judged, uuid: waiting.pop(uuid)}
        refused.pop(uuid, None)
        unfit = list(_drop_keys(self.unfit, {uuid}).items()) + ([(uuid, reason)] if reason else [])
        return self.replace(waiting=waiting, refused=refused, judged=judged, unfit=dict(unfit[-UNFIT_AT_MOST:]))

    def drop_ended(self, uuids: AbstractSet[str]) -> Self:
        """Without those that could not be adopted and have ended."""
        return self.replace(unfit=_drop_keys(self.unfit, uuids)) if uuids & self.unfit.keys() else self

    def postpone(self, uuid: str) -> Self:
        """Move this one to the end of the queue."""
        remaining = {other_uuid: event_at for other_uuid, event_at in self.waiting.items() if other_uuid != uuid}
        return self.replace(waiting={**remaining, uuid: self.waiting[uuid]})

    def refuse(self, uuid: str, reason: str, now: datetime) -> Self:
        """Move this one to the end; it is judged once the refusal has lasted too long."""
        refused_since = self.refused[uuid].since if uuid in self.refused else now
        if now - refused_since >= GIVEN_UP_AFTER:
            return self.judge(uuid, f"{reason}, for a day")
        refused = {**self.refused, uuid: RejectedDocument(since=refused_since, last=now, why=reason)}
        return self.postpone(uuid).replace(refused=refused)

    def drop_before(self, floor: datetime) -> Self:
        """Without judged documents whose events are no longer read."""
        lately = {uuid: judged_at for uuid, judged_at in self.judged.items() if judged_at >= floor}
        return self.replace(judged=newest(lately, JUDGED_REMEMBERED))


def _drop_keys(reasons: Mapping[str, str], uuids: AbstractSet[str]) -> dict[str, str]:
    return {uuid: reason for uuid, reason in reasons.items() if uuid not in uuids}


def newest(instants: Mapping[str, datetime], limit: int) -> dict[str, datetime]:
    return dict(sorted(instants.items(), key=lambda pair: pair[1])[-limit:])


class ExternalIds(Model):
    """`external_id` by document uuid, empty for none."""

    known: Mapping[str, str] = Field(default_factory=dict)

    def learnt(self, uuid: str, external_id: str) -> Self:
        """Add one; drops the oldest beyond the limit."""
        external_ids = {document: id for document, id in self.known.items() if document != uuid} | {uuid: external_id}
        return self.replace(known=dict(list(external_ids.items())[-NAMES_REMEMBERED:]))

    def name_event(self, event: WireEvent) -> WireEvent:
        """The event with its `external_id`."""
        id = self.known.get(event.document or "") if event.unsaid else None
        return event.model_copy(update={"external_id": id}) if id else event

    def list_documents_to_read(self, events: Sequence[WireEvent], latest_at: datetime) -> list[str]:
        """Documents to read: of events that a request may have missed, and of the newest callback that arrived.

        The latter shows that callbacks arrive at all.
        """
        unknown = [event for event in events if event.unsaid and event.document and event.document not in self.known]
        unheard = [event for event in unknown if not heard(event) and event.timestamp and event.timestamp <= latest_at]
        arrived = [event for event in unknown if event.delivered][:1]
        return list(dict.fromkeys(event.document for event in (*unheard, *arrived) if event.document))


def heard(event: WireEvent) -> bool:
    """Whether nobody has to be told: the event changes nothing, or its callback arrived and reached its request.

    A callback with the address alone reached no request; final events are decided elsewhere.
    """
    has_reached = event.delivered and not event.unsaid and event.event_type not in FINAL
    return event.event_type in WITHOUT_EFFECT or has_reached


@dataclass(frozen=True)
class PassLimits:
    """The limits of one part."""

    pages: int = PAGES_AT_MOST
    seconds: float = PART_SECONDS
    young: timedelta = YOUNG


class UnfinishedPass(Model):
    """A pass, from the newest event back, that has not finished: its next page, and where it ends."""

    page: int
    newest: AwareDatetime


class PassMark(Model):
    """The position in the provider's time, and the requests told lately, with the event each was told."""

    until: AwareDatetime
    told: dict[str, AwareDatetime] = Field(default_factory=dict)
    strangers: UnmanagedDocuments = UnmanagedDocuments()
    silence: CallbackHealth = CallbackHealth()
    under_way: UnfinishedPass | None = None
    names: ExternalIds = ExternalIds()

    @property
    def floor(self) -> datetime:
        """The time before which events need not be read."""
        return self.until - AGAIN

    def finish(self, newest: datetime | None) -> "PassMark":
        """After the pass has finished."""
        seen_until = max(self.until, newest or self.until)
        floor = seen_until - AGAIN
        lately = {request: told_at for request, told_at in self.told.items() if told_at >= floor}
        return self.replace(until=seen_until, told=lately, strangers=self.strangers.drop_before(floor), under_way=None)

    def goes_on(self, under_way: UnfinishedPass | None) -> "PassMark":
        """With a pass to continue, or None to begin anew."""
        return self.replace(strangers=self.strangers.drop_before(self.floor), under_way=under_way)


@dataclass
class Pass:
    """The pages of one part, and its results."""

    signature: CoreSignatureClient
    limits: PassLimits
    start_mark: PassMark
    now: datetime
    told_at_by_request: dict[str, datetime] = field(default_factory=dict)
    mended: list[CorrectedRequest] = field(default_factory=list)
    not_told: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    not_adopted: list[AdoptionRefusal] = field(default_factory=list)
    hindered: list[AdoptionRefusal] = field(default_factory=list)
    pages: int = 0
    events: int = 0
    unnamed: int = 0
    ahead: int = 0
    reached: datetime | None = None
    newest: datetime | None = None
    is_over: bool = False

    def __post_init__(self) -> None:
        self.told_at_by_request |= self.start_mark.told
        self.strangers, self.silence, self.names = (
            self.start_mark.strangers,
            self.start_mark.silence,
            self.start_mark.names,
        )
        going_on = self.start_mark.under_way
        self._page = going_on.page if going_on else 1
        self.newest = going_on.newest if going_on else None
        self._ends_at = time.monotonic() + self.limits.seconds
        self._cut = False

    async def next_page(self) -> list[WireEvent] | None:
        """The events of the next page to look at; None when the part ends here."""
        if self.pages and (self.pages >= self.limits.pages or self.is_to_end):
            return None
        try:
            listed = await self.signature.events(self._page)
        except ServiceFailure as failure:
            if self._page > 1 and failure.status == 404:
                # The list has become shorter, or a gateway says so: what is the end of it is not taken on its word.
                self._page, self.newest = 1, None
            elif not self.pages:
                raise
            return None  # What was looked at is remembered; the next part meets the failure first.
        return self._accept_page(listed)

    def _accept_page(self, listed: ResultPage[WireEvent]) -> list[WireEvent]:
        events, has_more = listed.resources, listed.has_more
        dated = [(event.timestamp, event) for event in events if event.timestamp]
        past_instants = [event_at for event_at, _ in dated if event_at <= self.now]
        if events and not dated:
            raise final_failure(Code.PROVIDER_UNSURE, _TIMELESS)
        # Of a list that ends here all was looked at, in whatever order.
        if has_more and _oldest_first(past_instants):
            raise final_failure(Code.PROVIDER_UNSURE, _OLDEST_FIRST)
        # What is to happen yet says nothing of how far was looked: all that happens before would count as seen.
        fresh = [event for event_at, event in dated if self.start_mark.floor <= event_at <= self.now]
        self.ahead += sum(event_at > self.now + AGAIN for event_at, _ in dated)
        if dated:
            self.newest = self.newest or max(past_instants, default=self.now)
            self.reached = dated[-1][0]
        self.pages, self.events = self.pages + 1, self.events + len(fresh)
        self.unnamed += sum(not event.external_id and event.document is not None for event in fresh)
        self._page += 1
        # A few events may have been recorded late: what stands behind them is not older for that.
        self.is_over = not has_more or (
            bool(dated) and all(event_at < self.start_mark.floor for event_at, _ in dated[-_SURE:])
        )
        return fresh

    def cut_short(self) -> None:
        """End before this page is done: the next part begins with it."""
        self._cut, self.is_over = True, False

    @property
    def is_to_end(self) -> bool:
        """Whether time is up, or the worker shuts down."""
        ending = activity.in_activity() and activity.is_worker_shutdown()
        return self._cut or ending or time.monotonic() >= self._ends_at

    @property
    def mark(self) -> PassMark:
        """The position for the next part. The last page is read again, since deletions move events up."""
        told_at_by_request = newest(self.told_at_by_request, TOLD_REMEMBERED)
        mark = self.start_mark.replace(
            told=told_at_by_request, strangers=self.strangers, silence=self.silence, names=self.names
        )
        if self.is_over:
            return mark.finish(self.newest)
        return mark.goes_on(self._under_way)

    @property
    def _under_way(self) -> UnfinishedPass | None:
        if self.newest is None:
            return None
        # A part of one page goes on with the next, so that each part comes further.
        rereads_page = self._cut or self.pages > 1
        return UnfinishedPass(page=max(1, self._page - rereads_page), newest=self.newest)

    def swept(self, mark: PassMark) -> ReconciliationResult:
        refused = (AdoptionRefusal(document=uuid, why=refusal.why) for uuid, refusal in self.strangers.refused.items())
        return ReconciliationResult(
            pages=self.pages,
            events=self.events,
            told=len(self.mended),
            mended=tuple(self.mended[:SHOWN_AT_MOST]),
            untold=len(self.not_told),
            not_told=tuple(self.not_told[:SHOWN_AT_MOST]),
            unnamed=self.unnamed,
            ahead=self.ahead,
            adoptions=len(self.adopted),
            adopted=tuple(self.adopted[:SHOWN_AT_MOST]),
            refusals=len(self.not_adopted),
            not_adopted=tuple(self.not_adopted[:SHOWN_AT_MOST]),
            waiting=len(self.strangers.waiting),
            not_yet=(*self.hindered, *refused)[:SHOWN_AT_MOST],
            until=mark.until,
            reached=self.reached,
            over=self.is_over,
        )


async def list_unfit(store: Store) -> tuple[AdoptionRefusal, ...]:
    """Open documents sent by hand that nothing follows up, the newest first. Raises `DatabaseAway`."""
    content = await store.notes.sweep_mark()
    try:
        reasons = PassMark.model_validate_json(content).strangers.unfit if content else {}
    except ValidationError:
        return ()
    ids = {uuid: Kind.REQUEST.workflow_id(adopted_id(uuid) or "") for uuid in reversed(reasons)}
    known_ids = await store.starts.find_known(list(ids.values()))
    return tuple(AdoptionRefusal(document=uuid, why=reasons[uuid]) for uuid, id in ids.items() if id not in known_ids)


class OpenRequests(Protocol):
    """Queries of requests by id; may raise `RPCError`."""

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """`CsStatus` of the open ones."""
        ...

    async def find_known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """Those that Temporal knows, open or closed."""
        ...


@dataclass(frozen=True)
class TemporalOpenRequests:
    """By Temporal's visibility, which lags by a moment."""

    client: Client

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        return {
            id: run.search_attributes.get(names.STATUS) or ""
            async for id, run in self._listed(ids, f" AND {executions.OPEN}")
        }

    async def find_known(self, ids: Sequence[str]) -> AbstractSet[str]:
        return {id async for id, _ in self._listed(ids)}

    async def _listed(self, ids: Sequence[str], also: str = "") -> AsyncIterator[tuple[str, executions.Run]]:
        for first in range(0, len(ids), _IDS_AT_MOST):
            listed = ", ".join(f"'{Kind.REQUEST.workflow_id(id)}'" for id in ids[first : first + _IDS_AT_MOST])
            query = f"WorkflowType = '{names.SIGNATURE_REQUEST}'{also} AND WorkflowId IN ({listed})"
            async for run in executions.listed(self.client, query):
                yield run.id.partition(":")[2], run


def _oldest_first(instants: Sequence[datetime]) -> bool:
    """Whether most of a page's later half is newer than all of its first half; some events are recorded late."""
    half = len(instants) // 2
    return len(instants) >= _TELLING and max(instants[:half]) < median_low(instants[half:]) - _JITTER


class ReconciliationService(EventReconciliation):
    """Keeps its position in the store, shared by all reconciliations."""

    def __init__(
        self,
        signature: CoreSignatureClient,
        temporal: Client,
        store: Store,
        open_requests: OpenRequests | None = None,
        *,
        limits: PassLimits | None = None,
        adoption: Adoption | None = None,
        alarm: CallbackAlarm | None = None,
        figures: FigureCounter | None = None,
    ) -> None:
        self._signature = signature
        self._temporal = temporal
        self._store = store
        self._open = open_requests or TemporalOpenRequests(temporal)
        self._limits = limits or PassLimits()
        self._adoption = adoption
        self._alarm = alarm
        self._figures = figures

    async def reconcile(self, order: ReconciliationOrder) -> ReconciliationResult:
        # It may have waited in its queue: what has happened meanwhile is not to come.
        now = max(order.now, activity.info().started_time)
        with failing_as_application_errors():
            with suppress(StoreFailure):
                await begin_overdue(self._temporal, self._store, now)
                await announce_leavers(self._temporal, self._store, now)
            mark = await self._mark(now)
            part = Pass(self._signature, self._limits, mark, now)
            try:
                return await self._reconcile(part, now)
            except Exception:
                # What is open is counted while Core Signature is away as well: on-call hears of problems by it.
                if self._figures:
                    await self._figures.count(part.silence, now, finished=False)
                raise

    async def _reconcile(self, part: Pass, now: datetime) -> ReconciliationResult:
        while not part.is_over and (events := await part.next_page()) is not None:
            await self._heed(events, part, now - self._limits.young)
        if self._alarm and part.is_over and not part.is_to_end:
            part.silence = await self._alarm.alert_of_silence(part.silence, now)
            part.silence = await self._alarm.told_of_clock(
                part.silence, await CallbackClockSkew.latest(self._store), now
            )
        mark = await self._remember(part)
        if part.ahead:
            activity.logger.warning("events have a time that is to come", extra={"events": part.ahead})
        if self._adoption and part.strangers.waiting:
            await self._adopt(self._adoption, part, now)
            mark = await self._remember(part)
        MENDS.add(len(part.mended))
        if part.is_over and self._figures:
            await self._figures.count(part.silence, now)
        return part.swept(mark)

    async def _remember(self, part: Pass) -> PassMark:
        """Also called before slow steps, so that a retry does not read the events anew."""
        mark = part.mark
        await self._store.notes.note_sweep_mark(mark.model_dump_json().encode())
        return mark

    async def _mark(self, now: datetime) -> PassMark:
        content = await self._store.notes.sweep_mark()
        first = PassMark(until=now - FIRST_LOOK)
        if content is None:
            return first
        try:
            mark = PassMark.model_validate_json(content)
        except ValidationError:
            activity.logger.warning("how far events were looked at cannot be read: it is looked back as at first")
            return first
        if mark.until <= now + AGAIN:
            return mark
        activity.logger.warning("events were looked at up to a time that is to come: it is looked back as at first")
        return mark.replace(until=first.until, silence=first.silence, under_way=None)

    async def _heed(self, page_events: Sequence[WireEvent], part: Pass, latest_at: datetime) -> None:
        events = await self._named(page_events, part, latest_at)
        unheard = _unheard(events, part.told_at_by_request, latest_at)
        mended = await self._tell(unheard, part)
        part.mended += mended
        if self._alarm:
            part.silence = await self._listened(
                part.silence, events, [unheard[correction.request] for correction in mended]
            )
        if self._adoption is None:
            return
        part.unnamed = 0  # The uuid of a document is name enough.
        known_ids = await self._find_known_ids(events)
        strange = _strange(events, known_ids)
        part.mended += await self._tell(_unheard(strange, part.told_at_by_request, latest_at), part)
        ended = {event.document for event in strange if event.event_type in FINAL and event.document}
        part.strangers = part.strangers.drop_ended(ended).add_documents(_not_adopted_yet(strange, known_ids))

    async def _named(self, events: Sequence[WireEvent], part: Pass, latest_at: datetime) -> list[WireEvent]:
        """With the ids of documents known by address only, as far as time allows; the next part goes on with this
        page.
        """
        for number, uuid in enumerate(part.names.list_documents_to_read(events, latest_at)):
            if part.is_to_end:
                part.cut_short()
                break
            try:
                document = await if_found(self._signature.document(uuid))
            except ServiceFailure:
                if number == 0:
                    raise
                part.cut_short()
                break
            if document is not None:
                part.names = part.names.learnt(uuid, document.external_id or "")
        named = [part.names.name_event(event) for event in events]
        part.unnamed -= sum(named_event is not event for named_event, event in zip(named, events, strict=True))
        return named

    async def _listened(
        self, silence: CallbackHealth, events: Sequence[WireEvent], missed: Sequence[WireEvent]
    ) -> CallbackHealth:
        """Updates callback health. A callback counts as missed only if a request had to be told, since other programs
        of the tenant have events too.
        """
        arrived = {event.external_id: event.timestamp for event in reversed(events) if _arrived(event, silence)}
        own_ids = await self._open.find_known(sorted(id for id in arrived if id)) if arrived else ()
        for arrived_at in (arrived_at for id, arrived_at in arrived.items() if id in own_ids and arrived_at):
            silence = silence.heard_of(arrived_at)
        for event in missed:
            if not event.delivered and event.timestamp:
                silence = silence.missed(event.timestamp)
        return silence

    async def _find_known_ids(self, events: Sequence[WireEvent]) -> AbstractSet[str]:
        """The ids of these events' requests that Temporal knows."""
        ids = {id for event in events for id in (event.external_id, adopted_id(event.document)) if id}
        return await self._open.find_known(sorted(id for id in ids if re.fullmatch(ID_PATTERN, id)))

    async def _adopt(self, adoption: Adoption, part: Pass, now: datetime) -> None:
        """Judge waiting documents while there is time. One that is not shown waits on, for a day at most; if none can
        be adopted, all wait.
        """
        for document in part.strangers.due(now)[:ADOPTED_AT_MOST]:
            if part.is_to_end:
                return
            try:
                became = await adoption.adopt(document, now)
            except NotYetAdoptable as hindrance:
                if hindrance.of_all:
                    part.strangers = part.strangers.postpone(document)
                    part.hindered.append(AdoptionRefusal(document=document, why=hindrance.reason))
                    return
                part.strangers = part.strangers.refuse(document, hindrance.reason, now)
                if document not in part.strangers.waiting:
                    part.not_adopted.append(AdoptionRefusal(document=document, why=f"{hindrance.reason}, for a day"))
                continue
            refusal = became if isinstance(became, AdoptionRefusal) else None
            part.strangers = part.strangers.judge(document, refusal.why if refusal else None)
            if refusal:
                part.not_adopted.append(refusal)
            elif isinstance(became, str):
                part.adopted.append(became)

    async def _tell(self, unheard: Mapping[str, WireEvent], part: Pass) -> list[CorrectedRequest]:
        """Those who were told.

        Once Temporal is unavailable none is begun, and the first failure is raised after all have ended.
        """
        if not unheard:
            return []
        going_on = await self._open.among(list(unheard))
        semaphore, failures = asyncio.Semaphore(_AT_ONCE), list[RPCError]()

        async def tell_request(id: str) -> CorrectedRequest | None:
            async with semaphore:
                if failures:
                    return None
                try:
                    return await self._signal(id, unheard[id])
                except RPCError as error:
                    if about_this_one_alone(error):
                        details = {"request": id, "status": error.status.name}
                        activity.logger.warning("a request could not be told of what it missed", extra=details)
                        part.not_told.append(id)
                    else:
                        failures.append(error)
                    return None

        waiting = [id for id, status in going_on.items() if not _has_ended(status)]
        mended = [mended for mended in await asyncio.gather(*map(tell_request, waiting)) if mended]
        if failures:
            raise failures[0]
        part.told_at_by_request |= {correction.request: correction.at for correction in mended}
        return mended

    async def _signal(self, id: str, event: WireEvent) -> CorrectedRequest | None:
        event_at = event.timestamp
        if event_at is None:
            return None
        # An ending that does not show may have been heard of, and been read too early: it is to be read once more.
        id_of_event = f"{_SWEPT}{event.uuid}" if event.event_type in FINAL else event.uuid
        hint = ProviderEvent(id=id_of_event[:_LONGEST_ID], type=event.event_type[:_LONGEST_TYPE], at=event_at)
        try:
            handle = self._temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id))
            await handle.signal(names.PROVIDER_EVENT, hint)
        except RPCError as error:
            if about_the_workflow(error):
                return None  # It has ended meanwhile.
            raise
        event_type = event.event_type if _A_WORD.fullmatch(event.event_type) else "another"
        return CorrectedRequest(request=id, event=event_type, at=event_at)


def _unheard(
    events: Sequence[WireEvent], told_at_by_request: Mapping[str, datetime], latest_at: datetime
) -> dict[str, WireEvent]:
    """The newest event of each request that may have missed it. For a final event the request's own status decides,
    whatever is said of its callback.
    """
    event_by_request: dict[str, WireEvent] = {}
    for event in events:
        id, event_at = event.external_id, event.timestamp
        if id is None or event_at is None or event_at > latest_at or not re.fullmatch(ID_PATTERN, id):
            continue
        if not heard(event) and (id not in told_at_by_request or event_at > told_at_by_request[id]):
            event_by_request.setdefault(id, event)
    return event_by_request


def _strange(events: Sequence[WireEvent], known_ids: AbstractSet[str]) -> list[WireEvent]:
    """Events of documents that were adopted, or not sent by our requests, under the ids of their present or future
    requests.
    """
    return [
        event.model_copy(update={"external_id": id})
        for event in events
        if (id := adopted_id(event.document)) and (id in known_ids or event.external_id not in known_ids)
    ]


def _not_adopted_yet(strange: Sequence[WireEvent], known_ids: AbstractSet[str]) -> dict[str, datetime]:
    """The open ones among them, by their newest event, each with its time."""
    newest: dict[str, WireEvent] = {}
    for event in strange:
        newest.setdefault(event.external_id or "", event)
    return {
        event.document: event.timestamp
        for id, event in newest.items()
        if event.event_type not in FINAL and id not in known_ids and event.document and event.timestamp
    }


def _arrived(event: WireEvent, silence: CallbackHealth) -> bool:
    """Whether the callback of this event arrived, and is newer than those known."""
    id, event_at = event.external_id, event.timestamp
    younger = event_at is not None and (silence.heard is None or event_at > silence.heard)
    return event.delivered and younger and id is not None and re.fullmatch(ID_PATTERN, id) is not None


def _has_ended(status: str) -> bool:
    return status in set(Status) and Status(status).has_ended
