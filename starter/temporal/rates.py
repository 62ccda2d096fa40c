"""The rate of calls to Core Signature and each process's share. The rate is the paced queue's config (`temporal
task-queue config set`), else a setting. Who makes calls has a row in the database: web processes share a tenth, workers
on other queues than that of the calls another one if there are any, and workers on that queue the rest.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.http.rate_limit import BURST, RateLimiter
from activities.records.processes import LEASE, Process, Processes, ProcessRole
from workflows.names import SIGNATURE_QUEUE

COUNTED_EVERY: Final = 1.0
"""Seconds between two counts of the processes that share: so long two may disagree."""
RENEWED_EVERY: Final = LEASE.total_seconds() / 3
READ_EVERY: Final = 10.0
"""Seconds between two readings of the rate."""
STABLE_AFTER: Final = 10.0
"""Seconds of an unchanged share before a rest earns a burst: a new worker's calls come at once."""
UNLISTED_AT_MOST: Final = 5.0
"""Seconds without calls of a worker that cannot tell the others of itself."""
LEFT_WITHIN: Final = 2.0
"""Seconds in which a process that stops gives its share back; else its row runs out."""
OF_RECEIVER: Final = 0.1
"""Share of the rate for signers at the button of their page."""
OF_POOLS: Final = 0.1
"""Share of the workers that call now and then only."""
_BURSTS: Final = 6.0
"""Seconds of the whole rate in the bursts of all workers: a fifth of half a minute."""
_WITHIN: Final = timedelta(seconds=5)
_LOGGER: Final = structlog.get_logger("countersign.pace")


@dataclass(frozen=True)
class RateShare:
    """Calls a second, and at once after a rest."""

    rate: float
    burst: float = BURST

    @classmethod
    def for_role(cls, role: ProcessRole, rate: float, running: Mapping[ProcessRole, int]) -> "RateShare":
        """That of each of this role, while so many of each role run."""
        count = max(1, running.get(role, 0))
        match role:
            case ProcessRole.WEB:
                return cls(OF_RECEIVER * rate / count, max(1.0, BURST / count))
            case ProcessRole.POOL:
                return cls(OF_POOLS * rate / count, 1.0)
            case ProcessRole.WORKER:
                remaining_share = 1 - OF_RECEIVER - (OF_POOLS if running.get(ProcessRole.POOL) else 0)
                return cls(remaining_share * rate / count, min(BURST, max(1.0, _BURSTS * rate / count)))


@dataclass(frozen=True)
class RateRecord:
    """The rate in calls a second, and whether it is set at the queue."""

    rate: float
    set_live: bool


def new_identity(role: ProcessRole) -> str:
    """Distinct for each process, so that each counts once."""
    return f"countersign-{'worker' if role is ProcessRole.POOL else role}-{secrets.token_hex(3)}"


async def read(client: Client, configured: float) -> RateRecord:
    """The server's rate; `configured` is the setting. Raises `RPCError`."""
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
    return RateRecord(limit.rate_limit.requests_per_second if live else configured, live)


@asynccontextmanager
async def keep_share(
    client: Client, processes: Processes, pace: RateLimiter, configured: float, me: Callable[[], Process]
) -> AsyncIterator[None]:
    """Keep the pace to this process's share while the block runs, by the setting until the first reading. `me` says
    what it runs with now. What cannot be read stays what it was.
    """
    now = me()
    keeper = Keeper(pace, now.role, configured)
    keeping = [
        asyncio.create_task(_reading(client, configured, keeper)),
        asyncio.create_task(_sharing(processes, keeper, me)),
    ]
    try:
        yield
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        with suppress(StoreFailure, TimeoutError):
            async with asyncio.timeout(LEFT_WITHIN):
                await processes.leave(now.identity)


class Keeper:
    """Keeps a pace to a process's share of the rate. A worker makes no calls before the others know of it. For one
    event loop.
    """

    def __init__(self, pace: RateLimiter, role: ProcessRole, rate: float) -> None:
        self._pace = pace
        self._role = role
        self._rate = rate
        self._running: Mapping[ProcessRole, int] = {}
        self._began_at = self._changed_at = _now()
        self._listed_at: float | None = None
        if role is not ProcessRole.WEB:
            pace.close()
        self.adjust()

    @property
    def pace(self) -> RateLimiter:
        return self._pace

    @property
    def role(self) -> ProcessRole:
        return self._role

    def adjust(self, *, rate: float | None = None, running: Mapping[ProcessRole, int] | None = None) -> None:
        """Take the share of this rate, or of those that run, itself among them."""
        self._rate = self._rate if rate is None else rate
        self._running = self._running if running is None else running
        share, now = RateShare.for_role(self._role, self._rate, self._running), _now()
        if share.rate != self._pace.rate:
            _LOGGER.info("pace of Core Signature", calls_per_second=round(share.rate, 3))
            self._changed_at = now
        self._pace.change(share.rate, share.burst if now - self._changed_at >= STABLE_AFTER else 1.0)
        if running is not None and self._listed_at is None:
            self._listed_at = now
        self.begin_calls()

    def begin_calls(self) -> None:
        """Begin once nobody else shares the rate, or has counted this process too, or `UNLISTED_AT_MOST` has passed."""
        now, listed = _now(), self._listed_at
        alone = sum(count for role, count in self._running.items() if role is not ProcessRole.WEB) <= 1
        counted = listed is not None and (alone or now - listed >= COUNTED_EVERY)
        if counted or now - self._began_at >= UNLISTED_AT_MOST:
            self._pace.open()


async def _reading(client: Client, configured: float, keeper: Keeper) -> None:
    while True:
        try:
            keeper.adjust(rate=(await read(client, configured)).rate)
        except (RPCError, RuntimeError) as error:
            # A client that has never connected raises the latter.
            reason = type(error).__name__
            _LOGGER.warning("the rate of record cannot be read", why=reason, goes_on_at=keeper.pace.rate)
        await asyncio.sleep(READ_EVERY)


async def _sharing(processes: Processes, keeper: Keeper, me: Callable[[], Process]) -> None:
    renewed_at, is_unreadable = -RENEWED_EVERY, False
    while True:
        try:
            if _now() - renewed_at >= RENEWED_EVERY:
                await processes.renew(await asyncio.to_thread(me))
                renewed_at = _now()
            keeper.adjust(running=await processes.count())
            is_unreadable = False
        except (StoreFailure, TimeoutError) as failure:
            if not is_unreadable:
                _LOGGER.warning("who shares the rate cannot be read", why=str(failure), goes_on_at=keeper.pace.rate)
            is_unreadable = True
            keeper.begin_calls()
        await asyncio.sleep(COUNTED_EVERY)


def _now() -> float:
    return asyncio.get_running_loop().time()
