"""Files by hash: verified, repaired, private; on a folder and on an object store."""

import asyncio
import copy
import errno
import hashlib
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import fsspec  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from activities.documents import files as module
from activities.documents.files import REMEMBERED_AT_MOST, SIGNED, SWEPT_AT_MOST, UNFINISHED, Files
from activities.errors import DocumentDamaged, DocumentMissing, StoreAway, StoreFailure
from tests import object_stores
from tests.glances import glances
from tests.object_stores import ObjectStore

PDF = b"%PDF-1.7"
R = TypeVar("R")


@pytest.fixture(autouse=True)
def no_files_of_others() -> Iterator[None]:
    """Files in memory are the whole process's."""
    fsspec.filesystem("memory").store.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="session")
def moto() -> Iterator[ObjectStore]:
    with object_stores.moto() as store:
        yield store


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[ObjectStore]:
    with object_stores.seaweedfs() as store:
        yield store


@pytest.fixture(params=["folder", "memory", "moto", "seaweedfs"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    if request.param in ("moto", "seaweedfs"):
        return in_bucket(request.getfixturevalue(request.param), tmp_path.name, monkeypatch)
    return Files(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


def in_bucket(store: ObjectStore, folder: str, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Files of a folder of this server's bucket, by the environment as a process has it."""
    for name, text in store.environment.items():
        monkeypatch.setenv(name, text)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    return Files(f"s3://{object_stores.BUCKET}/{folder}")


async def read_in_pieces(files: Files, sha256: str, length: int = 3) -> bytes:
    """A file's bytes, read a few at a time."""
    file = await files.open(sha256)
    content = b"".join([piece async for piece in file.pieces(length)])
    assert file.size == len(content)
    return content


async def test_a_file_that_comes_in_pieces_is_stored_if_it_is_kept(files: Files) -> None:
    async with files.receiving() as incoming:
        for piece in (PDF, b"", PDF):
            await incoming.write(piece)
        assert (incoming.size, incoming.sha256) == (16, hashlib.sha256(PDF + PDF).hexdigest())
        await incoming.keep(SIGNED)
    assert await files.read(incoming.sha256, SIGNED) == PDF + PDF
    async with files.receiving() as refused:
        await refused.write(PDF)
    with pytest.raises(DocumentMissing):
        await files.open(refused.sha256, SIGNED)


async def test_nothing_is_left_of_a_file_that_broke_off(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    with pytest.raises(EOFError):
        async with files.receiving() as incoming:
            await incoming.write(PDF)
            raise EOFError
    assert list((tmp_path / UNFINISHED).iterdir()) == []


async def test_a_file_comes_back_by_its_hash_until_it_is_erased(files: Files) -> None:
    sha256 = await files.put(PDF)
    assert sha256 == await files.put(PDF)
    assert await read_in_pieces(files, sha256) == await files.read(sha256) == PDF
    await files.remove(sha256)
    await files.remove(sha256)
    with pytest.raises(DocumentMissing):
        await files.open(sha256)
    assert await files.put(PDF) == sha256
    assert await files.read(sha256) == PDF


async def test_missing_bytes_say_that_the_store_must_be_shared(files: Files) -> None:
    with pytest.raises(DocumentMissing, match="need one shared COUNTERSIGN_STORE"):
        await read_in_pieces(files, "0" * 64)


async def test_damaged_bytes_are_never_given_out_and_are_mended_by_another_start(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    sha256 = await files.put(PDF)
    (tmp_path / "documents" / sha256).write_bytes(b"%PDF-1.6")
    with pytest.raises(DocumentDamaged, match="does not match its hash"):
        await read_in_pieces(files, sha256)
    await Files(str(tmp_path)).put(PDF)
    assert await read_in_pieces(files, sha256) == PDF


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[str]]:
    """The names that each folder, by its inode, would have after a loss of power: those of its last sync."""
    names: dict[int, set[str]] = {}
    sync = os.fsync

    def remembered(opened: int) -> None:
        sync(opened)
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            names[os.fstat(opened).st_ino] = set(os.listdir(opened))

    monkeypatch.setattr(os, "fsync", remembered)
    return names


async def test_what_is_acknowledged_is_found_after_a_loss_of_power(
    tmp_path: Path, on_disk: dict[int, set[str]]
) -> None:
    sha256 = await Files(str(tmp_path / "made" / "store")).put(PDF)
    path = tmp_path / "made" / "store" / "documents" / sha256
    for created_path in (path, *path.parents[: len(path.relative_to(tmp_path).parts) - 1]):
        assert created_path.name in on_disk[created_path.parent.stat().st_ino], created_path


async def test_equal_content_is_acknowledged_once_the_first_writer_s_name_is_on_the_disk(
    tmp_path: Path, on_disk: dict[int, set[str]]
) -> None:
    sha256 = await Files(str(tmp_path)).put(PDF)
    on_disk.clear()
    await Files(str(tmp_path)).put(PDF)
    assert on_disk[(tmp_path / "documents").stat().st_ino] == {sha256}


async def test_what_does_not_fit_on_the_disk_keeps_no_room_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each try of a large file something would stay."""
    files = Files(str(tmp_path))
    for on, call in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as full, pytest.raises(StoreAway, match="No space left on device"):
            full.setattr(on, call, _is_full)
            await files.put(PDF)
    assert _files_in(tmp_path) == []


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_what_killed_writers_left_is_removed_after_a_day_and_no_living_one_loses_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished, clock = tmp_path / UNFINISHED, [1_000.0]
    monkeypatch.setattr(module, "_uptime", lambda: clock[0])
    files = Files(str(tmp_path))

    def leave(name: str, hours: float) -> None:
        (unfinished / name).write_bytes(b"half")
        os.utime(unfinished / name, (time.time() - 3600 * hours,) * 2)

    await files.put(b"0")
    leave("living.part", 23)
    for number in range(10 * SWEPT_AT_MOST):
        leave(f"{number}.part", 25)
    await files.put(b"1")
    assert len(list(unfinished.iterdir())) == 10 * SWEPT_AT_MOST + 1, "looked for with each write"
    clock[0] += 25 * 3600
    await files.put(b"2")
    assert len(list(unfinished.iterdir())) in (9 * SWEPT_AT_MOST + 1, 9 * SWEPT_AT_MOST + 2)
    for number in range(10):
        await Files(str(tmp_path)).put(b"3%d" % number)
    assert [path.name for path in unfinished.iterdir()] == ["living.part"]


async def test_a_file_of_ten_thousand_starts_is_written_and_looked_through_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    opened: list[object] = []
    fsync, open_ = os.fsync, LocalFileSystem.open

    def count_syncs(file: int) -> None:
        synced.append(file)
        fsync(file)

    def count_reads(*args: Any, **kwargs: Any) -> Any:
        opened.append(args)
        return open_(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", count_syncs)
    monkeypatch.setattr(LocalFileSystem, "open", count_reads)
    await Files(str(tmp_path)).put(PDF)
    assert (len(synced) > 0, len(opened)) == (True, 0)
    synced.clear()
    campaign = Files(str(tmp_path))
    for _ in range(100):
        await campaign.put(PDF)
    assert (len(synced), len(opened)) == (1, 1)


async def test_of_ever_so_many_files_the_last_are_remembered() -> None:
    files = Files("memory://many")
    for number in range(10 * REMEMBERED_AT_MOST):
        await files.put(b"%d" % number)
    assert len(files._verified) == REMEMBERED_AT_MOST


async def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(StoreAway, match="cannot be used"):
        await Files(str(tmp_path / "store")).put(b"%PDF-")


async def test_a_folder_of_before_there_was_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    with pytest.raises(StoreFailure, match="was written before there was a database"):
        await Files(str(tmp_path)).check()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket/countersign", r"COUNTERSIGN_STORE: s3:// needs pip install 'countersign\[s3\]'"),
        ("sftp://somebody:canary@127.0.0.1/store", "COUNTERSIGN_STORE: must be a path or an fsspec URL"),
        ("nosuch://canary", "COUNTERSIGN_STORE: must be a path or an fsspec URL"),
    ],
)
def test_a_url_that_leads_to_no_store_says_what_to_do(url: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if url.startswith("s3"):
        monkeypatch.setitem(sys.modules, "s3fs", None)
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(StoreFailure, match=message) as failure:
        Files(url)
    assert "canary" not in str(failure.value)


async def test_whatever_a_remote_store_raises_is_a_failure_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentials(Exception):
        """As libraries of object stores have them."""

    def refuse(*_: object, **__: object) -> None:
        raise NoCredentials("canary")

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(StoreAway, match=r"^the store cannot be used: NoCredentials$"):
        await Files("memory://remote").put(PDF)


async def test_a_store_can_be_tried_without_leaving_much_behind(files: Files) -> None:
    await files.check()
    await files.check()
    assert len(files._files.find(files.root)) == 1


async def test_a_file_of_many_pieces_comes_back_whole(files: Files) -> None:
    content = b"".join(b"%07d\n" % number for number in range(400_000))
    sha256 = await files.put(content)
    assert await read_in_pieces(files, sha256, 100_003) == content == await files.read(sha256)
    file = await files.open(sha256)
    await files.remove(sha256)
    with pytest.raises(DocumentMissing):
        [piece async for piece in file.pieces(100_003)]


async def test_what_another_process_did_is_seen_at_once(files: Files) -> None:
    """Also by one that has looked before, and has cached whatever its library caches."""
    another = copy.copy(files)
    another._files = type(files._files)(**files._files.storage_options, skip_instance_cache=True)
    sha256 = hashlib.sha256(PDF).hexdigest()
    for _ in range(2):
        with pytest.raises(DocumentMissing):
            await files.read(sha256)
        await another.put(PDF)
        assert await files.read(sha256) == PDF
        await another.remove(sha256)


@pytest.mark.long
@pytest.mark.parametrize("server", [object_stores.moto, object_stores.seaweedfs])
async def test_a_server_that_died_is_away_and_is_used_again_once_it_is_back(
    server: Callable[[], AbstractContextManager[ObjectStore]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server() as store:
        files = in_bucket(store, "x", monkeypatch)
        sha256 = await files.put(PDF)
        store.kill()
        for call in (partial(files.put, PDF), partial(files.read, sha256), partial(files.remove, sha256), files.check):
            with pytest.raises(StoreAway):
                await call()
        store.start()
        # One that comes back refuses some calls at first; one that has forgotten everything gets it anew.
        assert await _once_it_is_back(partial(files.put, PDF)) == sha256
        assert await _once_it_is_back(partial(files.read, sha256)) == PDF


async def _once_it_is_back(call: Callable[[], Awaitable[R]]) -> R:
    for pause in glances():
        with suppress(StoreAway):
            return await call()
        await asyncio.sleep(pause)
    return await call()


async def test_a_bucket_that_is_not_there_is_said(moto: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    in_bucket(moto, "x", monkeypatch)
    with pytest.raises(StoreAway, match="there is no such bucket"):
        await Files("s3://nowhere/x").put(PDF)


@pytest.mark.parametrize("server", ["moto", "seaweedfs"])
async def test_what_a_bucket_has_forgotten_is_missing_and_is_written_by_the_next_start(
    server: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: ObjectStore = request.getfixturevalue(server)
    files = in_bucket(store, tmp_path.name, monkeypatch)
    sha256 = await files.put(PDF)
    path = f"{object_stores.BUCKET}/{tmp_path.name}/{module.DOCUMENTS}/{sha256}"
    bucket = store.files()
    for lose in (partial(bucket.rm_file, path), partial(bucket.pipe_file, path, PDF[:3])):
        lose()
        with pytest.raises((DocumentMissing, DocumentDamaged)):
            await files.read(sha256)
        assert await files.put(PDF) == sha256
        assert await files.read(sha256) == PDF


async def test_a_bucket_with_versions_keeps_what_is_erased_where_nobody_of_ours_reads_it(
    moto: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = in_bucket(moto, tmp_path.name, monkeypatch)
    bucket = moto.files()
    bucket.call_s3("put_bucket_versioning", Bucket=object_stores.BUCKET, VersioningConfiguration={"Status": "Enabled"})
    sha256 = await files.put(PDF)
    await files.remove(sha256)
    with pytest.raises(DocumentMissing):
        await files.read(sha256)
    listed = bucket.call_s3("list_object_versions", Bucket=object_stores.BUCKET, Prefix=f"{tmp_path.name}/")
    assert [version["Key"].rpartition("/")[2] for version in listed["Versions"]] == [sha256]
    assert await files.put(PDF) == sha256
    assert await files.read(sha256) == PDF


async def test_wrong_credentials_are_said_without_them(seaweedfs: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    in_bucket(seaweedfs, "x", monkeypatch)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-and-wrong")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(StoreAway) as failure:
        await Files(f"s3://{object_stores.BUCKET}/x").put(PDF)
    assert "canary" not in str(failure.value).casefold()


@pytest.mark.long
@pytest.mark.parametrize("answer", ["503", "silence", "drip"])
async def test_a_server_that_refuses_or_gives_no_answer_is_away_in_bounded_time(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALL_SECONDS", 1.0)
    async with _server(answer) as url:
        for name, text in {**_SOMEBODY, "AWS_ENDPOINT_URL": url}.items():
            monkeypatch.setenv(name, text)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        files = Files("s3://bucket/x")
        for call in (partial(files.put, PDF), partial(files.read, "0" * 64), partial(files.remove, "0" * 64)):
            with pytest.raises(StoreAway):
                await call()


_SOMEBODY: Final = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
_REFUSAL: Final = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1000000\r\n\r\n"


@asynccontextmanager
async def _server(answer: str) -> AsyncIterator[str]:
    """One that answers all that it is asked alike, until the block is over."""
    is_over, conversations = asyncio.Event(), set[asyncio.Task[None]]()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            while answer == "503" and not is_over.is_set():
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_REFUSAL)
            writer.write(_HEAD if answer == "drip" else b"")
            while not is_over.is_set():
                writer.write(b"." if answer == "drip" else b"")
                await asyncio.sleep(0.05)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.create_task(converse(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
        fsspec.asyn.sync(fsspec.asyn.get_loop(), _hang_up)
        is_over.set()
        await asyncio.gather(*conversations)


async def _hang_up() -> None:
    """What the library keeps open for the next call."""
    for filesystem in [*fsspec.get_filesystem_class("s3")._cache.values()]:
        if filesystem._s3 is not None:
            await filesystem._s3.close()
