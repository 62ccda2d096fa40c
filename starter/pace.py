"""The pace of calls to Core Signature: which rate is in force, and what of it is whose.

The rate of record is the config of the queue that is worked on at that pace, which can be set while everything runs
(`temporal task-queue config set`); without one it is a setting. Workers share it without a word to each other: each
reads who else polls the queue, and takes its part.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.http.pacing import BURST, Pacer
from starter import pollers
from workflows.names import SIGNATURE_QUEUE

READ_EVERY: Final = 10.0
"""Seconds after which a rate that was set anew, or another worker, is heard of."""
OF_RECEIVER: Final = 0.1
"""The part of the rate that is kept for signers at the button of their page."""
_BURSTS: Final = 6.0
"""Seconds of the whole rate that all workers' bursts come to at most: a fifth of half a minute."""
_WITHIN: Final = timedelta(seconds=5)
_LOGGER: Final = structlog.get_logger("countersign.pace")


@dataclass(frozen=True)
class Part:
    """What a process has of the pace: calls a second, and at once after a rest."""

    rate: float
    burst: float = BURST


@dataclass(frozen=True)
class Record:
    """The rate in force, in calls a second, whether it was set at the queue, and the workers that live."""

    rate: float
    set_live: bool
    workers: frozenset[str]

    def of_worker(self, me: str) -> Part:
        """What a worker has, which may not be listed yet itself."""
        many = len(self.workers | {me})
        return Part((1 - OF_RECEIVER) * self.rate / many, min(BURST, max(1.0, _BURSTS * self.rate / many)))

    def of_receiver(self) -> Part:
        """What the receiver has."""
        return Part(OF_RECEIVER * self.rate)


PartOf = Callable[[Record], Part]


def identity_of_worker() -> str:
    """Another one for each process, so that the pollers of one count once and those of two count twice."""
    return f"countersign-worker-{secrets.token_hex(3)}"


async def read(client: Client, configured: float, now: datetime | None = None) -> Record:
    """What is in force at the server; `configured` is the setting. Raises `RPCError`."""
    since = (now or datetime.now(UTC)) - pollers.FRESH
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=SIGNATURE_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_config=True,
        ),
        timeout=_WITHIN,
    )
    limit = answer.config.queue_rate_limit
    live = limit.HasField("rate_limit")
    fresh = (poller.identity for poller in answer.pollers if poller.last_access_time.ToDatetime(UTC) >= since)
    return Record(limit.rate_limit.requests_per_second if live else configured, live, frozenset(fresh))


@asynccontextmanager
async def kept(
    client: Client, pace: Pacer, configured: float, part_of: Callable[[Record], Part]
) -> AsyncIterator[None]:
    """Keep the pace as the record says while the block runs; until it was read, as if the setting were it."""
    _keep_to(pace, part_of(Record(configured, set_live=False, workers=frozenset())))
    keeping = asyncio.create_task(_reading(client, pace, configured, part_of))
    try:
        yield
    finally:
        keeping.cancel()


async def _reading(client: Client, pace: Pacer, configured: float, part_of: PartOf) -> None:
    while True:
        try:
            _keep_to(pace, part_of(await read(client, configured)))
        except (RPCError, RuntimeError) as error:
            # A client that has never connected raises the latter. The last pace that was known goes on.
            _LOGGER.warning("the rate of record cannot be read", why=type(error).__name__, goes_on_at=pace.rate)
        await asyncio.sleep(READ_EVERY)


def _keep_to(pace: Pacer, part: Part) -> None:
    if part.rate != pace.rate:
        _LOGGER.info("pace of Core Signature", calls_per_second=round(part.rate, 3))
    pace.change(part.rate, part.burst)
