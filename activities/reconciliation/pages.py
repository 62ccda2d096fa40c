"""Paging through Core Signature's events during a reconciliation, and the stored position where it continues."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median_low
from typing import Final, Self

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.core_signature.client import CoreSignatureClient, Listed
from activities.core_signature.wire import WireEvent
from activities.http.client import ServiceFailure
from activities.reconciliation.callback_health import CallbackHealth
from activities.temporal.failures import final_failure
from workflows.model.base import Model
from workflows.model.reconciliation import SHOWN_AT_MOST, CorrectedRequest, NotAdopted, ReconciliationResult
from workflows.model.signature import FINAL, WITHOUT_EFFECT
from workflows.model.subject import Code

WAITING_AT_MOST: Final = 1_000
"""Documents that wait to be adopted; one more is met again with its next event."""
JUDGED_REMEMBERED: Final = 5_000
"""Documents that are judged once for each event; one that is forgotten is judged again."""
GIVEN_UP_AFTER: Final = timedelta(days=1)
"""How long a document that is not shown is asked for."""


class RejectedDocument(Model):
    """A document that Core Signature does not show: since when, when last asked, and its answer."""

    since: AwareDatetime
    last: AwareDatetime
    why: str

    def is_due(self, now: datetime) -> bool:
        """Whether to ask again: each pause is as long as all before it."""
        return now - self.last >= self.last - self.since


class UnmanagedDocuments(Model):
    """Documents that wait to be judged, some of them refused; judged ones with their newest event."""

    waiting: dict[str, AwareDatetime] = Field(default_factory=dict)
    refused: dict[str, RejectedDocument] = Field(default_factory=dict)
    judged: dict[str, AwareDatetime] = Field(default_factory=dict)

    def met(self, found: Mapping[str, datetime]) -> Self:
        """Add documents with events; a judged one is judged again only after another event."""
        news = {
            uuid: at
            for uuid, at in found.items()
            if uuid not in self.waiting and (uuid not in self.judged or at > self.judged[uuid])
        }
        room = WAITING_AT_MOST - len(self.waiting)
        return self.replace(waiting={**self.waiting, **dict(list(news.items())[:room])})

    def due(self, now: datetime) -> list[str]:
        """Those to look at, the longest waiting first."""
        return [uuid for uuid in self.waiting if uuid not in self.refused or self.refused[uuid].is_due(now)]

    def judge(self, uuid: str) -> Self:
        """This one is done."""
        waiting, refused = dict(self.waiting), dict(self.refused)
        judged = {**self.judged, uuid: waiting.pop(uuid)}
        refused.pop(uuid, None)
        return self.replace(waiting=waiting, refused=refused, judged=judged)

    def postpone(self, uuid: str) -> Self:
        """Move this one to the end of the queue."""
        others = {other: at for other, at in self.waiting.items() if other != uuid}
        return self.replace(waiting={**others, uuid: self.waiting[uuid]})

    def refuse(self, uuid: str, why: str, now: datetime) -> Self:
        """Move this one to the end; it is judged once the refusal has lasted too long."""
        since = self.refused[uuid].since if uuid in self.refused else now
        if now - since >= GIVEN_UP_AFTER:
            return self.judge(uuid)
        refused = {**self.refused, uuid: RejectedDocument(since=since, last=now, why=why)}
        return self.postpone(uuid).replace(refused=refused)

    def since(self, floor: datetime) -> Self:
        """Without judged documents whose events are no longer read."""
        lately = {uuid: at for uuid, at in self.judged.items() if at >= floor}
        return self.replace(judged=newest(lately, JUDGED_REMEMBERED))


def newest(instants: Mapping[str, datetime], most: int) -> dict[str, datetime]:
    return dict(sorted(instants.items(), key=lambda one: one[1])[-most:])


NAMES_REMEMBERED: Final = 5_000
"""Documents of which it is known; one that is forgotten is read once more with its next event."""


class Names(Model):
    """`external_id` by document uuid, empty for none."""

    known: Mapping[str, str] = Field(default_factory=dict)

    def learnt(self, uuid: str, external_id: str) -> Self:
        """Add one; drops the oldest beyond the limit."""
        kept = {one: id for one, id in self.known.items() if one != uuid} | {uuid: external_id}
        return self.replace(known=dict(list(kept.items())[-NAMES_REMEMBERED:]))

    def of(self, event: WireEvent) -> WireEvent:
        """The event with its `external_id`."""
        id = self.known.get(event.document or "") if event.unsaid else None
        return event.model_copy(update={"external_id": id}) if id else event

    def wanted(self, events: Sequence[WireEvent], before: datetime) -> list[str]:
        """Documents to read: of events that a request may have missed, and of the newest callback that arrived.

        The latter shows that callbacks arrive at all.
        """
        unknown = [one for one in events if one.unsaid and one.document and one.document not in self.known]
        unheard = [one for one in unknown if not heard(one) and one.timestamp and one.timestamp <= before]
        arrived = [one for one in unknown if one.delivered][:1]
        return list(dict.fromkeys(one.document for one in (*unheard, *arrived) if one.document))


def heard(event: WireEvent) -> bool:
    """Whether nobody has to be told: the event changes nothing, or its callback arrived and reached its request.

    A callback with the address alone reached no request; final events are decided elsewhere.
    """
    told = event.delivered and not event.unsaid and event.event_type not in FINAL
    return event.event_type in WITHOUT_EFFECT or told


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
    names: Names = Names()

    @property
    def floor(self) -> datetime:
        """The time before which events need not be read."""
        return self.until - AGAIN

    def over(self, newest: datetime | None) -> "PassMark":
        """After the pass has finished."""
        until = max(self.until, newest or self.until)
        floor = until - AGAIN
        lately = {request: at for request, at in self.told.items() if at >= floor}
        return self.replace(until=until, told=lately, strangers=self.strangers.since(floor), under_way=None)

    def goes_on(self, under_way: UnfinishedPass | None) -> "PassMark":
        """With a pass to continue, or None to begin anew."""
        return self.replace(strangers=self.strangers.since(self.floor), under_way=under_way)


@dataclass
class Pass:
    """The pages of one part, and its results."""

    signature: CoreSignatureClient
    stride: PassLimits
    begun: PassMark
    now: datetime
    told: dict[str, datetime] = field(default_factory=dict)
    mended: list[CorrectedRequest] = field(default_factory=list)
    not_told: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    not_adopted: list[NotAdopted] = field(default_factory=list)
    hindered: list[NotAdopted] = field(default_factory=list)
    pages: int = 0
    events: int = 0
    unnamed: int = 0
    ahead: int = 0
    reached: datetime | None = None
    newest: datetime | None = None
    is_over: bool = False

    def __post_init__(self) -> None:
        self.told |= self.begun.told
        self.strangers, self.silence, self.names = self.begun.strangers, self.begun.silence, self.begun.names
        going_on = self.begun.under_way
        self._page = going_on.page if going_on else 1
        self.newest = going_on.newest if going_on else None
        self._ends_at = time.monotonic() + self.stride.seconds
        self._cut = False

    async def next_page(self) -> list[WireEvent] | None:
        """The events of the next page to look at; None when the part ends here."""
        if self.pages and (self.pages >= self.stride.pages or self.is_to_end):
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
        return self._taken(listed)

    def _taken(self, listed: Listed[WireEvent]) -> list[WireEvent]:
        found, more = listed.found, listed.more
        dated = [(event.timestamp, event) for event in found if event.timestamp]
        past = [at for at, _ in dated if at <= self.now]
        if found and not dated:
            raise final_failure(Code.PROVIDER_UNSURE, _TIMELESS)
        # Of a list that ends here all was looked at, in whatever order.
        if more and _oldest_first(past):
            raise final_failure(Code.PROVIDER_UNSURE, _OLDEST_FIRST)
        # What is to happen yet says nothing of how far was looked: all that happens before would count as seen.
        fresh = [event for at, event in dated if self.begun.floor <= at <= self.now]
        self.ahead += sum(at > self.now + AGAIN for at, _ in dated)
        if dated:
            self.newest = self.newest or max(past, default=self.now)
            self.reached = dated[-1][0]
        self.pages, self.events = self.pages + 1, self.events + len(fresh)
        self.unnamed += sum(not event.external_id and event.document is not None for event in fresh)
        self._page += 1
        # A few events may have been recorded late: what stands behind them is not older for that.
        self.is_over = not more or (bool(dated) and all(at < self.begun.floor for at, _ in dated[-_SURE:]))
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
        told = newest(self.told, TOLD_REMEMBERED)
        here = self.begun.replace(told=told, strangers=self.strangers, silence=self.silence, names=self.names)
        if self.is_over:
            return here.over(self.newest)
        return here.goes_on(self._under_way)

    @property
    def _under_way(self) -> UnfinishedPass | None:
        if self.newest is None:
            return None
        # A part of one page goes on with the next, so that each part comes further.
        again = self._cut or self.pages > 1
        return UnfinishedPass(page=max(1, self._page - again), newest=self.newest)

    def swept(self, left: PassMark) -> ReconciliationResult:
        refused = (NotAdopted(document=uuid, why=one.why) for uuid, one in self.strangers.refused.items())
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
            until=left.until,
            reached=self.reached,
            over=self.is_over,
        )


def _oldest_first(past: Sequence[datetime]) -> bool:
    """Whether most of a page's later half is newer than all of its first half; some events are recorded late."""
    half = len(past) // 2
    return len(past) >= _TELLING and max(past[:half]) < median_low(past[half:]) - _JITTER
