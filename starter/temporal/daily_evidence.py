"""The day of evidence: its schedule at Temporal."""

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
from workflows.model.daily_evidence import DailyEvidence

_SUMMARY: Final = "what is due to be erased, and the root over all records since the last one"
_CAUGHT_UP: Final = timedelta(days=1)
"""A day that was missed altogether is under the next root."""


async def ensure_daily_evidence(client: Client) -> SetUp:
    """Create or correct the schedule: each day at 00:15 UTC; a paused one stays paused."""
    return await schedules.ensure(client, names.DAILY_EVIDENCE_SCHEDULE, _schedule())


def _schedule() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.DAILY_EVIDENCE,
            DailyEvidence(),
            id=names.DAILY_EVIDENCE_SCHEDULE,
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=_SUMMARY,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1), offset=timedelta(minutes=15))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CAUGHT_UP),
    )
