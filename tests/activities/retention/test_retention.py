"""What is removed each day beside what `tests/activities/evidence/test_retention.py` shows of signed files."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities.people.file_directory import FileDirectory
from activities.records.drafts import Draft
from activities.records.store import Store
from activities.retention.service import DailyRetention
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
        assert await store.drafts.of("bob") == ()
        assert len(await store.drafts.of("ada")) == 1
        people.write_text("people: [{id: ada")
        await retention.apply(RetentionOrder(now=DAY + timedelta(days=2)))
        assert len(await store.drafts.of("ada")) == 1, "a directory that cannot be read removes no draft"
        await retention.apply(RetentionOrder(now=DAY + timedelta(days=31)))
        assert await store.drafts.of("ada") == ()
