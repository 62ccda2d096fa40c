"""What is removed each day beside what `tests/activities/evidence/test_retention.py` shows of signed files."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.people.file_directory import FileDirectory
from activities.records import one_use
from activities.records.drafts import Draft
from activities.records.store import Store
from activities.retention.service import DailyRetention
from tests.storage import count
from workflows.model.retention import RetentionOrder

DAY = datetime(2026, 12, 5, 0, 15, tzinfo=UTC)


async def test_drafts_of_those_who_left_are_removed_each_day(tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text("people: [{id: ada, name: Ada, email: ada@example.com, zone: UTC}]")
    with closing(Store(str(tmp_path / "kept"))) as store:
        for number, author in enumerate(("ada", "bob")):
            await store.drafts.begin(Draft(f"{number:012x}", author, "request", {}, 0, DAY))
        retention = DailyRetention(store, directory=FileDirectory(people, store))
        await retention.apply(RetentionOrder(now=DAY + timedelta(days=1)))
        assert await store.drafts.list_drafts("bob") == ()
        assert len(await store.drafts.list_drafts("ada")) == 1
        people.write_text("people: [{id: ada")
        await retention.apply(RetentionOrder(now=DAY + timedelta(days=2)))
        assert len(await store.drafts.list_drafts("ada")) == 1, "a directory that cannot be read removes no draft"
        await retention.apply(RetentionOrder(now=DAY + timedelta(days=31)))
        assert await store.drafts.list_drafts("ada") == ()


async def test_of_ten_times_as_many_rows_as_a_statement_drops_none_is_left(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_use, "USED_DROPPED_AT_MOST", 2)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        for number in range(20):
            await store.one_use.use(DAY.date() - timedelta(days=number % 2), str(number))
        assert await store.one_use.drop_used(DAY + timedelta(days=9)) == 2
        result = await DailyRetention(store).apply(RetentionOrder(now=DAY + timedelta(days=9)))
        assert (result.rows, count(store, "one_use")) == (18, 0)
