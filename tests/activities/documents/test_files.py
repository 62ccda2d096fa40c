"""Files by hash: verified, repaired, private; on a folder and on an object store."""

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from activities.documents import files as module
from activities.documents.files import REMEMBERED_AT_MOST, SWEPT_AT_MOST, UNFINISHED, Files
from activities.errors import DocumentDamaged, DocumentMissing, StoreAway, StoreFailure

PDF = b"%PDF-1.7"


@pytest.fixture(autouse=True)
def no_files_of_others() -> Iterator[None]:
    """Files in memory are the whole process's."""
    fsspec.filesystem("memory").store.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(params=["folder", "objects"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Files(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


async def whole(files: Files, sha256: str, length: int = 3) -> bytes:
    """A file's bytes, read a few at a time."""
    file = await files.open(sha256)
    content = b"".join([piece async for piece in file.pieces(length)])
    assert file.size == len(content)
    return content


async def test_a_file_comes_back_by_its_hash_until_it_is_erased(files: Files) -> None:
    sha256 = await files.put(PDF)
    assert sha256 == await files.put(PDF)
    assert await whole(files, sha256) == await files.read(sha256) == PDF
    await files.remove(sha256)
    await files.remove(sha256)
    with pytest.raises(DocumentMissing):
        await files.open(sha256)
    assert await files.put(PDF) == sha256
    assert await files.read(sha256) == PDF


async def test_missing_bytes_say_that_the_store_must_be_shared(files: Files) -> None:
    with pytest.raises(DocumentMissing, match="need one shared COUNTERSIGN_STORE"):
        await whole(files, "0" * 64)


async def test_damaged_bytes_are_never_given_out_and_are_mended_by_another_start(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    sha256 = await files.put(PDF)
    (tmp_path / "documents" / sha256).write_bytes(b"%PDF-1.6")
    with pytest.raises(DocumentDamaged, match="does not match its hash"):
        await whole(files, sha256)
    await Files(str(tmp_path)).put(PDF)
    assert await whole(files, sha256) == PDF


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
    for each in (path, *path.parents[: len(path.relative_to(tmp_path).parts) - 1]):
        assert each.name in on_disk[each.parent.stat().st_ino], each


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
    unfinished, at = tmp_path / UNFINISHED, [1_000.0]
    monkeypatch.setattr(module, "_uptime", lambda: at[0])
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
    at[0] += 25 * 3600
    await files.put(b"2")
    assert len(list(unfinished.iterdir())) in (9 * SWEPT_AT_MOST + 1, 9 * SWEPT_AT_MOST + 2)
    for number in range(10):
        await Files(str(tmp_path)).put(b"3%d" % number)
    assert [one.name for one in unfinished.iterdir()] == ["living.part"]


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


async def test_of_ever_so_many_files_the_last_are_remembered(files: Files) -> None:
    for number in range(10 * REMEMBERED_AT_MOST):
        await files.put(b"%d" % number)
    assert len(files._whole) == REMEMBERED_AT_MOST


async def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(StoreAway, match="cannot be used"):
        await Files(str(tmp_path / "store")).put(b"%PDF-")


async def test_a_folder_of_before_there_was_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    with pytest.raises(StoreFailure, match="was written before there was a database"):
        await Files(str(tmp_path)).check()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://bucket/countersign", r"COUNTERSIGN_STORE: s3:// needs pip install 'countersign\[s3\]'"),
        (
            "sftp://somebody:canary@127.0.0.1/store",
            'COUNTERSIGN_STORE: sftp:// needs SFTPFileSystem requires "paramiko"',
        ),
        ("nosuch://canary", "COUNTERSIGN_STORE: must be a path or an fsspec URL"),
    ],
)
def test_a_url_that_leads_to_no_store_says_what_to_do(url: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if url.startswith("s3"):
        monkeypatch.setitem(sys.modules, "s3fs", None)
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(StoreFailure, match=says) as failure:
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


async def test_a_store_can_be_tried_without_leaving_much_behind(files: Files, tmp_path: Path) -> None:
    await files.check()
    await files.check()
    assert len([*fsspec.filesystem("memory").store, *_files_in(tmp_path)]) == 1


async def test_contracts_are_for_the_user_of_the_process_only(tmp_path: Path) -> None:
    await Files(str(tmp_path / "above" / "store")).put(PDF)
    for path in (tmp_path / "above", *(tmp_path / "above").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o750)
    await Files(str(tmp_path / "store")).put(PDF)
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o750
