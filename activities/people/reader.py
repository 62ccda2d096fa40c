"""Dates, times and deadlines in a reader's language, time zone and working days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Self, TypeAlias
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton, format_time

from activities.calendar.calendar import clock_hours, public_holidays, weekdays
from activities.people.directory import Directory, DirectoryFailure
from activities.people.language import Language, phrase
from activities.people.person import USUAL_HOURS, Person

_USUAL_DAYS: Final = "mon-fri"
_DATE: Final = "yMMMEd"
_DAY: Final = "MMMEd"
Day: TypeAlias = date
"""A reader has a method of the name of its type."""
_CITY: Final = "VVV"
_OFFSET: Final = "ZZZZ"
_NEAR: Final = timedelta(days=7)
"""Working days are counted up to here; beyond only the date is named."""
_ONE_DAY: Final = timedelta(days=1)
_NEXT_DAYS: Final = {0: phrase("today {clock}"), 1: phrase("tomorrow {clock}")}
_LAST_DAYS: Final = {0: phrase("today {clock}"), 1: phrase("yesterday {clock}")}
_DAYS: Final = {-1: phrase("yesterday"), 0: phrase("today"), 1: phrase("tomorrow")}
"""Names of days by distance."""


@dataclass(frozen=True)
class Reader:
    """A person who reads dates in their time zone; `works` tells their working days."""

    language: Language
    zone: ZoneInfo
    works: Callable[[date], bool]
    opens: time = clock_hours(USUAL_HOURS)[0]
    """Begin of their working day."""
    id: str = ""
    """Their id, if it is known."""

    @classmethod
    def from_person(cls, person: Person) -> Self:
        return cls(
            Language.from_tag(person.locale),
            person.tz,
            _working_days(person.weekdays, person.calendar),
            person.working_hours[0],
            person.id,
        )

    @classmethod
    def unknown(cls, language: Language) -> Self:
        """A reader known only by their browser's language."""
        return cls(language, ZoneInfo("UTC"), _working_days(weekdays(_USUAL_DAYS), None))

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def has_opened(self, instant: datetime) -> bool:
        """Whether a working day would have begun before it."""
        return instant.astimezone(self.zone).time() > self.opens

    def date(self, day: date) -> str:
        """`Fri, 11 Dec 2026`."""
        return format_skeleton(_DATE, day, locale=self.language.locale)

    def instant(self, instant: datetime) -> str:
        """`Fri, 11 Dec 2026, 18:00 (Amsterdam)`."""
        return f"{self._written(instant, _DATE)} ({self._zone_name(instant)})"

    def shortly(self, instant: datetime, now: datetime | None) -> str:
        """`Fri, 11 Dec, 18:00`, with the year if other than that of `now`."""
        return self._written(instant, self._skeleton(self.day(instant), now))

    def date_in_short(self, day: Day, now: datetime) -> str:
        """`Fri, 11 Dec`, with the year if another one."""
        return format_skeleton(self._skeleton(day, now), day, locale=self.language.locale)

    def weekday(self, day: Day) -> str:
        """`Tuesday`, as within a sentence."""
        return format_date(day, "EEEE", locale=self.language.locale)

    def _skeleton(self, day: Day, now: datetime | None) -> str:
        same_year = now is not None and self.day(now).year == day.year
        return _DAY if same_year else _DATE

    def _written(self, instant: datetime, skeleton: str) -> str:
        locale = self.language.locale
        day = format_skeleton(skeleton, instant, tzinfo=self.zone, locale=locale)
        clock = format_time(instant, "short", tzinfo=self.zone, locale=locale)
        return f"{locale.datetime_formats['medium'].format(clock, day)}"

    def instant_without_zone(self, instant: datetime) -> str:
        """`Fri, 11 Dec 2026, 18:00`, for lists that name the zone once."""
        return self.instant(instant).rpartition(" (")[0]

    def clock(self, instant: datetime) -> str:
        """`18:00`."""
        return format_time(instant, "short", tzinfo=self.zone, locale=self.language.locale)

    def zone_name(self, instant: datetime) -> str:
        return self._zone_name(instant)

    def _zone_name(self, instant: datetime) -> str:
        # The city; the offset for zones without one, since the sign of `Etc/GMT+5` is inverted.
        pattern = _OFFSET if self.zone.key.removeprefix("Etc/").startswith("GMT") else _CITY
        # Cities are named alike in all regions of a language, and some of Babel's regions lack them.
        return format_datetime(instant, pattern, tzinfo=self.zone, locale=self.language.code).rpartition("/")[2]


async def language_of(directory: Directory, person: str, workflow_id: str | None = None) -> Language:
    """The person's language; English while the directory fails."""
    try:
        return Language.from_tag((await directory.person(person, workflow_id)).locale)
    except DirectoryFailure:
        return Language.english()


def _working_days(days: frozenset[int], calendar: str | None) -> Callable[[date], bool]:
    def works(day: date) -> bool:
        return day.weekday() in days and not (calendar and day in public_holidays(calendar, day.year))

    return works


def due_sentence(due_at: datetime, reader: Reader, now: datetime | None = None, *, short: bool = False) -> str:
    """`Due tomorrow: Fri, 11 Dec 2026, 18:00 (Amsterdam).` translated; without `now` only the date, which is always
    named, since a notice may be read a day late. `short` omits this year and the reader's zone.
    """
    say, due_text = reader.language.say, reader.shortly(due_at, now) if short else reader.instant(due_at)
    if now is None:
        return say("Due {when}.", when=due_text)
    if due_at <= now:
        return say("Overdue since {when}.", when=due_text)
    days = reader.day(due_at) - reader.day(now)
    if is_due_on_the_day_of(now, due_at, reader):
        return say("Due today: {when}.", when=due_text)
    if days == _ONE_DAY:
        return say("Due tomorrow: {when}.", when=due_text)
    if count := _working_days_left(due_at, reader, now):
        say_count = reader.language.say_count
        return say_count(
            "Due in {count} working day: {when}.", "Due in {count} working days: {when}.", count, when=due_text
        )
    return say("Due {when}.", when=due_text)


@dataclass(frozen=True)
class Deadline:
    """A due date such as `tomorrow 18:00` or `in 3 days, Tuesday`, with the exact instant."""

    relative_text: str
    exact: str

    @classmethod
    def from_due_at(cls, due_at: datetime, reader: Reader, now: datetime) -> Self:
        return cls(_ahead(due_at, reader, now) if due_at > now else _ago(due_at, reader, now), reader.instant(due_at))

    @classmethod
    def of_day(cls, day: date, reader: Reader, now: datetime) -> Self:
        language, days = reader.language, (day - reader.day(now)).days
        if days in _DAYS:
            return cls(language.say(_DAYS[days]), reader.date(day))
        return cls(_in_days(days, _day(day, reader, now), language), reader.date(day))

    @classmethod
    def sentence(cls, due_at: datetime, reader: Reader, now: datetime) -> Self:
        """`Due tomorrow 18:00`, `Overdue since Tuesday`."""
        say = reader.language.say
        if due_at > now:
            return cls(say("Due {when}", when=_ahead(due_at, reader, now)), reader.instant(due_at))
        return cls(say("Overdue since {when}", when=_describe_lateness(due_at, reader, now)), reader.instant(due_at))


def is_due_on_the_day_of(now: datetime, due_at: datetime, reader: Reader) -> bool:
    """Whether it is due today in the reader's time zone."""
    return reader.day(due_at) == reader.day(now)


def _ahead(due_at: datetime, reader: Reader, now: datetime) -> str:
    language, days = reader.language, (reader.day(due_at) - reader.day(now)).days
    if days in _NEXT_DAYS:
        return language.say(_NEXT_DAYS[days], clock=reader.clock(due_at))
    return _in_days(days, _day(reader.day(due_at), reader, now), language)


def _ago(instant: datetime, reader: Reader, now: datetime) -> str:
    language, days = reader.language, (reader.day(now) - reader.day(instant)).days
    if days in _LAST_DAYS:
        return language.say(_LAST_DAYS[days], clock=reader.clock(instant))
    return _in_days(-days, _day(reader.day(instant), reader, now), language)


def _in_days(days: int, day: str, language: Language) -> str:
    if days > 0:
        return language.say_count("in {count} day, {day}", "in {count} days, {day}", days, day=day)
    return language.say_count("{count} day ago, {day}", "{count} days ago, {day}", -days, day=day)


def _describe_lateness(due_at: datetime, reader: Reader, now: datetime) -> str:
    days = (reader.day(now) - reader.day(due_at)).days
    return _ago(due_at, reader, now) if days in _LAST_DAYS else _day(reader.day(due_at), reader, now)


def _day(day: date, reader: Reader, now: datetime) -> str:
    is_near = abs(day - reader.day(now)) < _NEAR
    return reader.weekday(day) if is_near else reader.date_in_short(day, now)


def _working_days_left(due_at: datetime, reader: Reader, now: datetime) -> int:
    """Working days after today, including the due day unless it is due before its hours open; 0 if far away, or not due
    on a working day.
    """
    today, due = reader.day(now), reader.day(due_at)
    if due - today > _NEAR or not reader.works(due):
        return 0
    days = (due - today).days + reader.has_opened(due_at)
    return sum(reader.works(today + step * _ONE_DAY) for step in range(1, days))
