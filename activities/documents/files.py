"""Bytes under their SHA-256, in a folder or at an object store: written whole, read in pieces, verified. Nothing is
listed, renamed or written under a condition.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final, ParamSpec, TypeVar

import fsspec  # type: ignore[import-untyped]
from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from activities.errors import DocumentDamaged, DocumentMissing, StoreAway, StoreFailure

P = ParamSpec("P")
R = TypeVar("R")
DOCUMENTS: Final = "documents"
"""Shelf of documents to sign: erasable."""
AUDIENCES: Final = "audiences"
"""Shelf of campaign audiences and outcomes: permanent."""
SIGNED: Final = "signed"
"""Shelf of signed documents and signing logs: erasable."""
PICTURES: Final = "pictures"
"""Shelf of pictures of first pages: erasable."""
REMEMBERED_AT_MOST: Final = 100
"""Files cached as complete: ten thousand starts may share one."""
_PROBE: Final = b"a file that shows whether files can be written and read\n"
_PIECE: Final = 1 << 18
"""Bytes of a file in memory while it is verified."""
_READ_AHEAD: Final = 1 << 20
"""Bytes fetched at a time of a file that is read in pieces."""
CALLS_AT_ONCE: Final = 16
"""Threads of one process for files: those that a slow store holds up are missing nowhere else."""
CALL_SECONDS: Final = 30.0
"""Longest call of a remote store, with its retries."""
_CONNECT_SECONDS: Final = 5
UNFINISHED: Final = "unfinished"
"""Folder of files being written, or left by killed processes."""
_LEFT_AFTER: Final = 86_400.0
"""Seconds after which an unfinished file is abandoned, and between two searches for such."""
SWEPT_AT_MOST: Final = 100
"""Files checked in one search; the rest is left to others, or the next day."""
STORE_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    # What is retried here, workflows retry: a store that is away is said to be soon.
    "s3": {"config_kwargs": {"connect_timeout": _CONNECT_SECONDS, "retries": {"total_max_attempts": 2}}}
}
_UPLOADS: Final[dict[str, dict[str, Any]]] = {"s3": {"chunksize": 5 << 20, "max_concurrency": 1}}
"""How a file is sent in pieces: S3's smallest, one at a time, for the sake of memory."""
_NO_STORES: Final = ("sftp", "ssh")
"""Whose library trusts whatever host answers."""
_EXTRAS: Final = {"s3": "pip install 'countersign[s3]'"}
"""The extra with the package of a store; fsspec names those of others."""
_FORMER: Final = ("records", "people", "claims", "handoffs")
"""Folders of the layout before the database."""


class Files:
    """Files under one fsspec URL, used in threads. Calls are idempotent, and raise `StoreAway`; the constructor raises
    `StoreFailure`.
    """

    def __init__(self, url: str) -> None:
        self._files, self.root = _opened(url)
        self._uploads: Final = _UPLOADS.get(url.partition("://")[0], {})
        self.local: Final = isinstance(self._files, LocalFileSystem)
        """Whether it is a local folder."""
        self._limit: Final = {"timeout": CALL_SECONDS} if isinstance(self._files, AsyncFileSystem) else {}
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, "files")
        self._verified: dict[str, None] = {}
        self._swept_at = -_LEFT_AFTER

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return str(self._files.unstrip_protocol(self.root))

    async def check(self) -> None:
        """Write and read, as requests will; leaves one small file. Raises `StoreFailure`."""
        if self.local and any((Path(self.root) / name).is_dir() for name in _FORMER):
            raise StoreFailure(
                f"{self.root} was written before there was a database, and is not read any more: "
                "name another folder in COUNTERSIGN_STORE or COUNTERSIGN_DATA_DIR"
            )
        name = f"probe/{hashlib.sha256(_PROBE).hexdigest()}"
        await self._in_thread(self._write_now, name, _PROBE)
        if await self._in_thread(self._read_now, name, 0, len(_PROBE)) != _PROBE:
            raise StoreFailure("the store does not give back what was written to it")

    async def put(self, content: bytes, shelf: str = DOCUMENTS) -> str:
        """Store a file; returns its SHA-256. Repairs a damaged one. Verified once per process, afterwards only its
        existence is checked.
        """
        sha256 = (await asyncio.to_thread(hashlib.sha256, content)).hexdigest()
        name = f"{shelf}/{sha256}"
        is_stored = await self._size(name) == len(content)
        if is_stored and name in self._verified:
            return sha256
        if is_stored and await self._is_whole(sha256, shelf):
            await self._in_thread(self._settle_now, name)
        else:
            await self._in_thread(self._write_now, name, content)
        self._remember_whole(name)
        return sha256

    @contextlib.asynccontextmanager
    async def receiving(self) -> "AsyncGenerator[IncomingFile, None]":
        """A file to be written in pieces, whatever its size; stored only if it is kept before the end."""
        aside = await self._in_thread(self._aside_now)
        try:
            yield IncomingFile(self, aside)
        finally:
            await self._in_thread(aside.unlink, missing_ok=True)

    async def open(self, sha256: str, shelf: str = DOCUMENTS) -> "StoredFile":
        """A file to read in pieces, verified meanwhile; raises `DocumentMissing`."""
        size = await self._size(f"{shelf}/{sha256}")
        if size is None:
            raise DocumentMissing(sha256)
        return StoredFile(self, f"{shelf}/{sha256}", sha256, size)

    async def read(self, sha256: str, shelf: str = DOCUMENTS) -> bytes:
        """A whole file, for small ones; raises `DocumentMissing` and `DocumentDamaged`."""
        return b"".join([piece async for piece in (await self.open(sha256, shelf)).pieces(_PIECE)])

    async def remove(self, sha256: str, shelf: str = DOCUMENTS) -> None:
        """Erase a file, if it exists."""
        await self._in_thread(self._remove_now, f"{shelf}/{sha256}")
        self._verified.pop(f"{shelf}/{sha256}", None)

    async def pieces(
        self, name: str, size: int, length: int, through: Callable[[bytes], R], start: int = 0
    ) -> AsyncGenerator[R, None]:
        """Pieces of `length` bytes of a file, from `start` up to `size`, each passed `through` in a thread; raises
        `DocumentMissing`.
        """
        at_once = max(1, _READ_AHEAD // length) * length

        def read_on(begin: int) -> list[R]:
            read = self._read_now(name, begin, min(begin + at_once, size))
            return [through(read[offset : offset + length]) for offset in range(0, len(read), length)]

        for begin in range(start, size, at_once):
            for piece in await self._in_thread(read_on, begin):
                yield piece

    async def _size(self, name: str) -> int | None:
        return await self._in_thread(self._size_now, name)

    async def _is_whole(self, sha256: str, shelf: str) -> bool:
        try:
            async for _piece in (await self.open(sha256, shelf)).pieces(_PIECE):
                pass
        except (DocumentDamaged, DocumentMissing):
            return False
        return True

    def _remember_whole(self, name: str) -> None:
        self._verified[name] = None
        if len(self._verified) > REMEMBERED_AT_MOST:
            del self._verified[next(iter(self._verified))]

    async def _in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
            return await running
        except StoreFailure:
            raise
        except TimeoutError as error:
            raise StoreAway(error.strerror or f"no answer within {CALL_SECONDS:.0f} s") from error
        except OSError as error:
            nowhere = "there is no such bucket" if isinstance(error, FileNotFoundError) else None
            raise StoreAway(error.strerror or nowhere or type(error).__name__) from error
        except Exception as error:
            if self.local:
                raise
            # Libraries of remote stores raise anything, with anything in the text.
            raise StoreAway(type(error).__name__) from error

    def _path(self, name: str) -> str:
        return str(PurePosixPath(self.root) / name)

    def _size_now(self, name: str) -> int | None:
        try:
            return int(self._files.size(self._path(name), **self._limit))
        except FileNotFoundError:
            return None

    def _read_now(self, name: str, start: int, end: int) -> bytes:
        try:
            return bytes(self._files.cat_file(self._path(name), start=start, end=end, **self._limit))
        except FileNotFoundError:
            raise DocumentMissing(PurePosixPath(name).name) from None

    def _write_now(self, name: str, content: bytes) -> None:
        if not self.local:
            self._files.pipe_file(self._path(name), content, **self._limit)
            return
        path = Path(self._path(name))
        with self._written_aside(path, content) as temporary:
            temporary.replace(path)

    def _settle_now(self, name: str) -> None:
        """Sync a file's name to disk: its writer may have died before."""
        if self.local:
            _sync_folder(Path(self._path(name)).parent)

    def _remove_now(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name), **self._limit)

    @contextlib.contextmanager
    def _written_aside(self, path: Path, content: bytes) -> Iterator[Path]:
        """The whole content in a temporary file, for the caller to name; removed on failure."""
        make_private(path.parent)
        aside = self._aside_now()
        try:
            _append(aside, content)
            _sync(aside)
            yield aside
            _sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)

    def _aside_now(self) -> Path:
        """A new, empty, private file, on this machine."""
        name = f"{secrets.token_hex(8)}.part"
        if self.local:
            unfinished = Path(self._path(UNFINISHED))
            make_private(unfinished)
            self._sweep(unfinished)
        aside = unfinished / name if self.local else Path(tempfile.gettempdir()) / name
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return aside

    def _keep_now(self, aside: Path, name: str) -> None:
        if not self.local:
            self._files.put_file(str(aside), self._path(name), **self._uploads, **self._limit)
            return
        path = Path(self._path(name))
        make_private(path.parent)
        _sync(aside)
        aside.replace(path)
        _sync_folder(path.parent)

    def _sweep(self, unfinished: Path) -> None:
        """Remove abandoned files, at the first write and once a day."""
        if _uptime() - self._swept_at < _LEFT_AFTER:
            return
        self._swept_at = _uptime()
        with contextlib.suppress(OSError):
            for leftover in islice(unfinished.iterdir(), SWEPT_AT_MOST):
                # Another process may do the same.
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - leftover.stat().st_mtime > _LEFT_AFTER:
                        leftover.unlink()


def make_private(folder: Path) -> None:
    """Contents are for the user of the processes only; an existing folder keeps its mode."""
    for above in reversed((folder, *folder.parents)):
        # `mkdir(parents=True)` would give the mode to the last folder only.
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(above.parent)


def _append(file: Path, content: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(content)


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _uptime() -> float:
    return time.monotonic()


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    protocol = url.partition("://")[0]
    try:
        if protocol in _NO_STORES:
            raise ValueError(f"{protocol} is no store")
        # Without cached listings: another process may have written since.
        files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, **STORE_OPTIONS.get(protocol, {}))
    except ImportError as error:
        raise StoreFailure(f"COUNTERSIGN_STORE: {protocol}:// needs {_EXTRAS.get(protocol) or error}") from error
    except ValueError as error:
        raise StoreFailure("COUNTERSIGN_STORE: must be a path or an fsspec URL such as s3://bucket/folder") from error
    return files, str(root)


def _sync_folder(folder: Path) -> None:
    """After a power loss a synced file exists only if its folder was synced as well."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class IncomingFile:
    """A file on its way, `size` bytes of it so far."""

    def __init__(self, files: Files, aside: Path) -> None:
        self._files = files
        self._aside = aside
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what has come so far."""
        return self._hash.hexdigest()

    async def write(self, piece: bytes) -> None:
        def append() -> None:
            _append(self._aside, piece)
            self._hash.update(piece)

        await self._files._in_thread(append)
        self.size += len(piece)

    async def keep(self, shelf: str) -> None:
        """Store it under its hash; once."""
        name = f"{shelf}/{self.sha256}"
        await self._files._in_thread(self._files._keep_now, self._aside, name)


@dataclass(frozen=True)
class StoredFile:
    """A stored file of `size` bytes."""

    files: Files
    name: str
    sha256: str
    size: int

    async def pieces(self, length: int, through: Callable[[bytes], bytes] = bytes) -> AsyncGenerator[bytes, None]:
        """Pieces of `length` bytes, each passed `through`, in threads. `DocumentDamaged` instead of the last piece if
        the hash does not match.
        """
        digest = hashlib.sha256()

        def counted(piece: bytes) -> bytes:
            digest.update(piece)
            return through(piece)

        last_piece = b""
        async for piece in self.files.pieces(self.name, self.size, length, counted):
            if last_piece:
                yield last_piece
            last_piece = piece
        if digest.hexdigest() != self.sha256:
            raise DocumentDamaged(self.sha256)
        yield last_piece

    async def part(self, start: int, end: int, length: int) -> AsyncGenerator[bytes, None]:
        """Pieces of its bytes from `start` up to before `end`; not verified, since the hash is of the whole."""
        async for piece in self.files.pieces(self.name, end, length, bytes, start):
            yield piece
