"""Who is asked instead of a signer who is absent when the request is sent.

The delegate, or theirs when the delegate is absent too. Somebody present who may not act (another signer, the
requester) ends the search: their delegate would only act in their name. Then the absent signer is asked after all.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from activities.core_signature.cast import SignerAssignment
from activities.core_signature.matching import folded
from activities.directory import Directory, UnknownPerson
from activities.person import Person
from workflows.model.request import SignatureBrief
from workflows.model.subject import Role

FARTHEST: Final = 3
"""Delegates of delegates: how far the search goes."""

Test: TypeAlias = Callable[[Person], bool]


class CoreStandIns:
    """Finds stand-ins before a request is sent; who was asked then is kept (asked.py), and stays."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def at_sending(
        self, brief: SignatureBrief, people: Mapping[str, Person], now: datetime | None
    ) -> SignerAssignment:
        """Whom to ask when some signers are absent at this instant; without one, nobody is taken for absent."""

        def present(person: Person) -> bool:
            return now is None or brief.in_person or not person.absent_at(now)

        return SignerAssignment(brief, people, await self._find(brief, people, present))

    async def _find(self, brief: SignatureBrief, people: Mapping[str, Person], present: Test) -> dict[str, Person]:
        # One address has one place at Core Signature, and by it the signers are told apart.
        taken = {folded(person.email) for person in people.values()}
        found: dict[str, Person] = {}
        for signer in brief.people:
            if signer.role is Role.COPY or present(people[signer.person]):
                continue
            other = await self._first_delegate(people[signer.person], present)
            if other and other.id != brief.requester and folded(other.email) not in taken:
                found[signer.person] = other
                taken.add(folded(other.email))
        return found

    async def _first_delegate(self, person: Person, present: Test) -> Person | None:
        for _ in range(FARTHEST):
            if person.delegate is None:
                return None
            try:
                person = await self._directory.person(person.delegate)
            except UnknownPerson:
                return None
            if present(person):
                return person
        return None
