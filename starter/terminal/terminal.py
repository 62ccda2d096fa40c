"""The terminal that answers are printed on, and what stands on it; tables are in rows.py."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, Final, NoReturn, TypeAlias

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

NARROWEST: Final = 40
"""Columns in which a table has room for all of its own."""
UNBROKEN: Final = 100_000
"""More columns than any row has characters."""
_NAMED: Final = 2
"""Ids of a cell that stand on lines of their own; of more only how many."""
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
            yield from with_tabs((name, says) for name, says, _ in self._facts)
            return
        facts = [(name, Text(_localised(console, says), style)) for name, says, style in self._facts]
        names = max((cell_len(name) for name, _ in facts), default=0)
        if any(longest_word(says.plain) > options.max_width - names - 2 for _, says in facts):
            for name, says in facts:
                yield Text(name, "dim")
                yield below(says, options.max_width)
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for fact in facts:
            table.add_row(*fact)
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


def with_tabs(rows: Iterable[tuple[Cell, ...]]) -> Iterator[Segment]:
    """Rows for programs: a line each, the cells divided by tabs."""
    for row in rows:
        yield Segment("\t".join(map(plain, row)))
        yield Segment.line()


def longest_word(text: str) -> int:
    """How many columns it takes, which an id is one of."""
    return max(map(cell_len, text.split()), default=0)


def below(text: Text, room: int, *, indent: int = 2) -> Text | Padding:
    """A text below its name; a word that is too long even so is left to the terminal, from which it is copied whole."""
    if longest_word(text.plain) > room - indent:
        text.no_wrap, text.overflow = True, "ignore"
        return text
    return Padding(text, (0, 0, 0, indent), expand=False)


def plain(cell: Cell) -> str:
    """A cell for programs: one line without a tab in it."""
    if isinstance(cell, Instant):
        return cell.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if cell.at else ""
    if isinstance(cell, tuple):
        return ",".join(cell)
    return " ".join((cell if isinstance(cell, str) else cell.plain).split())


def _localised(console: Console, text: str, zone: tzinfo | None = None) -> str:
    """A text whose instants, as `workflows.follow_up.view.stamp` writes them, are told on the reader's clock."""
    if not console.is_terminal or not isinstance(console, Terminal):
        return text

    def local(found: re.Match[str]) -> str:
        instant = datetime.strptime(found[0], "%a %d %b %Y %H:%M UTC").replace(tzinfo=UTC)
        return f"{instant.astimezone(zone or console.zone):%a} {console.local(instant, zone)}"

    return _STAMP.sub(local, text)


def lines(console: Console, cell: Cell) -> Text:
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


_BESIDE: Final = 2
"""Columns between two cells."""
_TEXT: Final = 10
"""Columns that a text needs so that it can be read."""
_WORD: Final = 32
"""Columns of the longest word that a text may not break: what is longer is no word."""
_BEGINNING: Final = 8
"""Columns that a clipped text needs."""


class Rows:
    """A table of which no id and no instant is broken; a column in which nothing stands is left out for people.

    Where there is no room for all columns, texts are folded; then what is `spare` is left out, the last one first, and
    the table says so; then each row is a paragraph. Of the column that is `clipped` only the beginning is shown.
    """

    def __init__(
        self, *columns: str, whole: Sequence[str] = (), clipped: str | None = None, spare: Sequence[str] = ()
    ) -> None:
        self._columns = columns
        self._clipped = clipped
        self._whole = whole
        self._spare = spare
        self._rows: list[tuple[Cell, ...]] = []

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from with_tabs([self._columns, *self._rows])
            return
        columns, room = self._shown(console), options.max_width
        if room >= UNBROKEN:
            yield _table(columns, [None] * len(columns), list(map(_in_one_line, columns)))
            return
        kept = self._kept(columns, room)
        if _least(kept) > room:
            yield from _paragraphs(columns, room)
            return
        yield _table(kept, _widths(kept, room), [column.cells for column in kept])
        if left_out := [column.name for column in columns if column not in kept]:
            yield Text(f"{' and '.join(left_out)}: with --json, or on a wider terminal", "dim")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(_least(self._shown(console)), options.max_width), options.max_width)

    def _shown(self, console: Console) -> "list[_Column]":
        numbers = [n for n in range(len(self._columns)) if not self._rows or any(plain(row[n]) for row in self._rows)]
        return [self._column(console, number) for number in numbers]

    def _column(self, console: Console, number: int) -> "_Column":
        name, cells = self._columns[number], [row[number] for row in self._rows]
        whole = name in self._whole or any(isinstance(cell, Instant | tuple) for cell in cells)
        return _Column(name, [lines(console, cell) for cell in cells], whole=whole, clipped=name == self._clipped)

    def _kept(self, columns: "list[_Column]", room: int) -> "list[_Column]":
        """All, or as many of the spare ones as there is room for."""
        kept = columns
        for name in reversed(self._spare):
            if _least(kept) <= room:
                break
            kept = [column for column in kept if column.name != name]
        return kept


@dataclass(frozen=True, eq=False)
class _Column:
    name: str
    cells: list[Text]
    whole: bool
    clipped: bool

    @cached_property
    def natural(self) -> int:
        """The width in which nothing is folded."""
        return max(cell_len(self.name), self._longest)

    @cached_property
    def least(self) -> int:
        """The width below which something would be broken."""
        if self.whole:
            return self.natural
        if self.clipped:
            return min(self._longest, _BEGINNING)
        word = max(map(longest_word, (self.name, *(cell.plain for cell in self.cells))))
        return max(min(word, _WORD), min(self._longest, _TEXT))

    @cached_property
    def _longest(self) -> int:
        return max((line.cell_len for cell in self.cells for line in cell.split()), default=0)


def _least(columns: Sequence[_Column]) -> int:
    return sum(column.least for column in columns) + _BESIDE * (len(columns) - 1)


def _widths(columns: Sequence[_Column], room: int) -> list[int | None]:
    """Each has its least, and of what is left a share of what it needs besides: who needs little gets all of it."""
    widths, left = [column.least for column in columns], room - _least(columns)
    needy = sorted(range(len(columns)), key=lambda number: columns[number].natural - widths[number])
    for done, number in enumerate(needy):
        more = min(max(0, columns[number].natural - widths[number]), left // (len(needy) - done))
        widths[number] += more
        left -= more
    return [*widths]


def _table(columns: Sequence[_Column], widths: Sequence[int | None], cells: Sequence[list[Text]]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, _BESIDE, 0, 0), pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            column.name,
            width=width,
            overflow="ellipsis" if column.clipped else "fold",
            no_wrap=column.clipped or column.whole,
        )
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    return table


def _paragraphs(columns: Sequence[_Column], room: int) -> Iterator[Text | Padding]:
    """Each row with its first cell in a line, and below it the others, each said with its column."""
    for cells in zip(*map(_in_one_line, columns), strict=True):
        named = [(column.name, cell) for column, cell in zip(columns, cells, strict=True) if cell.plain]
        for _, first in named[:1]:
            yield below(first, room, indent=0)
        says = (Text.assemble((f"{name} " if name else "", "dim"), cell) for name, cell in named[1:])
        for line in _filled(says, room - _BESIDE):
            yield below(line, room)


def _filled(texts: Iterable[Text], room: int) -> Iterator[Text]:
    """Lines of as many texts as there is room for."""
    line = Text()
    for text in texts:
        if line and line.cell_len + _BESIDE + text.cell_len > room:
            yield line
            line = Text()
        line = Text(" " * _BESIDE).join([line, text]) if line else text
    yield line


def _in_one_line(column: _Column) -> list[Text]:
    return [Text(" ").join(cell.split()) for cell in column.cells]
