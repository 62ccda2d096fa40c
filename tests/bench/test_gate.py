"""The gate of the benches: what may not grow, by how much, and a wasteful line that it finds."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shutil import copyfile

import pytest

from tests.bench.gate import (
    BASELINE,
    BENCHES,
    Baseline,
    GatedBench,
    Reference,
    check,
    find_growth,
    measure_baseline,
    read_baseline,
    write_baseline,
)
from tests.bench.history import NotAsAsked
from tests.bench.pages import ROOT, Figures

BENCH = GatedBench("bench", ("--only", "bench"), counts=["request.events/ours"], ratios=["request.cpu_ms/ratio"])
STEADY: Baseline = {"request.events/ours": Reference(60), "request.cpu_ms/ratio": Reference(1.0, 0.02)}
UNSTEADY: Baseline = {**STEADY, "request.cpu_ms/ratio": Reference(1.0, 0.2)}


def figures(ratio: float, events: float = 60) -> Figures:
    return {"request.events": {"ours": events}, "request.cpu_ms": {"ratio": ratio}}


def replay(*runs: Figures) -> tuple[Callable[[Sequence[str]], Figures], Iterator[Figures]]:
    """A bench that comes to these figures, one after the other, and those that are left."""
    left = iter(runs)
    return lambda options: next(left), left


@pytest.mark.parametrize(("baseline", "ratio"), [(STEADY, 1.3), (UNSTEADY, 1.6)], ids=["30 %", "3 × spread"])
def test_a_ratio_within_its_margin_is_measured_once(baseline: Baseline, ratio: float) -> None:
    run, left = replay(figures(ratio), figures(9))
    assert check([BENCH], baseline, run) == ([], figures(ratio))
    assert list(left) == [figures(9)]


def test_of_a_ratio_beyond_it_the_best_of_three_counts() -> None:
    assert check([BENCH], STEADY, replay(figures(1.4), figures(1.5), figures(1.2))[0])[0] == []
    faults, _ = check([BENCH], STEADY, replay(figures(1.4), figures(1.5), figures(1.31))[0])
    assert faults == ["request.cpu_ms/ratio: 1.31 ×, at most 1.30 × is allowed"]


def test_one_event_more_is_one_too_many_and_one_less_is_fine() -> None:
    assert find_growth(BENCH, STEADY, [figures(1.0, events=61), figures(1.0, events=62)]) == [
        "request.events/ours: 61, 1 more than the baseline"
    ]
    assert find_growth(BENCH, STEADY, [figures(1.0, events=61), figures(1.0, events=60)]) == []
    assert find_growth(BENCH, STEADY, [figures(1.0, events=59)]) == []


@pytest.mark.parametrize(("size", "count"), [(10_040, 0), (10_060, 1)])
def test_bytes_may_differ_by_half_a_percent(size: int, count: int) -> None:
    bench = GatedBench("bytes", (), counts=["request.bytes/beyond_floor"])
    faults = find_growth(
        bench, {"request.bytes/beyond_floor": Reference(10_000)}, [{"request.bytes": {"beyond_floor": size}}]
    )
    assert len(faults) == count


def test_a_baseline_is_the_median_with_its_spread_and_is_read_as_it_was_written() -> None:
    baseline = measure_baseline(BENCH, [figures(1.0), figures(1.1), figures(1.3)])
    assert baseline == {"request.events/ours": Reference(60), "request.cpu_ms/ratio": Reference(1.1, 0.113)}
    assert read_baseline(write_baseline(baseline)) == baseline


def test_a_figure_without_a_baseline_is_refused() -> None:
    with pytest.raises(NotAsAsked, match=r"has no request\.events/ours: make baseline"):
        find_growth(BENCH, {}, [figures(1.0)])


def test_the_kept_baseline_has_each_gated_figure_and_no_other() -> None:
    baseline = read_baseline((ROOT / BASELINE).read_text())
    assert set(baseline) == {address for bench in BENCHES for address in (*bench.counts, *bench.ratios)}


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("bench", "file", "line", "wasteful_line", "fault"),
    [
        (
            "counts",
            "workflows/signature/workflow.py",
            "        await self.document.send()\n        await self.follow_up()\n",
            "        workflow.patched('wasted')\n",
            "request.actions/ours",
        ),
        (
            "statements",
            "activities/records/settled.py",
            "    pages = connection.execute(",
            "    connection.execute(select(_IS.sha256))\n",
            "records.SQLite/write_statements",
        ),
    ],
    ids=["a marker", "a statement"],
)
def test_a_wasteful_line_fails(
    bench: str, file: str, line: str, wasteful_line: str, fault: str, tmp_path: Path
) -> None:
    copy_sources(tmp_path)
    source = (tmp_path / file).read_text()
    assert source.count(line) == 1
    (tmp_path / file).write_text(source.replace(line, wasteful_line + line))
    command = [sys.executable, "-m", "tests.bench.gate", "--only", bench, "--tries", "1"]
    gate = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)  # noqa: S603  ours
    assert gate.returncode == 1, gate.stderr
    assert fault in gate.stdout


def copy_sources(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copyfile(ROOT / name, folder / name)
