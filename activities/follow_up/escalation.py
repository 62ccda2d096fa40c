"""When a silent signer's request goes to somebody who can act: in the recipient's hours, with time left to act.

The earlier of the policy's triggers counts. One that would leave the alternate less than a working day before the due
date is moved earlier; a signer who is absent and has a stand-in is not waited for at all. Where none comes before the
due date, the overdue reminders are used up one day, if the policy wants it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activities.calendars.wall_clock import after, in_words, share
from activities.follow_up.chain import Candidate, Chain
from activities.follow_up.open_hours import ANY, WORKING, OpenHours, Slot
from activities.follow_up.waiting import Waiting, dropped, moved
from activities.people import Directory, UnknownPerson
from activities.person import Person
from workflows.follow_up.stages import Stage
from workflows.model.planning import EscalationReason, Moment, MomentKind, Planning, Reason
from workflows.model.policy import Escalation, EscalationAction

_TO_ACT: Final = timedelta(hours=1)
"""What is left of a day to whoever hears of it late."""


@dataclass(frozen=True)
class _Trigger:
    at: datetime
    because: str
    reason: EscalationReason = EscalationReason.ESCALATION
    spread: bool = True
    """False for one that counts from a reminder, which was spread already."""


async def escalation(
    planning: Planning, waiting: Waiting, reminders: list[Moment], directory: Directory
) -> list[Moment]:
    """The one escalation of this signer, dropped with the reason when it cannot come before the wait ends."""
    policy = waiting.policy.escalation
    if policy is None:
        return []
    trigger = await _absence(planning, waiting, policy, directory) or _earliest(waiting, policy, reminders)
    if trigger is None:
        return []
    to = await Chain(planning, policy, waiting.person, max(trigger.at, waiting.now), directory).next()
    moment = _moment(waiting, _action(planning, waiting, policy, to), trigger, to)
    if (person := await _recipient(to, planning, directory)) is None:
        # The requester, who has left: nobody's request may stand still for that, and the ledger will tell it.
        person = await directory.person(waiting.person, planning.subject.id)
        why = f"{moment.why}; {to.person} is not in the directory, so the hours are those of {waiting.person}"
        moment = moment.replace(why=why)
    return [_placed(waiting, trigger, moment, person)]


async def _recipient(to: Candidate, planning: Planning, directory: Directory) -> Person | None:
    try:
        return await directory.person(to.person, planning.subject.id)
    except UnknownPerson:
        return None


def _action(planning: Planning, waiting: Waiting, policy: Escalation, to: Candidate) -> EscalationAction:
    may_be_handed_over = to.acts and waiting.person not in planning.not_handed_over
    return policy.action if may_be_handed_over else EscalationAction.NOTIFY


def _moment(waiting: Waiting, action: EscalationAction, trigger: _Trigger, to: Candidate) -> Moment:
    moment = waiting.moment(MomentKind.ESCALATE, trigger.at, Stage.ESCALATION, f"{trigger.because}: {to.as_}")
    return moment.replace(to=to.person, action=action, reason=trigger.reason)


async def _absence(planning: Planning, waiting: Waiting, policy: Escalation, directory: Directory) -> _Trigger | None:
    absence = next((slot for slot in waiting.hours.absences if waiting.now in slot), None)
    if absence is None or absence.opens >= waiting.until:
        return None
    chain = Chain(planning, policy, waiting.person, waiting.now, directory)
    if not waiting.policy.urgent and not await chain.has_stand_in():
        return None
    return _Trigger(max(waiting.since, absence.opens), f"{waiting.person} is absent", EscalationReason.ABSENCE)


def _earliest(waiting: Waiting, policy: Escalation, reminders: list[Moment]) -> _Trigger | None:
    found = [_trigger(waiting, text, reminders) for text in (policy.after, policy.or_) if text is not None]
    return min((trigger for trigger in found if trigger), key=lambda trigger: trigger.at, default=None)


def _trigger(waiting: Waiting, text: str, reminders: list[Moment]) -> _Trigger | None:
    if text == "used-up":
        return _used_up(waiting, reminders)
    if text.endswith("%"):
        percent = int(text.removesuffix("%"))
        at = share(waiting.since, waiting.until, percent)
        return _Trigger(at, f"{percent} % of the time until the due date has passed")
    return _Trigger(after(waiting.since, text, waiting.hours.zone), f"{in_words(text)} without an answer")


def _used_up(waiting: Waiting, reminders: list[Moment]) -> _Trigger | None:
    """One `every` after the last reminder that is sent; after the last of the series when the calendar lets none be."""
    rhythm, zone = waiting.policy.reminders, waiting.hours.zone
    if rhythm is None or after(waiting.since, rhythm.first, zone) >= waiting.until:
        return None
    sent = [moment.at for moment in reminders if moment.suppressed is None]
    if not sent:
        end = after(waiting.since, rhythm.first, zone, then=rhythm.every, times=rhythm.most)
        return _Trigger(end, "no reminder could be sent")
    what = "overdue reminders" if waiting.late else "reminders"
    return _Trigger(after(max(sent), rhythm.every, zone), f"all {len(sent)} {what} are used up", spread=False)


def _placed(waiting: Waiting, trigger: _Trigger, moment: Moment, person: Person) -> Moment:
    hours = OpenHours.of(person, waiting.policy)
    slot = hours.next_slot(moment.at, waiting.until)
    day = None if waiting.policy.urgent else _last_working_day(person, waiting)
    if day is not None and (slot is None or max(moment.at, slot.opens) > day.opens):
        ahead = moved(moment, waiting.spread(day.opens, day), "moved earlier, so that a working day is left to act")
        return waiting.kept_to(hours, ahead)
    if slot is None:
        return _at_the_last_occasion(waiting, moment, hours)
    at = moment.at if moment.at in slot and not trigger.spread else waiting.spread(max(moment.at, slot.opens), slot)
    return waiting.kept_to(hours, moment.replace(at=at))


def _last_working_day(person: Person, waiting: Waiting) -> Slot | None:
    """The recipient's last whole working day between the turn and the end of the wait, whatever hours are quiet."""
    working = OpenHours.working(person, WORKING if waiting.policy.hours == ANY else waiting.policy.hours)
    day = working.local_day(waiting.until)
    slots = working.slots(day)
    whole = bool(slots) and slots[-1].closes <= waiting.until
    return working.last_day(day + timedelta(days=1) if whole else day, waiting.since)


def _at_the_last_occasion(waiting: Waiting, moment: Moment, hours: OpenHours) -> Moment:
    if moment.at >= waiting.until:
        return dropped(moment, Reason.SUPERSEDED, f"after {waiting.end}")
    slot = hours.last_slot(moment.at, waiting.since)
    at = max(slot.opens, slot.closes - _TO_ACT) if slot else waiting.since
    if at <= waiting.since:
        return dropped(moment, Reason.QUIET_HOURS, f"no open hours before {waiting.end}")
    return waiting.kept_to(hours, moved(moment, at, "moved earlier, into working hours"))
