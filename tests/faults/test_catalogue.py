"""The catalogue of faults is complete, every test that it names exists, and every fault test has a row."""

import ast
from pathlib import Path

from tests.reliability import FAULTS, LONG_RUNS, TESTS, load_faults, load_sections, render_page

PROMISED = {
    "A": tuple(range(1, 16)),
    "B": tuple(range(1, 18)),
    "C": (1, 2, 3, 4, 5, 6, 7, 8),
    "D": (1, 2, 3, 4, 6, 7, 9, 10, 12, 17, 18, 19),
    "E": (1, 2, 3, 4, 7, 8),
    "F": tuple(range(1, 11)),
    "G": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "H": (1, 2, 3, 4, 5, 6, 7),
}
FAULT_FOLDERS = ("faults", "chaos")
_NOT_OF_A_FAULT = ("faults/test_oracle", "faults/test_catalogue.py")


def load_tests_by_id() -> dict[str, set[str]]:
    """The tests that each row names."""
    return {row["id"]: set(row["tests"]) for row in load_faults()}


def read_tests(file: Path) -> set[str]:
    """The tests of a file, as the catalogue names them."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, functions)]
    return {f"{file.relative_to(TESTS)}::{name}" for name in names if name.startswith("test_")}


def test_a_row_has_an_id_of_its_own() -> None:
    ids = [row["id"] for row in load_faults()]
    assert [row_id for row_id in ids if ids.count(row_id) > 1] == []


def test_every_promised_row_names_a_test() -> None:
    tests = load_tests_by_id()
    promised = [f"{letter}{number}" for letter, numbers in PROMISED.items() for number in numbers]
    assert [row_id for row_id in promised if not tests.get(row_id)] == []


def test_every_row_says_its_fault_and_what_holds() -> None:
    assert [row["id"] for row in load_faults() if not (row["fault"] and row["result"] and row["tests"])] == []


def test_every_named_test_exists() -> None:
    named = set().union(*load_tests_by_id().values())
    files = {TESTS / name.partition("::")[0] for name in named}
    assert [str(file) for file in files if not file.exists()] == []
    assert sorted(named - set().union(*map(read_tests, files))) == []


def test_every_fault_test_has_a_row() -> None:
    files = [file for folder in FAULT_FOLDERS for file in (TESTS / folder).glob("test_*.py")]
    fault_tests = set().union(*map(read_tests, files))
    named = set().union(*load_tests_by_id().values())
    assert sorted(name for name in fault_tests - named if not name.startswith(_NOT_OF_A_FAULT)) == []


def test_the_printed_page_has_every_fault_and_long_run() -> None:
    page = render_page("Faults", load_sections(FAULTS))
    assert [row["id"] for row in load_faults() if f"| {row['id']} | {row['fault']} |" not in page] == []
    assert [row["what"] for row in load_sections(FAULTS)[LONG_RUNS] if f"| {row['what']} |" not in page] == []
