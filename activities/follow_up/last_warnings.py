"""The last warnings: so long before the due date, and never later than the last working day before it.

They may come outside working hours, because what they warn of is worse; one that would fall on a day off comes on the
morning of the last working day before, and of two that would then come together the later one is kept. They count from
the due date: however long the clocks stood, a warning is left out only if the signer's turn came later.
"""

from datetime import datetime, timedelta
from typing import Final

from activities.calendars.wall_clock import before, in_words, start_of_day
from activities.follow_up.mailed import warned
from activities.follow_up.open_hours import Slot
from activities.follow_up.waiting import Waiting, dropped, moved
from workflows.follow_up import stages
from workflows.follow_up.agenda import APART
from workflows.model.planning import Moment, MomentKind, Reason

ON_THE_DAY: Final = "0d"
_AN_INSTANT: Final = timedelta(microseconds=1)


def last_warnings(waiting: Waiting) -> list[Moment]:
    """Every warning of the policy, latest first; those that are dropped carry their reason."""
    found: list[Moment] = []
    for warning in sorted((_nominal(waiting, ahead) for ahead in waiting.policy.warnings), key=_at, reverse=True):
        placed = warned(waiting, _placed(waiting, warning))
        kept = [other.at for other in found if other.suppressed is None]
        if placed.suppressed is None and any(placed.at > at - APART for at in kept):
            placed = dropped(placed, Reason.TOO_SOON, "the warning after it comes within the hour")
        found.append(waiting.held(placed))
    return found


def _nominal(waiting: Waiting, ahead: str) -> Moment:
    at, why = _on_the_day(waiting) if ahead == ON_THE_DAY else _ahead(waiting, ahead)
    return waiting.moment(MomentKind.WARN, at, stages.warning(ahead, waiting.revision), why)


def _ahead(waiting: Waiting, ahead: str) -> tuple[datetime, str]:
    return before(waiting.until, ahead, waiting.hours.zone), f"{in_words(ahead)} before the due date"


def _on_the_day(waiting: Waiting) -> tuple[datetime, str]:
    """When their hours open on that day; those of the last day that has any, when it has none before the due date."""
    hours, day = waiting.hours, waiting.hours.local_day(waiting.until - _AN_INSTANT)
    slots = hours.slots(day)
    if slots and slots[0].opens < waiting.until:
        return slots[0].opens, "on the day of the due date"
    if earlier := hours.last_day(day, waiting.came_at):
        return earlier.opens, "on the last working day before the due date"
    return start_of_day(day, hours.zone), "on the day of the due date"


def _at(moment: Moment) -> datetime:
    return moment.at


def _placed(waiting: Waiting, warning: Moment) -> Moment:
    if warning.at <= waiting.came_at:
        return dropped(warning, Reason.NOT_THEIR_TURN, "their turn came later than that")
    if waiting.policy.urgent:
        return warning
    slots = waiting.hours.slots(waiting.hours.local_day(warning.at))
    if not slots:
        return _on_the_last_working_day(waiting, warning)
    return _on_its_day(waiting, warning, Slot(slots[0].opens, slots[-1].closes))


def _on_its_day(waiting: Waiting, warning: Moment, day: Slot) -> Moment:
    # Ahead of its instant, because a day before the end of the working day is the end of a working day.
    if day.opens <= warning.at <= day.closes:
        return warning.replace(at=waiting.spread(warning.at, day, ahead=True))
    if warning.at > day.closes > waiting.came_at:
        return moved(warning, waiting.spread(day.closes, day, ahead=True), "moved into working hours")
    if warning.at < day.opens < waiting.until:
        return moved(warning, waiting.spread(day.opens, day), "moved into working hours")
    return warning


def _on_the_last_working_day(waiting: Waiting, warning: Moment) -> Moment:
    hours = waiting.hours
    slot = hours.last_day(hours.local_day(warning.at), waiting.came_at)
    if slot is None:
        return warning.replace(at=waiting.spread(warning.at, None, ahead=True))
    because = f"moved earlier from {waiting.local(warning.at)}: {hours.why_closed(warning.at)}"
    return moved(warning, waiting.spread(slot.opens, slot), because)
