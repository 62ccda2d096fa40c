"""Reminders: from the signer's turn on in the rhythm of the policy, each in the next open hours of its recipient, and
counted from where the one before was placed: days off bring no two together and use none up.

None comes within an hour of another nudge, none once the last warnings have begun, none while the signer said "not
now". What is not sent is not forgotten: it stands in the agenda with its reason. After the due date they begin again,
in the rhythm of what is overdue, and end when the request closes.
"""

from collections.abc import Iterator
from datetime import datetime

from activities.calendars.wall_clock import after, in_words
from activities.follow_up.mailed import mailed
from activities.follow_up.silence import Silence
from workflows.follow_up import stages
from workflows.follow_up.agenda import too_close
from workflows.model.planning import Moment, MomentKind, Reason
from workflows.model.policy import Reminders


def reminders(silence: Silence, others: list[Moment]) -> list[Moment]:
    """Every reminder of the policy and every snooze of the signer; those that are dropped carry their reason.

    `others` are the nudges that are planned already: the last warnings, and before what is late all that is not.
    """
    snoozes = [silence.held(mailed(silence, snooze, None)) for snooze in _snoozes(silence, others)]
    rhythm = silence.policy.reminders
    return snoozes if rhythm is None else [*snoozes, *_series(silence, rhythm, others, snoozes)]


def _series(silence: Silence, rhythm: Reminders, others: list[Moment], snoozes: list[Moment]) -> Iterator[Moment]:
    """Each counts from the place of the one before, be that one dropped: moved together, they would say the same."""
    warned = [] if silence.late else [one.at for one in others if one.suppressed is None]
    last_word = min(warned, default=silence.until)
    nudges = [moment.at for moment in (*others, *snoozes) if moment.suppressed is None]
    at = after(silence.since, rhythm.first, silence.hours.zone)
    for number in range(1, rhythm.most + 1):
        if silence.late and at >= silence.until:
            return
        opened = _opened(silence, _reminder(silence, rhythm, number, at), spread=number == 1)
        heard_at = max((nudge for nudge in nudges if nudge < opened.at), default=None)
        placed = _uncrowded(mailed(silence, opened, heard_at), nudges, last_word)
        if placed.suppressed is None:
            nudges.append(placed.at)
        yield silence.held(placed)
        at = after(placed.at, rhythm.every, silence.hours.zone)


def _reminder(silence: Silence, rhythm: Reminders, number: int, at: datetime) -> Moment:
    every = f"every {in_words(rhythm.every)}"
    if silence.late:
        why = f"overdue since {silence.local(silence.due)}, {every}"
        return silence.moment(MomentKind.OVERDUE, at, stages.overdue(number, silence.planning.revision), why)
    counted = f"{in_words(rhythm.first)} after the request arrived" if number == 1 else every
    why = f"reminder {number} of {rhythm.most}, {counted}"
    return silence.moment(MomentKind.REMIND, at, stages.reminder(number), why)


def _snoozes(silence: Silence, others: list[Moment]) -> Iterator[Moment]:
    planned = [other.at for other in others if other.suppressed is None]
    for snooze in filter(silence.has, silence.snoozes):
        why = f"not now, they said: at {silence.local(snooze.until)}"
        moment = silence.moment(MomentKind.REMIND, snooze.until, stages.snooze(snooze.number), why)
        if snooze != silence.snoozes[-1]:
            moment = moment.dropped(Reason.SNOOZED, "they chose another time since")
        elif snooze.until >= silence.until:
            moment = moment.dropped(Reason.SUPERSEDED, f"after {silence.end}")
        elif too_close(snooze.until, planned):
            moment = moment.dropped(Reason.TOO_SOON, "a last warning comes within the hour")
        yield moment


def _opened(silence: Silence, reminder: Moment, *, spread: bool) -> Moment:
    """In the next open hours, also one that they said not now to; one that counts from another was spread with it."""
    hours, nominal = silence.hours, reminder.at
    if nominal >= silence.until:
        return reminder.dropped(Reason.SUPERSEDED, "after the due date")
    slot = hours.next_slot(nominal, silence.until)
    if slot is None:
        return silence.closed(reminder, nominal)
    if nominal not in slot:
        because = f"moved from {silence.local(nominal)}: {hours.why_closed(nominal)}"
        reminder = reminder.moved(silence.spread(slot.opens, slot), because)
    elif spread:
        reminder = reminder.replace(at=silence.spread(nominal, slot))
    if silence.snoozes and nominal < silence.snoozes[-1].until:
        return reminder.dropped(Reason.SNOOZED, "they said not now")
    return reminder


def _uncrowded(reminder: Moment, nudges: list[datetime], last_word: datetime) -> Moment:
    if reminder.suppressed is not None:
        return reminder
    if too_close(reminder.at, nudges):
        return reminder.dropped(Reason.TOO_SOON, "another notice comes within the hour")
    if reminder.at > last_word:
        return reminder.dropped(Reason.SUPERSEDED, "the last warnings have begun")
    return reminder
