"""docs/limits.md is true: its bounds are constants of the code with that value, and no bound of the code is missing."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from activities.records.allowances import Rate

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGE = (ROOT / "docs" / "limits.md").read_text()
ROWS = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE) if " --- " not in row]
BOUNDS = dict(re.findall(r"`([\w.]+\.[A-Z_]+)` = (\d+, then [\d.]+/s|[\d,.]*\d(?: s)?(?!\w)|\w+)", PAGE))
A_BOUND = re.compile(r"_?([A-Z_]+_)?(AT_MOST|MOST|LONGEST|MAX|AT_ONCE|REMEMBERED)(_[A-Z_]+)?")
"""What a constant is called that bounds something."""


def told(value: object) -> str:
    """A value as the page writes it."""
    if isinstance(value, Rate):
        return f"{value.burst}, then {value.per_second:g}/s"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def constants() -> Iterator[str]:
    """The constants of the code, by module, that are called like bounds."""
    for file in [*(one for room in ("workflows", "activities", "starter") for one in (ROOT / room).rglob("*.py"))]:
        yield from bounds_in(file)
    yield from bounds_in(ROOT / "worker.py")


def bounds_in(file: Path) -> Iterator[str]:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for node in ast.parse(file.read_text()).body:
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and A_BOUND.fullmatch(target.id):
            yield f"{module}.{target.id}"


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_has_the_value_that_the_page_says(name: str) -> None:
    module, _, constant = name.rpartition(".")
    assert BOUNDS[name] == told(getattr(import_module(module), constant))


def test_every_bound_of_the_code_has_a_row() -> None:
    assert sorted(set(constants()) - set(BOUNDS)) == []


def test_every_row_names_a_test_that_exists_or_says_why_there_is_none() -> None:
    for row in ROWS:
        if row[-1] == "Shown by":
            continue
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", row[-1])
        assert named or re.match(r"– \w+", row[-1]), row[0]
        for file, test in named:
            assert re.search(rf"^(async )?def {test}\(", (TESTS / file).read_text(), re.MULTILINE), (row[0], test)
