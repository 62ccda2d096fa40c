"""When a silent signer hears that somebody else was alerted: with the alert, or in their own next open hours."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from activities.follow_up.mailed import mailed
from activities.follow_up.open_hours import Slot
from activities.follow_up.waiting import Waiting, moved
from workflows.follow_up.agenda import APART
from workflows.follow_up.stages import Stage
from workflows.model.planning import Moment, MomentKind
from workflows.model.policy import EscalationAction


def told_of(escalations: Iterable[Moment], nudges: Iterable[Moment], waiting: Waiting) -> list[Moment]:
    """A moment for each alert that will be sent; whoever is replaced is told of that instead."""
    alerts = [one for one in escalations if one.suppressed is None and one.action is EscalationAction.NOTIFY]
    others = sorted(nudge.at for nudge in nudges if nudge.suppressed is None)
    return [waiting.held(mailed(waiting, _told(alert, others, waiting), max(others, default=None))) for alert in alerts]


def _told(alert: Moment, others: list[datetime], waiting: Waiting) -> Moment:
    told = waiting.moment(MomentKind.ESCALATED, alert.at, Stage.ESCALATED, f"{alert.to} was alerted")
    first = None
    for at, slot in _occasions(alert.at, waiting):
        first = first or at
        apart = _apart(at, others)
        if apart in slot and apart < waiting.until:
            return _moved(told, apart)
    return _moved(told, first) if first else waiting.closed(told, alert.at)


def _moved(told: Moment, at: datetime) -> Moment:
    return told if at == told.at else moved(told, at, "moved into working hours, apart from other notices")


def _occasions(since: datetime, waiting: Waiting) -> Iterator[tuple[datetime, Slot]]:
    """The earliest instant of each stretch of open hours between an instant and the end of the wait."""
    while slot := waiting.hours.next_slot(since, waiting.until):
        yield (since if since in slot else waiting.spread(slot.opens, slot)), slot
        since = slot.closes


def _apart(at: datetime, others: list[datetime]) -> datetime:
    """The instant, or an hour after the nudges that would come together with it."""
    for other in others:
        at = other + APART if abs(at - other) < APART else at
    return at
