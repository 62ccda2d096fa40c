"""Absences that people enter, joined to those of the people file: how soon they count, what is refused, and why."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from activities.people.absences import AbsenceRefused, Judgement, KnownAbsences, WantedAbsence, refuse_unfit
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


def known(folder: Path) -> dict[str, Person]:
    (folder / "people.yaml").write_text(PEOPLE)
    return {one.id: one for one in PeopleFile.read(folder / "people.yaml").people}


def away(
    person: str = "ada", acts: str | None = None, *, first: int = -1, last: int = 5, kinds: str = ""
) -> AbsenceRow:
    span = (NOW + first * DAY, NOW + last * DAY)
    return AbsenceRow(f"{person}-{first}", person, *span, acts, tuple(kinds.split()), NOW, person)


def entered(acts: str | None = None, kinds: tuple[str, ...] = (), first: int = -1, last: int = 5) -> EnteredAbsence:
    span = {"from": (NOW + first * DAY).isoformat(), "until": (NOW + last * DAY).isoformat()}
    return EnteredAbsence.model_validate({**span, "id": "a1", "acts": acts, "kinds": kinds})


def fits(others: object) -> None:
    return None


async def test_what_was_entered_is_joined_to_the_file(tmp_path: Path) -> None:
    people, store = directory(tmp_path), Store((tmp_path / "store").as_uri())
    await store.absences.enter(away(acts="dan"), fits)
    ada = await people.person("ada")
    assert ada.absent_at(NOW)
    assert (ada.delegate_at(NOW), ada.delegate_at(NOW + 6 * DAY)) == ("dan", "ben")
    assert not (await people.person("ben")).absent_at(NOW)


async def test_it_wins_over_the_file_only_where_it_says_more(tmp_path: Path) -> None:
    cleo = known(tmp_path)["cleo"]
    assert cleo.with_absences((entered(),)).delegate_at(NOW) == "ada", "the delegate of the file, if nobody is named"
    one_kind = cleo.with_absences((entered("dan", kinds=("offer",)),))
    assert one_kind.about("offer").delegate_at(NOW) == "dan"
    assert one_kind.about("policy").delegate_at(NOW) == "ada"
    assert one_kind.about("policy").absent_at(NOW), "the file has them away for everything"


async def test_of_two_at_once_the_one_for_fewer_kinds_names_who_acts(tmp_path: Path) -> None:
    narrow, wide = entered("dan", ("office",), last=2), entered("cleo")
    for order in ((narrow, wide), (wide, narrow)):
        ada = known(tmp_path)["ada"].with_absences(order)
        assert [ada.about(kind).delegate_at(NOW) for kind in ("office", "offer")] == ["dan", "cleo"]
        assert ada.about("office").delegate_at(NOW + 3 * DAY) == "cleo", "after the narrow one the wide one goes on"


async def test_who_is_away_for_some_kinds_is_there_for_the_others(tmp_path: Path) -> None:
    ada = known(tmp_path)["ada"].with_absences((entered(kinds=("offer",)),))
    assert [ada.about(kind).absent_at(NOW) for kind in ("offer", "policy")] == [True, False]
    assert ada.about("policy").absence_refusal(NOW) is None


async def test_another_process_knows_within_the_bound(tmp_path: Path) -> None:
    store, seconds = Store((tmp_path / "store").as_uri()), [0.0]
    ours = KnownAbsences(store.absences, lambda: seconds[0])
    assert await ours.of("ada") == ()
    await store.absences.enter(away(), fits)
    seconds[0] += SEEN_WITHIN.total_seconds() - 0.1
    assert await ours.of("ada") == (), "it was read a moment ago"
    seconds[0] += 0.1
    assert len(await ours.of("ada")) == 1
    await store.absences.end("ada", "ada", NOW)
    ours.forget()
    assert await ours.of("ada") == (), "the process that changed something knows at once"


async def test_while_the_database_is_away_the_last_absences_stay_in_use_and_it_is_said(tmp_path: Path) -> None:
    store, seconds = Store((tmp_path / "store").as_uri()), [0.0]
    await store.absences.enter(away(), fits)
    ours = KnownAbsences(store.absences, lambda: seconds[0])
    assert len(await ours.of("ada")) == 1
    assert ours.warning is None
    shutil.move(tmp_path / "store" / "countersign.sqlite3", tmp_path / "elsewhere")
    seconds[0] += SEEN_WITHIN.total_seconds()
    assert len(await ours.of("ada")) == 1
    assert ours.warning == "absences that people entered cannot be read"
    shutil.move(tmp_path / "elsewhere", tmp_path / "store" / "countersign.sqlite3")
    seconds[0] += SEEN_WITHIN.total_seconds()
    await ours.of("ada")
    assert ours.warning is None


@pytest.mark.parametrize(
    ("begins", "ends", "acts", "field", "why"),
    [
        (date(2026, 12, 5), date(2026, 12, 4), None, "until", "ends before it begins"),
        (date(2026, 11, 1), date(2026, 11, 30), None, "until", "2026-11-30 has passed"),
        (date(2026, 12, 5), date(9999, 12, 30), None, "until", "is more than two years away"),
        (date(2026, 12, 5), date(2026, 12, 5), "nobody", "acts", '"nobody" is not in the directory'),
    ],
)
def test_bounds_are_refused(tmp_path: Path, begins: date, ends: date, acts: str | None, field: str, why: str) -> None:
    people, now = known(tmp_path), datetime(2026, 12, 1, 9, tzinfo=UTC)
    row = WantedAbsence(begins, ends, acts).row(people["ada"], "ada", now)
    with pytest.raises(AbsenceRefused, match=why) as refused:
        refuse_unfit(row, people.get)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("wanted", "others", "why"),
    [
        (away("ada", "ada"), (), "the delegates go round in a circle: ada → ada"),
        (away("ada", "ben"), (), None),
        (away("ada", "ben"), (away("ben"),), "the delegates go round in a circle: ada → ben → ada"),
        (away("ada", "ben"), (away("ben", "dan"),), "ben is away"),
        (away("ada", "ben"), (away("ben", "dan", first=1),), None),
        (
            away("ada", "ben"),
            (away("ben", "ada", kinds="offer"),),
            "the delegates go round in a circle: ada → ben → ada",
        ),
        (away("ada", "ben", kinds="policy"), (away("ben", "ada", kinds="offer"),), None),
        (away("ada", "dan"), (away("dan", "ben"), away("ben", "ada")), "circle: ada → dan → ben → ada"),
        (away("ben", "cleo"), (away("ada", "ben"),), "circle: ben → cleo → ada → ben"),
        (away("dan", "cleo"), (), "cleo is away"),
    ],
)
def test_circles_and_substitutes_who_are_away_are_refused(
    tmp_path: Path, wanted: AbsenceRow, others: tuple[AbsenceRow, ...], why: str | None
) -> None:
    refusal = Judgement(wanted, known(tmp_path).get)(others)
    assert refusal is None if why is None else refusal is not None and why in refusal.english


def test_a_chain_of_any_length_is_looked_at_within_a_bound(tmp_path: Path) -> None:
    others = [away(f"p{number}", f"p{number + 1}") for number in range(500)]
    assert english_of(Judgement(away("ada", "p0"), known(tmp_path).get)(others)) == "p0 is away"
