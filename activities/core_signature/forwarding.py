"""A signer's place handed over at Core Signature: what stands in the way, the asking, and whether it is done."""

from dataclasses import dataclass

from activities.core_signature import reading
from activities.core_signature.asked import SignerSnapshot, SignerSnapshots
from activities.core_signature.cast import beside
from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.documents import DocumentReader
from activities.core_signature.lookup import has_ended
from activities.core_signature.matching import folded, match
from activities.core_signature.wire import WireDocument, WireSigner
from activities.directory import Directory, UnknownPerson
from activities.failures import passing_failure, verdict
from activities.http.calling import ServiceFailure
from workflows.model.objections import Rejection
from workflows.model.provider import ForwardOrder, ForwardReport
from workflows.model.subject import Code, Role

_CONFLICT = 409


@dataclass(frozen=True)
class Handover:
    """One order as it can be told from a document; `old` and `new` are the entries of the two people. Pure."""

    order: ForwardOrder
    document: WireDocument
    old: WireSigner | None
    new: WireSigner | None

    @property
    def done(self) -> bool:
        """Whether the place was handed over to this person, by this order or an earlier attempt."""
        if self.new is None or (self.old is not None and not self.old.forwarded):
            return False
        if self.old is None or self.old.forwarded_to_email is None:
            return not self._already_asked
        return folded(self.old.forwarded_to_email) == folded(self.new.email)

    @property
    def obstacle(self) -> str | None:
        """Why the place cannot be handed over, in words for the person who wants it; None when it can."""
        if self.old and (self.old.signed or self.old.declined):
            return Rejection.HAS_ACTED.says(person=self.order.from_, state="signed" if self.old.signed else "declined")
        if has_ended(self.document):
            return Rejection.HAS_ENDED.says(status=reading.STATUSES[self.document.status])
        if self.old is None:
            return Rejection.UNKNOWN_THERE.says(person=self.order.from_)
        if self.old.forwarded:
            return Rejection.HAS_HANDED_OVER.says(person=self.order.from_)
        taken = self._already_asked or self.new is not None
        asked = Rejection.ASKED_ALREADY.says(person=self.order.to, awaited="signer")
        return asked if taken else None

    @property
    def _already_asked(self) -> bool:
        return any(signer.person == self.order.to for signer in self.order.subject.people)


class Forwarding:
    """Orders carried out. Raises `ServiceFailure`s, `DirectoryFailure`s and `ApplicationError`s."""

    def __init__(
        self, client: CoreSignatureClient, documents: DocumentReader, directory: Directory, asked: SignerSnapshots
    ) -> None:
        self._asked = asked
        self._client = client
        self._documents = documents
        self._directory = directory

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        """See the port."""
        if refused := _senseless(order):
            return ForwardReport(refused=refused)
        try:
            to = await self._directory.person(order.to, order.subject.workflow_id)
        except UnknownPerson as unknown:
            return ForwardReport(refused=str(unknown))
        before = await self._look(order, to.email)
        if before.done:
            return await self._handed_over(before)
        if obstacle := before.obstacle or (order.present_at and to.absence_refusal(order.present_at)):
            return await self._refused(before, obstacle)
        await self._asked.keep(order.subject.id, [_place(order, to.email)])
        return await self._ask(before, to.email)

    async def _ask(self, before: Handover, to: str) -> ForwardReport:
        refusal = await self._refusal(before, to)
        after = await self._look(before.order, to)
        if refusal is None and after.new is None:
            raise passing_failure(Code.UNREACHABLE, "Core Signature does not show yet who was asked instead")
        if refusal is None or after.done:
            return await self._handed_over(after)
        if refusal.status == _CONFLICT and after.obstacle is None:
            raise refusal
        return await self._refused(after, after.obstacle or Rejection.REFUSED_THERE.says(says=refusal.says))

    async def _refusal(self, before: Handover, to: str) -> ServiceFailure | None:
        """Have it done; what Core Signature has against it, None when it says that it was done."""
        if before.old is None or before.document.request is None:
            raise ValueError("only a signer of a request can be replaced")
        try:
            await self._client.forward(before.document.request.uuid, before.old.email, to, before.order.reason)
        except ServiceFailure as failure:
            if failure.status != _CONFLICT and verdict(failure).code is not Code.REFUSED:
                raise
            return failure
        return None

    async def _look(self, order: ForwardOrder, to: str) -> Handover:
        document = await self._documents.existing(order.subject, order.document)
        signers = reading.signers_of(document)
        places = (*await self._asked.of(order.subject.id), _place(order, to))
        addresses = {folded(place.email) for place in places if place.person == order.to}
        new = [one for one in signers if one.needs_to_sign and folded(one.email) in addresses]
        old = match(beside(order.subject, {order.from_: order.to}).people, places, signers)[order.from_]
        return Handover(order, document, old=old, new=new[-1] if new else None)

    async def _handed_over(self, found: Handover) -> ForwardReport:
        order = found.order
        both = beside(order.subject, {order.from_: order.to})
        return ForwardReport(seen=await self._documents.seen(found.document, both, {order.from_: order.reason}))

    async def _refused(self, found: Handover, why: str) -> ForwardReport:
        return ForwardReport(seen=await self._documents.seen(found.document, found.order.subject), refused=why)


def _place(order: ForwardOrder, email: str) -> SignerSnapshot:
    old = next(signer for signer in order.subject.people if signer.person == order.from_)
    return SignerSnapshot(person=order.to, order=old.order, role=old.role, email=email, instead_of=order.from_)


def _senseless(order: ForwardOrder) -> str | None:
    """What no document can change; nothing has to be read for it."""
    role = next((signer.role for signer in order.subject.people if signer.person == order.from_), None)
    if role is None:
        return Rejection.NOT_ASKED.says(person=order.from_, awaited="signer", subject="request")
    if role is Role.COPY:
        return Rejection.ONLY_COPIED.says(person=order.from_)
    if order.to == order.subject.requester:
        return Rejection.ASKED_FOR_IT.says(person=order.to, what="this request and cannot sign it for somebody else")
    return None
