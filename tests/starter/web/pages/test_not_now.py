"""When somebody may be reminded who says "not now": on their own clock, in the future, before the last warning."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from activities.people.language import Language
from activities.people.reader import Reader
from starter.web.pages.options import snooze_times

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
CHRISTMAS = (date(2026, 12, 25), date(2026, 12, 26))


def is_working_day(day: date) -> bool:
    return day.weekday() < 5 and day not in CHRISTMAS


def list_snooze_times(now: str, latest: str | None = None, zone: ZoneInfo = AMSTERDAM) -> list[str]:
    reader = Reader(Language.english(), zone, is_working_day)
    latest_at = datetime.fromisoformat(latest).replace(tzinfo=zone) if latest else None
    times = snooze_times(reader, datetime.fromisoformat(now).replace(tzinfo=zone), latest_at)
    assert all(later.at.tzinfo is UTC for later in times)
    return [f"{later.name}: {later.at.astimezone(zone):%a %d %H:%M}" for later in times]


EVENING, MORNING, WORKING = "This evening", "Tomorrow morning", "The next working day"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-26T10:00", [f"{EVENING}: Thu 26 18:00", f"{MORNING}: Fri 27 09:00"]),
        ("2026-11-26T17:00", [f"{EVENING}: Thu 26 18:00", f"{MORNING}: Fri 27 09:00"]),
        ("2026-11-26T17:01", [f"{MORNING}: Fri 27 09:00"]),
        ("2026-11-27T20:00", [f"{MORNING}: Sat 28 09:00", f"{WORKING}: Mon 30 09:00"]),
        ("2026-12-24T19:00", [f"{MORNING}: Fri 25 09:00", f"{WORKING}: Mon 28 09:00"]),
        ("2026-11-26T00:30", [f"{EVENING}: Thu 26 18:00", f"{MORNING}: Fri 27 09:00"]),
    ],
)
def test_the_times_are_those_of_a_persons_day(now: str, expected: list[str]) -> None:
    assert list_snooze_times(now) == expected


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        ("2026-11-28T09:00", [f"{MORNING}: Sat 28 09:00"]),
        ("2026-11-28T08:59", []),
        ("2026-11-30T09:00", [f"{MORNING}: Sat 28 09:00", f"{WORKING}: Mon 30 09:00"]),
    ],
)
def test_none_lies_after_the_last_warning(latest: str, expected: list[str]) -> None:
    assert list_snooze_times("2026-11-27T20:00", latest) == expected


def test_the_clock_changes_in_between_and_nine_stays_nine() -> None:
    assert list_snooze_times("2026-10-24T19:00")[0] == f"{MORNING}: Sun 25 09:00"
    assert list_snooze_times("2026-03-28T19:00")[0] == f"{MORNING}: Sun 29 09:00"


def test_who_never_works_is_offered_what_is_left() -> None:
    reader = Reader(Language.english(), AMSTERDAM, lambda _: False)
    times = snooze_times(reader, datetime(2026, 11, 27, 12, 0, tzinfo=UTC), None)
    assert [later.name for later in times] == [EVENING, MORNING]
