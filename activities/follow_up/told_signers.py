"""When a silent signer hears that somebody else was alerted: with the alert, or in their own next open hours."""

from collections.abc import Iterable

from activities.follow_up.waiting import Waiting, moved
from workflows.model import EscalationAction, Moment, MomentKind


def told_of(escalations: Iterable[Moment], waiting: Waiting) -> list[Moment]:
    """A moment for each alert that will be sent; whoever is replaced is told of that instead."""
    alerts = [one for one in escalations if one.suppressed is None and one.action is EscalationAction.NOTIFY]
    return [waiting.held(_told(alert, waiting)) for alert in alerts]


def _told(alert: Moment, waiting: Waiting) -> Moment:
    told = waiting.moment(MomentKind.ESCALATED, alert.at, "escalated", f"{alert.to} was alerted")
    slot = waiting.hours.next_slot(alert.at, waiting.due)
    if slot is None or alert.at in slot:
        return told
    return moved(told, waiting.spread(slot.opens, slot), "moved into working hours")
