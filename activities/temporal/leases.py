"""Whether an attempt is still the only one: asked before it makes what must not be made twice, and while it does.

A worker that Temporal does not hear is taken for dead, and another attempt begins although the first may go on. What
the SDK sends as heartbeats does not say whether it arrived; what is sent here does.
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


async def nobody_else() -> None:
    """For whoever is no attempt of Temporal's."""


class Lease:
    """The server's word that an attempt is the only one: good for `life` from when it was asked, and until `ends_at`.

    `confirm` asks it, and raises `RPCError`; `clock` counts the seconds that `confirmed_at` and `ends_at` are of.
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
        """What the activity that begins here asks; one without a heartbeat timeout has nobody who takes it for dead."""
        if not activity.in_activity() or not (life := activity.info().heartbeat_timeout):
            return nobody_else
        info = activity.info()
        began = time.monotonic()
        # By the server's clock, so that a worker that slept between its task and its work asks at once. It never says
        # that the attempt is over: perhaps it is our clock that is ahead, and the server will tell.
        heard = began - max(0.0, (datetime.now(UTC) - info.started_time).total_seconds())
        allowed = (info.start_to_close_timeout or _FOR_EVER).total_seconds()
        client, token = activity.client(), info.task_token
        return cls(lambda: _heard(client, token), life, heard, began + allowed).still_ours

    async def still_ours(self) -> None:
        """See `StillOurs`; the server is asked when its last word is a third of a life old."""
        if self._clock() < min(self._confirmed_at + self._life / _ASKED_PER_LIFE, self._ends_at):
            return
        asked_at = self._clock()
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await self._confirm()
        except (TimeoutError, RPCError) as failure:
            over = isinstance(failure, RPCError) and failure.status is RPCStatusCode.NOT_FOUND
            if over or self._clock() >= self._confirmed_at + self._life:
                raise passing_failure(Code.UNREACHABLE, "Temporal does not hear this attempt any more") from failure
        else:
            self._confirmed_at = asked_at
        if self._clock() >= self._ends_at:
            raise passing_failure(Code.UNREACHABLE, "the time of this attempt is over")


async def _heard(client: Client, token: bytes) -> None:
    request = RecordActivityTaskHeartbeatRequest(
        namespace=client.namespace, task_token=token, identity=client.service_client.config.identity
    )
    await client.workflow_service.record_activity_task_heartbeat(request)


Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class TurnLimits:
    """So many at the same time; seconds from the first: none is begun after `begin` or waited for after `end`."""

    at_once: int = 20
    begin: float = 15.0
    end: float = 40.0


PACE: Final = TurnLimits()
"""`end` - `begin` is more than one call may take (activities/http/client.py)."""


@dataclass
class TurnResults(Generic[Item, Result]):
    """The results in the order of the items, and the items that were not begun or gave no answer in time."""

    results: list[Result] = field(default_factory=list)
    left: list[Item] = field(default_factory=list)


class Turns:
    """The turns of one attempt; after `stop`, or when the worker is to end, nothing more is begun."""

    def __init__(self, pace: TurnLimits = PACE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self.stopped = False

    def stop(self) -> None:
        """Let those who were begun come to their end, and nobody else."""
        self.stopped = True

    async def each(
        self, items: Sequence[Item], call: Callable[[Item], Coroutine[Any, Any, Result]]
    ) -> TurnResults[Item, Result]:
        """Call for each item; what `call` raises is raised after the others have ended."""
        results: dict[int, Result] = {}
        turns, closes = iter(enumerate(items)), self._clock() + self._pace.begin

        async def take_turns() -> None:
            for number, item in turns:
                if self._closed(closes):
                    return
                results[number] = await call(item)

        await self._to_the_end([asyncio.create_task(take_turns()) for _ in items[: self._pace.at_once]])
        left = [item for number, item in enumerate(items) if number not in results]
        return TurnResults([results[number] for number in sorted(results)], left)

    def _closed(self, closes: float) -> bool:
        ending = activity.in_activity() and activity.is_worker_shutdown()
        return self.stopped or ending or self._clock() >= closes

    async def _to_the_end(self, crew: list[asyncio.Task[None]]) -> None:
        if not crew:
            return
        done, late = await asyncio.wait(crew, timeout=self._pace.end)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()


async def unbroken(work: Awaitable[Result], stop: Callable[[], None]) -> Result:
    """The result of `work` although it is cancelled meanwhile: `stop` asks it to end, what it has done is reported.

    Temporal takes a result for one, also when the workflow had asked for a cancellation.
    """
    working = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            if working.cancelled():
                raise
            stop()
