"""The calendar of a plan as weeks of days on a terminal: who is notified on which day."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from string import ascii_lowercase
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from starter.plan.calendar import Branch, PlanLine

WEEKS_AT_MOST: Final = 20
"""Longer plans are cut off with a remark."""
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SORTS: Final[Mapping[str, str]] = {
    "ready": "!",
    "reminder": "r",
    "last warning": "w",
    "overdue": "o",
    "escalation": "e",
    "signed": "s",
    "told": "•",
}
"""Sorts of entries in words, each with its sign in a cell."""
_STAGES: Final[Mapping[str, str]] = {"warning": "last warning"}
_WIDE: Final = 8


def days_of(branch: Branch, zone: tzinfo | None) -> dict[date, list[PlanLine]]:
    """Lines by local day in the order of time, without suppressed ones."""
    days: dict[date, list[PlanLine]] = {}
    for line in branch.lines:
        if not line.suppressed:
            days.setdefault(line.at.astimezone(zone).date(), []).append(line)
    return days


def mondays_of(days: Iterable[date]) -> list[date]:
    """The weeks of these days, by their Mondays."""
    return sorted({day - timedelta(days=day.weekday()) for day in days})


def sort_of(stage: str) -> str:
    """The entry of `SORTS` for a stage."""
    stage_type = stage.partition("-")[0]
    sort = _STAGES.get(stage_type, stage_type)
    return sort if sort in SORTS else "told"


@dataclass(frozen=True)
class WeekCalendar:
    """A branch on the clock of one zone, for terminals."""

    branch: Branch
    zone: tzinfo | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal and self.branch.lines:
            yield Text("")
            yield from self._lines()

    def _lines(self) -> Iterator[Text]:
        days = days_of(self.branch, self.zone)
        letters = _letters(line for notices in days.values() for line in notices)
        mondays = mondays_of(days)
        yield Text("        " + "".join(f"{name:<{_WIDE}}" for name in DAYS), "dim")
        for monday in mondays[:WEEKS_AT_MOST]:
            yield _week(monday, days, letters)
        if len(mondays) > WEEKS_AT_MOST:
            yield Text(f"and {len(mondays) - WEEKS_AT_MOST} more weeks", "dim")
        people = "  ".join(f"{letter} {person}" for person, letter in letters.items())
        signs = "  ".join(f"{sign} {sort}" for sort, sign in SORTS.items())
        yield Text(f"{people}\n{signs}", "dim")


def _week(monday: date, days: Mapping[date, list[PlanLine]], letters: Mapping[str, str]) -> Text:
    line = Text(f"{monday:%d %b}  ", "dim")
    for number in range(len(DAYS)):
        notices = days.get(monday + timedelta(days=number), [])
        cell = " ".join(dict.fromkeys(f"{letters[notice.to]}{SORTS[sort_of(notice.stage)]}" for notice in notices))
        text = cell if len(cell) < _WIDE else f"{cell[: _WIDE - 2]}…"
        line.append(f"{text or '·':<{_WIDE}}", "" if cell else "dim")
    return line


def _letters(lines: Iterable[PlanLine]) -> dict[str, str]:
    """A letter for each recipient, in the order of their first notice."""
    people = list(dict.fromkeys(line.to for line in lines))
    return {person: ascii_lowercase[number] if number < 26 else str(number) for number, person in enumerate(people)}
