"""A run over time as SVG: memory, descriptors, requests, rows, and histories; a grey line at each killed part.

`python -m tests.soak.picture dist/soak.jsonl docs/pictures/soak.svg` draws the progress of a run.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.rehearsal.machines import POSTGRESQL, S3_SERVER, WEB, WORKERS

WIDTH, HEIGHT = 360, 150
"""Of the plot of a panel, in pixels."""
_POINTS_AT_MOST: Final = 240
"""Of a line; of more samples some are drawn, evenly."""
_TICKS: Final = 5
"""Intervals of an axis at most."""
_SampleLine = Mapping[str, Any]
"""A line of the progress file whose type is `sample`."""
_Measure = Callable[[_SampleLine], float | None]


@dataclass(frozen=True)
class Line:
    """A measure over time, from one known reading to the next; `label_y` is where its name stands."""

    name: str
    path: str
    label_y: float


@dataclass(frozen=True)
class Tick:
    """A label of an axis, and its coordinate."""

    position: float
    label: str


@dataclass(frozen=True)
class Panel:
    """A plot of some lines in one unit, from zero."""

    title: str
    lines: Sequence[Line]
    ticks: Sequence[Tick]


def draw(progress: Sequence[Mapping[str, Any]]) -> str:
    """The SVG of a progress file's lines until the steady time is over; raises `ValueError` without samples."""
    samples = [line for line in progress if line["type"] == "sample" and line["phase"] != "drain"]
    if not samples:
        raise ValueError("no sample in the progress of this run")
    longest_seconds = samples[-1]["seconds"]
    kills = [line["seconds"] for line in progress if line["type"] == "note" and " was killed" in line["says"]]
    apart = -(-len(samples) // _POINTS_AT_MOST)
    panels = [
        _draw_panel(title, measures, samples[::apart], longest_seconds)
        for title, measures in _MEASURES_BY_TITLE.items()
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("picture.svg").render(
        panels=panels,
        kills=[round(WIDTH * seconds / longest_seconds, 1) for seconds in kills],
        minutes=_minute_ticks(longest_seconds),
        width=WIDTH,
        height=HEIGHT,
    )


def _of_process(name: str, unit: str) -> _Measure:
    def measure(sample: _SampleLine) -> float | None:
        reading = sample["processes"].get(name)
        return float(reading[unit]) if reading else None

    return measure


def _rows_for_each_request(sample: _SampleLine) -> float | None:
    return sum(sample["rows"].values()) / sample["started"] if sample["rows"] and sample["started"] else None


def _files_for_each_request(sample: _SampleLine) -> float | None:
    return sample["files"] / sample["started"] if sample["files"] and sample["started"] else None


def _of_histories(key: str) -> _Measure:
    return lambda sample: float(sample["histories"][key]) if sample["histories"] else None


_OURS: Final = (*WORKERS, *WEB)
_MEASURES_BY_TITLE: Final[Mapping[str, Mapping[str, _Measure]]] = {
    "Memory of our processes, MB": {name: _of_process(name, "memory_mb") for name in _OURS},
    "Memory of the servers, MB": {name: _of_process(name, "memory_mb") for name in ("temporal", POSTGRESQL, S3_SERVER)},
    "Open descriptors": {name: _of_process(name, "descriptors") for name in _OURS},
    "Requests": {
        "begun": lambda sample: sample["started"],
        "ended": lambda sample: sample["ended"],
        "open": lambda sample: sample["open_requests"],
    },
    "For each request begun": {"rows": _rows_for_each_request, "files": _files_for_each_request},
    "Events of an open request": {"mean": _of_histories("mean_events"), "largest": _of_histories("largest_events")},
}


def _draw_panel(
    title: str, measures: Mapping[str, _Measure], samples: Sequence[_SampleLine], longest_seconds: float
) -> Panel:
    points_by_name = {
        name: [(sample["seconds"], count) for sample in samples if (count := measure(sample)) is not None]
        for name, measure in measures.items()
    }
    most = max((count for points in points_by_name.values() for _, count in points), default=1)
    apart = _round_up(most / _TICKS)
    tick_count = math.ceil(most / apart)
    top = apart * tick_count

    def y(count: float) -> float:
        return round(HEIGHT * (1 - count / top), 1)

    label_positions = _spread({name: y(points[-1][1]) for name, points in points_by_name.items() if points})
    lines = [
        Line(
            name,
            "M" + " L".join(f"{WIDTH * seconds / longest_seconds:.1f},{y(count)}" for seconds, count in points),
            label_positions[name],
        )
        for name, points in points_by_name.items()
        if points
    ]
    ticks = [Tick(y(apart * number), f"{apart * number:,.12g}") for number in range(tick_count + 1)]
    return Panel(title, lines, ticks)


def _spread(positions: Mapping[str, float], apart: float = 12) -> dict[str, float]:
    """The positions of labels, so far apart that each can be read."""
    spread, last = dict[str, float](), -apart
    for name, position in sorted(positions.items(), key=lambda label: label[1]):
        spread[name] = last = max(position, last + apart)
    return spread


def _round_up(number: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten."""
    magnitude = 10.0 ** math.floor(math.log10(number)) if number > 0 else 1.0
    return next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= number)


def _minute_ticks(longest_seconds: float) -> list[Tick]:
    minutes = longest_seconds / 60
    apart = _round_up(minutes / _TICKS)
    return [
        Tick(round(WIDTH * number * apart / minutes, 1), f"{number * apart:g}")
        for number in range(int(minutes / apart) + 1)
    ]


def main() -> None:
    progress_path, picture_path = map(Path, sys.argv[1:])
    progress = [json.loads(line) for line in progress_path.read_text().splitlines()]
    picture_path.write_text(draw(progress))


if __name__ == "__main__":
    main()
