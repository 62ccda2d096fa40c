"""A people file of many thousands: read once, beside everything else, and looked up ever after."""

import asyncio
from pathlib import Path

import pytest

from activities.errors import did_you_mean
from activities.people.directory import (
    PEOPLE_FILE_AT_MOST,
    READ_AT_ONCE_AT_MOST,
    PeopleIndex,
    UnknownPerson,
    UnusablePeople,
    loaded,
    name_of,
    read,
)
from activities.people.file_directory import FileDirectory
from activities.people.person import Person
from activities.records.people import StoredPeople
from activities.records.store import Store
from tests.activities.launch.papers import PEOPLE
from tests.activities.people.test_people import change, entry
from tests.storage import altered

_MORE = "calendar: NL, manager: chief, groups: [all-staff, dept-1]"


def staff(number: int) -> str:
    """A people file of so many."""
    entries = [entry(f"person-{person_number:06d}", _MORE) for person_number in range(number - 1)]
    return "\n".join(["people:", entry("chief"), *entries, ""])


def people_of(number: int) -> PeopleIndex:
    """The index of so many people, of which nobody wrote a file."""
    plain = {"name": "N", "email": "n@example.com", "zone": "Europe/Amsterdam", "groups": ["all-staff"]}
    ids = [f"person-{person_number:06d}" for person_number in range(number)]
    return PeopleIndex({id: {**plain, "id": id} for id in ids}, {"all-staff": tuple(ids)})


_MANY_MORE = f"# {'many more would stand here ' * 4}\n" * 2_600
"""Bytes that take less time to read."""
STAFF = staff(400) + _MANY_MORE
FEW = staff(40) + _MANY_MORE


class GatedStore(Store):
    """Gives no people before its gate is open."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.has_begun, self.gate = asyncio.Event(), asyncio.Event()
        self.reads: list[str] = []
        self.people = GatedPeople(self)  # type: ignore[misc]


class GatedPeople(StoredPeople):
    """See `GatedStore`."""

    def __init__(self, store: GatedStore) -> None:
        super().__init__(store.database)
        self._store = store

    async def index(self, name: str) -> bytes | None:
        self._store.reads.append(name)
        self._store.has_begun.set()
        await self._store.gate.wait()
        return await super().index(name)


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file too large to be read at once."""
    file = tmp_path_factory.mktemp("many") / "people.yaml"
    file.write_text(STAFF, "utf-8")
    assert file.stat().st_size > READ_AT_ONCE_AT_MOST
    return file


@pytest.mark.long
async def test_a_large_file_is_read_once_and_looked_up_by_whoever_comes_next(large_file: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    first = FileDirectory(large_file, store)
    person = await first.person("person-000007")
    assert (person.manager, person.calendar, person.hours) == ("chief", "NL", "09:00-18:00")
    assert len(await first.group("all-staff")) == 399

    # Its entries cannot be read anew, so what the next one knows of them was kept.
    index_name = name_of(STAFF.encode())
    altered(store, "DELETE FROM people_index")
    await store.people.keep_index("here", index_name, people_of(3).dumped())
    next_one = FileDirectory(large_file, store)
    assert (await next_one.person("person-000002")).manager is None
    with pytest.raises(UnknownPerson):
        await next_one.person("person-000007")


async def test_of_the_kept_people_there_is_one_state_only(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    await store.people.keep_index("here", "older", people_of(2).dumped())
    await store.people.keep_index("here", "newer", people_of(3).dumped())
    assert await store.people.index("older") is None
    assert await store.people.index("newer") == people_of(3).dumped()


async def test_what_is_kept_says_what_the_file_said(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE, "utf-8")
    people = read(tmp_path / "people.yaml", PEOPLE.encode())
    reloaded = loaded(people.dumped())
    assert reloaded == people
    assert [reloaded.person(id) for id in reloaded.entries] == [people.person(id) for id in people.entries]
    assert isinstance(reloaded.person("chief-executive"), Person)


@pytest.mark.long
async def test_damaged_kept_people_are_read_from_the_file_again(tmp_path: Path) -> None:
    file, store = tmp_path / "people.yaml", Store(str(tmp_path / "store"))
    file.write_text(FEW, "utf-8")
    assert file.stat().st_size > READ_AT_ONCE_AT_MOST
    await store.people.keep_index("here", name_of(FEW.encode()), b'{"entries": [')
    assert (await FileDirectory(file, store).person("person-000007")).manager == "chief"


async def test_while_a_changed_file_is_read_the_last_good_state_answers(tmp_path: Path) -> None:
    file, store = tmp_path / "people.yaml", GatedStore(str(tmp_path / "store"))
    file.write_text(PEOPLE, "utf-8")
    directory = FileDirectory(file, store)
    assert await directory.person("chair")

    grown = STAFF
    await store.people.keep_index("here", name_of(grown.encode()), people_of(5).dumped())
    change(file, grown)
    impatient = asyncio.create_task(directory.person("chair"))
    await store.has_begun.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert (await directory.person("chair")).id == "chair"
    assert directory.warning is None

    store.gate.set()
    assert (await directory.person("person-000004")).id == "person-000004"
    assert len(store.reads) == 1, "the look-up that was cancelled stopped the reading"


async def test_what_changed_while_the_file_was_read_is_known_to_whoever_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.people.file_directory._PATIENCE", 0.0)
    file, store = tmp_path / "people.yaml", GatedStore(str(tmp_path / "store"))
    file.write_text(STAFF, "utf-8")
    await store.people.keep_index("here", name_of(STAFF.encode()), people_of(5).dumped())
    directory = FileDirectory(file, store)
    reading = asyncio.create_task(directory.person("person-000001"))
    await store.has_begun.wait()
    change(file, PEOPLE)
    waiting = asyncio.create_task(directory.up_to_date())
    store.gate.set()
    await asyncio.gather(reading, waiting)
    assert (await directory.person("chair")).id == "chair"


@pytest.mark.long
async def test_a_fault_of_a_large_file_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(FEW + entry("last", "locale: xx-klingon") + "\n", "utf-8")
    assert file.stat().st_size > READ_AT_ONCE_AT_MOST
    with pytest.raises(UnusablePeople, match=r"people.yaml:2642: people\[40\].locale: is not a locale"):
        await FileDirectory(file, Store(str(tmp_path / "store"))).person("chief")


async def test_a_file_beyond_every_bound_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    with file.open("wb") as stream:
        stream.truncate(10 * PEOPLE_FILE_AT_MOST)
    with pytest.raises(UnusablePeople, match=r"people.yaml: is larger than 32 MiB"):
        await FileDirectory(file, Store(str(tmp_path / "store"))).person("chief")


def test_a_look_up_among_100_000_makes_one_person() -> None:
    index = people_of(100_000)
    broken = {id: {"no": "person"} for id in index.entries if id != "person-099999"}
    index = PeopleIndex({**index.entries, **broken}, index.groups)
    assert index.person("person-099999") is not None
    assert index.person("person-100000") is None
    with pytest.raises(ValueError, match="the kept people cannot be read"):
        index.person("person-000000")


def test_a_hint_among_100_000_looks_at_few() -> None:
    entries = people_of(100_000).entries
    assert did_you_mean("preson-000007", entries) == ", did you mean person-000007?"
    assert did_you_mean("a-person-000007", entries) == ""
