"""Escalation: when a silent signer's request goes to someone who can act, and to whom. The earliest trigger counts,
within the recipient's hours and at least a working day before the due date, not before one `every` (urgent: `first`)
since the last notice. An absent signer with a delegate is not waited for. A due-date trigger without time fires after
the due date, if the policy wants it; others when the overdue reminders are used up, or one `every` after the first if
unlimited.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from activities.calendar.calendar import add_duration, share
from activities.people.directory import askers
from activities.people.person import Person
from activities.schedule.open_hours import ANY, WORKING, OpenHours, OpenSlot, no_hours
from activities.schedule.reminders import mailed
from activities.schedule.turn import SilentTurn
from workflows.follow_up import notification_types
from workflows.follow_up.next_step import APART, too_close
from workflows.follow_up.notification_types import NotificationType
from workflows.model.messages import Message
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import Escalation, EscalationAction
from workflows.model.schedule import ActionType, EscalationReason, Reason, ScheduledAction
from workflows.names import alert_key

_TO_ACT: Final = timedelta(hours=1)
"""Least rest of a day for a recipient to act."""


@dataclass(frozen=True)
class Candidate:
    """A possible recipient, and why; `acts` unless only notified."""

    person: str
    reasons: tuple[Message, ...]
    acts: bool = True

    @classmethod
    def as_(cls, person: str, role: PlanReason, **parameters: str) -> Self:
        return cls(person, (role.to_message(person=person, **parameters),))


@dataclass(frozen=True)
class Chain:
    """The escalation chain of one silent signer at an instant."""

    silence: SilentTurn
    escalation: Escalation
    at: datetime

    async def next(self) -> Candidate:
        """The first who can act, with why others were skipped; else the requester, who is notified."""
        skipped: dict[str, Message] = {}
        async for candidate in self._candidates():
            if candidate.person in skipped:
                continue
            why_not = await self._unsuitable(candidate.person)
            if why_not is None:
                return Candidate(candidate.person, (*candidate.reasons, *skipped.values()))
            skipped[candidate.person] = why_not.to_message(person=candidate.person)
        reasons = (PlanReason.TO_REQUESTER.to_message(), *skipped.values())
        return Candidate(self.silence.requester, reasons, acts=False)

    async def has_stand_in(self) -> bool:
        """Whether the signer is absent and a delegate can act, under a policy that asks delegates."""
        signer = await self.silence.find_person(self.silence.person)
        if signer is None or "delegate" not in self._links or not signer.absent_at(self.at):
            return False
        delegate = signer.delegate_at(self.at)
        return delegate is not None and await self._unsuitable(delegate) is None

    @property
    def _links(self) -> tuple[str, ...]:
        return self.escalation.to if self._steps < self.escalation.depth else ()

    @property
    def _steps(self) -> int:
        """How many steps of the chain led to this signer."""
        signers = self.silence.planning.subject.people
        position = next((n for n, signer in enumerate(signers) if signer.person == self.silence.person), 0)
        steps = 0
        while steps < position:
            earlier = signers[position - steps - 1]
            if earlier.order != signers[position].order or earlier.person not in self.silence.planning.acted:
                break
            steps += 1
        return min(steps, self.silence.planning.escalated)

    async def _candidates(self) -> AsyncIterator[Candidate]:
        for link in self._links:
            async for candidate in self._linked(link):
                yield candidate
                async for stand_in in self._delegate(candidate.person):
                    yield stand_in
        if self.escalation.fallback is not None:
            yield Candidate.as_(self.escalation.fallback, PlanReason.TO_FALLBACK)

    async def _linked(self, link: str) -> AsyncIterator[Candidate]:
        if link == "alternates":
            for id in self.escalation.alternates:
                yield Candidate.as_(id, PlanReason.TO_ALTERNATE)
        elif link == "delegate":
            async for delegate in self._delegate(self.silence.person):
                yield delegate
        else:
            async for manager in self._managers():
                yield manager

    async def _delegate(self, id: str) -> AsyncIterator[Candidate]:
        person = await self.silence.find_person(id)
        if person is None or "delegate" not in self._links or not person.absent_at(self.at):
            return
        if delegate := person.delegate_at(self.at):
            yield Candidate.as_(delegate, PlanReason.TO_DELEGATE, other=id)

    async def _managers(self) -> AsyncIterator[Candidate]:
        subordinate = self.silence.person
        for _ in range(self.escalation.depth - self._steps):
            person = await self.silence.find_person(subordinate)
            if person is None or person.manager is None:
                return
            yield Candidate.as_(person.manager, PlanReason.TO_MANAGER, other=subordinate)
            subordinate = person.manager

    async def _unsuitable(self, candidate: str) -> PlanReason | None:
        planning = self.silence.planning
        if candidate == self.silence.person:
            return PlanReason.NOT_TO_SIGNER
        if candidate == self.silence.requester:
            return PlanReason.NOT_TO_REQUESTER
        if planning.within and candidate in await askers(self.silence.directory, self.silence.requester):
            return PlanReason.NOT_TO_ASKING_GROUP
        if candidate in planning.acted:
            return PlanReason.NOT_TO_ACTED
        if any(candidate == participant.person for participant in planning.subject.people):
            return PlanReason.NOT_TO_ANOTHER
        return await self._out_of_reach(candidate)

    async def _out_of_reach(self, candidate: str) -> PlanReason | None:
        planning, person = self.silence.planning, await self.silence.find_person(candidate)
        if person is None:
            return PlanReason.NOT_TO_STRANGER
        if (
            alert_key(planning.subject.notice_id, NotificationType.ESCALATION, candidate, self.silence.person)
            in planning.unheard
        ):
            return PlanReason.NOT_TO_UNREACHED
        return PlanReason.NOT_TO_ABSENT if person.absent_at(self.at) else None


@dataclass(frozen=True)
class TimeToAct:
    """The signer's time to act on a notice before an escalation."""

    silence: SilentTurn
    trigger: datetime
    heard: tuple[tuple[datetime, bool], ...] = ()
    """Notices, earliest first, and whether each is a reminder: after the trigger reminders give way."""
    first: datetime | None = None
    """The first reminder that is due before the trigger, if the escalation may come after the due date instead."""

    @classmethod
    def from_nudges(cls, silence: SilentTurn, trigger: datetime, nudges: list[ScheduledAction]) -> Self:
        coming = [nudge for nudge in nudges if nudge.suppressed is None]
        planned = [
            (nudge.at, bool(notification_types.reminder_number(nudge.stage, silence.planning.revision)))
            for nudge in coming
        ]
        unplanned = [(heard_at, False) for heard_at in silence.heard_besides(nudge.at for nudge in coming)]
        first = min((nudge_at for nudge_at, is_reminder in planned if is_reminder), default=None)
        waits = not silence.late and silence.overdue is not None and silence.overdue.policy.escalation is not None
        rhythm = silence.policy.reminders
        in_time = rhythm is not None and add_duration(silence.since, rhythm.first, silence.hours.zone) <= trigger
        return cls(silence, trigger, tuple(sorted([*planned, *unplanned])), first if waits and in_time else None)

    def find_earliest(self, instant: datetime, *, ahead: bool = False) -> datetime:
        """The earliest instant from `at` on with that time; `ahead` of the trigger, counted from when they were asked,
        as the trigger itself is.
        """
        if ahead:
            instant = max(instant, self._add_pause(self.silence.came_at))
        if self.first is not None:
            instant = max(instant, self._add_pause(self.first))
        for notice, gives_way in self.heard:
            if notice < min(instant, self.trigger) if gives_way else notice <= instant:
                instant = max(instant, self._add_pause(notice))
        return instant

    def _add_pause(self, notice: datetime) -> datetime:
        return add_duration(notice, self.silence.pause, self.silence.hours.zone)


async def escalation(
    silence: SilentTurn,
    reminders: list[ScheduledAction],
    nudges: list[ScheduledAction],
    kept_back: ScheduledAction | None = None,
) -> list[ScheduledAction]:
    """The one escalation of this signer, dropped with a reason if impossible before the wait ends. `reminders` are of
    this wait, `nudges` all notices of this wait and the one before, `kept_back` is the earlier wait's escalation that
    found no time.
    """
    policy = silence.policy.escalation
    if policy is None:
        return []
    absence, silent = await _absence(silence, policy), _earliest(silence, policy, reminders, kept_back)
    already = absence is not None and absence.at <= silence.now
    triggers = [candidate for candidate in (absence, None if already else silent) if candidate is not None]
    trigger = min(triggers, key=lambda candidate: candidate.at, default=None)
    if trigger is None:
        return []
    recipient = await Chain(silence, policy, max(trigger.at, silence.now)).next()
    alert = _build_alert(silence, _action(silence, policy, recipient), trigger, recipient)
    person = await silence.find_person(recipient.person)
    if person is None:
        # The requester has left: the request must not wait for that, and the log will show it.
        person = await silence.directory.person(silence.person, silence.planning.subject.workflow_id)
        hours_of = PlanReason.HOURS_OF.to_message(person=recipient.person, other=silence.person)
        alert = alert.replace(reasons=(*alert.reasons, hours_of))
    if trigger.reason is EscalationReason.ABSENCE:
        return [_placed(silence, trigger, alert, person, TimeToAct(silence, trigger.at))]
    return [_placed(silence, trigger, alert, person, TimeToAct.from_nudges(silence, trigger.at, nudges))]


def told_of(
    escalations: Iterable[ScheduledAction], nudges: Iterable[ScheduledAction], silence: SilentTurn
) -> list[ScheduledAction]:
    """A notice for each escalation that will be sent; a signer who is replaced is told of that instead."""
    alerts = [alert for alert in escalations if alert.suppressed is None and alert.action is EscalationAction.NOTIFY]
    nudge_instants = sorted(nudge.at for nudge in nudges if nudge.suppressed is None)
    return [
        silence.keep_to_own_hours(
            mailed(silence, _build_notice(alert, nudge_instants, silence), max(nudge_instants, default=None))
        )
        for alert in alerts
    ]


@dataclass(frozen=True)
class _Trigger:
    at: datetime
    because: Message
    reason: EscalationReason = EscalationReason.ESCALATION
    spread: bool = True
    """False if it counts from a reminder, which is spread already."""


def _action(silence: SilentTurn, policy: Escalation, recipient: Candidate) -> EscalationAction:
    may_be_handed_over = recipient.acts and silence.person not in silence.planning.not_handed_over
    return policy.action if may_be_handed_over else EscalationAction.NOTIFY


def _build_alert(
    silence: SilentTurn, action: EscalationAction, trigger: _Trigger, recipient: Candidate
) -> ScheduledAction:
    alert = silence.build_action(
        ActionType.ESCALATE, trigger.at, NotificationType.ESCALATION, trigger.because, *recipient.reasons
    )
    return alert.replace(to=recipient.person, action=action, reason=trigger.reason)


async def _absence(silence: SilentTurn, policy: Escalation) -> _Trigger | None:
    """At the begin of the absence that lasts, or of one that was entered and comes."""
    person = await silence.find_person(silence.person)
    entered = [OpenSlot(*absence.span(person.tz)) for absence in person.absent if absence.was_entered] if person else []
    absences = [slot for slot in silence.hours.absences if silence.now in slot]
    absences += [slot for slot in entered if silence.now < slot.opens]
    absence = min(absences, key=lambda slot: slot.opens, default=None)
    if absence is None or absence.opens >= silence.ends_at:
        return None
    begins = max(silence.since, absence.opens)
    if not silence.policy.urgent and not await Chain(silence, policy, max(begins, silence.now)).has_stand_in():
        return None
    return _Trigger(begins, PlanReason.IS_ABSENT.to_message(person=silence.person), EscalationReason.ABSENCE)


def _earliest(
    silence: SilentTurn, policy: Escalation, reminders: list[ScheduledAction], kept_back: ScheduledAction | None
) -> _Trigger | None:
    triggers = [_trigger(silence, text, reminders) for text in (policy.after, policy.or_) if text is not None]
    if kept_back is not None:
        triggers.append(_Trigger(max(silence.since, kept_back.at), PlanReason.NO_TIME_LEFT.to_message()))
    return min((trigger for trigger in triggers if trigger), key=lambda trigger: trigger.at, default=None)


def _trigger(silence: SilentTurn, text: str, reminders: list[ScheduledAction]) -> _Trigger | None:
    if text == "used-up":
        return _used_up(silence, reminders)
    if text.endswith("%"):
        percent = int(text.removesuffix("%"))
        trigger_at = share(silence.since, silence.ends_at, percent)
        return _Trigger(trigger_at, PlanReason.SHARE_PASSED.to_message(percent=percent))
    return _Trigger(add_duration(silence.since, text, silence.hours.zone), PlanReason.NO_ANSWER.to_message(span=text))


def _used_up(silence: SilentTurn, reminders: list[ScheduledAction]) -> _Trigger | None:
    """One `every` after the last reminder sent, or after the last of the series if none can be sent; for an unlimited
    series after the first.
    """
    rhythm, zone = silence.policy.reminders, silence.hours.zone
    if rhythm is None or add_duration(silence.since, rhythm.first, zone) >= silence.ends_at:
        return None
    series = [
        reminder
        for reminder in reminders
        if notification_types.reminder_number(reminder.stage, silence.planning.revision)
    ]
    sent = [reminder.at for reminder in series if reminder.suppressed is None]
    if not sent:
        times = 1 if silence.goes_on else rhythm.most
        end = add_duration(silence.since, rhythm.first, zone, repeated=rhythm.every, times=times)
        return _Trigger(end, PlanReason.NONE_SENT.to_message())
    if silence.goes_on:
        because = PlanReason.OVERDUE_NO_ANSWER.to_message()
        return _Trigger(add_duration(sent[0], rhythm.every, zone), because, spread=False)
    if len(sent) == len(series):
        because = PlanReason.USED_UP.to_message(count=len(sent))
    else:
        because = PlanReason.SOME_USED_UP.to_message(count=len(sent), most=len(series))
    return _Trigger(add_duration(max(sent), rhythm.every, zone), because, spread=False)


def _placed(
    silence: SilentTurn, trigger: _Trigger, alert: ScheduledAction, person: Person, pause: TimeToAct
) -> ScheduledAction:
    hours = OpenHours.for_person(person, silence.policy)
    begin = pause.find_earliest(alert.at)
    alert_at = _in_hours(silence, hours, pause, begin, spread=trigger.spread and begin == alert.at)
    day = None if silence.policy.urgent else _last_working_day(person, silence)
    if day is not None and (alert_at is None or alert_at > day.opens):
        early = pause.find_earliest(silence.spread(day.opens, day), ahead=True)
        ahead = _in_hours(silence, hours, pause, early, spread=False, ahead=True)
        if ahead is not None and ahead < (alert_at or alert.at):
            return silence.kept_to(hours, alert.move(ahead, PlanReason.EARLIER_TO_ACT.to_message()))
    if alert_at is not None:
        return silence.kept_to(hours, _with_reason(silence, alert, alert_at, pause))
    return _at_the_last_occasion(silence, alert, hours, pause)


def _in_hours(
    silence: SilentTurn, hours: OpenHours, pause: TimeToAct, alert_at: datetime, *, spread: bool, ahead: bool = False
) -> datetime | None:
    """The first instant in the recipient's hours that leaves the signer their time, or None."""
    while slot := hours.next_slot(alert_at, silence.ends_at):
        slot = hours.unbroken(slot)
        placed = alert_at if alert_at in slot and not spread else silence.spread(max(alert_at, slot.opens), slot)
        alert_at = pause.find_earliest(placed, ahead=ahead)
        if alert_at == placed:
            return alert_at
        spread = False
    return None


def _with_reason(silence: SilentTurn, alert: ScheduledAction, alert_at: datetime, pause: TimeToAct) -> ScheduledAction:
    if pause.find_earliest(alert.at) == alert.at:
        return alert.replace(at=alert_at)
    return alert.move(alert_at, PlanReason.SINCE_LAST_NOTICE.to_message(span=silence.pause))


def _last_working_day(person: Person, silence: SilentTurn) -> OpenSlot | None:
    """The recipient's last whole working day in the wait, ignoring quiet hours."""
    working = OpenHours.working(person, WORKING if silence.policy.hours == ANY else silence.policy.hours)
    day = working.local_day(silence.ends_at)
    slots = working.slots(day)
    is_whole = bool(slots) and slots[-1].closes <= silence.ends_at
    return working.last_day(day + timedelta(days=1) if is_whole else day, silence.since)


def _at_the_last_occasion(
    silence: SilentTurn, alert: ScheduledAction, hours: OpenHours, pause: TimeToAct
) -> ScheduledAction:
    if alert.at >= silence.ends_at:
        return alert.dropped(Reason.SUPERSEDED, silence.past_end)
    if pause.find_earliest(alert.at) >= silence.ends_at:
        return alert.dropped(Reason.TOO_SOON, PlanReason.OVER_AFTER_NOTICE.to_message(span=silence.pause))
    slot = hours.last_slot(alert.at, silence.since)
    alert_at = max(slot.opens, slot.closes - _TO_ACT) if slot else silence.since
    if alert_at <= silence.since:
        return alert.dropped(Reason.QUIET_HOURS, no_hours(late=silence.late))
    if pause.find_earliest(alert_at, ahead=True) > alert_at:
        return alert.dropped(Reason.TOO_SOON, PlanReason.NOTICE_BEFORE.to_message(span=silence.pause))
    return silence.kept_to(hours, alert.move(alert_at, PlanReason.EARLIER_INTO_HOURS.to_message()))


def _build_notice(alert: ScheduledAction, nudge_instants: list[datetime], silence: SilentTurn) -> ScheduledAction:
    alerted = PlanReason.ALERTED.to_message(person=alert.to)
    notice = silence.build_action(ActionType.ESCALATED, alert.at, NotificationType.ESCALATED, alerted)
    first = None
    for opens_at, slot in _occasions(alert.at, silence):
        first = first or opens_at
        apart = _apart(opens_at, nudge_instants)
        if apart in slot and apart < silence.ends_at:
            return _move_notice(notice, first, apart)
    return _move_notice(notice, first, first) if first else silence.closed(notice, alert.at)


def _move_notice(notice: ScheduledAction, opens: datetime, sent_at: datetime) -> ScheduledAction:
    if opens != notice.at:
        notice = notice.move(opens, PlanReason.INTO_WORKING_HOURS.to_message())
    return notice.move(sent_at, PlanReason.APART.to_message()) if sent_at != notice.at else notice


def _occasions(earliest_at: datetime, silence: SilentTurn) -> Iterator[tuple[datetime, OpenSlot]]:
    """The earliest instant of each stretch of open hours until the end of the wait."""
    while slot := silence.hours.next_slot(earliest_at, silence.ends_at):
        yield (earliest_at if earliest_at in slot else silence.spread(slot.opens, slot)), slot
        earliest_at = slot.closes


def _apart(sent_at: datetime, nudge_instants: list[datetime]) -> datetime:
    for nudge_at in nudge_instants:
        sent_at = nudge_at + APART if too_close(sent_at, (nudge_at,)) else sent_at
    return sent_at
