"""What of a stage is to be started, what has been, and whether anything of it is still waited for. Pure."""

from datetime import datetime

from workflows.kinds import Kind
from workflows.model.onboarding import PartBegun, PartKind, PartToStart, StagePlan
from workflows.onboarding.journey import OnboardingState
from workflows.onboarding.part import PartState


def to_start(journey: OnboardingState, stage: StagePlan) -> tuple[PartToStart, ...]:
    """The parts of a stage whose workflow is to be started, and the tasks to decide about what went wrong."""
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
    """What was to be started has been, or was refused; meanwhile it may have ended, or have been decided about.

    `asked` are those whom it asks first, where that are others than were planned.
    """
    part = journey.part(started.part)
    if part is None:
        return journey
    if started.after is None:
        # A part that was heard of before its start was answered has ended already.
        lives = part.state is PartState.COMING and part.run == started.id and not refused
        return journey.begun(part, now, asked) if lives else journey
    if part.state is PartState.UNDECIDED and part.run == started.after:
        return journey.asked_about(part)
    if refused or started.id in journey.decided:
        return journey
    return journey.replace(decided=(*journey.decided, started.id))


def others_asked(stage: StagePlan, started: PartToStart, begun: tuple[PartBegun, ...]) -> tuple[str, ...]:
    """Whom a part asks first, where that are others than were planned: another signer by a decision, new members."""
    if started.after is not None:
        return ()
    planned = next((plan.asked for plan in stage.parts if plan.id == started.part), ())
    asked = next((one.asked for one in begun if one.id == started.id), planned)
    return asked if asked != planned else ()


def may_have_begun(journey: OnboardingState, stages: tuple[StagePlan, ...]) -> tuple[str, ...]:
    """The workflow ids of what was being started when it ended: nobody knows how far that came."""
    if len(journey.entered) <= journey.stage:
        return ()
    starting = to_start(journey, stages[journey.stage])
    kinds = ((Kind.TASK if one.after else one.what.runs_as, one.id) for one in starting)
    return tuple(kind.workflow_id(id) for kind, id in kinds if kind)


def is_over(journey: OnboardingState, stage: StagePlan) -> bool:
    """Whether a stage waits for nothing any more."""
    return all(part.state.over for _, part in journey.of(stage))
