"""The rate of calls to Core Signature and each process's share. The rate is the paced queue's config (`temporal
task-queue config set`), else a setting. Each worker reads the queue's pollers and takes its share, without
communication.
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

from activities.http.rate_limit import BURST, RateLimiter
from starter.temporal import pollers
from workflows.names import SIGNATURE_QUEUE

READ_EVERY: Final = 10.0
"""Seconds between readings of rate and workers while idle."""
READ_EVERY_AT_FIRST: Final = 1.0
"""The same for a new process, and while there are calls: so long two workers may disagree."""
STABLE_AFTER: Final = 10.0
"""Seconds of an unchanged share before a rest earns a burst: a new worker's calls come at once."""
UNLISTED_AT_MOST: Final = 5.0
"""Seconds without calls while the server does not list a new worker."""
OF_RECEIVER: Final = 0.1
"""Share of the rate for signers at the button of their page."""
_BURSTS: Final = 6.0
"""Seconds of the whole rate in the bursts of all workers: a fifth of half a minute."""
_WITHIN: Final = timedelta(seconds=5)
_LOGGER: Final = structlog.get_logger("countersign.pace")


@dataclass(frozen=True)
class RateShare:
    """Calls a second, and at once after a rest."""

    rate: float
    burst: float = BURST


@dataclass(frozen=True)
class RateRecord:
    """The rate in calls a second, whether it is set at the queue, and the living workers."""

    rate: float
    set_live: bool
    workers: frozenset[str]

    def of_worker(self, me: str) -> RateShare:
        """The share of a worker, which may not be listed yet."""
        many = len(self.workers | {me})
        return RateShare((1 - OF_RECEIVER) * self.rate / many, min(BURST, max(1.0, _BURSTS * self.rate / many)))

    def of_receiver(self) -> RateShare:
        """The share of the web process."""
        return RateShare(OF_RECEIVER * self.rate)


PartOf = Callable[[RateRecord], RateShare]


def identity_of_worker() -> str:
    """Distinct for each process, so that each counts once among the pollers."""
    return f"countersign-worker-{secrets.token_hex(3)}"


async def read(client: Client, configured: float, now: datetime | None = None) -> RateRecord:
    """The server's rate; `configured` is the setting. Raises `RPCError`."""
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
    return RateRecord(limit.rate_limit.requests_per_second if live else configured, live, frozenset(fresh))


@asynccontextmanager
async def kept(
    client: Client, pace: RateLimiter, configured: float, part_of: PartOf, me: str | None = None
) -> AsyncIterator[None]:
    """Adjust the pace while the block runs, by the setting until the first reading. `me` is a worker's identity: it
    makes no calls before it is listed, so that the others know of it.
    """
    keeper = Keeper(pace, part_of, me)
    keeper.adjust(RateRecord(configured, set_live=False, workers=frozenset()))
    keeping = asyncio.create_task(_reading(client, configured, keeper))
    try:
        yield
    finally:
        keeping.cancel()


class Keeper:
    """Keeps a pace to a process's share of the rate. For one event loop."""

    def __init__(self, pace: RateLimiter, part_of: PartOf, me: str | None = None) -> None:
        self._pace = pace
        self._part_of = part_of
        self._me = me
        self._began_at = self._changed_at = self._read_at = _now()
        self._asked = pace.asked
        if me is not None:
            pace.close()

    @property
    def pace(self) -> RateLimiter:
        return self._pace

    def adjust(self, record: RateRecord) -> None:
        """Take the share of this reading."""
        part, now = self._part_of(record), _now()
        if part.rate != self._pace.rate:
            _LOGGER.info("pace of Core Signature", calls_per_second=round(part.rate, 3))
            self._changed_at = now
        stable = now - self._changed_at >= STABLE_AFTER
        self._pace.change(part.rate, part.burst if stable else 1.0)
        self.begin_calls(record)
        self._read_at, self._asked = now, self._pace.asked

    def begin_calls(self, record: RateRecord | None = None) -> None:
        """Begin with calls once this process is listed, or `UNLISTED_AT_MOST` has passed."""
        listed = self._me is None or (record is not None and self._me in record.workers)
        if listed or _now() - self._began_at >= UNLISTED_AT_MOST:
            self._pace.open()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next reading."""
        now = _now()
        busy = self._pace.waiting or self._pace.asked != self._asked or now - self._began_at < STABLE_AFTER
        return now - self._read_at >= (0 if busy else READ_EVERY - READ_EVERY_AT_FIRST)


async def _reading(client: Client, configured: float, keeper: Keeper) -> None:
    while True:
        if keeper.is_due:
            await _read_once(client, configured, keeper)
        await asyncio.sleep(READ_EVERY_AT_FIRST)


async def _read_once(client: Client, configured: float, keeper: Keeper) -> None:
    try:
        keeper.adjust(await read(client, configured))
    except (RPCError, RuntimeError) as error:
        # A client that has never connected raises the latter. The last known rate stays.
        _LOGGER.warning("the rate of record cannot be read", why=type(error).__name__, goes_on_at=keeper.pace.rate)
        keeper.begin_calls()


def _now() -> float:
    return asyncio.get_running_loop().time()
