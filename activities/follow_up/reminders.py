"""Reminders: from the signer's turn on in the rhythm of the policy, each in the next open hours of its recipient, and
counted from where the one before was placed: days off bring no two together and use none up.

None comes within an hour of another nudge, none once the last warnings have begun, none while the signer said "not
now", none shortly before somebody else is told of their silence. One that is kept back is not used up: it comes one
`every` after what kept it back. One that finds no time is not forgotten: it stands in the agenda with its reason. After
the due date they begin again, in the rhythm of what is overdue, and end when the request closes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from activities.calendars.wall_clock import after, in_words
from activities.follow_up.mailed import mailed
from activities.follow_up.silence import SilentTurn
from workflows.follow_up import stages
from workflows.follow_up.agenda import APART, too_close
from workflows.model.planning import ActionType, Reason, ScheduledAction
from workflows.model.policy import Reminders


def reminders(
    silence: SilentTurn, others: list[ScheduledAction], alert: datetime | None = None
) -> list[ScheduledAction]:
    """Every reminder of the policy and every snooze of the signer; those that are dropped carry their reason.

    `others` are the nudges that are planned already: the last warnings, and before what is late all that is not. At
    `alert` somebody else is told of the silence: before it no reminder comes without time to act, nor together with it.
    """
    snoozes = [silence.held(mailed(silence, snooze, None)) for snooze in _snoozes(silence, others)]
    rhythm = silence.policy.reminders
    if rhythm is None:
        return snoozes
    warned = [] if silence.late else [one.at for one in others if one.suppressed is None]
    nudges = [moment.at for moment in (*others, *snoozes) if moment.suppressed is None]
    last_word = min(warned, default=silence.until)
    planned = list(_Series(silence, rhythm, last_word, [*nudges], alert).all())
    unplanned = silence.heard_besides((*nudges, *(one.at for one in planned if one.suppressed is None)))
    if unplanned:
        planned = list(_Series(silence, rhythm, last_word, [*nudges, *unplanned], alert).all())
    return [*snoozes, *planned]


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
        """Each counts from the place of the one before, be that one dropped: together, they would say the same."""
        at = after(self.silence.since, self.rhythm.first, self.silence.hours.zone)
        for number in range(1, self.rhythm.most + 1):
            if self.silence.late and at >= self.silence.until:
                return
            placed = self._placed(_reminder(self.silence, self.rhythm, number, at), is_first=number == 1)
            if placed.suppressed is None:
                self.nudges.append(placed.at)
            yield self.silence.held(placed)
            at = self._after(placed.at)

    def _placed(self, reminder: ScheduledAction, *, is_first: bool) -> ScheduledAction:
        """The reminder at the first time that it can come, else dropped for what kept it from its own.

        Each try passes one of the nudges, of which there are only so many.
        """
        first = self._tried(reminder, spread=is_first)
        one = first
        while (later := self._after_what_keeps_back(one)) is not None:
            reason = first.suppressed.english if first.suppressed else ""
            one = self._tried(reminder.moved(later, f"put off from {self.silence.local(first.at)}: {reason}"))
        return first if one.suppressed else one

    def _tried(self, reminder: ScheduledAction, *, spread: bool = False) -> ScheduledAction:
        opened = _opened(self.silence, reminder, spread=spread)
        return self._uncrowded(mailed(self.silence, opened, self._heard_before(opened.at)))

    def _after_what_keeps_back(self, one: ScheduledAction) -> datetime | None:
        """When to try a reminder again, None for one that comes, has had its line, or has no time any more."""
        again: datetime | None = None
        if one.suppressed is Reason.SNOOZED:
            again = self._after(self.silence.snoozes[-1].until)
        elif one.suppressed is Reason.OTHERS_ASLEEP:
            heard = max(filter(None, (self._heard_before(one.at), self.silence.heard_at)), default=None)
            again = heard and self._after(heard)
        elif one.suppressed is Reason.TOO_SOON:
            close = [nudge for nudge in self.nudges if too_close(one.at, (nudge,))]
            if self.alert is not None and self._is_for_the_alert(one.at):
                close.append(self.alert)
            again = max((max(self._after(nudge), nudge + APART) for nudge in close), default=None)
        return again if again and again > one.at and not self.silence.has_had(one) else None

    def _uncrowded(self, reminder: ScheduledAction) -> ScheduledAction:
        if reminder.suppressed is not None:
            return reminder
        if too_close(reminder.at, self.nudges) or self._is_for_the_alert(reminder.at):
            return reminder.dropped(Reason.TOO_SOON, "another notice comes within the hour")
        if reminder.at > self.last_word:
            return reminder.dropped(Reason.SUPERSEDED, "the last warnings have begun")
        if not self.silence.policy.urgent and self.silence.closes - reminder.at < APART:
            return reminder.dropped(Reason.SUPERSEDED, "it is over within the hour")
        return reminder

    def _is_for_the_alert(self, at: datetime) -> bool:
        return self.alert is not None and self.silence.is_for_the_alert(at, self.alert)

    def _heard_before(self, at: datetime) -> datetime | None:
        return max((nudge for nudge in self.nudges if nudge < at), default=None)

    def _after(self, at: datetime) -> datetime:
        return after(at, self.rhythm.every, self.silence.hours.zone)


def _reminder(silence: SilentTurn, rhythm: Reminders, number: int, at: datetime) -> ScheduledAction:
    every = f"every {in_words(rhythm.every)}"
    if silence.late:
        why = f"overdue since {silence.local(silence.due)}, {every}"
        return silence.moment(ActionType.OVERDUE, at, stages.overdue(number, silence.planning.revision), why)
    counted = f"{in_words(rhythm.first)} after the request arrived" if number == 1 else every
    why = f"reminder {number} of {rhythm.most}, {counted}"
    return silence.moment(ActionType.REMIND, at, stages.reminder(number), why)


def _snoozes(silence: SilentTurn, others: list[ScheduledAction]) -> Iterator[ScheduledAction]:
    planned = [other.at for other in others if other.suppressed is None]
    for snooze in filter(silence.has, silence.snoozes):
        why = f"not now, they said: at {silence.local(snooze.until)}"
        moment = silence.moment(ActionType.REMIND, snooze.until, stages.snooze(snooze.number), why)
        if snooze != silence.snoozes[-1]:
            moment = moment.dropped(Reason.SNOOZED, "they chose another time since")
        elif snooze.until >= silence.until:
            moment = moment.dropped(Reason.SUPERSEDED, f"after {silence.end}")
        elif too_close(snooze.until, planned):
            moment = moment.dropped(Reason.TOO_SOON, "a last warning comes within the hour")
        yield moment


def _opened(silence: SilentTurn, reminder: ScheduledAction, *, spread: bool) -> ScheduledAction:
    """In the next open hours, also one that they said not now to; one that counts from another was spread with it."""
    hours, nominal = silence.hours, reminder.at
    if nominal >= silence.until:
        return reminder.dropped(Reason.SUPERSEDED, "after the due date")
    slot = hours.next_slot(nominal, silence.until)
    if slot is None:
        return silence.closed(reminder, nominal)
    slot = hours.unbroken(slot)
    if nominal not in slot:
        because = f"moved from {silence.local(nominal)}: {hours.why_closed(nominal)}"
        reminder = reminder.moved(silence.spread(slot.opens, slot), because)
    elif spread:
        reminder = reminder.replace(at=silence.spread(nominal, slot))
    if silence.snoozes and nominal < silence.snoozes[-1].until and reminder.at < _every_after(silence):
        return reminder.dropped(Reason.SNOOZED, "they said not now")
    return reminder


def _every_after(silence: SilentTurn) -> datetime:
    """One `every` after the end of the last snooze."""
    until, rhythm = silence.snoozes[-1].until, silence.policy.reminders
    return after(until, rhythm.every, silence.hours.zone) if rhythm else until
