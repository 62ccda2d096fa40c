"""Daily roots: every record is under one, and one that was rebuilt later is found."""

import asyncio
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from activities.errors import DatabaseAway
from activities.evidence.merkle import root_of
from activities.evidence.roots import DailyRootsService, RootsFile, leaf_of, read_roots, written_roots
from activities.evidence.signing import EvidenceKey, PublicKeys, canonical, sha256_of
from activities.evidence.verification import verify
from activities.people.file_directory import FileDirectory
from activities.records import roots as statements
from activities.records.drafts import Draft
from activities.records.roots import Root
from activities.records.store import Store
from tests.activities.evidence.kept import MSA, key_in, packer, signed
from tests.activities.evidence.test_pack import parts_of, resigned
from tests.storage import altered
from workflows.model.daily_evidence import DailyEvidence

DAY = datetime(2026, 12, 5, 0, 15, tzinfo=UTC)


def days_of(store: Store, folder: Path) -> DailyRootsService:
    key_in(folder)
    return DailyRootsService(store, partial(EvidenceKey.read, folder / "evidence.pem"))


async def file_of(store: Store, folder: Path) -> Path:
    lines = [line async for line in written_roots(store)]
    (folder / "roots.jsonl").write_bytes(b"".join(lines))
    return folder / "roots.jsonl"


async def test_each_record_is_under_the_root_of_its_day_and_a_missed_day_is_caught_up(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "RECORDS_AT_ONCE", 3)
    monkeypatch.setattr(statements, "ROOTS_AT_ONCE", 2)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        days = days_of(store, tmp_path)
        for day, ids in ((0, range(7)), (1, ()), (4, range(7, 10))):
            for number in ids:
                await signed(store, f"msa-{number:04}")
            result = await days.run_day(DailyEvidence(now=DAY + timedelta(days=day)))
            assert (result.records, result.signed, result.stamped) == (len(ids), True, False)
            again = await days.run_day(DailyEvidence(now=DAY + timedelta(days=day)))
            assert again == result, "an attempt that is repeated makes no other root"
        found = read_roots(await file_of(store, tmp_path), PublicKeys.read(tmp_path / "evidence.pem.pub"))
        assert (found.faults, found.count, len(found.days)) == ([], 3, 10)
        record = await store.records.read("signature-request:msa-0008")
        assert record
        assert found.days[leaf_of("signature-request:msa-0008", sha256_of(record))] == 3
        first = await anext(aiter(store.roots.all()))
        assert first.root == root_of(leaf for leaf, number in found.days.items() if number == 1).hex()


async def test_two_workers_make_one_root(tmp_path: Path, database_url: str) -> None:
    stores = [Store(str(tmp_path / "kept"), database_url) for _ in range(2)]
    await signed(stores[0])
    made = await asyncio.gather(*(days_of(store, tmp_path).make_root(DAY) for store in stores for _ in range(3)))
    assert len({one.content for one in made}) == 1
    with pytest.raises(DatabaseAway):
        await stores[0].roots.write(Root(2, DAY, 5, "", b"", ""))
    for store in stores:
        store.close()


async def test_a_record_that_was_rebuilt_is_under_no_root_and_a_new_one_is_said_to_be_younger(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await signed(store)
        await days_of(store, tmp_path).make_root(DAY)
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
        roots = read_roots(await file_of(store, tmp_path), None)
    pack = verify(tmp_path / "msa.zip")
    roots.check(pack)
    assert (pack.faults, pack.notes) == ([], ["its record is under the daily root 1"])
    parts = parts_of(tmp_path / "msa.zip")
    rebuilt = await resigned(tmp_path, parts, "record.json", parts["record.json"].replace(b"legal-desk", b"other-desk"))
    pack = verify(rebuilt)
    assert pack.ok, "whoever has the key can rebuild it"
    roots.check(pack)
    assert [(one.part, one.found) for one in pack.faults] == [("record.json", "under none")]
    younger = parts["record.json"].replace(b'"at":"2026-12-04', b'"at":"2026-12-06')
    pack = verify(await resigned(tmp_path, parts, "record.json", younger))
    roots.check(pack)
    assert (pack.ok, "younger" in pack.notes[0]) == (True, True)


async def test_history_that_was_changed_in_the_database_or_in_the_file_is_found(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        days = days_of(store, tmp_path)
        for number in range(3):
            await signed(store, f"msa-{number}")
            await days.make_root(DAY + timedelta(days=number))
        file = await file_of(store, tmp_path)
        lines = file.read_bytes().splitlines(keepends=True)
        assert altered(store, "UPDATE records SET sha256 = 'x' WHERE workflow_id = 'signature-request:msa-1'") == 1
        changed = read_roots(await file_of(store, tmp_path), None)
        assert [one.part for one in changed.faults] == ["roots.jsonl, line 2"]

    def faults(*of: bytes, keys: PublicKeys | None = None) -> list[str]:
        file.write_bytes(b"".join(of))
        found: RootsFile = read_roots(file, keys)
        return [one.part for one in found.faults]

    assert faults(*lines) == []
    assert faults(lines[0], lines[2]) == ["roots.jsonl, line 2"]
    assert faults(*lines[1:]) == ["roots.jsonl, line 1"]
    assert faults(lines[0], b"{}\n") == ["roots.jsonl, line 2"]
    key_in(tmp_path / "other")
    assert faults(*lines, keys=PublicKeys.read(tmp_path / "other" / "evidence.pem")) == ["roots.jsonl, line 1"]
    row = json.loads(lines[2])
    assert faults(*lines[:2], canonical(row | {"envelope": None}) + b"\n") == ["roots.jsonl, line 3"]
    row = json.loads(lines[1])
    assert faults(lines[0], canonical(row | {"envelope": None}) + b"\n", lines[2]) == [], "the third names it"


async def test_without_a_key_a_root_is_made_all_the_same(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        days = DailyRootsService(store, partial(EvidenceKey.read, tmp_path / "none.pem"))
        assert (await days.run_day(DailyEvidence(now=DAY))).signed is False
        assert "not signed" in (await days.run_day(DailyEvidence(now=DAY))).details


async def test_drafts_of_those_who_left_go_with_the_day(tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text("people: [{id: ada, name: Ada, email: ada@example.com, zone: UTC}]")
    with closing(Store(str(tmp_path / "kept"))) as store:
        for number, author in enumerate(("ada", "bob")):
            await store.drafts.begin(Draft(f"{number:012x}", author, "request", {}, 0, DAY))
        days = DailyRootsService(store, None, directory=FileDirectory(people, store))
        await days.run_day(DailyEvidence(now=DAY + timedelta(days=1)))
        assert await store.drafts.of("bob") == ()
        assert len(await store.drafts.of("ada")) == 1
        people.write_text("people: [{id: ada")
        await days.run_day(DailyEvidence(now=DAY + timedelta(days=2)))
        assert len(await store.drafts.of("ada")) == 1, "nobody knows who has left"
        await days.run_day(DailyEvidence(now=DAY + timedelta(days=31)))
        assert await store.drafts.of("ada") == ()
