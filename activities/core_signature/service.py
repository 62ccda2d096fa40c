"""Implements the port `SignatureService`: what a workflow asks of Core Signature, safe to repeat."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Final

from activities.core_signature import orders, reading
from activities.core_signature.asked import SignerSnapshots
from activities.core_signature.cast import SignerAssignment, beside, stand_ins_of
from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.documents import DocumentReader
from activities.core_signature.forwarding import Forwarding
from activities.core_signature.lookup import Lookup, has_ended
from activities.core_signature.stand_ins import CoreStandIns
from activities.core_signature.wire import WireDocument
from activities.directory import Directory, UnknownPerson
from activities.failures import again_after, failing_as_application_errors, final_failure, passing_failure
from activities.http.calling import ServiceFailure
from activities.lease import Lease, StillOurs
from activities.person import Person, stands_in_full
from activities.requests.cover_sheet import CoverSheet
from activities.store.home import StoragePrefix
from activities.store.store import Store
from activities.store.texts import Reference
from workflows.kinds import Kind
from workflows.model.planning import EscalationReason
from workflows.model.provider import (
    CancelOrder,
    CreateOrder,
    DocumentSeen,
    ForwardOrder,
    ForwardReport,
    Observation,
    Substitution,
)
from workflows.model.request import SignatureBrief
from workflows.model.subject import Code, Roster, Subject
from workflows.names import adopted_document
from workflows.ports import SignatureService

CALLS_TO_CREATE: Final = 3
"""The look-up, the document, its request: of a file as of a template."""
CALLS_TO_READ: Final = 1
CALLS_ABOUT_BOUNCES: Final = 1
"""With each reading, while a mail to somebody who has shown no sign may still come back."""
_REFUSED_BY_STATE: Final = (400, 409)


class CoreSignatureService(SignatureService):
    """The documents and requests of one tenant, known by our ids. Every failure is one of `activities/failures.py`."""

    def __init__(self, client: CoreSignatureClient, directory: Directory, store: Store) -> None:
        self._client = client
        self._lookup = Lookup(client, store)
        self._asked = SignerSnapshots(store)
        self._documents = DocumentReader(client, self._lookup, self._asked)
        self._forwarding = Forwarding(client, self._documents, directory, self._asked)
        self._stand_ins = CoreStandIns(directory)
        self._directory = directory
        self._store = store

    async def create(self, order: CreateOrder) -> DocumentSeen:
        """See the port. The look-up comes first on every attempt: after a reset attempt numbers say nothing."""
        brief, still_ours = order.brief, Lease.of_this_attempt()
        with failing_as_application_errors():
            document = await self._lookup.to_take_over(brief, order.fingerprint)
            if any(stands_in_full(signer.person) for signer in brief.people):
                await self._store.choose_signers(StoragePrefix.of_request(brief.id), order.fingerprint)
            if document is None or _is_unasked(document):
                if adopted_document(brief.id):
                    raise final_failure(Code.DOCUMENT_DELETED, "the document that was adopted is not there any more")
                document = await self._send(order, document, still_ours)
            return await self._sent(brief, document)

    async def observe(self, observation: Observation) -> DocumentSeen:
        """See the port."""
        return await self.read(observation.roster, observation.document)

    async def cancel(self, order: CancelOrder) -> DocumentSeen | None:
        """See the port. A document that nobody was asked to sign yet is deleted."""
        with failing_as_application_errors():
            document = await self._to_cancel(order)
            if document is None:
                return None
            if not has_ended(document):
                if document.request is None:
                    await self._client.delete_document(document.uuid)
                    return None
                document = await self._cancelled(document.uuid, document.request.uuid)
            return await self._documents.seen(document, order.subject)

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        """See the port. Refused orders come back with the document too, when it was read: it may tell the reason."""
        with failing_as_application_errors():
            return await self._forwarding.forward(order)

    async def read(self, roster: Roster, document: str) -> DocumentSeen:
        """The document as it is now, for whoever must not act on old news; fails with `document_deleted`."""
        with failing_as_application_errors():
            return await self._documents.seen(await self._documents.existing(roster, document), roster)

    async def _send(self, order: CreateOrder, document: WireDocument | None, still_ours: StillOurs) -> WireDocument:
        """Make what is missing of document and request; who is asked is kept before anything can have been sent."""
        brief = order.brief.replace(message=await self._message(order.brief))
        cast = await self._stand_ins.at_sending(brief, await self._people(brief), order.now)
        reachable = await self._reachable(cast.asked)
        await self._asked.keep(brief.id, cast.places(reachable))
        with again_after(self._client.config.list_lag):
            document = document or await self._make_document(order, still_ours)
            return await self._ask(document, cast, reachable, still_ours) if _is_unasked(document) else document

    async def _message(self, brief: SignatureBrief) -> str | None:
        """What the requester writes to the signers; nothing once that was erased."""
        reference = Reference.read(brief.message or "")
        return (
            await self._store.texts.read(StoragePrefix.of_request(brief.id), reference) if reference else brief.message
        )

    async def _sent(self, subject: Subject, document: WireDocument) -> DocumentSeen:
        """The document with both the absent and their stand-ins, as they were asked."""
        places = await self._asked.of(subject.id)
        instead = stand_ins_of(subject, places, reading.signers_of(document))
        replaced = dict.fromkeys(instead, EscalationReason.ABSENCE)
        seen = await self._documents.seen(document, beside(subject, instead), replaced, places)
        return seen.replace(substituted=tuple(Substitution(from_=one, to=other) for one, other in instead.items()))

    async def _make_document(self, order: CreateOrder, still_ours: StillOurs) -> WireDocument:
        brief = order.brief
        sha256 = brief.document.sha256
        content = await self._store.document(sha256) if sha256 else None
        # In either order: without the document that is made after both of them neither says anything.
        claim = self._store.claim(StoragePrefix.of_request(brief.id), order.fingerprint)
        await asyncio.gather(CoverSheet.keep(self._store, brief), claim)
        body = orders.document_body(brief, self._client.config)
        return await self._client.create_document(body, content, still_ours)

    async def _ask(
        self, document: WireDocument, cast: SignerAssignment, reachable: Collection[str], still_ours: StillOurs
    ) -> WireDocument:
        people = cast.asked
        url = self._client.document_url(document.uuid)
        requester = await self._requester(cast.brief_as_asked)
        body = orders.request_body(
            url, cast.brief_as_asked, people, reachable, self._client.config, requester=requester
        )
        named = [*people.values(), *([requester] if requester else [])]
        private = [text for person in named for text in (person.email, person.name)]
        try:
            request = await self._client.create_request(body, private, still_ours)
        except ServiceFailure as failure:
            # Perhaps the document has its request by now, or has ended: the document itself is the truth.
            if failure.status not in _REFUSED_BY_STATE:
                raise
            again = await self._client.document(document.uuid)
            if _is_unasked(again):
                raise failure from None
            return again
        if not request.signers:
            return await self._client.document(document.uuid)
        return document.model_copy(update={"request": request})

    async def _to_cancel(self, order: CancelOrder) -> WireDocument | None:
        if order.document is not None:
            return await self._documents.unless_gone(order.subject, order.document)
        return await self._lookup.to_cancel(order.subject, order.fingerprint)

    async def _cancelled(self, document: str, request: str) -> WireDocument:
        refusal: ServiceFailure | None = None
        try:
            await self._client.cancel(request)
        except ServiceFailure as failure:
            if failure.status not in _REFUSED_BY_STATE:
                raise
            refusal = failure
        again = await self._client.document(document)
        if has_ended(again):
            return again
        raise refusal or passing_failure(Code.UNREACHABLE, "Core Signature has not yet ended the cancelled document")

    async def _people(self, roster: Roster) -> dict[str, Person]:
        beside = Kind.REQUEST.workflow_id(roster.id)
        return {signer.person: await self._directory.person(signer.person, beside) for signer in roster.people}

    async def _requester(self, brief: SignatureBrief) -> Person | None:
        try:
            return await self._directory.person(brief.requester)
        except UnknownPerson:
            return None

    async def _reachable(self, people: Mapping[str, Person]) -> frozenset[str]:
        devices = {id: await self._directory.devices(person) for id, person in people.items()}
        now = datetime.now(UTC)
        return frozenset(id for id, living in devices.items() if any(not one.unseen(now) for one in living))


def _is_unasked(document: WireDocument) -> bool:
    """Whether it waits for its request."""
    return document.request is None and not has_ended(document)
