"""Receives callbacks: verifies each and hands its hint to the workflow, by a plain signal with a short deadline.

Never signal-with-start: a late callback would revive a finished request (tests/faults/catalogue.toml, A10). A document
sent by hand is not started here: reconciliation is asked to run soon.

A workflow is signalled by one caller at a time. Hints that arrive meanwhile are joined into one that has all their ids:
one reading of the document serves them all, so a burst costs few signals.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.core_signature.wire import uuid_in
from activities.metrics import CALLBACKS
from activities.temporal.executions import about_the_workflow
from starter.queries.filters import is_request_id
from starter.web.http import bodies
from workflows.kinds import Kind
from workflows.model.reconciliation import Reconciliation
from workflows.model.signature import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.names import PROVIDER_EVENT, RECONCILIATION, RECONCILIATION_CALLED, WORKFLOW_QUEUE, adopted_id

SIGNAL_SECONDS: Final = 3.0
"""Below the shortest time-out of callers."""
JOINED_AT_MOST: Final = 20
"""Ids in a hint beside its own: they are untrusted, and a history keeps them."""
RECONCILE_AFTER: Final = timedelta(seconds=10)
"""Lists may show a document late, and many documents need one run."""
SUMMARY: Final = "a callback told of a document that nobody of ours sent"
_PING_SECONDS: Final = 2.0
_COMPLETED: Final = "already completed"
MOST_AHEAD: Final = timedelta(minutes=5)
_DIGITS: Final = re.compile(r"[0-9]{1,11}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_EVENT_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_TYPE: Final = 100
NOTED_EVERY: Final = 60.0
"""In seconds."""
NOTED_WITHIN: Final = 10.0
"""In seconds; the next callback notes it again."""
NoteClock = Callable[[timedelta, datetime], Awaitable[None]]
"""Stores by how much the clock is behind, and when."""
_LOGGER: Final = structlog.get_logger("countersign.receiver")
MOST_AT_ONCE: Final = 2000
"""Complete and genuine ones."""


class SignalResult(Enum):
    TAKEN = "taken"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class SignalNotConfirmed(Exception):
    """It must be sent again."""


class SignalPort(Protocol):
    """Takes the hints of callbacks."""

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        """Raises `SignalNotConfirmed`."""
        ...

    async def reconcile(self) -> None:
        """Ask for a reconciliation soon, one for all callers; raises `SignalNotConfirmed`."""
        ...

    async def reachable(self) -> bool: ...


class TemporalSignals:
    """The client may be lazy: the receiver starts before the server."""

    def __init__(self, client: Client, *, seconds: float = SIGNAL_SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._next: dict[str, _PendingHints] = {}

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        waiting = self._next.get(request)
        if waiting is None:
            events: dict[str, ProviderEvent] = {}
            waiting = _PendingHints(events, asyncio.create_task(self._in_turn(request, events)))
            waiting.receipt.add_done_callback(_retrieve_result)
            self._next[request] = waiting
        waiting.events[event.id] = event
        return await asyncio.shield(waiting.receipt)

    async def _in_turn(self, request: str, events: dict[str, ProviderEvent]) -> SignalResult:
        """One deadline, also when it waits for another signal."""
        turn = self._turns.setdefault(request, asyncio.Lock())
        try:
            # The client's own deadline does not cover the connecting of a lazy one.
            async with asyncio.timeout(self._seconds):
                try:
                    await turn.acquire()
                finally:
                    # It is under way or given up: who comes now wants another reading.
                    del self._next[request]
                try:
                    return await self._signal(request, _join_hints(events.values()))
                finally:
                    turn.release()
        except (RuntimeError, TimeoutError) as error:
            raise SignalNotConfirmed("no answer from Temporal") from error

    async def _signal(self, request: str, event: ProviderEvent) -> SignalResult:
        handle = self._client.get_workflow_handle(Kind.REQUEST.workflow_id(request))
        try:
            await handle.signal(PROVIDER_EVENT, event, rpc_timeout=timedelta(seconds=self._seconds))
        except RPCError as error:
            return _receipt(error)
        return SignalResult.TAKEN

    async def reconcile(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._client.start_workflow(
                    RECONCILIATION,
                    Reconciliation(),
                    id=RECONCILIATION_CALLED,
                    task_queue=WORKFLOW_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    start_delay=RECONCILE_AFTER,
                    static_summary=SUMMARY,
                    rpc_timeout=timedelta(seconds=self._seconds),
                )
        except (RPCError, RuntimeError, TimeoutError) as error:
            raise SignalNotConfirmed("no answer from Temporal") from error

    async def reachable(self) -> bool:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                return await self._client.service_client.check_health(timeout=timedelta(seconds=_PING_SECONDS))
        except (RPCError, RuntimeError, TimeoutError):
            return False


class CallbackVerdict(bodies.CallOutcome):
    """The answer's status and the reason counted.

    Core Signature repeats after a time-out or a 500 only, hence never 429 or 503 (docs/core-signature.md, Callbacks).
    The hint of a stalled body is found at the next reading.
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
    """A verified callback: its request, if any, and the hint; `document` may have to be adopted, or is known by address
    only.
    """

    requests: tuple[str, ...]
    event: ProviderEvent
    document: str | None = None


@dataclass(frozen=True)
class FutureCallback:
    """A genuine callback from the future: our clock is `behind`. It is asked for again later."""

    behind: timedelta
    at: datetime


@dataclass(frozen=True)
class CallbackRules:
    """Which callbacks are believed: a hash by one of `secrets`, an age of at most `max_age`.

    `unsigned` is for a tenant without a usable hash: the path segment is the only secret. `adopted` allows documents
    sent by hand.
    """

    secrets: tuple[SecretStr, ...]
    max_age: timedelta = timedelta(hours=24)
    unsigned: bool = False
    adopted: bool = False

    def judge(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Callback | FutureCallback | CallbackVerdict:
        """The callback, or why it is none; header names are lower-case."""
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

    def _outside(self, claim: "_Claim", age: timedelta) -> FutureCallback | CallbackVerdict:
        """Whether it is too old or new; unsigned, the time is untrusted."""
        if self.unsigned:
            return CallbackVerdict.OUTSIDE_WINDOW
        if age > self.max_age:
            return CallbackVerdict.TOO_OLD
        return FutureCallback(-age, datetime.fromtimestamp(claim.time, UTC))


def event_hash(secret: str, event_time: str, event_type: str) -> str:
    """HMAC-SHA256 of time and type, lower-case hex: all that a callback signs."""
    return hmac.digest(secret.encode(), (event_time + event_type).encode(), hashlib.sha256).hex()


class ClockBehind:
    """Notes it in the background, one at a time."""

    def __init__(self, note: NoteClock) -> None:
        self._note = note
        self._noting: asyncio.Task[None] | None = None
        self._noted_at = -NOTED_EVERY

    def report(self, behind: timedelta, noticed_at: datetime) -> None:
        """A genuine callback told this time."""
        now = asyncio.get_running_loop().time()
        if now - self._noted_at < NOTED_EVERY or (self._noting and not self._noting.done()):
            return
        self._noted_at = now
        _LOGGER.error("the clock of this receiver is behind", seconds=int(behind.total_seconds()))
        self._noting = asyncio.create_task(self._noted(behind, noticed_at))

    async def _noted(self, behind: timedelta, noticed_at: datetime) -> None:
        try:
            async with asyncio.timeout(NOTED_WITHIN):
                await self._note(behind, noticed_at)
        except Exception as failure:  # remote stores raise what they like
            _LOGGER.warning("nobody on call hears of the clock yet", why=type(failure).__name__)


@dataclass(frozen=True)
class CallbackReply:
    """Status only; `hang_up` closes the connection of a body that does not come."""

    status: int
    body: str
    hang_up: bool = False

    @classmethod
    def for_verdict(cls, verdict: CallbackVerdict) -> "CallbackReply":
        return cls(verdict.status, HTTPStatus(verdict.status).phrase, verdict.hangs_up)


@dataclass(frozen=True)
class _Claim:
    event_time: str
    event_type: str
    fields: Mapping[str, Any]

    @property
    def time(self) -> int:
        return int(self.event_time)

    def is_signed_with(self, secrets: Iterable[SecretStr]) -> bool:
        event_hash_text = self.fields.get("event_hash")
        if not isinstance(event_hash_text, str) or not _HASH.fullmatch(event_hash_text):
            return False
        expected = [event_hash(secret.get_secret_value(), self.event_time, self.event_type) for secret in secrets]
        # All are compared before one counts, so that the time taken does not tell which it was.
        matches = [hmac.compare_digest(digest.encode(), event_hash_text.encode()) for digest in expected]
        return any(matches)

    def callback(self, *, adopted: bool) -> Callback | None:
        document = self.fields.get("document")
        if address := _address_alone(document):
            return Callback((), self._event({"uuid": uuid_in(address)}), uuid_in(address))
        if not isinstance(document, dict):
            return None
        uuid = document.get("uuid") if adopted else None
        by_hand = adopted_id(uuid) if isinstance(uuid, str) else None
        external_id = document.get("external_id")
        own_id = external_id if isinstance(external_id, str) and is_request_id(external_id) else None
        requests = tuple(id for id in (own_id, by_hand) if id)
        if not requests:
            return None
        begins = by_hand and self.event_type not in FINAL
        return Callback(requests, self._event(document), uuid if begins else None)

    def _event(self, document: Mapping[str, Any]) -> ProviderEvent:
        occurred_at = datetime.fromtimestamp(self.time, UTC)
        return ProviderEvent(id=self._event_id(document), type=self.event_type, at=occurred_at)

    def _event_id(self, document: Mapping[str, Any]) -> str:
        uuid = self.fields.get("uuid")
        if isinstance(uuid, str) and _EVENT_ID.fullmatch(uuid):
            return uuid
        text = "\n".join((self.event_type, self.event_time, str(document.get("uuid"))))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _address_alone(document: object) -> str | None:
    """The document, when only its address is given."""
    reference = document if isinstance(document, dict) else {"url": document}
    address = reference.get("url")
    if "external_id" in reference or not isinstance(address, str) or "/documents/" not in address:
        return None
    return address if uuid_in(address) else None


def _claim(headers: Mapping[str, str], body: bytes) -> _Claim | None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return None
    try:
        fields = bodies.parse_object(body)
    except bodies.NotReadable:
        return None
    event_time, event_type = _decimal(fields.get("event_time")), fields.get("event_type")
    if event_time is None or not isinstance(event_type, str) or not _is_word(event_type):
        return None
    return _Claim(event_time, event_type, fields)


def _decimal(value: object) -> str | None:
    text = value.text if isinstance(value, bodies.NumberText) else value
    return text if isinstance(text, str) and _DIGITS.fullmatch(text) else None


def _is_word(event_type: str) -> bool:
    """Whether it looks like a type; unknown types may be new."""
    return 0 < len(event_type) <= _LONGEST_TYPE and event_type.isprintable()


class CallbackReceiver:
    """Verifies callbacks and passes them on."""

    def __init__(
        self,
        rules: CallbackRules,
        segment: SecretStr,
        signals: SignalPort,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        behind: ClockBehind | None = None,
        body_seconds: float = bodies.BODY_SECONDS,
        signal_seconds: float = SIGNAL_SECONDS,
    ) -> None:
        self._rules = rules
        self._segment = segment
        self._signals = signals
        self._tally = bodies.CallCounter(CALLBACKS, CallbackVerdict)
        self._clock = clock
        self._behind = behind
        self._body_seconds = body_seconds
        self._signal_seconds = signal_seconds
        self._at_once = 0
        self._incoming = bodies.IncomingBodies(bodies.ALTOGETHER_AT_MOST, bodies.HELD_AT_MOST)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> CallbackReply:
        """Answers these headers (lower-case names) and body; it may signal."""
        return await self._answered(self._rules.judge(headers, body, self._clock()))

    async def answer(self, request: Request) -> Response:
        """Answers from the network."""
        reply = await self._received(request)
        headers = bodies.HEADERS | ({"connection": "close"} if reply.hang_up else {})
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

    async def _judged(self, request: Request) -> Callback | FutureCallback | CallbackVerdict:
        """Verifies at once, so that the body is freed before Temporal is asked."""
        body = await self._incoming.read(request, limit=bodies.MOST_BYTES, seconds=self._body_seconds)
        if isinstance(body, bodies.BodyFault):
            return CallbackVerdict.of_fault(body)
        return self._rules.judge(request.headers, body, self._clock())

    async def _answered(self, judged: Callback | FutureCallback | CallbackVerdict) -> CallbackReply:
        match judged:
            case Callback():
                return self._reply(await self._signalled(judged))
            case FutureCallback(behind, at):
                if self._behind is not None:
                    self._behind.report(behind, at)
                return self._reply(CallbackVerdict.CLOCK_BEHIND)
            case verdict:
                return self._reply(verdict)

    async def _signalled(self, callback: Callback) -> CallbackVerdict:
        """Signals with one deadline for the callback."""
        try:
            async with asyncio.timeout(self._signal_seconds):
                return await self._handed_over(callback)
        except (SignalNotConfirmed, TimeoutError) as refusal:
            reason = str(refusal) or "no answer from Temporal"
            _LOGGER.warning("callback not stored", request=next(iter(callback.requests), None), why=reason)
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
        await self._signals.reconcile()
        return CallbackVerdict.TO_ADOPT if callback.requests else CallbackVerdict.TO_LOOK_UP

    def _is_our_segment(self, segment: str) -> bool:
        own_segment = self._segment.get_secret_value().encode()
        return hmac.compare_digest(segment.encode("utf-8", "replace"), own_segment)

    def _reply(self, verdict: CallbackVerdict) -> CallbackReply:
        self._tally.count(verdict)
        return CallbackReply.for_verdict(verdict)


@dataclass(frozen=True)
class _PendingHints:
    """Hints that wait for a signal under way."""

    events: dict[str, ProviderEvent]
    receipt: asyncio.Task[SignalResult]


def _retrieve_result(receipt: asyncio.Task[SignalResult]) -> None:
    """Reads the result of a future whose caller may be gone."""
    if not receipt.cancelled():
        receipt.exception()


def _join_hints(events: Collection[ProviderEvent]) -> ProviderEvent:
    """The newest, with the ids of the others; too many become one id."""
    newest = max(events, key=lambda event: event.at)
    if len(events) <= 1 + JOINED_AT_MOST:
        return newest.replace(also=tuple(event.id for event in events if event is not newest))
    return newest.replace(id=sha256("\n".join(sorted(event.id for event in events)).encode()).hexdigest())


def _receipt(error: RPCError) -> SignalResult:
    if not about_the_workflow(error):
        raise SignalNotConfirmed(f"Temporal answered {error.status.name}") from error
    return SignalResult.CLOSED if _COMPLETED in error.message else SignalResult.UNKNOWN
