"""What people may wish of an onboarding beside its end: each wish has a refusal in words, and an effect. Pure."""

from datetime import datetime
from typing import Final

from workflows.follow_up.operations import living_refusal
from workflows.model.happened import EventType
from workflows.model.objections import Rejection
from workflows.model.subject import Status
from workflows.model.texts import name_fault, reason_fault, text_fault
from workflows.model.wishes import Decision, Ending, NewLink, PartOutcome
from workflows.onboarding.journey import OnboardingState
from workflows.onboarding.part import PartProgress, PartState

TRIES_AT_MOST: Final = 20
"""How often a part is started."""


def refuse_decide(journey: OnboardingState, wish: Decision) -> str | None:
    """Why this cannot be decided."""
    part = journey.part(wish.part)
    if why := living_refusal(journey) or name_fault(wish.actor):
        return why
    if part is None:
        return Rejection.NO_PART.says(part=wish.part[:100], parts=", ".join(one.id for one in journey.parts[:20]))
    if part.state is not PartState.UNDECIDED:
        return Rejection.NOTHING_TO_DECIDE.says(part=part.id, state=_stands(part))
    if not wish.choice.again:
        return text_fault(wish.reason, "the reason")
    return _refuse_again(part, wish) or reason_fault(wish.reason, "the reason")


def _stands(part: PartProgress) -> str:
    if part.state is PartState.COMING and part.tries > 1:
        return "to be started again by a decision that was made already"
    return str(part.state if part.state is PartState.WAIVED else part.status or part.state)


def _refuse_again(part: PartProgress, wish: Decision) -> str | None:
    if wish.choice is PartOutcome.REPLACE and wish.content is None:
        return Rejection.NO_FILE.says()
    often = part.tries >= TRIES_AT_MOST
    return Rejection.STARTED_TOO_OFTEN.says(part=part.id, count=part.tries) if often else None


def refuse_send_link(journey: OnboardingState, wish: NewLink, customers: tuple[str, ...]) -> str | None:
    """Why somebody cannot be sent a link."""
    if why := living_refusal(journey) or name_fault(wish.actor):
        return why
    return None if wish.actor in customers else f"{wish.actor} is none of the customer's people"


def send_link(journey: OnboardingState, wish: NewLink, now: datetime) -> OnboardingState:
    """Have whoever wishes it sent their link; one that is still to be sent serves them as well."""
    if wish.actor in journey.links:
        return journey
    return journey.replace(links=(*journey.links, wish.actor)).note(now, EventType.LINK_WISHED, wish.actor, None)


def decide(journey: OnboardingState, wish: Decision, now: datetime) -> OnboardingState:
    """Do what the owner has decided."""
    decided = EventType(f"decided_{wish.choice}")
    known = journey.note(now, decided, wish.actor, wish.reason or None, about=wish.part, said=True)
    if wish.choice is PartOutcome.STOP:
        return known.close(Ending(outcome=Status.CANCELLED, who=wish.actor, why=wish.reason), now)
    return known.decide(wish)
