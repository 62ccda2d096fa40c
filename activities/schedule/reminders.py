"""Reminders and last warnings: in the policy's rhythm from the signer's turn on, in the recipient's open hours. Each
counts from the one before as placed, so that days off neither bunch nor use up any. None comes within an hour of
another notice, after last warnings begin, during a snooze, or shortly before an escalation; one held back comes one
`every` later. One without time is dropped with its reason. After the due date they follow the overdue rhythm.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activities.calendar.calendar import add_duration, at_clock, is_of_days, start_of_day, subtract_duration
from activities.schedule.open_hours import OpenSlot
from activities.schedule.turn import SilentTurn, by_day
from workflows.follow_up import notification_types
from workflows.follow_up.next_step import APART, too_close
from workflows.follow_up.notification_types import NotificationType
from workflows.model.messages import Message
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import Reminders
from workflows.model.schedule import ActionType, Reason, ScheduledAction

_A_DAY: Final = timedelta(days=1)
_A_MINUTE: Final = timedelta(minutes=1)
ON_THE_DAY: Final = "0d"
_AN_INSTANT: Final = timedelta(microseconds=1)


def mailed(silence: SilentTurn, action: ScheduledAction, heard_at: datetime | None) -> ScheduledAction:
    """A notice at the time of its mail; `heard_at` is the time of the one before."""
    if action.suppressed is not None or silence.co_signers.awake_at(action.at):
        return action
    if best := _best(silence, _next_day(silence, action.at)):
        slot = best[0]
        return action.move(silence.spread(max(slot.opens, action.at), slot), _together(silence))
    return _all_the_same(silence, action, heard_at)


def warned(silence: SilentTurn, warning: ScheduledAction) -> ScheduledAction:
    """A last warning at the time of its mail, never later than planned, and never omitted."""
    if warning.suppressed is not None or silence.co_signers.awake_at(warning.at):
        return warning
    day = OpenSlot(max(silence.came_at, warning.at - _A_DAY), warning.at)
    if best := _best(silence, silence.hours.find_parts(day)):
        slot = best[-1]
        latest = max(slot.opens, slot.closes - _A_MINUTE)
        return warning.move(silence.spread_ahead(latest, slot), _together(silence))
    return _waking(silence, warning, PlanReason.NO_BETTER_TIME)


def reminders(
    silence: SilentTurn, other_notices: list[ScheduledAction], alert: datetime | None = None
) -> list[ScheduledAction]:
    """Every reminder and snooze; dropped ones have a reason. `other_notices` are planned: last warnings, and for late
    reminders all in time. `alert` is an escalation: no reminder coincides with it, or leaves no time before it.
    """
    snoozes = [silence.keep_to_own_hours(mailed(silence, snooze, None)) for snooze in _snoozes(silence, other_notices)]
    rhythm = silence.policy.reminders
    if rhythm is None:
        return snoozes
    warned = [] if silence.late else [action.at for action in other_notices if action.suppressed is None]
    nudges = [action.at for action in (*other_notices, *snoozes) if action.suppressed is None]
    last_word = min(warned, default=silence.ends_at)
    planned = list(_Series(silence, rhythm, last_word, [*nudges], alert).all())
    unplanned = silence.heard_besides((*nudges, *(reminder.at for reminder in planned if reminder.suppressed is None)))
    if unplanned:
        planned = list(_Series(silence, rhythm, last_word, [*nudges, *unplanned], alert).all())
    return [*snoozes, *planned]


def last_warnings(silence: SilentTurn) -> list[ScheduledAction]:
    """Every warning of the policy, the nearest to the due date first; dropped ones carry their reason."""
    warnings: list[ScheduledAction] = []
    nearer: list[tuple[str, datetime]] = []
    for ahead in sorted(silence.policy.warnings, key=lambda ahead: _nearness(silence, ahead), reverse=True):
        placed = warned(silence, _placed(silence, _nominal(silence, ahead)))
        if placed.suppressed is None and (reason := _too_soon(silence, ahead, placed.at, nearer)):
            placed = placed.dropped(Reason.TOO_SOON, reason)
        if placed.suppressed is None:
            nearer.append((ahead, placed.at))
        warnings.append(silence.keep_to_own_hours(placed))
    return warnings


def fallback(silence: SilentTurn, nudges: Iterable[ScheduledAction]) -> list[ScheduledAction]:
    """The switch to another channel, in open hours and an hour from `nudges`; none if the policy has none. Its need is
    checked at that time.
    """
    wait = silence.policy.fallback_after
    if wait is None:
        return []
    switch_at = add_duration(silence.since, wait, silence.hours.zone)
    switch = silence.build_action(
        ActionType.FALLBACK, switch_at, NotificationType.FALLBACK, PlanReason.NOT_OPENED.to_message(span=wait)
    )
    # Other signers may get the mail as well, where it is Core Signature's.
    switch = switch.replace(wakes_others=True)
    if switch_at >= silence.closes:
        return [switch.dropped(Reason.SUPERSEDED, PlanReason.PAST_CLOSING.to_message())]
    slot = silence.hours.next_slot(switch_at, silence.closes)
    if slot is None:
        return [silence.closed(switch, switch_at)]
    if switch_at not in slot:
        switch = switch.move(silence.spread(slot.opens, slot), *_moved_from(silence, switch_at))
    return [silence.keep_to_own_hours(_apart(switch, nudges, slot))]


def _best(silence: SilentTurn, own_slots: Iterable[OpenSlot]) -> list[OpenSlot]:
    return silence.co_signers.best(own_slots, by_day(silence.hours.zone))


def _next_day(silence: SilentTurn, instant: datetime) -> list[OpenSlot]:
    """The rest of the signer's hours today, and those of their next day."""
    today = silence.hours.next_slot(instant, silence.ends_at)
    if today is None:
        return []
    tomorrow = silence.hours.next_slot(today.closes, silence.ends_at)
    days = [today, tomorrow] if tomorrow else [today]
    return [OpenSlot(max(day.opens, instant), min(day.closes, silence.ends_at)) for day in days]


def _all_the_same(silence: SilentTurn, action: ScheduledAction, heard_at: datetime | None) -> ScheduledAction:
    rhythm = silence.policy.reminders
    heard = max((instant for instant in (heard_at, silence.heard_at) if instant is not None), default=None)
    if rhythm is None or heard is None or add_duration(heard, rhythm.every, silence.hours.zone) > action.at:
        return action.dropped(Reason.OTHERS_ASLEEP, PlanReason.OTHERS_ASLEEP.to_message(people=silence.co_signers))
    return _waking(silence, action, PlanReason.NOTHING_REACHED)


def _waking(silence: SilentTurn, action: ScheduledAction, because: PlanReason) -> ScheduledAction:
    may_wake = PlanReason.MAY_WAKE.to_message(people=silence.co_signers)
    return action.replace(wakes_others=True, reasons=(*action.reasons, may_wake, because.to_message()))


def _together(silence: SilentTurn) -> Message:
    return PlanReason.DAY_FOR_OTHERS.to_message(people=silence.co_signers)


@dataclass(frozen=True)
class _Series:
    """The reminders of one wait; `last_word` is when the last warnings begin."""

    silence: SilentTurn
    rhythm: Reminders
    last_word: datetime
    nudges: list[datetime]
    """What the signer hears besides; grows by each reminder that is placed."""
    alert: datetime | None

    def all(self) -> Iterator[ScheduledAction]:
        """Each counts from the one before, even a dropped one."""
        remind_at = add_duration(self.silence.since, self.rhythm.first, self.silence.hours.zone)
        for number in range(1, self.rhythm.most + 1):
            if self.silence.late and remind_at >= self.silence.ends_at:
                return
            placed = self._placed(_reminder(self.silence, self.rhythm, number, remind_at), is_first=number == 1)
            if placed.suppressed is None:
                self.nudges.append(placed.at)
            yield self.silence.keep_to_own_hours(placed)
            remind_at = self._next_after(placed.at)

    def _placed(self, reminder: ScheduledAction, *, is_first: bool) -> ScheduledAction:
        """The reminder at the first possible time, else dropped for what held it back.

        Terminates: each try passes one of finitely many notices.
        """
        first = self._try_time(reminder, spread=is_first)
        candidate = first
        while (later := self._after_what_keeps_back(candidate)) is not None:
            put_off = PlanReason.PUT_OFF.to_message(when=self.silence.local(first.at))
            candidate = self._try_time(reminder.move(later, put_off, first.reasons[-1]))
        return first if candidate.suppressed else candidate

    def _try_time(self, reminder: ScheduledAction, *, spread: bool = False) -> ScheduledAction:
        opened = _opened(self.silence, reminder, spread=spread)
        return self._uncrowded(mailed(self.silence, opened, self._heard_before(opened.at)))

    def _after_what_keeps_back(self, reminder: ScheduledAction) -> datetime | None:
        """When to try again; None if it can be sent, is in the log already, or has no time left."""
        retry_at: datetime | None = None
        if reminder.suppressed is Reason.SNOOZED:
            retry_at = self._next_after(self.silence.snoozes[-1].until)
        elif reminder.suppressed is Reason.OTHERS_ASLEEP:
            heard = max(filter(None, (self._heard_before(reminder.at), self.silence.heard_at)), default=None)
            retry_at = heard and self._next_after(heard)
        elif reminder.suppressed is Reason.TOO_SOON:
            close = [nudge for nudge in self.nudges if too_close(reminder.at, (nudge,))]
            if self.alert is not None and self._is_for_the_alert(reminder.at):
                close.append(self.alert)
            retry_at = max((max(self._next_after(nudge), nudge + APART) for nudge in close), default=None)
        return retry_at if retry_at and retry_at > reminder.at and not self.silence.has_had(reminder) else None

    def _uncrowded(self, reminder: ScheduledAction) -> ScheduledAction:
        if reminder.suppressed is not None:
            return reminder
        if too_close(reminder.at, self.nudges) or self._is_for_the_alert(reminder.at):
            return reminder.dropped(Reason.TOO_SOON, PlanReason.NOTICE_WITHIN_THE_HOUR.to_message())
        if reminder.at > self.last_word:
            return reminder.dropped(Reason.SUPERSEDED, PlanReason.WARNINGS_BEGUN.to_message())
        if not self.silence.policy.urgent and self.silence.closes - reminder.at < APART:
            return reminder.dropped(Reason.SUPERSEDED, PlanReason.OVER_WITHIN_THE_HOUR.to_message())
        return reminder

    def _is_for_the_alert(self, instant: datetime) -> bool:
        return self.alert is not None and self.silence.is_for_the_alert(instant, self.alert)

    def _heard_before(self, instant: datetime) -> datetime | None:
        return max((nudge for nudge in self.nudges if nudge < instant), default=None)

    def _next_after(self, instant: datetime) -> datetime:
        return add_duration(instant, self.rhythm.every, self.silence.hours.zone)


def _reminder(silence: SilentTurn, rhythm: Reminders, number: int, remind_at: datetime) -> ScheduledAction:
    if silence.late:
        stage = notification_types.overdue(number, silence.planning.revision)
        reason = PlanReason.OVERDUE_REMINDER.to_message(when=silence.local(silence.due), span=rhythm.every)
        return silence.build_action(ActionType.OVERDUE, remind_at, stage, reason)
    code, span = (PlanReason.FIRST_REMINDER, rhythm.first) if number == 1 else (PlanReason.NEXT_REMINDER, rhythm.every)
    reason = code.to_message(number=number, most=rhythm.most, span=span)
    return silence.build_action(ActionType.REMIND, remind_at, notification_types.reminder(number), reason)


def _snoozes(silence: SilentTurn, other_notices: list[ScheduledAction]) -> Iterator[ScheduledAction]:
    planned = [notice.at for notice in other_notices if notice.suppressed is None]
    for snooze in filter(silence.has, silence.snoozes):
        reason = PlanReason.SNOOZED.to_message(when=silence.local(snooze.until))
        action = silence.build_action(ActionType.REMIND, snooze.until, notification_types.snooze(snooze.number), reason)
        if snooze != silence.snoozes[-1]:
            action = action.dropped(Reason.SNOOZED, PlanReason.CHOSE_ANOTHER_TIME.to_message())
        elif snooze.until >= silence.ends_at:
            action = action.dropped(Reason.SUPERSEDED, silence.past_end)
        elif too_close(snooze.until, planned):
            action = action.dropped(Reason.TOO_SOON, PlanReason.WARNING_WITHIN_THE_HOUR.to_message())
        yield action


def _opened(silence: SilentTurn, reminder: ScheduledAction, *, spread: bool) -> ScheduledAction:
    """In the next open hours, also for one they snoozed; a reminder that counts from another is spread with that."""
    hours, nominal = silence.hours, reminder.at
    if nominal >= silence.ends_at:
        return reminder.dropped(Reason.SUPERSEDED, PlanReason.PAST_DUE.to_message())
    slot = hours.next_slot(nominal, silence.ends_at)
    if slot is None:
        return silence.closed(reminder, nominal)
    slot = hours.unbroken(slot)
    if nominal not in slot:
        reminder = reminder.move(silence.spread(slot.opens, slot), *_moved_from(silence, nominal))
    elif spread:
        reminder = reminder.replace(at=silence.spread(nominal, slot))
    if silence.snoozes and nominal < silence.snoozes[-1].until and reminder.at < _every_after(silence):
        return reminder.dropped(Reason.SNOOZED, PlanReason.SAID_NOT_NOW.to_message())
    return reminder


def _moved_from(
    silence: SilentTurn, closed_at: datetime, code: PlanReason = PlanReason.MOVED
) -> tuple[Message, Message]:
    """That it was moved from a closed instant, and why that is closed."""
    return code.to_message(when=silence.local(closed_at)), silence.hours.why_closed(closed_at)


def _every_after(silence: SilentTurn) -> datetime:
    """One `every` after the last snooze."""
    snoozed_until, rhythm = silence.snoozes[-1].until, silence.policy.reminders
    return add_duration(snoozed_until, rhythm.every, silence.hours.zone) if rhythm else snoozed_until


def _too_soon(
    silence: SilentTurn, ahead: str, warning_at: datetime, nearer: list[tuple[str, datetime]]
) -> Message | None:
    """Why a warning gives way to those nearer to the due date."""
    if any(warning_at > nearer_at - APART for _, nearer_at in nearer):
        return PlanReason.NEARER_WARNING.to_message()
    day = silence.hours.local_day
    if is_of_days(ahead) and any(
        is_of_days(other_ahead) and day(warning_at) == day(nearer_at) for other_ahead, nearer_at in nearer
    ):
        return PlanReason.NEARER_WARNING_THAT_DAY.to_message()
    return None


def _nearness(silence: SilentTurn, ahead: str) -> tuple[datetime, bool]:
    """The sort key of warnings; the one on the day counts as nearest, also where it moves to an earlier day."""
    if ahead != ON_THE_DAY:
        return _ahead(silence, ahead)[0], False
    zone, day = silence.hours.zone, silence.hours.local_day(silence.ends_at - _AN_INSTANT)
    return start_of_day(day, zone), True


def _nominal(silence: SilentTurn, ahead: str) -> ScheduledAction:
    warning_at, reason = _on_the_day(silence) if ahead == ON_THE_DAY else _ahead(silence, ahead)
    return silence.build_action(
        ActionType.WARN, warning_at, notification_types.warning(ahead, silence.planning.revision), reason
    )


def _ahead(silence: SilentTurn, ahead: str) -> tuple[datetime, Message]:
    return subtract_duration(silence.ends_at, ahead, silence.hours.zone), PlanReason.BEFORE_DUE.to_message(span=ahead)


def _on_the_day(silence: SilentTurn) -> tuple[datetime, Message]:
    """When their hours open on that day, or on the last working day before the due date."""
    hours, day = silence.hours, silence.hours.local_day(silence.ends_at - _AN_INSTANT)
    slots = hours.slots(day)
    if slots and slots[0].opens < silence.ends_at:
        return slots[0].opens, PlanReason.ON_DUE_DAY.to_message()
    if earlier := hours.last_day(day, silence.came_at):
        return earlier.opens, PlanReason.ON_LAST_WORKING_DAY.to_message()
    usual = at_clock(day, hours.clock[0], hours.zone) if hours.clock else silence.ends_at
    return usual if usual < silence.ends_at else start_of_day(day, hours.zone), PlanReason.ON_DUE_DAY.to_message()


def _placed(silence: SilentTurn, warning: ScheduledAction) -> ScheduledAction:
    if warning.at <= silence.came_at:
        return warning.dropped(Reason.NOT_THEIR_TURN, PlanReason.TURN_CAME_LATER.to_message())
    if silence.policy.urgent:
        return warning
    slots = silence.hours.slots(silence.hours.local_day(warning.at))
    if not slots:
        return _from_a_day_off(silence, warning)
    return _on_its_day(silence, warning, OpenSlot(slots[0].opens, slots[-1].closes))


def _on_its_day(silence: SilentTurn, warning: ScheduledAction, day: OpenSlot) -> ScheduledAction:
    # Ahead of its instant, because a day before the end of the working day is the end of a working day.
    if day.opens <= warning.at <= day.closes:
        return warning.replace(at=silence.spread_ahead(warning.at, day))
    if warning.at > day.closes > silence.came_at:
        return warning.move(silence.spread_ahead(day.closes, day), PlanReason.INTO_WORKING_HOURS.to_message())
    if warning.at < day.opens < silence.ends_at and (opens_at := _opening(silence, day)):
        return warning.move(opens_at, PlanReason.INTO_WORKING_HOURS.to_message())
    return warning


def _from_a_day_off(silence: SilentTurn, warning: ScheduledAction) -> ScheduledAction:
    """On the next working day if that leaves time to act, else on the last before."""
    hours = silence.hours
    today = hours.local_day(warning.at)
    later = hours.next_slot(warning.at, silence.ends_at)
    if later and (opens_at := _opening(silence, later)):
        return warning.move(opens_at, *_moved_from(silence, warning.at))
    if earlier := hours.last_day(today, silence.came_at):
        reasons = _moved_from(silence, warning.at, PlanReason.MOVED_EARLIER)
        return warning.move(silence.spread(earlier.opens, earlier), *reasons)
    whole_day = OpenSlot(*(start_of_day(day, hours.zone) for day in (today, today + timedelta(days=1))))
    return warning.replace(at=silence.spread_ahead(warning.at, whole_day))


def _opening(silence: SilentTurn, slot: OpenSlot) -> datetime | None:
    # When a stretch opens; None if too little time would be left.
    return next(
        (instant for instant in (silence.spread(slot.opens, slot), slot.opens) if silence.leaves_time(instant)), None
    )


def _apart(switch: ScheduledAction, nudges: Iterable[ScheduledAction], slot: OpenSlot) -> ScheduledAction:
    switch_at = switch.at
    for nudge in sorted(action.at for action in nudges if action.suppressed is None):
        switch_at = nudge + APART if too_close(switch_at, (nudge,)) else switch_at
    return (
        switch.move(switch_at, PlanReason.APART.to_message())
        if switch_at != switch.at and switch_at in slot
        else switch
    )
