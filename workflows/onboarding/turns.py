"""For whom the parts of an onboarding wait, and for what; from its own state or from views of the parts. Pure."""

from collections.abc import Iterator
from typing import Final

from workflows.model.onboarding import PartPlan
from workflows.model.views import PartLine, PartTurn, TurnLine, WaitingPart
from workflows.onboarding.state import PartProgress

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
