"""Due dates in words: the reader's clock, the nearness of the day, and working days that are theirs."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from activities.files.fields import zones
from activities.people.language import LANGUAGES
from activities.people.person import Person
from activities.people.reader import Deadline, Reader, due_sentence
from tests.activities.reading import reading

DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)
"""A Friday, 18:00 in Amsterdam."""


def before(**time: int) -> datetime:
    return DUE - timedelta(**time)


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (None, "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(days=30), "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(days=8), "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(days=7), "Due in 5 working days: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(days=2), "Due in 2 working days: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(hours=19), "Due tomorrow: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(hours=18), "Due today: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(seconds=1), "Due today: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(), "Overdue since Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before(days=-3), "Overdue since Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
    ],
)
def test_the_nearer_it_is_the_plainer_it_is_said(now: datetime | None, says: str) -> None:
    assert due_sentence(DUE, reading(), now) == says


def test_a_weekend_is_not_counted_and_one_working_day_is_singular() -> None:
    monday, friday = DUE + timedelta(days=3), DUE - timedelta(hours=8)
    assert due_sentence(monday, reading(), friday).startswith("Due in 1 working day: Mon, 14 Dec")
    assert due_sentence(monday, reading("nl"), friday).startswith("Uiterlijk over 1 werkdag: ma 14 dec")


def test_a_due_date_on_a_day_off_is_only_named() -> None:
    sunday = DUE + timedelta(days=2)
    assert due_sentence(sunday, reading(), DUE).startswith("Due Sun, 13 Dec")
    assert due_sentence(sunday, reading(days="sun-thu"), DUE).startswith("Due in 1 working day: Sun, 13 Dec")


@pytest.mark.parametrize(
    ("due", "says"),
    [
        (datetime(2026, 11, 30, 1, 33, tzinfo=UTC), "Due Mon, 30 Nov"),
        (datetime(2026, 11, 30, 8, tzinfo=UTC), "Due Mon, 30 Nov"),
        (datetime(2026, 11, 30, 8, 1, tzinfo=UTC), "Due in 1 working day: Mon, 30 Nov"),
        (datetime(2026, 12, 3, 1, 2, tzinfo=UTC), "Due in 3 working days: Thu, 3 Dec"),
    ],
)
def test_a_day_on_which_it_is_due_before_its_hours_open_leaves_no_time_and_is_not_counted(
    due: datetime, says: str
) -> None:
    saturday = datetime(2026, 11, 28, 1, 33, tzinfo=UTC)
    assert due_sentence(due, reading(), saturday).startswith(says)


def test_today_and_tomorrow_are_the_readers() -> None:
    now = before(hours=7)
    assert due_sentence(DUE, reading(zone="America/New_York"), now).startswith("Due today: Fri, 11 Dec 2026, 12:00")
    assert due_sentence(DUE, reading(zone="Pacific/Auckland"), now).startswith("Due tomorrow: Sat, 12 Dec 2026, 06:00")


@pytest.mark.parametrize(
    ("locale", "says"),
    [
        ("en-US", "Due Fri, Dec 11, 2026, 6:00\u202fPM (Amsterdam)."),
        ("en-GB", "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        ("nl", "Uiterlijk vr 11 dec 2026, 18:00 (Amsterdam)."),
        ("de", "Frist: Fr., 11. Dez. 2026, 18:00 (Amsterdam)."),
        ("fr-CA", "Échéance\u00a0: ven. 11 déc. 2026, 18 h 00 (Amsterdam)."),
        ("es", "Vence: vie, 11 dic 2026, 18:00 (Ámsterdam)."),
        ("ja", "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
    ],
)
def test_dates_and_times_are_written_as_the_locale_writes_them(locale: str, says: str) -> None:
    assert due_sentence(DUE, reading(locale)) == says


@pytest.mark.parametrize(
    ("zone", "place"),
    [
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Asia/Calcutta", "Kolkata"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires"),
        ("Etc/GMT+5", "GMT-05:00"),
    ],
)
def test_every_clock_has_a_name(zone: str, place: str) -> None:
    assert reading(zone=zone).instant(DUE).endswith(f"({place})")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_zone_and_language_leave_a_clock_without_a_name(language: str) -> None:
    for zone in zones():
        assert re.search(r"\(.+\)$", reading(language, zone).instant(DUE)), zone


def test_a_public_holiday_is_no_working_day() -> None:
    december_28, december_24 = datetime(2026, 12, 28, 17, tzinfo=UTC), datetime(2026, 12, 24, 9, tzinfo=UTC)
    assert due_sentence(december_28, reading(), december_24).startswith("Due in 2 working days: Mon, 28 Dec")
    assert due_sentence(december_28, reading(calendar="NL"), december_24).startswith(
        "Due in 1 working day: Mon, 28 Dec"
    )


def test_a_person_reads_in_their_language_on_their_clock() -> None:
    person = Person(
        id="customer-signer",
        name="Customer",
        email="customer@acme.test",
        zone="Asia/Dubai",
        locale="fr",
        days="sun-thu",
    )
    now = before(days=3)
    assert due_sentence(DUE - timedelta(days=1), Reader.of(person), now) == (
        "Échéance dans 2 jours ouvrés\u00a0: jeu. 10 déc. 2026, 21:00 (Dubaï)."
    )


@pytest.mark.parametrize(
    ("now", "words", "sentence"),
    [
        (before(days=40), "in 40 days, Fri, 11 Dec", "Due in 40 days, Fri, 11 Dec"),
        (before(days=7), "in 7 days, Fri, 11 Dec", "Due in 7 days, Fri, 11 Dec"),
        (before(days=6), "in 6 days, Friday", "Due in 6 days, Friday"),
        (before(days=2), "in 2 days, Friday", "Due in 2 days, Friday"),
        (before(hours=19), "tomorrow 18:00", "Due tomorrow 18:00"),
        (before(hours=18), "today 18:00", "Due today 18:00"),
        (before(), "today 18:00", "Overdue since today 18:00"),
        (before(days=-1), "yesterday 18:00", "Overdue since yesterday 18:00"),
        (before(days=-3), "3 days ago, Friday", "Overdue since Friday"),
        (before(days=-30), "30 days ago, Fri, 11 Dec 2026", "Overdue since Fri, 11 Dec 2026"),
    ],
)
def test_on_a_page_it_is_said_as_people_say_it_beside_the_exact_instant(
    now: datetime, words: str, sentence: str
) -> None:
    exact = "Fri, 11 Dec 2026, 18:00 (Amsterdam)"
    assert Deadline.of(DUE, reading(), now) == Deadline(words, exact)
    assert Deadline.sentence(DUE, reading(), now) == Deadline(sentence, exact)


def test_a_whole_day_has_no_hour() -> None:
    day = DUE.date()
    told = [Deadline.of_day(day, reading(), before(days=days)).words for days in (2, 1, 0, -1, -2)]
    assert told == ["in 2 days, Friday", "tomorrow", "today", "yesterday", "2 days ago, Friday"]


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_deadline_is_left_in_english(code: str) -> None:
    for days in (30, 3, 1, 0, -1, -3, -30):
        found, english = (Deadline.sentence(DUE, reading(one), before(days=days)) for one in (code, "en"))
        assert found.words != english.words
