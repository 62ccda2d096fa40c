"""Absences that people entered: what takes the place of what, two at once, and what open follow-ups have heard of."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.people.absences import Judgement
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


def away(id: str, person: str = "ada", first: int = 0, days: int = 5, **more: Any) -> AbsenceRow:
    begins = NOW + first * DAY
    more = {"acts": None, "kinds": (), "entered_at": NOW, "entered_by": person, **more}
    return AbsenceRow(id=id, person=person, begins_at=begins, ends_at=begins + days * DAY, **more)


def fits(others: Sequence[AbsenceRow]) -> None:
    return None


async def ids(store: Store, person: str = "ada") -> list[str]:
    return [one.id for one in await store.absences.of(person, NOW)]


async def test_an_absence_replaces_only_one_of_the_same_person_days_and_kinds(store: Store) -> None:
    for row in (away("a1"), away("a2", first=20), away("b1", "ben"), away("a3", kinds=("offer",))):
        assert await store.absences.enter(row, fits) == (row, None)
    assert (await store.absences.enter(away("a4", acts="ben"), fits)).row.id == "a4"
    assert await ids(store) == ["a3", "a4", "a2"]
    assert [one.id for one in await store.absences.coming(NOW)] == ["a2", "a3", "a4", "b1"]
    replaced = await store.absences.read("a1")
    assert replaced is not None
    assert (replaced.ended_at, replaced.ended_by, replaced.told_at) == (NOW, "ada", NOW)


async def test_an_overlapping_absence_stands_beside_the_others(store: Store) -> None:
    for row in (
        away("all", first=15, days=16),
        away("office", first=10, days=11, kinds=("office",)),
        away("later", first=20, days=16),
        away("two", first=15, days=16, kinds=("office", "policy")),
    ):
        assert await store.absences.enter(row, fits) == (row, None)
    assert await ids(store) == ["office", "all", "two", "later"]
    assert {row.ended_at for row in await store.absences.coming(NOW)} == {None}


async def test_one_that_says_the_same_stays(store: Store) -> None:
    await store.absences.enter(away("a1"), fits)
    assert (await store.absences.enter(away("a2", entered_by="boss"), fits)).row.id == "a1"
    assert await ids(store) == ["a1"]


async def test_a_refused_one_changes_nothing(store: Store) -> None:
    await store.absences.enter(away("a1"), fits)
    no = Rejection.AWAY.to_message(person="ada")
    assert (await store.absences.enter(away("a2", first=1), lambda others: no)).refused == no
    assert await ids(store) == ["a1"]


async def test_of_two_at_once_that_make_a_circle_one_is_refused(store: Store) -> None:
    rows = (away("a1", acts="ben"), away("b1", "ben", acts="ada"))
    entered = await asyncio.gather(*(store.absences.enter(row, Judgement(row, lambda id: None)) for row in rows))
    assert any(one.refused is None for one in entered)
    assert {one.refused.code for one in entered if one.refused} == {Rejection.DELEGATES_IN_A_CIRCLE}
    assert len(await store.absences.coming(NOW)) == 1


async def test_they_are_ended_one_by_one_or_all(store: Store) -> None:
    for row in (away("a1"), away("a2", first=20), away("a3", first=40), away("b1", "ben")):
        await store.absences.enter(row, fits)
    assert [one.id for one in await store.absences.end("ada", "boss", NOW, "a2")] == ["a2"]
    assert await store.absences.end("ada", "boss", NOW, "b1") == []
    assert {one.id for one in await store.absences.end("ada", "boss", NOW)} == {"a1", "a3"}
    assert await store.absences.end("ada", "boss", NOW) == []
    assert await ids(store, "ben") == ["b1"]


async def test_what_was_changed_meanwhile_is_told_again(store: Store) -> None:
    row = away("a1")
    await store.absences.enter(row, fits)
    await store.absences.note_told(row, 7, None)
    assert [one.told for one in await store.absences.of("ada", NOW)] == [7]
    [ended] = await store.absences.end("ada", "ada", NOW)
    await store.absences.note_told(row, 9, NOW)
    assert [(one.id, one.told) for one in await store.absences.untold(NOW + DAY)] == [("a1", 0)]
    await store.absences.note_told(ended, 9, NOW)
    assert await store.absences.untold(NOW + DAY) == []


async def test_nobody_can_fill_the_table(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "OF_A_PERSON_AT_MOST", 2)
    monkeypatch.setattr(records, "ABSENCES_AT_MOST", 3)
    for number in range(20):
        entered = await store.absences.enter(away(f"a{number}", first=10 * number), fits)
        assert english_of(entered.refused) == (None if number < 2 else "2 absences of ada were entered already")
    for number in range(30):
        entered = await store.absences.enter(away(f"b{number}", f"ben-{number}"), fits)
        assert english_of(entered.refused) == (None if number < 1 else "3 absences of everybody were entered already")
    assert (await store.absences.enter(away("a99", acts="ben"), fits)).refused is None, "it takes the place of another"


async def test_erasure_leaves_nothing_of_a_person(store: Store) -> None:
    for row in (
        away("a1", acts="ben"),
        away("b1", "ben"),
        away("c1", "cleo", acts="ada", entered_by="claimed:ada (root@host)"),
    ):
        await store.absences.enter(row, fits)
    assert await store.absences.erase("ada") == 1
    left = await store.absences.coming(NOW)
    assert [(one.person, one.acts, one.entered_by) for one in left] == [("ben", None, "ben"), ("cleo", None, "")]


async def test_what_is_long_over_is_dropped(store: Store) -> None:
    await store.absences.enter(away("a1"), fits)
    await store.absences.enter(away("a2", first=20), fits)
    await store.absences.drop_over(NOW + 5 * DAY + KEPT_FOR)
    assert await store.absences.read("a1") is not None
    await store.absences.drop_over(NOW + 6 * DAY + KEPT_FOR)
    assert await store.absences.read("a1") is None
    assert await store.absences.read("a2") is not None
