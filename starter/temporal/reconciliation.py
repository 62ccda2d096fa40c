"""Reconciliation with Core Signature's events: its schedule at Temporal, and runs on demand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError
from temporalio.service import RPCError, RPCStatusCode

from activities.temporal import executions as runs
from starter.errors import Refusal
from starter.temporal.search_attributes import NOT_OURS_TO_MAKE, Made, SetUp
from workflows import names
from workflows.model.reconciliation import Reconciliation, ReconciliationResult

EVERY: Final = timedelta(minutes=5)
_SUMMARY: Final = "what Core Signature says has happened, against what our requests have heard"
_LOOK_EVERY: Final = 1.0
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
_WORKER_WITHIN: Final = 30.0
"""Seconds after which a waiting person is told that there is no worker."""


@dataclass(frozen=True)
class ScheduleStatus:
    """`last` is None before the first run."""

    paused: bool
    last: datetime | None = None
    failed: bool = False
    told: int = 0
    """Requests that the last run corrected, once it is over."""


async def ensure_schedule(client: Client) -> SetUp:
    """Create or correct the schedule; a paused one stays paused."""
    ours, name = _schedule(), f"schedule {names.RECONCILIATION_SCHEDULE}"
    try:
        return SetUp(name, await _made_or_mended(client, ours))
    except RPCError as error:
        if error.status not in NOT_OURS_TO_MAKE:
            return SetUp(name, Made.FAILED, error.message)
        return SetUp(name, Made.NOT_PERMITTED, "have it made by whoever runs the namespace, with `countersign init`")


async def _made_or_mended(client: Client, ours: Schedule) -> Made:
    try:
        await client.create_schedule(names.RECONCILIATION_SCHEDULE, ours)
    except ScheduleAlreadyRunningError:
        return await _update_schedule(client, ours)
    return Made.CREATED


async def _update_schedule(client: Client, ours: Schedule) -> Made:
    made = Made.EXISTS

    async def updated(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
        nonlocal made
        there = found.description.schedule
        if _comparable(there) == _comparable(ours):
            return None
        made, ours.state = Made.MENDED, there.state
        return ScheduleUpdate(ours)

    await client.get_schedule_handle(names.RECONCILIATION_SCHEDULE).update(updated)
    return made


def _comparable(schedule: Schedule) -> object:
    begun = schedule.action
    action = (begun.workflow, begun.id, begun.task_queue) if isinstance(begun, ScheduleActionStartWorkflow) else None
    spec, policy = schedule.spec, schedule.policy
    return action, list(spec.intervals), list(spec.calendars), policy.overlap, policy.catchup_window


async def standing(client: Client) -> ScheduleStatus | None:
    """The schedule's status, None if there is none. Raises `RPCError`."""
    try:
        found = await client.get_schedule_handle(names.RECONCILIATION_SCHEDULE).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    paused = found.schedule.state.paused
    if not found.info.recent_actions:
        return ScheduleStatus(paused)
    last = found.info.recent_actions[-1]
    failed, told = await _last_result(client, last.action)
    return ScheduleStatus(paused, last.started_at, failed, told)


async def _last_result(client: Client, begun: object) -> tuple[bool, int]:
    if not isinstance(begun, ScheduleActionExecutionStartWorkflow):
        return False, 0
    try:
        status = (await runs.described(client, begun.workflow_id)).status
        if status is not runs.RunStatus.COMPLETED:
            return status.broken_off, 0
        return False, (
            await client.get_workflow_handle(begun.workflow_id, result_type=ReconciliationResult).result()
        ).told
    except (RPCError, WorkflowFailureError):
        return False, 0


async def sweep_now(client: Client, seen: Callable[[ReconciliationResult], None]) -> ReconciliationResult:
    """Start a run, or join a running one, and wait for its end; `seen` gets the progress."""
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
        await _watch(handle, result, seen)
        return result.result()
    except WorkflowFailureError as failure:
        cause = failure.cause
        says = cause.cause if isinstance(cause, ActivityError) and cause.cause else cause
        raise Refusal(f"the sweep was given up: {says}; what it has not looked at is looked at by the next") from None
    finally:
        result.cancel()


async def _watch(
    handle: WorkflowHandle[object, ReconciliationResult],
    result: asyncio.Task[ReconciliationResult],
    seen: Callable[[ReconciliationResult], None],
) -> None:
    silent = 0.0
    while not (await asyncio.wait({result}, timeout=_LOOK_EVERY))[0]:
        try:
            seen(await handle.query(names.SHOW, result_type=ReconciliationResult, rpc_timeout=_ANSWERS_WITHIN))
            silent = 0.0
        except (RPCError, WorkflowQueryFailedError):
            silent += _LOOK_EVERY + _ANSWERS_WITHIN.total_seconds()
        if silent > _WORKER_WITHIN:
            raise Refusal("no worker answers: the sweep goes on once `countersign worker` is at work")


def _schedule() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.RECONCILIATION,
            Reconciliation(),
            id=names.RECONCILIATION_SCHEDULE,
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=_SUMMARY,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        # After an outage one run makes up for all missed ones.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=EVERY),
    )
