"""Leases of activity attempts, and bounded concurrent batches. Without heartbeats Temporal begins another attempt while
the first may run; the SDK does not report whether one arrived, so the lease sends its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from temporalio import activity
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.temporal.failures import passing_failure
from workflows.model.subject import Code

StillOurs = Callable[[], Awaitable[None]]
"""Returns while no other attempt can have begun, else raises an `ApplicationError`."""
_ASKED_PER_LIFE: Final = 3
_ANSWERS_WITHIN: Final = 3.0
"""Seconds."""
_FOR_EVER: Final = timedelta.max
Item = TypeVar("Item")
Result = TypeVar("Result")


async def nobody_else() -> None:
    """`StillOurs` outside of activities: always passes."""


class Lease:
    """The server's confirmation that this attempt is current, for `life` and until `ends_at`. `confirm` raises
    `RPCError`; times are seconds of `clock`.
    """

    def __init__(
        self,
        confirm: Callable[[], Awaitable[None]],
        life: timedelta,
        confirmed_at: float,
        ends_at: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._confirm = confirm
        self._life = life.total_seconds()
        self._confirmed_at = confirmed_at
        self._ends_at = ends_at
        self._clock = clock

    @classmethod
    def of_this_attempt(cls) -> StillOurs:
        """The check of the current activity; always passes without a heartbeat timeout."""
        if not activity.in_activity() or not (life := activity.info().heartbeat_timeout):
            return nobody_else
        info = activity.info()
        began = time.monotonic()
        # By the server's clock, so that a worker that was suspended between task and work asks at once. It never ends
        # the attempt: our clock may be ahead, and the server decides.
        heard = began - max(0.0, (datetime.now(UTC) - info.started_time).total_seconds())
        allowed = (info.start_to_close_timeout or _FOR_EVER).total_seconds()
        client, token = activity.client(), info.task_token
        return cls(lambda: _heartbeat(client, token), life, heard, began + allowed).still_ours

    async def still_ours(self) -> None:
        """Asks the server after a third of the lease's life."""
        if self._clock() < min(self._confirmed_at + self._life / _ASKED_PER_LIFE, self._ends_at):
            return
        asked_at = self._clock()
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await self._confirm()
        except (TimeoutError, RPCError) as failure:
            is_gone = isinstance(failure, RPCError) and failure.status is RPCStatusCode.NOT_FOUND
            if is_gone or self._clock() >= self._confirmed_at + self._life:
                raise passing_failure(Code.UNREACHABLE, "Temporal does not hear this attempt any more") from failure
        else:
            self._confirmed_at = asked_at
        if self._clock() >= self._ends_at:
            raise passing_failure(Code.UNREACHABLE, "the time of this attempt is over")


@dataclass(frozen=True)
class TurnLimits:
    """Number of concurrent calls; no call begins after `begin` seconds, none is awaited after `end`."""

    at_once: int = 20
    begin: float = 15.0
    end: float = 40.0


PACE: Final = TurnLimits()
"""`end` - `begin` exceeds the longest call (activities/http/client.py)."""


@dataclass
class TurnResults(Generic[Item, Result]):
    """Results in the order of the items, and the items not begun or not finished in time."""

    results: list[Result] = field(default_factory=list)
    unstarted: list[Item] = field(default_factory=list)


class Turns:
    """The calls of one attempt; none begins after `stop`, or once the worker shuts down."""

    def __init__(self, pace: TurnLimits = PACE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self.stopped = False

    def stop(self) -> None:
        """Begin no more; running calls finish."""
        self.stopped = True

    async def call_each(
        self, items: Sequence[Item], call: Callable[[Item], Coroutine[Any, Any, Result]]
    ) -> TurnResults[Item, Result]:
        """Call for each item; an exception of `call` is raised after the others have ended."""
        results: dict[int, Result] = {}
        turns, closes = iter(enumerate(items)), self._clock() + self._pace.begin

        async def take_turns() -> None:
            for number, item in turns:
                if self._closed(closes):
                    return
                results[number] = await call(item)

        await self._await_all([asyncio.create_task(take_turns()) for _ in items[: self._pace.at_once]])
        unstarted = [item for number, item in enumerate(items) if number not in results]
        return TurnResults([results[number] for number in sorted(results)], unstarted)

    def _closed(self, closes: float) -> bool:
        ending = activity.in_activity() and activity.is_worker_shutdown()
        return self.stopped or ending or self._clock() >= closes

    async def _await_all(self, crew: list[asyncio.Task[None]]) -> None:
        if not crew:
            return
        finished, late = await asyncio.wait(crew, timeout=self._pace.end)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in finished:
            task.result()


async def unbroken(work: Awaitable[Result], stop: Callable[[], None]) -> Result:
    """The result of `work` despite cancellation: `stop` asks it to end early with a partial result, which Temporal
    accepts.
    """
    working = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            if working.cancelled():
                raise
            stop()


async def _heartbeat(client: Client, token: bytes) -> None:
    request = RecordActivityTaskHeartbeatRequest(
        namespace=client.namespace, task_token=token, identity=client.service_client.config.identity
    )
    await client.workflow_service.record_activity_task_heartbeat(request)
