"""The figures of the bench: what is measured, what is aimed at, and how ours stands beside the floor."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

from tests.bench.contender import Contender


class Figure(StrEnum):
    """What is measured of one request."""

    ACTIONS = "request.actions"
    EVENTS = "request.events"
    BYTES = "request.bytes"
    CPU = "request.cpu_ms"
    SETTLED = "request.signal_to_settled_ms"

    @property
    def timed(self) -> bool:
        """Whether it is a matter of time, and so of many requests; the others are the same on every run."""
        return self in (Figure.CPU, Figure.SETTLED)

    @property
    def decimals(self) -> int:
        """How many decimals mean something."""
        return 1 if self.timed else 0


@dataclass(frozen=True)
class Comparison:
    """One figure of both contenders."""

    product: float
    floor: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the floor."""
        return self.product / self.floor


@dataclass(frozen=True)
class Aim:
    """At most this multiple of the floor, this number of ours, or both."""

    ratio: float | None = None
    absolutely: float | None = None

    def is_met_by(self, comparison: Comparison) -> bool:
        """Whether ours is within the limits."""
        is_within_ratio = self.ratio is None or comparison.ratio <= self.ratio
        return is_within_ratio and (self.absolutely is None or comparison.product <= self.absolutely)

    def __str__(self) -> str:
        absolutely = [] if self.absolutely is None else [f"≤ {self.absolutely:,.0f}"]
        return ", ".join([*absolutely, *([] if self.ratio is None else [f"≤ {self.ratio:g} ×"])])


AIMS: Final = {
    Figure.ACTIONS: Aim(absolutely=17),
    Figure.EVENTS: Aim(1.2),
    Figure.BYTES: Aim(2),
    Figure.CPU: Aim(1.2),
    Figure.SETTLED: Aim(1.3),
}


@dataclass
class Tally:
    """All samples taken in one run."""

    _samples: dict[tuple[Figure, Contender], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, contender: Contender, samples: Mapping[Figure, list[float]]) -> None:
        """Keep the samples of one round."""
        for figure, values in samples.items():
            self._samples[figure, contender] += values

    def comparisons(self, figures: frozenset[Figure]) -> dict[Figure, Comparison]:
        """The medians of those of `figures` that this machine could measure, in the order of `Figure`."""
        return {
            figure: Comparison(
                product=self._median(figure, Contender.OURS), floor=self._median(figure, Contender.FLOOR)
            )
            for figure in Figure
            if figure in figures and self._samples[figure, Contender.OURS] and self._samples[figure, Contender.FLOOR]
        }

    def _median(self, figure: Figure, contender: Contender) -> float:
        return median(self._samples[figure, contender])


def selected(prefixes: str) -> frozenset[Figure]:
    """The figures whose names start with one of `prefixes`, separated by commas, up to a dot or the end; all of them
    for an empty text. Raises `ValueError`.
    """
    return frozenset(figure for prefix in prefixes.split(",") for figure in _figures_of(prefix))


def _figures_of(prefix: str) -> list[Figure]:
    figures = [figure for figure in Figure if not prefix or f"{figure}.".startswith(f"{prefix}.")]
    if not figures:
        raise ValueError(f"no figure {prefix!r}; there are {', '.join(Figure)}")
    return figures


def as_json(comparisons: dict[Figure, Comparison]) -> dict[str, dict[str, float]]:
    """The shape of BENCH_JSON."""
    return {
        figure.value: {
            "ours": round(comparison.product, 2),
            "floor": round(comparison.floor, 2),
            "ratio": round(comparison.ratio, 3),
            "beyond_floor": round(comparison.product - comparison.floor, 2),
        }
        for figure, comparison in comparisons.items()
    }
