"""The other channel: whoever has had a push for so long without opening it is told by mail or SMS, once."""

from collections.abc import Iterable

from activities.calendars.wall_clock import after, in_words
from activities.follow_up.open_hours import OpenSlot
from activities.follow_up.silence import SilentTurn
from workflows.follow_up.agenda import APART, too_close
from workflows.follow_up.stages import NotificationType
from workflows.model.planning import ActionType, Reason, ScheduledAction


def fallback(silence: SilentTurn, nudges: Iterable[ScheduledAction]) -> list[ScheduledAction]:
    """The moment of it, in their open hours and an hour from any of `nudges`; none where the policy wants none.

    Whether they have opened it, and whether nothing but a push has reached them, is looked at then.
    """
    wait = silence.policy.fallback_after
    if wait is None:
        return []
    at = after(silence.since, wait, silence.hours.zone)
    moment = silence.moment(
        ActionType.FALLBACK, at, NotificationType.FALLBACK, f"not opened {in_words(wait)} after they were asked"
    )
    # Other signers may get the mail as well, where it is Core Signature's.
    moment = moment.replace(wakes_others=True)
    if at >= silence.closes:
        return [moment.dropped(Reason.SUPERSEDED, "after it closes")]
    slot = silence.hours.next_slot(at, silence.closes)
    if slot is None:
        return [silence.closed(moment, at)]
    if at not in slot:
        moment = moment.moved(
            silence.spread(slot.opens, slot), f"moved from {silence.local(at)}: {silence.hours.why_closed(at)}"
        )
    return [silence.held(_apart(moment, nudges, slot))]


def _apart(moment: ScheduledAction, nudges: Iterable[ScheduledAction], slot: OpenSlot) -> ScheduledAction:
    at = moment.at
    for nudge in sorted(one.at for one in nudges if one.suppressed is None):
        at = nudge + APART if too_close(at, (nudge,)) else at
    return moment.moved(at, "apart from other notices") if at != moment.at and at in slot else moment
