"""What every request passes first: it is read whole, hit by a fault if one is armed, recorded, and answered."""

import asyncio
import json
from base64 import b64decode
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.sandbox.answers import SandboxAnswer, faulty
from deploy.sandbox.connections import ClientLine
from deploy.sandbox.faults import AFTER_EFFECT, ArmedFault
from deploy.sandbox.ledger import EntryType
from deploy.sandbox.world import World

BIGGEST_BODY = 80_000_000
BIGGEST_RECORDED = 65_536
SECRET_FIELDS = frozenset({"client_secret", "password", "refresh_token", "access_token", "assertion"})
CONTENT_FIELDS = frozenset({"file_from_content"})
TOLD_HEADERS = ("content-type", "user-agent", "idempotency-key", "x-request-id", "traceparent")
TOLD_PREFIXES = ("webhook-", "x-idempotency-", "x-mra-")
TARGETS = "/_sandbox/targets/"
UNRECORDED = ("/_sandbox/", "/inbox/", "/assets/", "/favicon.ico", "/healthz")
TOO_LARGE = SandboxAnswer(413, ((b"content-type", b"application/json"),), b'{"detail":"Request body too large."}')
# A page may show itself in the application's frame, and nothing foreign may be in the page.
POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"form-action 'self'; base-uri 'none'"
)


@dataclass(frozen=True)
class RecordedVisit:
    """One request as it came."""

    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Front:
    """The outermost part of the sandbox."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the effects of a call are complete before anything of its answer leaves."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = await self._read(scope, receive)
        if visit is None:
            return
        self._world.schedule.run_due()
        fault = self._fault(visit)
        answer = await self._answer(visit, fault, scope)
        self._record(visit, fault, answer)
        date = (b"date", formatdate(self._world.settings.clock(), usegmt=True).encode())
        await ClientLine(scope, receive, send).answer((answer or TOO_LARGE).with_headers(date), fault)

    async def _read(self, scope: Scope, receive: Receive) -> RecordedVisit | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            if len(body) <= BIGGEST_BODY:
                body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        return RecordedVisit(
            at=self._world.settings.clock(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(errors="replace"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=bytes(body),
        )

    def _fault(self, visit: RecordedVisit) -> ArmedFault | None:
        if visit.path.startswith("/_sandbox/") and not visit.path.startswith(TARGETS):
            return None
        return self._world.faults.take(visit.method, visit.path, body=visit.body)

    async def _answer(self, visit: RecordedVisit, fault: ArmedFault | None, scope: Scope) -> SandboxAnswer | None:
        real = None
        if fault is None or fault.fault in AFTER_EFFECT or fault.commit:
            real = await self._real(visit, scope)
        return (faulty(fault, visit.path, visit.at) if fault else None) or real

    async def _real(self, visit: RecordedVisit, scope: Scope) -> SandboxAnswer:
        if len(visit.body) > BIGGEST_BODY:
            return TOO_LARGE
        caught: list[Message] = []
        waiting: list[Message] = [{"type": "http.request", "body": visit.body, "more_body": False}]

        async def receive() -> Message:
            if not waiting:
                # Files watch for a client that leaves while they are sent; here nothing is sent yet.
                await asyncio.Event().wait()
            return waiting.pop()

        async def send(message: Message) -> None:
            caught.append(message)

        await self._app(scope, receive, send)
        return _gathered(caught)

    def _record(self, visit: RecordedVisit, fault: ArmedFault | None, answer: SandboxAnswer | None) -> None:
        unrecorded = visit.path == "/" or visit.path.startswith(UNRECORDED)
        if unrecorded and not visit.path.startswith(TARGETS):
            return
        answered = answer is not None and (fault is None or fault.fault.value not in {"refuse", "cut"})
        self._world.ledger.write(
            EntryType.REQUEST,
            at=visit.at,
            method=visit.method,
            path=visit.path,
            query=visit.query,
            status=answer.status if answer and answered else None,
            fault=fault.fault.value if fault else None,
            headers=_told(visit.headers),
            body=_recorded(visit),
        )


def _gathered(caught: list[Message]) -> SandboxAnswer:
    start = next(message for message in caught if message["type"] == "http.response.start")
    headers = tuple((name, value) for name, value in start["headers"] if name != b"content-length")
    body = b"".join(message.get("body", b"") for message in caught if message["type"] == "http.response.body")
    answer = SandboxAnswer(start["status"], headers, body)
    is_page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)
    hardening = ((b"content-security-policy", POLICY), (b"referrer-policy", b"no-referrer"))
    return answer.with_headers((b"x-content-type-options", b"nosniff"), *(hardening if is_page else ()))


def _told(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in TOLD_HEADERS or name.startswith(TOLD_PREFIXES)}


def _recorded(visit: RecordedVisit) -> Any:
    if not visit.body:
        return None
    try:
        text = visit.body.decode()
        if visit.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return redacted(dict(parse_qsl(text, keep_blank_values=True)))
        body = redacted(json.loads(text))
    except (ValueError, RecursionError):
        return {"unreadable_bytes": len(visit.body)}
    return body if len(json.dumps(body)) <= BIGGEST_RECORDED else {"bytes": len(visit.body)}


def redacted(value: Any) -> Any:
    """The value without secrets, and with files reduced to what they are."""
    if isinstance(value, list):
        return [redacted(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _redacted_field(name, inner) for name, inner in value.items()}


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
