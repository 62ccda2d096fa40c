"""Core Signature's documents and signature requests, from upload to end, with an event for each step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.core_signature.callbacks import Callbacks
from deploy.sandbox.core_signature.pdf import append_notes, is_pdf, render_pdf
from deploy.sandbox.core_signature.views import FileLinks, Views
from deploy.sandbox.http.errors import HttpRefusal
from deploy.sandbox.http.oauth import Tokens
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import (
    UNFINISHED,
    WAITING_FOR_SIGNERS,
    CoreDocument,
    CoreRequest,
    CoreSigner,
    CoreStatus,
    SigningCase,
    iso,
)
from deploy.sandbox.state.state import SandboxState

DAY = 86_400.0
BOUNCING = "bounce"
UNSENDABLE = "sending-error"
CLOSING_MAILS = {
    "signed": "Everyone has signed. The completed document is ready.",
    "declined": "A signer declined. The document cannot be signed any more.",
    "cancelled": "The request was cancelled by the sender.",
    "expired": "The request expired before everyone had signed.",
}


@dataclass(frozen=True)
class NewDocument:
    """Content of a document; text that does not claim to be a PDF is converted to one."""

    content: bytes
    file_name: str
    name: str
    external_id: str | None = None
    template: str | None = None
    events_callback_url: str | None = None
    auto_expire_days: int | None = None
    auto_delete_days: int | None = None
    link_expire_days: int | None = None
    prefilled: Sequence[dict[str, Any]] = ()


class CoreSignature:
    """Documents go along `co → ne → … → si|de|ca|xp|ec`. `HttpRefusal` for an action that is not allowed."""

    def __init__(self, state: SandboxState) -> None:
        settings = state.settings
        self.state = state
        self.tokens = Tokens("signature", settings.client_id, settings.client_secret, state)
        self.links = FileLinks(settings.client_secret, settings.link_lifetime, state.clock)
        self.views = Views(settings, state.database, self.links)
        self.callbacks = Callbacks(state, self.views)
        self.deleted: set[str] = set()
        """Documents of this run whose events are listed no more."""
        self._resent_at: dict[str, float] = {}
        """When the mails of each request were last sent again."""

    def resume(self) -> None:
        """Continue documents and callbacks of an earlier run."""
        for document in self.state.database.documents:
            self._watch(document)
        self.callbacks.resume()

    def create_document(self, new: NewDocument) -> CoreDocument:
        now = self.state.clock()
        document = CoreDocument(
            name=new.name,
            file_name=new.file_name,
            external_id=new.external_id,
            template=new.template,
            created=now,
            modified=now,
            source=self.state.database.files.save(_as_pdf(new)),
            convertible=_is_convertible(new),
            events_callback_url=new.events_callback_url,
            auto_expire_days=new.auto_expire_days,
            auto_delete_days=new.auto_delete_days,
            link_expire_days=new.link_expire_days,
            prefilled=list(new.prefilled),
            converts_at=now + self.state.settings.conversion_delay,
            expires_at=now + new.auto_expire_days * DAY if new.auto_expire_days else None,
        )
        self.state.database.documents.save(document)
        self._write(EntryType.DOCUMENT_CREATED, document, name=document.name)
        self._watch(document)
        return document

    def create_request(self, request: CoreRequest, document: CoreDocument) -> None:
        """It is sent once the document is converted."""
        document.request = request.uuid
        self.state.database.documents.save(document)
        self.state.database.save_request(request)
        signers = [signer.email for signer in request.signers if not signer.is_sender]
        self._write(EntryType.REQUEST_CREATED, document, request=request.uuid, signers=signers)
        if document.status is CoreStatus.NEW:
            self._send(document)

    def view(self, case: SigningCase, *, by_mail: bool = False) -> None:
        """No effect if they cannot act."""
        signer, request, document = case
        if document.status not in WAITING_FOR_SIGNERS or not request.is_turn(signer):
            return
        if by_mail and not signer.email_viewed:
            signer.email_viewed = True
            self.callbacks.announce("signer_viewed_email", document, signer)
        if not signer.viewed:
            signer.viewed = True
            self._write_signer(EntryType.SIGNER_VIEWED, signer, document)
            self.callbacks.announce("signer_viewed", document, signer)
        self.state.database.save_request(request)
        if document.status is CoreStatus.SENT:
            self._move(document, CoreStatus.VIEWED)
            self.callbacks.announce("viewed", document)

    def ask_to_verify(self, case: SigningCase) -> None:
        """Send the code of a signer who is verified by their number."""
        signer, _, document = case
        if signer.verify_phone_number and not signer.password:
            number, code = signer.verify_phone_number, signer.verification_word
            self._mail(document, number, kind="verification", subject="Your code at Core Signature", text=code)
            self.state.ledger.write(EntryType.MESSAGE, job=None, kind="sms", to=number, text=code, reference=None)

    def verify(self, case: SigningCase, word: str) -> None:
        """Refuses another word than the signer's password or code."""
        signer, request, _ = case
        if not signer.is_verified_by(word):
            raise HttpRefusal.because(403, "This is not what was sent to the signer.")
        signer.verified = True
        self.state.database.save_request(request)

    def sign(self, case: SigningCase, filled: Sequence[dict[str, Any]] = ()) -> None:
        """With what they put into tags; the first signer has those that were filled in before. The last one completes
        the document.
        """
        signer, request, document = case
        _check_may_act(case)
        first = all(other_signer.signed_on is None for other_signer in request.signers)
        signer.inputs = _inputs((*(document.prefilled if first else ()), *filled))
        signer.viewed, signer.signed_on = True, self.state.clock()
        self.state.database.save_request(request)
        self._write_signer(EntryType.SIGNER_SIGNED, signer, document)
        self.callbacks.announce("signer_signed", document, signer)
        if any(other_signer.open for other_signer in request.signers):
            self._invite_on_turn(request, document)
        else:
            self._end(document, request, CoreStatus.SIGNED, "signed")

    def decline(self, case: SigningCase, reason: str) -> None:
        """Ends the request for everyone."""
        signer, request, document = case
        _check_may_act(case)
        signer.viewed, signer.declined_on, signer.message = True, self.state.clock(), reason
        self.state.database.save_request(request)
        self._write_signer(EntryType.SIGNER_DECLINED, signer, document)
        self._end(document, request, CoreStatus.DECLINED, "declined")

    def cancel(self, request: CoreRequest) -> None:
        """By the sender; 409 if the document has ended."""
        document = self._open_document(request)
        self._end(document, request, CoreStatus.CANCELLED, "cancelled")

    def resend(self, request: CoreRequest) -> None:
        """Also to those with an `embed_url`; dropped, and answered alike, shortly after the last one."""
        document, now = self._open_document(request), self.state.clock()
        if now - self._resent_at.get(request.uuid, -math.inf) < self.state.settings.mails_apart:
            return
        self._resent_at[request.uuid] = now
        for signer in _on_turn(request, document):
            self._invite(signer, request, document, kind="resend")

    def forward(self, request: CoreRequest, old_email: str, new_email: str, reason: str) -> None:
        """The old link becomes invalid; the new signer has no `embed_url` and is mailed."""
        document = self._open_document(request)
        emails = [signer.email.lower() for signer in request.signers if signer.forwarded_on is None]
        old_signer = next((s for s in request.signers if s.open and s.email.lower() == old_email.lower()), None)
        if old_signer is None:
            text = "This signer does not exist or does not have to sign."
            raise HttpRefusal(400, {"signer_email_to_forward": [text]})
        if new_email.lower() in emails:
            text = "This address already is a signer of the document."
            raise HttpRefusal(400, {"signer_email_to_forward_to": [text]})
        was_on_turn = old_signer in _on_turn(request, document)
        old_signer.forwarded_on, old_signer.forwarded_to_email, old_signer.forwarded_reason = (
            self.state.clock(),
            new_email,
            reason,
        )
        new_signer = CoreSigner(
            email=new_email, order=old_signer.order, approve_only=old_signer.approve_only, language=old_signer.language
        )
        request.signers.append(new_signer)
        self.state.database.save_request(request)
        self._write_signer(EntryType.SIGNER_FORWARDED, old_signer, document, to=new_email)
        self.callbacks.announce("signer_forwarded", document, old_signer)
        if was_on_turn:
            self._invite(new_signer, request, document)

    def expire(self, document: CoreDocument) -> bool:
        """End it as expired; False if it had ended."""
        if document.status not in UNFINISHED:
            return False
        self._end(document, self.state.database.request_of(document), CoreStatus.EXPIRED, "expired")
        return True

    def delete(self, document: CoreDocument) -> None:
        """With its request; links become invalid."""
        if request := self.state.database.request_of(document):
            self.state.database.requests.drop(request)
        self.state.database.documents.drop(document)
        self.deleted.add(document.uuid)
        self._write(EntryType.DOCUMENT_DELETED, document)

    def _watch(self, document: CoreDocument) -> None:
        if document.status is CoreStatus.CONVERTING:
            self.state.jobs.schedule(document.converts_at, lambda: self._convert(document))
        if document.expires_at is not None and document.status in UNFINISHED:
            self.state.jobs.schedule(document.expires_at, lambda: self._expire_when_due(document))

    def _expire_when_due(self, document: CoreDocument) -> None:
        if self.state.database.documents.get(document.uuid) is document:
            self.expire(document)

    def _convert(self, document: CoreDocument) -> None:
        is_deleted = self.state.database.documents.get(document.uuid) is not document
        if is_deleted or document.status is not CoreStatus.CONVERTING:
            return
        if not document.convertible:
            self._move(document, CoreStatus.CONVERT_ERROR)
            self.callbacks.announce("convert_error", document, ok=False)
            return
        self._move(document, CoreStatus.NEW)
        self.callbacks.announce("converted", document)
        self._send(document)

    def _send(self, document: CoreDocument) -> None:
        request = self.state.database.request_of(document)
        if request is None or request.is_being_prepared:
            return
        if UNSENDABLE in request.subject:
            self._move(document, CoreStatus.SENDING_ERROR)
            self.callbacks.announce("sending_error", document, ok=False)
            return
        self._move(document, CoreStatus.SENT)
        self.callbacks.announce("sent", document)
        self._invite_on_turn(request, document)

    def _move(self, document: CoreDocument, status: CoreStatus) -> None:
        previous_status, document.status, document.modified = document.status, status, self.state.clock()
        self.state.database.documents.save(document)
        self._write(EntryType.DOCUMENT_STATUS, document, was=previous_status.value, status=status.value)

    def _end(self, document: CoreDocument, request: CoreRequest | None, status: CoreStatus, event: str) -> None:
        if request and status in {CoreStatus.SIGNED, CoreStatus.DECLINED}:
            self._write_final_files(document, request, event)
        self._move(document, status)
        decliner = next((s for s in request.signers if s.declined_on is not None), None) if request else None
        self.callbacks.announce(event, document, decliner)
        if request and not request.disable_emails and not request.is_being_prepared:
            for signer in request.signers:
                if signer.forwarded_on is None:
                    subject = f"{document.name}: {event}"
                    self._mail(document, signer.email, kind=event, subject=subject, text=CLOSING_MAILS[event])

    def _write_final_files(self, document: CoreDocument, request: CoreRequest, outcome: str) -> None:
        files = self.state.database.files
        source = files.read(document.source) or b""
        actions = [f"{s.email} signed {iso(s.signed_on)}" for s in request.signers if s.signed_on is not None]
        actions += [f"{s.email} declined {iso(s.declined_on)}" for s in request.signers if s.declined_on is not None]
        document.final = files.save(append_notes(source, [f"{outcome}: {document.uuid}", *actions]))
        heading = ["Signing log", "", f"Document: {document.name}", f"Id: {document.uuid}", f"Outcome: {outcome}", ""]
        document.log = files.save(render_pdf([*heading, *actions]))

    def _open_document(self, request: CoreRequest) -> CoreDocument:
        document = self.state.database.documents.get(request.document)
        if document is None:
            raise HttpRefusal.missing()
        if document.status not in UNFINISHED:
            raise HttpRefusal.because(409, f"The document can no longer be changed (status {document.status.value}).")
        return document

    def _invite_on_turn(self, request: CoreRequest, document: CoreDocument) -> None:
        for signer in _on_turn(request, document):
            if not (signer.emailed or (signer.embed_url_user_id and self.state.settings.embed_urls)):
                self._invite(signer, request, document)

    def _invite(self, signer: CoreSigner, request: CoreRequest, document: CoreDocument, kind: str = "sign") -> None:
        signer.emailed = True
        subject = request.subject or f"Please {'approve' if signer.approve_only else 'sign'} {document.name}"
        path = f"/sign/{signer.uuid}?from=mail"
        self._mail(document, signer.email, kind=kind, subject=subject, text=request.message, path=path)
        if signer.email.startswith(BOUNCING) and not signer.bounced:
            signer.bounced = True
            self._write_signer(EntryType.SIGNER_BOUNCED, signer, document)
            self.callbacks.announce("signer_email_bounced", document, signer, ok=False)
        self.state.database.save_request(request)

    def _mail(self, document: CoreDocument, address: str, **fields: str) -> None:
        mail = self.state.deliver_mail(address, external_id=document.external_id, **fields)
        self.state.ledger.write(EntryType.MAIL, **mail.model_dump(include={"to", "kind", "subject", "external_id"}))

    def _write_signer(self, kind: EntryType, signer: CoreSigner, document: CoreDocument, **facts: str) -> None:
        self._write(kind, document, signer=signer.uuid, email=signer.email, **facts)

    def _write(self, kind: EntryType, document: CoreDocument, **facts: str | list[str]) -> None:
        self.state.ledger.write(kind, document=document.uuid, external_id=document.external_id, **facts)


def _inputs(tags: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signature, and each tag by its id with its last value."""
    last = {tag["external_id"]: tag for tag in tags}
    types = {"checkbox_value": "c", "date_value": "d"}
    filled = (
        {"type": next((types[name] for name in types if tag.get(name) is not None), "t"), **tag}
        for tag in last.values()
    )
    return [
        {"page_index": 0, "placeholder_uuid": None, **tag_input}
        for tag_input in ({"type": "s", "external_id": None}, *filled)
    ]


def _on_turn(request: CoreRequest, document: CoreDocument) -> list[CoreSigner]:
    if document.status not in WAITING_FOR_SIGNERS:
        return []
    return [signer for signer in request.signers if request.is_turn(signer)]


def _check_may_act(case: SigningCase) -> None:
    signer, request, document = case
    if signer.forwarded_on is not None:
        raise HttpRefusal.because(410, "This signer was replaced; the link is no longer valid.")
    if document.status not in WAITING_FOR_SIGNERS:
        raise HttpRefusal.because(409, f"The document is not waiting for signers (status {document.status.value}).")
    if not signer.open:
        raise HttpRefusal.because(409, "This signer has nothing to do.")
    if not request.is_turn(signer):
        raise HttpRefusal.because(409, "It is not this signer's turn.")
    if signer.is_to_be_verified:
        raise HttpRefusal.because(403, "This signer has not been verified.")


def _is_convertible(new: NewDocument) -> bool:
    claims_pdf = new.file_name.lower().endswith(".pdf")
    return "convert-error" not in new.file_name and (is_pdf(new.content) or not claims_pdf)


def _as_pdf(new: NewDocument) -> bytes:
    if is_pdf(new.content) or not _is_convertible(new):
        return new.content
    return render_pdf(new.content.decode(errors="replace").splitlines())
