"""`tests/limits.toml` is true: a bound it names is a constant of that value, and no bound of the code is missing."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

from activities.records.allowances import Rate
from tests.reliability import LIMITS, TESTS, load_limits, load_sections, render_page, split_scope

ROOT = TESTS.parent
_VALUE = r"(\d+, then [\d.]+/s|[\d,.]*\d(?: s)?(?!\w)|\w+)"
_BOUND = re.compile(rf"`([\w.]+\.[A-Z_]+)` = {_VALUE}")
BOUNDS = {name: value for row in load_limits() for text in row.values() for name, value in _BOUND.findall(str(text))}
_BOUND_NAME = re.compile(r"_?([A-Z_]+_)?(AT_MOST|MOST|LONGEST|MAX|AT_ONCE|REMEMBERED)(_[A-Z_]+)?")
"""What a constant is called that bounds something."""


def render_value(value: object) -> str:
    """A value as the table writes it."""
    if isinstance(value, Rate):
        return f"{value.burst}, then {value.per_second:g}/s"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def read_constant(name: str) -> object:
    """The value of a constant, which is named with its module."""
    module, _, constant = name.rpartition(".")
    return getattr(import_module(module), constant)


def constants() -> Iterator[str]:
    """The constants of the code, by module, that are called like bounds."""
    for folder in ("workflows", "activities", "starter"):
        for file in (ROOT / folder).rglob("*.py"):
            yield from bounds_in(file)
    yield from bounds_in(ROOT / "worker.py")


def bounds_in(file: Path) -> Iterator[str]:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for node in ast.parse(file.read_text()).body:
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and _BOUND_NAME.fullmatch(target.id):
            yield f"{module}.{target.id}"


def test_each_bound_has_the_value_that_its_row_says() -> None:
    assert {name: render_value(read_constant(name)) for name in BOUNDS} == BOUNDS


def test_every_bound_of_the_code_has_a_row() -> None:
    assert sorted(set(constants()) - set(BOUNDS)) == []


def test_every_row_names_a_test_that_exists_or_says_why_there_is_none() -> None:
    for row in load_limits():
        assert row.get("tests") or row.get("untested"), row["what"]
        for test in row.get("tests", ()):
            file, _, name = split_scope(test)[1].partition("::")
            assert re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE), (row["what"], test)


def test_the_bounds_that_an_operator_reads_are_those_of_the_rows() -> None:
    operator_bounds = dict(_BOUND.findall((ROOT / "docs" / "reliability.md").read_text()))
    assert operator_bounds and operator_bounds.items() <= BOUNDS.items()


def test_the_printed_page_has_every_bound() -> None:
    page = render_page("Bounds", load_sections(LIMITS))
    assert [row["what"] for row in load_limits() if f"| {row['what']} |" not in page] == []
