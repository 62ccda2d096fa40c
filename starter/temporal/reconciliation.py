"""Reconciliation with Core Signature's events: its schedule at Temporal, and runs on demand."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError
from temporalio.service import RPCError

from activities.temporal import executions as runs
from starter.errors import Refusal
from starter.temporal.schedules import RepeatedRun, ensure
from starter.temporal.search_attributes import SetUp
from workflows import names
from workflows.model.reconciliation import Reconciliation, ReconciliationResult

EVERY: Final = timedelta(minutes=5)
_SUMMARY: Final = "what Core Signature says has happened, against what our requests have heard"
_LOOK_EVERY: Final = 1.0
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
_WORKER_WITHIN: Final = 30.0
"""Seconds after which a waiting person is told that there is no worker."""


async def ensure_schedule(client: Client) -> SetUp:
    """Create or correct the schedule; a paused one stays paused."""
    run = RepeatedRun(names.RECONCILIATION_SCHEDULE, names.RECONCILIATION, Reconciliation(), _SUMMARY, EVERY)
    return await ensure(client, run)


async def read_corrected(client: Client, run: str) -> int:
    """How many requests a run of this id corrected; 0 while that is not known."""
    try:
        if (await runs.described(client, run)).status is not runs.RunStatus.COMPLETED:
            return 0
        result: ReconciliationResult = await client.get_workflow_handle(run, result_type=ReconciliationResult).result()
    except (RPCError, WorkflowFailureError):
        return 0
    return result.told


async def sweep_now(client: Client, report: Callable[[ReconciliationResult], None]) -> ReconciliationResult:
    """Start a run, or join a running one, and wait for its end; `report` gets the progress."""
    handle: WorkflowHandle[object, ReconciliationResult] = await client.start_workflow(
        names.RECONCILIATION,
        Reconciliation(),
        id=names.RECONCILIATION_NOW,
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_SUMMARY,
        result_type=ReconciliationResult,
    )
    result = asyncio.create_task(handle.result())
    try:
        await _watch(handle, result, report)
        return result.result()
    except WorkflowFailureError as failure:
        cause = failure.cause
        reason = cause.cause if isinstance(cause, ActivityError) and cause.cause else cause
        raise Refusal(f"the sweep was given up: {reason}; what it has not looked at is looked at by the next") from None
    finally:
        result.cancel()


async def _watch(
    handle: WorkflowHandle[object, ReconciliationResult],
    result: asyncio.Task[ReconciliationResult],
    report: Callable[[ReconciliationResult], None],
) -> None:
    silent = 0.0
    while not (await asyncio.wait({result}, timeout=_LOOK_EVERY))[0]:
        try:
            report(await handle.query(names.SHOW, result_type=ReconciliationResult, rpc_timeout=_ANSWERS_WITHIN))
            silent = 0.0
        except (RPCError, WorkflowQueryFailedError):
            silent += _LOOK_EVERY + _ANSWERS_WITHIN.total_seconds()
        if silent > _WORKER_WITHIN:
            raise Refusal("no worker answers: the sweep goes on once `countersign worker` is at work")
