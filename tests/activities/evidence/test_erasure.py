"""Erasing a person: nothing of theirs is left, others stay, and packs hold."""

import json
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

from activities.evidence.erasure import STAYS, erase, erase_due
from activities.evidence.roots import EvidenceDaysService
from activities.evidence.signing import EvidenceKey
from activities.evidence.verification import newer_of, verify
from activities.records.starts import Start
from activities.records.store import Store
from tests.activities.evidence.kept import AT, MSA, kept_at_the_end, key_in, packer, signed
from tests.activities.evidence.test_pack import parts_of
from tests.storage import connected, count
from workflows.kinds import Kind
from workflows.model.daily_evidence import DailyEvidence

DAY = AT + timedelta(days=1)


async def test_what_is_personal_goes_and_what_proves_stays(tmp_path: Path, database_url: str) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await signed(store)
        await kept_at_the_end(store)
        both = b'[{"person":"customer-signer","email":"ada@example.com"},{"person":"chair","email":"bo@example.com"}]'
        await store.people.add_asked(MSA.workflow_id, both)
        page = await store.files.put(b"a picture", "pictures")
        await store.starts.keep_first_page(MSA.workflow_id, page)
        before = tmp_path / "before.zip"
        await packer(store, tmp_path).export(MSA, before)
        dry = await erase(store, "customer-signer", "desk", "asked for it", DAY, dry_run=True)
        assert (dry.erased, dry.waiting, count(store, "erasures")) == ((MSA.workflow_id,), (), 0)
        for _ in range(2):
            done = await erase(store, "customer-signer", "desk", "asked for it", DAY)
            assert done.erased == (MSA.workflow_id,)
        chair = await erase(store, "chair", "desk", "asked for it", DAY)
        assert chair.erased == (), "only asked instead: not among those whom the record lists"
        after = tmp_path / "after.zip"
        await packer(store, tmp_path).export(MSA, after)
        await packer(store, tmp_path).export(MSA, tmp_path / "again.zip")
        with connected(store) as (connection, _):
            rows = connection.execute("SELECT content FROM people_asked").fetchall()
        assert b"ada@" not in b"".join(bytes(row[0]) for row in rows)
        assert b"bo@example.com" in b"".join(bytes(row[0]) for row in rows)
    assert (tmp_path / "again.zip").read_bytes() == after.read_bytes()
    old, new = verify(before), verify(after)
    assert (old.faults, new.faults, old.erasures, new.erasures) == ([], [], 0, 1)
    assert newer_of(old, new).startswith(f"{after} is newer")
    parts, whole = parts_of(after), b"".join(parts_of(after).values())
    for personal in (b"Ada", b"ada@example.com", b'{"input":1}'):
        assert personal not in whole
    assert parts["record.json"] == parts_of(before)["record.json"]
    assert parts["history/1.jsonl"] and "payloads/1.jsonl" not in parts and "request.json" not in parts
    [said] = json.loads(parts["erasures.json"])
    assert (said["person"], said["reason"], said["by"]) == ("customer-signer", "asked for it", "desk")
    assert "packs" in STAYS


async def test_words_of_a_person_go_with_them_and_those_of_others_stay(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await signed(store)
        await erase(store, "chief-executive", "desk", "r", DAY)
        texts = {one.text for one in await store.texts.all(MSA.workflow_id)}
        assert texts == {"Which annex?", "Annex B"}, "the chair asked"
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    assert verify(tmp_path / "msa.zip").ok


async def test_what_still_runs_is_erased_by_the_day_after_its_end(tmp_path: Path, database_url: str) -> None:
    start = Start("customer-contract", "MSA", ("customer-signer", "chief-executive"), "legal-desk", None, AT)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await store.starts.begin(MSA.workflow_id, start)
        other = Start("customer-contract", "MSA", ("customer-signer-2",), "legal-desk", None, AT)
        await store.starts.begin(Kind.REQUEST.workflow_id("other"), other)
        done = await erase(store, "customer-signer", "desk", "asked for it", DAY)
        assert (done.erased, done.waiting) == ((), (MSA.workflow_id,))
        assert await erase_due(store, DAY) == 0
        await signed(store)
        key_in(tmp_path)
        days = EvidenceDaysService(store, partial(EvidenceKey.read, tmp_path / "evidence.pem"))
        result = await days.keep_day(DailyEvidence(now=DAY))
        assert (result.erased, result.records) == (1, 1)
        assert await erase_due(store, DAY) == 0
        assert [one.person for one in await store.erasures.of(MSA.workflow_id)] == ["customer-signer"]
        assert b"Ada" not in b"".join(await store.people.asked(MSA.workflow_id))
