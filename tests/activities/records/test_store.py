"""The document and record store: hashes verified, records written once, on a folder and on an object store."""

import asyncio
import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from activities.documents import objects
from activities.documents.objects import SWEPT_AT_MOST, UNFINISHED
from activities.errors import (
    DocumentDamaged,
    DocumentMissing,
    RecordConflict,
    StoreAway,
    StoreFailure,
    TextDamaged,
)
from activities.records.rows import StoragePrefix
from activities.records.store import AMENDMENTS_AT_ONCE, REMEMBERED_AT_MOST, Reference, Store, device_hash

MSA = StoragePrefix.of_request("msa-0042")
R = StoragePrefix.of_request("r")


@pytest.fixture(autouse=True)
def no_objects_of_others() -> Iterator[None]:
    """Objects in memory are the whole process's."""
    fsspec.filesystem("memory").store.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(params=["folder", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


async def whole(store: Store, sha256: str, length: int = 3) -> bytes:
    """A document's bytes, read a few at a time."""
    document = await store.document(sha256)
    content = b"".join([piece async for piece in document.pieces(length)])
    assert document.size == len(content)
    return content


async def test_a_document_comes_back_by_its_hash(store: Store) -> None:
    sha256 = await store.put_document(b"%PDF-1.7")
    assert sha256 == await store.put_document(b"%PDF-1.7")
    assert await whole(store, sha256) == b"%PDF-1.7"


async def test_missing_bytes_say_that_the_store_must_be_shared(store: Store) -> None:
    with pytest.raises(DocumentMissing, match="need one shared COUNTERSIGN_STORE"):
        await whole(store, "0" * 64)


async def test_damaged_bytes_are_never_given_out_and_are_mended_by_another_start(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    sha256 = await store.put_document(b"%PDF-1.7")
    (tmp_path / "documents" / sha256).write_bytes(b"%PDF-1.6")
    with pytest.raises(DocumentDamaged, match="does not match its hash"):
        await whole(store, sha256)
    await Store(str(tmp_path)).put_document(b"%PDF-1.7")
    assert await whole(store, sha256) == b"%PDF-1.7"


async def test_a_record_is_written_once(store: Store) -> None:
    assert await store.read_record(MSA) is None
    await store.write_record(MSA, b'{"version":1}')
    await store.write_record(MSA, b'{"version":1}')
    with pytest.raises(RecordConflict, match="msa-0042"):
        await store.write_record(MSA, b'{"version":2}')
    assert await store.read_record(MSA) == b'{"version":1}'


async def test_of_many_writers_at_once_one_wins_whole(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    contents = [str(number).encode() * 10_000 for number in range(8)]
    results = await asyncio.gather(*(store.write_record(R, each) for each in contents), return_exceptions=True)
    assert results.count(True) == 1
    assert await store.read_record(R) in contents
    assert [path.name for path in (tmp_path / R.file("records")).parent.iterdir()] == ["r.json"]


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
    store = Store(str(tmp_path / "made" / "store"))
    sha256 = await store.put_document(b"%PDF-1.7")
    await store.write_record(MSA, b"{}")
    await store.write_amendment(MSA, 1, b"{}")
    written = (f"documents/{sha256}", MSA.file("records"), f"{MSA.on('amendments')}/1.json")
    for path in (tmp_path / "made" / "store" / name for name in written):
        for each in (path, *path.parents[: len(path.relative_to(tmp_path).parts) - 1]):
            assert each.name in on_disk[each.parent.stat().st_ino], each


async def test_equal_content_is_acknowledged_once_the_first_writer_s_name_is_on_the_disk(
    tmp_path: Path, on_disk: dict[int, set[str]]
) -> None:
    store = Store(str(tmp_path))
    await store.write_record(R, b"{}")
    on_disk.clear()
    await store.write_record(R, b"{}")
    assert on_disk[(tmp_path / R.file("records")).parent.stat().st_ino] == {"r.json"}


async def test_what_does_not_fit_on_the_disk_keeps_no_room_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each try of a large document something would stay, and in the end no record fits beside it."""
    store = Store(str(tmp_path))
    for call in ("fsync", "replace", "link"):
        with monkeypatch.context() as full, pytest.raises(StoreAway, match="No space left on device"):
            full.setattr(Path if call == "replace" else os, call, _is_full)
            await store.write_amendment(R, 1, b"{}") if call == "replace" else await store.write_record(R, b"{}")
    assert _left_in(tmp_path) == []


async def test_what_killed_writers_left_is_removed_after_a_day_and_no_living_one_loses_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = tmp_path / UNFINISHED
    at = [1_000.0]
    monkeypatch.setattr(objects, "_uptime", lambda: at[0])
    store = Store(str(tmp_path))

    def leave(name: str, hours: float) -> None:
        (unfinished / name).write_bytes(b"half")
        os.utime(unfinished / name, (time.time() - 3600 * hours,) * 2)

    await store.write_record(R, b"{}")
    leave("living.part", 23)
    for number in range(10 * SWEPT_AT_MOST):
        leave(f"{number}.part", 25)
    await store.write_amendment(R, 1, b"{}")
    assert len(list(unfinished.iterdir())) == 10 * SWEPT_AT_MOST + 1, "looked for with each write"
    at[0] += 25 * 3600
    await store.write_amendment(R, 2, b"{}")
    assert len(list(unfinished.iterdir())) in (9 * SWEPT_AT_MOST + 1, 9 * SWEPT_AT_MOST + 2)
    for _ in range(10):
        await Store(str(tmp_path)).write_amendment(R, 3, b"{}")
    assert [one.name for one in unfinished.iterdir()] == ["living.part"]


def _is_full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_amendments_come_in_their_order_also_when_one_is_missing(store: Store) -> None:
    assert await _amendments(store, R) == []
    for number in (10, 9, 2):
        await store.write_amendment(R, number, b"%d" % number)
    await store.write_amendment(StoragePrefix("signature-request", R.owner, "r.1"), 1, b"another request's")
    assert await _amendments(store, R) == [(b"2", b"9", b"10")]


async def test_of_ten_times_as_many_amendments_no_more_are_in_memory_at_once(tmp_path: Path) -> None:
    store = Store(f"memory://{tmp_path.name}")
    for number in range(1, 10 * AMENDMENTS_AT_ONCE + 1):
        await store.write_amendment(R, number, b"%d" % number)
    found = await _amendments(store, R)
    assert [len(some) for some in found] == 10 * [AMENDMENTS_AT_ONCE]
    assert [int(one) for some in found for one in some] == list(range(1, 10 * AMENDMENTS_AT_ONCE + 1))


async def _amendments(store: Store, home: StoragePrefix) -> list[tuple[bytes, ...]]:
    return [some async for some in store.read_amendments(home)]


async def test_two_kinds_of_one_id_never_meet(store: Store) -> None:
    task = StoragePrefix("task", R.owner, R.id)
    await store.write_record(R, b"{}")
    await store.write_record(task, b"[]")
    await store.write_amendment(task, 1, b"[]")
    assert (await store.read_record(R), await _amendments(store, R)) == (b"{}", [])


def test_what_belongs_to_nobody_is_spread_by_its_id() -> None:
    assert MSA.file("records") == "records/signature-request/80/msa-0042.json"
    assert StoragePrefix.of_request(".msa").owner == hashlib.sha256(b".msa").hexdigest()[:2]


def test_what_belongs_to_an_onboarding_or_a_campaign_is_in_its_folder() -> None:
    home = StoragePrefix.of_request("acme-onboarding.1.2")
    assert home.on("amendments") == "amendments/signature-request/acme-onboarding/acme-onboarding.1.2"


async def test_of_the_signers_of_several_starts_those_of_the_one_that_lives_are_the_request_s(store: Store) -> None:
    await store.keep_signers(R, "a" * 64, b"{1}")
    assert await store.read_signers(R) == b"{1}"
    await store.keep_signers(R, "b" * 64, b"{2}")
    assert await store.read_signers(R) is None
    await store.choose_signers(R, "c" * 64)
    assert await store.read_signers(R) is None
    await store.choose_signers(R, "b" * 64)
    assert await store.read_signers(R) == b"{2}"
    await store.choose_signers(R, "a" * 64)  # Temporal has forgotten the one before, and this one lives.
    assert await store.read_signers(R) == b"{1}"
    await store.keep_signers(R, "b" * 64, b"{3}")
    await store.choose_signers(R, "b" * 64)
    assert await store.read_signers(R) == b"{2}"


async def test_a_text_comes_back_by_its_reference_and_its_hash_cannot_be_guessed(store: Store) -> None:
    no = await store.texts.keep(R, "answer-1", "no")
    assert await store.texts.keep(R, "answer-1", "no") == no
    assert (no.name, await store.texts.read(R, no)) == ("answer-1", "no")
    assert hashlib.sha256(b"no").hexdigest() not in str(no)
    elsewhere = await store.texts.keep(MSA, "answer-1", "no")
    assert elsewhere.sha256 != no.sha256
    assert Reference.read(str(no)) == no


async def test_of_two_texts_under_one_name_each_is_found(store: Store) -> None:
    texts = ("stop", "go on", "stop")
    kept = [await store.texts.keep(R, "paused", text) for text in texts]
    assert kept[0] == kept[2]
    assert [await store.texts.read(R, one) for one in kept] == list(texts)


async def test_an_erased_text_is_gone_and_a_changed_one_is_an_error(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    no = await store.texts.keep(R, "answer-1", "no")
    file = tmp_path / R.on("texts") / "answer-1.json"
    file.write_text(file.read_text().replace('"no"', '"yes"'))
    with pytest.raises(TextDamaged, match="answer-1 in the store does not match"):
        await store.texts.read(R, no)
    shutil.rmtree(tmp_path / R.on("texts"))
    assert await store.texts.read(R, no) is None


async def test_a_document_of_ten_thousand_starts_is_written_and_looked_through_once(
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
    await Store(str(tmp_path)).put_document(b"%PDF-1.7")
    assert (len(synced) > 0, len(opened)) == (True, 0)
    synced.clear()
    campaign = Store(str(tmp_path))
    for _ in range(100):
        await campaign.put_document(b"%PDF-1.7")
    assert (len(synced), len(opened)) == (1, 1)


async def test_of_ever_so_many_documents_the_last_are_remembered(store: Store) -> None:
    for number in range(10 * REMEMBERED_AT_MOST):
        await store.put_document(b"%d" % number)
    assert len(store._whole) == REMEMBERED_AT_MOST


async def test_a_store_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(StoreAway, match="cannot be used"):
        await Store(str(tmp_path / "store")).put_document(b"%PDF-")


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
def test_a_url_that_leads_to_no_store_says_what_to_do(url: str, says: str) -> None:
    if url.startswith(("s3", "sftp")) and fsspec_has(url.partition(":")[0]):
        pytest.skip("the package is installed")
    with pytest.raises(StoreFailure, match=says) as failure:
        Store(url)
    assert "canary" not in str(failure.value)


def fsspec_has(protocol: str) -> bool:
    """Whether the package for this kind of store is installed."""
    try:
        return bool(fsspec.get_filesystem_class(protocol))
    except ImportError:
        return False


async def test_whatever_a_remote_store_raises_is_a_failure_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentials(Exception):
        """As libraries of object stores have them."""

    def refuse(*_: object, **__: object) -> None:
        raise NoCredentials("canary")

    store = Store("memory://remote")
    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(StoreAway, match=r"^the store cannot be used: NoCredentials$"):
        await store.write_record(R, b"{}")


async def test_a_store_can_be_tried_without_leaving_much_behind(store: Store, tmp_path: Path) -> None:
    await store.check()
    await store.check()
    assert await store.read_record(StoragePrefix.of_request("probe")) is None
    assert _left_in(tmp_path) == ["probe.json"]


@pytest.mark.parametrize("id", [".hidden", "._x", ".a.b", "a.json", "msa-0042"])
async def test_whatever_its_id_begins_with_it_is_in_every_list(store: Store, id: str) -> None:
    home = StoragePrefix.of_request(id)
    await store.hand_offs.note_dead(home, b"{}")
    await store.hand_offs.keep_target(id, b"{}")
    await store.devices(id).register("0123456789ab", b"{}")
    assert await store.hand_offs.dead(home.kind) == (id,)
    assert await store.hand_offs.targets() == (id,)
    assert await store.people_with_devices() == {id}
    assert (await store.hand_offs.read_dead(home), await store.hand_offs.read_target(id)) == (b"{}", b"{}")
    assert await store.devices(id).registered() == {"0123456789ab"}
    await store.hand_offs.forget_dead(home)
    assert await store.hand_offs.dead(home.kind) == ()


async def test_of_the_dead_one_may_be_forgotten_and_a_store_that_forbids_it_is_none_the_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, home = Store(str(tmp_path)), StoragePrefix.of_request("msa-0042")
    await store.hand_offs.note_dead(home, b"{}")

    def forbids(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(LocalFileSystem, "rm_file", forbids)
        await store.hand_offs.forget_dead(home)
    assert await store.hand_offs.dead(home.kind) == ("msa-0042",)
    for _ in range(2):
        await store.hand_offs.forget_dead(home)
    assert await store.hand_offs.dead(home.kind) == ()


async def test_a_folder_that_cannot_write_once_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on vfat and SMB, which know no links."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreFailure, match=r"^the store cannot be used: Operation not permitted$"):
        await Store(str(tmp_path)).check()


async def test_an_object_store_that_overwrites_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = MemoryFileSystem.pipe_file

    def overwriting(self: MemoryFileSystem, path: str, value: bytes, mode: str = "overwrite") -> None:
        plain(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", overwriting)
    with pytest.raises(StoreFailure, match="does not keep what was written first"):
        await Store("memory://overwriting").check()


async def test_a_store_where_nothing_may_be_removed_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(MemoryFileSystem, "rm_file", refuse)
    await Store("memory://written-only").check()


async def test_contracts_and_addresses_are_for_the_user_of_the_process_only(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "above" / "store"))
    await store.put_document(b"%PDF-1.7")
    await store.keep_signers(R, "a" * 64, b"{1}")
    await store.write_amendment(R, 1, b"{}")
    for path in (tmp_path / "above", *(tmp_path / "above").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o750)
    await Store(str(tmp_path / "store")).put_document(b"%PDF-1.7")
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o750


async def test_a_burial_is_kept_beside_its_owner_and_replaced_by_a_later_one(tmp_path: Path) -> None:
    for content in (b"first", b"later"):
        await Store(str(tmp_path)).devices("chair").mark_gone("a1b2c3", content)
    assert await Store(str(tmp_path)).devices("chair").read(["a1b2c3"]) == [(None, b"later")]
    assert await Store(str(tmp_path)).devices("deputy").read(["a1b2c3"]) == [(None, None)]
    assert (tmp_path / "devices" / "chair" / "a1b2c3.dead.json").is_file()


def test_a_device_is_known_by_twelve_hex_digits() -> None:
    assert device_hash("chief-executive~1") == "ee801b8d0659"


def _left_in(folder: Path) -> list[str]:
    """The names of all objects and files."""
    return [Path(name).name for name in (*fsspec.filesystem("memory").store, *folder.rglob("*.*"))]
