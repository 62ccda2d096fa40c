"""The reader of YAML gives what ruamel.yaml's own YAML 1.2 gives: the same values at the same lines."""

import json
import time
import unicodedata
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from activities.files.reading import FileFaults
from activities.files.yaml_lines import FieldPath, dump, parse
from activities.people import directory as people_index

CORPUS = [
    "a: NO\nb: yes\nc: on\nd: y\ne: True\nf: FALSE\ng: tRUE\n",
    "a: 12:30\nb: 1:30:00\nc: 2026-12-01\nd: 2026-12-01 12:00:00\n",
    "a: 0o14\nb: 014\nc: 0x1F\nd: 08\ne: +1\nf: -0\ng: 1_000\n",
    "a: 1e3\nb: 1.\nc: .5\nd: -.5e+3\ne: 1e\nf: .inf\ng: -.INF\nh: .NaN\ni: 1.5e-3\nj: 6.0_1\n",
    "a: ~\nb: null\nc: Null\nd:\ne: ''\nf: =\ng: nul\n",
    "a: &x [1, &y {b: c}]\nd: *x\ne: *y\nf: &y g\nh: *y\ni: *x\n",
    "- &a x\n- &b [*a, *a]\n- &a y\n- *b\n- *a\n",
    "&k a: 1\nb: *k\nc: {*k : d}\n",
    "a: !!str 12\nb: !!int '12'\nc: ! 12\nd: !!float 1\ne: !!bool true\nf: !!null x\ng: !!timestamp 1\n",
    "!!map\na: !!seq [1]\nb: !<tag:yaml.org,2002:str> 1\n",
    "a: |\n  b\n   c\n\nd: >-\n  e\n  f\n\n  g\nh: |+\n\n\ni: |2\n   j\nk: >\n  l\n",
    "a: 'b\n  c\n\n  d'\ne: \"f\\\n  g\\n\\x41\\u00e9\\U0001F600\\/\\t\"\nh: i\n  j\n\n  k\nl: 'm''n'\n",
    "# Anna\n\n---\n# Ben\na: b # c\nd: e#f\n#\n...\n# after\n",
    "%YAML 1.2\n---\na: yes\n",
    "a:\n- b\n-\n- - c\n  - d: e\n    f: g\n-   h: i\n\n\n    j: k\n",
    "{a: 1, b: [c, d, ], e: {f}, 'g': \"h\", i: http://x.example/y:z}\n",
    json.dumps({"a": [1, -2.5, 1e30, True, None, "NO", {}, []], "é": '\t\n"\\/'}),
    json.dumps({"a": {"b": "c"}, "d": ["e", 1]}, indent=4),
    '{"a":1,"b":"c","d":[1,2],"e":{"f":null}}',
    "? a\n: b\n? c\n",
    "naïve: Zoë\nо: 日本語\ne\u0301: e\u0301\n😀: 😀\n",
    "a: b\r\nc:\r\n  - d\r\n  - e\r\n",
    "'a': b\n\"c\": d\n1: e\ntrue: f\n1.0: g\n",
    "a: [b\n  , c,\n\n  d]\ne: {f: g,\n  h: i}\n",
    "a: -b\nc: -\u00a0d\n",
    "[a, b]\n",
    "a\n",
    "",
    "# nothing\n",
]
"""Texts without a fault."""


def read_by_ruamel(text: str) -> tuple[str, dict[FieldPath, int]]:
    """The value as `repr`, in which NaN equals itself, and the line of every field."""
    lines: dict[FieldPath, int] = {}
    yaml = YAML(typ="safe", pure=True)

    def build(node: Node, path: FieldPath) -> Any:
        lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, SequenceNode):
            return [build(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, MappingNode):
            names = [unicodedata.normalize("NFC", key.value) for key, _ in node.value]
            for name, (key, _) in zip(names, node.value, strict=True):
                lines[*path, name] = key.start_mark.line + 1
            return {name: build(child, (*path, name)) for name, (_, child) in zip(names, node.value, strict=True)}
        if str(node.tag).endswith((":int", ":float", ":bool", ":null")):
            return yaml.constructor.construct_object(node)
        return unicodedata.normalize("NFC", node.value)

    root = yaml.compose(text)
    return repr(None if root is None else build(root, ())), lines


def read_by_us(text: str) -> tuple[str, dict[FieldPath, int]]:
    parsed = parse(text)
    assert parsed.flaws == ()
    return repr(parsed.value), {path: mark.line for path, mark in parsed.marks.items()}


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@pytest.mark.parametrize("text", CORPUS)
def test_values_and_lines_are_those_of_ruamel(text: str) -> None:
    assert read_by_us(text) == read_by_ruamel(text)


SIGNS = st.text(alphabet="ab1 -:#,'\"[]{}|>@`~.\n\\_+0é\u0301", max_size=8)


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """A text of the corpus, with signs put into it or taken out of it."""
    text = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(text)))
        text = text[:position] + draw(SIGNS) + text[position + draw(st.integers(0, 6)) :]
    return text


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@settings(max_examples=600, deadline=None)
@given(mutated_texts())
def test_a_mutated_text_is_refused_or_has_the_values_and_lines_of_ruamel(text: str) -> None:
    if not parse(text).flaws:
        with suppress(YAMLError, KeyError, ValueError):
            assert read_by_us(text) == read_by_ruamel(text)


@pytest.mark.parametrize(
    ("text", "line", "path", "sentence"),
    [
        ("a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\n", 5, ("b", "c"), "is given twice, first on line 3"),
        ('{"a": 1,\n "a": 2}', 2, ("a",), "is given twice, first on line 1"),
        ("e\u0301: 1\né: 2\n", 2, ("é",), "is given twice, first on line 1"),
        ("a: 0o9\nb: 0b12\nc: 0b1\n", 3, ("c",), "is not a number that can be read"),
        ("a: b\nc: !python/name:os d\n", 2, ("c",), "has the tag !…, which is not supported"),
        ("- a\n- b\n-c: d\n", 3, (), "is not valid YAML: did not find expected '-' indicator"),
        ("a: [b, c\n", 2, (), "is not valid YAML: did not find expected ',' or ']'"),
        ("a: b\n\ufffec: d\n", 2, (), "is not valid YAML: control characters are not allowed"),
        ("a: b\nc: `d\n", 2, (), "is not valid YAML: found character '`' that cannot start any token"),
        ("a: b\nc: *d\n", 2, (), "is not valid YAML: found undefined alias …"),
        ('{"a": "b",\n "c": "\\ud83d"}', 2, ("c",), "contains U+D83D LONE SURROGATE, which is not allowed"),
    ],
)
def test_a_flaw_has_its_line(text: str, line: int, path: FieldPath, sentence: str) -> None:
    [flaw] = parse(text).flaws
    assert (flaw.line, flaw.path, flaw.message.english) == (line, path, sentence)


def test_flaws_before_an_end_of_the_syntax_are_reported_with_it() -> None:
    assert [flaw.line for flaw in parse("a: 1\na: 2\nb: [\n").flaws] == [2, 4]


def test_yaml_1_2_holds_whatever_the_text_declares() -> None:
    assert parse("%YAML 1.1\n---\na: NO\nb: 12:30\n").value == {"a": "NO", "b": "12:30"}


def test_json_may_escape_characters_by_surrogates() -> None:
    written = {"a": "😀", "b": "\\ud83d\\ude00"}
    assert parse(json.dumps(written)).value == written


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000, "? " * 200_000])
def test_deep_nesting_is_refused_at_once(text: str) -> None:
    started_at = time.process_time()
    assert parse(text).flaws
    assert time.process_time() - started_at < 2


@pytest.mark.parametrize("text", ["NO", "1e3", "0o14", "12:30", "~", "<<", "2026-12-01", "é: b", "- a", " x " * 99])
def test_texts_that_are_written_are_read_as_the_same(text: str) -> None:
    document = {"key": text, text: [f"{text}\n{text}\n", 1, 1.5, None, True], "a": {}}
    stream = StringIO()
    dump(document, stream)
    assert parse(stream.getvalue()).value == document


def write_people(number: int) -> bytes:
    """A people file in which everybody has all keys."""
    entries = [
        f"  - id: person-{n}\n    name: Person Number {n}\n    email: person.{n}@company.example\n"
        "    zone: Europe/Amsterdam\n    calendar: NL\n    locale: en\n    hours: '08:30-17:00'\n    days: mon-thu\n"
        f"    phone: '+31 20 {1_000_000 + n}'\n    manager: person-{n // 8 if n else 1_000_000}\n"
        f"    delegate: person-{max(n - 1, 0)}\n    department: Department {n % 40}\n"
        f"    joined: 2019-03-{1 + n % 28:02}\n    groups: [all-staff, dept-{n % 40}]\n"
        f"    absent:\n      - {{from: 2026-12-{1 + n % 20:02}, until: 2026-12-28}}\n"
        for n in range(number)
    ]
    return ("people:\n" + "".join(entries)).encode()


@pytest.mark.long
def test_twenty_thousand_people_with_all_keys_are_read_in_eight_seconds_of_processor_time() -> None:
    content = write_people(20_000).replace(b"    manager: person-1000000\n", b"")
    started_at = time.process_time()
    index = people_index.read(Path("people.yaml"), content)
    assert time.process_time() - started_at < 8
    assert len(index.entries) == 20_000
    assert index.groups["dept-39"][-1] == "person-19999"


@pytest.mark.long
def test_the_faults_of_many_people_are_all_reported_with_their_lines() -> None:
    content = (
        write_people(3_000).replace(b"Europe/Amsterdam", b"Europe/Amsterdm").replace(b"delegate: p", b"delegate: q")
    )
    started_at = time.process_time()
    with pytest.raises(FileFaults) as refused:
        people_index.read(Path("people.yaml"), content)
    assert time.process_time() - started_at < 8
    for field, first in {"zone": 5, "delegate": 12}.items():
        lines = [fault.line for fault in refused.value.faults if fault.path.endswith(field)]
        assert lines[1:] == [first + 16 * number for number in range(1, 3_000)]
