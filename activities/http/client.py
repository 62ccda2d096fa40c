"""HTTP calls to services: one construction of clients, one way to call, one failure. With oauth.py the only creator of
httpx clients. Nothing here retries: Temporal does (activities/temporal/failures.py).
"""

import asyncio
import html
import json
import re
import ssl
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

import httpx

from activities.http.rate_limit import RateLimiter, TurnTooLate
from activities.http.transport import capped_transport
from workflows.follow_up.options import LONGEST_WAIT
from workflows.model.rejections import in_one_line

_MOST_LINES: Final = 20
_DEEPEST: Final = 6
_MOST_OF_A_PAGE: Final = 300
_TAG: Final = re.compile(r"/?[a-z]*", re.IGNORECASE)
_UNSEEN: Final = ("script", "style")


@dataclass(frozen=True)
class Explanation:
    """An error body's text, not yet redacted, and its code, if any."""

    says: str
    error_code: str | None = None


def explain(body: bytes) -> Explanation:
    """Never raises; an unknown shape is quoted."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Explanation(_plain(text))
    if not isinstance(document, dict):
        return Explanation(_lines(document) or "no explanation")
    known = _google(document) or _oauth(document) or _gateway(document) or _appworks(document) or _framework(document)
    return known if known.says.strip() else replace(known, says="no explanation")


def _plain(text: str) -> str:
    if not text:
        return "an empty body"
    if not text.startswith("<"):
        return text
    words = " ".join(html.unescape(_words(text)).split())
    return f"a page of HTML: {words[:_MOST_OF_A_PAGE]}"


def _words(page: str) -> str:
    # A page's title, else its words, in one pass, since bodies may be made to be slow.
    words, unseen = [], ""
    for part in page.split("<"):
        inside, _, after = part.partition(">")
        tag = _TAG.match(inside)
        name = tag.group().casefold() if tag else ""
        if name == "title" and after.strip():
            return after
        if unseen and name != f"/{unseen}":
            continue
        unseen = name if name in _UNSEEN else ""
        words.append("" if unseen else after)
    return " ".join(words)


def _google(document: dict[str, Any]) -> Explanation | None:
    error = document.get("error")
    if not isinstance(error, dict):
        return None
    details = [detail for detail in _listed(error.get("details")) if isinstance(detail, dict)]
    codes = [code for detail in details if isinstance(code := detail.get("errorCode"), str)]
    fields = [
        _violation(v) for detail in details for v in _listed(detail.get("fieldViolations")) if isinstance(v, dict)
    ]
    says = "; ".join([str(error.get("message") or "no message"), *fields])
    return Explanation(says, codes[0] if codes else _text(error.get("status")))


def _violation(violation: dict[str, Any]) -> str:
    return f"{violation.get('field')}: {violation.get('description')}"


def _oauth(document: dict[str, Any]) -> Explanation | None:
    error = document.get("error")
    if not isinstance(error, str):
        return None
    described = _text(document.get("error_description"))
    return Explanation(f"{error}: {described}" if described else error, error)


def _gateway(document: dict[str, Any]) -> Explanation | None:
    fault = document.get("fault")
    if not isinstance(fault, dict):
        return None
    detail = fault.get("detail")
    code = _text(detail.get("errorcode")) if isinstance(detail, dict) else None
    return Explanation(_text(fault.get("faultstring")) or "a fault of the gateway", code)


def _appworks(document: dict[str, Any]) -> Explanation | None:
    message = _text(document.get("errorMessage"))
    return Explanation(message, _text(document.get("key"))) if message else None


def _framework(document: dict[str, Any]) -> Explanation:
    detail = _text(document.get("detail"))
    if detail:
        return Explanation(detail, _text(document.get("code")))
    return Explanation(_lines(document.get("errors", document)) or "no explanation")


def _lines(value: object) -> str:
    """A few nested field errors as `signers[0].email: Enter a valid email address.`"""
    found = []
    for path, text in _leaves(value, "", 0):
        found.append(f"{path}: {text}" if path else text)
        if len(found) == _MOST_LINES:
            break
    return "; ".join(found)


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST or value in (None, "", {}, []):
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from _leaves(inner, f"{path}.{name}".strip("."), depth + 1)
    elif isinstance(value, list):
        texts = all(isinstance(inner, str) for inner in value)
        for index, inner in enumerate(value):
            yield from _leaves(inner, path if texts else f"{path}[{index}]", depth + 1)
    else:
        yield path, str(value)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


BLANK: Final = "[redacted]"
LONGEST_TEXT: Final = 2048
"""The longest text of a provider that is kept: 2 KiB of UTF-8."""

_PATTERNS: Final = (
    re.compile(r"(?<=://)[^\s/@]{1,256}@"),  # credentials in an address
    re.compile(r"[^\s@<>\"'(),:;\[\]/][^\s@<>\"(),:;\[\]/]{0,63}@[^\s@<>\"'(),:;\[\]/?]{1,255}"),  # e-mail addresses
    re.compile(r"(?<=\?)[^\s\"'<>?]*=[^\s\"'<>]*"),  # queries of addresses
    re.compile(r"(?i)\b(?:bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_.=-]{10,}"),  # JSON web tokens
    re.compile(r"\+\d[\d\s().-]{6,20}\d"),  # telephone numbers
    re.compile(r"[A-Za-z0-9_~+/=-]{40,}"),  # keys, device tokens, base64
)


def redact(text: str, private: Iterable[str] = ()) -> str:
    """One printable line of at most 2 KiB, without the `private` strings, addresses, tokens and queries."""
    line = in_one_line(text)
    for secret in sorted((value for value in private if len(value) > 2), key=len, reverse=True):
        line = re.sub(re.escape(secret), BLANK, line, flags=re.IGNORECASE)
    for pattern in _PATTERNS:
        line = pattern.sub(BLANK, line)
    return clip(line.strip(), LONGEST_TEXT)


def clip(text: str, most_bytes: int) -> str:
    """At most `most_bytes` of UTF-8, cut between characters, with an ellipsis."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return encoded.decode()
    return encoded[: most_bytes - 3].decode("utf-8", "ignore") + "…"


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
        says: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        error_code: str | None = None,
        never_asked: bool = False,
    ) -> None:
        super().__init__(clip(f"{service} {_what_it_did(cause, status)}: {says}", LONGEST_TEXT))
        self.service = service
        self.cause = cause
        self.says = says
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
            self.service, self.cause, self.says, status=self.status, retry_after=wait, error_code=self.error_code
        )

    @property
    def may_have_acted(self) -> bool:
        """Whether the call may have had an effect nevertheless."""
        return self.cause in (Cause.NO_ANSWER, Cause.UNREADABLE) or self.status == 408 or (self.status or 0) >= 500


def _what_it_did(cause: Cause, status: int | None) -> str:
    if cause in (Cause.LATER, Cause.BOUND):
        return "was not called"
    if cause is Cause.ENDLESS:
        return "has answered without an end"
    return f"answered {status}" if status else "could not be reached"


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
            says = "expected JSON, got something else"
            raise ServiceFailure(self.service, Cause.UNREADABLE, says, status=self.status) from None

    def refuse_page(self) -> None:
        """`ServiceFailure` (retryable) for HTML, which comes from an intermediary: the call had no effect."""
        if self.content[:_BEGINNING].lstrip(_BLANK).startswith(b"<"):
            says = "expected an answer, got a page of HTML"
            raise ServiceFailure(self.service, Cause.UNREADABLE, says, status=self.status, never_asked=True)


def make_client(
    *,
    auth: httpx.Auth | None = None,
    max_connections: int = 20,
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """No redirects, proxies or retries; capped bodies, verified certificates. `trust` replaces the public authorities,
    `transport` the network (tests).
    """
    return httpx.AsyncClient(
        auth=auth,
        transport=capped_transport(max_connections=max_connections, trust=trust, transport=transport),
        timeout=TIMEOUT,
        headers=HEADERS,
        follow_redirects=False,
        trust_env=False,
    )


class Service:
    """One configured URL; URLs from answers are never called. With a `pace` calls wait for their turn before their
    deadline begins.
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
    ) -> HttpAnswer:
        """The answer if it is a 2xx; else `ServiceFailure`, without `private` values."""
        await self._turn()
        seconds = deadline or self._deadline
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.request(
                    method,
                    self._url + path,
                    json=json,
                    content=content,
                    params=query,
                    headers=headers,
                    extensions={PATH_IN_TRACES: True},
                )
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
        try:
            if self._pace is not None:
                await self._pace.turn()
        except TurnTooLate as later:
            raise ServiceFailure(self.name, Cause.LATER, str(later), retry_after=later.seconds) from None

    async def aclose(self) -> None:
        await self._client.aclose()


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
    says = f"no answer ({type(error).__name__})"
    return ServiceFailure(service, Cause.NO_ANSWER, says, never_asked=isinstance(error, _NOT_CONNECTED))


def no_answer_within(seconds: float, service: str) -> ServiceFailure:
    return ServiceFailure(service, Cause.NO_ANSWER, f"no complete answer within {seconds:g} s")


def _instant(http_date: str) -> datetime | None:
    """The instant of an HTTP date, by default UTC; None if invalid."""
    try:
        written = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    return written if written.tzinfo else written.replace(tzinfo=UTC)


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
    until = _instant(header)
    return None if until is None else min(max(0.0, (until - now).total_seconds()), LONGEST_WAIT)


def _certificate_refused(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
