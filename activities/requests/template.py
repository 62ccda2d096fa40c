"""A file that stands for many: its texts name columns of a table, `{column}`, and each row makes a file of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from activities.files.placeholders import filled, gaps, places
from activities.files.reading import Fault, FileFaults, FileText, PlainFile
from activities.files.table import Table
from activities.files.words import written_path
from activities.files.yaml_lines import FieldMark, FieldPath, Parsed, YamlFlaw
from activities.spelling import did_you_mean


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
            for path, name in places(file.plain)
            if name not in table.columns
        ]
        if unknown:
            raise file.faults(unknown)
        return cls(file, table)

    def files(self) -> Iterator[PlainFile]:
        """The file of each row; what is wrong with one stands at the row's line."""
        for row in self.table.rows:
            mark: dict[FieldPath, FieldMark] = {(): FieldMark(row.line, 0)}
            flaws = tuple(
                YamlFlaw(row.line, path, f"its column {name} is empty, and a text with a gap is not sent")
                for path, name in gaps(self.file.plain, row.cells)
            )
            yield PlainFile(self.table.name, self.file.folder, Parsed(filled(self.file.plain, row.cells), mark, flaws))

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
