"""What becomes of a planned moment in the hours of whoever hears it: kept, moved or dropped, with the reason."""

from datetime import datetime, timedelta
from typing import Final

from activities.follow_up.open_hours import OpenHours
from workflows.model.planning import Moment, MomentKind, Reason

_AN_INSTANT: Final = timedelta(seconds=1)


def kept_to(hours: OpenHours, moment: Moment, now: datetime, before: datetime) -> Moment:
    """The moment kept to its recipient's hours, if there are any before it is over.

    A missed one waits for the next ones, and one that cannot be sent in its own is not tried beyond them: an outage
    that ends at night wakes nobody. Where none are left only a last warning is made up for.
    """
    # Once it is over, the hours that are open now are the last.
    slot = hours.next_slot(max(moment.at, now), max(before, now + _AN_INSTANT))
    last_word = moment.kind is MomentKind.WARN
    if slot is None:
        return closed(hours, moment, now, before) if moment.at < now and not last_word else moment
    again = not last_word or hours.next_slot(slot.closes, before)
    ends = again and not hours.open_at(slot.closes)
    return moment.replace(
        held_until=slot.opens if moment.at < now < slot.opens else None, open_until=slot.closes if ends else None
    )


def closed(hours: OpenHours, moment: Moment, at: datetime, before: datetime, end: str = "the due date") -> Moment:
    """The moment as one for which its recipient has no open hours between an instant and the `end` of the wait."""
    reason = Reason.ABSENT if hours.absence_matters(at, before) else Reason.QUIET_HOURS
    return dropped(moment, reason, f"no open hours before {end}")


def dropped(moment: Moment, reason: Reason, because: str) -> Moment:
    """The moment as one that will not be sent, with the reason."""
    return moment.replace(suppressed=reason, why=f"{moment.why}; {because}")


def moved(moment: Moment, at: datetime, because: str) -> Moment:
    """The moment at another instant, with the reason."""
    return moment.replace(at=at, why=f"{moment.why}, {because}")
