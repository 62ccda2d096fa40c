"""Implements the port `SignatureService`; every call is safe to repeat."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from activities.core_signature import documents, orders
from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.documents import DocumentReader, Lookup, has_ended
from activities.core_signature.passwords import SignerPasswords
from activities.core_signature.signers import (
    CoreStandIns,
    Places,
    SignerAssignment,
    SignerSnapshot,
    SignerSnapshots,
    folded,
    insert_successors,
    match,
    stand_ins_of,
)
from activities.core_signature.wire import WireDocument, WireSigner
from activities.http.client import ServiceFailure
from activities.metrics import ESCALATIONS
from activities.people.directory import Directory, UnknownPerson
from activities.people.ids import stands_in_full
from activities.people.person import Person
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from activities.records.texts import Reference
from activities.temporal import failures
from activities.temporal.leases import Lease, StillOurs
from workflows.kinds import Kind
from workflows.model.messages import Message
from workflows.model.rejections import Rejection
from workflows.model.schedule import EscalationReason
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    ForwardOrder,
    ForwardReport,
    Observation,
    ReportedDocument,
    SignatureBrief,
    Substitution,
)
from workflows.model.subject import Code, Identity, Role, Roster, Subject, Verify
from workflows.names import adopted_document
from workflows.ports import SignatureService

_CONFLICT = 409
CALLS_TO_CREATE: Final = 3
"""The look-up, the document, its request."""
CALLS_TO_READ: Final = 1
CALLS_ABOUT_BOUNCES: Final = 1
"""With each read, while a mail to a signer who has not reacted may still bounce."""
_REFUSED_BY_STATE: Final = (400, 409)


@dataclass(frozen=True)
class Handover:
    """The state of a forward order; `former_entry` and `new` are the provider's entries of the two people. Pure."""

    order: ForwardOrder
    document: WireDocument
    former_entry: WireSigner | None
    new: WireSigner | None

    @property
    def is_done(self) -> bool:
        """Whether this order or an earlier attempt put the new person in the place."""
        if self.new is None or (self.former_entry is not None and not self.former_entry.forwarded):
            return False
        if self.former_entry is None or self.former_entry.forwarded_to_email is None:
            return not self._already_asked
        return folded(self.former_entry.forwarded_to_email) == folded(self.new.email)

    @property
    def obstacle(self) -> Message | None:
        """Why it is impossible, None if possible."""
        if self.former_entry and (self.former_entry.signed or self.former_entry.declined):
            return Rejection.HAS_ACTED.to_message(
                person=self.order.from_, state="signed" if self.former_entry.signed else "declined"
            )
        if has_ended(self.document):
            return Rejection.HAS_ENDED.to_message(status=documents.STATUSES[self.document.status])
        if self.former_entry is None:
            return Rejection.UNKNOWN_THERE.to_message(person=self.order.from_)
        if self.former_entry.forwarded:
            return Rejection.HAS_HANDED_OVER.to_message(person=self.order.from_)
        is_involved = self._already_asked or self.new is not None
        rejection = Rejection.ASKED_ALREADY.to_message(person=self.order.to, awaited="signer")
        return rejection if is_involved else None

    @property
    def _already_asked(self) -> bool:
        return any(signer.person == self.order.to for signer in self.order.subject.people)


class Forwarding:
    """Carries out forward orders. Raises `ServiceFailure`, `DirectoryFailure` and `ApplicationError`."""

    def __init__(
        self, client: CoreSignatureClient, documents: DocumentReader, directory: Directory, snapshots: SignerSnapshots
    ) -> None:
        self._snapshots = snapshots
        self._client = client
        self.reader = documents
        self._directory = directory

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        if refused := _impossible(order):
            return ForwardReport(refused=refused)
        try:
            successor = (await self._directory.person(order.to, order.subject.workflow_id)).for_kind(order.subject.kind)
        except UnknownPerson as unknown:
            return ForwardReport(refused=unknown.message)
        if not successor.email:
            return ForwardReport(refused=Rejection.NO_MAILBOX.to_message(person=order.to))
        handover = await self._read_handover(order, successor.email)
        if handover.is_done:
            return await self._success_report(handover)
        if obstacle := handover.obstacle or (order.present_at and successor.absence_refusal(order.present_at)):
            return await self._refusal_report(handover, obstacle)
        await self._snapshots.keep(order.subject.id, [_replacement_snapshot(order, successor.email)])
        return await self._ask(handover, successor.email)

    async def _ask(self, handover: Handover, address: str) -> ForwardReport:
        refusal = await self._refusal(handover, address)
        new_handover = await self._read_handover(handover.order, address)
        if refusal is None and new_handover.new is None:
            raise failures.passing_failure(Code.UNREACHABLE, "Core Signature does not show yet who was asked instead")
        if refusal is None or new_handover.is_done:
            return await self._success_report(new_handover)
        if refusal.status == _CONFLICT and new_handover.obstacle is None:
            raise refusal
        return await self._refusal_report(
            new_handover, new_handover.obstacle or Rejection.REFUSED_THERE.to_message(says=refusal.explanation)
        )

    async def _refusal(self, handover: Handover, address: str) -> ServiceFailure | None:
        """Forward; Core Signature's refusal, None on success."""
        if handover.former_entry is None or handover.document.request is None:
            raise ValueError("only a signer of a request can be replaced")
        try:
            await self._client.forward(
                handover.document.request.uuid, handover.former_entry.email, address, handover.order.reason
            )
        except ServiceFailure as failure:
            if failure.status != _CONFLICT and failures.verdict(failure).code is not Code.REFUSED:
                raise
            return failure
        return None

    async def _read_handover(self, order: ForwardOrder, address: str) -> Handover:
        document = await self.reader.existing(order.subject, order.document)
        signers = documents.signers_of(document)
        places = (*await self._snapshots.read_snapshots(order.subject.id), _replacement_snapshot(order, address))
        addresses = {folded(snapshot.email) for snapshot in places if snapshot.person == order.to}
        new = [entry for entry in signers if entry.needs_to_sign and folded(entry.email) in addresses]
        former_entry = match(insert_successors(order.subject, {order.from_: order.to}).people, places, signers)[
            order.from_
        ]
        return Handover(order, document, former_entry=former_entry, new=new[-1] if new else None)

    async def _success_report(self, handover: Handover) -> ForwardReport:
        order = handover.order
        roster = insert_successors(order.subject, {order.from_: order.to})
        return ForwardReport(
            seen=await self.reader.read_snapshot(handover.document, roster, {order.from_: order.reason})
        )

    async def _refusal_report(self, handover: Handover, reason: Message) -> ForwardReport:
        return ForwardReport(
            seen=await self.reader.read_snapshot(handover.document, handover.order.subject), refused=reason
        )


class CoreSignatureService(SignatureService):
    """The documents and requests of one tenant, by our ids. Failures: `activities/temporal/failures.py`."""

    def __init__(
        self,
        client: CoreSignatureClient,
        directory: Directory,
        store: Store,
        passwords: SignerPasswords | None = None,
    ) -> None:
        self._client = client
        self._passwords = passwords
        self._lookup = Lookup(client, store)
        self._snapshots = SignerSnapshots(store)
        self.reader = DocumentReader(client, self._lookup, self._snapshots)
        self._forwarding = Forwarding(client, self.reader, directory, self._snapshots)
        self._stand_ins = CoreStandIns(directory)
        self._directory = directory
        self._store = store

    async def create(self, order: CreateOrder) -> ReportedDocument:
        """Looks up first on every attempt: after a reset, attempt numbers prove nothing."""
        brief, still_ours = order.brief, Lease.of_this_attempt()
        with failures.failing_as_application_errors():
            document = await self._lookup.to_take_over(brief, order.fingerprint)
            if any(stands_in_full(signer.person) for signer in brief.people):
                await self._store.people.choose(Kind.REQUEST.workflow_id(brief.id), order.fingerprint)
            if document is None or _is_unasked(document):
                if adopted_document(brief.id):
                    raise failures.final_failure(
                        Code.DOCUMENT_DELETED, "the document that was adopted is not there any more"
                    )
                document = await self._send(order, document, still_ours)
            if brief.identity is not Identity.LINK:
                _refuse_without_page(document)
            return await self._seen_as_sent(brief, document)

    async def observe(self, observation: Observation) -> ReportedDocument:
        return await self.read(observation.roster, observation.document)

    async def cancel(self, order: CancelOrder) -> ReportedDocument | None:
        """A document that nobody was asked to sign yet is deleted."""
        with failures.failing_as_application_errors():
            document = await self._to_cancel(order)
            if document is None:
                return None
            if not has_ended(document):
                if document.request is None:
                    await self._client.delete_document(document.uuid)
                    return None
                document = await self._cancelled(document.uuid, document.request.uuid)
            return await self.reader.read_snapshot(document, order.subject)

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        """A refusal also has the document, if it was read: it may explain the refusal."""
        with failures.failing_as_application_errors():
            report = await self._forwarding.forward(order)
        if order.reason is EscalationReason.ESCALATION and report.refused is None:
            ESCALATIONS.add(kind=order.subject.kind, action="reassign")
        return report

    async def read(self, roster: Roster, document: str) -> ReportedDocument:
        """The document as it is now; fails with `document_deleted`."""
        with failures.failing_as_application_errors():
            return await self.reader.read_snapshot(await self.reader.existing(roster, document), roster)

    async def _send(self, order: CreateOrder, document: WireDocument | None, still_ours: StillOurs) -> WireDocument:
        """Create the missing document or request; the signers are stored before anything can have been sent."""
        brief = order.brief.replace(message=await self._text(order.brief, order.brief.message))
        cast = await self._stand_ins.at_sending(brief, await self._people(brief), order.now)
        _refuse_without_phone(cast)
        reachable = await self._reachable(cast.people_asked) | cast.group_places
        if brief.identity is not Identity.LINK:
            # Core Signature's own mail would lead past what our page asks.
            reachable = frozenset(cast.people_asked)
        cast = cast.with_addresses(lambda person: self._with_address(brief.id, person))
        places = cast.places(reachable)
        with failures.again_after(self._client.config.list_lag):
            if document is None:
                document = await self._make_document(order, places, still_ours)
            else:
                await self._snapshots.keep(brief.id, places)
            return await self._ask(document, cast, reachable, still_ours) if _is_unasked(document) else document

    async def _text(self, brief: SignatureBrief, stored_text: str | None) -> str | None:
        """What the requester gave with it; None once erased."""
        reference = Reference.read(stored_text or "")
        return await self._store.texts.read(Kind.REQUEST.workflow_id(brief.id), reference) if reference else stored_text

    async def _seen_as_sent(self, subject: Subject, document: WireDocument) -> ReportedDocument:
        places = await self._snapshots.read_snapshots(subject.id)
        instead = stand_ins_of(subject, places, documents.signers_of(document))
        replaced = dict.fromkeys(instead, EscalationReason.ABSENCE)
        snapshot = await self.reader.read_snapshot(document, insert_successors(subject, instead), replaced, places)
        return snapshot.replace(
            substituted=tuple(Substitution(from_=signer, to=stand_in) for signer, stand_in in instead.items())
        )

    async def _make_document(self, order: CreateOrder, places: Places, still_ours: StillOurs) -> WireDocument:
        brief = order.brief
        sha256 = brief.document.sha256
        content = await self._store.files.open(sha256) if sha256 else None
        # In any order: until the document is created, none has an effect.
        await asyncio.gather(
            self._snapshots.keep(brief.id, places),
            CoverSheet.keep(self._store, brief),
            self._store.starts.claim(Kind.REQUEST.workflow_id(brief.id), order.fingerprint),
        )
        body = orders.document_body(brief.replace(prefill=await self._text(brief, brief.prefill)), self._client.config)
        return await self._client.create_document(body, content, still_ours)

    async def _ask(
        self, document: WireDocument, cast: SignerAssignment, reachable: Collection[str], still_ours: StillOurs
    ) -> WireDocument:
        people = cast.people_asked
        url = self._client.document_url(document.uuid)
        requester = await self._requester(cast.brief_as_asked)
        passwords = self._derive_passwords(cast.brief_as_asked)
        body = orders.request_body(
            url,
            cast.brief_as_asked,
            people,
            reachable,
            self._client.config,
            requester=requester,
            passwords=passwords,
        )
        named = [*people.values(), *([requester] if requester else [])]
        private = [text for person in named for text in (person.email, person.name)]
        private += [*passwords.values(), *_verified_numbers(body)]
        try:
            request = await self._client.create_request(body, private, still_ours)
        except ServiceFailure as failure:
            # The document may have its request by now, or have ended: the document decides.
            if failure.status not in _REFUSED_BY_STATE:
                raise
            current_document = await self._client.document(document.uuid)
            if _is_unasked(current_document):
                raise failure from None
            return current_document
        if not request.signers:
            return await self._client.document(document.uuid)
        return document.model_copy(update={"request": request})

    def _derive_passwords(self, brief: SignatureBrief) -> dict[str, str]:
        """Of the signers whom Core Signature verifies by a password."""
        if self._passwords is not None:
            return self._passwords.derive_all(brief.id, brief.people)
        if any(signer.verify is Verify.PASSWORD for signer in brief.people):
            raise ValueError("passwords of signers need the secret from which they are derived")
        return {}

    async def _to_cancel(self, order: CancelOrder) -> WireDocument | None:
        if order.document is not None:
            return await self.reader.unless_gone(order.subject, order.document)
        return await self._lookup.to_cancel(order.subject, order.fingerprint)

    async def _cancelled(self, document: str, request: str) -> WireDocument:
        refusal: ServiceFailure | None = None
        try:
            await self._client.cancel(request)
        except ServiceFailure as failure:
            if failure.status not in _REFUSED_BY_STATE:
                raise
            refusal = failure
        current_document = await self._client.document(document)
        if has_ended(current_document):
            return current_document
        raise refusal or failures.passing_failure(
            Code.UNREACHABLE, "Core Signature has not yet ended the cancelled document"
        )

    async def _people(self, roster: Roster) -> dict[str, Person]:
        workflow_id = Kind.REQUEST.workflow_id(roster.id)
        return {signer.person: await self._directory.person(signer.person, workflow_id) for signer in roster.people}

    def _with_address(self, request: str, person: Person) -> Person:
        """With a relay address for Core Signature if they have no mailbox."""
        return self._directory.substitutes.with_address(person, f"{request}/{person.id}", self._directory.secret)

    async def _requester(self, brief: SignatureBrief) -> Person | None:
        try:
            return await self._directory.person(brief.requester)
        except UnknownPerson:
            return None

    async def _reachable(self, people: Mapping[str, Person]) -> frozenset[str]:
        devices = {id: await self._directory.devices(person) for id, person in people.items()}
        now = datetime.now(UTC)
        return frozenset(
            id
            for id, living in devices.items()
            # Of somebody without a mailbox nobody reads Core Signature's mail.
            if not people[id].email or any(not device.unseen(now) for device in living)
        )


def _refuse_without_phone(cast: SignerAssignment) -> None:
    """Nobody is asked without the verification that the file wants; the directory may have lost their number."""
    for signer in cast.brief_as_asked.people:
        if signer.verify is Verify.PHONE and not cast.people_asked[signer.person].phone:
            explanation = f"{signer.person} has no phone number by which Core Signature could verify them"
            raise failures.passing_failure(Code.DIRECTORY, explanation)


def _refuse_without_page(document: WireDocument) -> None:
    """Signers without a signing page got Core Signature's mail, which leads past what our page asks: a problem that
    on-call and the desk show, until it is mended there or cancelled.
    """
    open_signers = [signer for signer in documents.signers_of(document) if signer.open]
    turn = min((signer.order for signer in open_signers), default=0)
    if any(signer.order == turn and not signer.embed_url for signer in open_signers):
        explanation = "Core Signature gives no signing page to a signer who has to prove who they are, but mails them"
        raise failures.passing_failure(Code.REFUSED, explanation)


def _verified_numbers(body: Mapping[str, Any]) -> list[str]:
    return [signer["verify_phone_number"] for signer in body["signers"] if "verify_phone_number" in signer]


def _replacement_snapshot(order: ForwardOrder, email: str) -> SignerSnapshot:
    former_signer = next(signer for signer in order.subject.people if signer.person == order.from_)
    return SignerSnapshot(
        person=order.to, order=former_signer.order, role=former_signer.role, email=email, instead_of=order.from_
    )


def _impossible(order: ForwardOrder) -> Message | None:
    role = next((signer.role for signer in order.subject.people if signer.person == order.from_), None)
    if role is None:
        return Rejection.NOT_ASKED.to_message(person=order.from_, awaited="signer", subject="request")
    if role is Role.COPY:
        return Rejection.ONLY_COPIED.to_message(person=order.from_)
    if order.to == order.subject.requester:
        return Rejection.ASKED_FOR_IT.to_message(
            person=order.to, what="this request and cannot sign it for somebody else"
        )
    return None


def _is_unasked(document: WireDocument) -> bool:
    return document.request is None and not has_ended(document)
