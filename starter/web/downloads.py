"""Downloads of the files that are kept of ended requests: by the link of a hand-off target, and for people whom a page
knows.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from activities.documents.files import SIGNED, StoredFile
from activities.errors import DocumentMissing, StoreFailure
from activities.hand_off.downloads import PATH, DownloadLinks, kept_file
from activities.people.directory import DirectoryFailure
from activities.people.language import Language, phrase
from activities.records.allowances import Rate
from activities.records.downloads import Download, Way
from activities.records.evidence import KeptFileName
from activities.records.store import Store
from starter.queries.lookup import load_earlier_entries
from starter.web.http.allowances import Buckets, ConcurrencyLimit
from starter.web.http.serving import holder_of
from starter.web.rights import ReaderRole, ReaderRoles, Right, Rights, rights_of
from starter.web.screens.rendering import PRIVATE
from starter.web.screens.screens import ERASED, ERASED_HERE, NO_FILE, NOT_KNOWN_NOW, FileLink, OfferedFiles, ScreenDraft
from workflows.kinds import named
from workflows.model.evidence import KeptFile
from workflows.model.views import RequestShow, Shown

AT_ONCE: Final = 50
"""Downloads of one process; each has about 1 MB in memory. One address may have half of them."""
CALLS_OF_AN_ADDRESS: Final = Rate(burst=60, per_second=2)
"""Tokens that are tried, and ranges of one file."""
_NOTED_EVERY: Final = Rate(burst=1, per_second=1 / 3600)
"""Of the ranges that somebody asks for of one file, beside each that begins with its first byte."""
_PIECE: Final = 1 << 16
_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.ASCII)
_HEADERS: Final = {**PRIVATE, "content-security-policy": "default-src 'none'; sandbox"}
_NOTHING: Final = "This link opens nothing: it is not ours, has expired, or was revoked."
_NOT_KEPT: Final = "There is no such file: it is not kept, or not yet."
_ERASED: Final = "This file was erased."
_LATER: Final = "Not possible at the moment. Please try again."
_LOGGER: Final = structlog.get_logger("countersign.downloads")
FILE_PATHS: Final = {name: name.value.replace("_", "-") for name in KeptFileName}
"""The last part of their addresses."""
_NAMES: Final = {path: name for name, path in FILE_PATHS.items()}
_SCREENS: Final = {404: NO_FILE, 410: ERASED, 503: NOT_KNOWN_NOW}


@dataclass(frozen=True)
class FileRequest:
    """A file of an ended request, and who wants it, how they are known."""

    workflow_id: str
    file: KeptFileName
    who: str
    way: Way
    token_sha256: str | None = None
    sent: str | None = None
    """The SHA-256 of the document as it was sent, or as it is reviewed, instead of what was kept at the end."""
    version: int = 0
    """The number of that version, of a document in review."""

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        name = named(self.workflow_id)
        suffix = f"version-{self.version}" if self.version else self.file.value.replace("_", "-")
        return f"{name.id if name else 'document'}-{suffix}"


class KeptFileAnswers:
    """Answers with kept files, whole or in one range; whoever downloads is noted."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self.places = ConcurrencyLimit(AT_ONCE)
        self._noted = Buckets(_NOTED_EVERY, clock)

    async def answer(self, request: Request, file_request: FileRequest) -> Response:
        """The file; 404 if it is not kept, 410 if it was erased, 416 for a range outside it, 503 while the store is
        away or too many download at once.
        """
        holder = holder_of(request.client.host) if request.client else ""
        if not self.places.take(holder):
            return _plain_response(_LATER, 503)
        leave = partial(self.places.leave, holder)
        answer: Response | None = None
        try:
            answer = await self._answer(request, file_request, leave)
        except DocumentMissing:
            return _plain_response(_ERASED, 410)
        except StoreFailure as failure:
            _LOGGER.warning("no file", why=str(failure))
            return _plain_response(_LATER, 503)
        finally:
            if not isinstance(answer, _FileStream):
                leave()
        return answer

    async def _answer(self, request: Request, file_request: FileRequest, leave: Callable[[], None]) -> Response:
        file = (
            await self._store.files.open(file_request.sent)
            if file_request.sent
            else await kept_file(self._store, file_request.workflow_id, file_request.file)
        )
        if file is None:
            return _plain_response(_NOT_KEPT, 404)
        # RFC 9110, 13.1.5: a range of another file than the caller has the beginning of is answered by the whole file.
        is_same = request.headers.get("if-range", _tag(file)) == _tag(file)
        span = _span(request.headers.get("range") if is_same else None, file.size)
        if span is None:
            return _plain_response("", 416, {"content-range": f"bytes */{file.size}"})
        headers = _headers(file_request, file, span)
        status = 206 if "content-range" in headers else 200
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        if not file_request.version and self._is_news(file_request, span):
            download = Download(self._clock(), file_request.who, file_request.file, file_request.way)
            await self._store.downloads.note(file_request.workflow_id, download, file_request.token_sha256)
        is_full = len(span) == file.size
        pieces = file.pieces(_PIECE) if is_full else file.part(span.start, span.stop, _PIECE)
        return _FileStream(pieces, status, headers, leave)

    def _is_news(self, file_request: FileRequest, span: range) -> bool:
        """Whether it is noted: not each range of one download, and yet somebody who never asks for the first byte."""
        first = not self._noted.wait(
            f"{file_request.workflow_id} {file_request.file} {file_request.way} {file_request.who}"
        )
        return first or span.start == 0


class _FileStream(StreamingResponse):
    """Pieces of a file; `leave` is called after the last one, or when the reader has gone."""

    def __init__(
        self, pieces: AsyncIterator[bytes], status: int, headers: dict[str, str], leave: Callable[[], None]
    ) -> None:
        super().__init__(pieces, status, headers)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class PersonalFiles:
    """Kept files for the people who may have them, of a follow-up as a page has seen it."""

    def __init__(self, store: Store, roles: ReaderRoles, answers: KeptFileAnswers) -> None:
        self._store = store
        self._roles = roles
        self._answers = answers

    async def rights(self, role: ReaderRole, view: Shown) -> Rights:
        """As `rights_of`, also while a long log of what has ended is in the store. Raises `StoreFailure`."""
        return rights_of(role, await load_earlier_entries(self._store, view) if view.status.has_ended else view)

    async def permitted(self, person: str, view: Shown) -> bool:
        """Without the directory it is known of nobody whose manager or operator they are. Raises `StoreFailure`."""
        try:
            role = await self._roles.role_of(person)
        except DirectoryFailure:
            role = ReaderRole(person)
        return Right.DOWNLOAD in await self.rights(role, view)

    async def offered(self, view: Shown, page: str, language: Language) -> OfferedFiles:
        """Links below the path `page`, of those that were not erased."""
        links, erased = [], False
        for name, file in _kept_files(view):
            try:
                await self._store.files.open(file.sha256, SIGNED)
            except DocumentMissing:
                erased = True
                continue
            except StoreFailure as failure:
                _LOGGER.warning("not known whether it is there", why=str(failure))
            links.append(FileLink(f"{page}/{FILE_PATHS[name]}", language.say(_label(name, view))))
        return OfferedFiles(tuple(links), language.say(ERASED_HERE) if erased else "")

    async def answer(self, request: Request, view: Shown, person: str, way: Way) -> Response | ScreenDraft:
        """The file with which the address ends, for somebody who may have it; else the screen that says why not."""
        name = _NAMES[request.url.path.rpartition("/")[2]]
        return await self.answer_with(request, FileRequest(view.type.workflow_id(view.id), name, person, way))

    async def answer_with(self, request: Request, file_request: FileRequest) -> Response | ScreenDraft:
        answer = await self._answers.answer(request, file_request)
        return _SCREENS.get(answer.status_code, answer)

    async def version(
        self, request: Request, view: RequestShow, person: str, way: Way, number: int = 0
    ) -> Response | ScreenDraft:
        """A version of the document in review, by default the last, for somebody who may have it."""
        match = next((version for version in reversed(view.versions) if number in (0, version.number)), None)
        if match is None:
            return NO_FILE
        file_request = FileRequest(
            view.type.workflow_id(view.id),
            KeptFileName.DOCUMENT,
            person,
            way,
            sent=match.sha256,
            version=match.number,
        )
        answer = await self._answers.answer(request, file_request)
        return _SCREENS.get(answer.status_code, answer)


class TargetDownloads:
    """What a hand-off target fetches by its link; a token that opens nothing says nothing more."""

    def __init__(
        self, links: DownloadLinks, files: KeptFileAnswers, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._links = links
        self._files = files
        self._clock = clock
        self._calls = Buckets(CALLS_OF_AN_ADDRESS, clock)

    def routes(self) -> list[BaseRoute]:
        return [Route(f"/{PATH}/{{token}}", self.download, methods=["GET"])]

    async def download(self, request: Request) -> Response:
        if wait := self._calls.wait(holder_of(request.client.host) if request.client else ""):
            return _plain_response(_LATER, 429, {"retry-after": str(int(wait) + 1)})
        try:
            linked = await self._links.find(request.path_params["token"], self._clock())
        except StoreFailure as failure:
            _LOGGER.warning("no link", why=str(failure))
            return _plain_response(_LATER, 503)
        if linked is None:
            return _plain_response(_NOTHING, 404)
        file_request = FileRequest(linked.workflow_id, linked.file, linked.target, Way.LINK, linked.token_sha256)
        return await self._files.answer(request, file_request)


def _kept_files(view: Shown) -> Iterator[tuple[KeptFileName, KeptFile]]:
    files = {KeptFileName.DOCUMENT: view.kept_files.document, KeptFileName.SIGNING_LOG: view.kept_files.signing_log}
    yield from ((name, file) for name, file in files.items() if file)


def _label(name: KeptFileName, view: Shown) -> str:
    if name is KeptFileName.SIGNING_LOG:
        return phrase("Signing log")
    return phrase("Download the signed document") if view.status.fulfilled else phrase("Download the document")


def _headers(file_request: FileRequest, file: StoredFile, span: range) -> dict[str, str]:
    ranged = {"content-range": f"bytes {span.start}-{span.stop - 1}/{file.size}"} if len(span) < file.size else {}
    return {
        **_HEADERS,
        **ranged,
        "accept-ranges": "bytes",
        "content-type": "application/pdf",
        "content-length": str(len(span)),
        "content-disposition": f'attachment; filename="{file_request.name}.pdf"',
        "etag": _tag(file),
    }


def _tag(file: StoredFile) -> str:
    return f'"{file.sha256}"'


def _span(header: str | None, size: int) -> range | None:
    """The bytes that a Range header asks for; all for a header that is none of one range, None for nothing of it."""
    match = _RANGE.fullmatch(header or "")
    if match is None or not any(match.groups()):
        return range(size)
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if int(last) else None
    end = min(int(last), size - 1) if last else size - 1
    if int(first) >= size:
        return None
    return range(int(first), end + 1) if end >= int(first) else range(size)


def _plain_response(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers={**_HEADERS, **(headers or {})})
