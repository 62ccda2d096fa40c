"""`make bench BENCH=cli`: the processor time of `countersign --help` and `request show`, beside scripts that import
nothing of ours: one imports cyclopts and what it prints help with, one asks the same query by the same client.
"""

import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from starter.boot import processes
from tests.bench.contender import Contender, course, start
from tests.bench.history import NotAsAsked
from workflows.kinds import Kind

NAME: Final = "cli"
RUNS: Final = 5
HELP_AIM: Final = 1.5
SHOW_AIM: Final = 1.3
_REQUEST: Final = "msa-0042"
HELP_FLOOR: Final = "import cyclopts, cyclopts.help, rich.console, rich.markdown, rich.table"
SHOW_FLOOR: Final = """
import asyncio, os, sys
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

async def main():
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], data_converter=pydantic_data_converter)
    print(await client.get_workflow_handle(sys.argv[1]).query("show"))
    sys.stdout.flush()
    os._exit(0)

asyncio.run(main())
"""


@dataclass(frozen=True)
class Comparison:
    """Milliseconds of processor time."""

    command: str
    product: float
    floor: float
    aim: float

    @property
    def ratio(self) -> float:
        return self.product / self.floor

    def __str__(self) -> str:
        times = f"{self.product:.0f} ms, floor {self.floor:.0f} ms, {self.ratio:.2f} ×"
        return f"{self.command}: {times} (aim ≤ {self.aim:g} ×)"


@dataclass(frozen=True)
class Comparisons:
    """The two commands beside their floors."""

    help: Comparison
    show: Comparison

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            f"{NAME}.{name}_cpu_ms": {
                "ours": round(row.product),
                "floor": round(row.floor),
                "ratio": round(row.ratio, 2),
            }
            for name, row in (("help", self.help), ("show", self.show))
        }

    def in_words(self) -> Text:
        """A line each, green if it met its aim."""
        rows = (Text(str(row), "green" if row.ratio <= row.aim else "red") for row in (self.help, self.show))
        return Text("\n").join(rows)


async def measure(runs: int = RUNS) -> Comparisons:
    """The least of so many runs of each, with compiled bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        async with course() as client:
            await start(client, Contender.OURS, _REQUEST)
            address = client.service_client.config.target_host
            environment = {**_environment(), "TEMPORAL_ADDRESS": address, "COUNTERSIGN_DATA_DIR": folder}
            id = Kind.REQUEST.workflow_id(_REQUEST)
            product, floor = ("-m", "starter"), ("-c", SHOW_FLOOR, id)
            show = await _least_ms(runs, environment, (*product, "request", "show", _REQUEST), floor)
            help = await _least_ms(runs, environment, (*product, "--help"), ("-c", HELP_FLOOR))
    return Comparisons(
        Comparison("--help", help[0], help[1], HELP_AIM), Comparison("request show", show[0], show[1], SHOW_AIM)
    )


async def _least_ms(runs: int, environment: Mapping[str, str], *scripts: tuple[str, ...]) -> list[float]:
    """Of each script; they take turns after a run that compiles."""
    rounds = [[await _spent_ms(script, environment) for script in scripts] for _ in range(runs + 1)][1:]
    return [min(times) for times in zip(*rounds, strict=True)]


async def _spent_ms(script: tuple[str, ...], environment: Mapping[str, str]) -> float:
    usage_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *script, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise NotAsAsked(f"{' '.join(script)}: {errors.decode()}")
    usage_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage_after.ru_utime + usage_after.ru_stime - usage_before.ru_utime - usage_before.ru_stime) * 1_000


def _environment() -> dict[str, str]:
    left_out = ("COUNTERSIGN_", "TEMPORAL_", "PYTHONDONTWRITEBYTECODE")
    return processes.environment({name: text for name, text in os.environ.items() if not name.startswith(left_out)})
