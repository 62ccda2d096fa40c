"""A request file that stands for many: its texts name columns of a table, `{column}`, and each row makes a request.

What is put in are values, never YAML: a cell cannot add a field.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from activities.files.reading import Fault, FileFaults, FileText, PlainFile
from activities.files.table import Row, Table
from activities.files.words import written_path
from activities.files.yaml_lines import FieldPath, Mark, Parsed
from activities.spelling import did_you_mean

_PLACE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_BRACES: Final = {"{{": "{", "}}": "}"}
_DROPPED: Final = object()


@dataclass(frozen=True)
class Template:
    """A template whose columns are all in the table."""

    file: PlainFile
    table: Table

    @classmethod
    def of(cls, written: FileText, table: Table) -> Self:
        """The template of a file; `FileFaults` when it is no file at all, or names a column that is not there."""
        file = written.parse()
        flaws = [Fault(file.name, flaw.line, written_path(flaw.path), flaw.says) for flaw in file.parsed.flaws]
        if flaws:
            raise FileFaults(flaws)
        unknown = [
            (path, f"{table.name} has no column {name}{did_you_mean(name, table.columns)}")
            for path, text in _texts(file.plain, ())
            for name in _PLACE.findall(text)
            if name and name not in table.columns
        ]
        if unknown:
            raise file.faults(unknown)
        return cls(file, table)

    def requests(self) -> Iterator[PlainFile]:
        """The request of each row; what is wrong with one stands at the row's line."""
        for row in self.table.rows:
            yield PlainFile(self.table.name, self.file.folder, Parsed(self._filled(row), {(): Mark(row.line, 0)}, ()))

    def common(self, faults: Iterable[FileFaults]) -> FileFaults:
        """The faults of all rows; what is wrong with every row alike is wrong with the template, and told once."""
        found = [fault for each in faults for fault in each.faults]
        counts: dict[tuple[str, str], int] = {}
        for fault in found:
            counts[fault.path, fault.says] = counts.get((fault.path, fault.says), 0) + 1
        rows = len(self.table.rows)
        shared = {key for key, count in counts.items() if count == rows > 1}
        own = [fault for fault in found if (fault.path, fault.says) not in shared]
        lines = {written_path(path): mark.line for path, mark in self.file.parsed.marks.items()}
        return FileFaults((*(Fault(self.file.name, lines.get(path, 1), path, says) for path, says in shared), *own))

    def _filled(self, row: Row) -> Any:
        filled = _filled(self.file.plain, row.cells)
        return None if filled is _DROPPED else filled


def _filled(value: Any, cells: Mapping[str, str]) -> Any:
    """The value with its columns put in; a field that is one empty cell is left out."""
    if isinstance(value, dict):
        fields = {key: new for key, item in value.items() if (new := _filled(item, cells)) is not _DROPPED}
        return fields if fields or not value else _DROPPED
    if isinstance(value, list):
        return [new for item in value if (new := _filled(item, cells)) is not _DROPPED]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole and whole[1] and not cells[whole[1]]:
        return _DROPPED
    return _PLACE.sub(lambda place: cells[place[1]] if place[1] else _BRACES.get(place[0], place[0]), value)


def _texts(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _texts(item, (*path, position))
    elif isinstance(value, str):
        yield path, value
