"""Until when, in words: the date on the reader's own clock, and how near it is as seen from `now`."""

from datetime import datetime, timedelta
from typing import Final

from activities.reader import Reader

_NEAR: Final = timedelta(days=7)
"""Up to here working days are counted; beyond it only the date is named."""
_DAY: Final = timedelta(days=1)


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
    if days == _DAY:
        return say("Due tomorrow: {when}.", when=when)
    if count := _working_days_left(due_at, reader, now):
        say_count = reader.language.say_count
        return say_count(
            "Due in {count} working day: {when}.", "Due in {count} working days: {when}.", count, when=when
        )
    return say("Due {when}.", when=when)


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
    return sum(reader.works(today + step * _DAY) for step in range(1, days))
