"""What is kept beside a record: files of the provider are added, evidence of our own is written once."""

from datetime import UTC, datetime
from pathlib import Path

from activities.records.evidence import PARTS_AT_MOST, READ_AT_ONCE, SignedDocument, SignedFile
from activities.records.store import Store
from workflows.kinds import Kind

AT = datetime(2027, 1, 4, 9, tzinfo=UTC)
LATER = datetime(2027, 1, 4, 10, tzinfo=UTC)
MSA = Kind.REQUEST.workflow_id("msa-0042")
PDF, LOG = SignedFile("a" * 64, 20_000), SignedFile("b" * 64, 900)
IDS = {"document": "d-1", "request": "r-1", "signers": [{"person": "chair", "uuid": "s-1"}]}


async def test_what_the_provider_gives_is_added_until_nothing_is_missing(tmp_path: Path) -> None:
    evidence = Store(str(tmp_path)).evidence
    assert await evidence.signed(MSA) is None
    await evidence.keep_signed(MSA, SignedDocument(document=PDF, why="the log is not ready"), AT)
    await evidence.keep_signed(MSA, SignedDocument(why="no answer"), LATER)
    waits = await evidence.signed(MSA)
    assert waits == SignedDocument(document=PDF, at=LATER, why="no answer")
    await evidence.keep_signed(MSA, SignedDocument(PDF, LOG, IDS), LATER)
    await evidence.keep_signed(MSA, SignedDocument(why="asked once more, after a reset"), LATER)
    assert await evidence.signed(MSA) == SignedDocument(PDF, LOG, IDS, LATER)


async def test_files_of_ten_times_as_many_as_one_statement_reads_are_found(tmp_path: Path) -> None:
    evidence = Store(str(tmp_path)).evidence
    await evidence.keep_signed(MSA, SignedDocument(PDF, LOG), AT)
    other_ids = [f"signature-request:{number}" for number in range(10 * READ_AT_ONCE)]
    assert set(await evidence.signed_of([*other_ids, MSA])) == {MSA}


async def test_evidence_is_written_once(tmp_path: Path) -> None:
    evidence = Store(str(tmp_path)).evidence
    await evidence.keep_part(MSA, "file", b"{}")
    await evidence.keep_part(MSA, "file", b"another")
    assert await evidence.keep(MSA, b"content", {"history-1": b"[]", "people": b"[1]"}, AT)
    assert not await evidence.keep(MSA, b"other", {"history-1": b"[0]", "more": b""}, AT)
    assert await evidence.read(MSA) == b"content"
    assert await evidence.parts(MSA) == ("file", "history-1", "people")
    assert await evidence.part(MSA, "file") == b"{}"
    assert (await evidence.part(MSA, "never"), await evidence.part(MSA, "history-1")) == (None, b"[]")
    assert await evidence.read("signature-request:other") is None


async def test_of_ten_times_as_many_parts_as_are_listed_the_first_are(tmp_path: Path) -> None:
    evidence = Store(str(tmp_path)).evidence
    await evidence.keep(MSA, b"", {f"part-{number}": b"" for number in range(10 * PARTS_AT_MOST)}, AT)
    assert len(await evidence.parts(MSA)) == PARTS_AT_MOST
