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
    Next,
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


def show(given: OnboardingInput, journey: OnboardingState, now: datetime) -> OnboardingShow:
    """The view at `now`; details that only parts know are added outside."""
    waiting = () if journey.status.ended else tuple(_waiting_for(given, journey))
    facts = dict(follow_up.facts(given.subject, journey, now))
    following = facts["next"] if journey.status.ended or journey.problems.current else _next(journey, waiting)
    return OnboardingShow(
        **{
            **facts,
            "waiting_for": waiting,
            "next": following,
            "says": _sentence(journey, facts["says"], waiting),
            "title": given.onboarding.title,
            "customer": given.onboarding.customer,
            "colleagues": tuple(one.person for one in given.onboarding.people[1:]),
            "teams": given.onboarding.teams,
            "stage": journey.phase,
            "stages": tuple(_stage(given, journey, number) for number in range(len(given.stages))),
        }
    )


def settled(given: OnboardingInput, journey: OnboardingState) -> SettledOnboarding:
    """The facts to hand off."""
    if journey.lifecycle.settled_at is None:
        raise ValueError("the onboarding has not ended")
    parts = (
        SettledPart(id=plan.id, what=plan.what, kind=plan.kind, state=_ended_as(part), at=part.at)
        for stage in given.stages
        for plan, part in journey.of(stage)
        if plan.what is not PartKind.NOTICE
    )
    return SettledOnboarding(
        onboarding=given.onboarding.id,
        kind=given.onboarding.kind,
        outcome=journey.status,
        at=journey.lifecycle.settled_at,
        parts=tuple(parts),
    )


def details(shown: OnboardingShow, namespace: str) -> str:
    """Web UI details in Markdown: the stages, with a link to each open part."""
    lines = [f"### {shown.says}"]
    for stage in shown.stages:
        since = f" since {stamp(stage.since)}" if stage.state == "open" else ""
        lines += ["", f"**{stage.name}** · {stage.state}{since}"]
        if stage.state == "open":
            # No nested lists: the Web UI joins their lines.
            lines += ["", *(f"- {_part_words(part, namespace)}" for part in stage.parts[:SHOWN_AT_MOST])]
            if (more := len(stage.parts) - SHOWN_AT_MOST) > 0:
                lines.append(f"- and {more} more")
    lines += ["", *(f"- to be told: {h.target} · {h.state} · {h.attempts} attempts" for h in shown.handoffs)]
    return "\n".join(lines)


def _part_words(part: PartLine, namespace: str) -> str:
    name = f"{part.id}: {part.title}"
    if part.workflow:
        page = f"/namespaces/{namespace}/workflows/{part.workflow.replace(':', '%3A')}"
        name = f"[{part.id}]({page}): {part.title}"
    how = part.status or part.state
    return " · ".join(
        filter(None, (name, str(how), part.team, part.says, f"decide: {part.id}" if part.decision else ""))
    )


def _stage(given: OnboardingInput, journey: OnboardingState, number: int) -> StageLine:
    stage = given.stages[number]
    parts = journey.of(stage)
    entered = journey.stages.entered[number] if number < len(journey.stages.entered) else None
    over = number < journey.stages.current
    return StageLine(
        name=stage.name,
        state="done" if over else _not_over(journey, entered),
        since=entered,
        at=max((at for at in (entered, *(part.at for _, part in parts)) if at), default=None) if over else None,
        agreements=_lines(given, parts, PartKind.AGREEMENT),
        tasks=_lines(given, parts, PartKind.TASK),
        steps=_lines(given, parts, PartKind.STEP),
        notices=tuple(
            NoticeLine(id=plan.id, to=plan.team or "", title=plan.title, state=part.state, at=part.at)
            for plan, part in parts
            if plan.what is PartKind.NOTICE
        ),
    )


def _not_over(journey: OnboardingState, entered: datetime | None) -> str:
    if journey.status.ended:
        return "stopped"
    return "coming" if entered is None else "open"


def _lines(
    given: OnboardingInput, parts: tuple[tuple[PartPlan, PartProgress], ...], what: PartKind
) -> tuple[PartLine, ...]:
    return tuple(_line(given, plan, part) for plan, part in parts if plan.what is what)


def _line(given: OnboardingInput, plan: PartPlan, part: PartProgress) -> PartLine:
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
        content=part.content or given.onboarding.content,
        turns=turn_lines(plan, part),
    )


def _ended_as(part: PartProgress) -> str:
    return str(part.status) if part.state is PartState.DONE and part.status else str(part.state)


def _waiting_for(given: OnboardingInput, journey: OnboardingState) -> Iterator[WaitingPart]:
    """For whom open parts of the present stage wait; for a decision its owner."""
    if journey.stages.current >= len(given.stages):
        return
    owner = given.onboarding.requester
    for plan, part in journey.of(given.stages[journey.stages.current]):
        line = _line(given, plan, part)
        if part.state is PartState.UNDECIDED:
            yield from deciding(line, part.turn_to_decide, owner)
        elif part.state is PartState.OPEN:
            told = tuple(waiting_for(line, part.turn, owner)) if part.turn else ()
            yield from told or as_planned(line, plan.asked)


def _next(journey: OnboardingState, waiting: tuple[WaitingPart, ...]) -> Next:
    left = len(journey.stages.names) - journey.stages.current - 1
    then = f"then: {journey.stages.names[journey.stages.current + 1]}" if left > 0 else "then it is done"
    if journey.lifecycle.ending:
        return Next(what=NextStep.END, at=None, why="its open parts are being ended")
    if not waiting:
        return Next(what=NextStep.WAIT, at=None, why=f"{journey.phase} is being begun; {then}")
    return Next(what=NextStep.WAIT, at=None, why=f"{len(waiting)} open in {journey.phase}; {then}")


def _sentence(journey: OnboardingState, ended_or_troubled: str, waiting: tuple[WaitingPart, ...]) -> str:
    if journey.status.ended or journey.problems.current:
        return ended_or_troubled
    if journey.lifecycle.ending:
        return f"Being {journey.lifecycle.ending.outcome}: its open parts are ended first"
    place = f"Stage {journey.stages.current + 1} of {len(journey.stages.names)}, {journey.phase}"
    if not waiting:
        return f"{place}: being begun"
    first = waiting[0]
    more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return f"{place}: waiting for {first.who} ({first.what}) since {stamp(first.since)}{more}"


OWNER: Final = "owner"
"""The word of the file for whoever owns the onboarding."""


def waiting_for(line: PartLine, turn: PartTurn, owner: str) -> Iterator[WaitingPart]:
    """For whom an open part waits by its own report: who is to answer a question, else the pending people.

    Nobody before the part asks anybody.
    """
    if turn.asks:
        what, asks = f"answer about {line.title}", turn.asks
        who = OWNER if asks.person == owner else asks.person
        yield WaitingPart(person=asks.person, since=asks.since, who=who, what=what, part=line.id)
        return
    for one in turn.waiting_for:
        who = OWNER if one.person == owner else line.called(one.person)
        yield WaitingPart(person=one.person, since=one.since, who=who, what=line.title, part=line.id)


def as_planned(line: PartLine, asked: tuple[str, ...]) -> Iterator[WaitingPart]:
    """For whom a part waits before its first report: the people asked first."""
    if line.since is None:
        return
    for person in asked or (line.team or "",):
        yield WaitingPart(person=person, since=line.since, who=line.called(person), what=line.title, part=line.id)


def deciding(line: PartLine, turn: PartTurn | None, owner: str) -> Iterator[WaitingPart]:
    """Who decides about a failed part: its owner or their replacement."""
    if line.at is None:
        return
    due = WaitingPart(person=owner, since=line.at, who=OWNER, what=f"decide about {line.title}", part=line.id)
    others = [one for one in turn.waiting_for if one.person != owner] if turn else []
    yield from (due.replace(person=one.person, since=one.since, who=one.person) for one in others)
    if not others:
        yield due


def turn_lines(plan: PartPlan, part: PartProgress) -> tuple[TurnLine, ...]:
    """For whom a part waited since its start, each with its instant."""
    told = tuple(TurnLine(people=_people(turn), since=turn.at) for turn in part.turns)
    if part.since is None or (told and told[0].since <= part.since):
        return told
    return (TurnLine(people=plan.asked, since=part.since), *told) if told else ()


def _people(turn: PartTurn) -> tuple[str, ...]:
    return (turn.asks.person,) if turn.asks else tuple(one.person for one in turn.waiting_for)
