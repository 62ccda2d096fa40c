"""Worker interceptors and slots of activities: heartbeats, call priority and deadline, rate-limited polling."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.common import Priority
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    CustomSlotSupplier,
    ExecuteActivityInput,
    Interceptor,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)

from activities.http.rate_limit import CALLER, RateLimitCaller, RateLimiter, Urgency
from workflows.kinds import Kind, named
from workflows.names import CAMPAIGN_QUEUE, WORKFLOW_QUEUE

FOR_THE_CALL: Final = 10.0
"""Seconds of an attempt reserved for the call: waiting for a turn is given up that long before its end."""
_BEATS_PER_TIMEOUT: Final = 3
SECONDS_AHEAD: Final = 3.0
"""Seconds of calls taken from the queue at a time: a call waits at most that long for its turn."""
MOST_AT_ONCE: Final = 50
"""Activities of one worker that may call Core Signature concurrently, whatever the rate."""
_LOOK_EVERY: Final = 1.0
_OF_A_KEY: Final = 32
"""Hex digits: the server refuses fairness keys longer than 64 bytes, which ids and kinds may exceed."""


class HeartbeatInterceptor(Interceptor):
    """Worker interceptor: heartbeats for each activity, repeating its last details."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Heartbeats(super().intercept_activity(next))


class PaceInterceptor(Interceptor):
    """Worker interceptor: gives calls the priority and deadline of their activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Calls(super().intercept_activity(next))


def priority(kind: str, *, urgent: bool, parent: str | None = None) -> Priority:
    """The priority of a start, inherited by its activities. Campaigns come last, even urgent ones; equals share by
    campaign, onboarding or kind. `parent` is a workflow id.
    """
    id = (parent or "").partition(":")[2]
    return Priority(priority_key=_urgency(parent, urgent=urgent), fairness_key=fairness_key(id or kind))


def queue_of(kind: Kind, parent: str | None) -> str:
    """The workflow's task queue: campaigns and their parts have their own."""
    return CAMPAIGN_QUEUE if kind.spec.bulk or _is_bulk(parent) else WORKFLOW_QUEUE


def fairness_key(id: str) -> str:
    """Key by which an operator weighs a campaign, onboarding or kind: `temporal task-queue config set`."""
    return hashlib.sha256(id.encode()).hexdigest()[:_OF_A_KEY]


class PacedSlots(CustomSlotSupplier):
    """Takes as many activities as get turns within `SECONDS_AHEAD`, at most `places`; the rest waits in Temporal's
    queue. Slots used in `first`, a queue with precedence, are subtracted.
    """

    def __init__(self, pace: RateLimiter, first: "PacedSlots | None" = None, places: int = MOST_AT_ONCE) -> None:
        self._pace = pace
        self._first = first
        self._places = places
        self._taken_count = 0
        self._at_work = 0
        self._counting = threading.Lock()
        self._freed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Waits for a free slot; also checked each second, since the rate may change."""
        self._loop = asyncio.get_running_loop()
        while not self._take():
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), _LOOK_EVERY)
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """None: no eager activities, as no workflow runs on this queue."""
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """Count the slot for queues of lower precedence; its own queue counts reservations."""
        with self._counting:
            self._at_work += 1

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Called in a thread of Temporal's core."""
        with self._counting:
            self._taken_count -= 1
            self._at_work -= ctx.slot_info is not None
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                self._loop.call_soon_threadsafe(self._freed.set)

    @property
    def room(self) -> int:
        """How many activities may run at once."""
        if self._pace.is_held or not self._pace.rate:
            return 0
        ahead = self._first.at_work if self._first else 0
        return max(1, min(self._places, int(self._pace.rate * SECONDS_AHEAD))) - ahead

    @property
    def polls(self) -> bool:
        """Whether a slot is held by nobody's activity: what took it polls the queue."""
        with self._counting:
            return self._taken_count > self._at_work

    @property
    def at_work(self) -> int:
        """How many activities run."""
        return self._at_work

    def _take(self) -> bool:
        with self._counting:
            has_slot = self._taken_count < self.room
            self._taken_count += has_slot
        return has_slot


class _LastDetails(ActivityOutboundInterceptor):
    """Remembers the last details: a heartbeat without them would erase the attempt's progress."""

    def __init__(self, next: ActivityOutboundInterceptor, remember: Callable[[tuple[Any, ...]], None]) -> None:
        super().__init__(next)
        self._remember = remember

    def heartbeat(self, *details: Any) -> None:
        self._remember(details)
        super().heartbeat(*details)


class _Heartbeats(ActivityInboundInterceptor):
    _details: tuple[Any, ...] = ()

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_LastDetails(outbound, self._remember))

    def _remember(self, details: tuple[Any, ...]) -> None:
        self._details = details

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if not timeout:
            return await super().execute_activity(input)
        # Details of the previous attempt: this one may continue there, and fail before its first own heartbeat.
        self._details = self._details or tuple(activity.info().heartbeat_details)
        beating = asyncio.create_task(self._beat(timeout / _BEATS_PER_TIMEOUT))
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()

    async def _beat(self, pause: timedelta) -> None:
        # Pauses first: most activities end before, and cost no heartbeat.
        while True:
            await asyncio.sleep(pause.total_seconds())
            activity.heartbeat(*self._details)


class _Calls(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        CALLER.set(_caller(activity.info()))
        return await super().execute_activity(input)


def _caller(info: activity.Info) -> RateLimitCaller:
    urgency = info.priority.priority_key or Urgency.ORDINARY
    if info.start_to_close_timeout is None:
        return RateLimitCaller(urgency)
    seconds = info.start_to_close_timeout.total_seconds() - FOR_THE_CALL
    return RateLimitCaller(urgency, asyncio.get_running_loop().time() + seconds)


def _is_bulk(parent: str | None) -> bool:
    workflow_name = named(parent or "")
    return workflow_name is not None and workflow_name.kind.spec.bulk


def _urgency(parent: str | None, *, urgent: bool) -> Urgency:
    if _is_bulk(parent):
        return Urgency.BULK
    return Urgency.URGENT if urgent else Urgency.ORDINARY
