"""Allowances that several processes count together."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records import allowances as module
from activities.records.allowances import Allowance, Rate
from activities.records.store import Store
from tests.postgresql import PostgreSQL
from tests.storage import altered, connected, count

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
EACH = 1_000.0
"""Seconds; a server's clock goes on while a test runs."""
RATE = Rate(burst=3, per_second=1 / EACH)


@pytest.fixture
def stores(tmp_path: Path, database_url: str) -> Iterator[tuple[Store, Store]]:
    """Those of two processes."""
    with (
        closing(Store(str(tmp_path), database_url)) as first_store,
        closing(Store(str(tmp_path), database_url)) as second_store,
    ):
        yield first_store, second_store


def time_passes(store: Store, seconds: float) -> None:
    altered(store, "UPDATE allowances SET full_at = full_at - ?", seconds)


async def test_a_burst_and_then_so_many_a_second_whichever_process_is_asked(stores: tuple[Store, Store]) -> None:
    first, second = (store.allowances for store in stores)
    answers = [await allowances.take("a", RATE, NOW) for allowances in (first, second, first, second, first)]
    assert answers[:3] == [Allowance(remaining=2), Allowance(remaining=1), Allowance(remaining=0)]
    assert [answer.wait for answer in answers[3:]] == [pytest.approx(EACH, abs=60)] * 2
    assert await second.take("b", RATE, NOW) == Allowance(remaining=2)
    time_passes(stores[0], 1.5 * EACH)
    assert await second.take("a", RATE, NOW) == Allowance(remaining=0)
    assert (await first.take("a", RATE, NOW)).wait == pytest.approx(EACH / 2, abs=60)
    time_passes(stores[0], 100 * EACH)
    assert await first.take("a", RATE, NOW) == Allowance(remaining=2)


async def test_of_many_at_the_same_time_so_many_get_one_as_there_are(stores: tuple[Store, Store]) -> None:
    await stores[0].database.check()
    answers = await asyncio.gather(*(stores[number % 2].allowances.take("a", RATE, NOW) for number in range(40)))
    assert sum(not answer.wait for answer in answers) == RATE.burst


async def test_on_a_server_machines_whose_clocks_are_ten_minutes_off_have_one_allowance(
    postgresql: PostgreSQL, upgraded: str, tmp_path: Path
) -> None:
    name = postgresql.create(template=upgraded)
    with closing(Store(str(tmp_path), postgresql.url(name))) as store:
        clocks = [datetime.now(UTC) + timedelta(minutes=minutes_off) for minutes_off in (10, 0, -10) * 2]
        answers = [await store.allowances.take("a", RATE, now) for now in clocks]
        assert [answer.remaining for answer in answers[:3]] == [2, 1, 0]
        assert [answer.wait for answer in answers[3:]] == [pytest.approx(EACH, abs=60)] * 3
    postgresql.drop(name)


async def test_an_allowance_of_a_day_or_of_a_code_gives_nothing_back_meanwhile(stores: tuple[Store, Store]) -> None:
    store, left_counts = stores[0], list[int]()
    await store.database.check()
    for passed in (0, 0.1, 0.3, 0.4, 0.1, 0.05, 0):
        time_passes(store, passed * EACH)
        left_counts.append((await store.allowances.take("code", Rate(5, 1 / EACH), NOW)).remaining)
    assert left_counts == [4, 3, 2, 1, 0, 0, 0]


async def test_a_full_bucket_has_no_row_and_no_row_has_a_name(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DROPPED_AT_MOST", 2)
    store, later = stores[0], datetime.now(UTC) + timedelta(hours=1)
    for number in range(20):
        await store.allowances.take(f"ada@example.test {number}", RATE, NOW)
    assert await store.allowances.drop_full(NOW) == 0
    dropped = [await store.allowances.drop_full(later) for _ in range(11)]
    assert (dropped, count(store, "allowances")) == ([*[2] * 10, 0], 0)
    await store.allowances.take("ada@example.test", RATE, NOW)
    with connected(store) as (connection, _):
        assert "ada" not in str(connection.execute("SELECT * FROM allowances").fetchall())
    await store.allowances.refill("ada@example.test")
    assert await store.allowances.take("ada@example.test", RATE, NOW) == Allowance(remaining=2)
