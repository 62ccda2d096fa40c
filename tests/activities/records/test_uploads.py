"""Uploads count for 7 days, for their caller alone."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records import uploads
from activities.records.store import Store
from activities.records.uploads import DAYS_KEPT

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=DAYS_KEPT, seconds=1)
HASH = "0" * 64


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


async def test_an_upload_counts_for_its_caller_until_its_days_are_over(store: Store) -> None:
    await store.uploads.note("token:crm", HASH, NOW)
    assert await store.uploads.has("token:crm", HASH, NOW + timedelta(days=DAYS_KEPT))
    assert not await store.uploads.has("token:other", HASH, NOW)
    assert not await store.uploads.has("token:crm", HASH, LATER)
    await store.uploads.note("token:crm", HASH, LATER)
    assert await store.uploads.has("token:crm", HASH, LATER)


async def test_of_ten_times_as_many_the_rest_is_left_to_the_next_sweep(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "DROPPED_AT_MOST", 2)
    for number in range(20):
        await store.uploads.note("token:crm", f"{number:064}", NOW)
    assert await store.uploads.drop(NOW) == 0
    assert [await store.uploads.drop(LATER) for _ in range(11)] == [2] * 10 + [0]
