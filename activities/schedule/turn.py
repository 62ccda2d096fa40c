"""The turn of one silent signer, the input of all schedule rules: their hours, waits until due date and closing."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from activities.calendar.calendar import add_duration, clock_hours
from activities.people.directory import Directory, UnknownPerson
from activities.people.person import Person
from activities.schedule.open_hours import OpenHours, OpenSlot
from workflows.follow_up.next_step import APART
from workflows.follow_up.notification_types import reminder_number
from workflows.model.messages import Message, zoned
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import OVERDUE_AT_MOST, Policy, Reminders
from workflows.model.schedule import ActionType, PlanningInput, ScheduledAction, Snooze, Turn

DAYTIME: Final = "07:00-22:00"
"""When a mail meant for another signer wakes nobody, on any day, at home or away."""
NAMED_AT_MOST: Final = 3
"""In an action's reason, of which a large plan has thousands."""
MOST_JITTER: Final = timedelta(minutes=15)
TO_ACT: Final = timedelta(hours=2)
"""Working time that a moved last warning leaves a signer, if their calendar allows it."""
_WITHOUT_RHYTHM: Final = "2h"
"""A signer's time to act on a notice before an escalation, if the policy has no reminders."""


def by_day(zone: ZoneInfo) -> OpenHours:
    return OpenHours(zone, clock_hours(DAYTIME))


@dataclass(frozen=True)
class CoSigners:
    """The other signers whom a mail also reaches; none if this one has a phone or mail may come at any hour."""

    names: tuple[str, ...] = ()
    awake: tuple[OpenHours, ...] = ()
    open: tuple[OpenHours, ...] = ()
    """Their hours by the policy; a mail wakes nobody who is absent."""

    @classmethod
    def from_people(cls, people: Iterable[Person], policy: Policy) -> Self:
        co_signers = tuple(people)
        # Each time zone once: a hundred signers share a few.
        hours = dict.fromkeys(replace(OpenHours.for_person(person, policy), absences=()) for person in co_signers)
        awake = dict.fromkeys(by_day(person.tz) for person in co_signers)
        return cls(tuple(person.id for person in co_signers), tuple(awake), tuple(hours))

    def __str__(self) -> str:
        named, hidden_count = self.names[:NAMED_AT_MOST], len(self.names) - NAMED_AT_MOST
        return ", ".join([*named, *(["…"] if hidden_count > 0 else [])])

    def awake_at(self, instant: datetime) -> bool:
        return all(hours.open_at(instant) for hours in self.awake)

    def best(self, own_slots: Iterable[OpenSlot], own_day: OpenHours) -> list[OpenSlot]:
        """The signer's hours in which all others work and are awake; else are awake; else have day."""
        others_awake = list(_common(own_slots, self.awake))
        all_awake = list(_common(others_awake, (own_day,)))
        return list(_common(all_awake, self.open)) or all_awake or others_awake


NOBODY: Final = CoSigners()


class Span(NamedTuple):
    """When a request is due, and when it closes."""

    due_at: datetime
    closes_at: datetime


def jitter(request: str, recipient: str, limit: timedelta = MOST_JITTER) -> timedelta:
    """Up to `most`, fixed for a request and person or target, so that thousands are not notified in the same second."""
    digest = hashlib.sha256(f"{request}/{recipient}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:4]) % (int(limit.total_seconds()) + 1))


def _common(slots: Iterable[OpenSlot], all_hours: Iterable[OpenHours]) -> Iterator[OpenSlot]:
    parts = list(slots)
    for hours in all_hours:
        parts = [common for part in parts for common in hours.find_parts(part)]
    yield from parts


@dataclass(frozen=True)
class SilentTurn:
    """One silent signer; the rules read no clock, `now` only tells what was missed. Offsets count from `since`, which
    pauses move; `came_at` is the turn's begin. The `late` wait, from due date to closing, has the same rules.
    """

    person: str
    since: datetime
    came_at: datetime
    due: datetime
    closes: datetime
    """No notices after this."""
    policy: Policy
    hours: OpenHours
    planning: PlanningInput
    directory: Directory
    jitter: timedelta
    snoozes: tuple[Snooze, ...] = ()
    co_signers: CoSigners = NOBODY
    """Who else gets this signer's notice, as a mail to everybody."""
    heard_at: datetime | None = None
    """The last notice that reached them."""
    late: bool = False

    @classmethod
    def for_turn(
        cls,
        planning: PlanningInput,
        directory: Directory,
        turn: Turn,
        span: Span,
        *,
        calendar_owner: Person,
        co_signers: CoSigners = NOBODY,
    ) -> Self:
        """In the hours of `calendar_owner`: the signer, or whose calendar counts if they have left."""
        return cls(
            person=turn.person,
            since=turn.since,
            came_at=turn.came_at or turn.since,
            due=span.due_at,
            closes=span.closes_at,
            policy=planning.policy,
            hours=OpenHours.for_person(calendar_owner, planning.policy),
            planning=planning,
            directory=directory,
            jitter=jitter(planning.subject.id, turn.person),
            snoozes=tuple(snooze for snooze in planning.snoozes if snooze.person == turn.person),
            co_signers=co_signers,
            heard_at=turn.heard_at,
        )

    @property
    def now(self) -> datetime:
        return self.planning.now

    @property
    def requester(self) -> str:
        return self.planning.subject.requester

    async def find_person(self, id: str) -> Person | None:
        """A person of the directory, or described with the request; None if they have left."""
        try:
            person = await self.directory.person(id, self.planning.subject.workflow_id)
        except UnknownPerson:
            return None
        return person.for_kind(self.planning.subject.kind)

    @property
    def ends_at(self) -> datetime:
        return self.closes if self.late else self.due

    @property
    def overdue(self) -> Self | None:
        """The wait after the due date; None if the request closes then."""
        if self.closes <= self.due:
            return None
        waits_since, came_at = max(self.since, self.due), max(self.came_at, self.due)
        return replace(self, since=waits_since, came_at=came_at, policy=_when_overdue(self.policy), late=True)

    @property
    def goes_on(self) -> bool:
        overdue = self.planning.policy.overdue
        return self.late and overdue is not None and overdue.most is None

    @property
    def pause(self) -> str:
        """The least time between a notice to the signer and an escalation."""
        rhythm = self.policy.reminders
        if rhythm is None:
            return _WITHOUT_RHYTHM
        return rhythm.first if self.policy.urgent else rhythm.every

    def is_for_the_alert(self, instant: datetime, alert: datetime) -> bool:
        """Whether a reminder would coincide with the escalation, or leave no time to act before it."""
        return instant < alert + APART and add_duration(instant, self.pause, self.hours.zone) > alert

    def has_had(self, reminder: ScheduledAction) -> bool:
        """Whether the notification log has this reminder or a later one."""
        number = reminder_number(reminder.stage, self.planning.revision) or 0
        return any(
            sent_reminder.person == self.person and number <= sent_reminder.number
            for sent_reminder in self.planning.reminded
        )

    def heard_besides(self, planned: Iterable[datetime]) -> tuple[datetime, ...]:
        """When unplanned notices, other than the first of their turn, reached them last."""
        heard = self.heard_at
        if heard is None or heard < self.came_at + APART:
            return ()
        return () if any(timedelta() <= heard - planned_at < APART for planned_at in planned) else (heard,)

    def build_action(self, kind: ActionType, action_at: datetime, stage: str, *reasons: Message) -> ScheduledAction:
        return ScheduledAction(
            at=action_at, kind=kind, stage=stage, person=self.person, to=self.person, reasons=reasons
        )

    def spread(self, instant: datetime, slot: OpenSlot) -> datetime:
        """The instant delayed by the jitter, within its slot and the wait. Urgent ones are not delayed."""
        return instant + self._share(min(slot.closes, self.ends_at) - instant)

    def spread_ahead(self, instant: datetime, slot: OpenSlot) -> datetime:
        """Like `spread`, but earlier, for last warnings."""
        earlier = instant - self.jitter
        return (
            earlier
            if not self.policy.urgent and max(slot.opens, self.came_at) < earlier
            else self.spread(instant, slot)
        )

    def _share(self, room: timedelta) -> timedelta:
        """The jitter in whole seconds, scaled to a room smaller than `MOST_JITTER`."""
        if self.policy.urgent or room <= timedelta():
            return timedelta()
        if room > MOST_JITTER:
            return self.jitter
        return timedelta(seconds=int(room.total_seconds() * (self.jitter / (MOST_JITTER + timedelta(seconds=1)))))

    def leaves_time(self, instant: datetime) -> bool:
        """Whether two of the signer's working hours remain until the wait ends."""
        remaining = timedelta()
        for slot in self.hours.find_parts(OpenSlot(instant, self.ends_at)):
            remaining += slot.closes - slot.opens
            if remaining >= TO_ACT:
                return True
        return False

    def keep_to_own_hours(self, action: ScheduledAction) -> ScheduledAction:
        """The action with the hours it is kept to; see `kept_to`."""
        return action if action.suppressed is not None else self.kept_to(self.hours, action)

    def kept_to(self, hours: OpenHours, action: ScheduledAction) -> ScheduledAction:
        """The action kept to these hours until the request closes; a last warning until what it warns of."""
        timely = action.kind is ActionType.WARN and self.now < self.due
        return hours.keep(action, self.now, self.due if timely else self.closes)

    def has(self, snooze: Snooze) -> bool:
        """Whether a snooze ends in this wait; one that ends after all waits is dropped in the first."""
        return self.late is (self.due <= snooze.until and self.due < self.closes)

    def closed(self, action: ScheduledAction, instant: datetime) -> ScheduledAction:
        """The action dropped, since the signer has no open hours from `at` on."""
        return self.hours.drop(action, instant, self.ends_at, late=self.late)

    @property
    def past_end(self) -> Message:
        """That something would come after the end of the wait."""
        return (PlanReason.PAST_CLOSING if self.late else PlanReason.PAST_DUE).to_message()

    def local(self, instant: datetime) -> str:
        """An instant in the signer's time zone, as a value of a message."""
        return zoned(instant, self.hours.zone)


def _when_overdue(policy: Policy) -> Policy:
    """The policy with its overdue settings in place of the regular ones."""
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
