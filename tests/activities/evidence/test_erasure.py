"""Erasing a person: nothing of theirs is left, others stay, and packs hold."""

import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from activities.evidence.erasure import STAYS, erase, erase_due
from activities.evidence.verification import newer_of, verify
from activities.records import erasures
from activities.records.database import Database
from activities.records.ended import ListFilter
from activities.records.erasures import Erasure
from activities.records.starts import Start
from activities.records.store import DATABASE_FILE, Store
from activities.records.user_texts import keep_page
from activities.retention.service import DailyRetention
from tests.activities.evidence.kept import AT, MSA, keep_evidence, keep_signed_request, packer, request, settle
from tests.activities.evidence.test_pack import parts_of
from tests.storage import connected, count
from workflows.kinds import Kind
from workflows.model.hand_off import SettledRequest
from workflows.model.notifications import LogPage, Notification
from workflows.model.records import Amendment
from workflows.model.retention import RetentionOrder
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import ReviewLine

DAY = AT + timedelta(days=1)


async def test_what_is_personal_goes_and_what_proves_stays(tmp_path: Path, database_url: str) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await keep_signed_request(store)
        await keep_evidence(store)
        asked_people = (
            b'[{"person":"customer-signer","email":"ada@example.com"},{"person":"chair","email":"bo@example.com"}]'
        )
        await store.people.add_asked(MSA.workflow_id, asked_people)
        page = await store.files.put(b"a picture", "pictures")
        await store.starts.keep_first_page(MSA.workflow_id, page, "sha")
        path_before = tmp_path / "before.zip"
        await packer(store, tmp_path).export(MSA, path_before)
        dry = await erase(store, "customer-signer", "desk", "asked for it", DAY, dry_run=True)
        assert (dry.erased, dry.waiting, count(store, "erasures")) == ((MSA.workflow_id,), (), 0)
        for _ in range(2):
            report = await erase(store, "customer-signer", "desk", "asked for it", DAY)
            assert report.erased == (MSA.workflow_id,)
        chair = await erase(store, "chair", "desk", "asked for it", DAY)
        assert chair.erased == (MSA.workflow_id,), "only asked instead, by an escalation"
        path_after = tmp_path / "after.zip"
        await packer(store, tmp_path).export(MSA, path_after)
        await packer(store, tmp_path).export(MSA, tmp_path / "again.zip")
        with connected(store) as (connection, _):
            rows = connection.execute("SELECT content FROM people_asked").fetchall()
        assert b"ada@" not in b"".join(bytes(row[0]) for row in rows)
        assert b"bo@" not in b"".join(bytes(row[0]) for row in rows)
    assert (tmp_path / "again.zip").read_bytes() == path_after.read_bytes()
    verified_before, verified_after = verify(path_before), verify(path_after)
    assert (verified_before.faults, verified_after.faults, verified_before.erasures, verified_after.erasures) == (
        [],
        [],
        0,
        2,
    )
    assert newer_of(verified_before, verified_after).startswith(f"{path_after} is newer")
    parts, content = parts_of(path_after), b"".join(parts_of(path_after).values())
    for personal in (b"Ada", b"ada@example.com", b'{"input":1}'):
        assert personal not in content
    assert parts["record.json"] == parts_of(path_before)["record.json"]
    assert parts["history/1.jsonl"] and "payloads/1.jsonl" not in parts and "request.json" not in parts
    erasure, other_erasure = json.loads(parts["erasures.json"])
    if erasure["person"] == "chair":
        erasure = other_erasure
    assert (erasure["person"], erasure["reason"], erasure["by"]) == ("customer-signer", "asked for it", "desk")
    assert "packs" in STAYS


async def test_words_of_a_person_go_with_them_and_those_of_others_stay(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        await erase(store, "chief-executive", "desk", "r", DAY)
        texts = {text.text for text in await store.texts.all(MSA.workflow_id)}
        assert texts == {"Which annex?", "Annex B"}, "the chair asked"
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    assert verify(tmp_path / "msa.zip").ok


async def test_a_reviewer_is_found_as_asked_and_erased_with_their_words(tmp_path: Path, database_url: str) -> None:
    """Also of a review that is over; the versions that they read stay by their hashes."""
    show = request().replace(
        versions=tuple(
            DocumentVersion(sha256=f"{number}" * 64, number=number, at=AT, by="legal-desk") for number in (1, 2)
        ),
        reviews=tuple(
            ReviewLine(person="rex", order=1, role=Role.REVIEW, state=state, reason=reason, at=AT, round=round)
            for round, (state, reason) in enumerate(
                ((SignerState.CHANGES, "Clause 3, says Rex"), (SignerState.APPROVED, None)), start=1
            )
        ),
        timeline=(
            TimelineEntry(at=AT, happened=EventType.CHANGES_ASKED, who="rex", why="Clause 3, says Rex", said=True),
        ),
    )
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        settled = SettledRequest(request=MSA.id, external_id=MSA.id, kind=show.kind, outcome=Status.SIGNED, at=AT)
        await settle(store, show, settled)
        await keep_evidence(store)
        ended_filter = ListFilter((Kind.REQUEST.spec.prefix,), person="rex")
        assert [row.workflow_id for row in await store.ended_follow_ups.page(ended_filter, 10)] == [MSA.workflow_id]
        await packer(store, tmp_path).export(MSA, tmp_path / "before.zip")
        assert b"says Rex" in b"".join(parts_of(tmp_path / "before.zip").values())
        assert (await erase(store, "rex", "desk", "r", DAY)).erased == (MSA.workflow_id,)
        assert {text.text for text in await store.texts.all(MSA.workflow_id)} == {"Which annex?", "Annex B"}
        await packer(store, tmp_path).export(MSA, tmp_path / "after.zip")
    for pack in ("before.zip", "after.zip"):
        assert verify(tmp_path / pack).ok
    parts = parts_of(tmp_path / "after.zip")
    assert b"says Rex" not in b"".join(parts.values())
    assert b"2" * 64 in parts["record.json"]


async def test_what_still_runs_is_erased_by_the_day_after_its_end(tmp_path: Path, database_url: str) -> None:
    start = Start("customer-contract", "MSA", ("customer-signer", "chief-executive"), "legal-desk", None, AT)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await store.starts.begin(MSA.workflow_id, start)
        other_start = Start("customer-contract", "MSA", ("customer-signer-2",), "legal-desk", None, AT)
        await store.starts.begin(Kind.REQUEST.workflow_id("other"), other_start)
        report = await erase(store, "customer-signer", "desk", "asked for it", DAY)
        assert (report.erased, report.waiting) == ((), (MSA.workflow_id,))
        assert await erase_due(store, DAY) == 0
        await keep_signed_request(store)
        assert (await DailyRetention(store).apply(RetentionOrder(now=DAY))).erased == 1
        assert await erase_due(store, DAY) == 0
        assert [erasure.person for erasure in await store.erasures.list_done(MSA.workflow_id)] == ["customer-signer"]
        assert b"Ada" not in b"".join(await store.people.list_asked(MSA.workflow_id))


async def test_whoever_is_named_anywhere_is_found_however_many_there_are(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the record's escalations, on a page of its log, in an amendment behind it; with smaller bounds."""
    monkeypatch.setattr(erasures, "CONCERNED_AT_ONCE", 2)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        ids = [(await keep_signed_request(store, f"msa-{number}")).workflow_id for number in range(5)]
        notification = Notification(key="k", stage="settled", person="auditor", at=AT)
        for number in (2, 3):  # told twice
            content = Amendment(number=number, notifications=(notification,)).model_dump_json(by_alias=True).encode()
            await store.records.amend(ids[4], number, content)
        page = LogPage(number=2, lines=(notification.replace(person="assistant"),))
        await keep_page(store, ids[3], page)
        for id in range(5):
            start = Start("customer-contract", "MSA", ("chief-executive",), "legal-desk", None, AT)
            await store.starts.begin(Kind.REQUEST.workflow_id(f"open-{id}"), start)
        for person, workflow_ids, running in (
            ("chair", ids, 0),
            ("chief-executive", ids, 5),
            ("legal-desk", ids, 5),
            ("auditor", [ids[4]], 0),
            ("assistant", [ids[3]], 0),
            ("nobody", [], 0),
        ):
            report = await erase(store, person, "desk", "r", DAY)
            assert (list(report.erased), len(report.waiting)) == (workflow_ids, running), person


async def test_of_people_described_in_full_only_the_one_is_erased(tmp_path: Path, database_url: str) -> None:
    full = {id: {"name": id, "email": f"{id}@example.com"} for id in ("p-0123456789ab", "p-ba9876543210")}
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await keep_signed_request(store)
        await store.people.keep(MSA.workflow_id, "f" * 64, json.dumps({"signers": full}).encode())
        for person in ("p-ffffffffffff", "p-0123456789ab"):
            erasure = Erasure(MSA.workflow_id, person, "desk", "r", DAY, DAY)
            await store.erasures.carry_out(erasure, ())
        remaining = json.loads(await store.people.read(MSA.workflow_id) or b"")
    assert list(remaining["signers"]) == ["p-ba9876543210"]


async def test_an_erasure_removes_what_a_refused_start_left(tmp_path: Path, database_url: str) -> None:
    mallory = b'{"signers":{"p-0123456789ab":{"name":"Mallory"}}}'
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await keep_signed_request(store)
        await store.people.keep(MSA.workflow_id, "f" * 64, None)
        await store.people.choose(MSA.workflow_id, "f" * 64)
        await store.keep_input(MSA.workflow_id, "e" * 64, mallory, {"message": "Dear Mallory"}, b"{}")
        await erase(store, "chair", "desk", "r", DAY)
        assert await store.people.refused(MSA.workflow_id) == ()
        assert await store.evidence.parts(MSA.workflow_id) == ()
        assert "Dear Mallory" not in {text.text for text in await store.texts.all(MSA.workflow_id)}


@pytest.mark.long
async def test_nothing_of_an_erased_person_is_in_any_file_while_other_processes_run(tmp_path: Path) -> None:
    """Neither in the database, nor in its log, nor deflated in a part of evidence."""
    person = "p-0123456789ab"
    name, address = b"Ada Canary-Lovelace", b"ada-canary@example.com"
    full = b'{"signers":{"%s":{"name":"%s","email":"%s"}}}' % (person.encode(), name, address)
    with closing(Store(str(tmp_path / "store"))) as store, closing(Store(str(tmp_path / "store"))) as reader:
        workflow_name = await keep_signed_request(store)
        asked_people = b'{"%s":{"name":"%s","email":"%s"}}' % (person.encode(), name, address)
        await store.people.add_asked(workflow_name.workflow_id, asked_people)
        await store.keep_input(workflow_name.workflow_id, "f" * 64, full, {}, full)
        await store.people.choose(workflow_name.workflow_id, "f" * 64)
        await reader.people.list_asked(workflow_name.workflow_id)
        assert _files_with(tmp_path, name) and _files_with(tmp_path, zlib.compress(full, 9))
        with _another_process(store.database) as process:
            erasure = Erasure(workflow_name.workflow_id, person, "desk", "r", DAY, DAY)
            await store.erasures.wait(erasure._replace(done_at=None))
            assert await erase_due(store, DAY) == 1
            assert process.poll() is None
            assert (tmp_path / "store" / f"{DATABASE_FILE}-wal").stat().st_size == 0
            for bytes_of_person in (name, address, zlib.compress(full, 9)):
                assert _files_with(tmp_path, bytes_of_person) == []


def _files_with(folder: Path, content: bytes) -> list[str]:
    """By a process of its own: one that closes a file of SQLite loses all its locks on it."""
    program = (
        "import pathlib, sys\n"
        "for file in pathlib.Path(sys.argv[1]).rglob('*'):\n"
        "    if file.is_file() and bytes.fromhex(sys.argv[2]) in file.read_bytes():\n"
        "        print(file)\n"
    )
    command = [sys.executable, "-c", program, str(folder), content.hex()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603


@contextmanager
def _another_process(database: Database) -> Iterator[subprocess.Popen[str]]:
    """A process with a connection, in use again and again."""
    program = (
        "import sqlite3, sys, time\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=5)\n"
        "print('begun', flush=True)\n"
        "while connection.execute('SELECT count(*) FROM people_asked').fetchall():\n"
        "    time.sleep(0.001)\n"
    )
    command = [sys.executable, "-c", program, database.address.removeprefix("sqlite:///")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout and process.stdout.readline() == "begun\n"
        try:
            yield process
        finally:
            process.kill()
