"""The terminal, and its tables, facts and instants."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NoReturn, TypeAlias

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

NARROWEST: Final = 40
"""Columns in which a table has room for all its own."""
UNBROKEN: Final = 100_000
"""More columns than any row has characters."""
_NAMED: Final = 2
"""Ids of a cell on their own lines; of more only the number."""
_STAMP: Final = re.compile(r"\b[A-Z][a-z]{2} \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d UTC\b")
Cell: TypeAlias = "str | Text | PrintedInstant | tuple[str, ...]"
"""A text, an instant, or ids, which are not broken."""
_WORD: Final = 32
"""Longest unbroken word in columns."""
_TEXT: Final = 10
"""Least columns of a readable text."""


@dataclass(frozen=True)
class PrintedInstant:
    """An instant: local and short for people (or how long ago), RFC 3339 in UTC for programs."""

    at: datetime | None
    style: str = ""
    ago: bool = False
    weekday: bool = False
    zone: tzinfo | None = None
    """A zone other than the terminal's."""


class Terminal(Console):
    """A console whose reader may close the pipe (exits.py). Instants are in `zone`, by default this machine's; the year
    of `now` is omitted.
    """

    def __init__(self, *, zone: tzinfo | None = None, now: datetime | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.zone = zone
        self.now = now or datetime.now(UTC)

    def on_broken_pipe(self) -> NoReturn:
        """Raise it: rich would end the process as if refused."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def show(self, view: RenderableType) -> None:
        """Print without losing characters. Programs get one tab-separated line per row; a narrow terminal breaks rows
        where it likes.
        """
        if not self.is_terminal or self.width < NARROWEST:
            self.width = UNBROKEN
        self.print(view, crop=False)

    def local(self, instant: datetime, zone: tzinfo | None = None) -> str:
        """An instant in the zone, with the year if another one."""
        local = instant.astimezone(zone or self.zone)
        year = "" if local.year == self.now.astimezone(zone or self.zone).year else " %Y"
        return local.strftime(f"%d %b{year} %H:%M")

    def ago(self, instant: datetime) -> str:
        """How long ago, in its largest unit."""
        minutes = max(0, int((self.now - instant).total_seconds() // 60))
        if minutes < 60:
            return f"{minutes} min"
        return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


class Sentence:
    """A text with instants: local for people, in UTC for programs."""

    def __init__(self, text: str, style: str = "", *, zone: tzinfo | None = None) -> None:
        self._text, self._style, self._zone = text, style, zone

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(_localised(console, self._text, self._zone), self._style)


class FactTable:
    """Labels, each with values."""

    def __init__(self) -> None:
        self._facts: list[tuple[str, str | Text, str]] = []

    def add(self, name: str, value: str | Text, style: str = "") -> None:
        """A label may have several values."""
        self._facts.append((name, value, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from with_tabs((name, value) for name, value, _ in self._facts)
            return
        facts = [
            (name, value if isinstance(value, Text) else Text(_localised(console, value), style))
            for name, value, style in self._facts
        ]
        names = max((cell_len(name) for name, _ in facts), default=0)
        if any(longest_word(value.plain) > options.max_width - names - 2 for _, value in facts):
            for name, value in facts:
                if longest_word(value.plain) > options.max_width:  # Not broken, so that it can be copied whole.
                    value.no_wrap, value.overflow = True, "ignore"
                yield from (Text(name, "dim"), value)
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for fact in facts:
            table.add_row(*fact)
        yield table


class ZoneLine:
    """The zone of the instants, for people."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal and isinstance(console, Terminal):
            now = console.now.astimezone(self._zone or console.zone)
            offset = now.strftime("%z")
            yield Text(
                f"times in {now:%Z} (UTC{offset[:3]}:{offset[3:]})" if offset != "+0000" else "times in UTC", "dim"
            )


def with_tabs(rows: Iterable[tuple[Cell, ...]]) -> Iterator[Segment]:
    """One tab-separated line per row."""
    for row in rows:
        yield Segment("\t".join(map(plain, row)))
        yield Segment.line()


def longest_word(text: str) -> int:
    """Its width in columns."""
    return max(map(cell_len, text.split()), default=0)


def plain(cell: Cell) -> str:
    """A cell for programs: one line without tabs."""
    if isinstance(cell, PrintedInstant):
        return cell.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if cell.at else ""
    if isinstance(cell, tuple):
        return ",".join(cell)
    return " ".join((cell if isinstance(cell, str) else cell.plain).split())


def lines(console: Console, cell: Cell) -> Text:
    """A cell for people."""
    if isinstance(cell, PrintedInstant):
        if cell.at is None or not isinstance(console, Terminal):
            return Text()
        day = f"{cell.at.astimezone(cell.zone or console.zone):%a} " if cell.weekday else ""
        return Text(console.ago(cell.at) if cell.ago else f"{day}{console.local(cell.at, cell.zone)}", cell.style)
    if isinstance(cell, tuple):
        further = len(cell) - _NAMED
        return Text("\n".join([*cell[:_NAMED], *([f"+{further} more"] if further > 0 else [])]))
    return Text(cell) if isinstance(cell, str) else cell


class Rows:
    """A table that never breaks ids and instants, without empty columns. Without room texts are folded, then `spare`
    columns left out with a remark, then rows become lists of facts.
    """

    def __init__(self, *columns: str, whole_columns: Sequence[str] = (), spare: Sequence[str] = ()) -> None:
        self._columns = columns
        self._whole_columns = whole_columns
        self._spare = spare
        self._rows: list[tuple[Cell, ...]] = []

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, *cells: Cell) -> None:
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from with_tabs([self._columns, *self._rows])
            return
        columns = self._columns_for(console, options)
        spare = [column.header for name in self._spare for column in columns if column.header == name]
        for dropped in range(len(spare) + 1):
            missed = spare[len(spare) - dropped :]
            table = _table([column for column in columns if column.header not in missed])
            if _fits(console, options, table):
                yield table
                if missed:
                    yield Text(f"{' and '.join(map(str, missed))}: with --json, or on a wider terminal", "dim")
                return
        yield from _as_facts(columns)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, _table(self._columns_for(console, options)))

    def _columns_for(self, console: Console, options: ConsoleOptions) -> list[Column]:
        numbers = [n for n in range(len(self._columns)) if not self._rows or any(plain(row[n]) for row in self._rows)]
        table = Table(*(self._columns[number] for number in numbers))
        for row in self._rows:
            texts = (lines(console, row[number]) for number in numbers)
            table.add_row(*(Text(" ").join(text.split()) if options.max_width >= UNBROKEN else text for text in texts))
        for number, column in zip(numbers, table.columns, strict=True):
            self._give_room(number, column)
        return table.columns

    def _give_room(self, number: int, column: Column) -> None:
        name, texts = self._columns[number], [str(text) for text in (column.header, *column.cells)]
        longest = max((cell_len(line) for text in texts for line in text.splitlines()), default=0)
        if name in self._whole_columns or any(isinstance(row[number], PrintedInstant | tuple) for row in self._rows):
            column.no_wrap, column.min_width = True, longest
        else:
            column.overflow = "fold"
            column.min_width = max(min(_WORD, max(map(longest_word, texts))), min(longest, _TEXT))


def _localised(console: Console, text: str, zone: tzinfo | None = None) -> str:
    """Instants, as `workflows.follow_up.view.stamp` writes them, in the reader's zone."""
    if not console.is_terminal or not isinstance(console, Terminal):
        return text

    def local(match: re.Match[str]) -> str:
        instant = datetime.strptime(match[0], "%a %d %b %Y %H:%M UTC").replace(tzinfo=UTC)
        return f"{instant.astimezone(zone or console.zone):%a} {console.local(instant, zone)}"

    return _STAMP.sub(local, text)


def _table(columns: Iterable[Column]) -> Table:
    table = Table(
        *(column.copy() for column in columns), box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False
    )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _fits(console: Console, options: ConsoleOptions, table: Table) -> bool:
    """Whether rich finds room without breaking what must not be broken."""
    if sum((column.min_width or 0) + 2 for column in table.columns) - 2 > options.max_width:
        return False
    head = next(iter(Segment.split_lines(console.render(table, options))), [])
    return Segment.get_line_length(head) <= options.max_width


def _as_facts(columns: Sequence[Column]) -> Iterator[FactTable | Text]:
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            yield Text("")
        facts = FactTable()
        for column, cell in zip(columns, row, strict=True):
            if isinstance(cell, Text) and cell:
                facts.add(str(column.header), cell)
        yield facts
