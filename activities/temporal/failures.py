"""The one table from service failures (HTTP status, error code) to `ApplicationError`; no other layer retries. Our own
faults are not retried and have a stable `type`; temporary ones wait for `Retry-After`. Texts are already redacted.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from activities.errors import StoreAway, StoreFailure
from activities.http.client import Cause, ServiceFailure
from activities.people.directory import DirectoryAway, DirectoryFailure
from workflows.follow_up.options import LONGEST_WAIT
from workflows.model.subject import Code

_BENIGN: Final = ApplicationErrorCategory.BENIGN
"""Expected: no traceback in the log, and no problem of the waiting workflow (workflows/follow_up/calls.py)."""
_WAITS_AT_MOST: Final = 60.0
"""Longest wait in seconds of an activity's own retries."""


@dataclass(frozen=True)
class FailureVerdict:
    """A failure's stable code, whether it is temporary, and the least wait in seconds."""

    code: Code
    passes: bool = False
    at_least: float | None = None


def verdict(failure: ServiceFailure) -> FailureVerdict:
    """Operations that handle a 404 themselves do so before."""
    by_code = _BY_ERROR_CODE.get(failure.error_code or "")
    if by_code or failure.cause in _BY_CAUSE:
        return by_code or _BY_CAUSE[failure.cause]
    status = failure.status or 500
    if status >= 500 or status in _BY_STATUS:
        return _BY_STATUS.get(status, _LATER)
    return _NEVER if status < 400 else _REFUSED


def to_application_error(failure: ServiceFailure, at_least: float | None = None) -> ApplicationError:
    """The failure for Temporal, not retried before `at_least` seconds. `details` has the seconds to wait, if known."""
    meaning = verdict(failure)
    waits = [seconds for seconds in (failure.retry_after, meaning.at_least, at_least) if seconds is not None]
    wait = max(waits) if waits and meaning.passes else None
    return ApplicationError(
        str(failure),
        *([wait] if wait is not None else []),
        type=meaning.code,
        # Longer waits are the workflow's: its timers are visible, and occupy no activity slot.
        non_retryable=not meaning.passes or (wait or 0) > _WAITS_AT_MOST,
        next_retry_delay=None if wait is None else _spread(wait),
        category=_BENIGN if failure.cause is Cause.BOUND else ApplicationErrorCategory.UNSPECIFIED,
    )


def final_failure(code: Code, explanation: str) -> ApplicationError:
    """A failure that is not retried, since only a person can resolve it."""
    return ApplicationError(explanation, type=code, non_retryable=True)


def passing_failure(code: Code, explanation: str) -> ApplicationError:
    """A failure that is retried."""
    return ApplicationError(explanation, type=code)


def directory_failure(failure: DirectoryFailure) -> ApplicationError:
    """A failed look-up, for a directory that may be corrected meanwhile."""
    return passing_failure(Code.UNREACHABLE if isinstance(failure, DirectoryAway) else Code.DIRECTORY, str(failure))


@contextmanager
def failing_as_application_errors() -> Iterator[None]:
    """Converts exceptions of services, directory, store and Temporal to `ApplicationError`s."""
    try:
        yield
    except ServiceFailure as failure:
        raise to_application_error(failure) from None
    except DirectoryAway as failure:
        raise directory_failure(failure) from None
    except DirectoryFailure as failure:
        raise final_failure(Code.DIRECTORY, str(failure)) from None
    except StoreAway as failure:
        raise passing_failure(Code.UNREACHABLE, str(failure)) from None
    except StoreFailure as failure:
        raise final_failure(Code.UNREACHABLE, str(failure)) from None
    except RPCError as error:
        # Its message may contain personal data.
        raise passing_failure(Code.UNREACHABLE, f"Temporal: {error.status.name}") from None


@contextmanager
def again_after(seconds: float) -> Iterator[None]:
    """For creations: delays the next attempt if the service may have created it without an answer."""
    try:
        yield
    except ServiceFailure as failure:
        if not failure.may_have_acted:
            raise
        raise to_application_error(failure, at_least=seconds) from None


_LATER: Final = FailureVerdict(Code.UNREACHABLE, passes=True)
_NEVER: Final = FailureVerdict(Code.UNREACHABLE)
_REFUSED: Final = FailureVerdict(Code.REFUSED)
_UNAUTHORISED: Final = FailureVerdict(Code.UNAUTHORISED)
# In this order: the code in the body, the reason for no usable answer, the status.
_BY_ERROR_CODE: Final = {
    "QUOTA_EXCEEDED": FailureVerdict(Code.UNREACHABLE, passes=True, at_least=60),
    "UNAVAILABLE": _LATER,
    "INTERNAL": _LATER,
    "UNSPECIFIED_ERROR": _LATER,
    "THIRD_PARTY_AUTH_ERROR": _UNAUTHORISED,
    "SENDER_ID_MISMATCH": FailureVerdict(Code.PUSH_MISMATCH),
    "UNREGISTERED": _REFUSED,
    "INVALID_ARGUMENT": _REFUSED,
    "invalid_client": _UNAUTHORISED,
    "invalid_grant": _UNAUTHORISED,
    "invalid_scope": _UNAUTHORISED,
    "unauthorized_client": _UNAUTHORISED,
    "access_denied": _UNAUTHORISED,
    "temporarily_unavailable": _LATER,
}
_BY_CAUSE: Final = {
    Cause.NO_ANSWER: _LATER,
    Cause.UNREADABLE: _LATER,
    Cause.LATER: _LATER,
    Cause.BOUND: _LATER,
    Cause.UNTRUSTED: _NEVER,
    Cause.ENDLESS: FailureVerdict(Code.PROVIDER_UNSURE),
}
_BY_STATUS: Final = {401: _UNAUTHORISED, 403: _UNAUTHORISED, 408: _LATER, 409: _LATER, 425: _LATER, 429: _LATER}


def _spread(seconds: float) -> timedelta:
    # Adds a random delay, so that failed attempts do not all return at once.
    later = seconds + random.uniform(0, min(5.0, 1 + seconds * 0.1))  # noqa: S311  spreads load, keeps no secret
    return timedelta(seconds=min(later, LONGEST_WAIT))
