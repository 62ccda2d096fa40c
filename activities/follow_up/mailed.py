"""Nudges of a signer without a phone are Core Signature's mail, so they come when the other signers are awake, too.

The best of the signer's next day is looked for, of a last warning the best of the day before it. Where there is no such
time, a nudge comes at its own and wakes the others, unless something reached the signer within the policy's rhythm.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from activities.calendars.wall_clock import after
from activities.follow_up.open_hours import Slot
from activities.follow_up.others import by_day
from activities.follow_up.waiting import Waiting, dropped, moved
from workflows.model.planning import Moment, Reason

_A_DAY: Final = timedelta(days=1)
_A_MINUTE: Final = timedelta(minutes=1)


def mailed(waiting: Waiting, moment: Moment, heard_at: datetime | None) -> Moment:
    """A nudge at the time of its mail; `heard_at` is when the nudge before it comes."""
    if moment.suppressed is not None or waiting.others.awake_at(moment.at):
        return moment
    if best := _best(waiting, _next_day(waiting, moment.at)):
        slot = best[0]
        return moved(moment, waiting.spread(max(slot.opens, moment.at), slot), _together(waiting))
    return _all_the_same(waiting, moment, heard_at)


def warned(waiting: Waiting, warning: Moment) -> Moment:
    """A last warning at the time of its mail, never later than planned: it is never left out."""
    if warning.suppressed is not None or waiting.others.awake_at(warning.at):
        return warning
    day = Slot(max(waiting.came_at, warning.at - _A_DAY), warning.at)
    if best := _best(waiting, waiting.hours.within(day)):
        slot = best[-1]
        latest = max(slot.opens, slot.closes - _A_MINUTE)
        return moved(warning, waiting.spread(latest, slot, ahead=True), _together(waiting))
    return _waking(waiting, warning, "there is no better time")


def _best(waiting: Waiting, own: Iterable[Slot]) -> list[Slot]:
    return waiting.others.best(own, by_day(waiting.hours.zone))


def _next_day(waiting: Waiting, at: datetime) -> list[Slot]:
    """What is left of the signer's hours today, and those of their next day."""
    today = waiting.hours.next_slot(at, waiting.until)
    if today is None:
        return []
    tomorrow = waiting.hours.next_slot(today.closes, waiting.until)
    days = [today, tomorrow] if tomorrow else [today]
    return [Slot(max(day.opens, at), min(day.closes, waiting.until)) for day in days]


def _all_the_same(waiting: Waiting, moment: Moment, heard_at: datetime | None) -> Moment:
    rhythm = waiting.policy.reminders
    heard = max((at for at in (heard_at, waiting.heard_at) if at is not None), default=None)
    if rhythm is None or heard is None or after(heard, rhythm.every, waiting.hours.zone) > moment.at:
        return dropped(moment, Reason.OTHERS_ASLEEP, f"at no time of theirs is it day for {waiting.others}")
    return _waking(waiting, moment, "nothing has reached them for as long as the policy says")


def _waking(waiting: Waiting, moment: Moment, because: str) -> Moment:
    why = f"{moment.why}; although it may wake {waiting.others}: {because}"
    return moment.replace(wakes_others=True, why=why)


def _together(waiting: Waiting) -> str:
    return f"moved to where it is day for {waiting.others}, whom Core Signature mails as well"
