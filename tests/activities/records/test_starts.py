"""A start is found by words that begin its title, its people's ids and its own id."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from activities.records import starts as module
from activities.records.starts import OF_A_DOCUMENT_AT_MOST, Start, words_of
from activities.records.store import Store
from tests.postgresql import PostgreSQL
from workflows.kinds import Kind

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
MSA = Kind.REQUEST.workflow_id("msa-0042")
KEYS = Kind.TASK.workflow_id("acme.keys")
LARGE = Kind.REQUEST.workflow_id("large")
TYPES = ("signature-request", "task")


@pytest_asyncio.fixture
async def store(tmp_path: Path, database_url: str) -> AsyncIterator[Store]:
    filled_store = Store(str(tmp_path), database_url)
    await filled_store.starts.begin(
        MSA, Start("msa", "Rahmenvertrag Müller & Söhne", ("chief-executive",), "legal", None, NOW)
    )
    await filled_store.starts.begin(KEYS, Start("set-up", "Keys for Mulholland", ("fay", "chair"), "owner", None, NOW))
    yield filled_store
    filled_store.close()


@pytest.mark.parametrize(
    ("text", "expected_ids"),
    [
        ("rahmen", {MSA}),
        ("MÜLLER söhne", {MSA}),
        ("mul", {MSA, KEYS}),
        ("mul acme", {KEYS}),
        ("chief-exec", {MSA}),
        ("msa-0042", {MSA}),
        ("0042 legal", {MSA}),
        ("fay", {KEYS}),
        ("vertrag", set()),
        ("%", set()),
        ("mul nobody", set()),
        ("", set()),
    ],
)
async def test_every_word_must_begin_one_of_its_words(store: Store, text: str, expected_ids: set[str]) -> None:
    assert set((await store.starts.search(text, TYPES)).ids) == expected_ids


async def test_what_does_not_change_narrows_a_search(store: Store) -> None:
    assert (await store.starts.search("mul", ["task"])).ids == (KEYS,)
    assert (await store.starts.search("mul", TYPES, kind="msa")).ids == (MSA,)
    assert (await store.starts.search("mul", TYPES, requester="owner")).ids == (KEYS,)


async def test_the_first_start_counts_and_a_claim_before_it_stays(store: Store) -> None:
    other_start = Start("nda", "Another title", (), "owner", None, NOW)
    await store.starts.begin(MSA, other_start)
    assert (await store.starts.search("another", TYPES)).ids == ()
    claimed = Kind.REQUEST.workflow_id("adopted")
    await store.starts.claim(claimed, "f")
    await store.starts.begin(claimed, other_start)
    assert (await store.starts.search("another", TYPES)).ids == (claimed,)
    assert await store.starts.claimed_for(claimed) == "f"


async def test_of_many_starts_at_once_none_is_written_anew(
    postgresql: PostgreSQL, upgraded: str, tmp_path: Path
) -> None:
    """A transaction that is repeated would hold up an urgent request beside a campaign. Of equal starts the first
    counts.
    """
    name = postgresql.create(template=upgraded)
    crowded_store = Store(str(tmp_path), postgresql.url(name))

    async def begin_and_claim(number: int, title: str) -> None:
        workflow_id = Kind.REQUEST.workflow_id(f"conduct.person-{number:03}")
        await crowded_store.starts.begin(workflow_id, Start("nda", title, (f"person-{number}",), "owner", None, NOW))
        await crowded_store.starts.claim(workflow_id, title)

    await asyncio.gather(*(begin_and_claim(number, title) for number in range(200) for title in ("left", "right")))
    started = [(await crowded_store.starts.search(title, TYPES)).ids for title in ("left", "right")]
    assert sum(map(len, started)) == len({*started[0], *started[1]}) == 200
    crowded_store.close()
    rollbacks = dict(postgresql.run("SELECT datname, xact_rollback FROM pg_stat_database"))[name]
    assert rollbacks <= 1, "SQLAlchemy ends its first look at a server by one"
    postgresql.drop(name)


async def test_everybody_of_a_large_request_with_a_long_title_is_found(store: Store) -> None:
    """By the list of what asks them, and by an erasure, which would else forget them: 100 signers, 100 reviewers."""
    people = tuple(f"anna-maria-{number}" for number in range(200))
    title = " ".join(f"word{number}" for number in range(module.WORDS_AT_MOST))
    await store.starts.begin(LARGE, Start("msa", title, people, "zoe-requester", None, NOW))
    assert LARGE in await store.starts.running(people[-1], TYPES)
    for person in people[0], people[-1], "zoe-requester":
        assert [page async for page in store.erasures.running(person)] == [[LARGE]], person


async def test_of_too_many_the_newest_are_found_and_it_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOUND_AT_MOST", 3)
    for number in range(5):
        start = Start("nda", "Mulch", (), "owner", None, NOW + timedelta(hours=number + 1))
        await store.starts.begin(Kind.REQUEST.workflow_id(f"r{number}"), start)
    search_result = await store.starts.search("mul", TYPES)
    assert search_result.ids == tuple(Kind.REQUEST.workflow_id(f"r{number}") for number in (4, 3, 2))
    assert search_result.has_more
    assert not (await store.starts.search("mulho", TYPES)).has_more


def test_words_have_neither_case_nor_accents_and_stand_once() -> None:
    assert words_of("Übergabe_2, ÜBERGABE", "a.b-ç") == ("ubergabe", "2", "a", "b", "c")


async def test_what_runs_and_asks_somebody_is_found_by_their_whole_id(store: Store) -> None:
    other_id = Kind.REQUEST.workflow_id("of-another")
    await store.starts.begin(
        other_id, Start("msa", "For the chief-executive", ("executive-chief",), "legal", None, NOW)
    )
    assert await store.starts.running("chief-executive", TYPES) == (MSA,)
    assert await store.starts.running("chief", TYPES) == ()
    await store.starts.came_in(KEYS, ["chief"])
    assert await store.starts.running("chief", TYPES) == (KEYS,), "who came in later"
    assert await store.starts.running("chair", ["signature-request"]) == ()
    await store.records.write(MSA, b'{"show": {"kind": "msa", "status": "signed"}}')
    assert await store.starts.running("chief-executive", TYPES) == ()


async def test_of_ten_times_as_many_that_run_the_newest_are_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RUNNING_AT_MOST", 2)
    ids = [Kind.TASK.workflow_id(f"t{number}") for number in range(20)]
    for number, id in enumerate(ids):
        start = Start("t", "T", ("gil",), "owner", None, NOW + timedelta(minutes=number))
        await store.starts.begin(id, start)
    assert await store.starts.running("gil", TYPES) == (ids[19], ids[18])


async def test_of_ten_times_as_many_with_one_document_the_newest_are_known(store: Store) -> None:
    ids = [Kind.REQUEST.workflow_id(f"offer-{number}") for number in range(10 * OF_A_DOCUMENT_AT_MOST)]
    for hours, id in enumerate(ids):
        started_at = NOW + timedelta(hours=hours)
        await store.starts.begin(id, Start("offer", "Offer", (), "legal", None, started_at, document_sha256="0" * 64))
    assert await store.starts.with_document("0" * 64) == tuple(reversed(ids[-OF_A_DOCUMENT_AT_MOST:]))
    assert await store.starts.with_document("1" * 64) == ()
