"""The directory in the database: people as pushed, with what the imported file adds; who left is gone from it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.people.database_directory import REMEMBERED_AT_MOST, DatabaseDirectory
from activities.people.directory import (
    COLLEAGUES_AT_MOST,
    CompanyPosition,
    DirectoryFailure,
    PersonReach,
    UnknownGroup,
    UnknownPerson,
)
from activities.people.person import Person
from activities.people.pushed import ENTERPRISE, derive, imported_people
from activities.records.directory import ImportedPeople, Leaver, PushedPerson
from activities.records.store import Store

NOW = datetime(2026, 12, 2, 9, tzinfo=UTC)
MIA = {"name": "Mia (file)", "email": "mia@company.example", "zone": "Europe/Berlin", "hours": "10:00-16:00"}


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


async def push(store: Store, id: str, *, active: bool = True, manager: str = "", department: str = "") -> None:
    enterprise = {"manager": {"value": manager} if manager else None, "department": department or None}
    resource = {"userName": f"{id}@company.example", "displayName": f"Pérson {id}", ENTERPRISE: enterprise}
    user = PushedPerson(resource, f"{id}@company.example", id, active, id)
    if await store.directory.user(id):
        await store.directory.replace_user(id, user, derive, NOW)
    else:
        await store.directory.add_user(user, derive, f"{id}@company.example", NOW)


async def add_group(store: Store, name: str, *members: str) -> str:
    return (await store.directory.add_group(name, name, None, members, NOW)).id


async def test_the_file_adds_what_is_not_pushed(store: Store) -> None:
    await push(store, "zoe")
    await push(store, "mia", manager="zoe", department="Legal")
    file = [Person(id="m", **MIA, locale="de", delegate="z", groups=("authors",))]
    file.append(Person(id="z", name="Zoe", email="ZOE@company.example", zone="Asia/Tokyo", calendar="JP"))
    addresses = [person.email.casefold() for person in file]
    people = imported_people(file, await store.directory.ids_by_address(addresses))
    await store.directory.keep_imported(people, derive, NOW)
    await add_group(store, "legal", "mia")
    mia = await DatabaseDirectory(store).person("mia")
    assert (mia.name, mia.manager, mia.department) == ("Pérson mia", "zoe", "Legal"), "what is pushed counts"
    assert (mia.zone, mia.hours, mia.locale, mia.delegate) == ("Europe/Berlin", "10:00-16:00", "de", "zoe")
    assert mia.groups == ("authors", "legal")
    assert (await DatabaseDirectory(store).person("zoe")).calendar == "JP"


async def test_people_and_groups_are_found(store: Store) -> None:
    directory = DatabaseDirectory(store)
    for id, manager in (("zoe", ""), ("mia", "zoe"), ("bob", "mia")):
        await push(store, id, manager=manager, department="Legal")
    await add_group(store, "legal", "mia", "bob")
    assert await directory.group("legal") == ("bob", "mia")
    assert await directory.groups() == {"legal": 2}
    assert await directory.groups_of("mia") == {"legal"}
    assert (await directory.person("group:legal")).name == "legal"
    assert await directory.reports("zoe") == ("mia", "bob")
    assert [person.id for person in await directory.search("PERSON mi", 5)] == ["mia"]
    assert (await directory.named("MIA@company.example")) == await directory.person("mia")
    assert await directory.named("Pérson mia") is None
    assert await directory.places(["mia", "nobody"]) == {"mia": CompanyPosition("Legal", "zoe")}
    assert [person.id for person in await directory.list_reach()] == ["bob", "mia", "zoe"]
    assert await directory.list_reach(["bob"]) == [PersonReach("bob", "Legal", has_device=False)]
    assert [person.id for person in (await directory.colleagues("mia")).people] == ["bob", "zoe"]
    assert [person.id for person in (await directory.colleagues("mia", "person z")).people] == ["zoe"]
    assert (await directory.file())("mia") == await directory.person("mia")
    with pytest.raises(UnknownPerson):
        await directory.person("nobody")
    with pytest.raises(UnknownGroup):
        await directory.group("sales")


async def test_whoever_left_signs_in_no_more_but_open_work_goes_on_until_it_is_told(store: Store) -> None:
    directory = DatabaseDirectory(store)
    for id in ("mia", "bob"):
        await push(store, id)
    await add_group(store, "legal", "mia", "bob")
    await directory.person("mia")
    await push(store, "mia", active=False)
    assert (await directory.present("mia"), await directory.named("mia@company.example")) == (None, None)
    assert (await DatabaseDirectory(store).person("mia")).id == "mia"
    assert await directory.group("legal") == ("bob", "mia")
    [leaver] = await store.directory.begin_announcements()
    assert await directory.group("legal") == ("bob",)
    with pytest.raises(UnknownPerson):
        await DatabaseDirectory(store).person("mia")
    await store.directory.note_announced(leaver)
    assert await store.directory.begin_announcements() == []
    await push(store, "mia")
    assert (await directory.present("mia")) is not None
    assert await store.directory.begin_announcements() == [Leaver("mia", back=True)]


@pytest.mark.parametrize(("delegate", "expected"), [("zoe", "zoe"), ("gone", "bob"), (None, "bob")])
async def test_for_whoever_was_deleted_their_delegate_is_proposed_else_their_manager(
    store: Store, delegate: str | None, expected: str
) -> None:
    directory = DatabaseDirectory(store)
    await store.directory.keep_imported(ImportedPeople({"mia": {**MIA, "delegate": delegate}}), derive, NOW)
    for id in ("zoe", "bob"):
        await push(store, id)
    await push(store, "mia", manager="bob")
    assert await directory.substitute_of("mia") is None
    await store.directory.remove_user("mia", NOW)
    [leaver] = await store.directory.begin_announcements()
    await store.directory.note_announced(leaver)
    row = await store.directory.person_with_groups("mia")
    assert row is not None and row.person.resource is None
    assert await directory.substitute_of("mia") == expected


@pytest.mark.long
async def test_a_look_up_is_remembered_for_two_seconds_and_by_a_bounded_number(store: Store) -> None:
    seconds = 0.0
    directory = DatabaseDirectory(store, clock=lambda: seconds)
    ids = [f"p{number}" for number in range(10 * REMEMBERED_AT_MOST)]
    entries = {id: {**MIA, "email": f"{id}@company.example"} for id in ids}
    await store.directory.keep_imported(ImportedPeople(entries), derive, NOW)
    for id in ids[: 2 * REMEMBERED_AT_MOST]:
        await directory.person(id)
    assert len(directory._remembered) == REMEMBERED_AT_MOST
    person = await directory.person("p1")
    await store.directory.keep_imported(ImportedPeople({"p1": {**MIA, "name": "Other"}}), derive, NOW)
    assert await directory.person("p1") == person
    seconds = 2.0
    assert (await directory.person("p1")).name == "Other"


async def test_of_many_colleagues_none_is_listed_without_a_name(store: Store) -> None:
    entries: dict[str, Any] = {
        f"p{number}": {**MIA, "email": f"p{number}@company.example", "department": "Legal"}
        for number in range(10 * COLLEAGUES_AT_MOST)
    }
    await store.directory.keep_imported(ImportedPeople(entries), derive, NOW)
    directory = DatabaseDirectory(store)
    assert await directory.colleagues("p1") == await directory.colleagues("p1", "nobody of this name")
    assert (await directory.colleagues("p1")).total == 10 * COLLEAGUES_AT_MOST - 1
    assert len((await directory.colleagues("p1", "mia")).people) == COLLEAGUES_AT_MOST
    assert [person.id for person in (await directory.colleagues("p1", also="p7")).people] == ["p7"]


async def test_one_who_cannot_be_reached_is_nobody(store: Store) -> None:

    user = PushedPerson({"userName": "x", "displayName": "X"}, "x", "x", True, "x")
    await store.directory.add_user(user, derive, "", NOW)
    with pytest.raises(DirectoryFailure, match="no name or address"):
        await DatabaseDirectory(store).person("x")
