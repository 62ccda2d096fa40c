"""Signed files go once their retention is over, never before a legal hold is released; what proves stays."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.documents.files import PICTURES, SIGNED
from activities.errors import DocumentMissing
from activities.evidence.erasure import erase, erase_due, remove_due
from activities.evidence.verification import newer_of, verify
from activities.hand_off.downloads import kept_file
from activities.records import evidence, holds
from activities.records.evidence import FIELDS, SignedDocument, SignedFile
from activities.records.starts import Start
from activities.records.store import Store
from activities.retention.service import DailyRetention
from tests.activities.evidence.kept import AT, CONDUCT, MSA, keep_evidence, keep_signed_request, packer
from tests.storage import altered
from workflows.kinds import Kind
from workflows.model.policy import end_of_retention
from workflows.model.retention import RetentionOrder

OVER = AT + timedelta(days=90)
DAY = OVER + timedelta(days=1)
PDF, LOG = b"%PDF-1.7 signed", b"%PDF-1.7 log"


async def keep_signed_files(
    store: Store, id: str = MSA.id, pdf: bytes = PDF, log: bytes = LOG, kept_until: datetime = OVER
) -> str:
    """The workflow id of a request with both files, to be kept until then."""
    workflow_id = Kind.REQUEST.workflow_id(id)
    document, signing_log = [SignedFile(await store.files.put(content, SIGNED), len(content)) for content in (pdf, log)]
    await store.evidence.keep_signed(workflow_id, SignedDocument(document, signing_log, keep_until=kept_until), AT)
    return workflow_id


def list_stored_hashes(store: Store, shelf: str = SIGNED) -> set[str]:
    """The hashes of a shelf."""
    folder = Path(store.files.root) / shelf
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


async def of_campaign(store: Store, id: str, first_page: str | None = None) -> None:
    """A request of the campaign, with the picture of its document."""
    workflow_id = Kind.REQUEST.workflow_id(id)
    await store.starts.begin(workflow_id, Start("k", "T", ("p",), "desk", CONDUCT.workflow_id, AT))
    if first_page:
        await store.starts.keep_first_page(workflow_id, first_page, "sha")


async def test_after_its_retention_the_day_removes_the_files_and_packs_say_so(
    tmp_path: Path, database_url: str
) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await keep_signed_request(store)
        await keep_signed_files(store)
        await store.evidence.keep_part(MSA.workflow_id, FIELDS, b'[{"id":"order-number","value":"4711"}]')
        await packer(store, tmp_path).export(MSA, tmp_path / "before.zip")
        retention = DailyRetention(store)
        assert (await retention.apply(RetentionOrder(now=OVER))).removed == 0, "it is over after that instant"
        assert len(list_stored_hashes(store)) == 2
        result = await retention.apply(RetentionOrder(now=DAY))
        assert (result.removed, list_stored_hashes(store)) == (1, set())
        assert "signed files removed" in result.details
        assert await remove_due(store, DAY) == 0
        with pytest.raises(DocumentMissing):
            await kept_file(store, MSA.workflow_id)
        assert await store.evidence.part(MSA.workflow_id, FIELDS) is None
        await packer(store, tmp_path).export(MSA, tmp_path / "after.zip")
    verified_before, verified_after = verify(tmp_path / "before.zip"), verify(tmp_path / "after.zip")
    assert (
        verified_before.faults,
        verified_after.faults,
        verified_before.documents,
        verified_after.documents,
        verified_after.removed,
    ) == ([], [], 2, 0, 2)
    assert verified_after.lacks == {"signed.pdf": "not_kept: retention", "signing-log.pdf": "not_kept: retention"}
    assert newer_of(verified_before, verified_after).startswith(f"{tmp_path / 'after.zip'} is newer")


async def test_nothing_is_removed_before_a_legal_hold_is_released(tmp_path: Path, database_url: str) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        workflow_id = await keep_signed_files(store)
        assert await store.holds.place_hold(workflow_id, "matter 7", "legal", AT)
        assert not await store.holds.place_hold(workflow_id, "matter 7", "legal", DAY), "held for that already"
        assert await store.holds.place_hold(workflow_id, "matter 8", "legal", DAY)
        assert await remove_due(store, DAY) == 0
        assert await store.holds.release(workflow_id, "matter 7", "chief", DAY)
        assert (await remove_due(store, DAY), len(list_stored_hashes(store))) == (0, 2), "of two holds one is left"
        await store.holds.release(workflow_id, "matter 8", "chief", DAY)
        assert not await store.holds.release(workflow_id, "matter 8", "chief", DAY), "released already"
        first, second = await store.holds.list_holds(workflow_id)
        assert (first.reason, first.by, first.at, first.released_by, first.released_at) == (
            *("matter 7", "legal", AT),
            *("chief", DAY),
        )
        assert second.released_at == DAY
        assert (await remove_due(store, DAY), list_stored_hashes(store)) == (1, set())
        assert await store.holds.place_hold(workflow_id, "matter 7", "legal", DAY), "released ones stay on record"
        assert len(await store.holds.list_holds(workflow_id)) == 3


async def test_the_hold_of_a_campaign_holds_its_requests(tmp_path: Path, database_url: str) -> None:
    """Also the one whose start was killed before it was noted; not one whose id is alike."""
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await of_campaign(store, "conduct.ada")
        alike = Kind.REQUEST.workflow_id("conduct.msa")
        await store.starts.begin(alike, Start("k", "T", ("p",), "desk", None, AT))
        for id in ("conduct.ada", "conduct.killed", "conduct.msa"):
            await keep_signed_files(store, id, pdf=f"%PDF {id}".encode(), log=f"%PDF log {id}".encode())
        await store.holds.place_hold(CONDUCT.workflow_id, "matter 7", "legal", AT)
        assert (await remove_due(store, DAY), len(list_stored_hashes(store))) == (1, 4)
        assert (await store.evidence.signed(alike) or SignedDocument()).removed_at == DAY
        assert [hold.workflow_id for hold in await store.holds.list_holds(Kind.REQUEST.workflow_id("conduct.ada"))] == [
            CONDUCT.workflow_id
        ]
        [listed] = await store.holds.page()
        assert (listed.reason, await store.holds.page((listed.workflow_id, listed.number))) == ("matter 7", [])


async def test_more_than_a_statement_takes_are_removed_and_held_ones_stand_in_nobodys_way(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "READ_AT_ONCE", 2)
    monkeypatch.setattr(holds, "READ_AT_ONCE", 2)
    monkeypatch.setattr(holds, "LISTED_AT_ONCE", 2)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        ids = [
            await keep_signed_files(store, f"msa-{number}", f"{number}".encode(), f"log {number}".encode())
            for number in range(20)
        ]
        for workflow_id in ids[:5]:
            await store.holds.place_hold(workflow_id, "matter", "legal", AT)
        assert (await remove_due(store, DAY), len(list_stored_hashes(store))) == (15, 10)
        assert await store.holds.find_held(ids) == dict.fromkeys(ids[:5], "matter")


async def test_a_file_that_two_requests_have_goes_with_the_last_of_them(tmp_path: Path, database_url: str) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        first = await keep_signed_files(store, "one")
        await keep_signed_files(store, "two", kept_until=DAY + timedelta(days=9))
        assert await remove_due(store, DAY) == 1
        assert len(list_stored_hashes(store)) == 2, "the other has them still"
        with pytest.raises(DocumentMissing):
            await kept_file(store, first)
        assert await kept_file(store, Kind.REQUEST.workflow_id("two")) is not None
        assert (await remove_due(store, DAY + timedelta(days=10)), list_stored_hashes(store)) == (1, set())


async def test_who_is_killed_between_note_and_removal_is_followed_by_the_next_day(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        workflow_id = await keep_signed_files(store)

        async def killed(sha256: str, shelf: str) -> None:
            raise SystemError

        with monkeypatch.context() as patch, pytest.raises(SystemError):
            patch.setattr(store.files, "remove", killed)
            await remove_due(store, DAY)
        assert len(list_stored_hashes(store)) == 2
        with pytest.raises(DocumentMissing):
            await kept_file(store, workflow_id)
        assert (await remove_due(store, DAY + timedelta(days=1)), list_stored_hashes(store)) == (1, set())
        signed_document = await store.evidence.signed(workflow_id)
        assert signed_document and (signed_document.removed_at, signed_document.keep_until) == (DAY, None)


async def test_a_log_that_comes_after_the_retention_goes_as_well(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        pdf = SignedFile(await store.files.put(PDF, SIGNED), len(PDF))
        signed_document = SignedDocument(pdf, why="the log is not ready", keep_until=OVER)
        await store.evidence.keep_signed(MSA.workflow_id, signed_document, AT)
        assert (await remove_due(store, DAY), list_stored_hashes(store)) == (1, set())
        log = SignedFile(await store.files.put(LOG, SIGNED), len(LOG))
        await store.evidence.keep_signed(MSA.workflow_id, replace(signed_document, log=log, why=None), DAY)
        assert (await remove_due(store, DAY), list_stored_hashes(store)) == (1, set())
        await store.evidence.keep_signed(MSA.workflow_id, replace(signed_document, log=log, why=None), DAY)
        assert await remove_due(store, DAY) == 0, "asked once more, after a reset"


async def test_an_erasure_waits_for_the_release_of_a_hold(tmp_path: Path, database_url: str) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await keep_signed_request(store)
        await keep_signed_request(store, "msa-0043")
        await keep_evidence(store)
        page = await store.files.put(b"a picture", PICTURES)
        await store.starts.keep_first_page(MSA.workflow_id, page, "sha")
        await store.holds.place_hold(MSA.workflow_id, "matter 7", "legal", AT)
        dry = await erase(store, "customer-signer", "desk", "asked for it", DAY, dry_run=True)
        report = await erase(store, "customer-signer", "desk", "asked for it", DAY)
        other_id = Kind.REQUEST.workflow_id("msa-0043")
        assert (dry.erased, dry.held) == (report.erased, report.held) == ((other_id,), {MSA.workflow_id: "matter 7"})
        assert b"Ada" in b"".join(await store.people.list_asked(MSA.workflow_id))
        assert list_stored_hashes(store, PICTURES) == {page}
        assert (await erase_due(store, DAY), await store.erasures.list_done(MSA.workflow_id)) == (0, [])
        await store.holds.release(MSA.workflow_id, "matter 7", "legal", DAY)
        assert await erase_due(store, DAY) == 1
        assert b"Ada" not in b"".join(await store.people.list_asked(MSA.workflow_id))
        assert list_stored_hashes(store, PICTURES) == set()


async def test_a_hold_that_comes_while_it_is_erased_is_seen_at_the_last_instant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        pictures = store.erasures.pictures

        async def meanwhile(workflow_ids: list[str]) -> list[str]:
            await store.holds.place_hold(MSA.workflow_id, "matter 7", "legal", AT)
            return await pictures(workflow_ids)

        monkeypatch.setattr(store.erasures, "pictures", meanwhile)
        await erase(store, "customer-signer", "desk", "asked for it", DAY)
        assert b"Ada" in b"".join(await store.people.list_asked(MSA.workflow_id))
        assert altered(store, "UPDATE erasures SET reason = ? WHERE done_at IS NULL", "x") == 1


async def test_the_picture_of_a_document_that_others_have_stays(tmp_path: Path, database_url: str) -> None:
    """Of three requests with one document; the last of them takes it along."""
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        page = await store.files.put(b"a picture", PICTURES)
        for number, person in enumerate(("customer-signer", "chair", "chief-executive")):
            id = f"conduct.{number}"
            await keep_signed_request(store, id)
            await of_campaign(store, id, page)
            altered(
                store,
                "DELETE FROM record_lists WHERE workflow_id = ? AND person <> ?",
                f"signature-request:{id}",
                person,
            )
        for person, remaining in (("customer-signer", {page}), ("chair", {page}), ("chief-executive", set())):
            report = await erase(store, person, "desk", "asked for it", DAY)
            assert (len(report.erased), list_stored_hashes(store, PICTURES)) == (1, remaining), person


async def test_who_came_in_later_waits_for_the_end_as_well(tmp_path: Path, database_url: str) -> None:
    start = Start("customer-contract", "MSA", ("customer-signer", "chief-executive"), "legal-desk", None, AT)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await store.starts.begin(MSA.workflow_id, start)
        for _ in range(2):
            await store.starts.came_in(MSA.workflow_id, ["chair", "customer-signer", "legal-desk"])
        for person, waiting in (("chair", (MSA.workflow_id,)), ("chief-executive", (MSA.workflow_id,)), ("board", ())):
            report = await erase(store, person, "desk", "asked for it", DAY)
            assert (report.erased, report.waiting) == ((), waiting), person
        await keep_signed_request(store)
        assert await erase_due(store, DAY) == 2
        assert (await erase(store, "chair", "desk", "again", DAY)).waiting == ()


@pytest.mark.parametrize(
    ("ended_on", "keep", "over_on"),
    [
        ("2026-12-04", "90d", "2027-03-04"),
        ("2026-12-04", "7y", "2033-12-04"),
        ("2028-02-29", "1y", "2029-02-28"),
        ("2026-08-31", "18m", "2028-02-29"),
        ("2026-12-31", "2m", "2027-02-28"),
        ("2026-12-04", "100y", "2126-12-04"),
    ],
)
def test_a_retention_is_of_the_calendar(ended_on: str, keep: str, over_on: str) -> None:
    ended_at = datetime.fromisoformat(f"{ended_on}T09:30:00+00:00")
    assert end_of_retention(ended_at, keep) == datetime.fromisoformat(f"{over_on}T09:30:00").replace(tzinfo=UTC)
