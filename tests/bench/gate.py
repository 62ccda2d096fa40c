"""`make gate [BENCH=counts]`: fail where a figure has grown beyond `tests/bench/baseline.json`.

Counts (billable actions, events, bytes, SQL statements, calls) may not grow at all. A ratio to the floor may exceed its
baseline by three times the spread that the baseline was measured with, at least by 30 %. What exceeds is measured anew,
and the best of three decides. `make baseline` measures the baseline, which changes in a commit of its own.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, pstdev
from typing import Final, NamedTuple, TypeAlias

from rich.console import Console

from starter.boot import exits
from tests.bench import callbacks, campaign, push, records
from tests.bench.figures import Figure
from tests.bench.history import NotAsAsked
from tests.bench.pages import ROOT, Figures, run_bench

BASELINE: Final = Path("tests/bench/baseline.json")
FIGURES: Final = Path("bench.json")
"""All that the gate has measured, for whoever looks into a failure."""
RUNS: Final = 5
"""Of each bench, for a baseline."""
TRIES: Final = 3
SPREADS: Final = 3.0
SMALLEST_MARGIN: Final = 0.3
_BYTES: Final = f"{Figure.BYTES}/beyond_floor"
"""What both write as often, such as the identity of a worker, has another length in each process."""
MARGINS: Final = {_BYTES: 0.005, "campaign.calls_per_person/ours": 0.01}
"""Of counts that differ from run to run: times are longer or shorter as text, and a busy machine repeats a call."""


class GatedBench(NamedTuple):
    """A bench with those of its figures, as `figure/key` of its JSON, that may not grow."""

    name: str
    options: Sequence[str]
    counts: Sequence[str] = ()
    ratios: Sequence[str] = ()


class Reference(NamedTuple):
    """The median of a figure's runs, and their standard deviation as a share of it."""

    median: float
    spread: float = 0.0

    @property
    def highest_ratio(self) -> float:
        return self.median * (1 + max(SPREADS * self.spread, SMALLEST_MARGIN))


Baseline: TypeAlias = Mapping[str, Reference]
"""By the address of the figure."""
BENCHES: Final = (
    GatedBench(
        "counts",
        ("--only", f"{Figure.ACTIONS},{Figure.EVENTS},{Figure.BYTES}"),
        counts=[f"{Figure.ACTIONS}/ours", f"{Figure.EVENTS}/ours", _BYTES],
    ),
    GatedBench(
        "statements",
        ("--only", records.NAME, "--people", "20000"),
        counts=["records.SQLite/write_statements", "records.SQLite/list_statements"],
        ratios=["records.SQLite/ratio"],
    ),
    GatedBench(
        "request",
        ("--only", f"{Figure.CPU},{Figure.SETTLED}"),
        ratios=[f"{figure}/ratio" for figure in (Figure.CPU, Figure.SETTLED)],
    ),
    GatedBench("push", ("--only", push.NAME), ratios=["start.to_push_ms/ratio"]),
    GatedBench(
        "callbacks",
        ("--only", callbacks.NAME),
        ratios=["callback.to_signal_ms/ratio", "callback.to_first_handoff_ms/ratio"],
    ),
    GatedBench(
        "campaign",
        ("--only", campaign.NAME, "--people", "300"),
        counts=["campaign.calls_per_person/ours"],
        ratios=["campaign.cpu_ms_per_person/ratio"],
    ),
)


def main() -> None:
    """Hold the figures against the baseline, or measure one."""
    arguments, console = _parser().parse_args(), Console()
    benches = [bench for bench in BENCHES if arguments.only in ("", bench.name)]
    path = ROOT / BASELINE
    baseline = read_baseline(path.read_text())
    if arguments.measure:
        for bench in benches:
            runs = [run_bench(bench.options) for _ in range(arguments.runs)]
            baseline = {**baseline, **measure_baseline(bench, runs)}
        path.write_text(write_baseline(baseline))
        return
    faults, figures = check(benches, baseline, run_bench, arguments.tries)
    (ROOT / FIGURES).write_text(json.dumps(figures, indent=2) + "\n")
    for fault in faults:
        console.print(fault, style="red")
    if faults:
        raise NotAsAsked(f"{len(faults)} figures have grown; a baseline that is to change: make baseline")
    console.print("No figure has grown.", style="green")


def check(
    benches: Sequence[GatedBench], baseline: Baseline, run: Callable[[Sequence[str]], Figures], tries: int = TRIES
) -> tuple[list[str], Figures]:
    """What has grown, a sentence each, and the figures of the last runs."""
    faults: list[str] = []
    figures: dict[str, Mapping[str, float]] = {}
    for bench in benches:
        runs = [run(bench.options)]
        while find_growth(bench, baseline, runs) and len(runs) < tries:
            runs.append(run(bench.options))
        faults += find_growth(bench, baseline, runs)
        figures |= runs[-1]
    return faults, figures


def find_growth(bench: GatedBench, baseline: Baseline, runs: Sequence[Figures]) -> list[str]:
    """What has grown in the best of the runs, a sentence each."""
    best = {address: min(_read(figures, address) for figures in runs) for address in (*bench.counts, *bench.ratios)}
    counts = [
        f"{address}: {best[address]:,g}, {best[address] - reference.median:,g} more than the baseline"
        for address in bench.counts
        if best[address] > (reference := _of(baseline, address)).median * (1 + MARGINS.get(address, 0))
    ]
    ratios = [
        f"{address}: {best[address]:.2f} ×, at most {reference.highest_ratio:.2f} × is allowed"
        for address in bench.ratios
        if best[address] > (reference := _of(baseline, address)).highest_ratio
    ]
    return counts + ratios


def measure_baseline(bench: GatedBench, runs: Sequence[Figures]) -> Baseline:
    """Of a count the most of the runs, of a ratio median and spread."""
    counts = {address: Reference(max(_read(figures, address) for figures in runs)) for address in bench.counts}
    ratios = {address: _reference([_read(figures, address) for figures in runs]) for address in bench.ratios}
    return counts | ratios


def read_baseline(text: str) -> Baseline:
    return {address: Reference(**reference) for address, reference in json.loads(text).items()}


def write_baseline(baseline: Baseline) -> str:
    return json.dumps({address: baseline[address]._asdict() for address in sorted(baseline)}, indent=2) + "\n"


def _reference(ratios: Sequence[float]) -> Reference:
    middle = median(ratios)
    return Reference(round(middle, 3), round(pstdev(ratios) / middle, 3))


def _of(baseline: Baseline, address: str) -> Reference:
    if address not in baseline:
        raise NotAsAsked(f"{BASELINE} has no {address}: make baseline")
    return baseline[address]


def _read(figures: Figures, address: str) -> float:
    figure, _, key = address.partition("/")
    return figures[figure][key]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make gate", description=__doc__)
    parser.add_argument(
        "--only", default="", choices=["", *(bench.name for bench in BENCHES)], help="one of the benches"
    )
    parser.add_argument("--measure", action="store_true", help="measure the baseline")
    parser.add_argument("--tries", type=int, default=TRIES, metavar="N", help="runs of which the best decides")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="of each bench, for the baseline")
    return parser


if __name__ == "__main__":
    exits.run(main, refusals=lambda: (NotAsAsked,), service=True)
