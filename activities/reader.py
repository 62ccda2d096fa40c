"""Whoever reads our words: their language, their clock, their working days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final, Self, TypeAlias
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton, format_time

from activities.calendars.public_holidays import public_holidays
from activities.calendars.working_time import clock_hours, weekdays
from activities.directory import Directory, DirectoryFailure
from activities.language import Language
from activities.person import USUAL_HOURS, Person

_USUAL_DAYS: Final = "mon-fri"
_DATE: Final = "yMMMEd"
_DAY: Final = "MMMEd"
Day: TypeAlias = date
"""A reader has a method of the name of its type."""
_CITY: Final = "VVV"
_OFFSET: Final = "ZZZZ"


@dataclass(frozen=True)
class Reader:
    """Somebody who reads a date on their own clock; `works` tells their working days."""

    language: Language
    zone: ZoneInfo
    works: Callable[[date], bool]
    opens: time = clock_hours(USUAL_HOURS)[0]
    """When a working day of theirs begins."""

    @classmethod
    def of(cls, person: Person) -> Self:
        """Somebody of the directory."""
        return cls(
            Language.of(person.locale),
            person.tz,
            _working_days(person.weekdays, person.calendar),
            person.working_hours[0],
        )

    @classmethod
    def unknown(cls, language: Language) -> Self:
        """Somebody of whom we know at most what their browser says."""
        return cls(language, ZoneInfo("UTC"), _working_days(weekdays(_USUAL_DAYS), None))

    def day(self, instant: datetime) -> date:
        """The day it is where they are."""
        return instant.astimezone(self.zone).date()

    def has_opened(self, instant: datetime) -> bool:
        """Whether a working day of theirs would have begun before it."""
        return instant.astimezone(self.zone).time() > self.opens

    def date(self, day: date) -> str:
        """A day of the calendar: `Fri, 11 Dec 2026`."""
        return format_skeleton(_DATE, day, locale=self.language.locale)

    def instant(self, instant: datetime) -> str:
        """An instant on their own clock, named by its city: `Fri, 11 Dec 2026, 18:00 (Amsterdam)`."""
        return f"{self._written(instant, _DATE)} ({self._place(instant)})"

    def shortly(self, instant: datetime, now: datetime | None) -> str:
        """The same without the city, and in the year of `now` without the year: `Fri, 11 Dec, 18:00`."""
        return self._written(instant, self._skeleton(self.day(instant), now))

    def date_in_short(self, day: Day, now: datetime) -> str:
        """A day of the calendar: `Fri, 11 Dec`, with the year in another one."""
        return format_skeleton(self._skeleton(day, now), day, locale=self.language.locale)

    def weekday(self, day: Day) -> str:
        """`Tuesday`, as it stands within a sentence."""
        return format_date(day, "EEEE", locale=self.language.locale)

    def _skeleton(self, day: Day, now: datetime | None) -> str:
        same_year = now is not None and self.day(now).year == day.year
        return _DAY if same_year else _DATE

    def _written(self, instant: datetime, skeleton: str) -> str:
        locale = self.language.locale
        day = format_skeleton(skeleton, instant, tzinfo=self.zone, locale=locale)
        clock = format_time(instant, "short", tzinfo=self.zone, locale=locale)
        return f"{locale.datetime_formats['medium'].format(clock, day)}"

    def moment(self, instant: datetime) -> str:
        """The same for a list of many, whose clock is named once: `Fri, 11 Dec 2026, 18:00`."""
        return self.instant(instant).rpartition(" (")[0]

    def clock(self, instant: datetime) -> str:
        """The time of the day alone: `18:00`."""
        return format_time(instant, "short", tzinfo=self.zone, locale=self.language.locale)

    def place(self, instant: datetime) -> str:
        """The city of their clock."""
        return self._place(instant)

    def _place(self, instant: datetime) -> str:
        """The city of the clock; the offset where it has none, since `Etc/GMT+5` lies west, not east."""
        pattern = _OFFSET if self.zone.key.removeprefix("Etc/").startswith("GMT") else _CITY
        # Cities are named alike in all regions of a language, and some of Babel's regions name none.
        return format_datetime(instant, pattern, tzinfo=self.zone, locale=self.language.code).rpartition("/")[2]


def _working_days(days: frozenset[int], calendar: str | None) -> Callable[[date], bool]:
    def works(day: date) -> bool:
        return day.weekday() in days and not (calendar and day in public_holidays(calendar, day.year))

    return works


async def language_of(directory: Directory, person: str, beside: str | None = None) -> Language:
    """What is written for somebody is written in; English while the directory does not say."""
    try:
        return Language.of((await directory.person(person, beside)).locale)
    except DirectoryFailure:
        return Language.english()
