"""What a checked request file becomes: the workflow's input, the bytes to keep, the fingerprint it is recognised by."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from activities.directory import Directory
from activities.files.reading import FileFaults, FileText, PlainFile
from activities.person import SignersFile, id_in_full
from activities.policies.cascade import Resolved
from activities.policies.catalogue import Catalogue
from activities.requests.checks import RequestChecks, persons_named
from activities.requests.documents import LocalDocuments
from activities.requests.file import DocumentEntry, RequestFile
from activities.starting import path
from activities.starting.checks import KnownPersons, closing_times, maps
from activities.starting.meant import read_as
from activities.starting.policy import CheckedPolicy, checked
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.follow_up.inputs import FollowUpInput
from workflows.kinds import Kind
from workflows.model.request import Document, SignatureBrief
from workflows.model.subject import Participant
from workflows.signature.inputs import SignatureInput

MAX_UPLOAD_MEGABYTES: Final = 20


@dataclass(frozen=True)
class PreparedRequest:
    """A request whose file was checked in full; nothing is stored or started yet."""

    request: SignatureInput
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

    @property
    def given(self) -> SignatureInput:
        """See `path.Prepared`."""
        return self.request

    async def kept(self, store: Store) -> SignatureInput:
        """See `path.Prepared`: document, signers and message, under the fingerprint; of starts of one id at most one
        will live."""
        home, request = StoragePrefix.of_request(self.id), self.request
        if self.document is not None:
            await store.put_document(self.document)
        if self.signers is not None:
            await store.keep_signers(home, request.fingerprint, self.signers)
        if request.brief.message is None:
            return request
        message = await store.texts.keep(home, f"message-{request.fingerprint[:16]}", request.brief.message)
        return request.replace(brief=request.brief.replace(message=str(message)))

    async def lives(self, store: Store, given: FollowUpInput) -> None:
        """See `path.Prepared`: nothing yet; its cover sheet is kept when the document is created at the provider."""


async def prepare_request(
    written: FileText | PlainFile,
    *,
    catalogue: Catalogue,
    directory: Directory,
    now: datetime,
    documents: LocalDocuments | None = None,
) -> PreparedRequest:
    """Check a request file in full, without starting anything; `documents` are read once for many files.

    Raises `FileFaults` with all that is wrong, and `DirectoryFailure` when nobody can be looked up. A due date that is
    over stands in `overdue` when nothing else is wrong: the request may have been started in time.
    """
    plain = await read_as(Kind.REQUEST, written)
    found = await KnownPersons.look_up(directory, persons_named(plain.plain))
    checks = RequestChecks(
        folder=plain.folder,
        documents=documents or LocalDocuments(MAX_UPLOAD_MEGABYTES),
        catalogue=catalogue,
        found=found,
        closing=closing_times(maps(plain.plain, "signers"), found),
        now=now,
    )
    return _prepared(*await checked(plain, RequestFile, checks, directory), checks.pdf)


def _prepared(file: RequestFile, found: CheckedPolicy, pdf: bytes | None) -> PreparedRequest:
    """The request of a file that is right, with its resolved policy and the bytes of its document."""
    document, policy = _document(file.document, pdf), found.resolved.policy
    digest = fingerprint(file, document.sha256)
    brief = SignatureBrief(
        id=path.own_id(file, digest),
        kind=file.kind,
        title=_title(file.document),
        document=document,
        requester=file.requester,
        people=_signers(file),
        message=file.message,
        urgent=policy.urgent,
        lock_screen=policy.lock_screen,
    )
    request = SignatureInput(brief=brief, policy=policy, due=file.due, fingerprint=digest, subscribers=file.subscribers)
    return PreparedRequest(
        request, found.resolved, pdf, SignersFile.of(one.in_full for one in file.signers), found.overdue
    )


def fingerprint(file: RequestFile, document_sha256: str | None) -> str:
    """SHA-256 of what the file says as canonical JSON: without its id, the document by its hash."""
    content = file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id": True})
    if document_sha256 is not None:
        content["document"] = {**content["document"], "sha256": document_sha256}
        del content["document"]["file"]
    return path.fingerprint(content)


def _title(entry: DocumentEntry) -> str:
    return entry.name or PurePosixPath(entry.file or "").stem


def _document(entry: DocumentEntry, pdf: bytes | None) -> Document:
    if entry.file is None or pdf is None:
        return Document(template=entry.template)
    digest = hashlib.sha256(pdf).hexdigest()
    return Document(sha256=digest, size=len(pdf), file_name=PurePosixPath(entry.file).name)


def _signers(file: RequestFile) -> tuple[Participant, ...]:
    return tuple(
        Participant(person=entry.person or id_in_full(position), order=entry.order or position, role=entry.role)
        for position, entry in enumerate(file.signers, start=1)
    )
