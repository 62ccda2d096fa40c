"""The lifecycle of a document: upload, conversion, end, deletion."""

from collections.abc import Callable
from dataclasses import dataclass

from deploy.sandbox import pdf
from deploy.sandbox.callbacks import Callbacks
from deploy.sandbox.ledger import EntryType
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.memory import Memory
from deploy.sandbox.records import UNFINISHED, CoreDocument, CoreRequest, CoreStatus, iso
from deploy.sandbox.schedule import JobQueue
from deploy.sandbox.settings import SandboxSettings

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
        document.final = self._memory.contents.keep(pdf.sealed(source, [f"{outcome}: {document.uuid}", *deeds]))
        heading = ["Signing log", "", f"Document: {document.name}", f"Id: {document.uuid}", f"Outcome: {outcome}", ""]
        document.log = self._memory.contents.keep(pdf.of_lines([*heading, *deeds]))


def _convertible(new: NewDocument) -> bool:
    claims_pdf = new.file_name.lower().endswith(".pdf")
    return "convert-error" not in new.file_name and (pdf.is_pdf(new.content) or not claims_pdf)


def _readable(new: NewDocument) -> bytes:
    if pdf.is_pdf(new.content) or not _convertible(new):
        return new.content
    return pdf.of_lines(new.content.decode(errors="replace").splitlines())
