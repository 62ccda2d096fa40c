"""The terminal that answers are printed on, and the rows that stand on it."""

import errno
import os
from typing import Final, NoReturn

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

NARROWEST: Final = 40
"""Columns in which a table has room for all of its own."""
UNBROKEN: Final = 100_000
"""More columns than any row has characters."""


class Terminal(Console):
    """A console for which a reader who went away is a broken pipe, as for any other output (exits.py)."""

    def on_broken_pipe(self) -> NoReturn:
        """Say so, where rich itself would end the process as if something had been refused."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def show(self, view: RenderableType) -> None:
        """Print an answer so that no character of it is lost.

        A program reads one line a row. A narrow terminal gets the same, and breaks the lines where it likes.
        """
        if not self.is_terminal or self.width < NARROWEST:
            self.width = UNBROKEN
        self.print(view)


class Rows:
    """A table; instants (columns that say UTC) keep their width, the other columns give way."""

    def __init__(self, *columns: str) -> None:
        self._columns = columns
        self._rows: list[tuple[RenderableType, ...]] = []

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, *cells: RenderableType) -> None:
        """Add a row."""
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table(unbroken=options.max_width >= UNBROKEN)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._table(unbroken=options.max_width >= UNBROKEN))

    def _table(self, *, unbroken: bool) -> Table:
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
        for column in self._columns:
            table.add_column(column, overflow="fold", no_wrap="UTC" in column)
        for row in self._rows:
            table.add_row(*(map(_in_one_line, row) if unbroken else row))
        return table


def _in_one_line(cell: RenderableType) -> RenderableType:
    if isinstance(cell, str):
        return " ".join(cell.splitlines())
    return Text(" ").join(cell.split()) if isinstance(cell, Text) else cell
