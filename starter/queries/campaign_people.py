"""Which of a manager's people have not acknowledged; reads only their records and requests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from temporalio.client import Client

from activities.campaign.audience import Audience, Audiences
from activities.campaign.member_status import (
    MemberOutcome,
    MemberStatus,
    Outcomes,
    TemporalMemberVisibility,
    counted,
    lines_of,
)
from activities.records.store import Store
from activities.temporal import executions as runs
from activities.temporal.executions import Run
from starter.queries.filters import among
from workflows import names
from workflows.kinds import Kind
from workflows.model.campaign import CampaignOrder
from workflows.model.subject import Status
from workflows.model.views import CampaignShow

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
