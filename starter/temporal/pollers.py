"""Pollers of each task queue, as the server lists them; a queue without any has no worker."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workflows.names import QUEUES, WORKFLOW_QUEUE, WORKFLOW_QUEUES

OF_A_WORKER: Final = (
    *((queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW) for queue in WORKFLOW_QUEUES),
    *((queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY) for queue in QUEUES if queue not in WORKFLOW_QUEUES),
)
"""The queues that a worker polls, and their types."""
FRESH: Final = timedelta(seconds=75)
"""A living worker polls again within the server's 60 s; an idle one was 56 s old, measured."""
LISTED_AT_MOST: Final = timedelta(seconds=5)
"""How long a worker waits to be listed: at a low rate it polls only for calls that get a turn."""
_LOOKS_EVERY: Final = 0.05


async def asking(client: Client, queue: str, type_: TaskQueueType.ValueType, since: datetime) -> set[str]:
    """Pollers of a queue since `since`; the server remembers dead ones for five minutes. Raises `RPCError`."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=type_)
    )
    return {poller.identity for poller in answer.pollers if poller.last_access_time.ToDatetime(UTC) >= since}


async def somebody(client: Client) -> bool:
    """Whether a worker polls for workflows, or it is unknown."""
    type_ = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    try:
        return bool(await asking(client, WORKFLOW_QUEUE, type_, datetime.now(UTC) - FRESH))
    except RPCError:
        return True


async def until_listed(client: Client, identity: str) -> bool:
    """Wait until a process is listed for every queue; False if it was not in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTED_AT_MOST.total_seconds()):
            for queue, type_ in OF_A_WORKER:
                while not await _is_listed(client, identity, queue, type_):  # noqa: ASYNC110  the server tells nobody
                    await asyncio.sleep(_LOOKS_EVERY)
            return True
    return False


async def _is_listed(client: Client, identity: str, queue: str, type_: TaskQueueType.ValueType) -> bool:
    with suppress(RPCError):
        return identity in await asking(client, queue, type_, datetime.min.replace(tzinfo=UTC))
    return False
