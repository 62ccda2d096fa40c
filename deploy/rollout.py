"""The question before each deploy: would the code of this image get an open request stuck? `python -m deploy.rollout`.

Reads the histories of open requests from the server and replays them here; nothing is written, no activity runs. What
the replay corpus is for released stories, this is for the requests that are open today (docs/deploying.md).
"""

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any, Final

from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer

from starter import exits, settings
from starter.exits import Exit
from starter.temporal import connect
from starter.temporal_refusals import refusing
from workflows.names import SIGNATURE_REQUEST
from workflows.signature_request import SignatureRequestWorkflow

WORKFLOWS: Final = (SignatureRequestWorkflow,)
_MOST: Final = 1_000
_NONDETERMINISM: Final = re.compile(r"Nondeterminism error: [^\"]+")
_LONGEST: Final = 300


async def rehearse(
    client: Client, most: int = _MOST, code: Sequence[type[Any]] = WORKFLOWS
) -> tuple[int, dict[str, str]]:
    """Replay at most `most` open requests, the newest first: how many were, and why which workflow would get stuck."""
    replayed, stuck = 0, {}
    open_requests = client.list_workflows(
        f"WorkflowType = '{SIGNATURE_REQUEST}' AND ExecutionStatus = 'Running'", limit=most
    )
    async for workflow_id, failure in replays(open_requests.map_histories(), client.data_converter, code):
        replayed += 1
        if failure is not None:
            stuck[workflow_id] = _in_one_line(failure)
    return replayed, stuck


async def replays(
    histories: AsyncIterator[WorkflowHistory], converter: DataConverter, code: Sequence[type[Any]] = WORKFLOWS
) -> AsyncIterator[tuple[str, Exception | None]]:
    """Each history's workflow id and what `code` has against it; None when it goes on as if nothing had happened."""
    replayer = Replayer(workflows=code, data_converter=converter, runtime=_silent())
    async with replayer.workflow_replay_iterator(histories) as results:
        async for result in results:
            yield result.history.workflow_id, result.replay_failure


async def run(most: int) -> int:
    """Tell what would happen; 1 when a request would get stuck."""
    client = await connect(settings.load(), identity="countersign-rollout")
    with refusing(client.namespace):
        replayed, stuck = await rehearse(client, most)
    for workflow_id, why in stuck.items():
        print(f"{workflow_id}: {why}")  # noqa: T201  the answer of a command is its output
    print(f"{replayed} open requests replayed, {len(stuck)} would get stuck")  # noqa: T201
    return Exit.REFUSED if stuck else Exit.DONE


def main() -> int:
    """`python -m deploy.rollout`, in the image that is to be deployed, with the settings of the running one."""
    words = argparse.ArgumentParser(
        prog="python -m deploy.rollout", description="Would this code get an open request stuck? Exit 1 if so."
    )
    words.add_argument("--most", type=int, default=_MOST, help=f"how many of the newest to replay ({_MOST})")
    return asyncio.run(run(words.parse_args().most))


@cache
def _silent() -> Runtime:
    """Core would log each failure once more, in its own words."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


def _in_one_line(failure: Exception) -> str:
    words = " ".join(str(failure).split())
    found = _NONDETERMINISM.search(words)
    return (found[0] if found else words)[:_LONGEST]


if __name__ == "__main__":
    exits.run(main)
