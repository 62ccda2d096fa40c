"""Retention: its schedule at Temporal."""

from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from starter.temporal import schedules
from starter.temporal.search_attributes import SetUp
from workflows import names
from workflows.model.retention import RetentionOrder

_SUMMARY: Final = "remove what is due"
EVERY: Final = timedelta(days=1)
"""The day after a missed one removes what was due then."""


async def ensure_retention(client: Client) -> SetUp:
    """Create or correct the schedule: each day at 00:15 UTC; a paused one stays paused."""
    return await schedules.ensure(client, names.RETENTION_SCHEDULE, _schedule())


def _schedule() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.RETENTION,
            RetentionOrder(),
            id=names.RETENTION_SCHEDULE,
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=_SUMMARY,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY, offset=timedelta(minutes=15))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=EVERY),
    )
