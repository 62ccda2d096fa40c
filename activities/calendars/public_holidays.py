"""Public holidays of a country, or of one of its subdivisions (`NL`, `DE-BY`): the one place that knows their source.

Names are in English where the source has them; a reason in words quotes them.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Final

from holidays import country_holidays, list_supported_countries

from activities.spelling import did_you_mean

_ISO_COUNTRY: Final = 2
_ISO_SUBDIVISION: Final = 3


@cache
def public_holidays(calendar: str, year: int) -> Mapping[date, str]:
    """The days of a year on which nobody works there, with their names."""
    country, _, subdivision = calendar.partition("-")
    found = country_holidays(country, subdiv=subdivision or None, years=year, expand=False, language="en_US")
    return dict(found)


def known_calendar(calendar: str) -> str:
    """The calendar, if there is one of this code; `ValueError` says which would be right."""
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
