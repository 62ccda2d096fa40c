"""Checks before a deploy whether this image's code would get an open workflow stuck: `python -m deploy.rollout`.
Replays the histories of all open workflows, without writing or running activities (docs/deploying.md).
"""

import argparse
import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.temporal import executions
from activities.temporal.executions import Run
from starter.boot import exits
from starter.config import settings
from starter.errors import Exit
from starter.temporal import plugin
from starter.temporal.connection import connect, refusing
from workflows.names import WORKFLOW_QUEUES

_QUEUES: Final = ", ".join(f"'{queue}'" for queue in WORKFLOW_QUEUES)
_OPEN: Final = f"TaskQueue IN ({_QUEUES}) AND {executions.OPEN}"
_NONDETERMINISM: Final = re.compile(r"Nondeterminism error: [^\"]+")
_LONGEST: Final = 300


class TaskFailed(Exception):
    """The code failed a workflow task, with type and message."""


@dataclass(frozen=True)
class NotingRunner(SandboxedWorkflowRunner):
    """Records failed tasks by run id."""

    failed: dict[str, TaskFailed] = field(default_factory=dict)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        run = super().create_instance(det)
        activate = run.activate

        def watched(act: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(act)
            if completion.HasField("failed"):
                failure = completion.failed.failure
                self.failed[act.run_id] = TaskFailed(f"{failure.application_failure_info.type}: {failure.message}")
            return completion

        run.activate = watched  # type: ignore[method-assign]
        return run


@dataclass(frozen=True)
class ReplayCheck:
    """Numbers of open and replayed workflows, and those that would get stuck."""

    open: int
    replayed: int
    stuck: Mapping[str, str]

    @property
    def fits(self) -> bool:
        """Whether all were replayed without a failure."""
        return not self.stuck and self.replayed == self.open


async def rehearse(client: Client, limit: int | None = None, code: Sequence[type[Any]] | None = None) -> ReplayCheck:
    """Replay the open workflows, or only the `most` newest."""
    running = [execution async for execution in executions.listed(client, _OPEN)]
    histories = _histories(client, running[:limit])
    results = [result async for result in replays(histories, client.data_converter, code)]
    stuck = {workflow_id: _in_one_line(failure) for workflow_id, failure in results if failure is not None}
    return ReplayCheck(open=len(running), replayed=len(results), stuck=stuck)


async def replays(
    histories: AsyncIterator[WorkflowHistory], converter: DataConverter, code: Sequence[type[Any]] | None = None
) -> AsyncIterator[tuple[str, Exception | None]]:
    """Each history's workflow id, and the error of replaying it with `code` (ours), or None."""
    runner = NotingRunner()
    workflow_types = plugin.workflows() if code is None else code
    replayer = Replayer(workflows=workflow_types, data_converter=converter, runtime=_silent(), workflow_runner=runner)
    async with replayer.workflow_replay_iterator(histories) as results:
        async for result in results:
            failed = runner.failed.pop(result.history.run_id, None)
            yield result.history.workflow_id, failed or result.replay_failure


async def run(limit: int | None = None) -> int:
    """Print the result; 1 if a workflow would get stuck, or was not replayed."""
    client = await connect(settings.load(), identity="countersign-rollout")
    with refusing(client.namespace):
        rehearsal = await rehearse(client, limit)
    for workflow_id, reason in rehearsal.stuck.items():
        print(f"{workflow_id}: {reason}")  # noqa: T201  the answer of a command is its output
    server = f"{client.service_client.config.target_host}/{client.namespace}"
    print(  # noqa: T201
        f"{rehearsal.replayed} of {rehearsal.open} open workflows on {server} replayed, "
        f"{len(rehearsal.stuck)} would get stuck"
    )
    return Exit.DONE if rehearsal.fits else Exit.REFUSED


def main() -> int:
    """Run in the image to be deployed, with the settings of the running one."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.rollout",
        description="Would this code get an open workflow stuck? Exit 1 if so, or if not all were replayed.",
    )
    parser.add_argument("--most", type=_at_least_one, help="how many of the newest to replay (all)")
    # A task that fails is told in one line; the SDK would add a traceback for each.
    logging.getLogger("temporalio").addHandler(logging.NullHandler())
    return asyncio.run(run(parser.parse_args().most))


async def _histories(client: Client, executions: Sequence[Run]) -> AsyncIterator[WorkflowHistory]:
    for execution in executions:
        yield await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()


@cache
def _silent() -> Runtime:
    # Core would log each failure once more, in its own words.
    return Runtime(telemetry=TelemetryConfig(logging=None))


def _at_least_one(written: str) -> int:
    if not written.isdecimal() or int(written) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(written)


def _in_one_line(failure: Exception) -> str:
    text = " ".join(str(failure).split())
    match = _NONDETERMINISM.search(text)
    return (match[0] if match else text)[:_LONGEST]


if __name__ == "__main__":
    exits.run(main)
