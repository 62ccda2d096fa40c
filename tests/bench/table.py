"""The figures on a terminal: ours above the floor, each with its bar, and whether the aim was met."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from tests.bench.figures import AIMS, Comparison, Figure

_WIDTH: Final = 18
_COLUMNS: Final[tuple[tuple[str, JustifyMethod], ...]] = (
    ("per request", "left"),
    ("", "left"),
    ("median", "right"),
    ("", "left"),
    ("ratio", "right"),
    ("aim", "right"),
)
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def of_comparisons(comparisons: dict[Figure, Comparison]) -> Group:
    """One row per figure, and below the table what it was measured on and when."""
    table = Table(box=None, padding=(0, 1, 1, 0), header_style="dim")
    for heading, justify in _COLUMNS:
        table.add_column(heading, justify=justify, no_wrap=True)
    for figure, comparison in comparisons.items():
        table.add_row(*_row(figure, comparison))
    return Group(table, Text(surroundings(), "dim"))


def machine() -> str:
    """The machine and the versions: figures of different ones are not compared."""
    versions = f"Python {platform.python_version()}, temporalio {version('temporalio')}"
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, {versions}"


def surroundings() -> str:
    """The machine, the versions, the Temporal server and the date."""
    return f"{machine()} · dev server in memory · {today()}"


def today() -> str:
    return f"{datetime.now(UTC):%d %b %Y}"


def bar(value: float, longest: float) -> str:
    """A bar whose length stands for `value` where `longest` fills the column, to an eighth of a character."""
    eighths = round(value / longest * _WIDTH * 8) if longest else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _row(figure: Figure, comparison: Comparison) -> tuple[Text | str, ...]:
    aim, longest = AIMS[figure], max(comparison.product, comparison.floor)
    colour = "green" if aim.is_met_by(comparison) else "red"
    bars = Text(bar(comparison.product, longest), colour).append(f"\n{bar(comparison.floor, longest)}", "dim")
    numbers = f"{comparison.product:,.{figure.decimals}f}\n{comparison.floor:,.{figure.decimals}f}"
    verdict = Text(f"{aim}\n{'met' if aim.is_met_by(comparison) else 'missed'}", colour)
    return figure.value.removeprefix("request."), "ours\nfloor", numbers, bars, f"{comparison.ratio:.2f} ×", verdict


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
