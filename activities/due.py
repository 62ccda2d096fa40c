"""Until when, in words: the date on the reader's own clock, and how near it is as seen from `now`.

A notice may be read a day late, so its date stands in it; a page is read when it is made, and says it as people do.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self

from activities.language import Language, phrase
from activities.reader import Reader

_NEAR: Final = timedelta(days=7)
"""Up to here working days are counted; beyond it only the date is named."""
_ONE_DAY: Final = timedelta(days=1)
_NEXT_DAYS: Final = {0: phrase("today {clock}"), 1: phrase("tomorrow {clock}")}
_LAST_DAYS: Final = {0: phrase("today {clock}"), 1: phrase("yesterday {clock}")}
_DAYS: Final = {-1: phrase("yesterday"), 0: phrase("today"), 1: phrase("tomorrow")}
"""Days that have names of their own, by how far away they are."""


def due_sentence(due_at: datetime, reader: Reader, now: datetime | None = None, *, short: bool = False) -> str:
    """`Due tomorrow: Fri, 11 Dec 2026, 18:00 (Amsterdam).`, in the reader's language; without `now` only the date.

    The date always stands beside the word: a notice that is read a day late must not be wrong. A `short` one leaves out
    what a phone in the reader's hand says by itself: this year, and their own clock.
    """
    say, when = reader.language.say, reader.shortly(due_at, now) if short else reader.instant(due_at)
    if now is None:
        return say("Due {when}.", when=when)
    if due_at <= now:
        return say("Overdue since {when}.", when=when)
    days = reader.day(due_at) - reader.day(now)
    if is_due_on_the_day_of(now, due_at, reader):
        return say("Due today: {when}.", when=when)
    if days == _ONE_DAY:
        return say("Due tomorrow: {when}.", when=when)
    if count := _working_days_left(due_at, reader, now):
        say_count = reader.language.say_count
        return say_count(
            "Due in {count} working day: {when}.", "Due in {count} working days: {when}.", count, when=when
        )
    return say("Due {when}.", when=when)


@dataclass(frozen=True)
class Deadline:
    """Until when as people say it, `tomorrow 18:00` or `in 3 days, Tuesday`, and the exact instant."""

    words: str
    exact: str

    @classmethod
    def of(cls, due_at: datetime, reader: Reader, now: datetime) -> Self:
        """The words alone, for a column that says what they are."""
        return cls(_ahead(due_at, reader, now) if due_at > now else _ago(due_at, reader, now), reader.instant(due_at))

    @classmethod
    def of_day(cls, day: date, reader: Reader, now: datetime) -> Self:
        """The same of a whole day, which ends elsewhere at another instant."""
        language, days = reader.language, (day - reader.day(now)).days
        if days in _DAYS:
            return cls(language.say(_DAYS[days]), reader.date(day))
        return cls(_in_days(days, _day(day, reader, now), language), reader.date(day))

    @classmethod
    def sentence(cls, due_at: datetime, reader: Reader, now: datetime) -> Self:
        """What stands by itself: `Due tomorrow 18:00`, `Overdue since Tuesday`."""
        say = reader.language.say
        if due_at > now:
            return cls(say("Due {when}", when=_ahead(due_at, reader, now)), reader.instant(due_at))
        return cls(say("Overdue since {when}", when=_behind(due_at, reader, now)), reader.instant(due_at))


def _ahead(at: datetime, reader: Reader, now: datetime) -> str:
    language, days = reader.language, (reader.day(at) - reader.day(now)).days
    if days in _NEXT_DAYS:
        return language.say(_NEXT_DAYS[days], clock=reader.clock(at))
    return _in_days(days, _day(reader.day(at), reader, now), language)


def _ago(at: datetime, reader: Reader, now: datetime) -> str:
    language, days = reader.language, (reader.day(now) - reader.day(at)).days
    if days in _LAST_DAYS:
        return language.say(_LAST_DAYS[days], clock=reader.clock(at))
    return _in_days(-days, _day(reader.day(at), reader, now), language)


def _in_days(days: int, day: str, language: Language) -> str:
    if days > 0:
        return language.say_count("in {count} day, {day}", "in {count} days, {day}", days, day=day)
    return language.say_count("{count} day ago, {day}", "{count} days ago, {day}", -days, day=day)


def _behind(at: datetime, reader: Reader, now: datetime) -> str:
    days = (reader.day(now) - reader.day(at)).days
    return _ago(at, reader, now) if days in _LAST_DAYS else _day(reader.day(at), reader, now)


def _day(day: date, reader: Reader, now: datetime) -> str:
    """The day of the week while there is only one of it, else the date."""
    near = abs(day - reader.day(now)) < _NEAR
    return reader.weekday(day) if near else reader.date_in_short(day, now)


def is_due_on_the_day_of(now: datetime, due_at: datetime, reader: Reader) -> bool:
    """Whether it is due today, where the reader is."""
    return reader.day(due_at) == reader.day(now)


def _working_days_left(due_at: datetime, reader: Reader, now: datetime) -> int:
    """The working days after today, the due day being the last unless it is due before its hours open.

    0 when it is far away, or due on a day that is none.
    """
    today, due = reader.day(now), reader.day(due_at)
    if due - today > _NEAR or not reader.works(due):
        return 0
    days = (due - today).days + reader.has_opened(due_at)
    return sum(reader.works(today + step * _ONE_DAY) for step in range(1, days))
