"""Who a silent signer's request is escalated to: alternates, the delegate of the absent, managers, then the fallback.

Whoever would escalate to themselves is skipped with the reason: the signer, other signers of the request, the
requester. When nobody is left, the requester hears it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from activities.people import Directory
from workflows.model import Brief, Escalation


@dataclass(frozen=True)
class Candidate:
    """Somebody the escalation may reach, and what makes them one, in words."""

    person: str
    as_: str


async def alternate(brief: Brief, escalation: Escalation, signer: str, at: datetime, directory: Directory) -> Candidate:
    """The first of the chain who can act for `signer` at that instant, with the reasons why others were skipped."""
    skipped: list[str] = []
    async for candidate in _chain(brief, escalation, signer, at, directory):
        why_not = _unsuitable(brief, signer, candidate.person)
        if why_not is None:
            return Candidate(candidate.person, "; ".join([f"to {candidate.person}, {candidate.as_}", *skipped]))
        skipped.append(f"not to {candidate.person}, {why_not}")
    return Candidate(brief.requester, "; ".join(["nobody is left to act, so the requester is told", *skipped]))


async def _chain(
    brief: Brief, escalation: Escalation, signer: str, at: datetime, directory: Directory
) -> AsyncIterator[Candidate]:
    for link in escalation.to:
        if link == "alternates":
            for id in escalation.alternates:
                yield Candidate((await directory.person(id)).id, "the named alternate")
        elif link == "delegate":
            person = await directory.person(signer, brief.id)
            if person.delegate is not None and person.absent_at(at):
                yield Candidate(person.delegate, f"the delegate of {signer}, who is absent")
        else:
            async for candidate in _managers(brief, escalation.depth, signer, directory):
                yield candidate
    if escalation.fallback is not None:
        yield Candidate((await directory.person(escalation.fallback)).id, "the fallback of this kind")


async def _managers(brief: Brief, depth: int, signer: str, directory: Directory) -> AsyncIterator[Candidate]:
    below = signer
    for _ in range(depth):
        manager = (await directory.person(below, brief.id)).manager
        if manager is None:
            return
        yield Candidate(manager, f"the manager of {below}")
        below = manager


def _unsuitable(brief: Brief, signer: str, candidate: str) -> str | None:
    if candidate == signer:
        return "who is the silent signer"
    if candidate == brief.requester:
        return "who is the requester"
    if any(candidate == other.person for other in brief.signers):
        return "who is another signer"
    return None
