"""The one table from service failures (HTTP status, error code) to Temporal's `ApplicationError`; no other layer
retries.

Failures that we caused are not retried and carry a stable `type`; temporary ones are, not before the service's `Retry-
After`. Texts are already redacted (activities/http/error_bodies.py).
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from activities.documents.errors import StoreAway, StoreFailure
from activities.http.client import Cause, ServiceFailure
from activities.people.directory import DirectoryAway, DirectoryFailure
from workflows.follow_up.options import LONGEST_WAIT
from workflows.model.subject import Code


@dataclass(frozen=True)
class FailureVerdict:
    """The stable code of a failure, whether it is temporary, and the least wait in seconds."""

    code: Code
    passes: bool = False
    at_least: float | None = None


_LATER: Final = FailureVerdict(Code.UNREACHABLE, passes=True)
_NEVER: Final = FailureVerdict(Code.UNREACHABLE)
_REFUSED: Final = FailureVerdict(Code.REFUSED)
_UNAUTHORISED: Final = FailureVerdict(Code.UNAUTHORISED)

# In this order: what the body's code says, then why there is no answer to speak of, then the status.
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


def verdict(failure: ServiceFailure) -> FailureVerdict:
    """The verdict on `failure`; operations that handle a 404 themselves do so before."""
    by_code = _BY_ERROR_CODE.get(failure.error_code or "")
    if by_code or failure.cause in _BY_CAUSE:
        return by_code or _BY_CAUSE[failure.cause]
    status = failure.status or 500
    if status >= 500 or status in _BY_STATUS:
        return _BY_STATUS.get(status, _LATER)
    return _NEVER if status < 400 else _REFUSED


_BENIGN: Final = ApplicationErrorCategory.BENIGN
"""Nothing is wrong: no traceback in the log, and no problem of whoever waits (workflows/follow_up/calls.py)."""
_WAITS_AT_MOST: Final = 60.0
"""Seconds that an activity's own retries wait when a service asks for them."""


def to_application_error(failure: ServiceFailure, at_least: float | None = None) -> ApplicationError:
    """The failure for Temporal, not retried before `at_least` seconds.

    `details` has the seconds to wait, if known.
    """
    meaning = verdict(failure)
    asked = [seconds for seconds in (failure.retry_after, meaning.at_least, at_least) if seconds is not None]
    wait = max(asked) if asked and meaning.passes else None
    return ApplicationError(
        str(failure),
        *([wait] if wait is not None else []),
        type=meaning.code,
        # A long wait is the workflow's: its timers are seen, and hold no place in the queue.
        non_retryable=not meaning.passes or (wait or 0) > _WAITS_AT_MOST,
        next_retry_delay=None if wait is None else _spread(wait),
        category=_BENIGN if failure.cause is Cause.BOUND else ApplicationErrorCategory.UNSPECIFIED,
    )


def final_failure(code: Code, says: str) -> ApplicationError:
    """A failure that is not retried: only a person can mend it, if anybody."""
    return ApplicationError(says, type=code, non_retryable=True)


def passing_failure(code: Code, says: str) -> ApplicationError:
    """A failure that may pass by itself."""
    return ApplicationError(says, type=code)


def directory_failure(failure: DirectoryFailure) -> ApplicationError:
    """What a look-up that did not succeed means where the directory may be mended meanwhile."""
    return passing_failure(Code.UNREACHABLE if isinstance(failure, DirectoryAway) else Code.DIRECTORY, str(failure))


@contextmanager
def failing_as_application_errors() -> Iterator[None]:
    """Turn what services, the directory, the store and Temporal raise in the block into `ApplicationError`s."""
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
        # Its message may have anything in it.
        raise passing_failure(Code.UNREACHABLE, f"Temporal: {error.status.name}") from None


@contextmanager
def again_after(seconds: float) -> Iterator[None]:
    """Where something is made: have the next attempt wait if the service may have made it without saying so.

    A failure that surely made nothing is tried again as soon as any other.
    """
    try:
        yield
    except ServiceFailure as failure:
        if not failure.may_have_acted:
            raise
        raise to_application_error(failure, at_least=seconds) from None


def _spread(seconds: float) -> timedelta:
    """Never earlier than asked, a little later each: a crowd that waited together does not return together."""
    later = seconds + random.uniform(0, min(5.0, 1 + seconds * 0.1))  # noqa: S311  spreads load, keeps no secret
    return timedelta(seconds=min(later, LONGEST_WAIT))
