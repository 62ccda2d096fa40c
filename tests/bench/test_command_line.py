"""What the command is compared with; the aims themselves are measured by `make bench BENCH=cli`."""

import re

import pytest

from tests.bench.command_line import HELP_FLOOR, SHOW_FLOOR, Comparison


@pytest.mark.parametrize("script", [HELP_FLOOR, SHOW_FLOOR])
def test_a_floor_imports_nothing_of_ours(script: str) -> None:
    assert not re.findall(r"\b(?:activities|starter|workflows|tests|deploy)\b", script)


def test_a_comparison_states_its_ratio_and_its_aim() -> None:
    assert str(Comparison("--help", 150.2, 100.1, 1.5)) == "--help: 150 ms, floor 100 ms, 1.50 × (aim ≤ 1.5 ×)"
