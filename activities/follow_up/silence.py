"""One signer who is waited for, on their clock, in their hours: up to the due date, and from there to the closing."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from activities.follow_up.open_hours import OpenHours, Slot
from activities.follow_up.others import NOBODY, Others
from workflows.model.planning import Moment, MomentKind, Reason, Snooze
from workflows.model.policy import OVERDUE_AT_MOST, Policy, Reminders

MOST_JITTER: Final = timedelta(minutes=15)
_AN_INSTANT: Final = timedelta(seconds=1)


def jitter(request: str, person: str) -> timedelta:
    """Up to 15 minutes, always the same for one person and request: ten thousand people are not told in one second."""
    digest = hashlib.sha256(f"{request}/{person}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:4]) % (int(MOST_JITTER.total_seconds()) + 1))


@dataclass(frozen=True)
class Waiting:
    """What the rules need to know of one signer; they read no clock, `now` tells what was missed.

    Offsets count from `since`, which every pause moves; `came_at` is when their turn really came. The rules of all that
    comes in time are those of all that is `late` as well, from the due date to the closing.
    """

    person: str
    since: datetime
    came_at: datetime
    due: datetime
    closes: datetime
    """When the request is over: nobody is told of it any more."""
    now: datetime
    policy: Policy
    hours: OpenHours
    jitter: timedelta
    snoozes: tuple[Snooze, ...] = ()
    revision: int = 0
    others: Others = NOBODY
    """Whom a nudge of this signer reaches as well, because it is a mail to everybody."""
    heard_at: datetime | None = None
    """When something last reached them."""
    late: bool = False

    @property
    def until(self) -> datetime:
        """The end of this wait."""
        return self.closes if self.late else self.due

    @property
    def overdue(self) -> "Waiting | None":
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
        return kept_to(hours, moment, self.now, self.due if timely else self.closes)

    def has(self, snooze: Snooze) -> bool:
        """Whether a snooze ends in this wait; what ends after all of them is dropped in the first."""
        return self.late is (self.due <= snooze.until and self.due < self.closes)

    def closed(self, moment: Moment, at: datetime) -> Moment:
        """The moment as one for which the signer has no open hours from an instant on; see `closed`."""
        return closed(self.hours, moment, at, self.until, self.end)

    @property
    def end(self) -> str:
        """What ends this wait, in words."""
        return "it closes" if self.late else "the due date"

    def local(self, at: datetime) -> str:
        """An instant on the signer's clock, for reasons in words."""
        return f"{at.astimezone(self.hours.zone):%a %d %b %H:%M}"


def kept_to(hours: OpenHours, moment: Moment, now: datetime, due: datetime) -> Moment:
    """The moment kept to its recipient's hours, if there are any before it is over.

    A missed one waits for the next ones, and one that cannot be sent in its own is not tried beyond them: an outage
    that ends at night wakes nobody. Where none are left only a last warning is made up for.
    """
    # Once the due date has passed, the hours that are open now are the last.
    slot = hours.next_slot(max(moment.at, now), max(due, now + _AN_INSTANT))
    if slot is None:
        needless = moment.kind is not MomentKind.WARN and moment.at < now
        return closed(hours, moment, now, due) if needless else moment
    again = moment.kind is not MomentKind.WARN or hours.next_slot(slot.closes, due)
    ends = again and not hours.open_at(slot.closes)
    return moment.replace(
        held_until=slot.opens if moment.at < now < slot.opens else None, open_until=slot.closes if ends else None
    )


def closed(hours: OpenHours, moment: Moment, at: datetime, before: datetime, end: str = "the due date") -> Moment:
    """The moment as one for which its recipient has no open hours between an instant and the `end` of the wait."""
    reason = Reason.ABSENT if hours.absence_matters(at, before) else Reason.QUIET_HOURS
    return dropped(moment, reason, f"no open hours before {end}")


def dropped(moment: Moment, reason: Reason, because: str) -> Moment:
    """The moment as one that will not be sent, with the reason."""
    return moment.replace(suppressed=reason, why=f"{moment.why}; {because}")


def moved(moment: Moment, at: datetime, because: str) -> Moment:
    """The moment at another instant, with the reason."""
    return moment.replace(at=at, why=f"{moment.why}, {because}")


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
