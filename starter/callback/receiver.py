"""The receiver of Core Signature's callbacks: verify, signal, answer. It keeps no store of its own.

200 only once Temporal has the signal; 500 asks to be called again, so that the provider's retry is our outbox.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from starter.callback.claim import Callback, CallbackRules, CallbackVerdict, FutureDated
from starter.callback.clock import ClockBehind
from starter.callback.signals import SIGNAL_SECONDS, SignalNotConfirmed, SignalPort, SignalResult
from starter.outcomes import CallCounter
from starter.request_bodies import BODY_SECONDS, BodyFault, Incoming

MOST_BYTES: Final = 1024 * 1024
MOST_AT_ONCE: Final = 2000
"""Of those that are complete and genuine."""
HELD_AT_MOST: Final = 4 * 1024 * 1024
"""Bytes of all bodies beyond what is small; whoever finds no room is asked to call again."""
ALTOGETHER_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all bodies, small ones too: as many small ones as are read at the same time would be 32 MB."""
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_LOGGER: Final = structlog.get_logger("countersign.receiver")

_FAULTS: Final = {
    BodyFault.TOO_LARGE: CallbackVerdict.TOO_LARGE,
    BodyFault.STALLED: CallbackVerdict.STALLED,
    BodyFault.CROWDED: CallbackVerdict.BUSY,
}


@dataclass(frozen=True)
class CallbackReply:
    """What the caller is told: a status, and no word about why. `hang_up` ends the connection as well."""

    status: int
    body: str
    hang_up: bool = False

    @classmethod
    def of(cls, verdict: CallbackVerdict) -> "CallbackReply":
        """The answer that goes with a verdict; what was not read to its end must not be taken for a next request."""
        hang_up = verdict in (
            CallbackVerdict.STALLED,
            CallbackVerdict.TOO_LARGE,
            CallbackVerdict.WRONG_SEGMENT,
            CallbackVerdict.BUSY,
        )
        return cls(verdict.status, HTTPStatus(verdict.status).phrase, hang_up)


class CallbackReceiver:
    """Decides over callbacks, and hands those that hold to the workflow of their request."""

    def __init__(
        self,
        rules: CallbackRules,
        segment: SecretStr,
        signals: SignalPort,
        tally: CallCounter,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        behind: ClockBehind | None = None,
        body_seconds: float = BODY_SECONDS,
        signal_seconds: float = SIGNAL_SECONDS,
    ) -> None:
        self._rules = rules
        self._segment = segment
        self._signals = signals
        self._tally = tally
        self._clock = clock
        self._behind = behind
        self._body_seconds = body_seconds
        self._signal_seconds = signal_seconds
        self._at_once = 0
        self._incoming = Incoming("bodies of callbacks", ALTOGETHER_AT_MOST, HELD_AT_MOST)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> CallbackReply:
        """The answer to a callback with these headers (names in lower case) and this body; it may signal."""
        return await self._answered(self._rules.judge(headers, body, self._clock()))

    async def answer(self, request: Request) -> Response:
        """The ASGI shell: the answer to a callback as it comes from the network, its segment in `path_params`."""
        reply = await self._received(request)
        headers = HEADERS | ({"connection": "close"} if reply.hang_up else {})
        return PlainTextResponse(reply.body, reply.status, headers)

    async def _received(self, request: Request) -> CallbackReply:
        if not self._is_our_segment(request.path_params["segment"]):
            return self._reply(CallbackVerdict.WRONG_SEGMENT)
        judged = await self._judged(request)
        if not isinstance(judged, Callback):
            return await self._answered(judged)
        if self._at_once >= MOST_AT_ONCE:
            return self._reply(CallbackVerdict.BUSY)
        self._at_once += 1
        try:
            return await self._answered(judged)
        finally:
            self._at_once -= 1

    async def _judged(self, request: Request) -> Callback | FutureDated | CallbackVerdict:
        """Judged at once, so that nobody has the body any more while Temporal is asked."""
        body = await self._incoming.read(request, limit=MOST_BYTES, seconds=self._body_seconds)
        if isinstance(body, BodyFault):
            return _FAULTS[body]
        return self._rules.judge(request.headers, body, self._clock())

    async def _answered(self, judged: Callback | FutureDated | CallbackVerdict) -> CallbackReply:
        match judged:
            case Callback():
                return self._reply(await self._signalled(judged))
            case FutureDated(behind, at):
                if self._behind is not None:
                    self._behind.by(behind, at)
                return self._reply(CallbackVerdict.CLOCK_BEHIND)
            case verdict:
                return self._reply(verdict)

    async def _signalled(self, callback: Callback) -> CallbackVerdict:
        """All that Temporal is asked for one callback has one deadline: its caller waits for one answer."""
        try:
            async with asyncio.timeout(self._signal_seconds):
                return await self._handed_over(callback)
        except (SignalNotConfirmed, TimeoutError) as refusal:
            why = str(refusal) or "no answer from Temporal"
            _LOGGER.warning("callback not stored", request=next(iter(callback.requests), None), why=why)
            return CallbackVerdict.NOT_STORED

    async def _handed_over(self, callback: Callback) -> CallbackVerdict:
        receipts = set()
        for request in callback.requests:
            receipts.add(receipt := await self._signals.signal(request, callback.event))
            if receipt is SignalResult.TAKEN:
                return CallbackVerdict.SIGNALLED
        if SignalResult.CLOSED in receipts:
            return CallbackVerdict.CLOSED
        if callback.document is None:
            return CallbackVerdict.UNKNOWN
        await self._signals.sweep()
        return CallbackVerdict.TO_ADOPT if callback.requests else CallbackVerdict.TO_LOOK_UP

    def _is_our_segment(self, given: str) -> bool:
        ours = self._segment.get_secret_value().encode()
        return hmac.compare_digest(given.encode("utf-8", "replace"), ours)

    def _reply(self, verdict: CallbackVerdict) -> CallbackReply:
        self._tally.count(verdict)
        return CallbackReply.of(verdict)
