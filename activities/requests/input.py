"""What a checked request file becomes: the workflow's input, the bytes to keep, the fingerprint it is recognised by."""

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import rfc8785

from activities.files.reading import FileFaults
from activities.person import SignersFile
from activities.policies.cascade import Resolved
from activities.requests.file import DocumentEntry, RequestFile
from workflows.model.request import Brief, Document
from workflows.model.subject import Participant
from workflows.signature.inputs import SignatureRequest


@dataclass(frozen=True)
class Prepared:
    """A request whose file was checked in full; nothing is stored or started yet."""

    request: SignatureRequest
    resolved: Resolved
    """Its policy, and the layer each value comes from."""
    document: bytes | None = field(repr=False)
    """The PDF, None for a template."""
    signers: bytes | None = field(repr=False)
    """What the store keeps beside the request, None when all signers are in the directory."""
    overdue: FileFaults | None = None
    """Why it can be recognised, but not started any more."""

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.brief.id


def prepared(file: RequestFile, resolved: Resolved, pdf: bytes | None, overdue: FileFaults | None) -> Prepared:
    """The request of a file that is right, with its resolved policy and the bytes of its document."""
    document = _document(file.document, pdf)
    digest = fingerprint(file, document.sha256)
    brief = Brief(
        id=file.id or f"{file.kind}-{digest[:12]}",
        kind=file.kind,
        title=_title(file.document),
        document=document,
        requester=file.requester,
        people=_signers(file),
        message=file.message,
        urgent=resolved.policy.urgent,
        lock_screen=resolved.policy.lock_screen,
    )
    request = SignatureRequest(
        brief=brief, policy=resolved.policy, due=file.due, fingerprint=digest, subscribers=file.subscribers
    )
    return Prepared(request, resolved, pdf, _in_full(file), overdue)


def fingerprint(file: RequestFile, document_sha256: str | None) -> str:
    """SHA-256 of what the file says as canonical JSON: without its id, the document by its hash."""
    content = file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id": True})
    if document_sha256 is not None:
        content["document"] = {**content["document"], "sha256": document_sha256}
        del content["document"]["file"]
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def _title(entry: DocumentEntry) -> str:
    return entry.name or PurePosixPath(entry.file or "").stem


def _document(entry: DocumentEntry, pdf: bytes | None) -> Document:
    if entry.file is None or pdf is None:
        return Document(template=entry.template)
    path = PurePosixPath(entry.file)
    return Document(sha256=hashlib.sha256(pdf).hexdigest(), size=len(pdf), file_name=path.name)


def _signers(file: RequestFile) -> tuple[Participant, ...]:
    return tuple(
        Participant(person=entry.person or _signer_id(position), order=entry.order or position, role=entry.role)
        for position, entry in enumerate(file.signers, start=1)
    )


def _in_full(file: RequestFile) -> bytes | None:
    signers = {
        _signer_id(position): person
        for position, entry in enumerate(file.signers, start=1)
        if (person := entry.in_full) is not None
    }
    return SignersFile(signers=signers).model_dump_json(by_alias=True).encode() if signers else None


def _signer_id(position: int) -> str:
    return f"signer-{position}"
