"""docs/faults.md is true: every row that is promised is there, and every test it names exists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"
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
OURS = ("faults", "chaos")
_NOT_OF_A_FAULT = ("faults/test_oracle", "faults/test_catalogue.py")


def table() -> list[tuple[str, str]]:
    """The number of each row, and its last cell."""
    return re.findall(r"^\| ([A-Z]\d+) \|.*\| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE)


def rows() -> dict[str, set[str]]:
    """The tests that each row names."""
    return {number: set(re.findall(r"`(\S+::test_\w+)`", shown)) for number, shown in table()}


def defined(file: Path) -> set[str]:
    """The tests of a file, as the page names them."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, functions)]
    return {f"{file.relative_to(TESTS)}::{name}" for name in names if name.startswith("test_")}


def test_a_row_is_known_by_its_number() -> None:
    numbers = [number for number, _ in table()]
    assert [number for number in numbers if numbers.count(number) > 1] == []


def test_every_promised_row_names_a_test() -> None:
    shown = rows()
    promised = [f"{letter}{number}" for letter, numbers in PROMISED.items() for number in numbers]
    assert [row for row in promised if not shown.get(row)] == []


def test_every_named_test_exists() -> None:
    named = set().union(*rows().values())
    files = {TESTS / name.partition("::")[0] for name in named}
    assert [str(file) for file in files if not file.exists()] == []
    assert sorted(named - set().union(*map(defined, files))) == []


def test_every_fault_test_is_on_the_page() -> None:
    files = [file for room in OURS for file in (TESTS / room).glob("test_*.py")]
    ours = set().union(*map(defined, files))
    named = set().union(*rows().values())
    assert sorted(name for name in ours - named if not name.startswith(_NOT_OF_A_FAULT)) == []
