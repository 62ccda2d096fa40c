"""One file for many requests: its columns are filled in from the rows of a table, as values and never as YAML."""

from pathlib import Path

import pytest

from activities.files.reading import FileFaults, FileModel, FileText
from activities.files.table import Table
from starter.cli.start_files import Template
from workflows.model.file_faults import FileFault

TEMPLATE = """\
id: nda-{person}
kind: nda
document: {file: nda.pdf, name: "NDA of {name} {{2026}}"}
requester: legal-desk
signers:
  - person: "{person}"
  - person: "{second}"
due: "{due}"
"""
TABLE = b'person,name,second,due,unused\nanna,"Anna: [x]",chair,2026-12-11,1\nbo,"Bo\n",,,2\n'


def template(text: str = TEMPLATE, table: bytes = TABLE) -> Template:
    return Template.from_template(FileText("nda.yaml", Path(), text), Table.from_bytes("rows.csv", table))


def test_each_row_is_a_request_and_an_empty_cell_leaves_its_field_out() -> None:
    first, second = (file.plain for file in template().files())
    assert first["id"] == "nda-anna"
    assert first["document"]["name"] == "NDA of Anna: [x] {2026}"
    assert first["signers"] == [{"person": "anna"}, {"person": "chair"}]
    assert first["due"] == "2026-12-11"
    assert second["signers"] == [{"person": "bo"}]
    assert "due" not in second


def test_a_cell_adds_no_field() -> None:
    [file] = template("id: '{a}'\nkind: nda\n", b'a\n"x\nkind: other"\n').files()
    assert file.plain == {"id": "x\nkind: other", "kind": "nda"}


class _Nda(FileModel):
    id: str
    message: str | None = None


def test_an_empty_cell_inside_a_text_is_a_fault_of_its_row_and_alone_it_leaves_its_field_out() -> None:
    full, gap = template("id: 'nda-{a}'\nmessage: 'Dear {b}, {{c}}'\n", b"a,b\n1,Bo\n2, \n").files()
    assert full.validate(_Nda).message == "Dear Bo, {c}"
    with pytest.raises(FileFaults) as refused:
        gap.validate(_Nda)
    assert str(refused.value) == "rows.csv:3: message: its column b is empty, and a text with a gap is not sent"
    [alone] = template("id: 'nda-{a}'\nmessage: '{b}'\n", b"a,b\n2, \n").files()
    assert alone.validate(_Nda).message is None


def test_a_column_that_is_not_there_is_a_fault_of_the_template_and_the_near_one_is_named() -> None:
    with pytest.raises(FileFaults) as refused:
        template(TEMPLATE.replace("{second}", "{seccond}"))
    assert str(refused.value) == ("nda.yaml:7: signers[1].person: rows.csv has no column seccond, did you mean second?")


def test_what_is_wrong_with_every_row_is_told_once_and_of_the_template() -> None:
    filled = template()
    rows = list(filled.files())
    unknown = FileFault.NO_KIND_OF_CATALOGUE.to_message(kind="nda", where="the catalogue", hint="")
    common_faults = [row.faults([(("kind",), unknown)]) for row in rows]
    own_faults = rows[1].faults([(("signers", 0, "person"), FileFault.ROW_NOT_IN_DIRECTORY.to_message(person="bo"))])
    assert str(filled.common([*common_faults, own_faults])) == (
        'nda.yaml:2: kind: "nda" is not a kind of the catalogue\n'
        'rows.csv:3: signers[0].person: "bo" is not in the directory'
    )


def test_lonely_braces_stay() -> None:
    [file] = template("message: 'a {} } {'\n", b"a\n1\n").files()
    assert file.plain == {"message": "a {} } {"}
