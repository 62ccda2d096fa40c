"""Due dates as people type them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from starter.cli.operations import due_of

NOW = datetime(2026, 11, 26, 23, 30, 12, tzinfo=UTC)  # a Thursday; Friday already in Amsterdam
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("typed", "due"),
    [
        ("2026-12-11", date(2026, 12, 11)),
        ("2026-12-11T17:00+01:00", datetime(2026, 12, 11, 16, tzinfo=UTC)),
        ("+7d", date(2026, 12, 4)),
        ("+2w", date(2026, 12, 11)),
        ("+4h", datetime(2026, 11, 27, 3, 30, tzinfo=UTC)),
        ("today", date(2026, 11, 27)),
        ("tomorrow", date(2026, 11, 28)),
        ("tomorrow 17:00", datetime(2026, 11, 28, 16, tzinfo=UTC)),
        ("Tomorrow  9:05", datetime(2026, 11, 28, 8, 5, tzinfo=UTC)),
        ("saturday", date(2026, 11, 28)),
        ("friday", date(2026, 12, 4)),
        ("thu 17:00", datetime(2026, 12, 3, 16, tzinfo=UTC)),
    ],
)
def test_what_people_type_is_a_day_or_an_instant_on_their_clock(typed: str, due: date | datetime) -> None:
    assert due_of(typed, NOW, AMSTERDAM) == due


@pytest.mark.parametrize("typed", ["3d", "+0d", "+1000d", "soon", "tomorrow 25:00", "2026-12-11T17:00", "", "-1d"])
def test_anything_else_is_refused_with_what_would_be_right(typed: str) -> None:
    with pytest.raises(ValueError, match=r"must be a date such as .* with its offset .*, or \+7d, tomorrow, friday 17"):
        due_of(typed, NOW, AMSTERDAM)


def test_the_night_in_which_the_clocks_change_has_its_own_hours() -> None:
    assert due_of("tomorrow 12:00", datetime(2026, 10, 24, 12, tzinfo=UTC), AMSTERDAM) == datetime(
        2026, 10, 25, 11, tzinfo=UTC
    )
