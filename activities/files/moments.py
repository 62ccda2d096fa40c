"""A moment as people write it: a day, which begins and ends in somebody's zone, or an instant."""

from datetime import date, datetime, timedelta
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from activities.calendars.wall_clock import start_of_day
from activities.files.fields import DayOrInstant

_AGES_AGO: Final = date(1900, 1, 1)
_FOR_GOOD: Final = date(9000, 1, 1)
"""People write 9999-12-31 for good; the very ends of the calendar are days that not every zone has."""


def _on_every_clock(moment: date | datetime) -> date | datetime:
    day = moment.date() if isinstance(moment, datetime) else moment
    return moment if _AGES_AGO <= day <= _FOR_GOOD else min(max(day, _AGES_AGO), _FOR_GOOD)


Moment: TypeAlias = Annotated[DayOrInstant, AfterValidator(_on_every_clock)]
UTC_ZONE: Final = ZoneInfo("UTC")


def begin(moment: date | datetime, zone: ZoneInfo) -> datetime:
    """Its first instant: a day begins in the zone."""
    return moment if isinstance(moment, datetime) else start_of_day(moment, zone)


def end(moment: date | datetime, zone: ZoneInfo) -> datetime:
    """The first instant after it: a day is over in the zone."""
    return moment if isinstance(moment, datetime) else start_of_day(moment + timedelta(days=1), zone)
