"""The reader of people's files: lines, characters, sizes, and nothing that a hostile file can do."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from activities.files.fields import Message, Name
from activities.files.reading import (
    DOCUMENTS_AT_MOST,
    MAX_FILE_BYTES,
    SUGGESTED_AT_MOST,
    TOLD_AT_MOST,
    Fault,
    FileFaults,
    FileModel,
    FileText,
)
from activities.files.yaml_lines import parse
from workflows.model.file_faults import FileFault


class Part(FileModel):
    """A part of the file under test."""

    order: int = Field(default=1, ge=1)
    title: Name = "untitled"


class Whole(FileModel):
    """The file under test."""

    name: Name
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = Field(default_factory=dict)
    message: Message | None = None


def faults(text: str) -> list[str]:
    with pytest.raises(FileFaults) as caught:
        FileText("file.yaml", Path(), text).parse().validate(Whole)
    return str(caught.value).split("\n")


def test_yaml_and_json_say_the_same() -> None:
    text = "name: N\nparts: [{order: 2, title: second}]\n"
    as_json = json.dumps({"name": "N", "parts": [{"order": 2, "title": "second"}]}, indent="\t")
    read = [FileText("f", Path(), written).parse().validate(Whole) for written in (text, as_json)]
    assert read[0] == read[1]


def test_every_fault_has_file_line_and_field_and_all_come_at_once() -> None:
    text = "nam: N\nparts:\n  - order: 1\n  - title: t\n    ordr: 2\n  - order: first\nby_name:\n  a: {titel: x}\n"
    assert faults(text) == [
        "file.yaml:1: name: is missing",
        "file.yaml:1: nam: unknown, did you mean name?",
        "file.yaml:5: parts[1].ordr: unknown, did you mean order?",
        "file.yaml:6: parts[2].order: must be a whole number, not a text",
        "file.yaml:8: by_name.a.titel: unknown, did you mean title?",
    ]


def test_a_key_far_from_all_others_lists_what_is_known() -> None:
    assert faults("name: N\nxyzzy: 1") == ["file.yaml:2: xyzzy: unknown, known are name, parts, by_name, message"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: A\nname: B", "file.yaml:2: name: is given twice, first on line 1"),
        ("name: N\nmessage: a\0b", "file.yaml:2: message: contains U+0000 NULL, which is not allowed"),
        (
            "name: N\nmessage: a\u202eb",
            "file.yaml:2: message: contains U+202E RIGHT-TO-LEFT OVERRIDE, which is not allowed",
        ),
        ('name: N\nmessage: "a\\u2066b"', "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ('{"name": "N", "message": "\\ud800"}', "U+D800 LONE SURROGATE"),
        ('name: N\nmessage: "a\\x07b"', "message: contains U+0007 BELL, which is not allowed"),
        ("name: N\nmessage: a\x1b[31m", "U+001B ESCAPE"),
        ("name: |\n  two\n  lines", "name: must be one line without tabs"),
        ("name: '   '", "name: is empty"),
        (f"name: {'x' * 201}", "name: is 201 characters long, at most 200 are allowed"),
        (f"name: N\nmessage: {'x' * 10_000}", "message: is 10,000 characters long, at most 4,000 are allowed"),
        ("name: 31", "name: must be a text, not a number (put it in quotes)"),
        ("name: [1\nparts: 2", "file.yaml:2: is not valid YAML: did not find expected ',' or ']'"),
        ("name: @them", "is not valid YAML: found character '@' that cannot start any token"),
        ("name: *anna@example.com", "is not valid YAML: found undefined alias …"),
        ("name: N\n---\nname: M", "file.yaml:2: is not valid YAML"),
        ("name: !!python/object/apply:os.system [x]", "must be a text, not a list"),
        ("name: !!binary aGk=", "has the tag !!binary, which is not supported"),
        ("? [a]\n: b\nname: N", "has a key that is not a word"),
        ("name: N\nparts:\n  - &p {order: 2}\n  - <<: *p", "file.yaml:4: parts[1]: has the key <<, which takes over"),
        ("name: N\n~: x", "file.yaml:2: has an empty key (~)"),
        ("name: N\n1: x", "file.yaml:2: 1: unknown, known are name"),
        ("42", "file.yaml:1: must be a map of fields, not a number"),
        ("name: true", "name: must be a text, not true or false (put it in quotes)"),
        ("name: N\nparts: [{order: 1.5}]", "parts[0].order: must be a whole number"),
        ("name: N\nparts: [{order: .inf}]", "parts[0].order: must be a whole number"),
        ("", "must be a map of fields, not empty"),
        ("[" * 500, "is nested too deeply"),
        ("name: &a [*a]", "unfolds through its aliases"),
    ],
)
def test_refused(text: str, fault: str) -> None:
    assert fault in "\n".join(faults(text))


def test_a_forbidden_character_is_told_once() -> None:
    assert faults('{"name": "A\\ud83d"}') == ["file.yaml:1: name: contains U+D83D LONE SURROGATE, which is not allowed"]


def test_an_alias_bomb_is_refused_at_once() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 30)
    )
    assert "unfolds" in faults(bomb)[0]


def test_plain_aliases_work_and_texts_are_nfc() -> None:
    document = FileText("f", Path(), "name: Cafe\u0301\nparts: [&p {order: 2}, *p]").parse().validate(Whole)
    assert document.name == "Café"
    assert document.parts == (Part(order=2), Part(order=2))


def test_json_escapes_beyond_the_first_plane_are_characters() -> None:
    assert parse(json.dumps({"name": "👩‍👩‍👧"})).value == {"name": "👩‍👩‍👧"}


def test_words_of_yaml_1_1_are_texts() -> None:
    assert parse("country: NO\ntime: 12:30\nday: 2026-12-11").value == {
        "country": "NO",
        "time": "12:30",
        "day": "2026-12-11",
    }


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"x" * (MAX_FILE_BYTES + 1), "is larger than 1 MiB"),
        (b"name: N\nmessage: \xff", ":2: is not UTF-8 text"),
    ],
)
def test_sizes_and_encodings(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "file.yaml").write_bytes(content)
    with pytest.raises(FileFaults, match=fault):
        FileText.read(tmp_path / "file.yaml")


def test_a_file_as_large_as_may_be_is_read(tmp_path: Path) -> None:
    text = "name: N\n"
    (tmp_path / "file.yaml").write_text(text + "#" * (MAX_FILE_BYTES - len(text)))
    assert len(FileText.read(tmp_path / "file.yaml").text) == MAX_FILE_BYTES


@pytest.mark.parametrize("extra_bytes", [0, 1])
def test_standard_input_has_the_limit_of_a_file(monkeypatch: pytest.MonkeyPatch, extra_bytes: int) -> None:
    """What is beyond it is refused, never cut off."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"#" * (MAX_FILE_BYTES + extra_bytes))))
    if not extra_bytes:
        assert len(FileText.read("-").text) == MAX_FILE_BYTES
        return
    with pytest.raises(FileFaults, match="is larger than 1 MiB"):
        FileText.read("-")


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(FileFaults, match="cannot be read") as caught:
            FileText.read(path)
        assert "\n" not in str(caught.value)


def test_a_dash_is_standard_input_with_paths_from_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("\ufeffname: N".encode())))
    written = FileText.read("-")
    assert (written.name, written.folder, written.text) == ("stdin", Path.cwd(), "name: N")


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    parsed = parse(text)
    assert parsed.line(()) >= 1


@given(st.recursive(st.none() | st.booleans() | st.text("abc é😀", max_size=5), lambda s: st.lists(s, max_size=3)))
def test_json_comes_out_as_it_was_written(value: object) -> None:
    assert parse(json.dumps(value)).value == value


def test_a_thousand_documents_of_one_file_are_read_and_ten_times_as_many_refused(tmp_path: Path) -> None:
    file_text = FileText("many.yaml", tmp_path, "---\nid: a\n" * DOCUMENTS_AT_MOST)
    lines = [document.first_line for document in file_text.documents()]
    assert (len(lines), lines[-1]) == (DOCUMENTS_AT_MOST, 2 * DOCUMENTS_AT_MOST - 1)
    with pytest.raises(FileFaults, match=r"^many.yaml: has more than 1,000 documents: divide it$"):
        list(replace(file_text, text="---\nid: a\n" * 10 * DOCUMENTS_AT_MOST).documents())


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "a: |\n  x\n ---\n"])
def test_whatever_it_says_a_file_is_one_document_at_least(text: str, tmp_path: Path) -> None:
    assert len(list(FileText("one.yaml", tmp_path, text).documents())) == 1


def test_the_nearest_key_is_searched_for_the_first_ten_unknown_ones_alone() -> None:
    texts = faults("name: N\n" + "\n".join(f"nam{number}: x" for number in range(1_000)))
    assert sum("did you mean name?" in text for text in texts) == SUGGESTED_AT_MOST
    assert texts[SUGGESTED_AT_MOST] == "file.yaml:12: nam10: unknown"


def test_of_a_thousand_faults_the_first_hundred_are_told_and_the_others_counted() -> None:
    lines = str(
        FileFaults(Fault("a.yaml", line, "", FileFault.BLANK.to_message()) for line in range(1, 1_001))
    ).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (TOLD_AT_MOST + 1, "a.yaml:1: is empty", "and 900 more")


@pytest.mark.parametrize(
    ("text", "helps"),
    [
        ("name: Terms: and conditions\n", "(a text with a comma or a colon in it needs quotes)"),
        ("parts: [{title: 'a' b, c}]\n", "(a text with a comma or a colon in it needs quotes)"),
        ("name: x\n\tparts: []\n", "indent with spaces, and put a text with a tab in quotes)"),
    ],
)  # fmt: skip
def test_a_sign_that_yaml_takes_for_its_own_has_a_hint_to_quote(text: str, helps: str) -> None:
    with pytest.raises(FileFaults, match="is not valid YAML") as refused:
        FileText("a.yaml", Path(), text).parse().validate(Whole)
    assert str(refused.value).splitlines()[0].endswith(helps)


def test_the_rest_of_a_text_that_a_comma_cut_off_is_a_key_with_a_hint_to_quote() -> None:
    with pytest.raises(FileFaults) as refused:
        FileText("a.yaml", Path(), "{name: Terms, and conditions}").parse().validate(Whole)
    assert str(refused.value).endswith("(if it is the rest of a text with a comma in it, put that in quotes)")
