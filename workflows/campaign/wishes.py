"""What people may wish of a campaign beside its end: each wish has a refusal in words, and an effect. Pure."""

from datetime import datetime
from typing import Final

from workflows.campaign.course import CHANGES_AT_MOST, TOO_LATE, WISHES_AT_MOST, CampaignState
from workflows.follow_up.operations import living_refusal, refuse_extend
from workflows.model.campaign import ChangeKind
from workflows.model.texts import name_fault, text_fault
from workflows.model.wishes import Exemption, Extension, Retry

_OF_IDS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_ID_AT_MOST: Final = 100


def refuse_exempt(course: CampaignState, wish: Exemption, now: datetime) -> str | None:
    """Why nobody can be exempt now; whether this person may be is known to the record alone."""
    if why := _not_now(course, wish.actor, now) or text_fault(wish.reason, "the reason"):
        return why
    is_id = _OF_IDS.issuperset(wish.person) and 0 < len(wish.person) <= _ID_AT_MOST
    return None if is_id else "the person is no id of the audience: the report has them"


def exempt(course: CampaignState, wish: Exemption, now: datetime) -> CampaignState:
    """Have it written down that somebody need not acknowledge."""
    return course.wishing(ChangeKind.EXEMPT, wish.actor, now, person=wish.person, reason=wish.reason)


def refuse_later(course: CampaignState, wish: Extension, now: datetime) -> str | None:
    """Why it cannot stay open until then."""
    if why := _not_now(course, wish.actor, now) or refuse_extend(course, wish, now):
        return why
    if isinstance(wish.due, datetime):
        return "a campaign ends with a day, which is over for everybody at another hour: give a date"
    due = course.everybodys_due
    return None if wish.due > due else f"everybody has until {due} already: give a later day"


def later(course: CampaignState, wish: Extension, now: datetime) -> CampaignState:
    """Have everybody given until that day."""
    return course.wishing(ChangeKind.EXTENDED, wish.actor, now, due=wish.due, reason=wish.reason)


def refuse_retry(course: CampaignState, wish: Retry, now: datetime) -> str | None:
    """Why nobody is asked again."""
    return _not_now(course, wish.actor, now)


def retry(course: CampaignState, wish: Retry, now: datetime) -> CampaignState:
    """Have those asked again who could not be asked; who that is, is found out when it is done."""
    return course.wishing(ChangeKind.AGAIN, wish.actor, now)


def _not_now(course: CampaignState, actor: str, now: datetime) -> str | None:
    if why := living_refusal(course) or name_fault(actor):
        return why
    if course.frozen is None:
        return "the campaign has not opened yet"
    if course.closing or (course.closes_at and now >= course.closes_at):
        return TOO_LATE
    if course.changes + len(course.wished) >= CHANGES_AT_MOST:
        return f"the audience was changed {CHANGES_AT_MOST:,} times already"
    return "too many changes wait to be written down: try again later" if len(course.wished) >= WISHES_AT_MOST else None
