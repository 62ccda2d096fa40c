"""The last warnings: so long before the due date, and with time left to act.

They may come outside working hours, because what they warn of is worse; one that would fall on a day off comes on the
morning of the next working day, if two working hours are left then before the due date, else on that of the last
working day before. Of two that would then come together, on one day although they are counted in days, or in the wrong
order, the one that is nearer to the due date is kept. They count from the due date: however long the clocks stood, a
warning is left out only if the signer's turn came later.
"""

from datetime import datetime, timedelta
from typing import Final

from activities.calendars.wall_clock import at_clock, before, in_words, start_of_day
from activities.follow_up.mailed import warned
from activities.follow_up.open_hours import OpenSlot
from activities.follow_up.silence import SilentTurn
from workflows.follow_up import stages
from workflows.follow_up.agenda import APART
from workflows.model.planning import ActionType, Reason, ScheduledAction

ON_THE_DAY: Final = "0d"
_DAYS: Final = "dw"
"""The last letters of what is counted in days."""
_AN_INSTANT: Final = timedelta(microseconds=1)


def last_warnings(silence: SilentTurn) -> list[ScheduledAction]:
    """Every warning of the policy, the one nearest to the due date first; those that are dropped carry their reason."""
    found: list[ScheduledAction] = []
    nearer: list[tuple[str, datetime]] = []
    for ahead in sorted(silence.policy.warnings, key=lambda ahead: _nearness(silence, ahead), reverse=True):
        placed = warned(silence, _placed(silence, _nominal(silence, ahead)))
        if placed.suppressed is None and (why := _too_soon(silence, ahead, placed.at, nearer)):
            placed = placed.dropped(Reason.TOO_SOON, why)
        if placed.suppressed is None:
            nearer.append((ahead, placed.at))
        found.append(silence.held(placed))
    return found


def _too_soon(silence: SilentTurn, ahead: str, at: datetime, nearer: list[tuple[str, datetime]]) -> str | None:
    """Why a warning gives way to those that are nearer to the due date."""
    if any(at > other - APART for _, other in nearer):
        return "the warning nearer to the due date comes by then or within the hour"
    day = silence.hours.local_day
    if ahead[-1] in _DAYS and any(one[-1] in _DAYS and day(at) == day(other) for one, other in nearer):
        return "the warning nearer to the due date comes on that day"
    return None


def _nearness(silence: SilentTurn, ahead: str) -> tuple[datetime, bool]:
    """What orders warnings; the one on the day is nearer than all of earlier days, also where it moves to one."""
    if ahead != ON_THE_DAY:
        return _ahead(silence, ahead)[0], False
    zone, day = silence.hours.zone, silence.hours.local_day(silence.until - _AN_INSTANT)
    return start_of_day(day, zone), True


def _nominal(silence: SilentTurn, ahead: str) -> ScheduledAction:
    at, why = _on_the_day(silence) if ahead == ON_THE_DAY else _ahead(silence, ahead)
    return silence.moment(ActionType.WARN, at, stages.warning(ahead, silence.planning.revision), why)


def _ahead(silence: SilentTurn, ahead: str) -> tuple[datetime, str]:
    return before(silence.until, ahead, silence.hours.zone), f"{in_words(ahead)} before the due date"


def _on_the_day(silence: SilentTurn) -> tuple[datetime, str]:
    """When their hours open on that day; those of the last day that has any, when it has none before the due date."""
    hours, day = silence.hours, silence.hours.local_day(silence.until - _AN_INSTANT)
    slots = hours.slots(day)
    if slots and slots[0].opens < silence.until:
        return slots[0].opens, "on the day of the due date"
    if earlier := hours.last_day(day, silence.came_at):
        return earlier.opens, "on the last working day before the due date"
    usual = at_clock(day, hours.clock[0], hours.zone) if hours.clock else silence.until
    return usual if usual < silence.until else start_of_day(day, hours.zone), "on the day of the due date"


def _placed(silence: SilentTurn, warning: ScheduledAction) -> ScheduledAction:
    if warning.at <= silence.came_at:
        return warning.dropped(Reason.NOT_THEIR_TURN, "their turn came later than that")
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
        return warning.moved(silence.spread_ahead(day.closes, day), "moved into working hours")
    if warning.at < day.opens < silence.until and (at := _opening(silence, day)):
        return warning.moved(at, "moved into working hours")
    return warning


def _from_a_day_off(silence: SilentTurn, warning: ScheduledAction) -> ScheduledAction:
    """On the next working day, if that leaves time to act; else on the last one before."""
    hours = silence.hours
    today, because = hours.local_day(warning.at), hours.why_closed(warning.at)
    later = hours.next_slot(warning.at, silence.until)
    if later and (at := _opening(silence, later)):
        return warning.moved(at, f"moved from {silence.local(warning.at)}: {because}")
    if earlier := hours.last_day(today, silence.came_at):
        words = f"moved earlier from {silence.local(warning.at)}: {because}"
        return warning.moved(silence.spread(earlier.opens, earlier), words)
    whole = OpenSlot(*(start_of_day(day, hours.zone) for day in (today, today + timedelta(days=1))))
    return warning.replace(at=silence.spread_ahead(warning.at, whole))


def _opening(silence: SilentTurn, slot: OpenSlot) -> datetime | None:
    """When to come as a stretch of hours opens, None if too little time would be left from then on."""
    return next((at for at in (silence.spread(slot.opens, slot), slot.opens) if silence.leaves_time(at)), None)
