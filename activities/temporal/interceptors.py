"""Worker interceptors and slots for activities: heartbeats, priority and deadline of calls, rate-limited polling."""

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

from activities.http.rate_limit import CALLER, Caller, RateLimiter, Urgency
from workflows.kinds import Kind
from workflows.names import ACKNOWLEDGEMENT_CAMPAIGN, CAMPAIGN_QUEUE, WORKFLOW_QUEUE

FOR_THE_CALL: Final = 10.0
"""Seconds of an attempt that are kept for the call itself; so long before its end waiting for a turn is given up."""
_BEATS_PER_TIMEOUT: Final = 3


class HeartbeatInterceptor(Interceptor):
    """Worker interceptor: heartbeats for each activity, repeating the details it reported last."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Heartbeats(super().intercept_activity(next))


class _LastDetails(ActivityOutboundInterceptor):
    """The last heartbeat details: a heartbeat without them would erase the attempt's progress."""

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
        # What an attempt before this one has told: it may take up there, and may die before it says anything itself.
        self._details = self._details or tuple(activity.info().heartbeat_details)
        beating = asyncio.create_task(self._beat(timeout / _BEATS_PER_TIMEOUT))
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()

    async def _beat(self, pause: timedelta) -> None:
        # The pause comes first: most activities are over by then and cost the server no heartbeat at all.
        while True:
            await asyncio.sleep(pause.total_seconds())
            activity.heartbeat(*self._details)


class PaceInterceptor(Interceptor):
    """Worker interceptor: gives calls the priority and the deadline of their activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Calls(super().intercept_activity(next))


class _Calls(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        CALLER.set(_caller(activity.info()))
        return await super().execute_activity(input)


def _caller(info: activity.Info) -> Caller:
    urgency = info.priority.priority_key or Urgency.ORDINARY
    if info.start_to_close_timeout is None:
        return Caller(urgency)
    seconds = info.start_to_close_timeout.total_seconds() - FOR_THE_CALL
    return Caller(urgency, asyncio.get_running_loop().time() + seconds)


SECONDS_AHEAD: Final = 3.0
"""So many seconds of calls are taken from the queue at a time: a call then waits no longer than that for its turn."""
MOST_AT_ONCE: Final = 50
"""Activities of one worker that may call Core Signature at the same time, however fast its calls may come."""
_LOOK_EVERY: Final = 1.0
_OF_A_KEY: Final = 32
"""Hex digits: the server refuses a start whose fairness key is longer than 64 bytes, and ids and kinds may be."""


def priority(kind: str, *, urgent: bool, parent: str | None = None) -> Priority:
    """The Temporal priority of a start; activities and children inherit it.

    Campaigns come last, even for an urgent kind. At equal priority campaigns, onboardings and kinds get equal shares.
    `parent` is the workflow id of the campaign or onboarding.
    """
    what, _, id = (parent or "").partition(":")
    return Priority(priority_key=_urgency(what, urgent=urgent), fairness_key=fairness_key(id or kind))


def queue_of(what: Kind, parent: str | None) -> str:
    """The task queue of the workflow: campaigns and their parts have one of their own."""
    of_campaign = what is Kind.CAMPAIGN or (parent or "").partition(":")[0] == ACKNOWLEDGEMENT_CAMPAIGN
    return CAMPAIGN_QUEUE if of_campaign else WORKFLOW_QUEUE


def fairness_key(id: str) -> str:
    """The fairness key by which an operator weighs a campaign, onboarding or kind: `temporal task-queue config set`."""
    return hashlib.sha256(id.encode()).hexdigest()[:_OF_A_KEY]


def _urgency(parent: str, *, urgent: bool) -> Urgency:
    if parent == ACKNOWLEDGEMENT_CAMPAIGN:
        return Urgency.BULK
    return Urgency.URGENT if urgent else Urgency.ORDINARY


class PacedSlots(CustomSlotSupplier):
    """A slot supplier that takes as many activities as their calls get turns within `SECONDS_AHEAD`, none while all
    wait.

    The rest waits in Temporal's queue, at no cost of attempts and open to other workers. Slots in use in `first`, of a
    queue with precedence, reduce these. There are never more than `places`.
    """

    def __init__(self, pace: RateLimiter, first: "PacedSlots | None" = None, places: int = MOST_AT_ONCE) -> None:
        self._pace = pace
        self._first = first
        self._places = places
        self._taken = 0
        self._at_work = 0
        self._counting = threading.Lock()
        self._freed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for a free slot; also checked each second, since the rate may have changed."""
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
        """Count the slot for queues of lower precedence; its own queue counts it from its reservation."""
        with self._counting:
            self._at_work += 1

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Called in a thread of Temporal's core."""
        with self._counting:
            self._taken -= 1
            self._at_work -= ctx.slot_info is not None
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                self._loop.call_soon_threadsafe(self._freed.set)

    @property
    def room(self) -> int:
        """How many activities may run at once."""
        if self._pace.held or not self._pace.rate:
            return 0
        ahead = self._first.at_work if self._first else 0
        return max(1, min(self._places, int(self._pace.rate * SECONDS_AHEAD))) - ahead

    @property
    def at_work(self) -> int:
        """How many activities run."""
        return self._at_work

    def _take(self) -> bool:
        with self._counting:
            taken = self._taken < self.room
            self._taken += taken
        return taken
