"""Whom a request is about: the signers it names, and those who were asked instead of some of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from activities.core_signature import reading
from activities.core_signature.wire import WireDocument
from activities.person import Person
from workflows.model.planning import EscalationReason
from workflows.model.provider import DocumentSeen, Substitution
from workflows.model.request import Brief, Signer


@dataclass(frozen=True)
class Cast:
    """A request as it is sent: `people` are its signers by id, `stand_ins` who takes whose place."""

    brief: Brief
    people: Mapping[str, Person]
    stand_ins: Mapping[str, Person]

    @property
    def asked(self) -> dict[str, Person]:
        """Those Core Signature asks, by id, in the order of the signers."""
        asked = [self.stand_ins.get(signer, person) for signer, person in self.people.items()]
        return {person.id: person for person in asked}

    @property
    def brief_as_asked(self) -> Brief:
        """The request with stand-ins in the places of those they stand in for."""
        places = [(signer, self.stand_ins.get(signer.person)) for signer in self.brief.signers]
        return self.brief.replace(
            signers=tuple(signer.replace(person=other.id) if other else signer for signer, other in places)
        )

    def seen_in(self, document: WireDocument) -> DocumentSeen:
        """The document as a workflow sees it, with both the absent and their stand-ins."""
        instead = {signer: other.id for signer, other in self.stand_ins.items()}
        emails = {person.id: person.email for person in (*self.people.values(), *self.stand_ins.values())}
        replaced = dict.fromkeys(instead, EscalationReason.ABSENCE)
        seen = reading.seen(document, beside(self.brief, instead), emails, replaced=replaced)
        return seen.replace(substituted=tuple(Substitution(from_=one, to=other) for one, other in instead.items()))


def beside(brief: Brief, successors: Mapping[str, str]) -> Brief:
    """The request with each successor right after the signer whose place they have: how a workflow knows both."""
    known = {signer.person for signer in brief.signers}

    def with_successor(signer: Signer) -> tuple[Signer, ...]:
        other = successors.get(signer.person)
        return (signer,) if other is None or other in known else (signer, signer.replace(person=other))

    return brief.replace(signers=tuple(one for signer in brief.signers for one in with_successor(signer)))
