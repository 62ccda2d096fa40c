"""A due date as people type it: absolute, or counted from now on the clock of this machine."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from pydantic import TypeAdapter, ValidationError

from activities.files.fields import DayOrInstant

_ABSOLUTE: Final[TypeAdapter[datetime | date]] = TypeAdapter(DayOrInstant)
_FROM_NOW: Final = re.compile(r"\+([1-9][0-9]{0,2})([hdw])")
_NAMED: Final = re.compile(r"(?P<day>[a-z]+)(?: (?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d))?")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def due_of(typed: str, now: datetime, zone: tzinfo | None = None) -> datetime | date:
    """`2026-12-11`, an instant with its offset, `+7d`, `+4h`, `tomorrow`, `friday 17:00`; `ValueError` for others.

    A day alone is its end of work, wherever the signers are. `zone` is by default the one of this machine.
    """
    words = " ".join(typed.casefold().split())
    if found := _FROM_NOW.fullmatch(words):
        return _from_now(int(found[1]), found[2], now, zone)
    if (found := _NAMED.fullmatch(words)) and (day := _day(found["day"], now.astimezone(zone).date())):
        if found["hour"] is None:
            return day
        at = datetime.combine(day, time(int(found["hour"]), int(found["minute"])), zone)
        return at.astimezone(UTC)
    try:
        return _ABSOLUTE.validate_python(typed)
    except ValidationError as error:
        raise ValueError(f"{error.errors()[0]['ctx']['error']}, or +7d, tomorrow, friday 17:00") from None


def _from_now(number: int, unit: str, now: datetime, zone: tzinfo | None) -> datetime | date:
    if unit == "h":
        return (now + timedelta(hours=number)).replace(second=0, microsecond=0)
    return now.astimezone(zone).date() + timedelta(days=number * (7 if unit == "w" else 1))


def _day(word: str, today: date) -> date | None:
    if word in ("today", "tomorrow"):
        return today + timedelta(days=word == "tomorrow")
    meant = [number for number, name in enumerate(_WEEKDAYS) if word in (name, name[:3])]
    # The day of the week that it is today means the next one.
    return today + timedelta(days=(meant[0] - today.weekday() - 1) % 7 + 1) if meant else None
