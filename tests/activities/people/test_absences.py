"""Absences that people enter, joined to those of the people file: how soon they count, what is refused, and why."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from activities.people.absences import AbsenceRefused, KnownAbsences, SubstituteCheck, WantedAbsence, refuse_unfit
from activities.people.file_directory import FileDirectory
from activities.people.person import EnteredAbsence, PeopleFile, Person
from activities.records.absences import AbsenceRow
from activities.records.store import Store
from tests.messages import english_of
from workflows.model.absence import SEEN_WITHIN

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
PEOPLE = """
people:
  - {id: ada, name: Ada, email: ada@example.test, zone: Europe/Amsterdam, delegate: ben}
  - {id: ben, name: Ben, email: ben@example.test, zone: Europe/Amsterdam, delegate: ada}
  - {id: cleo, name: Cleo, email: cleo@example.test, zone: Europe/Amsterdam, delegate: ada,
     absent: [{from: 2020-01-01, until: 9999-12-31}]}
  - {id: dan, name: Dan, email: dan@example.test, zone: Europe/Amsterdam}
"""


def directory(folder: Path) -> FileDirectory:
    (folder / "people.yaml").write_text(PEOPLE)
    return FileDirectory(folder / "people.yaml", Store((folder / "store").as_uri()))


def read_people(folder: Path) -> dict[str, Person]:
    (folder / "people.yaml").write_text(PEOPLE)
    return {person.id: person for person in PeopleFile.read(folder / "people.yaml").people}


def make_absence(
    person: str = "ada", acts: str | None = None, *, first: int = -1, last: int = 5, kinds: str = ""
) -> AbsenceRow:
    span = (NOW + first * DAY, NOW + last * DAY)
    return AbsenceRow(f"{person}-{first}", person, *span, acts, tuple(kinds.split()), NOW, person)


def enter_absence(
    acts: str | None = None, kinds: tuple[str, ...] = (), first: int = -1, last: int = 5
) -> EnteredAbsence:
    span = {"from": (NOW + first * DAY).isoformat(), "until": (NOW + last * DAY).isoformat()}
    return EnteredAbsence.model_validate({**span, "id": "a1", "acts": acts, "kinds": kinds})


def accept(other_absences: object) -> None:
    return None


async def test_what_was_entered_is_joined_to_the_file(tmp_path: Path) -> None:
    people, store = directory(tmp_path), Store((tmp_path / "store").as_uri())
    await store.absences.enter(make_absence(acts="dan"), accept)
    ada = await people.person("ada")
    assert ada.absent_at(NOW)
    assert (ada.delegate_at(NOW), ada.delegate_at(NOW + 6 * DAY)) == ("dan", "ben")
    assert not (await people.person("ben")).absent_at(NOW)


async def test_it_wins_over_the_file_only_where_it_says_more(tmp_path: Path) -> None:
    cleo = read_people(tmp_path)["cleo"]
    assert cleo.with_absences((enter_absence(),)).delegate_at(NOW) == "ada", (
        "the delegate of the file, if nobody is named"
    )
    one_kind = cleo.with_absences((enter_absence("dan", kinds=("offer",)),))
    assert one_kind.for_kind("offer").delegate_at(NOW) == "dan"
    assert one_kind.for_kind("policy").delegate_at(NOW) == "ada"
    assert one_kind.for_kind("policy").absent_at(NOW), "the file has them away for everything"


async def test_of_two_at_once_the_one_for_fewer_kinds_names_who_acts(tmp_path: Path) -> None:
    narrow, wide = enter_absence("dan", ("office",), last=2), enter_absence("cleo")
    for order in ((narrow, wide), (wide, narrow)):
        ada = read_people(tmp_path)["ada"].with_absences(order)
        assert [ada.for_kind(kind).delegate_at(NOW) for kind in ("office", "offer")] == ["dan", "cleo"]
        assert ada.for_kind("office").delegate_at(NOW + 3 * DAY) == "cleo", "after the narrow one the wide one goes on"


async def test_who_is_away_for_some_kinds_is_there_for_the_others(tmp_path: Path) -> None:
    ada = read_people(tmp_path)["ada"].with_absences((enter_absence(kinds=("offer",)),))
    assert [ada.for_kind(kind).absent_at(NOW) for kind in ("offer", "policy")] == [True, False]
    assert ada.for_kind("policy").absence_refusal(NOW) is None


async def test_another_process_knows_within_the_bound(tmp_path: Path) -> None:
    store, seconds = Store((tmp_path / "store").as_uri()), [0.0]
    absences = KnownAbsences(store.absences, lambda: seconds[0])
    assert await absences.find_absences("ada") == ()
    await store.absences.enter(make_absence(), accept)
    seconds[0] += SEEN_WITHIN.total_seconds() - 0.1
    assert await absences.find_absences("ada") == (), "it was read a moment ago"
    seconds[0] += 0.1
    assert len(await absences.find_absences("ada")) == 1
    await store.absences.end("ada", "ada", NOW)
    absences.mark_stale()
    assert await absences.find_absences("ada") == (), "the process that changed something knows at once"


async def test_while_the_database_is_away_the_last_absences_stay_in_use_and_it_is_said(tmp_path: Path) -> None:
    store, seconds = Store((tmp_path / "store").as_uri()), [0.0]
    await store.absences.enter(make_absence(), accept)
    absences = KnownAbsences(store.absences, lambda: seconds[0])
    assert len(await absences.find_absences("ada")) == 1
    assert absences.warning is None
    shutil.move(tmp_path / "store" / "countersign.sqlite3", tmp_path / "elsewhere")
    seconds[0] += SEEN_WITHIN.total_seconds()
    assert len(await absences.find_absences("ada")) == 1
    assert absences.warning == "absences that people entered cannot be read"
    shutil.move(tmp_path / "elsewhere", tmp_path / "store" / "countersign.sqlite3")
    seconds[0] += SEEN_WITHIN.total_seconds()
    await absences.find_absences("ada")
    assert absences.warning is None


@pytest.mark.parametrize(
    ("begins", "ends", "acts", "field", "message"),
    [
        (date(2026, 12, 5), date(2026, 12, 4), None, "until", "ends before it begins"),
        (date(2026, 11, 1), date(2026, 11, 30), None, "until", "2026-11-30 has passed"),
        (date(2026, 12, 5), date(9999, 12, 30), None, "until", "is more than two years away"),
        (date(2026, 12, 5), date(2026, 12, 5), "nobody", "acts", '"nobody" is not in the directory'),
    ],
)
def test_bounds_are_refused(
    tmp_path: Path, begins: date, ends: date, acts: str | None, field: str, message: str
) -> None:
    people, now = read_people(tmp_path), datetime(2026, 12, 1, 9, tzinfo=UTC)
    row = WantedAbsence(begins, ends, acts).row(people["ada"], "ada", now)
    with pytest.raises(AbsenceRefused, match=message) as refused:
        refuse_unfit(row, people.get)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("absence", "other_absences", "message"),
    [
        (make_absence("ada", "ada"), (), "the delegates go round in a circle: ada → ada"),
        (make_absence("ada", "ben"), (), None),
        (make_absence("ada", "ben"), (make_absence("ben"),), "the delegates go round in a circle: ada → ben → ada"),
        (make_absence("ada", "ben"), (make_absence("ben", "dan"),), "ben is away"),
        (make_absence("ada", "ben"), (make_absence("ben", "dan", first=1),), None),
        (
            make_absence("ada", "ben"),
            (make_absence("ben", "ada", kinds="offer"),),
            "the delegates go round in a circle: ada → ben → ada",
        ),
        (make_absence("ada", "ben", kinds="policy"), (make_absence("ben", "ada", kinds="offer"),), None),
        (
            make_absence("ada", "dan"),
            (make_absence("dan", "ben"), make_absence("ben", "ada")),
            "circle: ada → dan → ben → ada",
        ),
        (make_absence("ben", "cleo"), (make_absence("ada", "ben"),), "circle: ben → cleo → ada → ben"),
        (make_absence("dan", "cleo"), (), "cleo is away"),
    ],
)
def test_circles_and_substitutes_who_are_away_are_refused(
    tmp_path: Path, absence: AbsenceRow, other_absences: tuple[AbsenceRow, ...], message: str | None
) -> None:
    refusal = SubstituteCheck(absence, read_people(tmp_path).get)(other_absences)
    assert refusal is None if message is None else refusal is not None and message in refusal.english


def test_a_chain_of_any_length_is_looked_at_within_a_bound(tmp_path: Path) -> None:
    chain = [make_absence(f"p{number}", f"p{number + 1}") for number in range(500)]
    assert english_of(SubstituteCheck(make_absence("ada", "p0"), read_people(tmp_path).get)(chain)) == "p0 is away"
