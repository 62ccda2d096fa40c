"""The receiver of Core Signature's callbacks: verify, signal, answer. It keeps no store of its own.

200 only once Temporal has the signal; 500 asks to be called again, so that the provider's retry is our outbox.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from activities.core_signature.wire import uuid_in
from starter.queries.filters import is_request_id
from starter.web.bodies import (
    BODY_SECONDS,
    BodyFault,
    CallCounter,
    CallOutcome,
    Incoming,
    NotReadable,
    NumberText,
    parse_object,
)
from starter.web.callback_signals import SIGNAL_SECONDS, SignalNotConfirmed, SignalPort, SignalResult
from workflows.model.signature import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.names import adopted_id

MOST_AHEAD: Final = timedelta(minutes=5)
_DIGITS: Final = re.compile(r"[0-9]{1,11}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_EVENT_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_TYPE: Final = 100


class CallbackVerdict(CallOutcome):
    """What becomes of a callback: the answer's status and the reason it is counted under.

    A repeat is promised after a time-out or a 500 only, hence never 429 or 503 (docs/core-signature.md, Callbacks).
    A body that stalls is a stranger's nonsense; what a genuine but slow caller had to tell is found when the document
    is read the next time.
    """

    SIGNALLED = (200, "signalled")
    NOT_OURS = (200, "not_ours")
    UNKNOWN = (200, "unknown")
    CLOSED = (200, "closed")
    WITHOUT_EFFECT = (200, "without_effect")
    TO_ADOPT = (200, "to_adopt")
    TO_LOOK_UP = (200, "to_look_up")
    MALFORMED = (400, "malformed")
    STALLED = (400, "stalled")
    WRONG_SEGMENT = (401, "wrong_segment")
    BAD_HASH = (401, "bad_hash")
    TOO_OLD = (401, "too_old")
    OUTSIDE_WINDOW = (401, "outside_window")
    TOO_LARGE = (413, "too_large")
    CLOCK_BEHIND = (500, "clock_behind")
    NOT_STORED = (500, "not_stored")
    BUSY = (500, "busy")


@dataclass(frozen=True)
class Callback:
    """A callback that may be listened to: the requests it may be about, of which there is at most one, and the hint
    for its workflow; `document` is one that may have to be adopted, or of which only the address was said: then there
    is no request, and a sweep finds out which it is."""

    requests: tuple[str, ...]
    event: ProviderEvent
    document: str | None = None


@dataclass(frozen=True)
class FutureDated:
    """A genuine callback of an event of an instant that is to come, by our clock, which is `behind` at least so far.

    It is not believed sooner for that: who has kept one gains no time. It is asked for again, until it has come.
    """

    behind: timedelta
    at: datetime


@dataclass(frozen=True)
class CallbackRules:
    """What is believed: a hash by one of `secrets`, an age of at most `max_age`.

    `unsigned` is for a tenant that is known to send no usable hash: the segment of the path is then the only secret.
    Where documents that were sent by hand are `adopted`, a callback may be about one of them.
    """

    secrets: tuple[SecretStr, ...]
    max_age: timedelta = timedelta(hours=24)
    unsigned: bool = False
    adopted: bool = False

    def judge(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Callback | FutureDated | CallbackVerdict:
        """The callback, or why it is none; `headers` have lower-case names."""
        claim = _claim(headers, body)
        if claim is None:
            return CallbackVerdict.MALFORMED
        if not self.unsigned and not claim.is_signed_with(self.secrets):
            return CallbackVerdict.BAD_HASH
        age = timedelta(seconds=now.timestamp() - claim.time)
        if not -MOST_AHEAD <= age <= self.max_age:
            return self._outside(claim, age)
        callback = claim.callback(adopted=self.adopted)
        if callback is None:
            return CallbackVerdict.NOT_OURS
        return CallbackVerdict.WITHOUT_EFFECT if claim.event_type in WITHOUT_EFFECT else callback

    def _outside(self, claim: "_Claim", age: timedelta) -> FutureDated | CallbackVerdict:
        """Unsigned, anybody may have written the time."""
        if self.unsigned:
            return CallbackVerdict.OUTSIDE_WINDOW
        if age > self.max_age:
            return CallbackVerdict.TOO_OLD
        return FutureDated(-age, datetime.fromtimestamp(claim.time, UTC))


def event_hash(secret: str, event_time: str, event_type: str) -> str:
    """HMAC-SHA256 over time and type without a separator, in lower-case hex: all that a callback signs."""
    return hmac.digest(secret.encode(), (event_time + event_type).encode(), hashlib.sha256).hex()


@dataclass(frozen=True)
class _Claim:
    event_time: str
    event_type: str
    said: Mapping[str, Any]

    @property
    def time(self) -> int:
        return int(self.event_time)

    def is_signed_with(self, secrets: Iterable[SecretStr]) -> bool:
        given = self.said.get("event_hash")
        if not isinstance(given, str) or not _HASH.fullmatch(given):
            return False
        expected = [event_hash(secret.get_secret_value(), self.event_time, self.event_type) for secret in secrets]
        # All are compared before one counts, so that the time taken does not tell which it was.
        matches = [hmac.compare_digest(one.encode(), given.encode()) for one in expected]
        return any(matches)

    def callback(self, *, adopted: bool) -> Callback | None:
        document = self.said.get("document")
        if address := _address_alone(document):
            return Callback((), self._event({"uuid": uuid_in(address)}), uuid_in(address))
        if not isinstance(document, dict):
            return None
        uuid = document.get("uuid") if adopted else None
        by_hand = adopted_id(uuid) if isinstance(uuid, str) else None
        given = document.get("external_id")
        ours = given if isinstance(given, str) and is_request_id(given) else None
        requests = tuple(id for id in (ours, by_hand) if id)
        if not requests:
            return None
        begins = by_hand and self.event_type not in FINAL
        return Callback(requests, self._event(document), uuid if begins else None)

    def _event(self, document: Mapping[str, Any]) -> ProviderEvent:
        at = datetime.fromtimestamp(self.time, UTC)
        return ProviderEvent(id=self._event_id(document), type=self.event_type, at=at)

    def _event_id(self, document: Mapping[str, Any]) -> str:
        uuid = self.said.get("uuid")
        if isinstance(uuid, str) and _EVENT_ID.fullmatch(uuid):
            return uuid
        text = "\n".join((self.event_type, self.event_time, str(document.get("uuid"))))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _address_alone(document: object) -> str | None:
    """Where a document is of which nothing else is said."""
    about = document if isinstance(document, dict) else {"url": document}
    address = about.get("url")
    if "external_id" in about or not isinstance(address, str) or "/documents/" not in address:
        return None
    return address if uuid_in(address) else None


def _claim(headers: Mapping[str, str], body: bytes) -> _Claim | None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return None
    try:
        said = parse_object(body)
    except NotReadable:
        return None
    event_time, event_type = _decimal(said.get("event_time")), said.get("event_type")
    if event_time is None or not isinstance(event_type, str) or not _is_word(event_type):
        return None
    return _Claim(event_time, event_type, said)


def _decimal(value: object) -> str | None:
    text = value.text if isinstance(value, NumberText) else value
    return text if isinstance(text, str) and _DIGITS.fullmatch(text) else None


def _is_word(event_type: str) -> bool:
    """A type we do not know may be new and is let through; what nobody would call a type is not."""
    return 0 < len(event_type) <= _LONGEST_TYPE and event_type.isprintable()


NOTED_EVERY: Final = 60.0
"""Seconds: however many callbacks say it, it is noted once in them."""
NOTED_WITHIN: Final = 10.0
"""Seconds: a store that is away holds up nothing, and the next callback says it again."""
Note = Callable[[timedelta, datetime], Awaitable[None]]
"""Keeps by how much it is behind, and when that was by the clock of Core Signature."""
_LOGGER: Final = structlog.get_logger("countersign.receiver")


class ClockBehind:
    """Notes it beside the answers, one at a time."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._noting: asyncio.Task[None] | None = None
        self._at = -NOTED_EVERY

    def by(self, behind: timedelta, at: datetime) -> None:
        """A genuine callback says so, of an event of this instant."""
        now = asyncio.get_running_loop().time()
        if now - self._at < NOTED_EVERY or (self._noting and not self._noting.done()):
            return
        self._at = now
        _LOGGER.error("the clock of this receiver is behind", seconds=int(behind.total_seconds()))
        self._noting = asyncio.create_task(self._noted(behind, at))

    async def _noted(self, behind: timedelta, at: datetime) -> None:
        try:
            async with asyncio.timeout(NOTED_WITHIN):
                await self._note(behind, at)
        except Exception as failure:  # remote stores raise what they like
            _LOGGER.warning("nobody on call hears of the clock yet", why=type(failure).__name__)


MOST_BYTES: Final = 1024 * 1024
MOST_AT_ONCE: Final = 2000
"""Of those that are complete and genuine."""
HELD_AT_MOST: Final = 4 * 1024 * 1024
"""Bytes of all bodies beyond what is small; whoever finds no room is asked to call again."""
ALTOGETHER_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all bodies, small ones too: as many small ones as are read at the same time would be 32 MB."""
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


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
