"""Allowances that several processes count together."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records import allowances as module
from activities.records.allowances import Allowed, Rate
from activities.records.store import Store
from tests.storage import count, database_of

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
RATE = Rate(burst=3, per_second=0.5)


async def test_a_burst_and_then_so_many_a_second_whichever_process_is_asked(tmp_path: Path) -> None:
    one, other = (Store(str(tmp_path)).allowances for _ in range(2))
    first = [await each.take("a", RATE, NOW) for each in (one, other, one, other, one)]
    assert first == [Allowed(left=2), Allowed(left=1), Allowed(left=0), Allowed(wait=2), Allowed(wait=2)]
    assert await other.take("b", RATE, NOW) == Allowed(left=2)
    later = NOW + timedelta(seconds=3)
    assert [await each.take("a", RATE, later) for each in (other, one)] == [Allowed(left=0), Allowed(wait=1)]
    rested = NOW + timedelta(hours=1)
    assert (await one.take("a", RATE, rested)).left == 2


async def test_of_many_at_the_same_time_so_many_get_one_as_there_are(tmp_path: Path) -> None:
    stores = [Store(str(tmp_path)) for _ in range(4)]
    await stores[0].database.check()
    taken = await asyncio.gather(*(stores[number % 4].allowances.take("a", RATE, NOW) for number in range(100)))
    assert sum(not one.wait for one in taken) == RATE.burst


async def test_an_allowance_of_a_day_or_of_a_code_gives_nothing_back_meanwhile(tmp_path: Path) -> None:
    store, tries = Store(str(tmp_path)).allowances, Rate(5, 1 / 600)
    at = [NOW + timedelta(seconds=one) for one in (0, 1, 200, 400, 500, 599, 599)]
    assert [(await store.take("code", tries, one)).left for one in at] == [4, 3, 2, 1, 0, 0, 0]
    assert (await store.take("code", tries, at[-1])).wait > 0


async def test_a_full_bucket_has_no_row_and_no_row_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DROPPED_AT_MOST", 2)
    store = Store(str(tmp_path))
    for number in range(20):
        await store.allowances.take(f"ada@example.test {number}", RATE, NOW)
    assert await store.allowances.drop_full(NOW) == 0
    dropped = [await store.allowances.drop_full(NOW + timedelta(seconds=3)) for _ in range(11)]
    assert (dropped, count(store, "allowances")) == ([*[2] * 10, 0], 0)
    await store.allowances.take("ada@example.test", RATE, NOW)
    await store.allowances.refill("ada@example.test")
    assert await store.allowances.take("ada@example.test", RATE, NOW) == Allowed(left=2)
    files = (Path(database_of(store)), Path(f"{database_of(store)}-wal"))
    assert not any(b"ada@" in one.read_bytes() for one in files)
