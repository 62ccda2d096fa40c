"""Plans as pictures (text, SVG) and iCalendar files: weeks of days with who is notified when. Same content as the
printed plan: ids, stages, instants, reasons.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from string import ascii_lowercase
from typing import Any, Final, Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from starter.plan.calendar import Branch, PlanLine, RequestPlan
from starter.plan.rehearsal import ACTS
from starter.queries.drawing import INK, picture_file

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
"""Notices of one day that are drawn; the others are counted."""
_DAY: Final = 150
_ROW: Final = 40
_COLOURS: Final[Mapping[str, str]] = {
    "ready": "#2f7ed8",
    "reminder": "#8a63d2",
    "last warning": "#d98a00",
    "overdue": "#d1373f",
    "escalation": "#c2337f",
    "signed": "#2c974b",
    "told": "#7c8794",
    "deadline": "#b42318",
}


def plan_picture(plan: RequestPlan, zone: tzinfo | None) -> bytes:
    """The weeks of every branch as SVG, on the clock of one zone, by default this machine's.

    All that is drawn is heard, too, with its reasons. Takes a second the first time in a process.
    """
    import altair  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it

    deadlines = {"due": plan.due_at} | ({"closes": plan.closes_at} if plan.closes_at != plan.due_at else {})
    until = "".join(f", {what} {_instant(at, zone)}" for what, at in deadlines.items())
    sent = f"if it were sent {_instant(plan.at, zone)}{until}, times in {plan.at.astimezone(zone):%Z}"
    title, heard = f"{plan.id}: {plan.document} ({plan.kind})", [sent]
    weeks = []
    for branch in plan.branches:
        says = f"If {branch.says}: {branch.outcome}"
        weeks.append(_weeks(list(_cells(branch, deadlines, zone))).properties(title=says))
        heard += [says, *(_notice_text(line, zone) for line in branch.lines if not line.suppressed)]
    head = altair.TitleParams([title], subtitle=[sent], fontSize=20)
    return picture_file(altair.vconcat(*weeks).properties(title=head), title, heard)


def _cells(branch: Branch, deadlines: Mapping[str, datetime], zone: tzinfo | None) -> Iterator[dict[str, object]]:
    """What stands on which row and day, in two lines; `sort` is its colour."""
    told, due = days_of(branch, zone), dict[date, list[str]]()
    for what, at in deadlines.items():
        due.setdefault(at.astimezone(zone).date(), []).append(f"{what} {at.astimezone(zone):%H:%M}")
    mondays, row = mondays_of([*told, *due]), 0
    for monday, before in zip(mondays[:WEEKS_AT_MOST], [None, *mondays], strict=False):
        if before and (quiet := (monday - before).days // len(DAYS) - 1):
            yield _cell(row, DAYS[0], f"{quiet} quiet {'week' if quiet == 1 else 'weeks'}")
            row += 1
        week = [monday + timedelta(days=number) for number in range(len(DAYS))]
        for name, day in zip(DAYS, week, strict=True):
            yield _cell(row, name, f"{day:%d %b}", " ".join(due.get(day, ())), "deadline" if day in due else None)
            for place, line in enumerate(told.get(day, ())[:NOTICES_AT_MOST], start=row + 1):
                says = f"{line.at.astimezone(zone):%H:%M} {line.stage}"
                yield _cell(place, name, says, line.to, sort_of(line.stage))
            if (more := len(told.get(day, ())) - NOTICES_AT_MOST) > 0:
                yield _cell(row + NOTICES_AT_MOST + 1, name, f"and {more} more")
        row += 1 + max(min(len(told.get(day, ())), NOTICES_AT_MOST + 1) for day in week)
    if len(mondays) > WEEKS_AT_MOST:
        yield _cell(row, DAYS[0], f"and {len(mondays) - WEEKS_AT_MOST} more weeks")


def _cell(row: int, day: str, says: str, below: str = "", sort: str | None = None) -> dict[str, object]:
    return {"row": row, "day": day, "says": says, "below": below, "sort": sort}


def _weeks(cells: Sequence[Mapping[str, object]]) -> Any:
    import altair  # noqa: PLC0415  as above

    names = altair.Axis(orient="top", title=None, labelAngle=0, tickBand="extent", grid=True)
    x: Any = altair.X("day:O", sort=[*DAYS], scale=altair.Scale(domain=[*DAYS]), axis=names)
    y: Any = altair.Y("row:O", axis=None)
    colour: Any = altair.Color(
        "sort:N",
        title=None,
        scale=altair.Scale(domain=[*_COLOURS], range=[*_COLOURS.values()]),
        legend=altair.Legend(orient="bottom", columns=len(_COLOURS)),
    )
    weekend = altair.Chart(altair.InlineData(values=[{"day": day} for day in DAYS[5:]])).encode(x=x)
    sheet = altair.Chart(altair.InlineData(values=cells)).encode(x=x, y=y)
    words: dict[str, Any] = {"align": "left", "dx": 8 - _DAY / 2, "limit": _DAY - 28, "color": INK}
    return altair.layer(
        weekend.mark_rect(color=INK, opacity=0.05),
        sheet.transform_filter("datum.sort").mark_rect(fillOpacity=0.2).encode(color=colour),
        sheet.mark_text(dy=-8, fontWeight=600, **words).encode(text="says:N"),
        sheet.mark_text(dy=9, **words).encode(text="below:N"),
    ).properties(width={"step": _DAY}, height={"step": _ROW})


def _notice_text(line: PlanLine, zone: tzinfo | None) -> str:
    return f"{_instant(line.at, zone)} {line.stage} {'by' if line.stage in ACTS else 'to'} {line.to}: {line.why}"


def _instant(at: datetime, zone: tzinfo | None) -> str:
    return f"{at.astimezone(zone):%a %d %b %Y %H:%M}"


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
        if not line.suppressed and line.stage not in ACTS:
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
    # Equal for the same notice, so that a repeated import replaces the earlier one.
    return f"{plan.id}-{hashlib.sha256(f'{line.stage}/{line.person}/{line.to}'.encode()).hexdigest()[:16]}"


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    return text.translate(_ESCAPED)


def _folded(line: str) -> bytes:
    parts, part = [], b""
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > _LONGEST_LINE:
            parts.append(part)
            part = b" "
        part += encoded
    return b"\r\n".join([*parts, part]) + b"\r\n"
