"""Objects by name under one fsspec URL: a local folder or a remote store."""

import asyncio
import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, ParamSpec, TypeVar

import fsspec  # type: ignore[import-untyped]
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from activities.errors import DocumentDamaged, StoreAway, StoreFailure

P = ParamSpec("P")
R = TypeVar("R")

_PROBE: Final = "probe.json"
_READ_AHEAD: Final = 1 << 20
"""Bytes fetched at a time of a remote object that is read in pieces."""
UNFINISHED: Final = "unfinished"
"""Folder of files being written, or left by killed processes."""
_LEFT_AFTER: Final = 86_400.0
"""Seconds after which an unfinished file is abandoned, and between two searches for such."""
SWEPT_AT_MOST: Final = 100
"""Files checked in one search; the rest is left to others, or the next day."""
_EXTRAS: Final = {"s3": "pip install 'countersign[s3]'"}
"""The extra with the package of a store; fsspec names those of others."""


_DOT: Final = "%2E"
"""Escape of a leading dot, since such names are hidden from lists. No id has a %."""


def listed_name(id: str) -> str:
    return f"{_DOT}{id[1:]}" if id.startswith(".") else id


def id_of(name: str) -> str:
    return f".{name.removeprefix(_DOT)}" if name.startswith(_DOT) else name


class Objects:
    """Whole objects, written atomically, in threads. Calls are idempotent, and raise `StoreAway`; the constructor
    raises `StoreFailure`.
    """

    def __init__(self, url: str) -> None:
        self._files, self._root = _opened(url)
        self.local: Final = isinstance(self._files, LocalFileSystem)
        """Whether it is a local folder."""
        self._swept_at = -_LEFT_AFTER

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return str(self._files.unstrip_protocol(self._root))

    async def check(self) -> None:
        """Write, write once, read and list, as requests will; leaves one small object. Raises `StoreFailure`."""
        await self.replace(_PROBE, b"{}")
        if await self.read(_PROBE) != b"{}":
            raise StoreFailure("the store does not give back what was written to it")
        await self._check_once(f"probe-{secrets.token_hex(8)}.json")
        await self.names("")

    async def create(self, name: str, content: bytes) -> bool:
        """Write an object unless the name exists; whether it was written."""
        return await self._in_thread(self._create_now, name, content)

    async def settle(self, name: str) -> None:
        """Sync an object's name to disk: its writer may have died before."""
        if self.local:
            await self._in_thread(_sync_folder, Path(self._path(name)).parent)

    async def read(self, name: str) -> bytes | None:
        """None if there is no such object."""
        return await self._in_thread(self._read_now, name)

    async def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """In order, None for missing ones; one thread for all."""
        return await self._in_thread(self._read_many_now, names)

    async def size(self, name: str) -> int | None:
        """In bytes; None if there is no such object."""
        return await self._in_thread(self._size_now, name)

    async def pieces(self, name: str, length: int, through: Callable[[bytes], R]) -> AsyncGenerator[R, None]:
        """Pieces of `length` bytes, each passed `through` in its thread. Close it when left early: a file is open."""
        stream = await self._in_thread(self._files.open, self._path(name), "rb", block_size=_READ_AHEAD)

        def read_on() -> tuple[R] | None:
            piece = stream.read(length)
            return (through(piece),) if piece else None

        try:
            while read := await self._in_thread(read_on):
                yield read[0]
        finally:
            await self._in_thread(stream.close)

    async def replace(self, name: str, content: bytes) -> None:
        await self._in_thread(self._replace_now, name, content)

    async def remove(self, name: str) -> bool:
        """Remove an object if it exists; False if the store forbids it."""
        with contextlib.suppress(StoreFailure):
            await self._in_thread(self._remove_now, name)
        return await self.size(name) is None

    async def clear(self, folder: str, at_most: int) -> int:
        """Remove at most so many objects directly in a folder, then the empty folder; how many were removed."""
        return await self._in_thread(self._clear_now, folder, at_most)

    async def names(self, folder: str) -> tuple[str, ...]:
        """Names of the objects directly in a folder, unordered, without hidden ones; ids are stored under
        `listed_name`.
        """
        return await self._in_thread(self._names_now, folder, "file")

    async def folders(self, folder: str) -> tuple[str, ...]:
        return await self._in_thread(self._names_now, folder, "directory")

    async def _check_once(self, name: str) -> None:
        try:
            if not await self.create(name, b"{}") or await self.create(name, b"[]"):
                raise StoreFailure("the store does not keep what was written first: a record could be overwritten")
        finally:
            # Nothing depends on a removal, so a store may forbid it.
            await self.remove(name)

    async def _in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except OSError as error:
            raise StoreAway(error.strerror or type(error).__name__) from error
        except Exception as error:
            if self.local:
                raise
            # Libraries of remote stores raise anything, with anything in the text.
            raise StoreAway(type(error).__name__) from error

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self._root) / name)

    def _create_now(self, name: str, content: bytes) -> bool:
        path = self._path(name)
        try:
            if self.local:
                # Unlike an exclusive open, a link shows either nothing or the whole content, also if the process is
                # killed in
                # between.
                with self._written_aside(Path(path), content) as whole:
                    os.link(whole, path)
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

    def _read_many_now(self, names: Sequence[str]) -> list[bytes | None]:
        if self.local:
            return [_bytes_at(self._path(name)) for name in names]
        paths = [self._path(name) for name in names]
        found = self._files.cat(paths, on_error="return") if paths else {}
        return [_unless_missing(found.get(path)) for path in paths]

    def _remove_now(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _clear_now(self, folder: str, at_most: int) -> int:
        names = self._names_now(folder, "file")[:at_most]
        for name in names:
            self._remove_now(f"{folder}/{name}")
        if self.local:
            # Others have no folders except in the names of objects.
            with contextlib.suppress(OSError):
                Path(self._path(folder)).rmdir()
        return len(names)

    def _size_now(self, name: str) -> int | None:
        try:
            return int(self._files.size(self._path(name)))
        except FileNotFoundError:
            return None

    def _names_now(self, folder: str, kind: str) -> tuple[str, ...]:
        path = self._path(folder)
        # Another process may have written since the last listing.
        self._files.invalidate_cache(path)
        try:
            found = self._files.ls(path, detail=True)
        except FileNotFoundError:
            return ()
        names = (PurePosixPath(each["name"]).name for each in found if each["type"] == kind)
        return tuple(name for name in names if not name.startswith("."))

    def _replace_now(self, name: str, content: bytes) -> None:
        path = self._path(name)
        if self.local:
            with self._written_aside(Path(path), content) as whole:
                whole.replace(path)
        else:
            self._files.pipe_file(path, content)

    @contextlib.contextmanager
    def _written_aside(self, path: Path, content: bytes) -> Iterator[Path]:
        """The whole content in a temporary file, for the caller to name; removed on failure."""
        unfinished = Path(self._path(UNFINISHED))
        _make_private(path.parent)
        _make_private(unfinished)
        self._sweep(unfinished)
        aside = unfinished / f"{secrets.token_hex(8)}.part"
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            yield aside
        finally:
            aside.unlink(missing_ok=True)
            # Also if the name exists: its writer may have died before the sync.
            _sync_folder(path.parent)

    def _sweep(self, unfinished: Path) -> None:
        """Remove abandoned files, at the first write and once a day."""
        if _uptime() - self._swept_at < _LEFT_AFTER:
            return
        self._swept_at = _uptime()
        with contextlib.suppress(OSError):
            for one in islice(unfinished.iterdir(), SWEPT_AT_MOST):
                # Another process may do the same.
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - one.stat().st_mtime > _LEFT_AFTER:
                        one.unlink()


def _uptime() -> float:
    return time.monotonic()


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    protocol = url.partition("://")[0]
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise StoreFailure(f"COUNTERSIGN_STORE: {protocol}:// needs {_EXTRAS.get(protocol) or error}") from error
    except ValueError as error:
        raise StoreFailure("COUNTERSIGN_STORE: must be a path or an fsspec URL such as s3://bucket/folder") from error
    return files, str(root)


def _bytes_at(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def _unless_missing(found: bytes | Exception | None) -> bytes | None:
    if isinstance(found, Exception) and not isinstance(found, FileNotFoundError):
        raise found
    return found if isinstance(found, bytes) else None


def _make_private(folder: Path) -> None:
    """Contents are for the user of the processes only; an existing folder keeps its mode."""
    for above in reversed((folder, *folder.parents)):
        # `mkdir(parents=True)` would give the mode to the last folder only.
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(above.parent)


def _sync_folder(folder: Path) -> None:
    """After a power loss a synced file exists only if its folder was synced as well."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True)
class StoredDocument:
    """A stored document of `size` bytes."""

    objects: Objects
    name: str
    sha256: str
    size: int

    async def pieces(self, length: int, through: Callable[[bytes], bytes] = bytes) -> AsyncGenerator[bytes, None]:
        """Pieces of `length` bytes, each passed `through`, in threads. `DocumentDamaged` instead of the last piece if
        the hash does not match.
        """
        told = hashlib.sha256()

        def counted(piece: bytes) -> bytes:
            told.update(piece)
            return through(piece)

        held = b""
        async with aclosing(self.objects.pieces(self.name, length, counted)) as pieces:
            async for piece in pieces:
                if held:
                    yield held
                held = piece
        if told.hexdigest() != self.sha256:
            raise DocumentDamaged(self.sha256)
        yield held
