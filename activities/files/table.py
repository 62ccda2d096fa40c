"""Spreadsheet tables. Reads UTF-8 and UTF-16, separated by comma, semicolon or tab; writes apparent formulas with an
apostrophe, so that nothing is executed.
"""

import csv
import errno
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TextIO

from activities.files.reading import Fault, FileFaults, bytes_of
from activities.files.yaml_lines import cleaned
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

ROWS_AT_MOST: Final = 10_000
TABLE_BYTES_AT_MOST: Final = 16 * 1024 * 1024
_CELL_AT_MOST: Final = 10_000
_DELIMITERS: Final = ",;\t"
_FORMULA: Final = re.compile(r'^(?=[\t\r])|(?:^|(?<=[;,\t\r\n]))(?="*[=+\-@])')
"""Begin of a formula, also within a cell: a spreadsheet with another separator splits our cells, where our quotes have
no effect.
"""
_BEGINS: Final = '\t\r"=+-@'
_SEPARATED: Final = re.compile(r"[;,\t\r\n]")
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def open_atomically(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Write a text file atomically; its folder must exist. Raises `OSError`."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no file")
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding=encoding, newline="") as stream:
            yield stream
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class TableRow:
    """A row by column names, with its first line."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    delimiter: str = ","

    faults: tuple[Fault, ...] = ()
    """Faults of the rows that were left out (lenient reading)."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """A file's table, at most `ROWS_AT_MOST` rows; else `FileFaults` with all faults."""
        return cls.from_bytes(str(path), bytes_of(path, at_most=TABLE_BYTES_AT_MOST))

    @classmethod
    def from_bytes(cls, name: str, content: bytes, *, rows_at_most: int = ROWS_AT_MOST, lenient: bool = False) -> Self:
        """The table of these bytes; if `lenient`, faulty rows go to `faults`."""
        if len(content) > TABLE_BYTES_AT_MOST:
            raise _fault(
                name, None, FileFault.FILE_TOO_LARGE.to_message(megabytes=TABLE_BYTES_AT_MOST // (1024 * 1024))
            )
        text, delimiter = _split_separator(_decode(name, content))
        lines = _records(name, text, delimiter)
        first, header = next(lines, (1, []))
        columns = _columns(name, first, header)
        rows: list[TableRow] = []
        faults: list[Fault] = []
        for line, cells in lines:
            if len(rows) + len(faults) == rows_at_most:
                raise _fault(name, line, FileFault.TOO_MANY_ROWS.to_message(most=rows_at_most))
            row = _row(name, line, columns, cells)
            if isinstance(row, TableRow):
                rows.append(row)
            else:
                faults.append(row)
        if faults and not lenient:
            raise FileFaults(faults)
        if not rows and not faults:
            raise _fault(name, None, FileFault.NO_ROWS.to_message())
        return cls(name, columns, tuple(rows), delimiter, tuple(faults))


def write(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> None:
    """Write a table atomically, with formulas disarmed."""
    with open_atomically(path, encoding=encoding) as stream:
        put(stream, columns, rows, delimiter=delimiter)


def put(
    stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[str]], *, delimiter: str = ",", end: str = "\r\n"
) -> None:
    """Write the table's lines to a stream, with formulas disarmed."""
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end)
    writer.writerow(map(guarded, columns))
    writer.writerows(map(guarded, row) for row in rows)


def text(rows: Iterable[Sequence[str]], *, end: str = "\r\n") -> str:
    """Lines of a table, with formulas disarmed."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=end).writerows(map(guarded, row) for row in rows)
    return stream.getvalue()


def guarded(cell: str) -> str:
    """The cell as text, even if a spreadsheet would take it for a formula."""
    begins = cell[:1]
    # Looked for only where it can be: most cells begin with a letter, and a report has a million.
    suspect = (begins and begins in _BEGINS) or _SEPARATED.search(cell)
    return _FORMULA.sub("'", cell) if suspect else cell


def _decode(name: str, content: bytes) -> str:
    wide = content.startswith(_BYTE_ORDER_MARKS) or b"\0" in content[:2]
    encoding = "utf-8-sig"
    if wide:
        encoding = "utf-16" if content.startswith(_BYTE_ORDER_MARKS) else f"utf-16-{'be' if content[0] == 0 else 'le'}"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _fault(name, line, FileFault.NO_TABLE_TEXT.to_message()) from error


def _split_separator(text: str) -> tuple[str, str]:
    """The text and its separator: from a first line `sep=;`, else the most frequent in the header."""
    if separator := re.match(r"sep=(.)\r?\n", text):
        return "\n" + text[separator.end() :], separator[1]
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return text, max(_DELIMITERS, key=header.count)


def _records(name: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Non-empty rows with their first lines."""
    # The csv limit applies to the whole file; the limit of a cell is checked per row, with a message.
    csv.field_size_limit(TABLE_BYTES_AT_MOST)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _fault(name, line, FileFault.NO_ROW.to_message(why=error)) from error
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _columns(name: str, line: int, header: list[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip() for cell in header)
    while columns and not columns[-1]:
        columns = columns[:-1]
    if not columns:
        raise _fault(name, line, FileFault.NO_HEADER.to_message())
    if len(set(columns)) < len(columns) or "" in columns:
        raise _fault(name, line, FileFault.NAMELESS_COLUMN.to_message())
    return columns


def _row(name: str, line: int, columns: tuple[str, ...], cells: list[str]) -> TableRow | Fault:
    while len(cells) > len(columns) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(columns):
        return Fault(name, line, "", FileFault.OTHER_NUMBER_OF_CELLS.to_message(cells=len(cells), columns=len(columns)))
    text_by_column = {}
    for column, cell in zip(columns, cells, strict=True):
        text, refused = cleaned(cell.strip())
        if len(text) > _CELL_AT_MOST:
            refused = FileFault.LONG_CELL.to_message(most=_CELL_AT_MOST)
        if refused:
            return Fault(name, line, column, refused)
        text_by_column[column] = text
    return TableRow(line, text_by_column)


def _fault(name: str, line: int | None, message: Message) -> FileFaults:
    return FileFaults((Fault(name, line, "", message),))
