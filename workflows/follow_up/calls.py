"""Activity calls with retries: a failed call becomes the workflow's problem and is repeated until it succeeds; waits
and continue-as-new.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import wraps
from itertools import count
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    FailureError,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TimedOut

import workflows.follow_up.options as options
from workflows.follow_up.options import ActivityOptions, in_its_queue, probe_pause
from workflows.follow_up.pause_clock import CallerState
from workflows.model.base import Model
from workflows.model.subject import Code

_SAYS_AT_MOST = 500
Input = TypeVar("Input")
Result = TypeVar("Result")
Carried = TypeVar("Carried", bound=CallerState)
Condition = Callable[[], bool]
Watch = Callable[[], Condition]
"""Begins to watch for something and gives the condition that tells whether it has happened since."""


@dataclass(frozen=True)
class CallFailure:
    """A failed call in words; `retry_after` is what the service asked for, else zero.

    `bound` when the service only limits the rate: that is no problem.
    """

    code: Code
    says: str
    retry_after: timedelta = timedelta()
    bound: bool = False


def call_failure_of(failure: FailureError, unexpected: Code = Code.UNREACHABLE) -> CallFailure:
    """The failure behind an activity error; texts of foreign errors are withheld, for they may contain anything."""
    name = failure.activity_type if isinstance(failure, ActivityError) else "call"
    cause = failure.cause if isinstance(failure, ActivityError) and failure.cause else failure
    if isinstance(cause, ApplicationError) and cause.type in list(Code):
        bound = cause.category is ApplicationErrorCategory.BENIGN
        return CallFailure(
            Code(cause.type), cause.message[:_SAYS_AT_MOST], cause.next_retry_delay or timedelta(), bound
        )
    if isinstance(cause, TimedOut):
        return _of_time_out(name, cause)
    kind = cause.type if isinstance(cause, ApplicationError) else type(cause).__name__
    return CallFailure(unexpected, f"unexpected {kind} in {name}: see the worker's log")


class Wake(Enum):
    """Why a wait ended: deadline or news."""

    DEADLINE = auto()
    NEWS = auto()


class RetryPause(NamedTuple):
    """The pause of a failed call after probe number `probes` (from 0)."""

    of: object
    probes: int
    failure: CallFailure
    until: datetime

    def is_of(self, call: object, now: datetime) -> bool:
        """Whether it belongs to this call and is not over."""
        return self.of == call and now < self.until


def nothing() -> Condition:
    """The watch of calls and waits that nothing interrupts."""
    return lambda: False


class CallingWorkflow(Protocol[Carried]):
    """What `Calls` needs of its workflow. Handlers replace the frozen `state`; its replacement is news to waits."""

    state: Carried

    def publish(self) -> None:
        """Bring search attributes and Web UI details up to date, before each wait."""

    def carried_over(self) -> Model:
        """The input of the next history, with the state."""

    def failed(self, failure: CallFailure) -> None:
        """Handle a call that failed for good."""


def first_run_id() -> str:
    """The id that all runs of one continue-as-new chain share."""
    return workflow.info().first_execution_run_id


def chain_run_id() -> str:
    """The same for activities, empty in the first run: of that they know the id."""
    info = workflow.info()
    return "" if info.run_id == info.first_execution_run_id else info.first_execution_run_id


def _unchanged(value: Input) -> Input:
    return value


class Calls(Generic[Carried]):
    """The activity calls and waits of one workflow, over weeks; its state names the current problem."""

    def __init__(self, owner: CallingWorkflow[Carried]) -> None:
        self._owner = owner
        self._interrupted_pause: RetryPause | None = None

    def continue_as_new_if_suggested(self) -> None:
        """Continue as new when the history is long. No caller is left waiting: updates are answered when recorded."""
        if self._history_is_long():
            workflow.continue_as_new(self._owner.carried_over())

    def news(self) -> Condition:
        """A condition: the state was replaced."""
        former_state = self._owner.state
        return lambda: self._owner.state is not former_state

    async def call(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        activity_options: ActivityOptions,
        summary: str,
        unless: Watch = nothing,
        *,
        anew: Callable[[Input], Input] = _unchanged,
        resumes: object = None,
        first: ActivityOptions | None = None,
        judged: Callable[[CallFailure], CallFailure] = _unchanged,
    ) -> Result | None:
        """Call until there is an answer; None when `unless` became true first, or the call `failed` for good.

        Probes follow at 30 s, doubling to 15 min, or at the service's retry-after if later; each with the input as
        `anew` makes it then. `resumes` continues the pause of an interrupted call of the same key, so that
        interruptions cause no more probes. `first` are options of the first attempt, whose failure is reported at once;
        `judged` is a failure as the workflow treats it by then.
        """
        pause = self._resumed(resumes)
        for probes in count(pause.probes if pause else 0):
            unwanted, begins = unless(), first is not None and probes == 0
            if pause is None:
                try:
                    present = first if begins and first else activity_options
                    answer = await self.attempt(method, anew(input), present, summary, unwanted)
                except FailureError as error:
                    if is_cancelled_exception(error) or unwanted():
                        break
                    failure = judged(call_failure_of(error))
                else:
                    self._owner.state = self._owner.state.resolve_problem(workflow.now())
                    return answer
                if failure.code.terminal:
                    self._owner.failed(failure)
                    return None
                probe = options.SOON if begins else probe_pause(probes - (first is not None))
                # A later probe than that would lose the slot in the rate limit that the service assigned.
                wait = failure.retry_after if failure.bound else max(probe, failure.retry_after)
                pause = RetryPause(resumes, probes, failure, workflow.now() + wait)
            if await self._pause(pause, unless) is Wake.NEWS:
                self._interrupted_pause = pause
                break
            pause = None
        self._owner.state = self._owner.state.break_off_problem(workflow.now())
        return None

    def _resumed(self, key: object) -> RetryPause | None:
        """The pause of an interrupted call of the same key, if it is not over."""
        if not key:
            return None
        pause, self._interrupted_pause = self._interrupted_pause, None
        return pause if pause and pause.is_of(key, workflow.now()) else None

    async def _pause(self, pause: RetryPause, unless: Watch) -> Wake:
        failure = pause.failure
        if not failure.bound:
            self.report(failure, pause.until)
        reason = "no more is taken for now" if failure.bound else str(failure.code)
        return await self.wait_until(pause.until, f"{reason}: try again", unless)

    async def attempt_once(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        activity_options: ActivityOptions,
        summary: str,
        unless: Watch = nothing,
    ) -> Result | None:
        """Call once; None when it failed or `unless` came first. For calls that may be left out."""
        try:
            return await self.attempt(method, input, activity_options, summary, unless())
        except FailureError:
            return None

    def report(self, failure: CallFailure, probe_at: datetime) -> None:
        """Stop the clocks with this problem; the call is repeated at `probe_at`."""
        self._owner.state = self._owner.state.report_problem(failure.code, failure.says, workflow.now(), probe_at)

    async def wait_until(
        self, deadline: datetime | None, summary: str, unless: Watch | None = None, *, midway: bool = False
    ) -> Wake:
        """Wait for the deadline (None: for ever) or for `unless` (default: any news), whichever is first.

        Continues as new when the history is long, before the wait or during it; not `midway`, in work that the state
        does not contain.
        """
        self._owner.state = self._owner.state.forget_broken_off(workflow.now())
        self._owner.publish()
        timeout = deadline - workflow.now() if deadline else None
        happened = (unless or self.news)()
        if not midway:
            self.continue_as_new_if_suggested()
        if timeout is not None and timeout.total_seconds() <= 0:
            return Wake.DEADLINE
        try:
            await workflow.wait_condition(
                lambda: happened() or (not midway and self._history_is_long()), timeout=timeout, timeout_summary=summary
            )
        except TimeoutError:
            return Wake.DEADLINE
        if not happened():
            self.continue_as_new_if_suggested()
        return Wake.NEWS

    def _history_is_long(self) -> bool:
        """Whether the server suggests continue-as-new, or the history has many bytes."""
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_size() > options.RUN_AT_MOST

    async def attempt(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        activity_options: ActivityOptions,
        summary: str,
        unless: Condition,
    ) -> Result:
        """Call once; raises `FailureError`, a cancellation when `unless` came first."""
        # Passed explicitly: the activity's queue inherits the priority, but its info does not show it.
        priority = workflow.info().priority
        handle = workflow.start_activity_method(
            method, input, summary=summary, priority=priority, **in_its_queue(activity_options, priority)
        )
        await workflow.wait_condition(lambda: handle.done() or unless())
        if not handle.done():
            handle.cancel()
        return await handle


class Cancellable(Protocol):
    """A workflow that handles a cancellation of its run, from the Web UI for instance."""

    def cancelled(self, reason: str) -> None:
        """Record the command; the run acts on it."""


Cancelled = TypeVar("Cancelled", bound=Cancellable)


def despite_cancellation(
    run: Callable[[Cancelled, Input], Awaitable[Result]],
) -> Callable[[Cancelled, Input], Coroutine[Any, Any, Result]]:
    """Let the run end in order although it is cancelled: `cancelled` records the command, the run acts on it."""

    @wraps(run)
    async def shielded(self: Cancelled, input: Input) -> Result:
        running = asyncio.ensure_future(run(self, input))
        while True:
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                if running.cancelled():
                    raise
                self.cancelled(workflow.cancellation_reason() or "")

    return shielded


def _of_time_out(name: str, time_out: TimedOut) -> CallFailure:
    last = time_out.cause
    if isinstance(last, ApplicationError) and last.type in list(Code):
        return CallFailure(Code(last.type), last.message[:_SAYS_AT_MOST], last.next_retry_delay or timedelta())
    return CallFailure(Code.UNREACHABLE, f"no answer to {name} in time")
