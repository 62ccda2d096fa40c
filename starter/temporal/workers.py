"""A worker for each task queue: its concurrency, its version, and a common shutdown."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    FixedSizeSlotSupplier,
    Interceptor,
    PollerBehaviorAutoscaling,
    Worker,
    WorkerDeploymentConfig,
    WorkerTuner,
)

from activities.http.rate_limit import RateLimiter
from activities.temporal.interceptors import PacedSlots
from starter.config.settings import Settings
from workflows.names import CAMPAIGN_QUEUE, SIGNATURE_QUEUE, SWEEP_QUEUE, URGENT_SIGNATURE_QUEUE, WORKFLOW_QUEUE

GRACE: Final = timedelta(seconds=30)
"""How long running activities may take to finish after SIGTERM; if cut short, they are repeated."""
MOST_AT_ONCE: Final = 100
"""Concurrent activities outside the paced queues: plans, notices, hand-offs."""
TASKS_AT_ONCE: Final = 20
"""Workflow tasks: a process computes them one after the other, each within ten seconds of being taken. With more in
hand all time out and are repeated, without progress.
"""
CAMPAIGN_TASKS_AT_ONCE: Final = 10
"""The same for campaigns and their members, separately, so that neither blocks the other."""
BATCHES_AT_ONCE: Final = 4
"""Batches over audiences, each with dozens of starts in flight."""
SWEEPS_AT_ONCE: Final = 1
"""Parts of a reconciliation: each has one call at a time, and a second would read the same events."""
OPERATIONS_AT_ONCE: Final = 20
"""Nexus operations being started, shown or cancelled; waiting for a signature takes no slot."""
BATCH_HEARD_EVERY: Final = timedelta(seconds=2)
"""How soon a batch learns that its campaign is to end."""


def workers(
    client: Client,
    activities: dict[str, list[Any]],
    calls: RateLimiter,
    chosen: Settings,
    services: Sequence[Any] = (),
    *,
    interceptors: Sequence[Interceptor] = (),
) -> tuple[Worker, ...]:
    """One for workflows, Nexus services and unpaced activities; one for campaigns; three paced ones: urgent, ordinary,
    reconciliation.
    """
    common: dict[str, Any] = {
        "graceful_shutdown_timeout": GRACE,
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "interceptors": interceptors,
        **_versioning(chosen),
    }
    ours = Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        activities=activities[WORKFLOW_QUEUE],
        max_concurrent_workflow_tasks=TASKS_AT_ONCE,
        max_concurrent_activities=MOST_AT_ONCE,
        nexus_service_handlers=services,
        max_concurrent_nexus_tasks=OPERATIONS_AT_ONCE,
        **common,
    )
    batches = Worker(
        client,
        task_queue=CAMPAIGN_QUEUE,
        activities=activities[CAMPAIGN_QUEUE],
        max_concurrent_workflow_tasks=CAMPAIGN_TASKS_AT_ONCE,
        max_concurrent_activities=BATCHES_AT_ONCE,
        max_heartbeat_throttle_interval=BATCH_HEARD_EVERY,
        **common,
    )
    first = PacedSlots(calls)
    paced = {
        URGENT_SIGNATURE_QUEUE: (first, activities[SIGNATURE_QUEUE]),
        SIGNATURE_QUEUE: (PacedSlots(calls, first), activities[SIGNATURE_QUEUE]),
        SWEEP_QUEUE: (PacedSlots(calls, places=SWEEPS_AT_ONCE), activities[SWEEP_QUEUE]),
    }
    calling = [
        Worker(client, task_queue=queue, activities=asked, tuner=_taking(slots), **common)
        for queue, (slots, asked) in paced.items()
    ]
    return ours, batches, *calling


def _taking(activities: PacedSlots) -> WorkerTuner:
    unused = FixedSizeSlotSupplier(1)
    return WorkerTuner.create_composite(
        workflow_supplier=unused,
        activity_supplier=activities,
        local_activity_supplier=unused,
        nexus_supplier=unused,
    )


def _versioning(chosen: Settings) -> dict[str, Any]:
    if chosen.build_id is None:
        return {}
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(chosen.deployment_name, chosen.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        )
    }


@asynccontextmanager
async def at_work(them: Sequence[Worker]) -> AsyncIterator[None]:
    """Polls with all of them; at the end they shut down together, within one grace."""
    async with AsyncExitStack() as polling:
        for worker in them:
            await polling.enter_async_context(worker)
        # One after the other, the first would take new work while the last drains, each with its own grace.
        polling.push_async_callback(_shut_down, them)
        yield


async def _shut_down(them: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in them))
