"""Tables of a terminal: an id, an instant and a number stay in one piece, whatever its width."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from starter.terminal import UNBROKEN, Cell, Instant, below, lines, longest_word, plain, with_tabs

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
