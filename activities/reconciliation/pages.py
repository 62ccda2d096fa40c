"""Paging through Core Signature's events during a reconciliation, and the stored position where it continues."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any, Final, Self

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.core_signature.client import CoreSignatureClient, Listed
from activities.core_signature.wire import WireEvent
from activities.http.client import ServiceFailure
from activities.reconciliation.callback_health import CallbackHealth
from activities.reconciliation.unnamed_events import Names
from activities.temporal.failures import final_failure
from workflows.model.base import Model
from workflows.model.reconciliation import SHOWN_AT_MOST, CorrectedRequest, NotAdopted, ReconciliationResult
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


BACK_AT_MOST: Final = 200
"""Pages that one pass goes back over: a list whose length is never told twice alike is come through all the same."""


class PageDrift(Model):
    """The number of events after those read, counted from the list's end: new events at its head do not change it.

    None if the list does not tell its length. `size` is that of a full page, `back` the number of pages gone back.
    """

    left: int | None = None
    size: int = 1
    back: int = 0

    def lost(self, page: int, listed: Listed[Any]) -> int:
        """The most events that have moved past this page since the previous one was read."""
        behind = _from_here(page, listed)
        return 0 if self.left is None or behind is None else max(0, self.left - behind)

    def after(self, page: int, listed: Listed[Any]) -> tuple[Self, int]:
        """After this page, and the page to read next: an earlier one if events have moved up."""
        here = self.replace(size=max(self.size, len(listed.found)))
        pages = min(page, -(-self.lost(page, listed) // here.size))
        if 0 < pages <= BACK_AT_MOST - self.back:
            return here.replace(back=self.back + pages), max(1, page - pages)
        behind = _from_here(page, listed)
        left = None if behind is None else behind - len(listed.found)
        return here.replace(left=left), page + 1


def _from_here(page: int, listed: Listed[Any]) -> int | None:
    """The number of events from this page's first one on."""
    if listed.count is None:
        return None
    return listed.count - (page - 1) * len(listed.found) if listed.more else len(listed.found)


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
    """A pass, from the newest event back, that has not finished: its next page, its drift, and where it ends."""

    page: int
    newest: AwareDatetime
    unread: PageDrift = PageDrift()


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
        self._unread = going_on.unread if going_on else PageDrift()
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
        here, lost = self._page, self._unread.lost(self._page, listed)
        self._unread, self._page = self._unread.after(here, listed)
        if lost and self._page > here:
            activity.logger.warning("a list of events became shorter too often to look again", extra={"events": lost})
        # A few events may have been recorded late: what stands behind them is not older for that.
        is_last = not more or (bool(dated) and all(at < self.begun.floor for at, _ in dated[-_SURE:]))
        self.is_over = is_last and self._page > here
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
        return UnfinishedPass(page=max(1, self._page - 1), newest=self.newest, unread=self._unread)

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
