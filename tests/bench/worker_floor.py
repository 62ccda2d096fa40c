"""The floor of `make bench BENCH=worker`: a worker with as many workflows, which imports nothing of ours.

`python -m tests.bench.worker_floor ADDRESS COUNT` prints `ready` once it polls.
"""

import asyncio
import sys
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker


def make_workflow(number: int) -> type[Any]:
    """Of this module, from which the sandbox imports it by its name."""
    name = f"Floor{number}"

    async def run(_: Any) -> None:
        """Nobody starts it."""

    run.__qualname__ = f"{name}.run"
    floor: type[Any] = type(name, (), {"__module__": __name__, "run": workflow.run(run)})
    globals()[name] = workflow.defn(floor)
    return floor


ADDRESS, COUNT = sys.argv[1:]
WORKFLOWS = [make_workflow(number) for number in range(int(COUNT))]


async def main() -> None:
    client = await Client.connect(ADDRESS, data_converter=pydantic_data_converter)
    async with Worker(client, task_queue="floor", workflows=WORKFLOWS):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
