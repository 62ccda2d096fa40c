"""The reconciliation activity: reads Core Signature's events, newest first, and tells open requests what callbacks
missed. Most events cost nothing: their callback arrived, or visibility shows the final status. Otherwise only the
newest event of a request is signalled, which then reads its document. With adoption, events of documents sent by hand
go to their requests.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.core_signature.client import CoreSignatureClient, if_found
from activities.core_signature.wire import WireEvent
from activities.errors import ID_PATTERN, StoreFailure
from activities.http.client import ServiceFailure
from activities.reconciliation.adoption import Adoption, NotYetAdoptable
from activities.reconciliation.callback_health import CallbackAlarm, CallbackHealth, ClockSeen
from activities.reconciliation.pages import AGAIN, Pass, PassLimits, PassMark, heard
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import about_the_workflow, about_this_one_alone
from activities.temporal.failures import failing_as_application_errors
from workflows import names
from workflows.kinds import Kind
from workflows.model.reconciliation import CorrectedRequest, NotAdopted, ReconciliationOrder, ReconciliationResult
from workflows.model.signature import FINAL, ProviderEvent
from workflows.model.subject import Status
from workflows.names import adopted_id
from workflows.ports import EventReconciliation

_IDS_AT_MOST: Final = 50
"""Ids of one query."""


class OpenRequests(Protocol):
    """Queries of requests by id; may raise `RPCError`."""

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """`CsStatus` of the open ones."""
        ...

    async def known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """Those that Temporal knows, open or closed."""
        ...


@dataclass(frozen=True)
class TemporalOpenRequests:
    """By Temporal's visibility, which lags by a moment."""

    client: Client

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        return {id: run.known.get(names.STATUS) or "" async for id, run in self._listed(ids, f" AND {executions.OPEN}")}

    async def known(self, ids: Sequence[str]) -> AbstractSet[str]:
        return {id async for id, _ in self._listed(ids)}

    async def _listed(self, ids: Sequence[str], also: str = "") -> AsyncIterator[tuple[str, executions.Run]]:
        for first in range(0, len(ids), _IDS_AT_MOST):
            listed = ", ".join(f"'{Kind.REQUEST.workflow_id(id)}'" for id in ids[first : first + _IDS_AT_MOST])
            query = f"WorkflowType = '{names.SIGNATURE_REQUEST}'{also} AND WorkflowId IN ({listed})"
            async for run in executions.listed(self.client, query):
                yield run.id.partition(":")[2], run


FIRST_LOOK: Final = timedelta(days=30)
"""How far the first sweep looks back."""
_AT_ONCE: Final = 25
ADOPTED_AT_MOST: Final = 50
"""Documents that one part looks at to adopt them, each by one call of Core Signature."""
_LONGEST_ID: Final = 64
_SWEPT: Final = "swept-"
_LONGEST_TYPE: Final = 100
_A_WORD: Final = re.compile(r"\w{1,40}", re.ASCII)


class ReconciliationService(EventReconciliation):
    """Keeps its position in the store, shared by all reconciliations."""

    def __init__(
        self,
        signature: CoreSignatureClient,
        temporal: Client,
        store: Store,
        open_requests: OpenRequests | None = None,
        *,
        stride: PassLimits | None = None,
        adoption: Adoption | None = None,
        alarm: CallbackAlarm | None = None,
    ) -> None:
        self._signature = signature
        self._temporal = temporal
        self._store = store
        self._open = open_requests or TemporalOpenRequests(temporal)
        self._stride = stride or PassLimits()
        self._adoption = adoption
        self._alarm = alarm

    async def sweep(self, order: ReconciliationOrder) -> ReconciliationResult:
        # It may have waited in its queue: what has happened meanwhile is not to come.
        now = max(order.now, activity.info().started_time)
        with failing_as_application_errors():
            mark = await self._mark(now)
            part = Pass(self._signature, self._stride, mark, now)
            while not part.is_over and (events := await part.next_page()) is not None:
                await self._heed(events, part, now - self._stride.young)
            if self._alarm and part.is_over and not part.is_to_end:
                part.silence = await self._alarm.told(part.silence, now)
                part.silence = await self._alarm.told_of_clock(part.silence, await self._clock(), now)
            left = await self._remember(part)
            if part.ahead:
                activity.logger.warning("events have a time that is to come", extra={"events": part.ahead})
            if self._adoption and part.strangers.waiting:
                await self._adopt(self._adoption, part, now)
                left = await self._remember(part)
            if part.is_over:
                await self._tidy(now)
            return part.swept(left)

    async def _tidy(self, now: datetime) -> None:
        """Drop the desk's expired one-time entries; no event waits for it."""
        with suppress(StoreFailure):
            await self._store.drop_used(now)

    async def _clock(self) -> ClockSeen | None:
        content = await self._store.notes.clock()
        try:
            return ClockSeen.model_validate_json(content) if content else None
        except ValidationError:
            activity.logger.warning("what the receiver says of its clock cannot be read")
            return None

    async def _remember(self, part: Pass) -> PassMark:
        """Also called before slow steps, so that a retry does not read the events anew."""
        left = part.mark
        await self._store.notes.note_sweep_mark(left.model_dump_json().encode())
        return left

    async def _mark(self, now: datetime) -> PassMark:
        kept = await self._store.notes.sweep_mark()
        first = PassMark(until=now - FIRST_LOOK)
        if kept is None:
            return first
        try:
            mark = PassMark.model_validate_json(kept)
        except ValidationError:
            activity.logger.warning("how far events were looked at cannot be read: it is looked back as at first")
            return first
        if mark.until <= now + AGAIN:
            return mark
        activity.logger.warning("events were looked at up to a time that is to come: it is looked back as at first")
        return mark.replace(until=first.until, silence=first.silence, under_way=None)

    async def _heed(self, found: Sequence[WireEvent], part: Pass, before: datetime) -> None:
        events = await self._named(found, part, before)
        unheard = _unheard(events, part.told, before)
        mended = await self._tell(unheard, part)
        part.mended += mended
        if self._alarm:
            part.silence = await self._listened(part.silence, events, [unheard[one.request] for one in mended])
        if self._adoption is None:
            return
        part.unnamed = 0  # The uuid of a document is name enough.
        known = await self._known(events)
        strange = _strange(events, known)
        part.mended += await self._tell(_unheard(strange, part.told, before), part)
        part.strangers = part.strangers.met(_not_adopted_yet(strange, known))

    async def _named(self, events: Sequence[WireEvent], part: Pass, before: datetime) -> list[WireEvent]:
        """With the ids of documents known by address only, as far as time allows; the next part goes on with this
        page.
        """
        for number, uuid in enumerate(part.names.wanted(events, before)):
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
        named = [part.names.of(event) for event in events]
        part.unnamed -= sum(one is not event for one, event in zip(named, events, strict=True))
        return named

    async def _listened(
        self, silence: CallbackHealth, events: Sequence[WireEvent], missed: Sequence[WireEvent]
    ) -> CallbackHealth:
        """Updates callback health. A callback counts as missed only if a request had to be told, since other programs
        of the tenant have events too.
        """
        arrived = {event.external_id: event.timestamp for event in reversed(events) if _arrived(event, silence)}
        ours = await self._open.known(sorted(id for id in arrived if id)) if arrived else ()
        for at in (at for id, at in arrived.items() if id in ours and at):
            silence = silence.heard_of(at)
        for event in missed:
            if not event.delivered and event.timestamp:
                silence = silence.missed(event.timestamp)
        return silence

    async def _known(self, events: Sequence[WireEvent]) -> AbstractSet[str]:
        """The ids of these events' requests that Temporal knows."""
        ids = {id for event in events for id in (event.external_id, adopted_id(event.document)) if id}
        return await self._open.known(sorted(id for id in ids if re.fullmatch(ID_PATTERN, id)))

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
                    part.hindered.append(NotAdopted(document=document, why=hindrance.why))
                    return
                part.strangers = part.strangers.refuse(document, hindrance.why, now)
                if document not in part.strangers.waiting:
                    part.not_adopted.append(NotAdopted(document=document, why=f"{hindrance.why}, for a day"))
                continue
            part.strangers = part.strangers.judge(document)
            if isinstance(became, NotAdopted):
                part.not_adopted.append(became)
            elif became:
                part.adopted.append(became)

    async def _tell(self, unheard: Mapping[str, WireEvent], part: Pass) -> list[CorrectedRequest]:
        """Those who were told.

        Once Temporal is unavailable none is begun, and the first failure is raised after all have ended.
        """
        if not unheard:
            return []
        going_on = await self._open.among(list(unheard))
        some, failures = asyncio.Semaphore(_AT_ONCE), list[RPCError]()

        async def one(id: str) -> CorrectedRequest | None:
            async with some:
                if failures:
                    return None
                try:
                    return await self._signal(id, unheard[id])
                except RPCError as error:
                    if about_this_one_alone(error):
                        said = {"request": id, "status": error.status.name}
                        activity.logger.warning("a request could not be told of what it missed", extra=said)
                        part.not_told.append(id)
                    else:
                        failures.append(error)
                    return None

        waiting = [id for id, status in going_on.items() if not _has_ended(status)]
        mended = [mended for mended in await asyncio.gather(*map(one, waiting)) if mended]
        if failures:
            raise failures[0]
        part.told |= {one.request: one.at for one in mended}
        return mended

    async def _signal(self, id: str, event: WireEvent) -> CorrectedRequest | None:
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
        return CorrectedRequest(request=id, event=word, at=at)


def _unheard(events: Sequence[WireEvent], told: Mapping[str, datetime], before: datetime) -> dict[str, WireEvent]:
    """The newest event of each request that may have missed it. For a final event the request's own status decides,
    whatever is said of its callback.
    """
    found: dict[str, WireEvent] = {}
    for event in events:
        id, at = event.external_id, event.timestamp
        if id is None or at is None or at > before or not re.fullmatch(ID_PATTERN, id):
            continue
        if not heard(event) and (id not in told or at > told[id]):
            found.setdefault(id, event)
    return found


def _strange(events: Sequence[WireEvent], known: AbstractSet[str]) -> list[WireEvent]:
    """Events of documents that were adopted, or not sent by our requests, under the ids of their present or future
    requests.
    """
    return [
        event.model_copy(update={"external_id": id})
        for event in events
        if (id := adopted_id(event.document)) and (id in known or event.external_id not in known)
    ]


def _not_adopted_yet(strange: Sequence[WireEvent], known: AbstractSet[str]) -> dict[str, datetime]:
    """The open ones among them, by their newest event, each with its time."""
    newest: dict[str, WireEvent] = {}
    for event in strange:
        newest.setdefault(event.external_id or "", event)
    return {
        event.document: event.timestamp
        for id, event in newest.items()
        if event.event_type not in FINAL and id not in known and event.document and event.timestamp
    }


def _arrived(event: WireEvent, silence: CallbackHealth) -> bool:
    """Whether the callback of this event arrived, and is newer than those known."""
    id, at = event.external_id, event.timestamp
    younger = at is not None and (silence.heard is None or at > silence.heard)
    return event.delivered and younger and id is not None and re.fullmatch(ID_PATTERN, id) is not None


def _has_ended(status: str) -> bool:
    return status in set(Status) and Status(status).ended
