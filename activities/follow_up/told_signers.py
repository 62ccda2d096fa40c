"""When a silent signer hears that somebody else was alerted: with the alert, or in their own next open hours."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from activities.follow_up.mailed import mailed
from activities.follow_up.open_hours import OpenSlot
from activities.follow_up.silence import SilentTurn
from workflows.follow_up.agenda import APART, too_close
from workflows.follow_up.stages import NotificationType
from workflows.model.planning import ActionType, ScheduledAction
from workflows.model.policy import EscalationAction


def told_of(
    escalations: Iterable[ScheduledAction], nudges: Iterable[ScheduledAction], silence: SilentTurn
) -> list[ScheduledAction]:
    """A moment for each alert that will be sent; whoever is replaced is told of that instead."""
    alerts = [one for one in escalations if one.suppressed is None and one.action is EscalationAction.NOTIFY]
    others = sorted(nudge.at for nudge in nudges if nudge.suppressed is None)
    return [silence.held(mailed(silence, _told(alert, others, silence), max(others, default=None))) for alert in alerts]


def _told(alert: ScheduledAction, others: list[datetime], silence: SilentTurn) -> ScheduledAction:
    told = silence.moment(ActionType.ESCALATED, alert.at, NotificationType.ESCALATED, f"{alert.to} was alerted")
    first = None
    for at, slot in _occasions(alert.at, silence):
        first = first or at
        apart = _apart(at, others)
        if apart in slot and apart < silence.until:
            return _moved(told, first, apart)
    return _moved(told, first, first) if first else silence.closed(told, alert.at)


def _moved(told: ScheduledAction, opens: datetime, at: datetime) -> ScheduledAction:
    if opens != told.at:
        told = told.moved(opens, "moved into working hours")
    return told.moved(at, "apart from other notices") if at != told.at else told


def _occasions(since: datetime, silence: SilentTurn) -> Iterator[tuple[datetime, OpenSlot]]:
    """The earliest instant of each stretch of open hours between an instant and the end of the wait."""
    while slot := silence.hours.next_slot(since, silence.until):
        yield (since if since in slot else silence.spread(slot.opens, slot)), slot
        since = slot.closes


def _apart(at: datetime, others: list[datetime]) -> datetime:
    """The instant, or an hour after the nudges that would come together with it."""
    for other in others:
        at = other + APART if too_close(at, (other,)) else at
    return at
