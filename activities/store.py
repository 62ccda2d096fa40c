"""The document and record store: one fsspec URL, shared by starters and workers.

Documents are kept under their SHA-256 and verified on the way out. Records are written once: equal content is the same
record, other content an alarm. Nothing here is ever changed in place, but the signers a request brought along before
it was started.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final, ParamSpec, TypeVar

import fsspec  # type: ignore[import-untyped]
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

P = ParamSpec("P")
R = TypeVar("R")

_DEVICE_HASH_LENGTH: Final = 12
_PROBE: Final = "probe.json"
_EXTRAS: Final = {"s3": "pip install 'countersign[s3]'"}
"""What brings the package of a kind of store; of the others fsspec says which it is."""


class StoreFailure(Exception):
    """The store cannot do what it must; the text says what would help."""


class DocumentMissing(StoreFailure):
    """The store of this process has no bytes for a document that somebody stored."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the store has no document {sha256[:12]}…: processes on different machines need one shared "
            "COUNTERSIGN_STORE (an fsspec URL such as s3://bucket/countersign)"
        )


class DocumentDamaged(StoreFailure):
    """The bytes in the store are not the ones that were put there."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the document {sha256[:12]}… in the store does not match its hash: restore it from its source"
        )


class RecordConflict(StoreFailure):
    """Something else was already recorded under this id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"the store already has another record {id}: records are written once and never changed")


def device_hash(token: str) -> str:
    """The short name of a device, by which ledgers and reports speak of it: 12 hex digits of SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:_DEVICE_HASH_LENGTH]


class Store:
    """Bytes by name under one fsspec URL; every call runs in a thread, and may be repeated.

    Raises `StoreFailure` when the URL is none, or needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        self._files, self._root = _opened(url)
        self._local = isinstance(self._files, LocalFileSystem)

    @property
    def address(self) -> str:
        """Where it is, without what the URL may have told of users and passwords."""
        return str(self._files.unstrip_protocol(self._root))

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return self._local

    async def check(self) -> None:
        """Write, write once, read and list as requests will; leaves one small object behind. Raises `StoreFailure`."""
        await self._replace(_PROBE, b"{}")
        if await self._read(_PROBE) != b"{}":
            raise StoreFailure("the store does not give back what was written to it")
        await self._check_once(f"probe-{secrets.token_hex(8)}.json")
        await self.read_amendments("probe")

    async def put_document(self, content: bytes) -> str:
        """Keep a document; returns its SHA-256, under which it is found again."""
        sha256 = hashlib.sha256(content).hexdigest()
        if (
            not await self._create(f"documents/{sha256}", content)
            and await self._read(f"documents/{sha256}") != content
        ):
            await self._replace(f"documents/{sha256}", content)
        return sha256

    async def get_document(self, sha256: str) -> bytes:
        """The bytes of a document, verified; `DocumentMissing` or `DocumentDamaged` otherwise."""
        content = await self._read(f"documents/{sha256}")
        if content is None:
            raise DocumentMissing(sha256)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DocumentDamaged(sha256)
        return content

    async def write_record(self, id: str, content: bytes) -> None:
        """Write `records/<id>.json` once; equal content is the same record, other content a `RecordConflict`."""
        if not await self._create(f"records/{id}.json", content) and await self.read_record(id) != content:
            raise RecordConflict(id)

    async def read_record(self, id: str) -> bytes | None:
        """The record of this id, None when there is none."""
        return await self._read(f"records/{id}.json")

    async def write_amendment(self, id: str, number: int, content: bytes) -> None:
        """Write what came after settlement; a repeated batch replaces its own amendment and no other."""
        await self._replace(_amendment(id, number), content)

    async def read_amendments(self, id: str) -> tuple[bytes, ...]:
        """The amendments of a request's record in their order; none when nothing came after settlement."""
        names = sorted(await self._in_thread(self._amendments_now, id), key=_number)
        found = [await self._read(f"records/{name}") for name in names]
        return tuple(content for content in found if content is not None)

    async def create_signers(self, request: str, content: bytes) -> bool:
        """Write `people/<request>.json` if there is none; whether what stands there now is `content`."""
        if await self._create(f"people/{request}.json", content):
            return True
        return await self.read_signers(request) == content

    async def replace_signers(self, request: str, content: bytes) -> None:
        """Write `people/<request>.json` over what a start that never happened left behind."""
        await self._replace(f"people/{request}.json", content)

    async def read_signers(self, request: str) -> bytes | None:
        """The signers that stand in full in a request file, None when there are none."""
        return await self._read(f"people/{request}.json")

    async def claim_id(self, request: str) -> None:
        """Remember for ever that the provider had nothing under this id before we created something under it."""
        await self._create(f"claims/{request}.json", b"{}")

    async def is_claimed(self, request: str) -> bool:
        """Whether whatever the provider has under this id was made by us."""
        return await self._read(f"claims/{request}.json") is not None

    async def keep_people(self, name: str, content: bytes) -> None:
        """Keep what a people file said, in place of what it said before: addresses that left it are not kept on."""
        await self._replace("people.index", name.encode() + b"\n" + content)

    async def read_people(self, name: str) -> bytes | None:
        """What is kept of the people file of this name, None when there is nothing, or of another one."""
        found_name, _, content = (await self._read("people.index") or b"").partition(b"\n")
        return content if found_name == name.encode() else None

    async def mark_dead(self, token: str) -> None:
        """Remember for ever that the push service no longer knows this device."""
        await self._create(_dead(token), b"{}")

    async def is_dead(self, token: str) -> bool:
        """Whether the push service once said that it no longer knows this device."""
        return await self._read(_dead(token)) is not None

    async def _check_once(self, name: str) -> None:
        try:
            if not await self._create(name, b"{}") or await self._create(name, b"[]"):
                raise StoreFailure("the store does not keep what was written first: a record could be overwritten")
        finally:
            # No request ever removes anything, so a store that forbids it will do.
            with contextlib.suppress(StoreFailure):
                await self._in_thread(self._files.rm_file, self._path(name))

    async def _create(self, name: str, content: bytes) -> bool:
        return await self._in_thread(self._create_now, name, content)

    async def _read(self, name: str) -> bytes | None:
        return await self._in_thread(self._read_now, name)

    async def _replace(self, name: str, content: bytes) -> None:
        await self._in_thread(self._replace_now, name, content)

    async def _in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except OSError as error:
            raise StoreFailure(f"the store cannot be used: {error.strerror or type(error).__name__}") from error
        except Exception as error:
            if self._local:
                raise
            # The libraries behind remote stores raise what they like, and what they say may have anything in it.
            raise StoreFailure(f"the store cannot be used: {type(error).__name__}") from error

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self._root) / name)

    def _create_now(self, name: str, content: bytes) -> bool:
        path = self._path(name)
        try:
            if self._local:
                _create_local(Path(path), content)
            else:
                self._files.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        return True

    def _read_now(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def _amendments_now(self, id: str) -> list[str]:
        # One may be missing in between: a store that was away costs a batch its amendment, not the later ones theirs.
        found = self._files.glob(f"{self._path('records')}/{id}~*.json")
        return [PurePosixPath(str(path)).name for path in found]

    def _replace_now(self, name: str, content: bytes) -> None:
        path = self._path(name)
        if self._local:
            _written_beside(Path(path), content).replace(path)
        else:
            self._files.pipe_file(path, content)


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    protocol = url.partition("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise StoreFailure(f"COUNTERSIGN_STORE: {protocol}:// needs {_EXTRAS.get(protocol) or error}") from error
    except ValueError as error:
        raise StoreFailure("COUNTERSIGN_STORE: must be a path or an fsspec URL such as s3://bucket/folder") from error
    return files, str(root)


def _amendment(id: str, number: int) -> str:
    # `~` is no character of ids: with `.` it would be the record of a request called `<id>.<number>`.
    return f"records/{id}~{number}.json"


def _number(name: str) -> int:
    return int(name.rpartition("~")[2].removesuffix(".json"))


def _dead(token: str) -> str:
    return f"devices/dead/{hashlib.sha256(token.encode()).hexdigest()}.json"


def _create_local(path: Path, content: bytes) -> None:
    # A link, other than opening exclusively, shows either nothing or the whole content, also after a kill in between.
    whole = _written_beside(path, content)
    try:
        os.link(whole, path)
    finally:
        whole.unlink()


def _written_beside(path: Path, content: bytes) -> Path:
    _make_private(path.parent)
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return beside


def _make_private(folder: Path) -> None:
    """Contracts and addresses are for the user the processes run as; a folder that is there keeps its mode."""
    for above in reversed((folder, *folder.parents)):
        # `mkdir(parents=True)` would give the mode to the last one alone.
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
