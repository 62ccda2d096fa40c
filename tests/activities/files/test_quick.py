"""What is read quickly is what is read in full, or is not read quickly at all."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activities.files import yaml_lines
from activities.files import yaml_lines as quick
from activities.files.reading import FileFaults
from activities.people import directory as people_index

ADA = {
    "id": "ada",
    "name": "Zoë Ek",
    "email": "a.b+c@x.example",
    "groups": ["all-staff", "sales"],
    "zone": "Europe/Oslo",
}
USUAL = [
    "people:\n  - id: ada\n    name: Zoë Ek\n    email: a.b+c@x.example\n    groups: [all-staff, sales]\n"
    "    zone: Europe/Oslo\n",
    "people:\n- {id: ada, name: Zoë Ek, email: a.b+c@x.example, groups: [all-staff, sales], zone: Europe/Oslo}\n",
    "# Everybody.\n\npeople:\n  # Ada.\n  -   id: ada\n\n      name: 'Zoë Ek'\n      email: \"a.b+c@x.example\"\n"
    '      groups: ["all-staff", "sales"]\n      zone: Europe/Oslo',
    json.dumps({"people": [ADA]}),
    f"people:\n  - {json.dumps(ADA)}\n",
]
ODD = [
    "people:\n- id: a\n  text: |\n    one\n    # two\n\n    three\n- id: b\n",
    "people:\n- id: a\n  text: |+\n    one\n\n\n- id: b\n  text: >-\n   two\n\n",
    "people:\n- id: &x a\n- id: *x\n",
    "people:\n- id: a\n    name: b\n",
    "people:\n- id: a\n  id: b\n",
    "people:\n- {id: a, id: b}\n",
    "people:\n- id: a\nother: b\n",
    "people:\n- id: 'a\n- b'\n",
    "people:\n- id: [a\n  , b]\n",
    "people:\n- id: 1_000\n  when: 2026-11-02\n  no: 0o17\n  yes: .inf\n",
    "people:\n- id: true\n  null: x\n",
    "people:\n- id: a # b\n- id: a#b\n- id: a,b\n",
    "people:\n- id: {a: b}\n  c: [{d: e, f: [g]}, h: i]\n",
    "people:\n- a\n- [b]\n",
    "people:\n- id: \n- id:a\n",
    "people:\n- - id: a\n",
    "people: []\n",
    "people:\n",
    "- id: a\n",
    "",
    '{"people": [{"id": "\\ud83d\\ude00", "n": 1}]}',
    '{"people": [{"id": "a\\u0000"}]}',
    "---\npeople:\n- id: a\n",
    "people:\n- id: e\u0301\n",
]


@pytest.mark.parametrize("text", USUAL)
def test_the_usual_forms_are_read_quickly(text: str) -> None:
    assert quick.quickly(text, "people") == {"people": [ADA]}


def same(text: str) -> None:
    found = quick.quickly(text, "people")
    if found is not None:
        read = yaml_lines.parse(text)
        assert (found, ()) == (read.value, read.flaws)


@pytest.mark.parametrize("text", [*USUAL, *ODD])
def test_what_is_written_otherwise_is_the_same_or_left(text: str) -> None:
    same(text)


SIGNS = st.text(alphabet="ab1 -:#,'\"[]{}|>&*!%@`~?.\n\\_+0é\u0301", max_size=12)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A file in a usual form, with something put into it or taken out of it."""
    text = draw(st.sampled_from([*USUAL, *ODD]))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(SIGNS) + text[at + draw(st.integers(0, 6)) :]
    return text


@settings(max_examples=1_500, deadline=None)
@given(mutated())
@example("people:\n- id: a\n  b: c:\n")
def test_whatever_is_changed_it_is_the_same_or_left(text: str) -> None:
    same(text)


def people() -> bytes:
    """Twenty thousand, in the form that files are written in."""
    lines = ["people:"]
    for n in range(20_000):
        lines += [f"  - id: person-{n}", f"    name: Person {n}", f"    email: person-{n}@company.example"]
        lines += ["    zone: Europe/Amsterdam", "    calendar: NL", "    groups: [all-staff, directors]"]
    return "\n".join(lines).encode()


def test_twenty_thousand_people_are_read_without_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_lines, "_compose", None)
    index = people_index.read(Path("people.yaml"), people())
    assert len(index.entries) == 20_000
    assert index.groups["directors"][-1] == "person-19999"


def test_a_fault_has_its_line_all_the_same() -> None:
    content = b"people:\n  - id: ada\n    name: Ada\n    emial: ada@x.example\n"
    with pytest.raises(FileFaults, match=r"people.yaml:4: people\[0\].emial: unknown, did you mean email\?"):
        people_index.read(Path("people.yaml"), content)
