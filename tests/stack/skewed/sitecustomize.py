"""Sets the clock of a whole process ahead or behind: `SKEWED="webhook=600,worker=-600"`, in seconds.

First on the path of a stack under test, Python reads it before anything that asks for the time.
"""

import datetime as clocks
import os
import sys
import time


def _seconds() -> float:
    named = dict(assignment.split("=") for assignment in os.environ.get("SKEWED", "").split(",") if assignment)
    return next((float(seconds) for name, seconds in named.items() if name in sys.orig_argv), 0.0)


_AHEAD = _seconds()
_DATETIME = clocks.datetime
_TIME, _TIME_NS = time.time, time.time_ns


class _Kind(type):
    """What was made by others is a datetime as well."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _DATETIME)

    def __subclasscheck__(cls, candidate: type) -> bool:
        return issubclass(candidate, _DATETIME)


class _Skewed(_DATETIME, metaclass=_Kind):
    @classmethod
    def now(cls, tz: clocks.tzinfo | None = None) -> clocks.datetime:  # type: ignore[override]
        return _DATETIME.now(tz) + clocks.timedelta(seconds=_AHEAD)


if _AHEAD:
    clocks.datetime = _Skewed  # type: ignore[misc]
    time.time = lambda: _TIME() + _AHEAD
    time.time_ns = lambda: _TIME_NS() + int(_AHEAD * 1e9)
