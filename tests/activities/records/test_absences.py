"""Absences that people entered: what takes the place of what, two at once, and what open follow-ups have heard of."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.people.absences import SubstituteCheck
from activities.records import absences as records
from activities.records.absences import KEPT_FOR, AbsenceRow
from activities.records.store import Store
from tests.messages import english_of
from workflows.model.rejections import Rejection

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


def make_absence(id: str, person: str = "ada", first: int = 0, days: int = 5, **overrides: Any) -> AbsenceRow:
    begins = NOW + first * DAY
    overrides = {"acts": None, "kinds": (), "entered_at": NOW, "entered_by": person, **overrides}
    return AbsenceRow(id=id, person=person, begins_at=begins, ends_at=begins + days * DAY, **overrides)


def accept(other_absences: Sequence[AbsenceRow]) -> None:
    return None


async def ids(store: Store, person: str = "ada") -> list[str]:
    return [absence.id for absence in await store.absences.for_person(person, NOW)]


async def test_an_absence_replaces_only_one_of_the_same_person_days_and_kinds(store: Store) -> None:
    for row in (
        make_absence("a1"),
        make_absence("a2", first=20),
        make_absence("b1", "ben"),
        make_absence("a3", kinds=("offer",)),
    ):
        assert await store.absences.enter(row, accept) == (row, None)
    assert (await store.absences.enter(make_absence("a4", acts="ben"), accept)).row.id == "a4"
    assert await ids(store) == ["a3", "a4", "a2"]
    assert [absence.id for absence in await store.absences.coming(NOW)] == ["a2", "a3", "a4", "b1"]
    replaced = await store.absences.read("a1")
    assert replaced is not None
    assert (replaced.ended_at, replaced.ended_by, replaced.told_at) == (NOW, "ada", NOW)


async def test_an_overlapping_absence_stands_beside_the_others(store: Store) -> None:
    for row in (
        make_absence("all", first=15, days=16),
        make_absence("office", first=10, days=11, kinds=("office",)),
        make_absence("later", first=20, days=16),
        make_absence("two", first=15, days=16, kinds=("office", "policy")),
    ):
        assert await store.absences.enter(row, accept) == (row, None)
    assert await ids(store) == ["office", "all", "two", "later"]
    assert {row.ended_at for row in await store.absences.coming(NOW)} == {None}


async def test_one_that_says_the_same_stays(store: Store) -> None:
    await store.absences.enter(make_absence("a1"), accept)
    assert (await store.absences.enter(make_absence("a2", entered_by="boss"), accept)).row.id == "a1"
    assert await ids(store) == ["a1"]


async def test_a_refused_one_changes_nothing(store: Store) -> None:
    await store.absences.enter(make_absence("a1"), accept)
    no = Rejection.AWAY.to_message(person="ada")
    assert (await store.absences.enter(make_absence("a2", first=1), lambda other_absences: no)).refused == no
    assert await ids(store) == ["a1"]


async def test_of_two_at_once_that_make_a_circle_one_is_refused(store: Store) -> None:
    rows = (make_absence("a1", acts="ben"), make_absence("b1", "ben", acts="ada"))
    entered = await asyncio.gather(*(store.absences.enter(row, SubstituteCheck(row, lambda id: None)) for row in rows))
    assert any(entry.refused is None for entry in entered)
    assert {entry.refused.code for entry in entered if entry.refused} == {Rejection.DELEGATES_IN_A_CIRCLE}
    assert len(await store.absences.coming(NOW)) == 1


async def test_they_are_ended_one_by_one_or_all(store: Store) -> None:
    for row in (
        make_absence("a1"),
        make_absence("a2", first=20),
        make_absence("a3", first=40),
        make_absence("b1", "ben"),
    ):
        await store.absences.enter(row, accept)
    assert [absence.id for absence in await store.absences.end("ada", "boss", NOW, "a2")] == ["a2"]
    assert await store.absences.end("ada", "boss", NOW, "b1") == []
    assert {absence.id for absence in await store.absences.end("ada", "boss", NOW)} == {"a1", "a3"}
    assert await store.absences.end("ada", "boss", NOW) == []
    assert await ids(store, "ben") == ["b1"]


async def test_what_was_changed_meanwhile_is_told_again(store: Store) -> None:
    row = make_absence("a1")
    await store.absences.enter(row, accept)
    await store.absences.note_told(row, 7, None)
    assert [absence.told for absence in await store.absences.for_person("ada", NOW)] == [7]
    [ended_absence] = await store.absences.end("ada", "ada", NOW)
    await store.absences.note_told(row, 9, NOW)
    assert [(absence.id, absence.told) for absence in await store.absences.untold(NOW + DAY)] == [("a1", 0)]
    await store.absences.note_told(ended_absence, 9, NOW)
    assert await store.absences.untold(NOW + DAY) == []


async def test_nobody_can_fill_the_table(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "OF_A_PERSON_AT_MOST", 2)
    monkeypatch.setattr(records, "ABSENCES_AT_MOST", 3)
    for number in range(20):
        entered = await store.absences.enter(make_absence(f"a{number}", first=10 * number), accept)
        assert english_of(entered.refused) == (None if number < 2 else "2 absences of ada were entered already")
    for number in range(30):
        entered = await store.absences.enter(make_absence(f"b{number}", f"ben-{number}"), accept)
        assert english_of(entered.refused) == (None if number < 1 else "3 absences of everybody were entered already")
    assert (await store.absences.enter(make_absence("a99", acts="ben"), accept)).refused is None, (
        "it takes the place of another"
    )


async def test_erasure_leaves_nothing_of_a_person(store: Store) -> None:
    for row in (
        make_absence("a1", acts="ben"),
        make_absence("b1", "ben"),
        make_absence("c1", "cleo", acts="ada", entered_by="claimed:ada (root@host)"),
    ):
        await store.absences.enter(row, accept)
    assert await store.absences.erase("ada") == 1
    remaining = await store.absences.coming(NOW)
    assert [(absence.person, absence.acts, absence.entered_by) for absence in remaining] == [
        ("ben", None, "ben"),
        ("cleo", None, ""),
    ]


async def test_what_is_long_over_is_dropped(store: Store) -> None:
    await store.absences.enter(make_absence("a1"), accept)
    await store.absences.enter(make_absence("a2", first=20), accept)
    await store.absences.drop_over(NOW + 5 * DAY + KEPT_FOR)
    assert await store.absences.read("a1") is not None
    await store.absences.drop_over(NOW + 6 * DAY + KEPT_FOR)
    assert await store.absences.read("a1") is None
    assert await store.absences.read("a2") is not None
