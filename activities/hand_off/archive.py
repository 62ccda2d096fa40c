"""Hand-off targets that take the signed document as a file, in a folder or a bucket: written once, verified by reading
it back, never replaced.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, Final

import fsspec  # type: ignore[import-untyped]
from fsspec import AbstractFileSystem

from activities.documents.files import STORE_OPTIONS, StoredFile
from activities.errors import DocumentMissing
from activities.hand_off.downloads import kept_file
from activities.records.store import Store
from workflows.model.hand_off import EndedFacts, HandoffResult, Told
from workflows.model.policy import ArchiveTarget, Target
from workflows.model.subject import Subject

SECONDS: Final = 60.0
"""For one file; writing goes on in its thread for as long as the other side takes."""
FILES_AT_ONCE: Final = 4
"""Of one worker; the others wait for their turn within `SECONDS`."""
_PIECE: Final = 1 << 18
_MOVES: Final = ("file", "local")
"""Where half of a file could be seen: it is written beside its name, then moved."""
_SENT_BY: Final[dict[str, dict[str, Any]]] = {"s3": {"default_block_size": 5 << 20}}
"""In pieces of S3's smallest size, for the sake of memory."""
_EXTRAS: Final = {"s3": "pip install 'countersign[s3]'"}


class Archives:
    """Writes to what lies below the URLs `allowed`: a request file may name a target, and must not choose any place."""

    def __init__(self, store: Store, allowed: Sequence[str]) -> None:
        self._store = store
        self._allowed = tuple(allowed)
        self._threads = ThreadPoolExecutor(FILES_AT_ONCE, "archives")

    def refusal(self, archive: ArchiveTarget) -> str | None:
        """Why nothing is written there, or None."""
        if any(f"{archive.url}/".startswith(f"{address.rstrip('/')}/") for address in self._allowed):
            return None
        return "COUNTERSIGN_HANDOFF_ARCHIVES does not name this address"

    async def write(self, target: Target, archive: ArchiveTarget, subject: Subject, news: Told) -> HandoffResult:
        """Write the signed document; done as well if it is there already. A document that is not kept yet is retried,
        one that was erased and a place that another file has are not.
        """
        if reason := self.refusal(archive):
            return HandoffResult(target=target.target, ok=False, why=reason)
        try:
            if not subject.type.spec.document or not isinstance(news, EndedFacts):
                raise _RefusedUpload("there is no document of this")
            async with asyncio.timeout(SECONDS):
                await self._write(archive.url, path_of(archive, subject, news), subject)
        except DocumentMissing:
            return HandoffResult(target=target.target, ok=False, gone=True, why="the signed document was erased")
        except Exception as failure:  # Libraries of file systems raise anything, with anything in the text.
            is_final = isinstance(failure, _RefusedUpload)
            return HandoffResult(target=target.target, ok=False, gone=is_final, why=said_of(failure, archive.url))
        return HandoffResult(target=target.target, ok=True)

    async def _write(self, url: str, path: str, subject: Subject) -> None:
        file = await kept_file(self._store, subject.workflow_id)
        if file is None:
            raise _TryAgain("the signed document is not kept yet")
        files, root = await self._in_thread(open_archive, url)
        location = str(PurePosixPath(root) / path)
        try:
            stored_sha256 = await self._in_thread(_digest, files, location)
            if stored_sha256 is None:
                await self._put(files, location, file, aside=_protocol(url) in _MOVES)
            elif stored_sha256 != file.sha256:
                raise _RefusedUpload("another file has this name; it is not replaced")
        finally:
            if connection := getattr(files, "client", None):
                await self._in_thread(connection.close)

    async def _put(self, files: AbstractFileSystem, location: str, file: StoredFile, *, aside: bool) -> None:
        # Of its own: two workers may write the same file at once.
        written = f"{location}.{secrets.token_hex(4)}.part" if aside else location
        await self._in_thread(_make_folder, files, location)
        stream = await self._in_thread(files.open, written, "wb")
        try:
            async for piece in file.pieces(_PIECE):
                await self._in_thread(stream.write, piece)
            await self._in_thread(stream.close)
            if aside:
                await self._in_thread(files.mv, written, location)
        except BaseException:
            await self._in_thread(_give_up, files, stream, written if aside else None)
            raise
        if await self._in_thread(_digest, files, location) != file.sha256:
            raise _TryAgain("what was read back is not what was written")

    async def _in_thread(self, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments))


def said_of(failure: Exception, url: str) -> str:
    """What failed, without the texts of libraries."""
    if isinstance(failure, _TryAgain | _RefusedUpload):
        return str(failure)
    if isinstance(failure, TimeoutError):
        return f"not written within {SECONDS:.0f} s"
    missing = isinstance(failure, ImportError) and _EXTRAS.get(_protocol(url))
    return f"needs {missing}" if missing else type(failure).__name__


def path_of(archive: ArchiveTarget, subject: Subject, news: EndedFacts) -> str:
    """The file's path below the address; ids and kinds are names of files as they are."""
    instant = news.at
    return archive.path.format(
        kind=news.kind,
        id=subject.id,
        outcome=news.outcome.value,
        year=f"{instant:%Y}",
        month=f"{instant:%m}",
        day=f"{instant:%d}",
    )


def open_archive(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an archive and the path in it; raises what its library raises, `ImportError` without it."""
    options = {**STORE_OPTIONS.get(_protocol(url), {}), **_SENT_BY.get(_protocol(url), {})}
    files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
    return files, str(root)


class _TryAgain(Exception):
    """The next attempt may do it."""


class _RefusedUpload(Exception):
    """No attempt can."""


def _protocol(url: str) -> str:
    return url.partition("://")[0]


def _digest(files: AbstractFileSystem, location: str) -> str | None:
    """The SHA-256 of a file, None if there is none."""
    digest = hashlib.sha256()
    try:
        with files.open(location, "rb") as file:
            for piece in iter(partial(_read, file), b""):
                digest.update(piece)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def _read(file: IO[bytes]) -> bytes:
    return file.read(_PIECE)


def _give_up(files: AbstractFileSystem, stream: Any, aside: str | None) -> None:
    """Leave nothing of what was begun: closed, half of a file would stand in a bucket under its name for ever."""
    with suppress(Exception):  # what failed before is told
        if aside is None:
            stream.discard()
            stream.closed = True  # else its end would be written once it is forgotten
        else:
            stream.close()
            files.rm_file(aside)


def _make_folder(files: AbstractFileSystem, location: str) -> None:
    files.makedirs(str(PurePosixPath(location).parent), exist_ok=True)
