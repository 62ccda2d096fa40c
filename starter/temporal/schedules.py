"""Schedules of our own: created, or corrected where somebody changed them, and how they stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
)
from temporalio.service import RPCError, RPCStatusCode

from starter.temporal.search_attributes import NOT_OURS_TO_MAKE, SetUp, SetUpResult
from workflows import names


@dataclass(frozen=True)
class ScheduleStatus:
    """When its last run began, and the workflow id of that; None before the first run."""

    paused: bool
    last_at: datetime | None = None
    last_run: str | None = None


async def read_status(client: Client, id: str) -> ScheduleStatus | None:
    """None if there is no such schedule. Raises `RPCError`."""
    try:
        description = await client.get_schedule_handle(id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    paused, actions = description.schedule.state.paused, description.info.recent_actions
    if not actions:
        return ScheduleStatus(paused)
    run = actions[-1].action
    id_of_run = run.workflow_id if isinstance(run, ScheduleActionExecutionStartWorkflow) else None
    return ScheduleStatus(paused, actions[-1].started_at, id_of_run)


@dataclass(frozen=True)
class RepeatedRun:
    """A workflow that runs every so often, under the schedule's id. After an outage one run makes up for all missed
    ones.
    """

    id: str
    workflow: str
    order: object
    summary: str
    interval: timedelta
    offset: timedelta | None = None

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            action=ScheduleActionStartWorkflow(
                self.workflow,
                self.order,
                id=self.id,
                task_queue=names.WORKFLOW_QUEUE,
                static_summary=self.summary,
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=self.interval, offset=self.offset)]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=self.interval),
        )


async def ensure(client: Client, run: RepeatedRun) -> SetUp:
    """Create or correct its schedule; a paused one stays paused."""
    name = f"schedule {run.id}"
    try:
        return SetUp(name, await _ensure_schedule(client, run.id, run.schedule))
    except RPCError as error:
        if error.status not in NOT_OURS_TO_MAKE:
            return SetUp(name, SetUpResult.FAILED, error.message)
        return SetUp(
            name, SetUpResult.NOT_PERMITTED, "have it made by whoever runs the namespace, with `countersign init`"
        )


async def _ensure_schedule(client: Client, id: str, schedule: Schedule) -> SetUpResult:
    try:
        await client.create_schedule(id, schedule)
    except ScheduleAlreadyRunningError:
        return await _update(client, id, schedule)
    return SetUpResult.CREATED


async def _update(client: Client, id: str, schedule: Schedule) -> SetUpResult:
    outcome = SetUpResult.EXISTS

    async def updated(current: ScheduleUpdateInput) -> ScheduleUpdate | None:
        nonlocal outcome
        existing = current.description.schedule
        if _comparable(existing) == _comparable(schedule):
            return None
        outcome, schedule.state = SetUpResult.MENDED, existing.state
        return ScheduleUpdate(schedule)

    await client.get_schedule_handle(id).update(updated)
    return outcome


def _comparable(schedule: Schedule) -> object:
    start = schedule.action
    action = (start.workflow, start.id, start.task_queue) if isinstance(start, ScheduleActionStartWorkflow) else None
    spec, policy = schedule.spec, schedule.policy
    return action, list(spec.intervals), list(spec.calendars), policy.overlap, policy.catchup_window
