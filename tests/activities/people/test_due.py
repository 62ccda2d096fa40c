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


def before_due(**time: int) -> datetime:
    return DUE - timedelta(**time)


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (None, "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(days=30), "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(days=8), "Due Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(days=7), "Due in 5 working days: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(days=2), "Due in 2 working days: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(hours=19), "Due tomorrow: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(hours=18), "Due today: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(seconds=1), "Due today: Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(), "Overdue since Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
        (before_due(days=-3), "Overdue since Fri, 11 Dec 2026, 18:00 (Amsterdam)."),
    ],
)
def test_the_nearer_it_is_the_plainer_it_is_said(now: datetime | None, sentence: str) -> None:
    assert due_sentence(DUE, reading(), now) == sentence


def test_a_weekend_is_not_counted_and_one_working_day_is_singular() -> None:
    monday, friday = DUE + timedelta(days=3), DUE - timedelta(hours=8)
    assert due_sentence(monday, reading(), friday).startswith("Due in 1 working day: Mon, 14 Dec")
    assert due_sentence(monday, reading("nl"), friday).startswith("Uiterlijk over 1 werkdag: ma 14 dec")


def test_a_due_date_on_a_day_off_is_only_named() -> None:
    sunday = DUE + timedelta(days=2)
    assert due_sentence(sunday, reading(), DUE).startswith("Due Sun, 13 Dec")
    assert due_sentence(sunday, reading(days="sun-thu"), DUE).startswith("Due in 1 working day: Sun, 13 Dec")


@pytest.mark.parametrize(
    ("due", "sentence"),
    [
        (datetime(2026, 11, 30, 1, 33, tzinfo=UTC), "Due Mon, 30 Nov"),
        (datetime(2026, 11, 30, 8, tzinfo=UTC), "Due Mon, 30 Nov"),
        (datetime(2026, 11, 30, 8, 1, tzinfo=UTC), "Due in 1 working day: Mon, 30 Nov"),
        (datetime(2026, 12, 3, 1, 2, tzinfo=UTC), "Due in 3 working days: Thu, 3 Dec"),
    ],
)
def test_a_day_on_which_it_is_due_before_its_hours_open_leaves_no_time_and_is_not_counted(
    due: datetime, sentence: str
) -> None:
    saturday = datetime(2026, 11, 28, 1, 33, tzinfo=UTC)
    assert due_sentence(due, reading(), saturday).startswith(sentence)


def test_today_and_tomorrow_are_the_readers() -> None:
    now = before_due(hours=7)
    assert due_sentence(DUE, reading(zone="America/New_York"), now).startswith("Due today: Fri, 11 Dec 2026, 12:00")
    assert due_sentence(DUE, reading(zone="Pacific/Auckland"), now).startswith("Due tomorrow: Sat, 12 Dec 2026, 06:00")


@pytest.mark.parametrize(
    ("locale", "sentence"),
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
def test_dates_and_times_are_written_as_the_locale_writes_them(locale: str, sentence: str) -> None:
    assert due_sentence(DUE, reading(locale)) == sentence


@pytest.mark.parametrize(
    ("zone", "zone_name"),
    [
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("Asia/Calcutta", "Kolkata"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires"),
        ("Etc/GMT+5", "GMT-05:00"),
    ],
)
def test_every_clock_has_a_name(zone: str, zone_name: str) -> None:
    assert reading(zone=zone).instant(DUE).endswith(f"({zone_name})")


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
    now = before_due(days=3)
    assert due_sentence(DUE - timedelta(days=1), Reader.from_person(person), now) == (
        "Échéance dans 2 jours ouvrés\u00a0: jeu. 10 déc. 2026, 21:00 (Dubaï)."
    )


@pytest.mark.parametrize(
    ("now", "relative", "sentence"),
    [
        (before_due(days=40), "in 40 days, Fri, 11 Dec", "Due in 40 days, Fri, 11 Dec"),
        (before_due(days=7), "in 7 days, Fri, 11 Dec", "Due in 7 days, Fri, 11 Dec"),
        (before_due(days=6), "in 6 days, Friday", "Due in 6 days, Friday"),
        (before_due(days=2), "in 2 days, Friday", "Due in 2 days, Friday"),
        (before_due(hours=19), "tomorrow 18:00", "Due tomorrow 18:00"),
        (before_due(hours=18), "today 18:00", "Due today 18:00"),
        (before_due(), "today 18:00", "Overdue since today 18:00"),
        (before_due(days=-1), "yesterday 18:00", "Overdue since yesterday 18:00"),
        (before_due(days=-3), "3 days ago, Friday", "Overdue since Friday"),
        (before_due(days=-30), "30 days ago, Fri, 11 Dec 2026", "Overdue since Fri, 11 Dec 2026"),
    ],
)
def test_on_a_page_it_is_said_as_people_say_it_beside_the_exact_instant(
    now: datetime, relative: str, sentence: str
) -> None:
    exact = "Fri, 11 Dec 2026, 18:00 (Amsterdam)"
    assert Deadline.from_due_at(DUE, reading(), now) == Deadline(relative, exact)
    assert Deadline.sentence(DUE, reading(), now) == Deadline(sentence, exact)


def test_a_whole_day_has_no_hour() -> None:
    day = DUE.date()
    sentences = [Deadline.of_day(day, reading(), before_due(days=days)).relative_text for days in (2, 1, 0, -1, -2)]
    assert sentences == ["in 2 days, Friday", "tomorrow", "today", "yesterday", "2 days ago, Friday"]


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_deadline_is_left_in_english(code: str) -> None:
    for days in (30, 3, 1, 0, -1, -3, -30):
        translated, english = (
            Deadline.sentence(DUE, reading(language_code), before_due(days=days)) for language_code in (code, "en")
        )
        assert translated.relative_text != english.relative_text
