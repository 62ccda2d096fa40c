"""Durations and days in a time zone, and public holidays of a country or subdivision."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from holidays import country_holidays, list_supported_countries

from activities.errors import did_you_mean
from workflows.model.file_faults import FileFault

_END_OF_WORKING_DAY: Final = time(18)
_CALENDAR: Final = {"d": timedelta(days=1), "w": timedelta(weeks=1)}
_ABSOLUTE: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1)}
_ISO_COUNTRY: Final = 2
_ISO_SUBDIVISION: Final = 3
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def add_duration(
    start: datetime, duration: str, zone: ZoneInfo, *, repeated: str | None = None, times: int = 0
) -> datetime:
    """`duration` after `start`, then `times` times `then`, as one step of local time."""
    days, hours = _parts(duration)
    if repeated is not None:
        more_days, more_hours = _parts(repeated)
        days, hours = days + times * more_days, hours + times * more_hours
    return _move_days(start, days, zone) + hours


def subtract_duration(end: datetime, duration: str, zone: ZoneInfo) -> datetime:
    """`duration` before `end`."""
    days, hours = _parts(duration)
    return _move_days(end, -days, zone) - hours


def latest_end_of_day(day: date, closing: Iterable[tuple[ZoneInfo, time]]) -> datetime:
    """The last of the ends of that working day, each in its zone; 18:00 UTC when there are none."""
    ends = (at_clock(day, closes, zone) for zone, closes in closing)
    return max(ends, default=datetime.combine(day, _END_OF_WORKING_DAY, UTC))


def at_clock(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return _resolve(datetime.combine(day, clock), zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return at_clock(day, time(), zone)


def share(start: datetime, end: datetime, percent: int) -> datetime:
    """The instant at which `percent` of the time from `start` to `end` has passed, to the second."""
    passed = (end - start) * percent / 100
    return (start + timedelta(seconds=passed // timedelta(seconds=1))).astimezone(UTC)


def longer_than_days(duration: str, days: int) -> bool:
    return length(duration) > timedelta(days=days)


def length(duration: str) -> timedelta:
    """Without changes of the clock."""
    return sum(_parts(duration), timedelta())


def is_of_days(duration: str) -> bool:
    """Whether a duration moves the date, not the clock."""
    return duration[-1] in _CALENDAR


@cache
def public_holidays(calendar: str, year: int) -> Mapping[date, str]:
    country, _, subdivision = calendar.partition("-")
    names_by_day = country_holidays(country, subdiv=subdivision or None, years=year, expand=False, language="en_US")
    return dict(names_by_day)


def known_calendar(calendar: str) -> str:
    """The code; `ValueError` suggests valid ones."""
    try:
        public_holidays(calendar, 2026)
    except NotImplementedError:
        raise FileFault.UNKNOWN_CALENDAR.error(calendar=calendar, hint=_instead(calendar)) from None
    return calendar


@cache
def clock_hours(text: str) -> tuple[time, time]:
    """Opening and closing time of `09:00-18:00`; raises `ValueError`."""
    if not re.fullmatch(f"{_CLOCK}-{_CLOCK}", text) or text[:5] >= text[6:]:
        raise FileFault.NO_WORKING_HOURS.error()
    return time.fromisoformat(text[:5]), time.fromisoformat(text[6:])


@cache
def weekdays(text: str) -> frozenset[int]:
    """Days of `mon-fri`, `sun-thu` or `mon,wed,thu`, Monday is 0; raises `ValueError`."""
    parts = [part.split("-") for part in text.split(",")]
    if any(end not in _WEEKDAYS for part in parts for end in part) or any(len(part) > 2 for part in parts):
        raise FileFault.NO_WEEKDAYS.error()
    return frozenset(day for first, *last in parts for day in _from_to(first, last[0] if last else first))


def _parts(duration: str) -> tuple[timedelta, timedelta]:
    count, unit = int(duration[:-1]), duration[-1]
    if unit in _CALENDAR:
        return count * _CALENDAR[unit], timedelta()
    return timedelta(), count * _ABSOLUTE[unit]


def _move_days(start: datetime, days: timedelta, zone: ZoneInfo) -> datetime:
    if not days:
        return start.astimezone(UTC)
    return _resolve(start.astimezone(zone).replace(tzinfo=None) + days, zone)


def _resolve(wall: datetime, zone: ZoneInfo) -> datetime:
    # fold=0 is the first of two, and in a gap the offset from before it: exactly what is promised above.
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _instead(calendar: str) -> str:
    country, _, subdivision = calendar.partition("-")
    countries = {code: codes for code, codes in list_supported_countries().items() if len(code) == _ISO_COUNTRY}
    if not subdivision or country not in countries:
        return did_you_mean(country, countries) or ", known are countries such as NL and subdivisions such as DE-BY"
    subdivisions = ", ".join(
        sorted(code for code in countries[country] if code.isalnum() and len(code) <= _ISO_SUBDIVISION)
    )
    return f", the subdivisions of {country} are {subdivisions or 'all alike'}"


def _from_to(first: str, last: str) -> list[int]:
    begin, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last)
    return [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
