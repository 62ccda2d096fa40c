"""Parts of an onboarding's stage: which to start, whether the stage is over, decisions, news. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from workflows.follow_up.commands import living_refusal
from workflows.follow_up.notification_types import NotificationType
from workflows.kinds import Kind
from workflows.model.commands import Decision, Ending, NewLink, PartOutcome
from workflows.model.notifications import NoticeAction, NotificationOrder
from workflows.model.onboarding import Onboarding, PartBegun, PartKind, PartPlan, PartToStart, StagePlan
from workflows.model.rejections import Rejection, name_fault, reason_fault, text_fault
from workflows.model.subject import Status
from workflows.model.timeline import EventType
from workflows.names import notice_key
from workflows.onboarding.state import OnboardingState, PartNews, PartProgress, PartState


def to_start(journey: OnboardingState, stage: StagePlan) -> tuple[PartToStart, ...]:
    """Parts to start, and decision tasks for failed ones."""
    parts = [(plan, part) for plan, part in journey.of(stage) if plan.what is not PartKind.NOTICE]
    begin = [
        PartToStart(part=part.id, id=part.run, what=plan.what, content=part.content, again=part.left)
        for plan, part in parts
        if part.state is PartState.COMING
    ]
    ask = [
        PartToStart(
            part=part.id,
            id=part.next_decision,
            what=plan.what,
            after=part.run,
            status=part.status,
            says=part.says if part.since is None else "",
        )
        for plan, part in parts
        if part.to_ask
    ]
    return (*begin, *ask)


def begun(
    journey: OnboardingState, started: PartToStart, *, refused: bool, now: datetime, asked: tuple[str, ...] = ()
) -> OnboardingState:
    """The state after starts: started or refused; meanwhile a part may have ended or been decided about.

    `asked` are people asked first where they differ from the plan.
    """
    part = journey.part(started.part)
    if part is None:
        return journey
    if started.after is None:
        # A part may report before its start is answered: then it has ended already.
        lives = part.state is PartState.COMING and part.run == started.id and not refused
        return journey.begun(part, now, asked) if lives else journey
    if part.state is PartState.UNDECIDED and part.run == started.after:
        return journey.asked_about(part)
    if refused or started.id in journey.to_end.decided:
        return journey
    return journey.within("to_end", decided=(*journey.to_end.decided, started.id))


def others_asked(stage: StagePlan, started: PartToStart, begun: tuple[PartBegun, ...]) -> tuple[str, ...]:
    """People asked first where they differ from the plan: a replaced signer, new team members."""
    if started.after is not None:
        return ()
    planned = next((plan.asked for plan in stage.parts if plan.id == started.part), ())
    asked = next((one.asked for one in begun if one.id == started.id), planned)
    return asked if asked != planned else ()


def may_have_begun(journey: OnboardingState, stages: tuple[StagePlan, ...]) -> tuple[str, ...]:
    """Workflow ids of unanswered starts at the end: they may exist."""
    if len(journey.stages.entered) <= journey.stages.current:
        return ()
    starting = to_start(journey, stages[journey.stages.current])
    kinds = ((Kind.TASK if one.after else one.what.runs_as, one.id) for one in starting)
    return tuple(kind.workflow_id(id) for kind, id in kinds if kind)


def is_over(journey: OnboardingState, stage: StagePlan) -> bool:
    """Whether a stage waits for nothing."""
    return all(part.state.over for _, part in journey.of(stage))


TRIES_AT_MOST: Final = 20
"""How often a part is started."""


def refuse_decide(journey: OnboardingState, command: Decision) -> str | None:
    part = journey.part(command.part)
    if why := living_refusal(journey) or name_fault(command.actor):
        return why
    if part is None:
        return Rejection.NO_PART.says(part=command.part[:100], parts=", ".join(one.id for one in journey.parts[:20]))
    if part.state is not PartState.UNDECIDED:
        return Rejection.NOTHING_TO_DECIDE.says(part=part.id, state=_stands(part))
    if not command.choice.again:
        return text_fault(command.reason, "the reason")
    return _refuse_again(part, command) or reason_fault(command.reason, "the reason")


def _stands(part: PartProgress) -> str:
    if part.state is PartState.COMING and part.tries > 1:
        return "to be started again by a decision that was made already"
    return str(part.state if part.state is PartState.WAIVED else part.status or part.state)


def _refuse_again(part: PartProgress, command: Decision) -> str | None:
    if command.choice is PartOutcome.REPLACE and command.content is None:
        return Rejection.NO_FILE.says()
    often = part.tries >= TRIES_AT_MOST
    return Rejection.STARTED_TOO_OFTEN.says(part=part.id, count=part.tries) if often else None


def refuse_send_link(journey: OnboardingState, command: NewLink, customers: tuple[str, ...]) -> str | None:
    if why := living_refusal(journey) or name_fault(command.actor):
        return why
    return None if command.actor in customers else f"{command.actor} is none of the customer's people"


def send_link(journey: OnboardingState, command: NewLink, now: datetime) -> OnboardingState:
    """Request the actor's link; a pending one serves as well."""
    if command.actor in journey.links.wanted:
        return journey
    return journey.within("links", wanted=(*journey.links.wanted, command.actor)).note(
        now, EventType.LINK_WISHED, command.actor, None
    )


def decide(journey: OnboardingState, command: Decision, now: datetime) -> OnboardingState:
    decided = EventType(f"decided_{command.choice}")
    updated = journey.note(now, decided, command.actor, command.reason or None, about=command.part, said=True)
    if command.choice is PartOutcome.STOP:
        return updated.close(Ending(outcome=Status.CANCELLED, who=command.actor, why=command.reason), now)
    return updated.decide(command)


def news_of(journey: OnboardingState, stage: StagePlan) -> Iterator[tuple[PartPlan, PartProgress, PartNews]]:
    """Unannounced events of a stage's parts, in order."""
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
    """Notifications of one event: of news to the file's recipients, else to the customer."""
    said = what is PartNews.NOTICE
    for person in plan.asked if said else (onboarding.customer,):
        notice = _notice(onboarding, f"{what}-{plan.id}", person)
        yield notice.replace(title=None if said else plan.title, text=plan.text if said else None)


def link_notices(onboarding: Onboarding, journey: OnboardingState) -> tuple[NotificationOrder, ...]:
    stage = f"{NotificationType.LINK}-{journey.links.sent + 1}"
    return tuple(_notice(onboarding, stage, person) for person in journey.links.wanted)


def _notice(onboarding: Onboarding, stage: str, person: str) -> NotificationOrder:
    return NotificationOrder(
        key=notice_key(onboarding.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN
    )
