"""Temporal's remote codec: decrypts payloads for its Web UI and command line, and encrypts what these send.

Called by pages of one origin alone, for operators whose token the company's issuer has signed, and by whoever has a
token of ours. Nothing of a payload is logged; one that cannot be decrypted is given back as it is.
"""

import asyncio
import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import structlog
from google.protobuf import json_format
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from temporalio.api.common.v1 import Payload, Payloads

from activities.metrics import CODEC_CALLS
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import DirectoryFailure, UnknownGroup
from activities.records.allowances import Rate
from starter.config.settings import Settings
from starter.config.values import is_loopback
from starter.temporal.codec import AesGcmCodec, CodecError
from starter.web.http import bodies
from starter.web.http.allowances import Buckets, Clock
from starter.web.http.oidc import Issuer, IssuerUnavailable, RefusedToken
from starter.web.http.serving import holder_of, peer_of

PATH: Final = "/codec/"
BYTES_AT_MOST: Final = 6 * 1024 * 1024
"""Two of the largest payloads, as text."""
BYTES_ALTOGETHER_AT_MOST: Final = 32 * 1024 * 1024
CALLS_OF_AN_ADDRESS: Final = Rate(burst=1_000, per_second=50)
"""The Web UI calls once for each event of a history."""
REFUSALS_OF_AN_ADDRESS: Final = Rate(burst=20, per_second=0.2)
_TOLD_EVERY: Final = Rate(burst=1, per_second=1 / 60)
_ASKED_AGAIN_AFTER: Final = 86_400
"""Seconds for which a browser remembers that it may call."""
_LOOKS_PROXIED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_INCOMING: Final = bodies.IncomingBodies(BYTES_ALTOGETHER_AT_MOST)
_LOGGER: Final = structlog.get_logger("countersign.codec")
Work = Callable[[Payload], Payload]


class CodecOutcome(bodies.CallOutcome):
    """The answer's status and the reason counted."""

    DONE = (200, "done")
    MAY_CALL = (204, "may_call")
    MALFORMED = (400, "malformed")
    STALLED = (400, "stalled")
    NOBODY = (401, "nobody")
    OTHER_ORIGIN = (403, "other_origin")
    NO_OPERATOR = (403, "no_operator")
    TOO_LARGE = (413, "too_large")
    NOT_JSON = (415, "not_json")
    TOO_MANY = (429, "too_many")
    BUSY = (429, "crowded")
    UNDECIDED = (503, "undecided")


@dataclass(frozen=True)
class CodecAccess:
    """Who may have payloads decrypted."""

    settings: Settings
    directory: CompanyDirectory
    issuer: Issuer | None

    async def caller(self, request: Request) -> str:
        """Who calls, for the log. Raises `_Refused`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (token := token.strip()):
            return "command line" if self._is_ours(token) else await self._operator(token)
        if self.settings.codec_open and request.headers.get("origin") and _is_on_this_machine(request):
            return "this machine"
        raise _RefusedRequest(CodecOutcome.NOBODY)

    def _is_ours(self, token: str) -> bool:
        token_bytes = token.encode("utf-8", "replace")
        # All are compared before one counts, so that the time taken does not tell which it was.
        keys = [key.get_secret_value().encode() for key in self.settings.codec_token]
        return True in [hmac.compare_digest(key, token_bytes) for key in keys]

    async def _operator(self, token: str) -> str:
        if self.issuer is None:
            raise _RefusedRequest(CodecOutcome.NOBODY)
        try:
            person = await self.directory.named(await self.issuer.identify(token))
            operators = await self.directory.group(self.settings.operators)
        except RefusedToken as refusal:
            _LOGGER.info("a token does not count", why=str(refusal))
            raise _RefusedRequest(CodecOutcome.NOBODY) from None
        except UnknownGroup:
            raise _RefusedRequest(CodecOutcome.NO_OPERATOR) from None
        except (IssuerUnavailable, DirectoryFailure):
            raise _RefusedRequest(CodecOutcome.UNDECIDED, wait=60) from None
        if person is None or person.id not in operators:
            raise _RefusedRequest(CodecOutcome.NO_OPERATOR)
        return person.id


class CodecServer:
    """Without `COUNTERSIGN_CODEC=on` there are no such addresses."""

    def __init__(
        self,
        settings: Settings,
        directory: CompanyDirectory,
        issuer: Issuer | None = None,
        *,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._codec = AesGcmCodec(settings.payload_keys) if settings.codec == "on" else None
        self._access = CodecAccess(settings, directory, issuer)
        self._tally = bodies.CallCounter(CODEC_CALLS, CodecOutcome)
        self._calls = Buckets(CALLS_OF_AN_ADDRESS, clock)
        self._refusals = Buckets(REFUSALS_OF_AN_ADDRESS, clock)
        self._logged = Buckets(_TOLD_EVERY, clock)

    def routes(self) -> list[BaseRoute]:
        if self._codec is None:
            return []
        return [
            Route(f"{PATH}{name}", partial(self._answer, work), methods=["POST", "OPTIONS"])
            for name, work in (("decode", self._codec.decrypted), ("encode", self._codec.encrypted))
        ]

    async def _answer(self, work: Work, request: Request) -> Response:
        body, headers = b"", dict(bodies.HEADERS)
        try:
            outcome, body = await self._work_on(work, request)
        except _RefusedRequest as refused:
            outcome = refused.outcome
            body = _SAYS.get(outcome, outcome.reason).encode()
            if outcome in (CodecOutcome.STALLED, CodecOutcome.TOO_LARGE):
                headers |= {"connection": "close"}  # The rest of the body does not come.
            if refused.wait:
                headers["retry-after"] = str(math.ceil(refused.wait))
            if outcome is CodecOutcome.NOBODY:
                headers["www-authenticate"] = "Bearer"
        self._tally.count(outcome)
        media = "application/json" if outcome is CodecOutcome.DONE else "text/plain"
        return Response(body, outcome.status, headers | self._cors(request), media)

    def _cors(self, request: Request) -> dict[str, str]:
        """What a browser asks before it lets a page call and read; no cookies."""
        if not self._is_from_our_page(request):
            return {"vary": "origin"}
        return {
            "vary": "origin",
            "access-control-allow-origin": self._settings.codec_origin,
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "authorization, content-type, x-namespace",
            "access-control-max-age": str(_ASKED_AGAIN_AFTER),
        }

    def _is_from_our_page(self, request: Request) -> bool:
        return bool(self._settings.codec_origin) and request.headers.get("origin") == self._settings.codec_origin

    async def _work_on(self, work: Work, request: Request) -> tuple[CodecOutcome, bytes]:
        address = holder_of(request.client.host) if request.client else ""
        if wait := self._calls.wait(address):
            raise _RefusedRequest(CodecOutcome.TOO_MANY, wait)
        if "origin" in request.headers and not self._is_from_our_page(request):
            raise _RefusedRequest(CodecOutcome.OTHER_ORIGIN)
        if request.method == "OPTIONS":
            return CodecOutcome.MAY_CALL, b""
        caller = await self._admitted(request, address)
        payloads = await self._read(request)
        body = await asyncio.to_thread(_worked, work, payloads)
        if not self._logged.wait(caller):
            _LOGGER.info("payloads are decrypted or encrypted", by=caller)
        return CodecOutcome.DONE, body

    async def _admitted(self, request: Request, address: str) -> str:
        if wait := self._refusals.look(address):
            raise _RefusedRequest(CodecOutcome.TOO_MANY, wait)
        try:
            return await self._access.caller(request)
        except _RefusedRequest as refused:
            if refused.outcome is not CodecOutcome.UNDECIDED:
                self._refusals.wait(address)
            raise

    async def _read(self, request: Request) -> Payloads:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _RefusedRequest(CodecOutcome.NOT_JSON)
        body = await _INCOMING.read(request, limit=BYTES_AT_MOST)
        if isinstance(body, bodies.BodyFault):
            raise _RefusedRequest(CodecOutcome.of_fault(body))
        try:
            return await asyncio.to_thread(_payloads, body)
        except (bodies.NotReadable, json_format.ParseError, ValueError):
            raise _RefusedRequest(CodecOutcome.MALFORMED) from None


_SAYS: Final = {
    CodecOutcome.MALFORMED: "the body has to be payloads as Temporal's remote codec protocol has them",
    CodecOutcome.NOBODY: "a bearer token is needed, of the issuer or of COUNTERSIGN_CODEC_TOKEN",
    CodecOutcome.OTHER_ORIGIN: "COUNTERSIGN_CODEC_ORIGIN names another address",
    CodecOutcome.NO_OPERATOR: "the token is of nobody in the group of COUNTERSIGN_OPERATORS",
    CodecOutcome.UNDECIDED: "who is an operator cannot be asked now: the issuer or the people file is away",
}


class _RefusedRequest(Exception):
    def __init__(self, outcome: CodecOutcome, wait: float = 0) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.wait = wait


def _is_on_this_machine(request: Request) -> bool:
    """Neither another machine nor a proxy for one, and no name that leads here from elsewhere."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    proxied = any(name in request.headers for name in _LOOKS_PROXIED)
    return is_loopback(peer_of(request)) and is_loopback(host) and not proxied


def _payloads(body: bytes) -> Payloads:
    bodies.parse_object(body)  # It refuses what is made to be slow to read.
    return json_format.Parse(body.decode(), Payloads())


def _worked(work: Work, payloads: Payloads) -> bytes:
    return json_format.MessageToJson(
        Payloads(payloads=[_or_as_it_is(work, payload) for payload in payloads.payloads])
    ).encode()


def _or_as_it_is(work: Work, payload: Payload) -> Payload:
    try:
        return work(payload)
    except CodecError:
        return payload
