"""What a failed call means for the request: a code, words for the person who mends it, and when to ask again."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.exceptions import TimeoutError as TimedOut

from workflows.model.subject import Code

_SAYS_AT_MOST = 500


@dataclass(frozen=True)
class CallFailure:
    """A failure in the request's own words; `retry_after` is what the service asked for, zero when it said nothing.

    `bound` when nothing is wrong: a service takes no more for now, and whoever waits for it has no problem.
    """

    code: Code
    says: str
    retry_after: timedelta = timedelta()
    bound: bool = False


def call_failure_of(failure: FailureError, unexpected: Code = Code.UNREACHABLE) -> CallFailure:
    """The trouble behind a failed activity; texts of errors we did not make are withheld, they may hold anything."""
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
