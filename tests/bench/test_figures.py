"""The arithmetic of the bench and what it prints."""

import io
import time

import pytest
from rich.console import Console

from tests.bench import processor_time, table
from tests.bench.contender import Contender
from tests.bench.figures import AIMS, Comparison, Figure, Tally, as_json, selected


def test_figures_are_medians_and_only_those_asked_for() -> None:
    tally = Tally()
    tally.add(Contender.OURS, {Figure.EVENTS: [70, 72, 90], Figure.CPU: []})
    tally.add(Contender.FLOOR, {Figure.EVENTS: [60], Figure.CPU: []})

    assert as_json(tally.comparisons(frozenset(Figure))) == {
        "request.events": {"ours": 72, "floor": 60, "ratio": 1.2, "beyond_floor": 12}
    }
    assert tally.comparisons(frozenset({Figure.BYTES})) == {}


@pytest.mark.parametrize(
    ("prefix", "figures"),
    [("", set(Figure)), ("request", set(Figure)), ("request.bytes", {Figure.BYTES})],
)
def test_a_name_selects_a_figure_or_a_group(prefix: str, figures: set[Figure]) -> None:
    assert selected(prefix) == figures


@pytest.mark.parametrize("prefix", ["req", "request.byte", "campaign"])
def test_an_unknown_name_is_told_what_there_is(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"no figure .* there are request\.actions, "):
        selected(prefix)


def test_aims_are_absolute_for_actions_and_relative_for_the_others() -> None:
    assert AIMS[Figure.ACTIONS].is_met_by(Comparison(product=17, floor=1))
    assert not AIMS[Figure.ACTIONS].is_met_by(Comparison(product=18, floor=18))
    assert AIMS[Figure.EVENTS].is_met_by(Comparison(product=120, floor=100))
    assert not AIMS[Figure.EVENTS].is_met_by(Comparison(product=121, floor=100))
    assert AIMS[Figure.BYTES].is_met_by(Comparison(product=20_000, floor=10_000))
    assert not AIMS[Figure.BYTES].is_met_by(Comparison(product=20_000, floor=9_999))


def test_the_table_fits_eighty_columns_and_names_machine_and_verdict() -> None:
    comparisons = {figure: Comparison(product=31_000, floor=10_000) for figure in Figure}
    console = Console(file=io.StringIO(), width=80)
    console.print(table.of_comparisons(comparisons))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in printed
    assert all(figure.value.removeprefix("request.") in printed for figure in Figure)
    assert printed.count("missed") == len(Figure)
    assert "3.10 ×" in printed
    assert "cores" in printed


def test_bars_are_as_long_as_their_values() -> None:
    assert table.bar(8, 8) == "█" * 18
    assert table.bar(4, 8) == "█" * 9
    assert table.bar(0, 8) == ""


@pytest.mark.skipif(not processor_time.available(), reason="told by Linux only")
def test_work_of_this_process_counts_as_processor_time() -> None:
    spent_before, busy_until = processor_time.spent_ms(), time.process_time() + 0.05
    while time.process_time() < busy_until:
        pass
    assert processor_time.spent_ms() - spent_before >= 30
