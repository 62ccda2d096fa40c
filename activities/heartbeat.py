"""Heartbeats for every activity with a heartbeat timeout: a lost worker is noticed, a cancellation arrives."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_BEATS_PER_TIMEOUT: Final = 3


class HeartbeatInterceptor(Interceptor):
    """Give it to the `Worker`: no activity has to remember to heartbeat."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap each activity."""
        return _Heartbeats(super().intercept_activity(next))


class _Heartbeats(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if not timeout:
            return await super().execute_activity(input)
        beating = asyncio.create_task(_beat(timeout / _BEATS_PER_TIMEOUT))
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()


async def _beat(pause: timedelta) -> None:
    # The pause comes first: most activities are over by then and cost the server no heartbeat at all.
    while True:
        await asyncio.sleep(pause.total_seconds())
        activity.heartbeat()
