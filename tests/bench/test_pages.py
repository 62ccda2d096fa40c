"""Tables of figures in the docs: what is written of several runs, and where; each bench is run by `make figures`."""

import json
import re
from pathlib import Path

import pytest

from tests.bench import planner
from tests.bench.history import NotAsAsked
from tests.bench.pages import KEPT, PAGES, ROOT, Figures, Page, Row, at_most, replace_table, table, write_table

PAGE = Page(
    "waits",
    "docs/costs.md",
    (),
    "one at a time",
    rows=[
        Row("a.ms", "a, ms", *at_most(1.3)),
        Row("b.bytes", "b", *at_most(2)),
        Row("c.per_second", "c", *at_most(1.3), joins="several are one"),
        Row("d.of_another_engine", "d"),
    ],
)


def run(a: float) -> Figures:
    """One run, in which `a` took so long."""
    return {
        "a.ms": {"ours": a, "floor": 30.0, "ratio": round(a / 30, 2)},
        "b.bytes": {"ours": 18_656, "floor": 12_191, "ratio": 1.53},
        "c.per_second": {"ours": 1_030.4, "floor": 830.2, "ratio": 0.8},
    }


def test_a_row_has_median_and_range_and_says_when_it_misses_its_aim_or_joins_work() -> None:
    assert table(PAGE, [run(a) for a in (45.0, 37.25, 36.0)], "abc1234").splitlines()[:5] == [
        "| one at a time | ours | floor | ratio | aim |",
        "| --- | --- | --- | --- | --- |",
        "| a, ms | 37.2 (36–45) | 30 | 1.24 (1.2–1.5) | ≤ 1.3 × |",
        "| b | 18,656 | 12,191 | 1.53 | ≤ 2 × |",
        "| c; several are one, so the ratio is not what each costs | 1,030 | 830 | 0.8 | ≤ 1.3 × |",
    ]
    assert "| a, ms | 45 | 30 | 1.5 | ≤ 1.3 ×: misses its aim |" in table(PAGE, [run(45.0)], "abc1234")


@pytest.mark.parametrize(
    ("runs", "opening"), [(1, "One run, at"), (5, "Medians of 5 runs, least and most in brackets, at")]
)
def test_below_it_stands_when_it_was_measured(runs: int, opening: str) -> None:
    footer = " ".join(table(PAGE, [run(36.0)] * runs, "abc1234").partition("\n\n")[2].splitlines())
    assert re.fullmatch(rf"{opening} commit abc1234, \d\d \w\w\w \d{{4}}, on .+, \d+ cores, .+\.", footer)


def test_a_table_stands_in_its_place_and_nowhere_else() -> None:
    page = (
        "# Costs\n\n<!-- figures: waits -->\nold\n<!-- /figures -->\n\n<!-- figures: desk -->\nit\n<!-- /figures -->\n"
    )
    assert replace_table(page, "waits", "| new |") == page.replace("old", "| new |")
    assert replace_table(replace_table(page, "waits", "| new |"), "waits", "old") == page
    with pytest.raises(NotAsAsked, match="<!-- figures: sweep -->"):
        replace_table(page, "sweep", "| new |")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_table_has_its_place_in_the_docs(page: Page) -> None:
    assert "| new |" in replace_table((ROOT / page.file).read_text(), page.name, "| new |")


@pytest.mark.long
def test_a_bench_is_run_and_its_table_written(tmp_path: Path) -> None:
    """A bench that needs no stack: on a slow machine too this takes seconds."""
    (tmp_path / "docs").mkdir()
    file = tmp_path / "docs" / "costs.md"
    file.write_text("<!-- figures: agendas -->\n<!-- /figures -->\n")
    page = Page("agendas", "docs/costs.md", [["--only", planner.NAME, "--people", "50"]], "plans", {"agendas": "made"})
    write_table(page, run_count=1, root=tmp_path, commit="abc1234")
    assert "| cpu_s | 50 |\n\nOne run, at commit abc1234" in file.read_text()


def test_a_run_that_is_kept_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    file = tmp_path / "docs" / "costs.md"
    file.write_text("<!-- figures: waits -->\n<!-- /figures -->\n")
    kept_folder = tmp_path / KEPT / "abc1234"
    kept_folder.mkdir(parents=True)
    for number, took in enumerate((45.0, 36.0), start=1):
        (kept_folder / f"waits-{number}.json").write_text(json.dumps(run(took)))
    write_table(PAGE, run_count=2, root=tmp_path, commit="abc1234")
    assert "| a, ms | 40.5 (36–45) |" in file.read_text()
