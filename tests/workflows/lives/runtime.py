"""What `temporalio.workflow` gives a workflow, on virtual time: clock, conditions, activities with their retries."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from unittest.mock import patch

from temporalio import workflow
from temporalio.common import MetricMeter, Priority, SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, RetryState

from tests.workflows.lives.virtual_time import VirtualTime

UPDATE: Final[ContextVar[str | None]] = ContextVar("update", default=None)
"""The id of the update that is being handled."""


class ContinueAsNew(BaseException):
    """What the workflow raises to go on in a fresh run."""

    def __init__(self, request: Any) -> None:
        self.request = request


class Activity:
    """The handle of a running activity: cancelled only between attempts, as one without a heartbeat is."""

    def __init__(self, completion: asyncio.Future[Any]) -> None:
        self.completion = completion
        self.unwanted = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def done(self) -> bool:
        """Whether it has ended."""
        return self.completion.done()

    def cancel(self) -> None:
        """Let it not be tried again."""
        self.unwanted.set()

    def __await__(self) -> Generator[Any, None, Any]:
        return self.completion.__await__()


@dataclass
class Update:
    """What a handler may ask of the update it handles."""

    id: str


class Runtime:
    """The runtime of one life; `world` has a coroutine method for each activity."""

    def __init__(self, loop: VirtualTime, random: Random, world: object) -> None:
        self.loop = loop
        self.renewals: list[float] = []
        self.renewing = False
        """Whether a run is over and the next one has not begun: what comes now is for the next one."""
        self.run_id = self.first_execution_run_id = "run"
        self.priority = Priority.default
        self.typed_search_attributes: dict[Any, Any] = {}
        self._random = random
        self._world = world

    def is_continue_as_new_suggested(self) -> bool:
        """Whether the server thinks that the history is long."""
        return bool(self.renewals) and self.renewals[0] <= self.loop.time()

    def get_current_history_size(self) -> int:
        """Bytes of the history: never too many here, `renewals` say when a run is long."""
        return 0

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Stand in for the real one."""
        functions: dict[str, Callable[..., Any]] = {
            "now": self.loop.now,
            "info": lambda: self,
            "memo_value": lambda key, default, **how: default,
            "wait_condition": self._wait_condition,
            "start_activity_method": self._start_activity,
            "execute_local_activity_method": self._local_activity,
            "upsert_search_attributes": self._upsert,
            "metric_meter": lambda: MetricMeter.noop,
            "set_current_details": lambda details: None,
            "current_update_info": _update,
            "continue_as_new": self._continue_as_new,
            "cancellation_reason": lambda: "not wanted any more",
        }
        with ExitStack() as stack:
            for name, stand_in in functions.items():
                stack.enter_context(patch.object(workflow, name, stand_in))
            yield

    async def _wait_condition(self, holds: Callable[[], bool], **options: Any) -> None:
        await self.loop.condition(holds, options.get("timeout"))

    async def _local_activity(self, method: Any, input: Any, **options: Any) -> Any:
        await asyncio.sleep(self._random.choice([0.02, 0.02, 60]))
        return await self._call_activity(method, input)

    def _start_activity(self, method: Any, input: Any, **options: Any) -> Activity:
        handle = Activity(self.loop.create_future())
        attempts = self._attempts(
            handle, lambda: self._call_activity(method, input), options["retry_policy"].maximum_attempts
        )
        handle.task = self.loop.create_task(attempts)
        return handle

    def _call_activity(self, method: Any, input: Any) -> Coroutine[Any, Any, Any]:
        answer: Coroutine[Any, Any, Any] = getattr(self._world, method.__name__)(input)
        return answer

    async def _attempts(
        self, handle: Activity, ask: Callable[[], Coroutine[Any, Any, Any]], attempts_at_most: int
    ) -> None:
        failure: Exception = CancelledError()
        # Not begun before the workflow's task is over: what it takes back at once is never done.
        await asyncio.sleep(1e-6)
        for attempt in range(attempts_at_most):
            if handle.unwanted.is_set():
                failure = CancelledError()
                break
            await asyncio.sleep(self._random.choice([0.1, 0.1, 0.1, 20]))
            try:
                handle.completion.set_result(await ask())
            except ApplicationError as error:
                failure = error
            else:
                return
            await _wait_at_most(handle.unwanted, min(2.0**attempt, 60))
        handle.completion.set_exception(_activity_error(failure))

    def _upsert(self, updates: Iterable[SearchAttributeUpdate[Any]]) -> None:
        self.typed_search_attributes.update({update.key: update.value for update in updates})

    def _continue_as_new(self, request: Any) -> None:
        self.renewals = [renewal_at for renewal_at in self.renewals if renewal_at > self.loop.time()]
        self.renewing = True
        raise ContinueAsNew(request)


def _update() -> Update | None:
    id = UPDATE.get()
    return Update(id) if id else None


async def _wait_at_most(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def _activity_error(cause: Exception) -> ActivityError:
    error = ActivityError(
        "failed",
        scheduled_event_id=1,
        started_event_id=1,
        identity="",
        activity_type="activity",
        activity_id="1",
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    error.__cause__ = cause
    return error
