"""What counts against a budget is counted in one transaction, of either engine."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.errors import DatabaseAway
from activities.records import budgets
from activities.records.budgets import BudgetWait, JoinedNotice, Limit, SendPermit, SlotRequest
from activities.records.store import Store
from tests.storage import count

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATE = HOUR + budgets.AFTER_THE_FIRST


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "store"), database_url)) as opened_store:
        yield opened_store


async def ask(store: Store, number: int, later: timedelta = timedelta()) -> SendPermit | JoinedNotice | BudgetWait:
    """One of many notices, each of a task of its own, five of which an hour somebody may get. It is asked again, as by
    Temporal, where another process has the file for longer than a statement waits.
    """
    while True:
        with suppress(DatabaseAway):
            return await store.budgets.ask(request(number, later), Limit(5, NOW + later + HOUR))


def request(number: int, later: timedelta = timedelta()) -> SlotRequest:
    return SlotRequest("ada", f"task:t{number}", f"t{number}/ready/ada", NOW + later)


async def test_of_many_at_once_from_two_processes_as_many_have_a_slot_as_there_are(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    with closing(Store(str(tmp_path / "store"), database_url)) as other_store:
        stores = (store, other_store)
        answers = await asyncio.gather(*(ask(stores[n % 2], n) for n in range(40)))
        assert answers.count(SendPermit()) == 5
        waits = [answer.until for answer in answers if isinstance(answer, BudgetWait)]
        assert sorted(set(waits)) == [NOW + HOUR, NOW + LATE]
        assert waits.count(NOW + HOUR) == 1
        waiting = [n for n, answer in enumerate(answers) if isinstance(answer, BudgetWait)]
        later = await asyncio.gather(*(ask(stores[n % 2], n, LATE) for n in waiting))
        [speaks] = [n for n, answer in zip(waiting, later, strict=True) if answer == SendPermit(34)]
        await other_store.budgets.accepted(request(speaks))
        joined_answers = await asyncio.gather(*(ask(stores[n % 2], n, LATE) for n in waiting if n != speaks))
        assert set(joined_answers) == {JoinedNotice(f"t{speaks}/ready/ada")}


async def test_a_look_says_when_a_slot_is_free_and_takes_none(store: Store) -> None:
    limit = Limit(5, NOW + HOUR)
    for number in range(5):
        assert await store.budgets.frees_at("ada", limit, NOW) is None
        await ask(store, number)
    assert await store.budgets.frees_at("ada", limit, NOW) == NOW + HOUR


async def test_those_for_which_nobody_speaks_ask_by_fives(store: Store) -> None:
    """Core Signature's mails: ten times as many cost one more call each, not one an hour."""

    async def mail(number: int, later: timedelta = timedelta()) -> SendPermit | JoinedNotice | BudgetWait:
        now = NOW + later
        slot_request = SlotRequest("ada", f"task:t{number}", f"t{number}/ready/ada", now, alone=True)
        return await store.budgets.ask(slot_request, Limit(5, now + HOUR))

    answers = [await mail(n) for n in range(50)]
    waits = {n: answer.until - NOW for n, answer in enumerate(answers) if isinstance(answer, BudgetWait)}
    rounds = sorted(set(waits.values()))
    assert rounds == [n * HOUR + (n - 1) * budgets.AFTER_THE_FIRST for n in range(1, 10)]
    for wait in rounds:
        assert [await mail(n, wait) for n, wait_of_mail in waits.items() if wait_of_mail == wait] == [SendPermit()] * 5


async def test_the_same_notice_has_the_same_slot(store: Store) -> None:
    for _ in range(20):
        assert await ask(store, 1) == SendPermit()
    assert count(store, "notices") == 1


async def test_a_clock_that_was_moved_far_ahead_holds_nobody_else(store: Store) -> None:
    """On a laptop: one request lives in three days' time, and nobody knows of that anywhere else."""
    for n in range(5):
        await ask(store, n, timedelta(days=3))
    assert await ask(store, 9) == SendPermit()
    assert isinstance(await ask(store, 9, timedelta(days=3)), BudgetWait)


async def test_rows_of_old_are_dropped_so_many_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "DROPPED_AT_ONCE", 4)
    for n in range(10):
        await ask(store, n)
    late = NOW + LATE + budgets.KEPT
    assert await store.budgets.drop(NOW + HOUR + budgets.KEPT) == 0
    assert [await store.budgets.drop(late + HOUR) for _ in range(4)] == [4, 4, 2, 0]
    assert count(store, "notices") == 0
