"""When to remind somebody who says "not now": this evening, tomorrow morning, the next working day. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from activities.calendars.wall_clock import at_clock
from activities.language import phrase
from activities.reader import Reader
from workflows.follow_up.agenda import APART

_EVENING: Final = time(18)
_MORNING: Final = time(9)
_DAY: Final = timedelta(days=1)
_LOOK_AHEAD: Final = 31


@dataclass(frozen=True)
class SnoozeTime:
    """A time at which somebody may be reminded; `name` is in English."""

    name: str
    at: datetime


def times(reader: Reader, now: datetime, latest: datetime | None) -> tuple[SnoozeTime, ...]:
    """The times that lie on the reader's clock at least an hour after `now` and not after `latest`; earliest first."""
    return tuple(later for later in _times(reader, now) if now + APART <= later.at <= (latest or later.at))


def _times(reader: Reader, now: datetime) -> Iterator[SnoozeTime]:
    today = reader.day(now)
    yield SnoozeTime(phrase("This evening"), at_clock(today, _EVENING, reader.zone))
    yield SnoozeTime(phrase("Tomorrow morning"), at_clock(today + _DAY, _MORNING, reader.zone))
    working = next((day for day in _days_after(today) if reader.works(day)), None)
    if working is not None and working > today + _DAY:
        yield SnoozeTime(phrase("The next working day"), at_clock(working, _MORNING, reader.zone))


def _days_after(today: date) -> Iterator[date]:
    return (today + step * _DAY for step in range(1, _LOOK_AHEAD))
