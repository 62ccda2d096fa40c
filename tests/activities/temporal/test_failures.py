"""The retry table, row by row."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.errors import DocumentMissing, RecordConflict, StoreAway
from activities.http.client import Cause, ServiceFailure
from activities.people.directory import DirectoryAway, UnknownPerson
from activities.temporal.failures import failing_as_application_errors, to_application_error
from workflows.follow_up.options import LONGEST_WAIT
from workflows.model.subject import Code


def make_failure(
    status: int, *, error_code: str | None = None, retry_after: float | None = None, message: str = "words"
) -> ServiceFailure:
    """A failure by its status."""
    return ServiceFailure(
        "the service", Cause.STATUS, message, status=status, error_code=error_code, retry_after=retry_after
    )


@pytest.mark.parametrize(
    ("failure", "code", "passes"),
    [
        *((make_failure(status), Code.UNAUTHORISED, False) for status in (401, 403)),
        *((make_failure(status), Code.REFUSED, False) for status in (400, 402, 404, 405, 410, 413, 415, 422)),
        *((make_failure(status), Code.UNREACHABLE, True) for status in (408, 409, 425, 429, 500, 502, 503, 504, 599)),
        *((make_failure(status), Code.UNREACHABLE, False) for status in (301, 302, 307, 308)),
        (ServiceFailure("s", Cause.NO_ANSWER, "no answer"), Code.UNREACHABLE, True),
        (ServiceFailure("s", Cause.UNTRUSTED, "certificate"), Code.UNREACHABLE, False),
        (ServiceFailure("s", Cause.ENDLESS, "a list without an end"), Code.PROVIDER_UNSURE, False),
        (ServiceFailure("s", Cause.UNREADABLE, "no JSON", status=200), Code.UNREACHABLE, True),
        (make_failure(400, error_code="invalid_client"), Code.UNAUTHORISED, False),
        (make_failure(400, error_code="invalid_scope"), Code.UNAUTHORISED, False),
        (make_failure(400, error_code="INVALID_ARGUMENT"), Code.REFUSED, False),
        (make_failure(404, error_code="UNREGISTERED"), Code.REFUSED, False),
        (make_failure(403, error_code="SENDER_ID_MISMATCH"), Code.PUSH_MISMATCH, False),
        (make_failure(401, error_code="THIRD_PARTY_AUTH_ERROR"), Code.UNAUTHORISED, False),
        (make_failure(400, error_code="QUOTA_EXCEEDED"), Code.UNREACHABLE, True),
        (make_failure(400, error_code="UNAVAILABLE"), Code.UNREACHABLE, True),
        (make_failure(400, error_code="INTERNAL"), Code.UNREACHABLE, True),
        (make_failure(400, error_code="something new"), Code.REFUSED, False),
    ],
)
def test_every_row(failure: ServiceFailure, code: Code, passes: bool) -> None:
    error = to_application_error(failure)
    assert (error.type, error.non_retryable) == (code, not passes)
    assert error.next_retry_delay is None or passes


@pytest.mark.parametrize("seconds", [0.0, 1.0, 30.0, 600.0])
def test_never_before_the_time_asked_for_and_little_after(seconds: float) -> None:
    delays = [to_application_error(make_failure(429, retry_after=seconds)).next_retry_delay for _ in range(200)]
    assert all(delay is not None for delay in delays)
    waits = [delay.total_seconds() for delay in delays if delay]
    assert min(waits, default=0.0) >= seconds
    assert max(waits) <= seconds + 5
    assert len(set(waits)) > 1, "a crowd would return together"


def test_a_wait_of_more_than_an_hour_is_an_hour() -> None:
    error = to_application_error(make_failure(503, retry_after=86_400))
    assert error.next_retry_delay == timedelta(seconds=LONGEST_WAIT)
    assert error.details == (86_400,)


def test_a_quota_without_a_header_waits_a_minute() -> None:
    error = to_application_error(make_failure(429, error_code="QUOTA_EXCEEDED"))
    assert error.details == (60,)
    assert error.next_retry_delay is not None
    assert error.next_retry_delay >= timedelta(seconds=60)


def test_without_a_time_the_retry_policy_decides() -> None:
    error = to_application_error(make_failure(503))
    assert (error.next_retry_delay, error.details) == (None, ())


def test_the_words_say_who_answered_what() -> None:
    assert to_application_error(make_failure(400)).message == "the service answered 400: words"


def test_the_directory_and_the_store_have_their_codes() -> None:
    with pytest.raises(ApplicationError) as caught, failing_as_application_errors():
        raise UnknownPerson("nobody")
    assert (caught.value.type, caught.value.non_retryable) == (Code.DIRECTORY, True)
    with pytest.raises(ApplicationError) as caught, failing_as_application_errors():
        raise RecordConflict("msa-0042")
    assert (caught.value.type, caught.value.non_retryable) == (Code.UNREACHABLE, True)
    with pytest.raises(ApplicationError) as caught, failing_as_application_errors():
        raise DocumentMissing("0" * 64)
    assert (caught.value.type, caught.value.non_retryable) == (Code.UNREACHABLE, True)
    assert "COUNTERSIGN_STORE" in caught.value.message


@pytest.mark.parametrize(
    "failure", [StoreAway("TimeoutError"), DirectoryAway("the store cannot be used: TimeoutError")]
)
def test_a_store_that_is_away_is_tried_again_and_is_no_fault_of_the_people_file(failure: Exception) -> None:
    message = "the store cannot be used: TimeoutError"
    with pytest.raises(ApplicationError, match=message) as caught, failing_as_application_errors():
        raise failure
    assert (caught.value.type, caught.value.non_retryable) == (Code.UNREACHABLE, False)


def test_what_is_no_failure_of_theirs_stays_what_it_is() -> None:
    with pytest.raises(KeyError), failing_as_application_errors():
        raise KeyError("a bug of ours")
