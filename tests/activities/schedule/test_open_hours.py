"""When somebody may be told something: hours, days, holidays and absences on their own clock."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from activities.calendar.calendar import known_calendar, public_holidays, weekdays
from activities.people.person import Absence
from activities.schedule.open_hours import OpenHours, OpenSlot
from tests.activities.book import make_person
from workflows.model.policy import Policy

WORKING = Policy(hours="working")
FAR = datetime(2028, 1, 1, tzinfo=UTC)


def make_open_hours(policy: Policy = WORKING, **person: Any) -> OpenHours:
    return OpenHours.for_person(make_person("signer", **person), policy)


def utc_instant(day: str, clock: str = "00:00") -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(f"{day}T{clock}:00+00:00")


def find_opening(open_hours: OpenHours, instant: datetime, limit: datetime = FAR) -> datetime | None:
    slot = open_hours.next_slot(instant, limit)
    return max(instant, slot.opens) if slot else None


def absent(begin: str, end: str) -> tuple[Absence, ...]:
    return (Absence.model_validate({"from": begin, "until": end}),)


@pytest.mark.parametrize(
    ("instant", "next_open"),
    [
        (utc_instant("2026-11-02", "07:59"), utc_instant("2026-11-02", "08:00")),
        (utc_instant("2026-11-02", "08:00"), utc_instant("2026-11-02", "08:00")),
        (utc_instant("2026-11-02", "16:59"), utc_instant("2026-11-02", "16:59")),
        (utc_instant("2026-11-02", "17:00"), utc_instant("2026-11-03", "08:00")),
        (utc_instant("2026-11-06", "17:00"), utc_instant("2026-11-09", "08:00")),
        (utc_instant("2027-03-26", "17:30"), utc_instant("2027-03-29", "07:00")),
    ],
)
def test_the_next_open_hours_are_those_of_the_place(instant: datetime, next_open: datetime) -> None:
    assert find_opening(make_open_hours(), instant) == next_open


def test_a_holiday_is_a_day_off_where_it_is_one() -> None:
    kings_day = utc_instant("2027-04-27", "09:00")
    assert find_opening(make_open_hours(calendar="NL"), kings_day) == utc_instant("2027-04-28", "07:00")
    assert find_opening(make_open_hours(calendar="BE"), kings_day) == kings_day
    assert make_open_hours(calendar="NL").why_closed(kings_day).english == "a public holiday (King's Day)"


def test_a_subdivision_has_holidays_of_its_own() -> None:
    epiphany = date(2027, 1, 6)
    assert epiphany in public_holidays("DE-BY", 2027)
    assert epiphany not in public_holidays("DE-HH", 2027)


@pytest.mark.parametrize(
    ("calendar", "message"),
    [
        ("NN", "NN is not a known calendar, known are countries such as NL"),
        ("DE-QQ", "DE-QQ is not a known calendar, the subdivisions of DE are BB, BE"),
        ("NL-NH", "NL-NH is not a known calendar, the subdivisions of NL are all alike"),
    ],
)
def test_an_unknown_calendar_is_refused_with_what_would_be_right(calendar: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        known_calendar(calendar)


def test_own_hours_and_days() -> None:
    night_shift = make_open_hours(hours="20:00-23:30", days="sun-wed")
    assert find_opening(night_shift, utc_instant("2026-11-05", "12:00")) == utc_instant("2026-11-08", "19:00")
    assert weekdays("sun-wed") == {6, 0, 1, 2}
    assert weekdays("mon,wed,thu") == {0, 2, 3}


def test_hours_of_the_policy_replace_their_own_on_their_days() -> None:
    open_hours = make_open_hours(Policy(hours="10:00-12:00"), hours="07:00-15:00", days="tue")
    assert find_opening(open_hours, utc_instant("2026-11-02", "10:00")) == utc_instant("2026-11-03", "09:00")
    assert open_hours.why_closed(utc_instant("2026-11-03", "13:00")).english == "outside 10:00-12:00"


@pytest.mark.parametrize("policy", [Policy(hours="any"), Policy(hours="working", urgent=True)])
def test_round_the_clock_knows_absences_but_neither_nights_nor_holidays(policy: Policy) -> None:
    open_hours = make_open_hours(policy, calendar="NL", absent=absent("2026-11-02", "2026-11-03"))
    assert find_opening(open_hours, utc_instant("2026-12-25", "03:00")) == utc_instant("2026-12-25", "03:00")
    assert find_opening(open_hours, utc_instant("2026-11-02", "12:00")) == utc_instant("2026-11-03", "23:00")


def test_an_absence_cuts_a_hole_into_a_day() -> None:
    open_hours = make_open_hours(absent=absent("2026-11-02T11:00:00Z", "2026-11-02T13:00:00Z"))
    assert open_hours.slots(date(2026, 11, 2)) == (
        OpenSlot(utc_instant("2026-11-02", "08:00"), utc_instant("2026-11-02", "11:00")),
        OpenSlot(utc_instant("2026-11-02", "13:00"), utc_instant("2026-11-02", "17:00")),
    )
    assert find_opening(open_hours, utc_instant("2026-11-02", "12:00")) == utc_instant("2026-11-02", "13:00")
    assert open_hours.why_closed(utc_instant("2026-11-02", "12:00")).english == "they are absent"


def test_a_slot_begins_with_its_opening_and_ends_before_its_closing() -> None:
    opening, closing = datetime(2026, 11, 26, 9, tzinfo=UTC), datetime(2026, 11, 26, 17, tzinfo=UTC)
    slot = OpenSlot(opening, closing)
    assert opening in slot and closing not in slot


def test_there_may_be_no_open_hours_before_an_instant() -> None:
    assert (
        find_opening(make_open_hours(), utc_instant("2026-11-06", "18:00"), utc_instant("2026-11-09", "08:00")) is None
    )
    assert find_opening(make_open_hours(absent=absent("2026-11-01", "2099-01-01")), utc_instant("2026-11-02")) is None


def test_the_last_working_day_and_the_last_occasion() -> None:
    open_hours, begins_at = make_open_hours(), utc_instant("2026-11-02", "10:00")
    friday = OpenSlot(utc_instant("2026-11-06", "08:00"), utc_instant("2026-11-06", "17:00"))
    assert open_hours.last_day(date(2026, 11, 9), begins_at) == friday
    assert open_hours.last_slot(utc_instant("2026-11-08"), begins_at) == friday
    assert open_hours.last_day(date(2026, 11, 3), begins_at) is None
    assert (
        open_hours.last_slot(
            utc_instant("2026-11-02", "09:00"), utc_instant("2026-11-02", "18:00") - timedelta(hours=17)
        )
        is not None
    )


def test_what_matters_is_told_apart() -> None:
    open_hours = make_open_hours(absent=absent("2026-11-09", "2026-11-13"))
    assert open_hours.absence_matters(utc_instant("2026-11-07"), FAR)
    assert not open_hours.absence_matters(utc_instant("2026-11-14"), FAR)
