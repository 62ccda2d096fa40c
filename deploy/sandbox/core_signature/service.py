"""The lifecycle of a document: upload, conversion, end, deletion."""

from collections.abc import Callable
from dataclasses import dataclass

from deploy.sandbox.core_signature.callbacks import Callbacks
from deploy.sandbox.core_signature.pdf import append_notes, is_pdf, render_pdf
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.memory import Memory
from deploy.sandbox.state.records import (
    UNFINISHED,
    WAITING_FOR_SIGNERS,
    CoreDocument,
    CoreRefusal,
    CoreRequest,
    CoreSigner,
    CoreStatus,
    iso,
)
from deploy.sandbox.state.settings import SandboxSettings
from deploy.sandbox.state.state import JobQueue

DAY = 86_400.0


@dataclass(frozen=True)
class NewDocument:
    """Content of a document; text that does not claim to be a PDF is converted to one."""

    content: bytes
    file_name: str
    name: str
    external_id: str | None = None
    events_callback_url: str | None = None
    auto_expire_days: int | None = None
    auto_delete_days: int | None = None
    link_expire_days: int | None = None


class Lifecycle:
    """Moves documents along `co → ne → … → si|de|ca|xp|ec`, with an event for each step."""

    def __init__(
        self,
        settings: SandboxSettings,
        memory: Memory,
        callbacks: Callbacks,
        mailroom: Mailroom,
        schedule: JobQueue,
        *,
        when_converted: Callable[[CoreDocument], None],
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._callbacks = callbacks
        self._mailroom = mailroom
        self._schedule = schedule
        self._when_converted = when_converted

    def create(self, new: NewDocument) -> CoreDocument:
        now = self._settings.clock()
        document = CoreDocument(
            name=new.name,
            file_name=new.file_name,
            external_id=new.external_id,
            created=now,
            modified=now,
            source=self._memory.contents.keep(_readable(new)),
            convertible=_convertible(new),
            events_callback_url=new.events_callback_url,
            auto_expire_days=new.auto_expire_days,
            auto_delete_days=new.auto_delete_days,
            link_expire_days=new.link_expire_days,
            converts_at=now + self._settings.conversion_delay,
            expires_at=now + new.auto_expire_days * DAY if new.auto_expire_days else None,
        )
        self._memory.documents.save(document)
        facts = {"document": document.uuid, "external_id": document.external_id}
        self._memory.ledger.write(EntryType.DOCUMENT_CREATED, **facts, name=document.name)
        self._watch(document)
        return document

    def resume(self) -> None:
        """Continue documents of an earlier run."""
        for document in self._memory.documents:
            self._watch(document)

    def move(self, document: CoreDocument, status: CoreStatus) -> None:
        was, document.status, document.modified = document.status, status, self._settings.clock()
        self._memory.documents.save(document)
        self._memory.ledger.write(
            EntryType.DOCUMENT_STATUS,
            document=document.uuid,
            external_id=document.external_id,
            was=was.value,
            status=status.value,
        )

    def end(self, document: CoreDocument, request: CoreRequest | None, status: CoreStatus, event: str) -> None:
        """A signed or declined one gets its final copy and signing log."""
        if request and status in {CoreStatus.SIGNED, CoreStatus.DECLINED}:
            self._seal(document, request, event)
        self.move(document, status)
        decliner = next((s for s in request.signers if s.declined_on is not None), None) if request else None
        self._callbacks.announce(event, document, decliner)
        if request and not request.disable_emails and not request.is_being_prepared:
            self._mailroom.tell_ending(event, request, document)

    def expire(self, document: CoreDocument) -> bool:
        """End it as expired; False if it had ended."""
        if document.status not in UNFINISHED:
            return False
        self.end(document, self._memory.request_of(document), CoreStatus.EXPIRED, "expired")
        return True

    def delete(self, document: CoreDocument) -> None:
        """With its request; links become invalid."""
        if request := self._memory.request_of(document):
            self._memory.requests.drop(request)
        self._memory.documents.drop(document)
        facts = {"document": document.uuid, "external_id": document.external_id}
        self._memory.ledger.write(EntryType.DOCUMENT_DELETED, **facts)

    def _watch(self, document: CoreDocument) -> None:
        if document.status is CoreStatus.CONVERTING:
            self._schedule.at(document.converts_at, lambda: self._convert(document))
        if document.expires_at is not None and document.status in UNFINISHED:
            self._schedule.at(document.expires_at, lambda: self._expire_when_due(document))

    def _expire_when_due(self, document: CoreDocument) -> None:
        if self._memory.documents.get(document.uuid) is document:
            self.expire(document)

    def _convert(self, document: CoreDocument) -> None:
        if document.status is not CoreStatus.CONVERTING or self._memory.documents.get(document.uuid) is not document:
            return
        if not document.convertible:
            self.move(document, CoreStatus.CONVERT_ERROR)
            self._callbacks.announce("convert_error", document, ok=False)
            return
        self.move(document, CoreStatus.NEW)
        self._callbacks.announce("converted", document)
        self._when_converted(document)

    def _seal(self, document: CoreDocument, request: CoreRequest, outcome: str) -> None:
        source = self._memory.contents.read(document.source) or b""
        deeds = [f"{s.email} signed {iso(s.signed_on)}" for s in request.signers if s.signed_on is not None]
        deeds += [f"{s.email} declined {iso(s.declined_on)}" for s in request.signers if s.declined_on is not None]
        document.final = self._memory.contents.keep(append_notes(source, [f"{outcome}: {document.uuid}", *deeds]))
        heading = ["Signing log", "", f"Document: {document.name}", f"Id: {document.uuid}", f"Outcome: {outcome}", ""]
        document.log = self._memory.contents.keep(render_pdf([*heading, *deeds]))


def _convertible(new: NewDocument) -> bool:
    claims_pdf = new.file_name.lower().endswith(".pdf")
    return "convert-error" not in new.file_name and (is_pdf(new.content) or not claims_pdf)


def _readable(new: NewDocument) -> bytes:
    if is_pdf(new.content) or not _convertible(new):
        return new.content
    return render_pdf(new.content.decode(errors="replace").splitlines())


BOUNCING = "bounce"
UNSENDABLE = "sending-error"

Case = tuple[CoreSigner, CoreRequest, CoreDocument]


def is_turn(signer: CoreSigner, request: CoreRequest) -> bool:
    orders = [other.order for other in request.signers if other.open]
    return signer.open and signer.order <= min(orders, default=signer.order)


class Signing:
    """Actions of signers and sender; `CoreRefusal` if not allowed."""

    def __init__(self, settings: SandboxSettings, memory: Memory, callbacks: Callbacks, mailroom: Mailroom) -> None:
        self._settings = settings
        self._memory = memory
        self._callbacks = callbacks
        self._mailroom = mailroom
        self.lifecycle: Lifecycle

    def create(self, request: CoreRequest, document: CoreDocument) -> None:
        """It is sent once the document is converted."""
        document.request = request.uuid
        self._memory.documents.save(document)
        self._memory.keep_request(request)
        self._memory.ledger.write(
            EntryType.REQUEST_CREATED,
            request=request.uuid,
            document=document.uuid,
            external_id=document.external_id,
            signers=[signer.email for signer in request.signers if not signer.is_sender],
        )
        if document.status is CoreStatus.NEW:
            self.send(document)

    def send(self, document: CoreDocument) -> None:
        """Unless it is only being prepared."""
        request = self._memory.request_of(document)
        if request is None or request.is_being_prepared:
            return
        if UNSENDABLE in request.subject:
            self.lifecycle.move(document, CoreStatus.SENDING_ERROR)
            self._callbacks.announce("sending_error", document, ok=False)
            return
        self.lifecycle.move(document, CoreStatus.SENT)
        self._callbacks.announce("sent", document)
        self._invite_those_on_turn(request, document)

    def view(self, case: Case, *, by_mail: bool = False) -> None:
        """No effect if they cannot act."""
        signer, request, document = case
        if document.status not in WAITING_FOR_SIGNERS or not is_turn(signer, request):
            return
        if by_mail and not signer.email_viewed:
            signer.email_viewed = True
            self._callbacks.announce("signer_viewed_email", document, signer)
        if not signer.viewed:
            signer.viewed = True
            self._write(EntryType.SIGNER_VIEWED, signer, document)
            self._callbacks.announce("signer_viewed", document, signer)
        self._memory.keep_request(request)
        if document.status is CoreStatus.SENT:
            self.lifecycle.move(document, CoreStatus.VIEWED)
            self._callbacks.announce("viewed", document)

    def sign(self, case: Case) -> None:
        """The last signer completes the document."""
        signer, request, document = case
        self._may_act(case)
        signer.viewed, signer.signed_on = True, self._settings.clock()
        self._memory.keep_request(request)
        self._write(EntryType.SIGNER_SIGNED, signer, document)
        self._callbacks.announce("signer_signed", document, signer)
        if any(other.open for other in request.signers):
            self._invite_those_on_turn(request, document)
        else:
            self.lifecycle.end(document, request, CoreStatus.SIGNED, "signed")

    def decline(self, case: Case, reason: str) -> None:
        """Ends the request for everyone."""
        signer, request, document = case
        self._may_act(case)
        signer.viewed, signer.declined_on, signer.message = True, self._settings.clock(), reason
        self._memory.keep_request(request)
        self._write(EntryType.SIGNER_DECLINED, signer, document)
        self.lifecycle.end(document, request, CoreStatus.DECLINED, "declined")

    def cancel(self, request: CoreRequest) -> None:
        """By the sender; 409 if the document has ended."""
        document = self._open_document(request)
        self.lifecycle.end(document, request, CoreStatus.CANCELLED, "cancelled")

    def resend(self, request: CoreRequest) -> None:
        """Also to those with an `embed_url`."""
        document = self._open_document(request)
        for signer in self._on_turn(request, document):
            self._mail(signer, request, document, kind="resend")

    def forward(self, request: CoreRequest, old_email: str, new_email: str, reason: str) -> None:
        """The old link becomes invalid; the new signer has no `embed_url` and is mailed."""
        document = self._open_document(request)
        emails = [signer.email.lower() for signer in request.signers if signer.forwarded_on is None]
        old = next((s for s in request.signers if s.open and s.email.lower() == old_email.lower()), None)
        if old is None:
            raise CoreRefusal(
                400, {"signer_email_to_forward": ["This signer does not exist or does not have to sign."]}
            )
        if new_email.lower() in emails:
            raise CoreRefusal(
                400, {"signer_email_to_forward_to": ["This address already is a signer of the document."]}
            )
        was_on_turn = old in self._on_turn(request, document)
        old.forwarded_on, old.forwarded_to_email, old.forwarded_reason = self._settings.clock(), new_email, reason
        new = CoreSigner(email=new_email, order=old.order, approve_only=old.approve_only, language=old.language)
        request.signers.append(new)
        self._memory.keep_request(request)
        self._write(EntryType.SIGNER_FORWARDED, old, document, to=new_email)
        self._callbacks.announce("signer_forwarded", document, old)
        if was_on_turn:
            self._mail(new, request, document)

    def _open_document(self, request: CoreRequest) -> CoreDocument:
        document = self._memory.documents.get(request.document)
        if document is None:
            raise CoreRefusal.missing()
        if document.status not in UNFINISHED:
            raise CoreRefusal.because(409, f"The document can no longer be changed (status {document.status.value}).")
        return document

    def _may_act(self, case: Case) -> None:
        signer, request, document = case
        if signer.forwarded_on is not None:
            raise CoreRefusal.because(410, "This signer was replaced; the link is no longer valid.")
        if document.status not in WAITING_FOR_SIGNERS:
            raise CoreRefusal.because(409, f"The document is not waiting for signers (status {document.status.value}).")
        if not signer.open:
            raise CoreRefusal.because(409, "This signer has nothing to do.")
        if not is_turn(signer, request):
            raise CoreRefusal.because(409, "It is not this signer's turn.")

    def _on_turn(self, request: CoreRequest, document: CoreDocument) -> list[CoreSigner]:
        if document.status not in WAITING_FOR_SIGNERS:
            return []
        return [signer for signer in request.signers if is_turn(signer, request)]

    def _invite_those_on_turn(self, request: CoreRequest, document: CoreDocument) -> None:
        for signer in self._on_turn(request, document):
            if not (signer.emailed or signer.embed_url_user_id):
                self._mail(signer, request, document)

    def _mail(self, signer: CoreSigner, request: CoreRequest, document: CoreDocument, *, kind: str = "sign") -> None:
        signer.emailed = True
        self._mailroom.invite(signer, request, document, kind=kind)
        if signer.email.startswith(BOUNCING) and not signer.bounced:
            signer.bounced = True
            self._write(EntryType.SIGNER_BOUNCED, signer, document)
            self._callbacks.announce("signer_email_bounced", document, signer, ok=False)
        self._memory.keep_request(request)

    def _write(self, kind: EntryType, signer: CoreSigner, document: CoreDocument, **facts: str) -> None:
        self._memory.ledger.write(
            kind,
            signer=signer.uuid,
            email=signer.email,
            document=document.uuid,
            external_id=document.external_id,
            **facts,
        )
