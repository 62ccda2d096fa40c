"""Bytes by name under one fsspec URL, on a folder of this machine or on a remote store."""

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

from activities.documents.errors import DocumentDamaged, StoreAway, StoreFailure

P = ParamSpec("P")
R = TypeVar("R")

_PROBE: Final = "probe.json"
_READ_AHEAD: Final = 1 << 20
"""Bytes that are fetched at a time of an object that is read piece by piece from a remote store."""
UNFINISHED: Final = "unfinished"
"""The folder of files that are being written, or that somebody who was killed has left."""
_LEFT_AFTER: Final = 86_400.0
"""Seconds after which nobody writes a file any more; so often each process looks for those that were left."""
SWEPT_AT_MOST: Final = 100
"""Files that a process looks at then: what is left over is looked at by the others, or the next day."""
_EXTRAS: Final = {"s3": "pip install 'countersign[s3]'"}
"""What brings the package of a kind of store; of the others fsspec says which it is."""


_DOT: Final = "%2E"
"""How the dot is spelled that an id begins with: a name with one is hidden, and no list has it. No id has a %."""


def listed_name(id: str) -> str:
    """The name under which something of this id is listed."""
    return f"{_DOT}{id[1:]}" if id.startswith(".") else id


def id_of(name: str) -> str:
    """The id of what is listed under this name."""
    return f".{name.removeprefix(_DOT)}" if name.startswith(_DOT) else name


class Objects:
    """Whole objects, written at once or not at all; every call runs in a thread, may be repeated, and raises
    `StoreAway` when the storage fails.

    Raises `StoreFailure` when the URL is none, or needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        self._files, self._root = _opened(url)
        self.local: Final = isinstance(self._files, LocalFileSystem)
        """Whether it is a folder of this machine."""
        self._swept_at = -_LEFT_AFTER

    @property
    def address(self) -> str:
        """Where it is, without what the URL may have told of users and passwords."""
        return str(self._files.unstrip_protocol(self._root))

    async def check(self) -> None:
        """Write, write once, read and list as requests will; leaves one small object behind. Raises `StoreFailure`."""
        await self.replace(_PROBE, b"{}")
        if await self.read(_PROBE) != b"{}":
            raise StoreFailure("the store does not give back what was written to it")
        await self._check_once(f"probe-{secrets.token_hex(8)}.json")
        await self.names("")

    async def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one of this name; whether it was written."""
        return await self._in_thread(self._create_now, name, content)

    async def settle(self, name: str) -> None:
        """Have the name of an object on the disk: whoever wrote it may have died before it was."""
        if self.local:
            await self._in_thread(_sync_folder, Path(self._path(name)).parent)

    async def read(self, name: str) -> bytes | None:
        """An object's bytes, None when there is none."""
        return await self._in_thread(self._read_now, name)

    async def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """The bytes of many objects in their order, None for those that are not there; a thread for all of them."""
        return await self._in_thread(self._read_many_now, names)

    async def size(self, name: str) -> int | None:
        """How many bytes an object has, None when there is none."""
        return await self._in_thread(self._size_now, name)

    async def pieces(self, name: str, length: int, through: Callable[[bytes], R]) -> AsyncGenerator[R, None]:
        """An object piece by piece, `length` bytes each but the last, each passed `through` in the thread that read it.

        Close it when it is left early: a file is open meanwhile.
        """
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
        """Write an object over whatever was there."""
        await self._in_thread(self._replace_now, name, content)

    async def remove(self, name: str) -> bool:
        """Remove an object if there is one; whether it is gone: in a store that forbids it, it stays."""
        with contextlib.suppress(StoreFailure):
            await self._in_thread(self._remove_now, name)
        return await self.size(name) is None

    async def clear(self, folder: str, at_most: int) -> int:
        """Remove so many objects right in a folder, and the folder once it is empty; how many are gone."""
        return await self._in_thread(self._clear_now, folder, at_most)

    async def names(self, folder: str) -> tuple[str, ...]:
        """The names of the objects right in a folder, without it and in no order; none when there is no such folder.

        Hidden ones are those of the system; what has an id for its name is kept under `listed_name`.
        """
        return await self._in_thread(self._names_now, folder, "file")

    async def folders(self, folder: str) -> tuple[str, ...]:
        """The names of the folders right in a folder, as `names` has those of the objects."""
        return await self._in_thread(self._names_now, folder, "directory")

    async def _check_once(self, name: str) -> None:
        try:
            if not await self.create(name, b"{}") or await self.create(name, b"[]"):
                raise StoreFailure("the store does not keep what was written first: a record could be overwritten")
        finally:
            # Nothing depends on a removal, so a store that forbids it will do.
            await self.remove(name)

    async def _in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except OSError as error:
            raise StoreAway(error.strerror or type(error).__name__) from error
        except Exception as error:
            if self.local:
                raise
            # The libraries behind remote stores raise what they like, and what they say may have anything in it.
            raise StoreAway(type(error).__name__) from error

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self._root) / name)

    def _create_now(self, name: str, content: bytes) -> bool:
        path = self._path(name)
        try:
            if self.local:
                # A link, other than opening exclusively, shows either nothing or the whole content, also after a kill
                # in between.
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
            # Others have no folders but those that their objects' names make.
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
        # Another process may have written since this one listed the folder last.
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
        """The whole content, for the caller to give it its name; what fails keeps no room of the disk."""
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
            # Also when the name was taken: whoever wrote it may have died before it was on the disk.
            _sync_folder(path.parent)

    def _sweep(self, unfinished: Path) -> None:
        """Remove what was left, at the first write and once a day; nothing depends on it."""
        if _uptime() - self._swept_at < _LEFT_AFTER:
            return
        self._swept_at = _uptime()
        with contextlib.suppress(OSError):
            for one in islice(unfinished.iterdir(), SWEPT_AT_MOST):
                # Another process may be at it as well.
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
    """Contracts and addresses are for the user the processes run as; a folder that is there keeps its mode."""
    for above in reversed((folder, *folder.parents)):
        # `mkdir(parents=True)` would give the mode to the last one alone.
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(above.parent)


def _sync_folder(folder: Path) -> None:
    """A file that is on the disk is found after a loss of power only if its name in the folder is there as well."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True)
class StoredDocument:
    """The `size` bytes that were there when it was looked for under this hash."""

    objects: Objects
    name: str
    sha256: str
    size: int

    async def pieces(self, length: int, through: Callable[[bytes], bytes] = bytes) -> AsyncGenerator[bytes, None]:
        """The bytes, `length` at a time and each piece passed `through` something, all in threads.

        The last piece is held back until the hash of all is known: `DocumentDamaged` instead of it.
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
