"""The live timeline on the terminal, with the request's own dates, and what is said at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime
from rich.console import Group
from rich.table import Table
from rich.text import Text

from starter.terminal import Terminal
from workflows.model.base import Model

_DATE_WIDTH: Final = len("Wed 25 Nov 13:22 UTC")


class StepTold(Model):
    """One step of the story; `at` is the request's own date, `says` what was seen, or what was there instead."""

    name: str
    seen: bool
    at: AwareDatetime | None = None
    says: str = ""


class DemoTold(Model):
    """The answer of `demo`; `ok` only when every step was seen. `seconds` are real ones."""

    ok: bool
    seconds: float
    steps: tuple[StepTold, ...]


class StoryReport:
    """Speaks while the story goes on; silent when a program reads the answer instead."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Terminal(quiet=quiet, highlight=False)

    def say(self, line: str) -> None:
        """One line of progress."""
        self._console.print(Text(line, "dim"))

    @contextmanager
    def going_on(self, name: str) -> Iterator[None]:
        """Show what is being waited for, on a terminal."""
        with self._console.status(Text(name)):
            yield

    def step(self, told: StepTold) -> None:
        """A step that was seen, or was not."""
        line = Table.grid(padding=(0, 1))
        line.add_column(style="cyan", width=_DATE_WIDTH, no_wrap=True)
        line.add_column(style="green" if told.seen else "bold red")
        line.add_column()
        line.add_row(_date(told.at), "✓" if told.seen else "✗", Text(told.says))
        self._console.print(line)

    def look(self, lines: tuple[tuple[str, str], ...]) -> None:
        """Where to look at what happened."""
        self._console.print()
        for what, where in lines:
            self._console.print(Text(f"  {what:<24}", "dim").append(where, "default"), soft_wrap=True)


def verdict(told: DemoTold) -> Group:
    """The last line: whether every step was seen."""
    days = _days(told.steps)
    if told.ok:
        line = Text(f"Every step was seen: {days} days of the calendar in {told.seconds:.0f} s.", "bold green")
    else:
        first, *others = [step.name for step in told.steps if not step.seen]
        line = Text(
            f"Not seen: {first}; {len(others)} steps after it were not played ({told.seconds:.0f} s).", "bold red"
        )
    return Group(Text(), line)


def _days(steps: tuple[StepTold, ...]) -> int:
    dates = [step.at for step in steps if step.at]
    return (max(dates) - min(dates)).days if dates else 0


def _date(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%a %d %b %H:%M} UTC" if at else ""
