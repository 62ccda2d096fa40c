"""The directory in the database: reports in any shape, many at once, and answers within their bounds."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.people.pushed import derive
from activities.records import directory as records
from activities.records.directory import Exodus, ImportedPeople, ImportReport, PushedPerson
from activities.records.store import Store

NOW = datetime(2026, 12, 2, 9, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


def entry(number: int, **fields: Any) -> dict[str, Any]:
    return {"name": f"P {number}", "email": f"p{number}@company.example", "zone": "Europe/Berlin", **fields}


async def keep(store: Store, entries: dict[str, dict[str, Any]], **groups: tuple[str, ...]) -> ImportReport:
    return await store.directory.keep_imported(ImportedPeople(entries, groups), derive, NOW)


async def test_managers_in_a_circle_end(store: Store) -> None:
    managers = {"a": "c", "b": "a", "c": "b", "d": "c", "e": "e"}
    await keep(store, {id: entry(number, manager=above) for number, (id, above) in enumerate(managers.items())})
    assert await store.directory.reports("a") == ("b", "c", "d")
    assert await store.directory.reports("e") == ()


async def test_what_is_read_of_the_directory_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MEMBERS_AT_MOST", 5)
    monkeypatch.setattr(records, "REPORTS_AT_MOST", 5)
    monkeypatch.setattr(records, "GROUPS_AT_MOST", 5)
    ids = [f"p{number:02}" for number in range(50)]
    entries = {id: entry(number, manager=ids[max(0, number - 1)]) for number, id in enumerate(ids)}
    await keep(store, entries, **{f"group-{number:02}": tuple(ids) for number in range(50)})
    assert len(await store.directory.group("group-07")) == 5
    assert await store.directory.reports("p00") == tuple(ids[1:6])
    assert len(await store.directory.groups()) == 5
    assert len(await store.directory.groups_of("p00")) == 5


@pytest.mark.parametrize(("name", "written"), [("Operators", "operators"), ("Ärzte", "Ärzte")])
async def test_a_group_is_found_whatever_its_capitals(store: Store, name: str, written: str) -> None:
    await keep(store, {"p0": entry(0)}, **{name: ("p0",)})
    assert await store.directory.group(written) == ("p0",)


async def test_an_import_takes_the_place_of_the_one_before(store: Store) -> None:
    report = await keep(store, {f"p{number}": entry(number) for number in range(3)}, legal=("p0", "p1"))
    assert report == ImportReport(people=3)
    report = await keep(store, {"p0": entry(0), "p3": entry(3)}, sales=("p3",))
    assert report == ImportReport(people=2, left=2)
    assert await store.directory.groups() == {"sales": 1}
    assert [await store.directory.named(f"p{number}") for number in range(4)] == ["p0", None, None, "p3"]


async def test_whom_the_directory_removed_no_file_brings_back(store: Store) -> None:
    user = PushedPerson({"userName": "p0@company.example", "displayName": "P"}, "p0@company.example", "p0", True, "p0")
    await store.directory.add_user(user, derive, "p0@company.example", NOW)
    await store.directory.remove_user("p0", NOW)
    assert await keep(store, {"p0": entry(0)}) == ImportReport(people=1, kept_out=1)
    assert await store.directory.named("p0") is None
    again = await store.directory.add_user(user, derive, "p0@company.example", NOW)
    assert (again.id, again.active) == ("p0", True), "whoever is pushed again is the same person"


async def test_of_the_same_user_pushed_at_once_there_is_one(store: Store) -> None:
    user = PushedPerson({"userName": "p0@company.example", "displayName": "P"}, "p0@company.example", "p0", True, "p0")
    added = await asyncio.gather(
        *(store.directory.add_user(user, derive, "p0@company.example", NOW) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, records.UserNameTaken) for answer in added) == 9


async def test_the_file_s_person_of_the_same_address_is_the_one_who_is_pushed(store: Store) -> None:
    await keep(store, {"mia": entry(0, email="Mia@company.example", hours="10:00-16:00")}, legal=("mia",))
    user = PushedPerson(
        {"userName": "mia@company.example", "displayName": "Mia"}, "mia@company.example", "77", True, "77"
    )
    row = await store.directory.add_user(user, derive, "mia@company.example", NOW)
    assert row.id == "mia"
    assert await store.directory.groups_of("mia") == {"legal"}


@pytest.mark.parametrize(
    ("people", "leavers", "held"), [(100, 19, 0), (100, 20, 20), (200, 20, 0), (200, 21, 21), (10, 10, 0)]
)
async def test_many_who_leave_within_an_hour_are_held(store: Store, people: int, leavers: int, held: int) -> None:
    entries = {f"p{number}": entry(number) for number in range(people)}
    await keep(store, entries)
    await keep(store, dict([*entries.items()][leavers:]))
    assert (await store.directory.hold_exodus(NOW)).held == held
    assert len(await store.directory.begin_announcements()) == leavers - held


async def test_an_emptied_source_is_held_until_it_is_confirmed(store: Store) -> None:
    entries = {f"p{number}": entry(number) for number in range(10 * records.MANY_LEAVE)}
    await keep(store, entries, legal=("p0",))
    await keep(store, {}, legal=("p0",))
    assert await store.directory.hold_exodus(NOW) == Exodus(len(entries), NOW)
    assert await store.directory.hold_exodus(NOW + timedelta(hours=2)) == Exodus(len(entries), NOW)
    assert await store.directory.begin_announcements() == []
    assert await store.directory.group("legal") == ("p0",), "open work goes on as if they were here"
    assert await store.directory.confirm_exodus() == len(entries)
    assert await store.directory.hold_exodus(NOW) == Exodus()
    assert len(await store.directory.begin_announcements()) == len(entries)
    assert await store.directory.group("legal") == ()


async def test_who_comes_back_while_held_never_left(store: Store) -> None:
    entries = {f"p{number}": entry(number) for number in range(records.MANY_LEAVE)}
    await keep(store, entries)
    await keep(store, {})
    assert (await store.directory.hold_exodus(NOW)).held == len(entries)
    await keep(store, entries)
    assert await store.directory.exodus() == Exodus()
    assert await store.directory.begin_announcements() == []
