"""Whether a measure grows with time: the median of its last quarter compared with that of its second one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Final, NamedTuple

_QUARTERS: Final = 4
_READINGS_OF_A_QUARTER: Final = 2
"""Fewer say nothing."""


class Reading(NamedTuple):
    """A measure at an instant, in seconds since the run began."""

    seconds: float
    measure: float


class LifeReading(NamedTuple):
    """A measure of a process, which a restart gives another `pid`."""

    pid: int
    reading: Reading


@dataclass(frozen=True)
class Allowance:
    """How much more the last quarter may have than the second: a share of it, and a constant."""

    share: float
    constant: float

    def limit(self, measure: float) -> float:
        return measure * (1 + self.share) + self.constant


@dataclass(frozen=True)
class Growth:
    """The medians of the second and last quarter of a life of `seconds`."""

    seconds: float
    second_quarter: float
    last_quarter: float

    def exceeds(self, allowance: Allowance) -> bool:
        return self.last_quarter > allowance.limit(self.second_quarter)


def measure_growth(readings: Sequence[Reading]) -> Growth | None:
    """None where a quarter has fewer than two readings. The first quarter is the time in which caches fill."""
    if not readings:
        return None
    begin, seconds = readings[0].seconds, readings[-1].seconds - readings[0].seconds
    quarters: list[list[float]] = [[] for _ in range(_QUARTERS)]
    for reading in readings:
        number = int(_QUARTERS * (reading.seconds - begin) / seconds) if seconds else 0
        quarters[min(number, _QUARTERS - 1)].append(reading.measure)
    second, last = quarters[1], quarters[-1]
    if min(len(second), len(last)) < _READINGS_OF_A_QUARTER:
        return None
    return Growth(seconds, median(second), median(last))


def split_lives(readings: Iterable[LifeReading]) -> list[list[Reading]]:
    """The readings of each life of a process, in order."""
    return [
        [life_reading.reading for life_reading in life]
        for _, life in groupby(readings, key=lambda life_reading: life_reading.pid)
    ]


def measure_lives(readings: Iterable[LifeReading], seconds_at_least: float) -> list[Growth]:
    """The growth of each life that is long enough to tell."""
    growths = map(measure_growth, split_lives(readings))
    return [growth for growth in growths if growth is not None and growth.seconds >= seconds_at_least]


def rise_per_unit(counts: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Of pairs (units, count): how much the count rises for each unit in the first and in the second half of the pairs;
    None where a half has no unit more.
    """
    if not counts:
        return None
    middle = len(counts) // 2
    first, between, last = counts[0], counts[middle], counts[-1]
    if between[0] <= first[0] or last[0] <= between[0]:
        return None
    return (between[1] - first[1]) / (between[0] - first[0]), (last[1] - between[1]) / (last[0] - between[0])
