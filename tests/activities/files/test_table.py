"""Tables as spreadsheets export them: each encoding and divider is read, and no cell is ever a formula."""

import csv
from pathlib import Path

import pytest

from activities.files.reading import FileFaults
from activities.files.table import ROWS_AT_MOST, TABLE_BYTES_AT_MOST, Table, guarded, write

TEXT = 'person,name\r\nanna,"Müller, Anna"\r\n\r\nbo,Bo\r\n'
ROWS = [{"person": "anna", "name": "Müller, Anna"}, {"person": "bo", "name": "Bo"}]


def faults_of(content: bytes) -> str:
    with pytest.raises(FileFaults) as refused:
        Table.from_bytes("rows.csv", content)
    return str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("divider", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_whatever_a_spreadsheet_wrote_is_read(encoding: str, divider: str) -> None:
    text = TEXT.replace("Müller, Anna", "|").replace(",", divider).replace("|", "Müller, Anna")
    table = Table.from_bytes("rows.csv", text.encode(encoding))
    assert [dict(row.cells) for row in table.rows] == ROWS
    assert [row.line for row in table.rows] == [2, 4]
    assert table.delimiter == divider


def test_a_spreadsheet_may_say_itself_what_divides_the_cells() -> None:
    table = Table.from_bytes("rows.csv", b"sep=;\r\nperson;name\r\nanna;a,b,c\r\n")
    assert [(row.line, dict(row.cells)) for row in table.rows] == [(3, {"person": "anna", "name": "a,b,c"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "rows.csv:1: is empty; its first line names the columns"),
        (b"a,b\n", "rows.csv: has no rows"),
        (b"a,a\n1,2\n", "rows.csv:1: needs a name for each column, each once"),
        (b"a,,b\n1,2,3\n", "rows.csv:1: needs a name for each column, each once"),
        (b"a,b\n1\n1,2,3\n", "rows.csv:2: has 1 cells, the first line has 2 columns\nrows.csv:3: has 3 cells, "),
        (b'a,b\n1,"x\n', 'rows.csv:2: is not a row of a table'),
        ("name\nMüller\n".encode("cp1252"), "rows.csv:2: is neither UTF-8 nor UTF-16 text: save it as “CSV UTF-8”"),
        ("a\nx\u202ey\n".encode(), "rows.csv:2: a: contains U+202E RIGHT-TO-LEFT OVERRIDE, which is not allowed"),
        (b"a\nx\0y\n", "rows.csv:2: a: contains U+0000 NULL, which is not allowed"),
        (b"a\n" + b"x" * 10_001, "rows.csv:2: a: is longer than 10,000 characters"),
        (b"x" * (TABLE_BYTES_AT_MOST + 1), "rows.csv: is larger than 16 MiB"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(content: bytes, message: str) -> None:
    assert faults_of(content).startswith(message)


def test_fifty_thousand_rows_are_refused_in_one_line() -> None:
    assert faults_of(b"a\n" + b"x\n" * 50_000) == f"rows.csv:{ROWS_AT_MOST + 2}: has more than 10,000 rows: divide it"


def test_a_table_as_large_and_as_long_as_may_be_is_read() -> None:
    row = b"x" * (TABLE_BYTES_AT_MOST // ROWS_AT_MOST - 1) + b"\n"
    rows = row * ROWS_AT_MOST
    name = b"a" * (TABLE_BYTES_AT_MOST - len(rows) - 1) + b"\n"
    assert len(name + rows) == TABLE_BYTES_AT_MOST
    assert len(Table.from_bytes("rows.csv", name + rows).rows) == ROWS_AT_MOST
    assert faults_of(b"a" + name + rows) == "rows.csv: is larger than 16 MiB"


@pytest.mark.parametrize("cell", ["=1+1", "+31 20 555 0100", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_run_is_a_text(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("divides", [*",;\t\r\n", "\r\n"])
def test_a_spreadsheet_that_divides_otherwise_runs_nothing_either(divides: str) -> None:
    """A cell begins wherever it divides, and with quotes that close at once as well; what else follows stays."""
    assert guarded(f"x{divides}=1{divides}y") == f"x{divides}'=1{divides}y"
    assert guarded(f'x{divides}"=1{divides} - y') == f"x{divides}'\"=1{divides} - y"


def test_what_is_written_is_opened_by_a_spreadsheet_and_read_by_us(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    write(path, ("name", "link"), [("=HYPERLINK(1)", "https://a;b"), ("Müller\nAnna", "")], delimiter=";")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream, delimiter=";")) == [
            ["name", "link"], ["'=HYPERLINK(1)", "https://a;b"], ["Müller\nAnna", ""],
        ]  # fmt: skip
    assert len(Table.read(path).rows) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["result.csv"]
