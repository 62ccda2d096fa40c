"""Activity calls with retries: a failed call becomes the workflow's problem and is repeated until it succeeds; waits
and continue-as-new.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import wraps
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

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
from workflows.follow_up.pause_clock import PauseClock
from workflows.model.base import Model
from workflows.model.subject import Code

_SAYS_AT_MOST = 500


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


def _of_time_out(name: str, time_out: TimedOut) -> CallFailure:
    last = time_out.cause
    if isinstance(last, ApplicationError) and last.type in list(Code):
        return CallFailure(Code(last.type), last.message[:_SAYS_AT_MOST], last.next_retry_delay or timedelta())
    return CallFailure(Code.UNREACHABLE, f"no answer to {name} in time")


Input = TypeVar("Input")
Result = TypeVar("Result")
Memory = TypeVar("Memory", bound=PauseClock)
Condition = Callable[[], bool]
Watch = Callable[[], Condition]
"""Begins to watch for something and gives the condition that tells whether it has happened since."""


class Wake(Enum):
    """Why a wait ended: deadline or news."""

    DEADLINE = auto()
    NEWS = auto()


class RetryPause(NamedTuple):
    """The pause of a failed call after probe number `probes` (from 0)."""

    of: object
    probes: int
    trouble: CallFailure
    until: datetime

    def is_of(self, call: object, now: datetime) -> bool:
        """Whether it belongs to this call and is not over."""
        return self.of == call and now < self.until


def nothing() -> Condition:
    """The watch of calls and waits that nothing interrupts."""
    return lambda: False


def _unchanged(input: Input) -> Input:
    return input


class RetryingWorkflow(ABC, Generic[Memory]):
    """Base of workflows that call and wait for weeks; their state names the current problem."""

    def __init__(self, state: Memory) -> None:
        """Handlers replace the frozen state `_progress`; its replacement is the news that waits look for."""
        self._progress = state
        self._left: RetryPause | None = None

    @abstractmethod
    def publish(self) -> None:
        """Bring search attributes and Web UI details up to date, before each wait."""

    @abstractmethod
    def carried_over(self) -> Model:
        """The input of the next history, with the state."""

    @abstractmethod
    def failed(self, trouble: CallFailure) -> None:
        """Handle a call that failed for good."""

    def judged(self, trouble: CallFailure) -> CallFailure:
        """The failure as this workflow treats it by now."""
        return trouble

    @abstractmethod
    def cancelled(self, reason: str) -> None:
        """Handle a cancellation of the run itself, from the Web UI for instance; see `despite_cancellation`."""

    @property
    def life(self) -> str:
        """The id that all runs of one continue-as-new chain share."""
        return workflow.info().first_execution_run_id

    def continue_as_new_if_suggested(self) -> None:
        """Continue as new when the history is long. No caller is left waiting: updates are answered when recorded."""
        if self.history_is_long():
            workflow.continue_as_new(self.carried_over())

    def history_is_long(self) -> bool:
        """Whether the server suggests continue-as-new, or the history has many bytes."""
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_size() > options.RUN_AT_MOST

    def news(self) -> Condition:
        """A condition: the state was replaced."""
        before = self._progress
        return lambda: self._progress is not before

    async def call(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        how: ActivityOptions,
        summary: str,
        unless: Watch = nothing,
        *,
        anew: Callable[[Input], Input] = _unchanged,
        resumes: object = None,
        first: ActivityOptions | None = None,
    ) -> Result | None:
        """Call until there is an answer; None when `unless` became true first, or the call `failed` for good.

        Probes follow at 30 s, doubling to 15 min, or at the service's retry-after if later; each with the input as
        `anew` makes it then. `resumes` continues the pause of an interrupted call of the same key, so that
        interruptions cause no more probes. `first` are options of the first attempt, whose failure is reported at once.
        """
        left = self._left if resumes and self._left and self._left.is_of(resumes, workflow.now()) else None
        if resumes:
            self._left = None
        for probes in count(left.probes if left else 0):
            unwanted = unless()
            if left is None:
                begins = first is not None and probes == 0
                try:
                    answer = await self._answer(
                        method, anew(input), first if begins and first else how, summary, unwanted
                    )
                except FailureError as failure:
                    if is_cancelled_exception(failure) or unwanted():
                        break
                    trouble = self.judged(call_failure_of(failure))
                else:
                    self._progress = self._progress.mended(workflow.now())
                    return answer
                if trouble.code.terminal:
                    self.failed(trouble)
                    return None
                # A later probe would lose the slot in the rate limit that the service assigned.
                probe = options.SOON if begins else probe_pause(probes - (first is not None))
                pause = trouble.retry_after if trouble.bound else max(probe, trouble.retry_after)
                left = RetryPause(resumes, probes, trouble, workflow.now() + pause)
            if not left.trouble.bound:
                self.troubled(left.trouble, left.until)
            words = "no more is taken for now" if left.trouble.bound else str(left.trouble.code)
            if await self.until(left.until, f"{words}: try again", unless) is Wake.NEWS:
                self._left = left
                break
            left = None
        self._progress = self._progress.left_off(workflow.now())
        return None

    async def once(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        how: ActivityOptions,
        summary: str,
        unless: Watch = nothing,
    ) -> Result | None:
        """Call once; None when it failed or `unless` came first. For calls that may be left out."""
        try:
            return await self._answer(method, input, how, summary, unless())
        except FailureError:
            return None

    def troubled(self, trouble: CallFailure, probe_at: datetime) -> None:
        """Stop the clocks with this problem; the call is repeated at `probe_at`."""
        self._progress = self._progress.trouble(trouble.code, trouble.says, workflow.now(), probe_at)

    async def until(
        self, deadline: datetime | None, summary: str, unless: Watch | None = None, *, midway: bool = False
    ) -> Wake:
        """Wait for the deadline (None: for ever) or for `unless` (default: any news), whichever is first.

        Continues as new when the history is long, before the wait or during it; not `midway`, in work that the state
        does not contain.
        """
        self._progress = self._progress.at_rest(workflow.now())
        self.publish()
        timeout = deadline - workflow.now() if deadline else None
        happened = (unless or self.news)()
        if not midway:
            self.continue_as_new_if_suggested()
        if timeout is not None and timeout.total_seconds() <= 0:
            return Wake.DEADLINE
        try:
            await workflow.wait_condition(
                lambda: happened() or (not midway and self.history_is_long()), timeout=timeout, timeout_summary=summary
            )
        except TimeoutError:
            return Wake.DEADLINE
        if not happened():
            self.continue_as_new_if_suggested()
        return Wake.NEWS

    async def _answer(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        how: ActivityOptions,
        summary: str,
        unless: Condition,
    ) -> Result:
        # Passed explicitly: the activity's queue inherits the priority, but its info does not show it.
        priority = workflow.info().priority
        handle = workflow.start_activity_method(
            method, input, summary=summary, priority=priority, **in_its_queue(how, priority)
        )
        await workflow.wait_condition(lambda: handle.done() or unless())
        if not handle.done():
            handle.cancel()
        return await handle


Patient = TypeVar("Patient", bound=RetryingWorkflow[Any])


def despite_cancellation(
    run: Callable[[Patient, Input], Awaitable[Result]],
) -> Callable[[Patient, Input], Coroutine[Any, Any, Result]]:
    """Let the run end in order although it is cancelled: `cancelled` records the command, the run acts on it."""

    @wraps(run)
    async def shielded(self: Patient, input: Input) -> Result:
        life = asyncio.ensure_future(run(self, input))
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.cancelled():
                    raise
                self.cancelled(workflow.cancellation_reason() or "")

    return shielded
