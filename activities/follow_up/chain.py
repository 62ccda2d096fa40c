"""Who a silent signer's request is escalated to: alternates, the delegate of the absent, managers, then the fallback.

Whoever could not act, would act for themselves, has left the directory or was reached by no notice is skipped with the
reason. When nobody is left, the requester hears it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from activities.follow_up.silence import SilentTurn
from workflows.follow_up.stages import NotificationType
from workflows.model.policy import Escalation
from workflows.names import alert_key


@dataclass(frozen=True)
class Candidate:
    """Somebody the escalation may reach, and what makes them one, in words; `acts` unless they are only told."""

    person: str
    as_: str
    acts: bool = True


@dataclass(frozen=True)
class Chain:
    """The chain of one silent signer by their policy, as it stands at an instant."""

    silence: SilentTurn
    escalation: Escalation
    at: datetime

    async def next(self) -> Candidate:
        """The first who can act, with the reasons why others were skipped; else the requester, who is told."""
        skipped: dict[str, str] = {}
        async for candidate in self._candidates():
            if candidate.person in skipped:
                continue
            why_not = await self._unsuitable(candidate.person)
            if why_not is None:
                words = [f"to {candidate.person}, {candidate.as_}", *skipped.values()]
                return Candidate(candidate.person, "; ".join(words))
            skipped[candidate.person] = f"not to {candidate.person}, {why_not}"
        words = ["nobody is left to act, so the requester is told", *skipped.values()]
        return Candidate(self.silence.requester, "; ".join(words), acts=False)

    async def has_stand_in(self) -> bool:
        """Whether the signer is absent and their delegate can act, by a policy that asks delegates."""
        signer = await self.silence.known(self.silence.person)
        if signer is None or "delegate" not in self._links or not signer.delegate or not signer.absent_at(self.at):
            return False
        return await self._unsuitable(signer.delegate) is None

    @property
    def _links(self) -> tuple[str, ...]:
        return self.escalation.to if self._steps < self.escalation.depth else ()

    @property
    def _steps(self) -> int:
        """How many steps up the chain led to this signer: places that were handed over stand one after the other."""
        signers = self.silence.planning.subject.people
        position = next((n for n, one in enumerate(signers) if one.person == self.silence.person), 0)
        steps = 0
        while steps < position:
            earlier = signers[position - steps - 1]
            if earlier.order != signers[position].order or earlier.person not in self.silence.planning.acted:
                break
            steps += 1
        return min(steps, self.silence.planning.escalated)

    async def _candidates(self) -> AsyncIterator[Candidate]:
        for link in self._links:
            async for candidate in self._linked(link):
                yield candidate
                async for stand_in in self._delegate(candidate.person):
                    yield stand_in
        if self.escalation.fallback is not None:
            yield Candidate(self.escalation.fallback, "the fallback of this kind")

    async def _linked(self, link: str) -> AsyncIterator[Candidate]:
        if link == "alternates":
            for id in self.escalation.alternates:
                yield Candidate(id, "the named alternate")
        elif link == "delegate":
            async for delegate in self._delegate(self.silence.person):
                yield delegate
        else:
            async for manager in self._managers():
                yield manager

    async def _delegate(self, id: str) -> AsyncIterator[Candidate]:
        person = await self.silence.known(id)
        if person and "delegate" in self._links and person.delegate is not None and person.absent_at(self.at):
            yield Candidate(person.delegate, f"the delegate of {id}, who is absent")

    async def _managers(self) -> AsyncIterator[Candidate]:
        below = self.silence.person
        for _ in range(self.escalation.depth - self._steps):
            person = await self.silence.known(below)
            if person is None or person.manager is None:
                return
            yield Candidate(person.manager, f"the manager of {below}")
            below = person.manager

    async def _unsuitable(self, candidate: str) -> str | None:
        planning = self.silence.planning
        if candidate == self.silence.person:
            return "who is the silent signer"
        if candidate == self.silence.requester:
            return "who is the requester"
        if candidate in planning.acted:
            return "who has acted already"
        if any(candidate == other.person for other in planning.subject.people):
            return "who is another signer"
        return await self._out_of_reach(candidate)

    async def _out_of_reach(self, candidate: str) -> str | None:
        planning, person = self.silence.planning, await self.silence.known(candidate)
        if person is None:
            return "who is not in the directory"
        if (
            alert_key(planning.subject.id, NotificationType.ESCALATION, candidate, self.silence.person)
            in planning.unheard
        ):
            return "whom no notice has reached"
        return "who is absent" if person.absent_at(self.at) else None
