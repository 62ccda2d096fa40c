"""A target that takes the signed document as a file: written once where the settings allow it, never replaced."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.documents.files import SIGNED
from activities.hand_off import archive
from activities.hand_off.archive import Archives
from activities.policies.policy_file import ArchiveEntry
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.store import Store
from tests.activities.notifications.stage import brief
from workflows.model.hand_off import EscalatedRequest, HandoffResult, SettledRequest
from workflows.model.policy import ArchiveTarget, Target
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Status

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
PDF = b"%PDF-1.7 " + bytes(range(256)) * 4_000
MSA = brief().subject
SETTLED = SettledRequest(request=MSA.id, external_id=MSA.id, kind="customer-contract", outcome=Status.SIGNED, at=AT)
PATH = "{kind}/{year}/{month}/{id}.{outcome}.pdf"
WRITTEN = f"customer-contract/2026/12/{MSA.id}.signed.pdf"
DONE = HandoffResult(target="archive", ok=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "store"))
    yield store
    store.close()


async def keep_signed_document(store: Store, content: bytes = PDF) -> str:
    """The signed document's hash."""
    sha256 = await store.files.put(content, SIGNED)
    await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(document=SignedFile(sha256, len(content))), AT)
    return sha256


async def archive_document(store: Store, url: str, allowed: str | None = None) -> HandoffResult:
    archive_target = ArchiveTarget(url=url, path=PATH)
    archives = Archives(store, [url if allowed is None else allowed])
    return await archives.write(Target(target="archive", archive=archive_target), archive_target, MSA, SETTLED)


async def test_the_document_is_written_whole_and_a_repeated_call_finds_it(store: Store, tmp_path: Path) -> None:
    await keep_signed_document(store)
    url = (tmp_path / "archive").as_uri()
    assert await archive_document(store, url) == DONE
    file = tmp_path / "archive" / WRITTEN
    assert file.read_bytes() == PDF
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    modified_before = file.stat().st_mtime_ns
    assert await archive_document(store, url) == DONE
    assert file.stat().st_mtime_ns == modified_before


async def test_half_a_file_of_another_worker_is_not_touched_and_another_file_stays(
    store: Store, tmp_path: Path
) -> None:
    await keep_signed_document(store)
    file = tmp_path / "archive" / WRITTEN
    file.parent.mkdir(parents=True)
    (half := file.with_name(f"{file.name}.part")).write_bytes(PDF[:100])
    assert await archive_document(store, (tmp_path / "archive").as_uri()) == DONE
    assert file.read_bytes() == PDF and half.read_bytes() == PDF[:100]
    file.write_bytes(b"another")
    result = await archive_document(store, (tmp_path / "archive").as_uri())
    assert (result.gone, result.why) == (True, "another file has this name; it is not replaced")
    assert file.read_bytes() == b"another"


async def test_of_a_file_that_breaks_off_half_way_nothing_is_left_and_the_next_attempt_writes_it(
    store: Store, tmp_path: Path
) -> None:
    sha256 = await keep_signed_document(store)
    stored = Path(store.files.root) / SIGNED / sha256
    stored.write_bytes(PDF[:-1] + b"x")
    url = (tmp_path / "archive").as_uri()
    assert not (await archive_document(store, url)).ok
    assert list((tmp_path / "archive" / WRITTEN).parent.iterdir()) == []
    stored.write_bytes(PDF)
    assert await archive_document(store, url) == DONE


async def test_two_workers_write_the_same_file_at_once_and_both_find_it_whole(store: Store, tmp_path: Path) -> None:
    await keep_signed_document(store)
    url = (tmp_path / "archive").as_uri()
    assert await asyncio.gather(*(archive_document(store, url) for _ in range(8))) == [DONE] * 8
    assert [path.name for path in (tmp_path / "archive" / WRITTEN).parent.iterdir()] == [Path(WRITTEN).name]


@pytest.mark.parametrize("allowed", ["", "s3://elsewhere", "{url}x", "{url}/below"])
async def test_nothing_is_written_where_the_settings_do_not_allow_it(
    store: Store, tmp_path: Path, allowed: str
) -> None:
    await keep_signed_document(store)
    url = (tmp_path / "archive").as_uri()
    result = await archive_document(store, url, allowed.format(url=url))
    assert (result.ok, result.gone) == (False, False)
    assert "COUNTERSIGN_HANDOFF_ARCHIVES" in (result.why or "")
    assert not (tmp_path / "archive").exists()


async def test_below_an_allowed_address_it_may(store: Store, tmp_path: Path) -> None:
    await keep_signed_document(store)
    assert (
        await archive_document(store, (tmp_path / "archive" / "hr").as_uri(), (tmp_path / "archive").as_uri()) == DONE
    )


async def test_a_document_that_is_not_kept_yet_is_retried_and_one_that_was_erased_is_not(
    store: Store, tmp_path: Path
) -> None:
    waits = await archive_document(store, tmp_path.as_uri())
    assert (waits.gone, waits.why) == (False, "the signed document is not kept yet")
    await store.files.remove(await keep_signed_document(store), SIGNED)
    erased = await archive_document(store, tmp_path.as_uri())
    assert (erased.gone, erased.why) == (True, "the signed document was erased")


async def test_a_folder_that_is_away_and_a_library_that_is_missing_are_said(store: Store, tmp_path: Path) -> None:
    await keep_signed_document(store)
    (tmp_path / "file").write_text("no folder")
    assert (await archive_document(store, (tmp_path / "file" / "x").as_uri())).why == "NotADirectoryError"
    assert not (await archive_document(store, "webhdfs://127.0.0.1:1/x")).ok


async def test_an_escalation_has_no_document(store: Store, tmp_path: Path) -> None:
    escalated = EscalatedRequest.from_id(
        MSA.id, kind="k", at=AT, number=1, person="a", to="b", reason=EscalationReason.ESCALATION
    )
    archive_target = ArchiveTarget(url=tmp_path.as_uri(), path=PATH)
    archives = Archives(store, [tmp_path.as_uri()])
    result = await archives.write(Target(target="archive", archive=archive_target), archive_target, MSA, escalated)
    assert result.gone


async def test_a_store_that_gives_no_answer_is_left_after_a_while(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_signed_document(store)
    monkeypatch.setattr(archive, "SECONDS", 0.0)
    assert (await archive_document(store, tmp_path.as_uri())).why == "not written within 0 s"


async def test_ten_times_as_many_as_are_written_at_once_are_all_written(store: Store, tmp_path: Path) -> None:
    await keep_signed_document(store)
    archives, writes = Archives(store, [tmp_path.as_uri()]), []
    for number in range(10 * archive.FILES_AT_ONCE):
        archive_target = ArchiveTarget(url=(tmp_path / str(number)).as_uri(), path=PATH)
        writes.append(archives.write(Target(target="archive", archive=archive_target), archive_target, MSA, SETTLED))
    assert set(await asyncio.gather(*writes)) == {DONE}


@pytest.mark.parametrize(
    "path", ["../{id}.pdf", "/{id}.pdf", "{id}", "{kind}.pdf", "{name}/{id}.pdf", "{id[0]}.pdf", "{"]
)
def test_a_path_stays_below_its_address(path: str) -> None:
    with pytest.raises(ValueError, match=r"must be a path|needs {id}"):
        ArchiveEntry(url="s3://bucket", path=path)


@pytest.mark.parametrize(
    "url", ["https://x.example", "file:///a/../etc", "sftp://h/x", "s3://u:p@b/x", "s3://b?x=1", "archive"]
)
def test_an_address_is_of_a_kind_that_is_written_to(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be an address|has a password"):
        ArchiveEntry(url=url)
