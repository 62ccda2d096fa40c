"""The state of a campaign with the status of every member; once it has ended, from the stored outcomes alone."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from temporalio.client import Client

from activities.campaign.audience import Audience, Audiences
from activities.campaign.member_status import (
    MemberOutcome,
    MemberStatus,
    MemberStatuses,
    OutcomeGroup,
    Outcomes,
    TemporalMemberVisibility,
    by,
    counted,
    lines_of,
    worst_first,
)
from activities.records.store import Store
from activities.temporal import executions as runs
from activities.temporal.executions import Run
from starter.queries.filters import among, id_of
from starter.queries.lookup import complete, look_at, of_type, suggesting
from starter.temporal.connection import Context
from workflows import names
from workflows.campaign.view import recounted
from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.campaign import CampaignOrder
from workflows.model.subject import Status
from workflows.model.views import CampaignShow

POINTS_AT_MOST: Final = 400
"""Of a curve; of more acknowledgements some are drawn, evenly."""
_LAST_DAYS: Final = timedelta(days=7)
_SOONEST: Final = timedelta(days=1)
"""After the opening, since the first hours are not typical."""
_FEWEST: Final = 3
"""Acknowledgements needed for a forecast."""
_NOBODY: Final = 0.5
"""People."""
_STEPS: Final = 24


class Point(NamedTuple):
    """How many had acknowledged by an instant."""

    at: datetime
    done: float


class Forecast(Model):
    """At the rate of the last days: how many are missing at the close, else when nobody is."""

    missing: int
    everybody_by: datetime | None = None


@dataclass(frozen=True)
class Curve:
    """When members acknowledged, oldest first, how many still may, and the window."""

    signed: Sequence[datetime]
    open: int
    opens_at: datetime
    closes_at: datetime

    @classmethod
    def of(cls, lines: Iterable[MemberOutcome], opens_at: datetime, closes_at: datetime) -> "Curve":
        signed, waiting = [], 0
        for line in lines:
            waiting += line.open
            if line.done and line.signed_at:
                signed.append(datetime.fromisoformat(line.signed_at))
        return cls(sorted(signed), waiting, opens_at, closes_at)

    def points(self, until: datetime) -> list[Point]:
        """A step at each acknowledgement from the opening until `until`; equal for equal lines."""
        apart = math.ceil(len(self.signed) / POINTS_AT_MOST) or 1
        steps = [Point(self.signed[place], place + 1) for place in range(apart - 1, len(self.signed), apart)]
        last = max(until, self.signed[-1]) if self.signed else until
        return [Point(self.opens_at, 0), *steps, Point(last, len(self.signed))]

    def forecast(self, now: datetime) -> Forecast | None:
        """None without a basis: on the first day, with few acknowledgements, or if nobody is missing."""
        staying = self._staying(now)
        if staying is None:
            return None
        left = self.closes_at - now
        missing = round(self._missing(staying, left))
        if missing or staying >= 1:
            return Forecast(missing=missing)
        # Below half a person nobody is missing.
        gone_after = _LAST_DAYS * (math.log(_NOBODY / self.open) / math.log(staying))
        return Forecast(missing=0, everybody_by=now + min(gone_after, left))

    def ahead(self, now: datetime) -> Iterator[Point]:
        """The forecast curve to the close; empty without a forecast."""
        staying, left = self._staying(now), self.closes_at - now
        if staying is not None:
            for step in range(_STEPS + 1):
                passed = left * (step / _STEPS)
                yield Point(now + passed, len(self.signed) + self.open - self._missing(staying, passed))

    def _staying(self, now: datetime) -> float | None:
        """The share of the missing that is still missing after `_LAST_DAYS`."""
        looked_at = min(_LAST_DAYS, now - self.opens_at)
        if not self.open or looked_at < _SOONEST or now >= self.closes_at or len(self.signed) < _FEWEST:
            return None
        lately = sum(at > now - looked_at for at in self.signed)
        return math.pow(self.open / (self.open + lately), _LAST_DAYS / looked_at)

    def _missing(self, staying: float, after: timedelta) -> float:
        return self.open * math.pow(staying, after / _LAST_DAYS)


class CampaignOverview(CampaignShow):
    """The answer of `campaign show`."""

    departments: tuple[OutcomeGroup, ...] = ()
    """Most missing people first; empty if nobody has one."""
    managers: tuple[OutcomeGroup, ...] = ()
    forecast: Forecast | None = None


def overview(shown: CampaignShow, lines: Sequence[MemberOutcome]) -> CampaignOverview:
    return CampaignOverview(
        **dict(shown),
        departments=worst_first(by(lines, "department")),
        managers=worst_first(by(lines, "manager")),
        forecast=_forecast(shown, lines),
    )


def _forecast(shown: CampaignShow, lines: Sequence[MemberOutcome]) -> Forecast | None:
    if shown.status.ended or shown.closes_at is None or shown.counted_at is None:
        return None
    return Curve.of(lines, shown.opens_at, shown.closes_at).forecast(shown.counted_at)


@dataclass(frozen=True)
class CampaignPicture:
    """A campaign and each member's line; none before its audience is frozen."""

    shown: CampaignShow
    lines: Sequence[MemberOutcome] = field(default=(), repr=False)
    population: dict[str, Any] | None = field(default=None, repr=False)
    changes: Sequence[dict[str, Any]] = field(default=(), repr=False)


async def picture(client: Client, store: Store, id: str) -> CampaignPicture:
    """Everything known; raises `Unknown`, and the document errors, since a partial record must not look whole."""
    shown = of_type(CampaignShow, await look_at(client, store, WorkflowName(Kind.CAMPAIGN, id)))
    return await pictured(client, store, shown)


async def pictured(client: Client, store: Store, shown: CampaignShow) -> CampaignPicture:
    """The same for a campaign that was already queried."""
    if shown.outcomes is not None:
        outcomes = await Outcomes.read(store, shown.outcomes)
        return CampaignPicture(shown, outcomes.lines, outcomes.population, outcomes.changes)
    if shown.frozen is None or shown.campaign is None:
        return CampaignPicture(shown)
    audience = await Audiences(store).read(shown.campaign, shown.frozen.sha256, shown.changed)
    now = datetime.now(UTC)
    order = CampaignOrder(campaign=shown.campaign, fingerprint=shown.fingerprint, now=now)
    if shown.status.ended:
        order = order.replace(asked=shown.frozen.rows, changes_asked=shown.changes)
    else:
        order = order.replace(asked=shown.asked, changes_asked=shown.changes_asked)
    lines = await _lines(client, store, order, audience)
    changes = [one.change.model_dump(mode="json") for one in audience.amendments]
    return CampaignPicture(recounted(shown, counted(lines), now), lines, None, changes)


async def _lines(client: Client, store: Store, order: CampaignOrder, audience: Audience) -> list[MemberOutcome]:
    """As the daily check has them; if as many are open as should be, visibility lists only some."""
    visibility = TemporalMemberVisibility(client)
    standings = MemberStatuses(client, store, visibility)
    known = await visibility.other_than_told(order.campaign.id)
    lines = await standings.recorded(order, audience, known)
    told = sum(line.status == MemberStatus.TOLD and line.request not in known.status for line in lines)
    if await visibility.going_on(order.campaign.id) == told + len(known.status):
        return lines
    return (await standings.look_up(order, audience, lines=lines))[0]


async def of(context: Context, typed: str) -> CampaignPicture:
    """The same by an id as typed; `Unknown` suggests similar ids."""
    async with suggesting(context.client):
        return await picture(context.client, context.store, id_of(Kind.CAMPAIGN, typed))


async def show(context: Context, typed: str, *, whole: bool = False) -> CampaignOverview:
    found = await of(context, typed)
    shown = await complete(context.store, found.shown) if whole else found.shown
    return overview(shown, found.lines)


MINE_AT_MOST: Final = 1_000
"""People read for one manager: the first of the audience."""
SHOWN_AT_MOST: Final = 50
"""Missing people of one page; Temporal is asked only about these."""


@dataclass(frozen=True)
class MissingPeople:
    """The lines of a manager's people in a campaign; `more` if only the first were read."""

    lines: Sequence[MemberOutcome]
    more: bool = False

    @property
    def done(self) -> int:
        """How many have acknowledged."""
        return sum(line.done for line in self.lines)

    @property
    def wanted(self) -> int:
        """How many are to acknowledge."""
        return counted(self.lines).wanted

    @property
    def missing(self) -> list[MemberOutcome]:
        """Those who have not and still may, earliest last day first."""
        return sorted((line for line in self.lines if line.open), key=lambda line: (line.due, line.row))


@dataclass(frozen=True)
class MissingMember:
    """A member who has not acknowledged; `run` is their open request."""

    line: MemberOutcome
    run: Run | None = None

    @property
    def state(self) -> MemberStatus:
        if self.run and self.run.known.get(names.STATUS) == Status.VIEWED:
            return MemberStatus.OPENED
        return MemberStatus(self.line.status)

    @property
    def can_be_reminded(self) -> bool:
        """Whether they were asked, and it is their turn."""
        return self.run is not None and bool(self.run.known.get(names.WAITING_FOR))

    @property
    def since(self) -> datetime | None:
        """Since when they are asked."""
        return self.run.known.get(names.TURN_AT) if self.run else None

    @property
    def due_at(self) -> datetime | None:
        """Their due instant on their own calendar; None if only the day is known."""
        return self.run.known.get(names.DUE_AT) if self.run else None

    def overdue(self, now: datetime, today: date) -> bool:
        """`today` is the owner's date, for a member of whom only the day is known."""
        return self.due_at < now if self.due_at else date.fromisoformat(self.line.due) < today


class ManagedMembers:
    """Reads managers' people; caches the last few audiences."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._audiences = Audiences(store)

    async def of(self, shown: CampaignShow, manager: str, below: Collection[str]) -> MissingPeople | None:
        """Members `below` a manager now, or directly below at the freeze. None if nobody, or unknown. Raises the
        document errors for missing or damaged content.
        """
        if shown.outcomes is not None:
            lines = (await Outcomes.read(self._store, shown.outcomes)).lines
            own = [line for line in lines if line.person in below or line.manager == manager]
            return MissingPeople(own[:MINE_AT_MOST], len(own) > MINE_AT_MOST) if own else None
        if shown.frozen is None or shown.campaign is None:
            return None
        audience = await self._audiences.read(shown.campaign, shown.frozen.sha256, shown.changed)
        everybody = enumerate(audience.members)
        mine = [(place, one) for place, one in everybody if one.person in below or one.row.manager == manager]
        if not mine:
            return None
        some = Audience(tuple(one for _, one in mine[:MINE_AT_MOST]))
        seen_to = sum(place < shown.asked for place, _ in mine)
        order = CampaignOrder(
            campaign=shown.campaign,
            fingerprint=shown.fingerprint,
            asked=seen_to,
            changes_asked=shown.changes_asked,
            now=datetime.now(UTC),
        )
        found = await lines_of(self._store, order, some)
        return MissingPeople(found, len(mine) > MINE_AT_MOST)


async def looked_at(client: Client, lines: Sequence[MemberOutcome]) -> list[MissingMember]:
    """With visibility's data of their requests; one page at a time."""
    if not lines:
        return []
    ids = tuple(Kind.REQUEST.workflow_id(line.request) for line in lines)
    found, _ = await runs.page_of(client, among(runs.OPEN, ids), size=len(ids))
    open_ = {run.id: run for run in found}
    return [MissingMember(line, open_.get(id)) for id, line in zip(ids, lines, strict=True)]


@dataclass(frozen=True)
class SoFar:
    """How many have acknowledged of those asked, and how many still may."""

    done: int
    all: int
    open: int


async def so_far(client: Client, shown: CampaignShow) -> SoFar:
    """By the campaign's last count, and who has signed or ended since; reads no records."""
    counts = shown.counts
    if shown.status.ended or shown.frozen is None or shown.counted_at is None:
        return SoFar(counts.done, counts.wanted, counts.open)
    own = f"{names.PARENT.name} = '{Kind.CAMPAIGN.workflow_id(shown.id)}'"
    since = f"CloseTime > '{shown.counted_at.isoformat()}'"
    signed = (await client.count_workflows(f"{own} AND {names.STATUS.name} = '{Status.SIGNED}' AND {since}")).count
    living = await TemporalMemberVisibility(client).going_on(shown.id)
    waiting = max(0, shown.frozen.rows - shown.asked)
    return SoFar(min(counts.done + signed, counts.wanted), counts.wanted, living + waiting)
