"""The lifecycle of a document: upload, conversion, end, deletion."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from deploy.sandbox.callbacks import Callbacks
from deploy.sandbox.ledger import EntryType
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.memory import Memory
from deploy.sandbox.records import UNFINISHED, CoreDocument, CoreRequest, CoreStatus, iso
from deploy.sandbox.schedule import JobQueue
from deploy.sandbox.settings import SandboxSettings

LINES_PER_PAGE = 44
WIDTH = 88
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def is_pdf(content: bytes) -> bool:
    return content.lstrip()[:5] == b"%PDF-"


def of_lines(lines: list[str]) -> bytes:
    """A PDF of these lines, wrapped, on as many A4 pages as needed."""
    wrapped = [part for line in lines for part in (textwrap.wrap(line, WIDTH) or [""])]
    pages = [wrapped[start : start + LINES_PER_PAGE] for start in range(0, len(wrapped), LINES_PER_PAGE)] or [[""]]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        FONT,
    ]
    for number, page in enumerate(pages):
        objects += [_page(5 + 2 * number), _text(page)]
    return _file(objects)


def sealed(content: bytes, notes: list[str]) -> bytes:
    """The document with notes appended, where readers ignore them: another file, the same pages."""
    return content + b"\n" + b"".join(b"% " + note.encode() + b"\n" for note in notes)


def _page(contents: int) -> bytes:
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R "
        "/Resources << /Font << /F1 3 0 R >> >> >>"
    ).encode()


def _text(lines: list[str]) -> bytes:
    shown = b"\n".join(b"(" + _escaped(line) + b") Tj T*" for line in lines)
    stream = b"BT /F1 11 Tf 16 TL 56 780 Td\n" + shown + b"\nET"
    return f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream"


def _escaped(line: str) -> bytes:
    raw = line.encode("cp1252", errors="replace")
    return raw.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start, size = len(out), len(objects) + 1
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R >>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


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
        document.final = self._memory.contents.keep(sealed(source, [f"{outcome}: {document.uuid}", *deeds]))
        heading = ["Signing log", "", f"Document: {document.name}", f"Id: {document.uuid}", f"Outcome: {outcome}", ""]
        document.log = self._memory.contents.keep(of_lines([*heading, *deeds]))


def _convertible(new: NewDocument) -> bool:
    claims_pdf = new.file_name.lower().endswith(".pdf")
    return "convert-error" not in new.file_name and (is_pdf(new.content) or not claims_pdf)


def _readable(new: NewDocument) -> bytes:
    if is_pdf(new.content) or not _convertible(new):
        return new.content
    return of_lines(new.content.decode(errors="replace").splitlines())
