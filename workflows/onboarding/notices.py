"""What an onboarding tells people itself: news of its parts, and the link to their page once more. Pure."""

from collections.abc import Iterator

from workflows.follow_up.stages import Stage
from workflows.model.notices import Notice, NoticeAction
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, StagePlan
from workflows.names import notice_key
from workflows.onboarding.journey import Journey
from workflows.onboarding.part import News, Part, PartState


def news_of(journey: Journey, stage: StagePlan) -> Iterator[tuple[PartPlan, Part, News]]:
    """What people are still to be told of the parts of a stage, in the order in which it happened."""
    for plan, part in journey.of(stage):
        for news in _news(plan, part):
            if news not in part.told:
                yield plan, part, news


def _news(plan: PartPlan, part: Part) -> Iterator[News]:
    if plan.what is PartKind.NOTICE:
        yield News.NOTICE
    if plan.tell_customer and part.since is not None:
        yield News.BEGUN
        if part.state is PartState.DONE:
            yield News.FINISHED


def notices_of(onboarding: Onboarding, plan: PartPlan, what: News) -> Iterator[Notice]:
    """The notices of one piece of news: those of the file to whom it says, others to the customer."""
    said = what is News.NOTICE
    for person in plan.asked if said else (onboarding.customer,):
        notice = _notice(onboarding, f"{what}-{plan.id}", person)
        yield notice.replace(title=None if said else plan.title, text=plan.text if said else None)


def link_notices(onboarding: Onboarding, journey: Journey) -> tuple[Notice, ...]:
    """Their links to those who wished them."""
    stage = f"{Stage.LINK}-{journey.links_sent + 1}"
    return tuple(_notice(onboarding, stage, person) for person in journey.links)


def _notice(onboarding: Onboarding, stage: str, person: str) -> Notice:
    return Notice(key=notice_key(onboarding.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN)
