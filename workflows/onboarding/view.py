"""The onboarding's view (`onboard show`) from its state, for whom its parts wait, and the facts of its end."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import workflows.follow_up.view as follow_up
from workflows.follow_up.view import stamp
from workflows.kinds import Kind
from workflows.model.hand_off import SettledOnboarding, SettledPart
from workflows.model.onboarding import PartKind, PartPlan
from workflows.model.views import (
    NextAction,
    NextStep,
    NoticeLine,
    OnboardingShow,
    PartLine,
    PartTurn,
    StageLine,
    TurnLine,
    WaitingPart,
)
from workflows.onboarding.state import OnboardingInput, OnboardingState, PartProgress, PartState

SHOWN_AT_MOST: Final = 20
"""Parts that the Web UI's details list."""
CUSTOMER: Final = "customer"
"""The word of the file for them."""
OWNER: Final = "owner"
"""The word of the file for whoever owns the onboarding."""


def show(request: OnboardingInput, journey: OnboardingState, now: datetime) -> OnboardingShow:
    """The view at `now`; details that only parts know are added outside."""
    waiting = () if journey.status.has_ended else tuple(_waiting_for(request, journey))
    facts = dict(follow_up.facts(request.subject, journey, now))
    following = facts["next"] if journey.status.has_ended or journey.problems.current else _next(journey, waiting)
    return OnboardingShow(
        **{
            **facts,
            "waiting_for": waiting,
            "next": following,
            "says": _sentence(journey, facts["says"], waiting),
            "title": request.onboarding.title,
            "customer": request.onboarding.customer,
            "colleagues": tuple(participant.person for participant in request.onboarding.people[1:]),
            "teams": request.onboarding.teams,
            "stage": journey.phase,
            "stages": tuple(_stage(request, journey, number) for number in range(len(request.stages))),
        }
    )


def settled(request: OnboardingInput, journey: OnboardingState) -> SettledOnboarding:
    """The facts to hand off."""
    if journey.lifecycle.settled_at is None:
        raise ValueError("the onboarding has not ended")
    parts = (
        SettledPart(id=plan.id, what=plan.what, kind=plan.kind, state=_ended_as(part), at=part.at)
        for stage in request.stages
        for plan, part in journey.parts_of_stage(stage)
        if plan.what is not PartKind.NOTICE
    )
    return SettledOnboarding(
        onboarding=request.onboarding.id,
        kind=request.onboarding.kind,
        outcome=journey.status,
        at=journey.lifecycle.settled_at,
        parts=tuple(parts),
    )


def details(view: OnboardingShow, namespace: str) -> str:
    """Web UI details in Markdown: the stages, with a link to each open part."""
    lines = [f"### {view.says}"]
    for stage in view.stages:
        since_clause = f" since {stamp(stage.since)}" if stage.state == "open" else ""
        lines += ["", f"**{stage.name}** · {stage.state}{since_clause}"]
        if stage.state == "open":
            # No nested lists: the Web UI joins their lines.
            lines += ["", *(f"- {_part_words(part, namespace)}" for part in stage.parts[:SHOWN_AT_MOST])]
            if (hidden_count := len(stage.parts) - SHOWN_AT_MOST) > 0:
                lines.append(f"- and {hidden_count} more")
    lines += ["", *(f"- to be told: {h.target} · {h.state} · {h.attempts} attempts" for h in view.handoffs)]
    return "\n".join(lines)


def waiting_for(line: PartLine, turn: PartTurn, owner: str) -> Iterator[WaitingPart]:
    """For whom an open part waits by its own report: who is to answer a question, else the pending people.

    Nobody before the part asks anybody.
    """
    if turn.asks:
        task, asks = f"answer about {line.title}", turn.asks
        role = OWNER if asks.person == owner else asks.person
        yield WaitingPart(person=asks.person, since=asks.since, who=role, what=task, part=line.id)
        return
    for waiting in turn.waiting_for:
        role = OWNER if waiting.person == owner else line.called(waiting.person)
        yield WaitingPart(person=waiting.person, since=waiting.since, who=role, what=line.title, part=line.id)


def as_planned(line: PartLine, first_people: tuple[str, ...]) -> Iterator[WaitingPart]:
    """For whom a part waits before its first report: the people asked first."""
    if line.since is None:
        return
    for person in first_people or (line.team or "",):
        yield WaitingPart(person=person, since=line.since, who=line.called(person), what=line.title, part=line.id)


def deciding(line: PartLine, turn: PartTurn | None, owner: str) -> Iterator[WaitingPart]:
    """Who decides about a failed part: its owner or their replacement."""
    if line.at is None:
        return
    due = WaitingPart(person=owner, since=line.at, who=OWNER, what=f"decide about {line.title}", part=line.id)
    deputies = [waiting for waiting in turn.waiting_for if waiting.person != owner] if turn else []
    yield from (due.replace(person=waiting.person, since=waiting.since, who=waiting.person) for waiting in deputies)
    if not deputies:
        yield due


def turn_lines(plan: PartPlan, part: PartProgress) -> tuple[TurnLine, ...]:
    """For whom a part waited since its start, each with its instant."""
    reported = tuple(TurnLine(people=_people(turn), since=turn.at) for turn in part.turns)
    if part.since is None or (reported and reported[0].since <= part.since):
        return reported
    return (TurnLine(people=plan.asked, since=part.since), *reported) if reported else ()


def _part_words(part: PartLine, namespace: str) -> str:
    name = f"{part.id}: {part.title}"
    if part.workflow:
        page = f"/namespaces/{namespace}/workflows/{part.workflow.replace(':', '%3A')}"
        name = f"[{part.id}]({page}): {part.title}"
    status = part.status or part.state
    return " · ".join(
        filter(None, (name, str(status), part.team, part.says, f"decide: {part.id}" if part.decision else ""))
    )


def _stage(request: OnboardingInput, journey: OnboardingState, number: int) -> StageLine:
    stage = request.stages[number]
    parts = journey.parts_of_stage(stage)
    entered = journey.stages.entered[number] if number < len(journey.stages.entered) else None
    is_over = number < journey.stages.current
    return StageLine(
        name=stage.name,
        state="done" if is_over else _not_over(journey, entered),
        since=entered,
        at=max((instant for instant in (entered, *(part.at for _, part in parts)) if instant), default=None)
        if is_over
        else None,
        agreements=_lines(request, parts, PartKind.AGREEMENT),
        tasks=_lines(request, parts, PartKind.TASK),
        steps=_lines(request, parts, PartKind.STEP),
        notices=tuple(
            NoticeLine(id=plan.id, to=plan.team or "", title=plan.title, state=part.state, at=part.at)
            for plan, part in parts
            if plan.what is PartKind.NOTICE
        ),
    )


def _not_over(journey: OnboardingState, entered: datetime | None) -> str:
    if journey.status.has_ended:
        return "stopped"
    return "coming" if entered is None else "open"


def _lines(
    request: OnboardingInput, parts: tuple[tuple[PartPlan, PartProgress], ...], part_kind: PartKind
) -> tuple[PartLine, ...]:
    return tuple(_line(request, plan, part) for plan, part in parts if plan.what is part_kind)


def _line(request: OnboardingInput, plan: PartPlan, part: PartProgress) -> PartLine:
    runs_as, was_started = plan.what.runs_as, part.since is not None
    return PartLine(
        id=plan.id,
        title=plan.title,
        state=part.state,
        kind=plan.kind,
        status=part.status,
        team=plan.team,
        members=plan.members,
        told=plan.tell_customer or plan.team == CUSTOMER,
        workflow=runs_as.workflow_id(part.run) if runs_as and was_started else None,
        decision=Kind.TASK.workflow_id(part.decision) if part.deciding else None,
        since=part.since,
        at=part.at,
        says=part.says,
        content=part.content or request.onboarding.content,
        turns=turn_lines(plan, part),
    )


def _ended_as(part: PartProgress) -> str:
    return str(part.status) if part.state is PartState.DONE and part.status else str(part.state)


def _waiting_for(request: OnboardingInput, journey: OnboardingState) -> Iterator[WaitingPart]:
    """For whom open parts of the present stage wait; for a decision its owner."""
    if journey.stages.current >= len(request.stages):
        return
    owner = request.onboarding.requester
    for plan, part in journey.parts_of_stage(request.stages[journey.stages.current]):
        line = _line(request, plan, part)
        if part.state is PartState.UNDECIDED:
            yield from deciding(line, part.turn_to_decide, owner)
        elif part.state is PartState.OPEN:
            reported = tuple(waiting_for(line, part.turn, owner)) if part.turn else ()
            yield from reported or as_planned(line, plan.asked)


def _next(journey: OnboardingState, waiting: tuple[WaitingPart, ...]) -> NextAction:
    stages_left = len(journey.stages.names) - journey.stages.current - 1
    next_clause = f"then: {journey.stages.names[journey.stages.current + 1]}" if stages_left > 0 else "then it is done"
    if journey.lifecycle.ending:
        return NextAction(what=NextStep.END, at=None, why="its open parts are being ended")
    if not waiting:
        return NextAction(what=NextStep.WAIT, at=None, why=f"{journey.phase} is being begun; {next_clause}")
    return NextAction(what=NextStep.WAIT, at=None, why=f"{len(waiting)} open in {journey.phase}; {next_clause}")


def _sentence(journey: OnboardingState, ended_or_troubled: str, waiting: tuple[WaitingPart, ...]) -> str:
    if journey.status.has_ended or journey.problems.current:
        return ended_or_troubled
    if journey.lifecycle.ending:
        return f"Being {journey.lifecycle.ending.outcome}: its open parts are ended first"
    position = f"Stage {journey.stages.current + 1} of {len(journey.stages.names)}, {journey.phase}"
    if not waiting:
        return f"{position}: being begun"
    first = waiting[0]
    more_clause = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return f"{position}: waiting for {first.who} ({first.what}) since {stamp(first.since)}{more_clause}"


def _people(turn: PartTurn) -> tuple[str, ...]:
    return (turn.asks.person,) if turn.asks else tuple(waiting.person for waiting in turn.waiting_for)
