"""Checks whether a new worker's code can continue open workflows. Queries one workflow of each day, which replays it;
one that cannot answer is woken, so that its failing task shows in `doctor` within a minute, not at its next timer.
`python -m deploy.rollout` checks all before a deploy.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Final

import structlog
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from activities.temporal import executions as runs
from activities.temporal.executions import Run
from workflows.kinds import Kind, kinds
from workflows.names import SHOW

LISTED_AT_MOST: Final = 20_000
"""Open workflows of each kind that are listed, newest first."""
ASKED_AT_MOST: Final = 100
"""Of each kind, the oldest first, which are the furthest from today's code."""
_AT_ONCE: Final = 4
_ANSWERS_WITHIN: Final = timedelta(seconds=15)
_WAKES: Final = "look_again"
"""A signal without handler: it causes a workflow task, which is all that is needed."""
_LOGGER: Final = structlog.get_logger("countersign.worker")


@contextmanager
def beside(client: Client) -> Iterator[None]:
    """Check once, in the background of the block."""
    task = asyncio.create_task(_quietly(client))
    try:
        yield
    finally:
        task.cancel()


async def woken(client: Client) -> tuple[str, ...]:
    """Check some of each age; the workflow ids of those that this code cannot continue, which were woken."""
    some, found = asyncio.Semaphore(_AT_ONCE), list[str]()

    async def one(run: Run) -> None:
        async with some:
            if await _is_stuck(client, run):
                await client.get_workflow_handle(run.id, run_id=run.run_id).signal(_WAKES)
                found.append(run.id)

    for kind in kinds():
        await asyncio.gather(*(one(run) for run in await _of_each_day(client, kind)))
    return tuple(sorted(found))


async def _quietly(client: Client) -> None:
    try:
        stuck = await woken(client)
    except RPCError as error:
        _LOGGER.warning("whether all that is open goes on is not known", why=error.status.name)
        return
    if stuck:
        _LOGGER.error("this code cannot go on with what others began", workflows=stuck, see="docs/faults.md")


async def _of_each_day(client: Client, kind: Kind) -> list[Run]:
    """One open workflow for each day of beginning, oldest first."""
    query = f"WorkflowType = '{kind.spec.workflow}' AND ExecutionStatus = 'Running'"
    first: dict[date, Run] = {}
    number = 0
    async for run in runs.listed(client, query):
        first[run.started_at.date()] = run
        if (number := number + 1) >= LISTED_AT_MOST:
            break
    return _oldest(first.values())


def _oldest(some: Iterable[Run]) -> list[Run]:
    return sorted(some, key=lambda run: run.started_at)[:ASKED_AT_MOST]


async def _is_stuck(client: Client, run: Run) -> bool:
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    try:
        await handle.query(SHOW, rpc_timeout=_ANSWERS_WITHIN)
    except WorkflowQueryFailedError:
        return True
    except (RPCError, ValueError):
        return False  # Ended or paused meanwhile, or its task fails already, which the server knows.
    return False
