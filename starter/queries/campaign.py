"""The state of a campaign with the status of every member; once it has ended, from its record alone."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from temporalio.client import Client

from activities.campaign.member_status import MemberStatuses, TemporalMemberVisibility
from activities.errors import DocumentMissing
from activities.records.outcomes import (
    LAST_DAYS,
    MemberLines,
    MemberOutcome,
    MemberStatus,
    OutcomeGroup,
    OutcomeTally,
    lately,
    worst_first,
)
from activities.records.store import Store
from activities.temporal import executions as runs
from activities.temporal.executions import Run
from starter.queries.filters import among, id_of
from starter.queries.lookup import find_best_view, load_earlier_entries, of_type, suggesting
from starter.temporal.connection import Context
from workflows import names
from workflows.campaign.view import recounted
from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.campaign import CampaignOrder, Counts
from workflows.model.subject import Status
from workflows.model.views import CampaignShow

POINTS_AT_MOST: Final = 400
"""Of a curve; of more acknowledgements some are drawn, evenly."""
_SOONEST: Final = timedelta(days=1)
"""After the opening, since the first hours are not typical."""
_FEWEST: Final = 3
"""Acknowledgements needed for a forecast."""
_NOBODY: Final = 0.5
"""People."""
_STEPS: Final = 24
MINE_AT_MOST: Final = 1_000
"""People read for one manager: the first of the audience."""
SHOWN_AT_MOST: Final = 50
"""Missing people of one page; Temporal is asked only about these."""


class Point(NamedTuple):
    """How many had acknowledged by an instant."""

    at: datetime
    done_count: float


class Forecast(Model):
    """At the rate of the last days: how many are missing at the close, else when nobody is."""

    missing: int
    everybody_by: datetime | None = None


@dataclass(frozen=True)
class Curve:
    """How many have acknowledged, how many of them lately, how many still may, and the window; as of `now`, None for a
    campaign that has ended. `steps` are by when, oldest first, if it is to be drawn.
    """

    done_count: int
    lately: int
    open: int
    opens_at: datetime
    closes_at: datetime
    now: datetime | None
    steps: Sequence[Point] = ()

    @classmethod
    def from_tally(cls, tally: OutcomeTally, view: CampaignShow, closes_at: datetime, now: datetime | None) -> Self:
        return cls(tally.counts.done_count, tally.lately, tally.counts.open, view.opens_at, closes_at, now)

    async def drawn(self, lines: MemberLines) -> Self:
        """With its steps."""
        steps = await lines.sample_acknowledgements(math.ceil(self.done_count / POINTS_AT_MOST) or 1)
        return replace(self, steps=[Point(reached_at, nth) for nth, reached_at in steps])

    def points(self) -> list[Point]:
        """A step at each acknowledgement from the opening until now, or the close; equal for equal lines."""
        ends_at = min(self.now, self.closes_at) if self.now else self.closes_at
        last = max(ends_at, self.steps[-1].at) if self.steps else ends_at
        return [Point(self.opens_at, 0), *self.steps, Point(last, self.done_count)]

    @property
    def forecast(self) -> Forecast | None:
        """None without a basis: on the first day, with few acknowledgements, or if nobody is missing."""
        staying = self._staying
        if staying is None or self.now is None:
            return None
        time_left = self.closes_at - self.now
        missing = round(self._missing(staying, time_left))
        if missing or staying >= 1:
            return Forecast(missing=missing)
        # Below half a person nobody is missing.
        gone_after = LAST_DAYS * (math.log(_NOBODY / self.open) / math.log(staying))
        return Forecast(missing=0, everybody_by=self.now + min(gone_after, time_left))

    def ahead(self) -> Iterator[Point]:
        """The forecast curve to the close; empty without a forecast."""
        staying = self._staying
        if staying is not None and self.now is not None:
            time_left = self.closes_at - self.now
            for step in range(_STEPS + 1):
                passed = time_left * (step / _STEPS)
                yield Point(self.now + passed, self.done_count + self.open - self._missing(staying, passed))

    @property
    def _staying(self) -> float | None:
        """The share of the missing that is still missing after `LAST_DAYS`."""
        if self.now is None or not self.open or self.now >= self.closes_at or self.done_count < _FEWEST:
            return None
        looked_at = self.now - lately(self.opens_at, self.now)
        if looked_at < _SOONEST:
            return None
        return math.pow(self.open / (self.open + self.lately), LAST_DAYS / looked_at)

    def _missing(self, staying: float, duration: timedelta) -> float:
        return self.open * math.pow(staying, duration / LAST_DAYS)


class CampaignOverview(CampaignShow):
    """The answer of `campaign show`."""

    departments: tuple[OutcomeGroup, ...] = ()
    """Most missing people first; empty if nobody has one."""
    managers: tuple[OutcomeGroup, ...] = ()
    forecast: Forecast | None = None


def overview(view: CampaignShow, tally: OutcomeTally, curve: Curve | None = None) -> CampaignOverview:
    return CampaignOverview(
        **dict(view),
        departments=worst_first(tally.departments),
        managers=worst_first(tally.managers),
        forecast=curve and curve.forecast,
    )


@dataclass(frozen=True)
class CampaignPicture:
    """A campaign and its members' lines; none before its audience is frozen."""

    view: CampaignShow
    lines: MemberLines | None = field(default=None, repr=False)
    population: dict[str, Any] | None = field(default=None, repr=False)
    changes: Sequence[dict[str, Any]] = field(default=(), repr=False)
    order: CampaignOrder | None = field(default=None, repr=False)
    """Of one that runs: what its activities are told."""

    async def tally(self) -> OutcomeTally:
        return await self.lines.tally() if self.lines else OutcomeTally()

    async def curve(self, now: datetime | None) -> Curve | None:
        """As of an instant, None for one that has ended; None before anybody is asked."""
        if self.lines is None or self.view.closes_at is None:
            return None
        return Curve.from_tally(await self.lines.tally(), self.view, self.view.closes_at, now)

    async def drawn(self, now: datetime | None) -> Curve | None:
        """The same with its steps."""
        curve = await self.curve(now)
        return await curve.drawn(self.lines) if curve and self.lines else None


async def picture(client: Client, store: Store, id: str) -> CampaignPicture:
    """Everything known; raises `Unknown`, and the document errors, since a partial record must not look whole."""
    view = of_type(CampaignShow, await find_best_view(client, store, WorkflowName(Kind.CAMPAIGN, id)))
    return await pictured(client, store, view)


async def pictured(client: Client, store: Store, view: CampaignShow) -> CampaignPicture:
    """The same for a campaign that was already queried."""
    if view.outcomes is not None:
        record = await store.outcomes.record(view.outcomes)
        return CampaignPicture(view, record.lines, record.population, record.changes)
    order = await _order(store, view)
    if order is None:
        return CampaignPicture(view)
    lines = await MemberStatuses(client, store, TemporalMemberVisibility(client)).look_up(order)
    return CampaignPicture(recounted(view, (await lines.tally()).counts, order.now), lines, order=order)


async def load_picture(context: Context, typed: str) -> CampaignPicture:
    """The same by an id as typed; `Unknown` suggests similar ids."""
    async with suggesting(context.client):
        return await picture(context.client, context.store, id_of(Kind.CAMPAIGN, typed))


async def show(context: Context, typed: str, *, in_full: bool = False) -> CampaignOverview:
    campaign_picture = await load_picture(context, typed)
    view = await load_earlier_entries(context.store, campaign_picture.view) if in_full else campaign_picture.view
    curve = None if view.status.has_ended else await campaign_picture.curve(view.counted_at)
    return overview(view, await campaign_picture.tally(), curve)


@dataclass(frozen=True)
class MissingPeople:
    """Members whom a page is about: all, or those of a manager; `has_more` if only the first of them."""

    lines: MemberLines | None
    """None before anybody is asked."""
    counts: Counts
    has_more: bool = False
    has_ended: bool = False

    @property
    def count(self) -> int:
        """How many are missing: of a campaign that has ended, who never acknowledged."""
        return self.counts.required_count - self.counts.done_count if self.has_ended else self.counts.open

    async def missing(self, first: int) -> list[MemberOutcome]:
        """A page of them; while it runs, earliest last day first."""
        if self.lines is None:
            return []
        return await (self.lines.never_acknowledged if self.has_ended else self.lines.still_open)(first, SHOWN_AT_MOST)

    async def faulty(self) -> list[MemberOutcome]:
        """Those who could not be asked, the first of them."""
        return await self.lines.faulty(SHOWN_AT_MOST) if self.lines else []

    async def of_person(self, person: str) -> list[MemberOutcome]:
        """More than one where they were listed twice."""
        return await self.lines.of_person(person) if self.lines else []

    async def departments(self) -> tuple[OutcomeGroup, ...]:
        """Most missing people first."""
        return worst_first((await self.lines.tally()).departments) if self.lines else ()


@dataclass(frozen=True)
class MissingMember:
    """A member who has not acknowledged; `run` is their open request."""

    line: MemberOutcome
    run: Run | None = None

    @property
    def state(self) -> MemberStatus:
        if self.run and self.run.search_attributes.get(names.STATUS) == Status.VIEWED:
            return MemberStatus.OPENED
        return MemberStatus(self.line.status)

    @property
    def can_be_reminded(self) -> bool:
        """Whether they were asked, and it is their turn."""
        return self.run is not None and bool(self.run.search_attributes.all_of(names.WAITING_FOR))

    @property
    def waiting_since(self) -> datetime | None:
        """Since when they are asked."""
        return self.run.search_attributes.get(names.TURN_AT) if self.run else None

    @property
    def due_at(self) -> datetime | None:
        """Their due instant on their own calendar; None if only the day is known."""
        return self.run.search_attributes.get(names.DUE_AT) if self.run else None

    def overdue(self, now: datetime, today: date) -> bool:
        """`today` is the owner's date, for a member of whom only the day is known."""
        return self.due_at < now if self.due_at else date.fromisoformat(self.line.due) < today


async def managed(
    store: Store, view: CampaignShow, manager: str, subordinates: Collection[str]
) -> MissingPeople | None:
    """`subordinates` of a manager now, or those directly below at the freeze. None if nobody, or unknown. Raises the
    document errors for missing content.
    """
    if view.outcomes is not None:
        lines = (await store.outcomes.record(view.outcomes)).lines
    elif order := await _order(store, view):
        lines = store.outcomes.running(order)
    else:
        return None
    places = await lines.list_reports(manager, subordinates, MINE_AT_MOST + 1)
    if not places:
        return None
    own_lines = lines.at_places(places[:MINE_AT_MOST])
    return MissingPeople(own_lines, (await own_lines.tally()).counts, len(places) > MINE_AT_MOST, view.status.has_ended)


async def looked_at(client: Client, lines: Sequence[MemberOutcome]) -> list[MissingMember]:
    """With visibility's data of their requests; one page at a time."""
    if not lines:
        return []
    ids = tuple(Kind.REQUEST.workflow_id(line.request) for line in lines)
    open_runs, _ = await runs.page_of(client, among(runs.OPEN, ids), size=len(ids))
    open_ = {run.id: run for run in open_runs}
    return [MissingMember(line, open_.get(id)) for id, line in zip(ids, lines, strict=True)]


@dataclass(frozen=True)
class SoFar:
    """How many have acknowledged of those asked, and how many still may."""

    done_count: int
    all: int
    open: int


async def so_far(client: Client, view: CampaignShow) -> SoFar:
    """By the campaign's last count, and who has signed or ended since; reads no records."""
    counts = view.counts
    if view.status.has_ended or view.frozen is None or view.counted_at is None:
        return SoFar(counts.done_count, counts.required_count, counts.open)
    of_campaign = f"{names.PARENT.name} = '{Kind.CAMPAIGN.workflow_id(view.id)}'"
    since_count = f"CloseTime > '{view.counted_at.isoformat()}'"
    signed = (
        await client.count_workflows(f"{of_campaign} AND {names.STATUS.name} = '{Status.SIGNED}' AND {since_count}")
    ).count
    living = await TemporalMemberVisibility(client).going_on(view.id)
    waiting = max(0, view.frozen.rows - view.asked)
    return SoFar(min(counts.done_count + signed, counts.required_count), counts.required_count, living + waiting)


async def _order(store: Store, view: CampaignShow) -> CampaignOrder | None:
    """What its activities are told; None before its audience is frozen. `DocumentMissing` without its members."""
    if view.frozen is None or view.campaign is None:
        return None
    is_ended = view.status.has_ended
    order = CampaignOrder(
        campaign=view.campaign,
        frozen=view.frozen,
        changed=view.changed,
        changes=view.changes,
        fingerprint=view.fingerprint,
        asked=view.frozen.rows if is_ended else view.asked,
        changes_asked=view.changes if is_ended else view.changes_asked,
        now=datetime.now(UTC),
    )
    if not (await store.audiences.head(order.workflow_id))[0]:
        raise DocumentMissing(view.frozen.sha256)
    return order
