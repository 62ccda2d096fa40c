"""What people may wish of a campaign beside its end: each wish has a refusal in words, and an effect. Pure."""

from datetime import datetime

from workflows.campaign.course import WISHES_AT_MOST, Course
from workflows.follow_up.operations import living_refusal, refuse_extend
from workflows.model.campaign import ChangeKind
from workflows.model.texts import name_fault, text_fault
from workflows.model.wishes import Exemption, Extension, Retry


def refuse_exempt(course: Course, wish: Exemption) -> str | None:
    """Why nobody can be exempt now; whether this person may be is known to the record alone."""
    return (
        _not_now(course, wish.actor) or name_fault(wish.person, "the person") or text_fault(wish.reason, "the reason")
    )


def exempt(course: Course, wish: Exemption, now: datetime) -> Course:
    """Have it written down that somebody need not acknowledge."""
    return course.wishing(ChangeKind.EXEMPT, wish.actor, now, person=wish.person, reason=wish.reason)


def refuse_later(course: Course, wish: Extension, now: datetime) -> str | None:
    """Why it cannot stay open until then."""
    if why := _not_now(course, wish.actor) or refuse_extend(course, wish, now):
        return why
    if isinstance(wish.due, datetime):
        return "a campaign ends with a day, which is over for everybody at another hour: give a date"
    return None if wish.due > course.last_due else f"somebody has until {course.last_due}: give a later day"


def later(course: Course, wish: Extension, now: datetime) -> Course:
    """Have everybody given until that day."""
    return course.wishing(ChangeKind.EXTENDED, wish.actor, now, due=wish.due)


def refuse_retry(course: Course, wish: Retry) -> str | None:
    """Why nobody is asked again."""
    return _not_now(course, wish.actor)


def retry(course: Course, wish: Retry, now: datetime) -> Course:
    """Have those asked again who could not be asked; who that is, is found out when it is done."""
    return course.wishing(ChangeKind.AGAIN, wish.actor, now)


def _not_now(course: Course, actor: str) -> str | None:
    if why := living_refusal(course) or name_fault(actor):
        return why
    if course.frozen is None:
        return "the campaign has not opened yet"
    if course.waits:
        return "too late: the campaign is being closed"
    return "too many changes wait to be written down: try again later" if len(course.wished) >= WISHES_AT_MOST else None
