"""What the database keeps, noun by noun."""

import asyncio
import hashlib
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.errors import RecordConflict, RecordDamaged, StoreFailure, TextDamaged
from activities.records.database import chunks
from activities.records.devices import InvalidMark, StoredDevice, device_hash
from activities.records.ended import ListFilter
from activities.records.incidents import About, Incident
from activities.records.outbound_mail import OutboundMail
from activities.records.settled import AMENDMENTS_AT_ONCE, RECORDS_AT_ONCE
from activities.records.store import Store
from activities.records.texts import Reference
from tests.storage import altered, count
from workflows.kinds import Kind
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.notifications import Channel

MSA = Kind.REQUEST.workflow_id("msa-0042")
R = Kind.REQUEST.workflow_id("r")
TASK = Kind.TASK.workflow_id("r")
DEAD = HandoffLine(
    target="finance", state=HandoffState.DEAD, attempts=10, at=datetime(2026, 11, 30, 9, tzinfo=UTC), why="HTTP 410"
)
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    opened_store = Store(str(tmp_path / "store"), database_url)
    yield opened_store
    opened_store.close()


async def test_a_record_is_written_once(store: Store) -> None:
    assert await store.records.read(MSA) is None
    assert await store.records.write(MSA, b'{"version":1}')
    assert not await store.records.write(MSA, b'{"version":1}')
    with pytest.raises(RecordConflict, match="msa-0042"):
        await store.records.write(MSA, b'{"version":2}')
    assert await store.records.read(MSA) == b'{"version":1}'


async def test_a_record_of_another_shape_is_written_all_the_same(store: Store) -> None:
    """What is looked up of it may be missing; the record itself must not be."""
    part = Kind.REQUEST.workflow_id("conduct.ada")
    content = b'{"show":{"status":"signed","signers":[{"person":"ada"}]}}'
    assert await store.records.write(part, content)
    assert await store.records.read(part) == content


async def test_an_altered_record_is_an_error(store: Store) -> None:
    await store.records.write(MSA, b'{"version":1}')
    altered(store, "UPDATE records SET content = ?", b'{"version":2}')
    with pytest.raises(RecordDamaged, match="signature-request:msa-0042 in the database does not match its hash"):
        await store.records.read(MSA)


async def test_of_many_writers_at_once_one_wins_whole(store: Store) -> None:
    contents = [b'{"version":%d}' % number for number in range(8)]
    results = await asyncio.gather(*(store.records.write(R, content) for content in contents), return_exceptions=True)
    assert results.count(True) == 1
    assert sum(isinstance(result, RecordConflict) for result in results) == 7
    assert await store.records.read(R) in contents


async def test_records_are_read_in_the_order_in_which_they_are_asked_for(store: Store) -> None:
    workflow_ids = [Kind.REQUEST.workflow_id(f"r{number}") for number in range(2 * RECORDS_AT_ONCE + 1)]
    for workflow_id in workflow_ids[::50]:
        await store.records.write(workflow_id, b'{"id":"%s"}' % workflow_id.encode())
    records = await store.records.read_many(workflow_ids)
    assert [record is not None for record in records] == [position % 50 == 0 for position in range(len(workflow_ids))]
    assert records[50] == b'{"id":"%s"}' % workflow_ids[50].encode()


async def test_amendments_come_in_their_order_also_when_one_is_missing(store: Store) -> None:
    assert await _amendments(store, R) == []
    for number in (10, 9, 2):
        await store.records.amend(R, number, b"%d" % number)
    await store.records.amend(Kind.REQUEST.workflow_id("r.1"), 1, b'"of another request"')
    assert await _amendments(store, R) == [(b"2", b"9", b"10")]


async def test_of_ten_times_as_many_amendments_no_more_are_in_memory_at_once(store: Store) -> None:
    numbers = range(1, 10 * AMENDMENTS_AT_ONCE + 1)
    for chunk in chunks(numbers, AMENDMENTS_AT_ONCE):
        await asyncio.gather(*(store.records.amend(R, number, b"%d" % number) for number in chunk))
    chunks_read = await _amendments(store, R)
    assert [len(chunk) for chunk in chunks_read] == 10 * [AMENDMENTS_AT_ONCE]
    assert [int(content) for chunk in chunks_read for content in chunk] == list(numbers)


async def _amendments(store: Store, workflow_id: str) -> list[tuple[bytes, ...]]:
    return [chunk async for chunk in store.records.amendments(workflow_id)]


async def test_two_kinds_of_one_id_never_meet(store: Store) -> None:
    await store.records.write(R, b"{}")
    await store.records.write(TASK, b"[]")
    await store.records.amend(TASK, 1, b"[]")
    assert (await store.records.read(R), await _amendments(store, R)) == (b"{}", [])


async def test_of_the_signers_of_several_starts_those_of_the_one_that_lives_are_the_request_s(store: Store) -> None:
    people = store.people
    await people.keep(R, "a" * 64, b"{1}")
    assert await people.read(R) == b"{1}"
    await people.keep(R, "b" * 64, b"{2}")
    assert await people.read(R) is None
    await people.choose(R, "c" * 64)
    assert await people.read(R) is None
    await people.choose(R, "b" * 64)
    assert await people.read(R) == b"{2}"
    await people.choose(R, "a" * 64)  # Temporal has forgotten the one before, and this one lives.
    assert await people.read(R) == b"{1}"
    await people.keep(R, "b" * 64, b"{3}")
    await people.choose(R, "b" * 64)
    assert await people.read(R) == b"{2}"


async def test_of_what_was_sent_to_the_provider_equal_content_is_kept_once(store: Store) -> None:
    for content in (b"a", b"b", b"a"):
        await store.people.add_asked(R, content)
    assert sorted(await store.people.list_asked(R)) == [b"a", b"b"]


async def test_machines_with_different_people_files_keep_an_index_each(store: Store) -> None:
    people = store.people
    for machine, name in (("one", "a"), ("two", "b"), ("one", "c")):
        await people.keep_index(machine, name, name.encode())
    assert [await people.index(name) for name in "abc"] == [None, b"b", b"c"]
    altered(store, "UPDATE people_index SET at = '2026-01-01T00:00:00.000000+00:00' WHERE place = 'two'")
    await people.keep_index("one", "d", b"d")
    assert [await people.index(name) for name in "bcd"] == [None, None, b"d"]


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
    references = [await store.texts.keep(R, "paused", text) for text in texts]
    assert references[0] == references[2]
    assert [await store.texts.read(R, reference) for reference in references] == list(texts)


async def test_an_erased_text_is_gone_and_a_changed_one_is_an_error(store: Store) -> None:
    no = await store.texts.keep(R, "answer-1", "no")
    altered(store, "UPDATE texts SET text = 'yes'")
    with pytest.raises(TextDamaged, match="answer-1 in the store does not match"):
        await store.texts.read(R, no)
    altered(store, "DELETE FROM texts")
    assert await store.texts.read(R, no) is None


async def test_a_claim_a_cover_and_a_picture_stand_side_by_side(store: Store) -> None:
    starts = store.starts
    assert (await starts.cover(R), await starts.claimed_for(R), await starts.first_page(R, "pdf")) == (None, None, None)
    await asyncio.gather(starts.claim(R, "f"), starts.keep_cover(R, b"{}"), starts.keep_first_page(R, "sha", "pdf"))
    await starts.claim(R, "another")
    assert (await starts.cover(R), await starts.claimed_for(R), await starts.first_page(R, "pdf")) == (
        b"{}",
        "f",
        "sha",
    )
    await starts.claim(MSA)
    assert await starts.claimed_for(MSA) == ""


@pytest.mark.parametrize("id", [".hidden", "._x", ".a.b", "a.json", "msa-0042"])
async def test_whatever_its_id_begins_with_it_is_in_every_list(store: Store, id: str) -> None:
    of_it = Kind.REQUEST.workflow_id(id)
    await store.records.write(of_it, b'{"show":{"status":"signed"}}')
    await store.records.amend(of_it, 1, b"{}", [DEAD])
    await store.devices.register(id, StoredDevice("t", "token", "ios"), NOW)
    assert await _dead(store, Kind.REQUEST) == [of_it]
    assert await _dead(store, Kind.TASK) == []
    assert await store.devices.people() == {id}
    assert [dead_target.workflow_id async for dead_target in store.hand_offs.dead()] == [of_it]
    assert [device.address for device in (await store.devices.read_person(id)).registered] == ["t"]
    for state in (HandoffState.PENDING, HandoffState.DONE):
        await store.records.amend(of_it, 2, b"{}", [DEAD.replace(state=state, replay=1)])
        dead = state is HandoffState.PENDING
        assert await _dead(store, Kind.REQUEST) == [of_it] * dead


async def _dead(store: Store, kind: Kind) -> list[str]:
    return [
        row.workflow_id
        for row in await store.ended_follow_ups.page(ListFilter((kind.spec.prefix,), attention=True), 10)
    ]


async def test_names_and_addresses_are_for_the_user_of_the_process_only(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "above" / "store"))
    await store.people.keep(R, "a" * 64, b"{1}")
    for path in (tmp_path / "above", *(tmp_path / "above").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_why_a_device_is_invalid_is_kept_with_its_owner_and_replaced_by_a_later_reason(store: Store) -> None:
    for day, reason in enumerate(("first", "later")):
        mark = InvalidMark(reason, NOW + timedelta(days=day))
        await store.devices.mark("chair", "a", mark, unknown=True)
    await store.devices.mark("deputy", "a", mark)
    assert dict((await store.devices.read_person("chair", ["a"])).marks) == {device_hash("a"): mark}
    assert dict((await store.devices.read_person("deputy", ["a"])).marks) == {}
    assert (await store.devices.people(), count(store, "devices")) == (frozenset(), 1)


async def test_an_address_belongs_to_whoever_registered_it_last_and_the_oldest_make_room(store: Store) -> None:
    phones = [StoredDevice(name, "token", "ios") for name in ("a", "b", "c")]
    for number, phone in enumerate(phones):
        assert (await store.devices.register("chair", phone, NOW + timedelta(days=number))).new
    assert (await store.devices.register("deputy", phones[0], NOW)).has_moved
    surplus = await store.devices.list_older("chair", 1)
    assert [device.address for device in surplus] == ["b", "a"]
    await store.devices.register("chair", phones[1], NOW + timedelta(days=9))
    await store.devices.forget("chair", surplus, ["a", "b"])
    remaining = await store.devices.read_person("chair", ["a"])
    assert [device.address for device in remaining.registered] == ["b", "c"], "b was seen meanwhile"
    assert remaining.owners == {device_hash("a"): "deputy", device_hash("b"): "chair", device_hash("c"): "chair"}


def test_a_device_is_known_by_twelve_hex_digits() -> None:
    assert device_hash("chief-executive~1") == "ee801b8d0659"


async def test_of_changes_to_an_incident_at_once_none_is_lost(store: Store) -> None:
    subject = About("target", "finance", "a")
    await asyncio.gather(
        *(
            store.incidents.change(subject, lambda incident: incident.becomes(incident.grade + 1, NOW))
            for _ in range(20)
        )
    )
    assert await store.incidents.open("target") == ((subject, Incident(grade=20, since=NOW)),)
    await store.incidents.regrade("target", "finance", 20, 1, NOW)
    assert await store.incidents.read(subject) == Incident(grade=1, told=1, since=NOW)
    await store.incidents.change(subject, lambda incident: incident.becomes(0, NOW))
    assert await store.incidents.drop_over(datetime.now(UTC) + timedelta(days=2)) == 1


async def test_of_workers_that_begin_a_mail_at_once_one_finds_it_due(store: Store) -> None:
    begun_mails = await asyncio.gather(*(store.outbound_mail.begin(["r"], Channel.MAIL, NOW) for _ in range(20)))
    assert sum(mails["r"].is_due(NOW) for mails in begun_mails) == 1
    sent_mail = OutboundMail(tries=1, at=NOW, channel=Channel.MAIL, taken=True, job="j")
    await store.outbound_mail.note({"r": sent_mail})
    assert await store.outbound_mail.begin(["r"], Channel.MAIL, NOW) == {"r": sent_mail}
    assert await store.outbound_mail.drop_old(NOW + timedelta(days=401)) == 1


async def test_dead_hand_offs_are_counted_by_the_policy_s_name(store: Store) -> None:
    for number, workflow_id in enumerate((R, MSA, TASK)):
        await store.records.write(workflow_id, b"{}")
        lines = [DEAD.replace(target=name, at=NOW - timedelta(days=number)) for name in ("hr", "hr/escalated-2")]
        await store.records.amend(workflow_id, 1, b"{}", lines[: number + 1])
    await store.records.amend(Kind.REQUEST.workflow_id("open"), 1, b"{}", [DEAD])
    [counted] = await store.hand_offs.dead_counts()
    assert (counted.name, counted.dead, counted.since) == ("hr", 5, NOW - timedelta(days=2))
    assert [dead_target.workflow_id async for dead_target in store.hand_offs.dead(NOW, "hr")] == [R]
    assert len([dead_target async for dead_target in store.hand_offs.dead(target="hr/escalated-2")]) == 2


async def test_used_links_are_dropped_after_two_days(store: Store) -> None:
    today = NOW.date()
    assert await store.one_use.use(today, "link")
    assert not await store.one_use.use(today, "link")
    assert await store.one_use.use(today.replace(day=1), "link")
    assert await store.one_use.drop_used(NOW) == 1
    assert await store.one_use.was_used(today, "link")


def test_files_elsewhere_need_a_database_that_is_named() -> None:
    with pytest.raises(StoreFailure, match="COUNTERSIGN_DATABASE"):
        Store("memory://shared")
