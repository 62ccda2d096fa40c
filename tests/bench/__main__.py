"""`make bench [BENCH=request.bytes] [BENCH_JSON=file]`: one request beside the floor, as a table and as JSON.

`BENCH=planner [N=10000]`, `BENCH=push`, `BENCH=web`, `BENCH=task`, `BENCH=onboarding`, `BENCH=urgent [WAITING=200]`,
`BENCH=peak [WAITING=10000]`, `BENCH=desk [WAITING=2000]`, `BENCH=api [WAITING=20000]`,
`BENCH=campaign [N=10000] [ENGINE=PostgreSQL]`, `BENCH=audience [N=100000]`, `BENCH=callbacks`, `BENCH=cli`,
`BENCH=directory [N=10000]`, `BENCH=evidence [N=10000]`, `BENCH=records [N=1000000] [ENGINE=PostgreSQL]`,
`BENCH=value [N=100000] [ENGINE=PostgreSQL]`, `BENCH=sweep [WAITING=2000]` and `BENCH=worker` measure something else,
and are not part of the whole.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.text import Text
from temporalio.runtime import Runtime, TelemetryConfig

from starter.boot import exits
from tests.bench import (
    api,
    audience,
    callbacks,
    campaign,
    command_line,
    desk,
    directory,
    evidence,
    onboarding,
    peak,
    planner,
    push,
    records,
    sweep,
    table,
    task,
    urgent,
    value,
    web_push,
    worker,
)
from tests.bench.engine import Engine
from tests.bench.figures import as_json, selected
from tests.bench.history import NotAsAsked
from tests.bench.run import measure


class BenchResult(Protocol):
    """What a bench has measured."""

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        ...

    def in_words(self) -> Text:
        """For the terminal, green where the aims were met."""
        ...


def main() -> None:
    """Measure, show, and write the file if one is asked for."""
    parser = _parser()
    arguments, console = parser.parse_args(), Console()
    benches: dict[str, Callable[[], Coroutine[Any, Any, BenchResult]]] = {
        planner.NAME: partial(planner.measure, arguments.people or planner.AGENDAS),
        push.NAME: push.measure,
        web_push.NAME: web_push.measure,
        task.NAME: task.measure,
        onboarding.NAME: onboarding.with_page,
        urgent.NAME: partial(urgent.measure, arguments.waiting or urgent.WAITING),
        peak.NAME: partial(peak.measure, arguments.waiting or peak.WAITING),
        desk.NAME: partial(desk.measure, arguments.waiting or desk.OPEN),
        api.NAME: partial(api.measure, arguments.waiting or desk.OPEN),
        campaign.NAME: partial(campaign.measure, arguments.people or campaign.PEOPLE, Engine(arguments.engine)),
        callbacks.NAME: callbacks.measure,
        command_line.NAME: command_line.measure,
        directory.NAME: partial(directory.measure, arguments.people or directory.PEOPLE),
        records.NAME: partial(records.measure, arguments.people or records.ROWS, Engine(arguments.engine)),
        sweep.NAME: partial(sweep.measure, arguments.waiting or sweep.OPEN),
        evidence.NAME: partial(evidence.measure, arguments.people or evidence.PEOPLE),
        worker.NAME: worker.measure,
        value.NAME: partial(value.measure, arguments.people or value.ROWS, Engine(arguments.engine)),
        audience.NAME: partial(audience.measure, arguments.people or audience.PEOPLE),
    }
    if measure_bench := benches.get(arguments.only):
        result = asyncio.run(measure_bench())
        console.print(result.in_words())
        _write(arguments.json, result.as_json())
        return
    try:
        figures = selected(arguments.only)
    except ValueError as unknown:
        parser.error(str(unknown))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=None))
    with console.status("starting a server") as status:
        tally = asyncio.run(measure(figures, say=status.update))
    comparisons = tally.comparisons(figures)
    console.print(table.of_comparisons(comparisons))
    _write(arguments.json, as_json(comparisons))


def _write(file: str, figures: dict[str, dict[str, float]]) -> None:
    if file:
        Path(file).write_text(json.dumps(figures, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        metavar="NAME",
        help="a figure, the group before its dot, or one of those that are not part of the whole",
    )
    parser.add_argument(
        "--waiting", type=int, default=0, metavar="N", help="requests that wait, of urgent, peak, desk and sweep"
    )
    parser.add_argument(
        "--people", type=int, default=0, metavar="N", help="people of a campaign or directory, records, or agendas"
    )
    parser.add_argument(
        "--engine",
        default=Engine.SQLITE,
        choices=[*Engine],
        help="what the records of campaign, records and value are in",
    )
    parser.add_argument("--json", default="", metavar="FILE", help="write the figures there too")
    return parser


if __name__ == "__main__":
    exits.run(main, refusals=lambda: (NotAsAsked,), service=True)
