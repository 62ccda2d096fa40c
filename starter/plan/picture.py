"""Plans as pictures (text, SVG) and iCalendar files: weeks of days with who is notified when. Same content as the
printed plan: ids, stages, instants, reasons.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from string import ascii_lowercase
from typing import Final, Protocol
from xml.etree.ElementTree import Element, SubElement, tostring

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from starter.plan.calendar import Branch, PlanLine, RequestPlan
from starter.plan.rehearsal import SIGNED

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
    word = stage.partition("-")[0]
    sort = _STAGES.get(word, word)
    return sort if sort in SORTS else "told"


@dataclass(frozen=True)
class WeekPicture:
    """A branch on the clock of one zone, for terminals."""

    branch: Branch
    zone: tzinfo | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal and self.branch.lines:
            yield Text("")
            yield from self._lines()

    def _lines(self) -> Iterator[Text]:
        days = days_of(self.branch, self.zone)
        letters = _letters(line for told in days.values() for line in told)
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
        told = days.get(monday + timedelta(days=number), [])
        cell = " ".join(dict.fromkeys(f"{letters[one.to]}{SORTS[sort_of(one.stage)]}" for one in told))
        shown = cell if len(cell) < _WIDE else f"{cell[: _WIDE - 2]}…"
        line.append(f"{shown or '·':<{_WIDE}}", "" if cell else "dim")
    return line


def _letters(lines: Iterable[PlanLine]) -> dict[str, str]:
    """A letter for each recipient, in the order of their first notice."""
    people = list(dict.fromkeys(line.to for line in lines))
    return {person: ascii_lowercase[number] if number < 26 else str(number) for number, person in enumerate(people)}


NOTICES_AT_MOST: Final = 6
"""Notices drawn in a day; further ones are counted."""
_MARGIN: Final = 24
_DAY: Final = 150
_WIDTH: Final = 2 * _MARGIN + len(DAYS) * _DAY
_LINE: Final = 22
_NOTICE: Final = 40
_LONGEST: Final = 20
"""Characters that fit into a day."""
_COLOURS: Final[Mapping[str, str]] = {
    "ready": "#2f7ed8",
    "reminder": "#8a63d2",
    "last warning": "#d98a00",
    "overdue": "#d1373f",
    "escalation": "#c2337f",
    "signed": "#2c974b",
    "told": "#7c8794",
}
STYLE: Final = """
text { font: 13px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1b1f24 }
text.title { font-size: 20px; font-weight: 600 }
text.strong { font-weight: 600 }
text.quiet { fill: #57606a }
text.due { fill: #b42318; font-weight: 600 }
.paper { fill: #ffffff }
.day { fill: #ffffff; stroke: #d0d7de }
.weekend { fill: #f3f5f7; stroke: #d0d7de }
.notice { fill: #e9edf2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e9ee }
  text.quiet { fill: #9aa5b3 }
  text.due { fill: #ff8a80 }
  .paper { fill: #14171c }
  .day { fill: #1d222a; stroke: #343b46 }
  .weekend { fill: #14171c; stroke: #343b46 }
  .notice { fill: #2d3540 }
}
"""


def plan_picture(plan: RequestPlan, zone: tzinfo | None) -> bytes:
    """The weeks of every branch as SVG, on the clock of one zone, by default this machine's; nights are dark."""
    paper = _Paper(plan, zone)
    for branch in plan.branches:
        _Weeks(paper, branch).draw()
    paper.legend()
    return paper.finished()


class _Paper:
    """The SVG under construction; `y` is the next free line, and texts are accessible to screen readers."""

    def __init__(self, plan: RequestPlan, zone: tzinfo | None) -> None:
        self.zone = zone
        self.deadlines = {"due": plan.due_at}
        if plan.closes_at != plan.due_at:
            self.deadlines["closes"] = plan.closes_at
        self.said: list[str] = []
        self.y = _MARGIN
        self._svg = Element("svg", {"role": "img", "aria-labelledby": "title says"}, xmlns="http://www.w3.org/2000/svg")
        title = f"{plan.id}: {plan.document} ({plan.kind})"
        SubElement(self._svg, "title", id="title").text = title
        self._says = SubElement(self._svg, "desc", id="says")
        SubElement(self._svg, "style").text = STYLE
        self.box("paper", 0, 0, "100%", "100%")
        self.line(title, "title")
        until = "".join(f", {what} {self.instant(at)}" for what, at in self.deadlines.items())
        self.say(f"if it were sent {self.instant(plan.at)}{until}, times in {plan.at.astimezone(zone):%Z}", "quiet")

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def clock(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%H:%M}"

    def instant(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%a %d %b %Y %H:%M}"

    def line(self, says: str, how: str) -> None:
        self.y += _LINE
        self.text(says, how, _MARGIN, self.y)

    def say(self, says: str, how: str) -> None:
        self.line(says, how)
        self.said.append(says)

    def text(self, says: str, how: str, x: float, y: float) -> None:
        SubElement(self._svg, "text", {"class": how}, x=str(x), y=str(y)).text = says

    def box(self, how: str, x: float, y: float, width: float | str, height: float | str) -> Element:
        size = {"x": str(x), "y": str(y), "width": str(width), "height": str(height)}
        return SubElement(self._svg, "rect", {"class": how, **size})

    def notice(self, line: PlanLine, x: float, y: float) -> None:
        """Time, kind and recipient, with a bar in the colour of its sort; the reason as a tooltip."""
        says = f"{self.instant(line.at)} {line.stage} {'by' if line.stage == SIGNED else 'to'} {line.to}"
        box = self.box("notice", x, y, _DAY - 8, _NOTICE - 4)
        SubElement(box, "title").text = f"{says}: {line.why}"
        self._bar(sort_of(line.stage), x, y, _NOTICE - 4)
        self.text(_short(f"{self.clock(line.at)} {line.stage}"), "strong", x + 10, y + 15)
        self.text(_short(line.to), "quiet", x + 10, y + 30)
        self.said.append(says)

    def legend(self) -> None:
        self.y += _LINE
        for number, sort in enumerate(SORTS):
            x = _MARGIN + number * _DAY
            self._bar(sort, x, self.y, 14)
            self.text(sort, "quiet", x + 10, self.y + 12)

    def finished(self) -> bytes:
        height = self.y + _LINE + _MARGIN
        self._says.text = "\n".join(self.said)
        for name, value in (("viewBox", f"0 0 {_WIDTH} {height}"), ("width", _WIDTH), ("height", height)):
            self._svg.set(name, str(value))
        drawn: bytes = tostring(self._svg, encoding="utf-8", xml_declaration=True)
        return drawn

    def _bar(self, sort: str, x: float, y: float, height: float) -> None:
        self.box("", x, y, 4, height).set("fill", _COLOURS[sort])


class _Weeks:
    """The weeks of one branch in which anything happens."""

    def __init__(self, paper: _Paper, branch: Branch) -> None:
        self._paper, self._branch = paper, branch
        self._told = days_of(branch, paper.zone)
        self._deadlines: dict[date, str] = {}
        for what, at in paper.deadlines.items():
            before = self._deadlines.get(paper.day(at))
            self._deadlines[paper.day(at)] = " ".join(filter(None, (before, f"{what} {paper.clock(at)}")))

    def draw(self) -> None:
        self._paper.y += _LINE
        self._paper.say(f"If {self._branch.says}: {self._branch.outcome}", "strong")
        mondays = mondays_of([*self._told, *self._deadlines])
        self._paper.y += _LINE
        for number, name in enumerate(DAYS):
            self._paper.text(name, "quiet", _MARGIN + number * _DAY + 6, self._paper.y)
        self._paper.y += 8
        for monday, before in zip(mondays[:WEEKS_AT_MOST], [None, *mondays], strict=False):
            self._gap(before, monday)
            self._week([monday + timedelta(days=number) for number in range(len(DAYS))])
        if len(mondays) > WEEKS_AT_MOST:
            self._paper.say(f"and {len(mondays) - WEEKS_AT_MOST} more weeks", "quiet")

    def _gap(self, before: date | None, monday: date) -> None:
        """Empty weeks are not drawn but counted."""
        if before is not None and (quiet := (monday - before).days // len(DAYS) - 1):
            self._paper.line(f"{quiet} quiet {'week' if quiet == 1 else 'weeks'}", "quiet")
            self._paper.y += 8

    def _week(self, week: Sequence[date]) -> None:
        paper = self._paper
        most = max(min(len(self._told.get(day, ())), NOTICES_AT_MOST + 1) for day in week)
        height = _LINE + 8 + max(1, most) * _NOTICE
        for number, day in enumerate(week):
            x = _MARGIN + number * _DAY
            paper.box("weekend" if day.weekday() >= 5 else "day", x, paper.y, _DAY, height)
            paper.text(f"{day:%d %b}", "quiet", x + 6, paper.y + 17)
            paper.text(self._deadlines.get(day, ""), "due", x + 62, paper.y + 17)
            self._notices(self._told.get(day, ()), x + 4, paper.y + _LINE + 4)
        paper.y += height

    def _notices(self, told: Sequence[PlanLine], x: float, y: float) -> None:
        for place, line in enumerate(told[:NOTICES_AT_MOST]):
            self._paper.notice(line, x, y + place * _NOTICE)
        if (more := len(told) - NOTICES_AT_MOST) > 0:
            self._paper.text(f"and {more} more", "quiet", x + 10, y + NOTICES_AT_MOST * _NOTICE + 15)
            self._paper.said.append(f"and {more} more that day")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LONGEST_LINE: Final = 75
"""Octets of a line; longer ones are folded."""
_ESCAPED: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


class Dated(Protocol):
    """A plan with a due date."""

    @property
    def id(self) -> str: ...

    @property
    def document(self) -> str: ...

    @property
    def at(self) -> datetime: ...

    @property
    def due_at(self) -> datetime: ...


def calendar_of(plan: RequestPlan) -> bytes:
    """iCalendar of the branch in which most signers sign."""
    return calendar_with(plan, plan.branches[-1].lines)


def calendar_with(plan: Dated, planned: Iterable[PlanLine]) -> bytes:
    """iCalendar with an event for each notice and for the due date, without suppressed ones."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//countersign//request plan//EN"]
    for line in planned:
        if not line.suppressed and line.stage != SIGNED:
            lines += _event(plan, line.at, f"{line.stage}: {line.to}", line.why, _uid(plan, line))
    lines += _event(plan, plan.due_at, "due", plan.document, f"{plan.id}-due")
    return b"".join(map(_folded, [*lines, "END:VCALENDAR"]))


def _event(plan: Dated, at: datetime, says: str, why: str, uid: str) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{uid}@countersign"
    yield f"DTSTAMP:{_utc(plan.at)}"
    yield f"DTSTART:{_utc(at)}"
    yield "DURATION:PT15M"
    yield "TRANSP:TRANSPARENT"
    yield f"SUMMARY:{_text(f'{plan.id} {says}')}"
    yield f"DESCRIPTION:{_text(why)}"
    yield "END:VEVENT"


def _uid(plan: Dated, line: PlanLine) -> str:
    """Equal for the same notice, so that a repeated import replaces the earlier one."""
    return f"{plan.id}-{hashlib.sha256(f'{line.stage}/{line.person}/{line.to}'.encode()).hexdigest()[:16]}"


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    return text.translate(_ESCAPED)


def _folded(line: str) -> bytes:
    """The line with its end, folded between characters."""
    parts, part = [], b""
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > _LONGEST_LINE:
            parts.append(part)
            part = b" "
        part += encoded
    return b"\r\n".join([*parts, part]) + b"\r\n"
