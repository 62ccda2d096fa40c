"""Pools of queues, and the pollers of each task queue, as the server lists them; a queue without any has no worker."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from time import monotonic
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import did_you_mean
from workflows import names

FRESH: Final = timedelta(seconds=75)
"""A living worker polls again within the server's 60 s; an idle one was 56 s old, measured."""
LISTED_AT_MOST: Final = timedelta(seconds=5)
"""How long a worker waits to be listed: at a low rate it polls only for calls that get a turn."""
_LOOKS_EVERY: Final = 0.05
ENDED_AFTER: Final = timedelta(minutes=3)
"""Three polls, after which a process that the server still lists with the same last poll is taken to have stopped."""


class Pool(Enum):
    """What `--queues` names: queues that belong together."""

    REQUESTS = ("requests", names.WORKFLOW_QUEUE)
    """Workflows but those of campaigns; Nexus operations."""
    CAMPAIGNS = ("campaigns", names.CAMPAIGN_QUEUE, names.BATCH_QUEUE)
    CORE_SIGNATURE = ("core-signature", names.URGENT_SIGNATURE_QUEUE, names.SIGNATURE_QUEUE, names.EVIDENCE_QUEUE)
    RECONCILIATION = ("reconciliation", names.SWEEP_QUEUE)

    def __init__(self, label: str, *queues: str) -> None:
        self.label = label
        self.queues = queues


def pools_of(names: str) -> tuple[Pool, ...]:
    """The pools of a comma-separated list; ValueError, with what would be right, for a word that is none."""
    pool_by_name = {pool.label: pool for pool in Pool}
    named = [name.strip() for name in names.split(",") if name.strip()]
    choices = f"there are {', '.join(pool_by_name)}"
    if unknown := next((name for name in named if name not in pool_by_name), None):
        raise ValueError(f"no queues are called {unknown}{did_you_mean(unknown, pool_by_name)}; {choices}")
    if not named:
        raise ValueError(f"name queues, separated by commas: {choices}")
    return tuple(pool for name, pool in pool_by_name.items() if name in named)


def queues_of(pools: Iterable[Pool]) -> list[str]:
    return [queue for pool in pools for queue in pool.queues]


async def asking(client: Client, queue: str, polled_since: datetime) -> set[str]:
    """Pollers of a queue since `polled_since`; the server remembers dead ones for five minutes. Raises `RPCError`."""
    return {identity for identity, polled_at in await _listed(client, queue) if polled_at >= polled_since}


class LastPolls:
    """When the server last saw this process poll, by our own `clock` in seconds: others' clocks differ, so that only
    changes of the server's times count. What the server has never listed is not known.
    """

    def __init__(self, client: Client, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._changed: dict[str, tuple[datetime, float]] = {}

    async def find_ended(self, queues: Collection[str]) -> Sequence[str]:
        """Those of these queues that this process polls no more. Raises `RPCError`; then all polls are forgotten, since
        a poller also has to reach the server again first.
        """
        previous, self._changed = self._changed, {}
        polls: dict[str, tuple[datetime, float]] = {}
        for queue in queues:
            polled_at, last_seen = await self._last_poll(queue), previous.get(queue)
            if polled_at and (last_seen is None or polled_at != last_seen[0]):
                polls[queue] = polled_at, self._clock()
            elif last_seen:
                polls[queue] = last_seen
        self._changed = polls
        limit = self._clock() - ENDED_AFTER.total_seconds()
        return [queue for queue, (_, seen_at) in polls.items() if seen_at < limit]

    async def _last_poll(self, queue: str) -> datetime | None:
        listed = await _listed(self._client, queue)
        return max((polled_at for identity, polled_at in listed if identity == self._client.identity), default=None)


async def is_polled(client: Client) -> bool:
    """Whether a worker polls for workflows, or it is unknown."""
    try:
        return bool(await asking(client, names.WORKFLOW_QUEUE, datetime.now(UTC) - FRESH))
    except RPCError:
        return True


async def until_listed(client: Client, identity: str, pools: Iterable[Pool] = Pool) -> bool:
    """Wait until a process is listed for every queue of its pools; False if it was not in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTED_AT_MOST.total_seconds()):
            for queue in queues_of(pools):
                while not await _is_listed(client, identity, queue):  # noqa: ASYNC110  the server tells nobody
                    await asyncio.sleep(_LOOKS_EVERY)
            return True
    return False


def _type_of(queue: str) -> TaskQueueType.ValueType:
    """The type of which a worker is seen to poll it."""
    if queue in names.WORKFLOW_QUEUES:
        return TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    return TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


async def _listed(client: Client, queue: str) -> Sequence[tuple[str, datetime]]:
    """Pollers of a queue, each with the server's time of its last poll."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=_type_of(queue)
        )
    )
    return [(poller.identity, poller.last_access_time.ToDatetime(UTC)) for poller in answer.pollers]


async def _is_listed(client: Client, identity: str, queue: str) -> bool:
    with suppress(RPCError):
        return identity in await asking(client, queue, datetime.min.replace(tzinfo=UTC))
    return False
