"""Durations and days in a time zone. Days and weeks move the local date, so 09:00 stays 09:00; hours and minutes are
absolute. A skipped local time moves on by the gap (02:30 becomes 03:30); of a repeated one the first counts. Results
are in UTC.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_END_OF_WORKING_DAY: Final = time(18)
_UNITS: Final = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
_CALENDAR: Final = {"d": timedelta(days=1), "w": timedelta(weeks=1)}
_ABSOLUTE: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1)}


def after(start: datetime, duration: str, zone: ZoneInfo, *, then: str | None = None, times: int = 0) -> datetime:
    """`duration` after `start`, then `times` times `then`, as one step of local time."""
    days, hours = _parts(duration)
    if then is not None:
        more_days, more_hours = _parts(then)
        days, hours = days + times * more_days, hours + times * more_hours
    return _moved(start, days, zone) + hours


def before(end: datetime, duration: str, zone: ZoneInfo) -> datetime:
    """`duration` before `end`."""
    days, hours = _parts(duration)
    return _moved(end, -days, zone) - hours


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


def in_words(duration: str) -> str:
    """`3 days`, `1 hour`."""
    count, unit = int(duration[:-1]), _UNITS[duration[-1]]
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _parts(duration: str) -> tuple[timedelta, timedelta]:
    count, unit = int(duration[:-1]), duration[-1]
    if unit in _CALENDAR:
        return count * _CALENDAR[unit], timedelta()
    return timedelta(), count * _ABSOLUTE[unit]


def _moved(start: datetime, days: timedelta, zone: ZoneInfo) -> datetime:
    if not days:
        return start.astimezone(UTC)
    return _resolve(start.astimezone(zone).replace(tzinfo=None) + days, zone)


def _resolve(wall: datetime, zone: ZoneInfo) -> datetime:
    # fold=0 is the first of two, and in a gap the offset from before it: exactly what is promised above.
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
