"""HTTP calls to services: one construction of clients, one way to call, one failure. With oauth.py the only creator of
httpx clients. Nothing here retries: Temporal does (activities/temporal/failures.py).
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import httpx

from activities.http.error_bodies import LONGEST_TEXT, clip, explain, redact
from activities.http.rate_limit import RateLimiter, TurnTooLate
from activities.http.transport import MOST_BYTES, capped_transport
from activities.metrics import PROVIDER_CALL, PROVIDER_CALLS, PROVIDER_WAIT, CallResult
from workflows.follow_up.options import LONGEST_WAIT

TIMEOUT: Final = httpx.Timeout(connect=5, read=15, write=5, pool=5)
DEADLINE: Final = 20.0
"""Seconds for a whole call with token and body: a read timeout alone never ends a slow answer."""
# Compressed answers are refused: a small one could unfold into a huge one behind the cap.
HEADERS: Final = {"user-agent": "countersign", "accept": "application/json", "accept-encoding": "identity"}
_BEGINNING: Final = 1024
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_NOT_CONNECTED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
PATH_IN_TRACES: Final = "countersign.path_in_traces"
"""Marks a request whose path may be in traces; of others only the host, since a path may be secret."""
Query = Mapping[str, str | int | bool]
_RESULTS: Final = {
    401: CallResult.UNAUTHORISED,
    403: CallResult.UNAUTHORISED,
    404: CallResult.NOT_FOUND,
    429: CallResult.LIMITED,
}


class Cause(StrEnum):
    STATUS = "status"
    NO_ANSWER = "no answer"
    UNTRUSTED = "untrusted"
    UNREADABLE = "unreadable"
    ENDLESS = "endless"
    """The answer cannot be read to its end."""
    LATER = "later"
    """Not called: the rate limit."""
    BOUND = "bound"
    """Not called: the service has announced that it takes no more now. Expected, and waited for."""


class ServiceFailure(Exception):
    """A failed call. `says` is redacted and at most 2 KiB, so it may go into a history. `status` is None without an
    answer, `retry_after` in seconds, `error_code` the body's code, `never_asked` if it cannot have arrived.
    """

    def __init__(
        self,
        service: str,
        cause: Cause,
        explanation: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        error_code: str | None = None,
        never_asked: bool = False,
    ) -> None:
        super().__init__(clip(f"{service} {_what_it_did(cause, status)}: {explanation}", LONGEST_TEXT))
        self.service = service
        self.cause = cause
        self.explanation = explanation
        self.status = status
        self.retry_after = retry_after
        self.error_code = error_code
        self._never_asked = never_asked or cause in (Cause.LATER, Cause.BOUND, Cause.UNTRUSTED)

    @property
    def did_nothing(self) -> bool:
        """Whether the service certainly had no effect: unreachable, or it refused. A server error proves nothing."""
        refused = self.cause is Cause.STATUS and self.status != 408 and (self.status or 500) < 500
        return self._never_asked or refused or self.status == 503

    def not_before(self, seconds: float) -> "ServiceFailure":
        """The same, with at least these seconds to wait."""
        wait = max(seconds, self.retry_after or 0.0)
        return ServiceFailure(
            self.service, self.cause, self.explanation, status=self.status, retry_after=wait, error_code=self.error_code
        )

    @property
    def may_have_acted(self) -> bool:
        """Whether the call may have had an effect nevertheless."""
        return self.cause in (Cause.NO_ANSWER, Cause.UNREADABLE) or self.status == 408 or (self.status or 0) >= 500


@dataclass(frozen=True)
class HttpAnswer:
    """A successful answer, read to its end; at most 10 MB."""

    service: str
    status: int
    content: bytes
    date: datetime | None = None
    """The service's clock, if given."""

    def json(self) -> object:
        """The body as JSON; else `ServiceFailure` (retryable)."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            explanation = "expected JSON, got something else"
            raise ServiceFailure(self.service, Cause.UNREADABLE, explanation, status=self.status) from None

    def refuse_page(self) -> None:
        """`ServiceFailure` (retryable) for HTML, which comes from an intermediary: the call had no effect."""
        if self.content[:_BEGINNING].lstrip(_BLANK).startswith(b"<"):
            explanation = "expected an answer, got a page of HTML"
            raise ServiceFailure(self.service, Cause.UNREADABLE, explanation, status=self.status, never_asked=True)


def make_client(
    *,
    auth: httpx.Auth | None = None,
    max_connections: int = 20,
    limit_bytes: int = MOST_BYTES,
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """No redirects, proxies or retries; capped bodies, verified certificates. `trust` replaces the public authorities,
    `transport` the network (tests).
    """
    return httpx.AsyncClient(
        auth=auth,
        transport=capped_transport(
            max_connections=max_connections, limit_bytes=limit_bytes, trust=trust, transport=transport
        ),
        timeout=TIMEOUT,
        headers=HEADERS,
        follow_redirects=False,
        trust_env=False,
    )


def _what_it_did(cause: Cause, status: int | None) -> str:
    if cause in (Cause.LATER, Cause.BOUND):
        return "was not called"
    if cause is Cause.ENDLESS:
        return "has answered without an end"
    return f"answered {status}" if status else "could not be reached"


class Service:
    """One configured URL; URLs from answers are never called. With a `pace` calls wait for their turn before their
    deadline begins. An empty `url` is for paths that are whole addresses, which the caller has checked, and secrets.
    """

    def __init__(
        self,
        name: str,
        url: str,
        client: httpx.AsyncClient,
        *,
        deadline: float = DEADLINE,
        pace: RateLimiter | None = None,
    ) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._client = client
        self._deadline = deadline
        self._pace = pace

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        private: Iterable[str] = (),
        deadline: float | None = None,
        operation: str = "",
    ) -> HttpAnswer:
        """The answer if it is a 2xx; else `ServiceFailure`, without `private` values. `operation` is its name in
        metrics.
        """
        operation = operation or method.lower()
        with counted(self.name, operation):
            await self._turn()
            request = self._client.build_request(
                method,
                self._url + path,
                json=json,
                content=content,
                params=query,
                headers=headers,
                extensions={PATH_IN_TRACES: True} if self._url else None,
            )
            with PROVIDER_CALL.measured(service=self.name, operation=operation):
                return await self._answer(request, deadline or self._deadline, private)

    async def _answer(self, request: httpx.Request, seconds: float, private: Iterable[str]) -> HttpAnswer:
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.send(request)
        except TimeoutError:
            raise no_answer_within(seconds, self.name) from None
        except httpx.HTTPError as error:
            raise failure_of_error(self.name, error) from None
        if response.is_success:
            return HttpAnswer(
                self.name, response.status_code, response.content, _instant(response.headers.get("date", ""))
            )
        if self._pace is not None and response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._pace.hold(retry_after_of(response))
        raise failure_of_response(self.name, response, private)

    async def _turn(self) -> None:
        if self._pace is None:
            return
        try:
            with PROVIDER_WAIT.measured(service=self.name):
                await self._pace.turn()
        except TurnTooLate as later:
            raise ServiceFailure(self.name, Cause.LATER, str(later), retry_after=later.seconds) from None

    async def aclose(self) -> None:
        await self._client.aclose()


@contextmanager
def counted(service: str, operation: str) -> Iterator[None]:
    """Count the call that is made in the block, by its result."""
    try:
        yield
    except ServiceFailure as failure:
        PROVIDER_CALLS.add(service=service, operation=operation, outcome=_result_of(failure))
        raise
    PROVIDER_CALLS.add(service=service, operation=operation, outcome=CallResult.DONE)


def failure_of_response(service: str, response: httpx.Response, private: Iterable[str] = ()) -> ServiceFailure:
    explained = explain(response.content)
    return ServiceFailure(
        service,
        Cause.STATUS,
        redact(explained.says, private),
        status=response.status_code,
        retry_after=retry_after_of(response),
        error_code=redact(explained.error_code) if explained.error_code else None,
    )


def failure_of_error(service: str, error: httpx.HTTPError) -> ServiceFailure:
    """The failure of an httpx exception, with our own text, so that no URL leaks."""
    if isinstance(error, httpx.DecodingError):
        return ServiceFailure(service, Cause.UNREADABLE, str(error))
    if _certificate_refused(error):
        return ServiceFailure(service, Cause.UNTRUSTED, "its TLS certificate could not be verified")
    explanation = f"no answer ({type(error).__name__})"
    return ServiceFailure(service, Cause.NO_ANSWER, explanation, never_asked=isinstance(error, _NOT_CONNECTED))


def no_answer_within(seconds: float, service: str) -> ServiceFailure:
    return ServiceFailure(service, Cause.NO_ANSWER, f"no complete answer within {seconds:g} s")


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds of `Retry-After`, or None."""
    return seconds_to_wait(response.headers.get("retry-after"), datetime.now(UTC))


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """`Retry-After` in seconds from `now`, given as seconds or HTTP date, at most `LONGEST_WAIT`; None if absent or
    invalid.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header), LONGEST_WAIT)
    retry_at = _instant(header)
    return None if retry_at is None else min(max(0.0, (retry_at - now).total_seconds()), LONGEST_WAIT)


def _result_of(failure: ServiceFailure) -> CallResult:
    if failure.cause in (Cause.LATER, Cause.BOUND):
        return CallResult.NOT_CALLED
    if failure.cause is not Cause.STATUS or failure.status is None:
        return CallResult.NO_ANSWER
    return _RESULTS.get(failure.status, CallResult.FAILED if failure.status >= 500 else CallResult.REFUSED)


def _instant(http_date: str) -> datetime | None:
    """The instant of an HTTP date, by default UTC; None if invalid."""
    try:
        written = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    return written if written.tzinfo else written.replace(tzinfo=UTC)


def _certificate_refused(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
