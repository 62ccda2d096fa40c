"""The terminal that answers are printed on, and the rows that stand on it."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NoReturn, TypeAlias

from rich.console import Console, ConsoleOptions, OverflowMethod, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

NARROWEST: Final = 40
"""Columns in which a table has room for all of its own."""
UNBROKEN: Final = 100_000
"""More columns than any row has characters."""
_NAMED: Final = 2
"""Ids of a cell that stand on lines of their own; of more only how many."""
_LEAST: Final = 8
"""Columns that a text needs so that it can be read."""
_STAMP: Final = re.compile(r"\b[A-Z][a-z]{2} \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d UTC\b")


@dataclass(frozen=True)
class Instant:
    """A cell with an instant: local and short for people (or how long ago), RFC 3339 in UTC for programs."""

    at: datetime | None
    style: str = ""
    ago: bool = False
    weekday: bool = False
    zone: tzinfo | None = None
    """Another zone than that of the terminal."""


Cell: TypeAlias = "str | Text | Instant | tuple[str, ...]"
"""What stands in a column: words, an instant, or ids, which are not broken."""


class Terminal(Console):
    """A console for which a reader who went away is a broken pipe, as for any other output (exits.py).

    `zone` is the one that instants are told in, by default this machine's; `now` decides which year needs no saying.
    """

    def __init__(self, *, zone: tzinfo | None = None, now: datetime | None = None, **how: Any) -> None:
        super().__init__(**how)
        self.zone = zone
        self.now = now or datetime.now(UTC)

    def on_broken_pipe(self) -> NoReturn:
        """Say so, where rich itself would end the process as if something had been refused."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def show(self, view: RenderableType) -> None:
        """Print an answer so that no character of it is lost.

        A program reads one line a row, its cells divided by tabs. A narrow terminal gets rows in one line, too, and
        breaks them where it likes.
        """
        if not self.is_terminal or self.width < NARROWEST:
            self.width = UNBROKEN
        self.print(view, crop=False)

    def local(self, instant: datetime, zone: tzinfo | None = None) -> str:
        """An instant on the clock of whoever reads, or of a zone, with the year where it is another one."""
        there = instant.astimezone(zone or self.zone)
        year = "" if there.year == self.now.astimezone(zone or self.zone).year else " %Y"
        return there.strftime(f"%d %b{year} %H:%M")

    def ago(self, instant: datetime) -> str:
        """How long ago it was, in its largest unit."""
        minutes = max(0, int((self.now - instant).total_seconds() // 60))
        if minutes < 60:
            return f"{minutes} min"
        return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


class Sentence:
    """A text with instants in it: people read them on their clock, programs as they are, in UTC."""

    def __init__(self, text: str, style: str = "", *, zone: tzinfo | None = None) -> None:
        self._text, self._style, self._zone = text, style, zone

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(_localised(console, self._text, self._zone), self._style)


class Facts:
    """Names, each with what there is to say of it."""

    def __init__(self) -> None:
        self._facts: list[tuple[str, str, str]] = []

    def add(self, name: str, says: str, style: str = "") -> None:
        """Add a fact; a name may have several."""
        self._facts.append((name, says, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from _with_tabs((name, says) for name, says, _ in self._facts)
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, says, style in self._facts:
            table.add_row(name, Text(_localised(console, says), style))
        yield table


class ZoneLine:
    """In which zone the instants are told, by default the terminal's; for people, programs have them in UTC."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal and isinstance(console, Terminal):
            there = console.now.astimezone(self._zone or console.zone)
            offset = there.strftime("%z")
            yield Text(
                f"times in {there:%Z} (UTC{offset[:3]}:{offset[3:]})" if offset != "+0000" else "times in UTC", "dim"
            )


class Rows:
    """A table of which no id and no instant is broken; a column in which nothing stands is left out for people.

    Of the column that is `clipped` a narrow terminal shows the beginning: its table has one line a row all the same.
    """

    def __init__(self, *columns: str, whole: Sequence[str] = (), clipped: str | None = None) -> None:
        self._columns = columns
        self._clipped = clipped
        self._whole = whole
        self._rows: list[tuple[Cell, ...]] = []

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from _with_tabs([self._columns, *self._rows])
            return
        table = self._table(console, options.max_width)
        if self._least(console) > options.max_width:
            table = self._table(console, UNBROKEN)
            options = options.update(max_width=UNBROKEN)
        yield from console.render(table, options)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(self._least(console), options.max_width), options.max_width)

    def _least(self, console: Console) -> int:
        """Columns of the terminal without which an id or an instant would be broken."""
        return sum(self._width(console, column) + 2 for column in self._shown()) - 2

    def _width(self, console: Console, column: int) -> int:
        cells = [_lines(console, row[column]) for row in self._rows]
        longest = max((line.cell_len for cell in cells for line in cell.split()), default=0)
        return max(longest, len(self._columns[column])) if self._is_whole(column) else min(longest, _LEAST)

    def _beside(self, console: Console, column: int) -> int:
        """What the other columns take when nothing of them is broken."""
        others = [other for other in self._shown() if other != column]
        longest = (max(_lines(console, row[other]).cell_len for row in self._rows) for other in others)
        return sum(max(cell, len(self._columns[other])) + 2 for cell, other in zip(longest, others, strict=True))

    def _is_whole(self, column: int) -> bool:
        kinds = (Instant, tuple)
        return self._columns[column] in self._whole or any(isinstance(row[column], kinds) for row in self._rows)

    def _shown(self) -> list[int]:
        columns = range(len(self._columns))
        return [n for n in columns if not self._rows or any(_plain(row[n]) for row in self._rows)]

    def _table(self, console: Console, width: int) -> Table:
        unbroken = width >= UNBROKEN
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
        for column in self._shown():
            clipped = self._columns[column] == self._clipped and not unbroken
            overflow: OverflowMethod = "ellipsis" if clipped else "fold"
            most = max(_LEAST, width - self._beside(console, column)) if clipped else None
            no_wrap = clipped or self._is_whole(column)
            table.add_column(self._columns[column], overflow=overflow, no_wrap=no_wrap, max_width=most)
        for row in self._rows:
            cells = (_lines(console, row[column]) for column in self._shown())
            table.add_row(*(map(_in_one_line, cells) if unbroken else cells))
        return table


def _with_tabs(rows: Iterable[tuple[Cell, ...]]) -> Iterator[Segment]:
    for row in rows:
        yield Segment("\t".join(map(_plain, row)))
        yield Segment.line()


def _plain(cell: Cell) -> str:
    """A cell for programs: one line without a tab in it."""
    if isinstance(cell, Instant):
        return cell.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if cell.at else ""
    if isinstance(cell, tuple):
        return ",".join(cell)
    return " ".join((cell if isinstance(cell, str) else cell.plain).split())


def _localised(console: Console, text: str, zone: tzinfo | None = None) -> str:
    """A text whose instants, as `workflows.follow_up.show.stamp` writes them, are told on the reader's clock."""
    if not console.is_terminal or not isinstance(console, Terminal):
        return text

    def local(found: re.Match[str]) -> str:
        instant = datetime.strptime(found[0], "%a %d %b %Y %H:%M UTC").replace(tzinfo=UTC)
        return f"{instant.astimezone(zone or console.zone):%a} {console.local(instant, zone)}"

    return _STAMP.sub(local, text)


def _lines(console: Console, cell: Cell) -> Text:
    """A cell for people."""
    if isinstance(cell, Instant):
        if cell.at is None or not isinstance(console, Terminal):
            return Text()
        day = f"{cell.at.astimezone(cell.zone or console.zone):%a} " if cell.weekday else ""
        return Text(console.ago(cell.at) if cell.ago else f"{day}{console.local(cell.at, cell.zone)}", cell.style)
    if isinstance(cell, tuple):
        rest = len(cell) - _NAMED
        return Text("\n".join([*cell[:_NAMED], *([f"+{rest} more"] if rest > 0 else [])]))
    return Text(cell) if isinstance(cell, str) else cell


def _in_one_line(cell: Text) -> Text:
    return Text(" ").join(cell.split())
