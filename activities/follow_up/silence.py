"""One signer who is silent, on their clock, in their hours: up to the due date, and from there to the closing."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self

from activities.directory import Directory, UnknownPerson
from activities.follow_up.open_hours import OpenHours, Slot
from activities.follow_up.others import NOBODY, Others
from activities.person import Person
from workflows.model.planning import Moment, MomentKind, Planning, Snooze, Turn
from workflows.model.policy import OVERDUE_AT_MOST, Policy, Reminders

MOST_JITTER: Final = timedelta(minutes=15)


class Span(NamedTuple):
    """When a request is due, and when it is over."""

    due_at: datetime
    closes_at: datetime


def jitter(request: str, whom: str, most: timedelta = MOST_JITTER) -> timedelta:
    """Up to `most`, always the same for one request and person, or target: ten thousand are not told in one second."""
    digest = hashlib.sha256(f"{request}/{whom}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:4]) % (int(most.total_seconds()) + 1))


@dataclass(frozen=True)
class Silence:
    """All that the rules need to know of one silent signer; they read no clock, `now` tells what was missed.

    Offsets count from `since`, which every pause moves; `came_at` is when their turn really came. The rules of all that
    comes in time are those of all that is `late` as well, from the due date to the closing.
    """

    person: str
    since: datetime
    came_at: datetime
    due: datetime
    closes: datetime
    """When the request is over: nobody is told of it any more."""
    policy: Policy
    hours: OpenHours
    planning: Planning
    directory: Directory
    jitter: timedelta
    snoozes: tuple[Snooze, ...] = ()
    others: Others = NOBODY
    """Whom a nudge of this signer reaches as well, because it is a mail to everybody."""
    heard_at: datetime | None = None
    """When something last reached them."""
    late: bool = False

    @classmethod
    def of(
        cls,
        planning: Planning,
        directory: Directory,
        turn: Turn,
        span: Span,
        *,
        there: Person,
        others: Others = NOBODY,
    ) -> Self:
        """Of whose turn it is, in the hours of `there`: themselves, or whose calendar counts when they have left."""
        return cls(
            person=turn.person,
            since=turn.since,
            came_at=turn.came_at or turn.since,
            due=span.due_at,
            closes=span.closes_at,
            policy=planning.policy,
            hours=OpenHours.of(there, planning.policy),
            planning=planning,
            directory=directory,
            jitter=jitter(planning.subject.id, turn.person),
            snoozes=tuple(snooze for snooze in planning.snoozes if snooze.person == turn.person),
            others=others,
            heard_at=turn.heard_at,
        )

    @property
    def now(self) -> datetime:
        """When it is planned."""
        return self.planning.now

    @property
    def requester(self) -> str:
        """Who asked for the signature."""
        return self.planning.subject.requester

    async def known(self, id: str) -> Person | None:
        """Somebody of the directory, or who came with the request; None if they have left."""
        try:
            return await self.directory.person(id, self.planning.subject.workflow_id)
        except UnknownPerson:
            return None

    @property
    def until(self) -> datetime:
        """The end of this wait."""
        return self.closes if self.late else self.due

    @property
    def overdue(self) -> Self | None:
        """The wait after the due date, or a turn that comes later; None where the request closes when it is due."""
        if self.closes <= self.due:
            return None
        since, came_at = max(self.since, self.due), max(self.came_at, self.due)
        return replace(self, since=since, came_at=came_at, policy=_when_overdue(self.policy), late=True)

    def moment(self, kind: MomentKind, at: datetime, stage: str, why: str) -> Moment:
        """A moment that the signer hears themselves."""
        return Moment(at=at, kind=kind, stage=stage, person=self.person, to=self.person, why=why)

    def spread(self, at: datetime, slot: Slot | None, *, ahead: bool = False) -> datetime:
        """The instant moved by the jitter, later or `ahead`, inside its slot and the time of the request; else unmoved.

        An urgent one is not moved: its minutes count, and it is never one of thousands.
        """
        if self.policy.urgent:
            return at
        moved = (at - self.jitter, at + self.jitter) if ahead else (at + self.jitter, at - self.jitter)
        return next((one for one in moved if self.came_at < one < self.until and (slot is None or one in slot)), at)

    def held(self, moment: Moment) -> Moment:
        """The moment with the hours that it is kept to; see `kept_to`."""
        return moment if moment.suppressed is not None else self.kept_to(self.hours, moment)

    def kept_to(self, hours: OpenHours, moment: Moment) -> Moment:
        """The moment kept to hours until the request is over; a last warning until what it warns of."""
        timely = moment.kind is MomentKind.WARN and self.now < self.due
        return hours.keep(moment, self.now, self.due if timely else self.closes)

    def has(self, snooze: Snooze) -> bool:
        """Whether a snooze ends in this wait; what ends after all of them is dropped in the first."""
        return self.late is (self.due <= snooze.until and self.due < self.closes)

    def closed(self, moment: Moment, at: datetime) -> Moment:
        """The moment as one for which the signer has no open hours from an instant on; see `closed`."""
        return self.hours.drop(moment, at, self.until, self.end)

    @property
    def end(self) -> str:
        """What ends this wait, in words."""
        return "it closes" if self.late else "the due date"

    def local(self, at: datetime) -> str:
        """An instant on the signer's clock, named by its city, for reasons in words: other clocks stand beside them."""
        city = self.hours.zone.key.rpartition("/")[2].replace("_", " ")
        return f"{at.astimezone(self.hours.zone):%a %d %b %H:%M} ({city})"


def _when_overdue(policy: Policy) -> Policy:
    """What the policy asks for after the due date, said as what it asks for before."""
    overdue = policy.overdue
    if overdue is None:
        return policy.replace(reminders=None, warnings=(), escalation=None)
    rhythm = Reminders(
        first=overdue.every, every=overdue.every, most=min(overdue.most or OVERDUE_AT_MOST, OVERDUE_AT_MOST)
    )
    escalation = (
        policy.escalation.replace(after="used-up", or_=None) if policy.escalation and overdue.escalate else None
    )
    return policy.replace(reminders=rhythm, warnings=(), escalation=escalation)
