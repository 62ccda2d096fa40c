"""What an onboarding tells people itself: news of its parts, and the link to their page once more. Pure."""

from collections.abc import Iterator

from workflows.follow_up.stages import NotificationType
from workflows.model.notices import NoticeAction, NotificationOrder
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, StagePlan
from workflows.names import notice_key
from workflows.onboarding.journey import OnboardingState
from workflows.onboarding.part import PartNews, PartProgress, PartState


def news_of(journey: OnboardingState, stage: StagePlan) -> Iterator[tuple[PartPlan, PartProgress, PartNews]]:
    """What people are still to be told of the parts of a stage, in the order in which it happened."""
    for plan, part in journey.of(stage):
        for news in _news(plan, part):
            if news not in part.told:
                yield plan, part, news


def _news(plan: PartPlan, part: PartProgress) -> Iterator[PartNews]:
    if plan.what is PartKind.NOTICE:
        yield PartNews.NOTICE
    if plan.tell_customer and part.since is not None:
        yield PartNews.BEGUN
        if part.state is PartState.DONE:
            yield PartNews.FINISHED


def notices_of(onboarding: Onboarding, plan: PartPlan, what: PartNews) -> Iterator[NotificationOrder]:
    """The notices of one piece of news: those of the file to whom it says, others to the customer."""
    said = what is PartNews.NOTICE
    for person in plan.asked if said else (onboarding.customer,):
        notice = _notice(onboarding, f"{what}-{plan.id}", person)
        yield notice.replace(title=None if said else plan.title, text=plan.text if said else None)


def link_notices(onboarding: Onboarding, journey: OnboardingState) -> tuple[NotificationOrder, ...]:
    """Their links to those who wished them."""
    stage = f"{NotificationType.LINK}-{journey.links_sent + 1}"
    return tuple(_notice(onboarding, stage, person) for person in journey.links)


def _notice(onboarding: Onboarding, stage: str, person: str) -> NotificationOrder:
    return NotificationOrder(
        key=notice_key(onboarding.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN
    )
