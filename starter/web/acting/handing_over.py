"""To whom Core Signature hands over nothing: it tells signers and sender apart by their addresses."""

from contextlib import suppress
from dataclasses import dataclass

from activities.core_signature.signers import folded
from activities.people.directory import Directory, DirectoryFailure
from activities.people.person import Person
from workflows.model.subject import Status
from workflows.model.views import Shown


@dataclass(frozen=True)
class TakenAddresses:
    """`sender` is the address of `COUNTERSIGN_SIGNATURE_FROM_EMAIL`."""

    directory: Directory
    sender: str = ""

    async def leave_out(self, people: tuple[Person, ...], view: Shown) -> tuple[Person, ...]:
        """Without those who have the address of a signer, the requester or the sender, or no mailbox."""
        if not people or not view.type.spec.document or view.status is Status.REVIEW:
            return people
        taken_addresses = await self._addresses_of(view)
        return tuple(person for person in people if person.email and folded(person.email) not in taken_addresses)

    async def _addresses_of(self, view: Shown) -> frozenset[str]:
        addresses = {self.sender}
        for id in (view.requester, *(line.person for line in view.lines)):
            with suppress(DirectoryFailure):
                addresses.add((await self.directory.person(id, view.type.workflow_id(view.id))).email)
        return frozenset(map(folded, filter(None, addresses)))
