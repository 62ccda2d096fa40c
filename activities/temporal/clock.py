"""Clock skew of a worker against the Temporal server, measured by its activities once a minute."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.errors import StoreFailure
from activities.records.store import Store
from workflows.follow_up.options import CLOCKS_APART

LOOKED_AT_EVERY: Final = 60.0
"""Seconds. The smallest difference in them counts, since a busy worker begins activities late."""
_LOGGER: Final = structlog.get_logger("countersign.worker")
IsClockMoved = Callable[[str], Awaitable[bool]]
"""Whether a workflow's clock was moved; its activities are then scheduled by that clock."""


class WorkerClockSkew(BaseModel):
    """Seconds by which a worker's clock is ahead (negative: behind); `at` is server time."""

    model_config = ConfigDict(frozen=True)

    worker: str
    ahead: int
    at: AwareDatetime

    @classmethod
    async def latest(cls, store: Store) -> Self | None:
        """The last measurement of any worker; raises `StoreFailure`."""
        content = await store.notes.worker_clock()
        try:
            return cls.model_validate_json(content) if content else None
        except ValidationError:
            return None


class ClockSkewInterceptor(Interceptor):
    """Worker interceptor that compares the server's time of each activity's start with the local one."""

    def __init__(
        self,
        worker: str,
        store: Store,
        was_clock_moved: IsClockMoved,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker = worker
        self._store = store
        self._was_moved = was_clock_moved
        self._clock = clock
        self._seconds = monotonic_clock
        self._smallest_skew: timedelta | None = None
        self._since_seconds = monotonic_clock()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Comparison(super().intercept_activity(next), self)

    async def compare(self, server_started_at: datetime, workflow_id: str) -> None:
        """Note an activity that the server says has started at `server_started_at`, and that begins here now."""
        ahead = self._clock() - server_started_at
        if self._smallest_skew is None or abs(ahead) < abs(self._smallest_skew):
            self._smallest_skew = ahead
        if self._seconds() - self._since_seconds < LOOKED_AT_EVERY:
            return
        least, self._smallest_skew, self._since_seconds = self._smallest_skew, None, self._seconds()
        if abs(least) <= CLOCKS_APART or await self._is_clock_moved(workflow_id):
            return
        _LOGGER.error("the clock of this worker is off", seconds_ahead=int(least.total_seconds()))
        reading = WorkerClockSkew(worker=self._worker, ahead=int(least.total_seconds()), at=server_started_at)
        try:
            await self._store.notes.note_worker_clock(reading.model_dump_json().encode())
        except StoreFailure as failure:
            _LOGGER.warning("doctor does not hear of the clock yet", why=str(failure))

    async def _is_clock_moved(self, workflow_id: str) -> bool:
        """Whether the workflow's clock was moved, or nobody can say."""
        try:
            return await self._was_moved(workflow_id)
        except RPCError:
            return True


def make_moved_clock_check(client: Client) -> IsClockMoved:
    """A check that asks this server."""

    async def was_clock_moved(workflow_id: str) -> bool:
        handle = client.get_workflow_handle(workflow_id)
        return await TimeSkipper(client).get_time_skipping_info(handle) is not None

    return was_clock_moved


class _Comparison(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, clock: ClockSkewInterceptor) -> None:
        super().__init__(next)
        self._clock = clock

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.is_local:  # Local activities are scheduled by the worker itself.
            await self._clock.compare(info.started_time, info.workflow_id or "")
        return await super().execute_activity(input)
