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
from activities.follow_up.silence import Silence
from activities.person import Person
from workflows.follow_up.stages import Stage
from workflows.model.planning import EscalationReason, Moment, MomentKind, Reason
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


async def escalation(silence: Silence, reminders: list[Moment]) -> list[Moment]:
    """The one escalation of this signer, dropped with the reason when it cannot come before the wait ends."""
    policy = silence.policy.escalation
    if policy is None:
        return []
    trigger = await _absence(silence, policy) or _earliest(silence, policy, reminders)
    if trigger is None:
        return []
    to = await Chain(silence, policy, max(trigger.at, silence.now)).next()
    moment = _moment(silence, _action(silence, policy, to), trigger, to)
    person = await silence.known(to.person)
    if person is None:
        # The requester, who has left: nobody's request may stand still for that, and the ledger will tell it.
        person = await silence.directory.person(silence.person, silence.planning.subject.workflow_id)
        why = f"{moment.why}; {to.person} is not in the directory, so the hours are those of {silence.person}"
        moment = moment.replace(why=why)
    return [_placed(silence, trigger, moment, person)]


def _action(silence: Silence, policy: Escalation, to: Candidate) -> EscalationAction:
    may_be_handed_over = to.acts and silence.person not in silence.planning.not_handed_over
    return policy.action if may_be_handed_over else EscalationAction.NOTIFY


def _moment(silence: Silence, action: EscalationAction, trigger: _Trigger, to: Candidate) -> Moment:
    moment = silence.moment(MomentKind.ESCALATE, trigger.at, Stage.ESCALATION, f"{trigger.because}: {to.as_}")
    return moment.replace(to=to.person, action=action, reason=trigger.reason)


async def _absence(silence: Silence, policy: Escalation) -> _Trigger | None:
    absence = next((slot for slot in silence.hours.absences if silence.now in slot), None)
    if absence is None or absence.opens >= silence.until:
        return None
    if not silence.policy.urgent and not await Chain(silence, policy, silence.now).has_stand_in():
        return None
    return _Trigger(max(silence.since, absence.opens), f"{silence.person} is absent", EscalationReason.ABSENCE)


def _earliest(silence: Silence, policy: Escalation, reminders: list[Moment]) -> _Trigger | None:
    found = [_trigger(silence, text, reminders) for text in (policy.after, policy.or_) if text is not None]
    return min((trigger for trigger in found if trigger), key=lambda trigger: trigger.at, default=None)


def _trigger(silence: Silence, text: str, reminders: list[Moment]) -> _Trigger | None:
    if text == "used-up":
        return _used_up(silence, reminders)
    if text.endswith("%"):
        percent = int(text.removesuffix("%"))
        at = share(silence.since, silence.until, percent)
        return _Trigger(at, f"{percent} % of the time until the due date has passed")
    return _Trigger(after(silence.since, text, silence.hours.zone), f"{in_words(text)} without an answer")


def _used_up(silence: Silence, reminders: list[Moment]) -> _Trigger | None:
    """One `every` after the last reminder that is sent; after the last of the series when the calendar lets none be."""
    rhythm, zone = silence.policy.reminders, silence.hours.zone
    if rhythm is None or after(silence.since, rhythm.first, zone) >= silence.until:
        return None
    sent = [moment.at for moment in reminders if moment.suppressed is None]
    if not sent:
        end = after(silence.since, rhythm.first, zone, then=rhythm.every, times=rhythm.most)
        return _Trigger(end, "no reminder could be sent")
    what = "overdue reminders" if silence.late else "reminders"
    return _Trigger(after(max(sent), rhythm.every, zone), f"all {len(sent)} {what} are used up", spread=False)


def _placed(silence: Silence, trigger: _Trigger, moment: Moment, person: Person) -> Moment:
    hours = OpenHours.of(person, silence.policy)
    slot = hours.next_slot(moment.at, silence.until)
    day = None if silence.policy.urgent else _last_working_day(person, silence)
    if day is not None and (slot is None or max(moment.at, slot.opens) > day.opens):
        ahead = moment.moved(silence.spread(day.opens, day), "moved earlier, so that a working day is left to act")
        return silence.kept_to(hours, ahead)
    if slot is None:
        return _at_the_last_occasion(silence, moment, hours)
    at = moment.at if moment.at in slot and not trigger.spread else silence.spread(max(moment.at, slot.opens), slot)
    return silence.kept_to(hours, moment.replace(at=at))


def _last_working_day(person: Person, silence: Silence) -> Slot | None:
    """The recipient's last whole working day between the turn and the end of the wait, whatever hours are quiet."""
    working = OpenHours.working(person, WORKING if silence.policy.hours == ANY else silence.policy.hours)
    day = working.local_day(silence.until)
    slots = working.slots(day)
    whole = bool(slots) and slots[-1].closes <= silence.until
    return working.last_day(day + timedelta(days=1) if whole else day, silence.since)


def _at_the_last_occasion(silence: Silence, moment: Moment, hours: OpenHours) -> Moment:
    if moment.at >= silence.until:
        return moment.dropped(Reason.SUPERSEDED, f"after {silence.end}")
    slot = hours.last_slot(moment.at, silence.since)
    at = max(slot.opens, slot.closes - _TO_ACT) if slot else silence.since
    if at <= silence.since:
        return moment.dropped(Reason.QUIET_HOURS, f"no open hours before {silence.end}")
    return silence.kept_to(hours, moment.moved(at, "moved earlier, into working hours"))
