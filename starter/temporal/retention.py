"""Retention: its schedule at Temporal."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client

from starter.temporal.schedules import RepeatedRun, ensure
from starter.temporal.search_attributes import SetUp
from workflows import names
from workflows.model.retention import RetentionOrder

EVERY: Final = timedelta(days=1)
"""The day after a missed one removes what was due then."""
_OFFSET: Final = timedelta(minutes=15)


async def ensure_retention(client: Client) -> SetUp:
    """Create or correct the schedule: each day at 00:15 UTC; a paused one stays paused."""
    summary = "remove what is due"
    run = RepeatedRun(names.RETENTION_SCHEDULE, names.RETENTION, RetentionOrder(), summary, EVERY, _OFFSET)
    return await ensure(client, run)
