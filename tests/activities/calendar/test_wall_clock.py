"""Durations on the clock of a place: gaps, repeated hours, and every zone there is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from activities.calendar.calendar import add_duration, share, subtract_duration
from tests.activities.book import AMSTERDAM


def test_a_skipped_time_moves_on_by_the_gap_and_of_a_repeated_one_the_first_is_meant() -> None:
    zone = ZoneInfo(AMSTERDAM)
    skipped = add_duration(datetime(2027, 3, 27, 1, 30, tzinfo=UTC), "1d", zone)
    assert skipped == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert skipped.astimezone(zone).hour == 3
    repeated = add_duration(datetime(2027, 10, 30, 0, 30, tzinfo=UTC), "1d", zone)
    assert repeated == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_a_gap_in_between_leaves_the_days_after_it_alone() -> None:
    zone = ZoneInfo(AMSTERDAM)
    third = add_duration(datetime(2027, 3, 27, 1, 30, tzinfo=UTC), "1d", zone, repeated="1d", times=1)
    assert third.astimezone(zone).hour == 2


TEN_YEARS = (datetime(2026, 1, 1), datetime(2036, 1, 1))  # noqa: DTZ001
zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
instants = st.datetimes(*TEN_YEARS, timezones=st.just(UTC))
durations = st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 60), st.sampled_from("mhdw"))


@given(zones, instants, durations)
def test_time_goes_on_in_every_zone(zone: ZoneInfo, start: datetime, duration: str) -> None:
    steps = [add_duration(start, duration, zone, repeated=duration, times=times) for times in range(4)]
    assert steps == sorted(steps)
    assert all(step > start for step in steps)
    assert subtract_duration(start, duration, zone) < start


@given(instants, instants, st.integers(1, 99))
def test_a_share_lies_between(first_instant: datetime, second_instant: datetime, percent: int) -> None:
    start, end = sorted((first_instant, second_instant))
    assert start <= share(start, end, percent) <= end
