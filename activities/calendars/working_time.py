"""Working hours and days as people write them: `09:00-18:00` and `mon-fri`."""

import re
from datetime import time
from functools import cache
from typing import Final

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"


@cache
def clock_hours(text: str) -> tuple[time, time]:
    """Opening and closing time of `09:00-18:00`; `ValueError` says what would be right."""
    if not re.fullmatch(f"{_CLOCK}-{_CLOCK}", text) or text[:5] >= text[6:]:
        raise ValueError('must be working hours such as "09:00-18:00"')
    return time.fromisoformat(text[:5]), time.fromisoformat(text[6:])


@cache
def weekdays(text: str) -> frozenset[int]:
    """The days of `mon-fri`, `sun-thu` or `mon,wed,thu`, Monday being 0; `ValueError` says what would be right."""
    parts = [part.split("-") for part in text.split(",")]
    if any(end not in _WEEKDAYS for part in parts for end in part) or any(len(part) > 2 for part in parts):
        raise ValueError("must be weekdays such as mon-fri or mon,wed,thu")
    return frozenset(day for first, *last in parts for day in _from_to(first, last[0] if last else first))


def _from_to(first: str, last: str) -> list[int]:
    begin, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last)
    return [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
