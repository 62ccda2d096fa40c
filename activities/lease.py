"""Whether an attempt is still the only one: asked before it makes what must not be made twice, and while it does.

A worker that Temporal does not hear is taken for dead, and another attempt begins although the first may go on. What
the SDK sends as heartbeats does not say whether it arrived; what is sent here does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.failures import passing_failure
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
