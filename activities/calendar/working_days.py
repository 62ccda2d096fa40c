"""Public holidays of a country or subdivision (`NL`, `DE-BY`), with English names if available."""

import re
from collections.abc import Mapping
from datetime import date, time
from functools import cache
from typing import Final

from holidays import country_holidays, list_supported_countries

from activities.errors import did_you_mean

_ISO_COUNTRY: Final = 2
_ISO_SUBDIVISION: Final = 3


@cache
def public_holidays(calendar: str, year: int) -> Mapping[date, str]:
    country, _, subdivision = calendar.partition("-")
    found = country_holidays(country, subdiv=subdivision or None, years=year, expand=False, language="en_US")
    return dict(found)


def known_calendar(calendar: str) -> str:
    """The code; `ValueError` suggests valid ones."""
    try:
        public_holidays(calendar, 2026)
    except NotImplementedError:
        raise ValueError(f"{calendar} is not a known calendar{_instead(calendar)}") from None
    return calendar


def _instead(calendar: str) -> str:
    country, _, subdivision = calendar.partition("-")
    countries = {code: codes for code, codes in list_supported_countries().items() if len(code) == _ISO_COUNTRY}
    if not subdivision or country not in countries:
        return did_you_mean(country, countries) or ", known are countries such as NL and subdivisions such as DE-BY"
    known = ", ".join(sorted(code for code in countries[country] if code.isalnum() and len(code) <= _ISO_SUBDIVISION))
    return f", the subdivisions of {country} are {known or 'all alike'}"


_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"


@cache
def clock_hours(text: str) -> tuple[time, time]:
    """Opening and closing time of `09:00-18:00`; raises `ValueError`."""
    if not re.fullmatch(f"{_CLOCK}-{_CLOCK}", text) or text[:5] >= text[6:]:
        raise ValueError('must be working hours such as "09:00-18:00"')
    return time.fromisoformat(text[:5]), time.fromisoformat(text[6:])


@cache
def weekdays(text: str) -> frozenset[int]:
    """Days of `mon-fri`, `sun-thu` or `mon,wed,thu`, Monday is 0; raises `ValueError`."""
    parts = [part.split("-") for part in text.split(",")]
    if any(end not in _WEEKDAYS for part in parts for end in part) or any(len(part) > 2 for part in parts):
        raise ValueError("must be weekdays such as mon-fri or mon,wed,thu")
    return frozenset(day for first, *last in parts for day in _from_to(first, last[0] if last else first))


def _from_to(first: str, last: str) -> list[int]:
    begin, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last)
    return [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
