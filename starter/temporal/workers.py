"""A worker for each task queue of a process's pools: its concurrency, its version, a common shutdown; whether its code
can go on with what is open.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import date, timedelta
from typing import Any, Final

import structlog
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import (
    FixedSizeSlotSupplier,
    Interceptor,
    PollerBehaviorAutoscaling,
    Worker,
    WorkerDeploymentConfig,
    WorkerTuner,
)

from activities.http.rate_limit import RateLimiter
from activities.temporal import executions as runs
from activities.temporal.executions import Run
from activities.temporal.interceptors import PacedSlots
from starter.config.settings import Settings
from starter.temporal.pollers import LastPolls, Pool, queues_of
from workflows import names
from workflows.kinds import Kind, kinds

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
DOWNLOADS_AT_ONCE: Final = 10
"""Ended requests whose files are fetched."""
OPERATIONS_AT_ONCE: Final = 20
"""Nexus operations being started, shown or cancelled; waiting for a signature takes no slot."""
BATCH_HEARD_EVERY: Final = timedelta(seconds=2)
"""How soon a batch learns that its campaign is to end."""
LISTED_AT_MOST: Final = 20_000
"""Open workflows of each kind that are listed, newest first."""
ASKED_AT_MOST: Final = 100
"""Of each kind, the oldest first, which are the furthest from today's code."""
_AT_ONCE: Final = 4
_ANSWERS_WITHIN: Final = timedelta(seconds=15)
_WAKES: Final = "look_again"
"""A signal without handler: it causes a workflow task, which is all that is needed."""
_LOGGER: Final = structlog.get_logger("countersign.worker")


def make_slots(calls: RateLimiter) -> dict[str, PacedSlots]:
    """Places of the activities that make these calls, by queue: urgent ones, ordinary ones, reconciliation,
    downloads.
    """
    first = PacedSlots(calls)
    return {
        names.URGENT_SIGNATURE_QUEUE: first,
        names.SIGNATURE_QUEUE: PacedSlots(calls, first),
        names.SWEEP_QUEUE: PacedSlots(calls, places=SWEEPS_AT_ONCE),
        names.EVIDENCE_QUEUE: PacedSlots(calls, places=DOWNLOADS_AT_ONCE),
    }


def make_workers(
    client: Client,
    activities: Mapping[str, list[Any]],
    slots: Mapping[str, PacedSlots],
    settings: Settings,
    services: Sequence[Any] = (),
    *,
    pools: Iterable[Pool] = Pool,
    interceptors: Sequence[Interceptor] = (),
) -> tuple[Worker, ...]:
    """One for each queue of these pools; `slots` are the places of `make_slots`."""
    common: dict[str, Any] = {
        "graceful_shutdown_timeout": GRACE,
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "interceptors": interceptors,
        **_make_version_options(settings),
    }
    of_queue: dict[str, dict[str, Any]] = {
        names.WORKFLOW_QUEUE: {
            "max_concurrent_workflow_tasks": TASKS_AT_ONCE,
            "max_concurrent_activities": MOST_AT_ONCE,
            "nexus_service_handlers": services,
            "max_concurrent_nexus_tasks": OPERATIONS_AT_ONCE,
        },
        names.CAMPAIGN_QUEUE: {
            "max_concurrent_workflow_tasks": CAMPAIGN_TASKS_AT_ONCE,
            "max_concurrent_activities": MOST_AT_ONCE,
        },
        names.BATCH_QUEUE: {
            "max_concurrent_activities": BATCHES_AT_ONCE,
            "max_heartbeat_throttle_interval": BATCH_HEARD_EVERY,
        },
        **{queue: {"tuner": _make_tuner(places)} for queue, places in slots.items()},
    }
    activities_by_queue = {**activities, names.URGENT_SIGNATURE_QUEUE: activities[names.SIGNATURE_QUEUE]}
    return tuple(
        Worker(client, task_queue=queue, activities=activities_by_queue[queue], **of_queue[queue], **common)
        for queue in queues_of(pools)
    )


@asynccontextmanager
async def polling(running_workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Polls with all of them; at the end they shut down together, within one grace."""
    async with AsyncExitStack() as stack:
        for worker in running_workers:
            await stack.enter_async_context(worker)
        # One after the other, the first would take new work while the last drains, each with its own grace.
        stack.push_async_callback(_shut_down, running_workers)
        yield


async def find_stopped(polling_workers: Sequence[Worker], slots: Mapping[str, PacedSlots], sightings: LastPolls) -> str:
    """Why these workers have to be begun anew, or empty. Raises `RPCError`. A queue all of whose places are taken is
    rightly not polled; of batches, which take places for minutes, it is not known.
    """
    queues = {worker.task_queue: worker.is_running for worker in polling_workers}
    if ended_queues := [queue for queue, runs in queues.items() if not runs]:
        return f"the worker on {', '.join(ended_queues)} has ended"
    if blocked_queues := [worker.task_queue for worker in polling_workers if _count_unevictable(worker)]:
        return f"a workflow of {', '.join(blocked_queues)} cannot be evicted, so that others wait for its place"
    due = [queue for queue in queues if queue in names.WORKFLOW_QUEUES or (queue in slots and slots[queue].polls)]
    silent = await sightings.find_ended(due)
    return f"{', '.join(silent)} is polled no more" if silent else ""


@contextmanager
def checking_open_workflows(client: Client, pools: Iterable[Pool] = Pool) -> Iterator[None]:
    """Check once, in the background of the block, whether a new worker's code can continue open workflows. Queries one
    of each day, which replays it; one that cannot answer is woken, so that its failing task shows in `doctor` within a
    minute, not at its next timer. `python -m deploy.rollout` checks all before a deploy.
    """
    task = asyncio.create_task(_wake_stuck_quietly(client, queues_of(pools)))
    try:
        yield
    finally:
        task.cancel()


async def wake_stuck(client: Client, queues: Collection[str] = names.WORKFLOW_QUEUES) -> tuple[str, ...]:
    """Check some of each age on these queues; the workflow ids of those that this code cannot continue, which were
    woken.
    """
    free_places, woken_ids = asyncio.Semaphore(_AT_ONCE), list[str]()

    async def wake_if_stuck(run: Run) -> None:
        async with free_places:
            if await _is_stuck(client, run):
                await client.get_workflow_handle(run.id, run_id=run.run_id).signal(_WAKES)
                woken_ids.append(run.id)

    for kind in kinds():
        for queue in names.WORKFLOW_QUEUES:
            if queue in queues:
                await asyncio.gather(
                    *(wake_if_stuck(run) for run in await _list_first_of_each_day(client, kind, queue))
                )
    return tuple(sorted(woken_ids))


def _count_unevictable(worker: Worker) -> int:
    """Workflows whose eviction fails and is repeated for ever, mostly after a task that took two seconds. While the
    cache is full, each task that needs a place in it times out.
    """
    # Temporal exports no metric of it (sdk-python, issue 875).
    workflow_worker = worker._workflow_worker
    return workflow_worker._could_not_evict_count if workflow_worker else 0


def _make_tuner(activities: PacedSlots) -> WorkerTuner:
    unused = FixedSizeSlotSupplier(1)
    return WorkerTuner.create_composite(
        workflow_supplier=unused,
        activity_supplier=activities,
        local_activity_supplier=unused,
        nexus_supplier=unused,
    )


def _make_version_options(settings: Settings) -> dict[str, Any]:
    if settings.build_id is None:
        return {}
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(settings.deployment_name, settings.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        )
    }


async def _shut_down(all_workers: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in all_workers))


async def _wake_stuck_quietly(client: Client, queues: Collection[str]) -> None:
    try:
        stuck = await wake_stuck(client, queues)
    except RPCError as error:
        _LOGGER.warning("whether all that is open goes on is not known", why=error.status.name)
        return
    if stuck:
        _LOGGER.error("this code cannot go on with what others began", workflows=stuck, see="docs/reliability.md")


async def _list_first_of_each_day(client: Client, kind: Kind, queue: str) -> list[Run]:
    """One open workflow for each day of beginning, oldest first."""
    query = f"WorkflowType = '{kind.spec.workflow}' AND ExecutionStatus = 'Running' AND TaskQueue = '{queue}'"
    first: dict[date, Run] = {}
    number = 0
    async for run in runs.listed(client, query):
        first[run.started_at.date()] = run
        if (number := number + 1) >= LISTED_AT_MOST:
            break
    return _oldest(first.values())


def _oldest(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.started_at)[:ASKED_AT_MOST]


async def _is_stuck(client: Client, run: Run) -> bool:
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    try:
        await handle.query(names.SHOW, rpc_timeout=_ANSWERS_WITHIN)
    except WorkflowQueryFailedError:
        return True
    except (RPCError, ValueError):
        return False  # Ended or paused meanwhile, or its task fails already, which the server knows.
    return False
