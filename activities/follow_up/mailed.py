"""Nudges of a signer without a phone are Core Signature's mail, so they come when the other signers are awake, too.

The best of the signer's next day is looked for, of a last warning the best of the day before it. Where there is no such
time, a nudge comes at its own and wakes the others, unless something reached the signer within the policy's rhythm.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from activities.calendars.wall_clock import after
from activities.follow_up.open_hours import OpenSlot
from activities.follow_up.others import by_day
from activities.follow_up.silence import SilentTurn
from workflows.model.planning import Reason, ScheduledAction

_A_DAY: Final = timedelta(days=1)
_A_MINUTE: Final = timedelta(minutes=1)


def mailed(silence: SilentTurn, moment: ScheduledAction, heard_at: datetime | None) -> ScheduledAction:
    """A nudge at the time of its mail; `heard_at` is when the nudge before it comes."""
    if moment.suppressed is not None or silence.others.awake_at(moment.at):
        return moment
    if best := _best(silence, _next_day(silence, moment.at)):
        slot = best[0]
        return moment.moved(silence.spread(max(slot.opens, moment.at), slot), _together(silence))
    return _all_the_same(silence, moment, heard_at)


def warned(silence: SilentTurn, warning: ScheduledAction) -> ScheduledAction:
    """A last warning at the time of its mail, never later than planned: it is never left out."""
    if warning.suppressed is not None or silence.others.awake_at(warning.at):
        return warning
    day = OpenSlot(max(silence.came_at, warning.at - _A_DAY), warning.at)
    if best := _best(silence, silence.hours.within(day)):
        slot = best[-1]
        latest = max(slot.opens, slot.closes - _A_MINUTE)
        return warning.moved(silence.spread_ahead(latest, slot), _together(silence))
    return _waking(silence, warning, "there is no better time")


def _best(silence: SilentTurn, own: Iterable[OpenSlot]) -> list[OpenSlot]:
    return silence.others.best(own, by_day(silence.hours.zone))


def _next_day(silence: SilentTurn, at: datetime) -> list[OpenSlot]:
    """What is left of the signer's hours today, and those of their next day."""
    today = silence.hours.next_slot(at, silence.until)
    if today is None:
        return []
    tomorrow = silence.hours.next_slot(today.closes, silence.until)
    days = [today, tomorrow] if tomorrow else [today]
    return [OpenSlot(max(day.opens, at), min(day.closes, silence.until)) for day in days]


def _all_the_same(silence: SilentTurn, moment: ScheduledAction, heard_at: datetime | None) -> ScheduledAction:
    rhythm = silence.policy.reminders
    heard = max((at for at in (heard_at, silence.heard_at) if at is not None), default=None)
    if rhythm is None or heard is None or after(heard, rhythm.every, silence.hours.zone) > moment.at:
        return moment.dropped(Reason.OTHERS_ASLEEP, f"at no time of theirs is it day for {silence.others}")
    return _waking(silence, moment, "nothing has reached them for as long as the policy says")


def _waking(silence: SilentTurn, moment: ScheduledAction, because: str) -> ScheduledAction:
    why = f"{moment.why}; although it may wake {silence.others}: {because}"
    return moment.replace(wakes_others=True, why=why)


def _together(silence: SilentTurn) -> str:
    return f"moved to where it is day for {silence.others}, whom Core Signature mails as well"
