"""The lifecycle of a signature request: sent, opened, signed or declined, forwarded, cancelled."""

from deploy.sandbox.callbacks import Callbacks
from deploy.sandbox.ledger import EntryType
from deploy.sandbox.lifecycle import Lifecycle
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.memory import Memory
from deploy.sandbox.records import (
    UNFINISHED,
    WAITING_FOR_SIGNERS,
    CoreDocument,
    CoreRefusal,
    CoreRequest,
    CoreSigner,
    CoreStatus,
)
from deploy.sandbox.settings import SandboxSettings

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
