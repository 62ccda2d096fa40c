"""What surrounds every activity: a lost worker is noticed, a cancellation arrives, calls know how urgent they are."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.http.pacing import CALLER, Caller, Urgency

FOR_THE_CALL: Final = 10.0
"""Seconds of an attempt that are kept for the call itself; so long before its end waiting for a turn is given up."""
_BEATS_PER_TIMEOUT: Final = 3


class HeartbeatInterceptor(Interceptor):
    """Give it to the `Worker`: no activity has to remember to heartbeat; what one told last of its place is told on."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap each activity."""
        return _Heartbeats(super().intercept_activity(next))


class _LastDetails(ActivityOutboundInterceptor):
    """Remembers the last details: a heartbeat without them would have the server forget how far the attempt came."""

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
    """Give it to the `Worker`: calls know how urgent they are, and when their activity's time is over."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap each activity."""
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
