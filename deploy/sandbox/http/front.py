"""The outermost layer: reads each request whole, applies an armed fault, records, and answers."""

import asyncio
import json
import socket
import struct
from base64 import b64decode
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from email.utils import formatdate
from hashlib import sha256
from math import ceil
from typing import Any, cast
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.sandbox.http.errors import dialect_of, error_body
from deploy.sandbox.state.faults import AFTER_EFFECT, CHANGING, ArmedFault, FaultKind
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.state import SandboxState

Header = tuple[bytes, bytes]
HUGE_BYTES = 12_000_000
DEFAULT_DATE_AHEAD = 2.0
HTML = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
DETAILS = {
    400: "Bad request.",
    401: "Authentication credentials were not provided.",
    403: "You do not have permission to perform this action.",
    404: "Not found.",
    409: "The resource is in conflict with the request.",
    410: "It is here no more.",
    413: "The request is too large.",
    429: "Request was throttled. Expected available in {} seconds.",
    500: "A server error occurred.",
    502: "Bad gateway.",
    503: "Service temporarily unavailable, try again later.",
}
# SO_LINGER with zero seconds: closing sends RST instead of FIN and discards unsent data.
NO_LINGER = struct.pack("ii", 1, 0)
DEFAULT_SLOW = 3.0
DEFAULT_DRIP = 1.0
GIANT_MEGABYTES = 300
BIGGEST_BODY = 80_000_000
BIGGEST_RECORDED = 65_536
SECRET_FIELDS = frozenset({"client_secret", "password", "refresh_token", "access_token", "assertion", "code_verifier"})
CONTENT_FIELDS = frozenset({"file_from_content"})
RECORDED_HEADERS = ("content-type", "user-agent", "idempotency-key", "x-request-id", "traceparent")
RECORDED_PREFIXES = ("webhook-", "x-idempotency-", "x-mra-")
TARGETS = "/_sandbox/targets/"
UNRECORDED = ("/_sandbox/", "/inbox/", "/assets/", "/favicon.ico", "/healthz")
# A page may be framed by the application, and must not contain anything foreign.
POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"form-action 'self'; base-uri 'none'"
)


@dataclass(frozen=True)
class SandboxAnswer:
    """Status, headers without length and date, and the whole body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def with_headers(self, *headers: Header) -> "SandboxAnswer":
        return replace(self, headers=(*self.headers, *headers))


def answer_of_fault(  # noqa: PLR0911  a table
    fault: ArmedFault, path: str, now: float
) -> SandboxAnswer | None:
    """None for faults without an own answer."""
    match fault.fault:
        case FaultKind.HTML:
            return _html(200, "Maintenance")
        case FaultKind.BAD_GATEWAY if fault.shape is None:
            return _html(502, "502 Bad Gateway")
        case FaultKind.HUGE:
            return _json(200, {"count": 0, "next": None, "previous": None, "results": [], "padding": "x" * HUGE_BYTES})
        case FaultKind.GIANT:
            return SandboxAnswer(200, ((b"content-type", b"application/pdf"),), b"")
        case FaultKind.REDIRECT:
            target = fault.location or "/_sandbox/targets/redirected"
            return SandboxAnswer(302, ((b"location", target.encode()),), b"")
        case kind if kind.value.isdecimal():
            return _error(fault, int(kind.value), path, now)
        case _:
            return None


class ClientConnection:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport = cast("asyncio.Transport | None", scope.get("state", {}).get("transport"))
        self._receive = receive
        self._send = send

    async def answer(self, answer: SandboxAnswer, fault: ArmedFault | None) -> None:
        match fault.fault if fault else None:
            case FaultKind.CUT | FaultKind.REFUSE:
                await self.reset()
            case FaultKind.TRUNCATE:
                await self._truncate(answer)
            case FaultKind.GIANT:
                await self._giant(answer)
            case FaultKind.DRIP:
                await self._drip(answer, _delay(fault, DEFAULT_DRIP))
            case FaultKind.SLOW:
                if not await self._disconnects_within(_delay(fault, DEFAULT_SLOW)):
                    await self._send_whole(answer)
            case _:
                await self._send_whole(answer)

    async def reset(self) -> None:
        """Reset the connection without an answer."""
        if self._transport is None:
            raise ConnectionResetError("the sandbox tears the connection")
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._transport.abort()
        await self._disconnected()

    async def _send_whole(self, answer: SandboxAnswer) -> None:
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def _truncate(self, answer: SandboxAnswer) -> None:
        await self._start(answer)
        half = answer.body[: len(answer.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        if self._transport is None:
            raise ConnectionResetError("the sandbox truncates the answer")
        # Closing flushes the written data: the client gets half a body and then the end of the stream.
        self._transport.close()
        await self._disconnected()

    async def _giant(self, answer: SandboxAnswer) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": [*answer.headers]})
        for _ in range(GIANT_MEGABYTES):
            await self._send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
            if await self._disconnects_within(0.001):
                return
        await self._send({"type": "http.response.body", "body": b""})

    async def _drip(self, answer: SandboxAnswer, pause: float) -> None:
        await self._start(answer)
        for byte in answer.body:
            await self._send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            if await self._disconnects_within(pause):
                return
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, answer: SandboxAnswer) -> None:
        length = (b"content-length", str(len(answer.body)).encode())
        # A bodiless status must not announce a length.
        headers = [*answer.headers] if answer.status in {204, 304} else [*answer.headers, length]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})

    async def _disconnects_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._disconnected()
        except TimeoutError:
            return False
        return True

    async def _disconnected(self) -> None:
        # The server takes a return without an answer for a crash, unless the client has disconnected before.
        while (await cast("Awaitable[dict[str, object]]", self._receive()))["type"] != "http.disconnect":
            pass


TOO_LARGE = SandboxAnswer(413, ((b"content-type", b"application/json"),), b'{"detail":"Request body too large."}')


@dataclass(frozen=True)
class RecordedRequest:
    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Front:
    def __init__(self, app: ASGIApp, state: SandboxState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; its effects are complete before the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = await self._read(scope, receive)
        if request is None:
            return
        self._state.jobs.run_due()
        fault = self._fault(request)
        answer = await self._answer(request, fault, scope)
        self._record(request, fault, answer)
        date = (b"date", formatdate(self._state.clock(), usegmt=True).encode())
        await ClientConnection(scope, receive, send).answer((answer or TOO_LARGE).with_headers(date), fault)

    async def _read(self, scope: Scope, receive: Receive) -> RecordedRequest | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            if len(body) <= BIGGEST_BODY:
                body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        return RecordedRequest(
            at=self._state.clock(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(errors="replace"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=bytes(body),
        )

    def _fault(self, request: RecordedRequest) -> ArmedFault | None:
        if request.path.startswith("/_sandbox/") and not request.path.startswith(TARGETS):
            return None
        return self._state.faults.take(request.method, request.path, body=request.body)

    async def _answer(self, request: RecordedRequest, fault: ArmedFault | None, scope: Scope) -> SandboxAnswer | None:
        real = None
        if fault is None or fault.fault in AFTER_EFFECT or fault.commit:
            real = await self._real(request, scope)
        if real is not None and fault is not None and fault.fault in CHANGING:
            return self._changed(real, fault.fault, request.path)
        return (answer_of_fault(fault, request.path, request.at) if fault else None) or real

    def _changed(self, real: SandboxAnswer, kind: FaultKind, path: str) -> SandboxAnswer:
        """The answer with other bytes, or other facts of a document."""
        match kind:
            case FaultKind.EMPTY:
                return replace(real, body=b"")
            case FaultKind.SHORT:
                return replace(real, body=real.body[: len(real.body) // 2])
            case FaultKind.OTHER:
                return replace(real, body=real.body[:-1] + bytes([real.body[-1] ^ 1]))
            case FaultKind.REPLACE:
                body, old_sha256 = real.body + b"% replaced\n", path.split("/")[2].partition(".")[0]
                for document in [
                    document for document in self._state.database.documents if document.final == old_sha256
                ]:
                    document.final = self._state.database.files.save(body)
                    self._state.database.documents.save(document)
                return replace(real, body=body)
        facts = json.loads(real.body)
        facts |= {"signing_log": None} if kind is FaultKind.NO_LOG else {"processing": True}
        return replace(real, body=json.dumps(facts).encode())

    async def _real(self, request: RecordedRequest, scope: Scope) -> SandboxAnswer:
        if len(request.body) > BIGGEST_BODY:
            return TOO_LARGE
        sent: list[Message] = []
        waiting: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Message:
            if not waiting:
                # File responses watch for a disconnect while sending; nothing is sent yet here.
                await asyncio.Event().wait()
            return waiting.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return _joined_answer(sent)

    def _record(self, request: RecordedRequest, fault: ArmedFault | None, answer: SandboxAnswer | None) -> None:
        unrecorded = request.path == "/" or request.path.startswith(UNRECORDED)
        if unrecorded and not request.path.startswith(TARGETS):
            return
        answered = answer is not None and (fault is None or fault.fault.value not in {"refuse", "cut"})
        self._state.ledger.write(
            EntryType.REQUEST,
            at=request.at,
            method=request.method,
            path=request.path,
            query=request.query,
            status=answer.status if answer and answered else None,
            fault=fault.fault.value if fault else None,
            headers=_headers_to_record(request.headers),
            body=_body_to_record(request),
        )


def redacted(value: Any) -> Any:
    """The value without secrets, with files reduced to name and hash."""
    if isinstance(value, list):
        return [redacted(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _redacted_field(name, inner) for name, inner in value.items()}


def _error(fault: ArmedFault, status: int, path: str, now: float) -> SandboxAnswer:
    dialect = fault.shape or dialect_of(path)
    detail = DETAILS[status].format(_wait(fault))
    if dialect == "html":
        return _html(status, detail)
    answer = _json(status, error_body(dialect, status, detail, fault.error_code))
    if fault.retry_after is None:
        return answer
    value = formatdate(ceil(now + _wait(fault)), usegmt=True) if fault.retry_after == "date" else str(_wait(fault))
    return answer.with_headers((b"retry-after", value.encode()))


def _wait(fault: ArmedFault) -> int:
    if isinstance(fault.retry_after, int):
        return fault.retry_after
    return ceil(DEFAULT_DATE_AHEAD if fault.delay is None else fault.delay)


def _json(status: int, body: dict[str, Any]) -> SandboxAnswer:
    return SandboxAnswer(status, ((b"content-type", b"application/json"),), json.dumps(body).encode())


def _html(status: int, title: str) -> SandboxAnswer:
    return SandboxAnswer(status, ((b"content-type", b"text/html; charset=utf-8"),), HTML.format(title).encode())


def _delay(fault: ArmedFault | None, default: float) -> float:
    return default if fault is None or fault.delay is None else fault.delay


def _joined_answer(sent: list[Message]) -> SandboxAnswer:
    start = next(message for message in sent if message["type"] == "http.response.start")
    headers = tuple((name, value) for name, value in start["headers"] if name != b"content-length")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    answer = SandboxAnswer(start["status"], headers, body)
    is_page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)
    hardening = ((b"content-security-policy", POLICY), (b"referrer-policy", b"no-referrer"))
    return answer.with_headers((b"x-content-type-options", b"nosniff"), *(hardening if is_page else ()))


def _headers_to_record(headers: dict[str, str]) -> dict[str, str]:
    names = [name for name in headers if name in RECORDED_HEADERS or name.startswith(RECORDED_PREFIXES)]
    return {name: headers[name] for name in names}


def _body_to_record(request: RecordedRequest) -> Any:
    if not request.body:
        return None
    try:
        text = request.body.decode()
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return redacted(dict(parse_qsl(text, keep_blank_values=True)))
        body = redacted(json.loads(text))
    except (ValueError, RecursionError):
        return {"unreadable_bytes": len(request.body)}
    return body if len(json.dumps(body)) <= BIGGEST_RECORDED else {"bytes": len(request.body)}


def _redacted_field(name: str, value: Any) -> Any:
    if name in SECRET_FIELDS:
        return "***"
    if name in CONTENT_FIELDS and isinstance(value, str):
        return {"characters": len(value), "sha256": _file_hash(value)}
    return redacted(value)


def _file_hash(encoded: str) -> str | None:
    try:
        return sha256(b64decode(encoded, validate=True)).hexdigest()
    except ValueError:
        return None
