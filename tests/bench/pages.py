"""`make figures [BENCH=callbacks] [RUNS=5]`: the tables of docs/costs.md and docs/scale.md anew, by benches that run
several times at one commit: on a quiet machine, some hours for all of them. Benches that take longer than three minutes
run once. What a run came to is kept in dist/figures/COMMIT/, so that the command goes on where it was broken off.

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`, and is written when its benches are done.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from starter.boot import exits
from starter.cli.campaign import FORMS
from tests.bench import api, audience, callbacks, campaign, command_line, desk, figures, peak, push, records, worker
from tests.bench.engine import Engine
from tests.bench.figures import Figure
from tests.bench.history import NotAsAsked
from tests.bench.table import machine, today

RUNS: Final = 5
AT_MOST: Final = 14_400.0
"""Seconds of one run of a bench, of which a campaign of 10,000 takes half: one that hangs does not hold up the others
for ever.
"""
ROOT: Final = Path(__file__).parents[2]
KEPT: Final = Path("dist", "figures")
UNFINISHED: Final = "unfinished"
WIDTH: Final = 120
"""Of running text in docs/."""

Figures: TypeAlias = Mapping[str, Mapping[str, float]]
"""What one run of a bench wrote as BENCH_JSON."""


@dataclass(frozen=True)
class Row:
    """A figure of a bench. Without `met` it has no aim."""

    figure: str
    says: str
    aim: str = ""
    meets_aim: Callable[[Mapping[str, float]], bool] | None = None
    """By the medians."""
    joins: str = ""
    """What is joined: then a ratio is not what each costs."""


Aim: TypeAlias = tuple[str, Callable[[Mapping[str, float]], bool]]
"""In words, and whether it was met by the medians."""


def at_most(ratio: float) -> Aim:
    """An aim beside the floor."""
    return f"≤ {ratio:g} ×", lambda measured: measured["ratio"] <= ratio


@dataclass(frozen=True)
class Page:
    """A table of a page: the benches that are run for it, and a row for each figure; without rows all they have."""

    name: str
    file: str
    benches: Sequence[Sequence[str]]
    """Their options."""
    heading: str
    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in ("ours", "floor", "ratio")})
    """Headings by the names in BENCH_JSON."""
    rows: Sequence[Row] = ()
    aims: Mapping[str, "Aim"] = field(default_factory=dict)
    """Without rows, by the names of figures."""
    runs_at_most: int = RUNS


def _of_request(figure: Figure, label: str) -> Row:
    aim = figures.AIMS[figure]

    def meets_aim(measured: Mapping[str, float]) -> bool:
        return aim.is_met_by(figures.Comparison(measured["ours"], measured["floor"]))

    return Row(figure.value, label, str(aim), meets_aim)


_MS_OF_RECORDS: Final = {
    "list_p95_ms": records.AIM_LIST_MS,
    "show_ms": records.AIM_SHOW_MS,
    "allowance_ms": records.AIM_ALLOWANCE_MS,
}
_AIMS_OF_RECORDS: Final = f"≤ {records.AIM_RATIO:g} ×, " + ", ".join(
    f"< {limit_ms:g}" for limit_ms in _MS_OF_RECORDS.values()
)


def _meets_record_aims(measured: Mapping[str, float]) -> bool:
    return measured["ratio"] <= records.AIM_RATIO and all(
        measured[name] < limit_ms for name, limit_ms in _MS_OF_RECORDS.items()
    )


_LABEL_BY_CAMPAIGN_FIGURE: Final = {
    "rate": "people notified a second",
    "reminded_per_second": "people reminded a second",
    "signed_per_second": "people who signed, a second",
    "cpu_ms_per_person": "CPU until notified, all processes, ms a person",
    "urgent_p95_s": "an urgent request meanwhile, start to push, p95, s",
    "urgent_schedule_to_start_p99_ms": "its tasks, schedule to start, p99, ms",
    "schedule_to_start_p99_ms": "tasks of the campaign's requests, schedule to start, p99, ms",
    "calls_per_person": "calls of Core Signature until notified, a person",
    "parent_events_per_person": "history events of the campaign, a person",
    "max_history": "history events of its longest run",
    "open_worker_kb": "memory of a request that waits, worker, KB",
    "open_server_kb": "memory of a request that waits, Temporal, KB",
    "show_s": "`campaign show`, s",
    "settle_s": "the record of the campaign, s",
    **{f"report{form}_s": f"report as {form[1:]}, s" for form in FORMS},
}


def _of_campaign(name: str, label: str) -> Row:
    aim, figure = campaign.AIMS.get(name), f"{campaign.NAME}.{name}"
    if aim is None:
        return Row(figure, label)

    def meets_aim(measured: Mapping[str, float]) -> bool:
        return aim.is_met_by(measured.get("ratio", measured["ours"]))

    unit = " ×" if name in campaign.COMPARED else ""
    return Row(figure, label, f"{'≥' if aim.at_least else '≤'} {aim.bound:,g}{unit}", meets_aim)


def _of_audience(seconds: float, megabytes: float) -> Aim:
    aim_text = f"≤ {seconds:g} s, ≤ {megabytes:g} MB"
    return aim_text, lambda measured: measured["seconds"] <= seconds and measured["mb"] <= megabytes


COSTS: Final = "docs/costs.md"
SCALE: Final = "docs/scale.md"
PAGES: Final = (
    Page(
        "request",
        COSTS,
        [["--only", "request"]],
        "per request",
        rows=[
            _of_request(Figure.ACTIONS, "billable actions"),
            _of_request(Figure.EVENTS, "history events"),
            _of_request(Figure.BYTES, "history bytes"),
            _of_request(Figure.CPU, "CPU, all processes, ms"),
            _of_request(Figure.SETTLED, "signal → settled, ms"),
        ],
    ),
    Page(
        "waits",
        COSTS,
        [["--only", push.NAME], ["--only", callbacks.NAME]],
        "one at a time",
        rows=[
            Row("start.to_push_ms", "start → push, ms", *at_most(push.AIM)),
            Row(
                "callback.to_signal_ms",
                "callback → answer, sent when Temporal has the signal, ms",
                *at_most(callbacks.AIM),
            ),
            Row(
                "callback.to_first_handoff_ms",
                "callback → first call of a target, ms",
                *at_most(callbacks.AIM_TO_TARGET),
            ),
            Row(
                "callback.per_second",
                "callbacks per second and process",
                *at_most(callbacks.AIM),
                joins="our callbacks for one request share a signal",
            ),
        ],
    ),
    Page(
        "desk",
        COSTS,
        [["--only", desk.NAME, "--waiting", "20000"]],
        "20,000 open requests",
        rows=[
            Row(
                "desk.page_ms",
                "a page of 50 at the desk beside its calls of visibility, ms",
                f"< {desk.AIM_MS:g} ms, ≤ {desk.AIM_RATIO:g} ×",
                lambda measured: measured["ours"] < desk.AIM_MS and measured["ratio"] <= desk.AIM_RATIO,
            )
        ],
    ),
    Page(
        "processes",
        COSTS,
        [["--only", command_line.NAME], ["--only", worker.NAME]],
        "CPU of a process, ms",
        rows=[
            Row("cli.help_cpu_ms", "`countersign --help`", *at_most(command_line.HELP_AIM)),
            Row("cli.show_cpu_ms", "`countersign request show`", *at_most(command_line.SHOW_AIM)),
            Row("worker.start_cpu_ms", "`worker.py` until it is ready", *at_most(worker.AIM)),
        ],
    ),
    Page(
        "api",
        COSTS,
        [["--only", api.NAME]],
        "the API",
        {"ours": "ours", "floor": "by command", "ratio": "ratio", "offered": "offered", "living": "of them run"},
        [
            Row("api.start_to_push_ms", "start → push, ms", *at_most(api.AIM_RATIO)),
            Row(
                "api.list_p95_ms",
                "a list of 50 of 20,000, p95, ms",
                f"< {api.AIM_LIST_MS:g} ms",
                lambda measured: measured["ours"] < api.AIM_LIST_MS,
            ),
            Row(
                "api.offered",
                f"{api.OFFERED_A_SECOND} starts a second for ten seconds: accepted; the others are refused by 429",
                "each accepted one runs",
                lambda measured: measured["living"] == measured["ours"],
            ),
        ],
    ),
    Page(
        "sweep",
        COSTS,
        [["--only", "sweep"]],
        "reconciliation",
        {"calls": "calls to Core Signature", "told": "notified", "sweeps": "runs", "seconds": "s"},
        [
            Row("sweep.quiet", "2,000 open, nothing missed", "≤ 40 calls", lambda measured: measured["calls"] <= 40),
            Row(
                "sweep.missed", "2,000 open, each missed an event", "< 60 s", lambda measured: measured["seconds"] < 60
            ),
            Row(
                "sweep.week",
                "200,000 events after a week without callbacks",
                "memory + 1 MB",
                lambda measured: measured["grown_mb"] <= 1,
            ),
        ],
    ),
    Page(
        "records",
        SCALE,
        [["--only", records.NAME, "--engine", engine] for engine in Engine],
        "1,000,000 ended",
        {
            "write_ms": "write, ms",
            "ratio": "beside the same rows by hand",
            "list_p95_ms": "list of 50, p95, ms",
            "show_ms": "`show`, ms",
            "allowance_ms": "sign-in of 200,000, ms",
        },
        [Row(f"{records.NAME}.{engine}", engine, _AIMS_OF_RECORDS, _meets_record_aims) for engine in Engine],
        runs_at_most=1,
    ),
    *(
        Page(
            f"campaign-{engine}",
            SCALE,
            [["--only", campaign.NAME, "--people", f"{campaign.CROWD}", "--engine", engine]],
            f"{campaign.CROWD:,} people, {engine}",
            rows=[_of_campaign(*figure) for figure in _LABEL_BY_CAMPAIGN_FIGURE.items()],
            runs_at_most=1,
        )
        for engine in Engine
    ),
    Page(
        "peak",
        SCALE,
        [["--only", peak.NAME]],
        f"{peak.WAITING:,} reminders due at once",
        rows=[
            Row("peak.last_reminder_s", "until the last one, s", *at_most(peak.AIM)),
            Row(
                "peak.urgent_p95_s",
                "an urgent request meanwhile, and before, start to push, p95, s",
                f"at most {peak.AIM_URGENT_SECONDS:g} s more",
                lambda measured: measured["ours"] - measured["floor"] <= peak.AIM_URGENT_SECONDS,
            ),
        ],
        runs_at_most=1,
    ),
    Page(
        "audience",
        SCALE,
        [["--only", audience.NAME]],
        f"{audience.PEOPLE:,} people without requests",
        {"seconds": "s", "mb": "MB at most"},
        aims={f"{audience.NAME}.{name}": _of_audience(*aim) for name, aim in audience.AIMS.items()},
    ),
)


def main() -> None:
    """Run the benches of each page, and write its table."""
    arguments = _parser().parse_args()
    commit = _read_output("git", "rev-parse", "--short", "HEAD")
    if changed := _read_output("git", "status", "--porcelain", "--", ".", ":!docs"):
        raise NotAsAsked(f"figures are of one commit, and this is not committed:\n{changed}")
    for page in PAGES:
        if arguments.only in ("", page.name):
            write_table(page, min(arguments.runs, page.runs_at_most), ROOT, commit)


def write_table(page: Page, run_count: int, root: Path, commit: str) -> None:
    """Run the page's benches so often, but for runs that are kept, and write their table into its file in `root`."""
    figures_of_runs = [_measure(page, number, run_count, root / KEPT / commit) for number in range(run_count)]
    file = root / page.file
    file.write_text(replace_table(file.read_text(), page.name, table(page, figures_of_runs, commit)))


def table(page: Page, runs: Sequence[Figures], commit: str) -> str:
    """Medians of the runs, least and most beside them where they differ; what was measured, and what on. Of a page with
    aims only the figures that have one.
    """
    rows = page.rows or [Row(name, name.partition(".")[2], *page.aims.get(name, ())) for name in runs[0]]
    rows = [row for row in rows if row.figure in runs[0] and (row.aim or not page.aims)]
    aims = any(row.aim for row in rows)
    heads = [page.heading, *page.columns.values(), *(["aim"] if aims else [])]
    lines = [heads, ["---"] * len(heads), *(_cells(page, row, runs, aims=aims) for row in rows)]
    times = "One run" if len(runs) == 1 else f"Medians of {len(runs)} runs, least and most in brackets"
    footer = textwrap.fill(f"{times}, at commit {commit}, {today()}, on {machine()}.", WIDTH)
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", footer])


def replace_table(text: str, name: str, table: str) -> str:
    """The page with this table in its place."""
    pattern = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- /figures -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise NotAsAsked(f"the page needs one place for its table: <!-- figures: {name} -->")
    return pattern.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def _cells(page: Page, row: Row, runs: Sequence[Figures], *, aims: bool) -> list[str]:
    of_each = [run[row.figure] for run in runs]
    label = f"{row.says}; {row.joins}, so the ratio is not what each costs" if row.joins else row.says
    medians = {name: median(run_figures[name] for run_figures in of_each) for name in of_each[0]}
    missed = row.meets_aim is not None and not row.meets_aim(medians)
    aim = f"{row.aim}: misses its aim" if missed else row.aim
    cells = [_cell([run_figures[name] for run_figures in of_each if name in run_figures]) for name in page.columns]
    return [label, *cells, *([aim] if aims else [])]


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    smallest, middle, largest = _number(min(values)), _number(median(values)), _number(max(values))
    return middle if smallest == largest else f"{middle} ({smallest}–{largest})"


def _number(value: float) -> str:
    """With three figures that count."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _measure(page: Page, number: int, run_count: int, folder: Path) -> Figures:
    kept_file = folder / f"{page.name}-{number + 1}.json"
    if not kept_file.exists():
        figures_by_name: dict[str, Mapping[str, float]] = {}
        for options in page.benches:
            print(f"{page.name}, {number + 1} of {run_count}: {' '.join(options)}", flush=True)
            unfinished_folder = folder / UNFINISHED
            unfinished_folder.mkdir(parents=True, exist_ok=True)
            figures_by_name |= run_bench_in(unfinished_folder, options)
            shutil.rmtree(unfinished_folder)
        kept_file.write_text(json.dumps(figures_by_name))
    kept_figures: Figures = json.loads(kept_file.read_text())
    return kept_figures


def run_bench(options: Iterable[str]) -> Figures:
    """In a process of its own, as a figure that is asked for alone."""
    with tempfile.TemporaryDirectory() as folder:
        return run_bench_in(Path(folder), options)


def run_bench_in(folder: Path, options: Iterable[str]) -> Figures:
    """The same; it finds in `folder` what a run of the same commit that was broken off has measured."""
    file = folder / "figures.json"
    command = [sys.executable, "-m", "tests.bench", *options, "--json", str(file)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    try:
        subprocess.run(command, cwd=ROOT, check=True, env=environment, timeout=AT_MOST)  # noqa: S603  ours
    except subprocess.TimeoutExpired:
        raise NotAsAsked(f"{' '.join(options)} was not done within {AT_MOST:.0f} s") from None
    except subprocess.CalledProcessError as failure:
        raise NotAsAsked(f"{' '.join(options)} failed, exit code {failure.returncode}") from None
    figures_read: Figures = json.loads(file.read_text())
    return figures_read


def _read_output(*command: str) -> str:
    process = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603  ours
    return process.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make figures", description=__doc__)
    parser.add_argument("--only", default="", choices=["", *(page.name for page in PAGES)], help="one of the tables")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="how often each bench is run")
    return parser


if __name__ == "__main__":
    exits.run(main, refusals=lambda: (NotAsAsked,), service=True)
