"""Who asks for the tasks of each queue, as the server lists them: nobody works on what nobody is listed for."""

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
"""The queues that a worker asks for tasks of, and for which kind."""
FRESH: Final = timedelta(seconds=75)
"""A worker that lives asks again within the 60 s that the server lets it wait: an idle one was 56 s old, measured."""
LISTED_AT_MOST: Final = timedelta(seconds=5)
"""How long a worker waits to be listed: at a low pace it asks for calls only when there is one to be had."""
_LOOKS_EVERY: Final = 0.05


async def asking(client: Client, queue: str, type_: TaskQueueType.ValueType, since: datetime) -> set[str]:
    """Who has asked for tasks of a queue since then; the server remembers the dead for five minutes. `RPCError`."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=type_)
    )
    return {poller.identity for poller in answer.pollers if poller.last_access_time.ToDatetime(UTC) >= since}


async def somebody(client: Client) -> bool:
    """Whether anybody works on workflows, as far as that can be known."""
    type_ = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    try:
        return bool(await asking(client, WORKFLOW_QUEUE, type_, datetime.now(UTC) - FRESH))
    except RPCError:
        return True


async def until_listed(client: Client, identity: str) -> bool:
    """Wait until a process is listed for every queue, so that nobody is told that there is none; whether it is."""
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
