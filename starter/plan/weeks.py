"""A plan as a picture: a line a week, a cell a day, and in it who is told what."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from string import ascii_lowercase
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from starter.plan.calendar import Branch, PlanLine

WEEKS_AT_MOST: Final = 20
"""Lines of a picture; a longer plan is cut off there and says so."""
_WIDE: Final = 8
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SIGNS: Final = {"ready": "!", "reminder": "r", "warning": "w", "overdue": "o", "escalation": "e"}
_OTHER: Final = "•"


@dataclass(frozen=True)
class Picture:
    """The picture of a branch, on the clock of one zone; for people, programs have the lines."""

    branch: Branch
    zone: tzinfo | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal and self.branch.lines:
            yield Text("")
            yield from self._lines()

    def _lines(self) -> Iterator[Text]:
        told = [line for line in self.branch.lines if not line.suppressed]
        letters = _letters(told)
        days: dict[date, list[str]] = {}
        for line in told:
            sign = f"{letters[line.to]}{_sign(line.stage)}"
            cell = days.setdefault(line.at.astimezone(self.zone).date(), [])
            if sign not in cell:
                cell.append(sign)
        mondays = sorted({day - timedelta(days=day.weekday()) for day in days})
        yield Text("        " + "".join(f"{name:<{_WIDE}}" for name in _DAYS), "dim")
        for monday in mondays[:WEEKS_AT_MOST]:
            yield _week(monday, days)
        if len(mondays) > WEEKS_AT_MOST:
            yield Text(f"and {len(mondays) - WEEKS_AT_MOST} more weeks", "dim")
        people = "  ".join(f"{letter} {person}" for person, letter in letters.items())
        yield Text(f"{people}\n! ready  r reminder  w last warning  o overdue  e escalation  {_OTHER} told", "dim")


def _week(monday: date, days: dict[date, list[str]]) -> Text:
    line = Text(f"{monday:%d %b}  ", "dim")
    for number in range(len(_DAYS)):
        cell = " ".join(days.get(monday + timedelta(days=number), []))
        shown = cell if len(cell) < _WIDE else f"{cell[: _WIDE - 2]}…"
        line.append(f"{shown or '·':<{_WIDE}}", "" if cell else "dim")
    return line


def _letters(lines: Iterable[PlanLine]) -> dict[str, str]:
    """A letter for everybody who is told something, in the order of their first notice."""
    people = list(dict.fromkeys(line.to for line in lines))
    return {person: ascii_lowercase[number] if number < 26 else str(number) for number, person in enumerate(people)}


def _sign(stage: str) -> str:
    return next((sign for name, sign in _SIGNS.items() if stage.startswith(name)), _OTHER)
