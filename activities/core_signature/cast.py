"""Whom a request is about: the signers it names, and those who were asked instead of some of them. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from activities.core_signature.asked import Places, SignerSnapshot
from activities.core_signature.matching import folded
from activities.core_signature.orders import embed_user
from activities.core_signature.wire import WireSigner
from activities.person import Person
from workflows.model.request import SignatureBrief
from workflows.model.subject import Participant, Role, Roster

AnyRoster = TypeVar("AnyRoster", bound=Roster)


@dataclass(frozen=True)
class SignerAssignment:
    """A request as it is sent: `people` are its signers by id, `stand_ins` who takes whose place."""

    brief: SignatureBrief
    people: Mapping[str, Person]
    stand_ins: Mapping[str, Person]

    @property
    def asked(self) -> dict[str, Person]:
        """Those Core Signature asks, by id, in the order of the signers."""
        asked = [self.stand_ins.get(signer, person) for signer, person in self.people.items()]
        return {person.id: person for person in asked}

    @property
    def brief_as_asked(self) -> SignatureBrief:
        """The request with stand-ins in the places of those they stand in for."""
        places = [(signer, self.stand_ins.get(signer.person)) for signer in self.brief.people]
        return self.brief.replace(
            people=tuple(signer.replace(person=other.id) if other else signer for signer, other in places)
        )

    def places(self, reachable: Collection[str]) -> Places:
        """What is kept of it; only who is `reachable` on a device is given a signing page of their own."""
        return tuple(
            SignerSnapshot(
                person=sent.person,
                order=sent.order,
                role=sent.role,
                email=self.asked[sent.person].email,
                embed_user=_page_user(self.brief.id, sent) if sent.person in reachable else None,
                instead_of=named.person if named.person != sent.person else None,
            )
            for named, sent in zip(self.brief.people, self.brief_as_asked.people, strict=True)
        )


def _page_user(request: str, signer: Participant) -> str | None:
    return None if signer.role is Role.COPY else embed_user(request, signer.person)


def stand_ins_of(roster: Roster, places: Sequence[SignerSnapshot], said: Sequence[WireSigner]) -> dict[str, str]:
    """Whom Core Signature asked instead of a signer: what was decided when it was sent stays, whoever is back since."""
    addresses = {folded(one.email) for one in said if one.needs_to_sign}
    here = {place.person for place in places if folded(place.email) in addresses}
    named = {signer.person for signer in roster.people} - here
    return {place.instead_of: place.person for place in places if place.instead_of in named and place.person in here}


def beside(roster: AnyRoster, successors: Mapping[str, str]) -> AnyRoster:
    """The request with each successor right after the signer whose place they have: how a workflow knows both."""
    known = {signer.person for signer in roster.people}

    def with_successor(signer: Participant) -> tuple[Participant, ...]:
        other = successors.get(signer.person)
        return (signer,) if other is None or other in known else (signer, signer.replace(person=other))

    return roster.replace(people=tuple(one for signer in roster.people for one in with_successor(signer)))
