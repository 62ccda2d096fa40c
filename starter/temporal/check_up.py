"""Whether a worker that begins can go on with what is open: else that would be known at its next timer, days later.

A new version of the code may not read what an older one began. Of what began on each day one is asked, which has it
replayed; one that cannot answer is woken, so that the server notes that its task fails: it is in the list of what needs
attention and in `doctor` within a minute then. `python -m deploy.rollout` looks at all of them, before a deploy.
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
from workflows.kinds import Kind
from workflows.names import SHOW

LISTED_AT_MOST: Final = 20_000
"""Open workflows of each kind that are looked through, the newest first."""
ASKED_AT_MOST: Final = 100
"""Of each kind; those that began first: they are the furthest from the code of today."""
_AT_ONCE: Final = 4
_ANSWERS_WITHIN: Final = timedelta(seconds=15)
_WAKES: Final = "look_again"
"""No workflow hears it: that it comes is enough, for a task that fails, and for one that does not any more."""
_LOGGER: Final = structlog.get_logger("countersign.worker")


@contextmanager
def beside(client: Client) -> Iterator[None]:
    """While the block lasts, once, beside it."""
    task = asyncio.create_task(_quietly(client))
    try:
        yield
    finally:
        task.cancel()


async def woken(client: Client) -> tuple[str, ...]:
    """The workflow ids of those that this code cannot go on with, of some of each age; they were woken."""
    some, found = asyncio.Semaphore(_AT_ONCE), list[str]()

    async def one(run: Run) -> None:
        async with some:
            if await _is_stuck(client, run):
                await client.get_workflow_handle(run.id, run_id=run.run_id).signal(_WAKES)
                found.append(run.id)

    for kind in Kind:
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
    """One of those that are open of each day on which any began, the oldest first."""
    query = f"WorkflowType = '{kind.names.workflow}' AND ExecutionStatus = 'Running'"
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
