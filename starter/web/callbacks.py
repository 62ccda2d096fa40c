"""Callbacks of Core Signature: verified, then signalled to the request's workflow as a hint, with a short deadline.
Never signal-with-start: a late callback would restart a finished request (docs/faults.md, A10). For documents sent by
hand a reconciliation is started soon, which adopts them.

Each workflow gets one signal at a time; hints that arrive meanwhile are merged into the next one, with all their ids,
since one read after all of them suffices. So a burst delays no answer beyond two signals, and a flood of one genuine
callback is a few signals. Replayed without overlap, each is a signal, of which a run takes some thousands before it
continues as new.
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
from activities.temporal.executions import about_the_workflow
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
from workflows.kinds import Kind
from workflows.model.reconciliation import Reconciliation
from workflows.model.signature import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.names import PROVIDER_EVENT, RECONCILIATION, RECONCILIATION_CALLED, WORKFLOW_QUEUE, adopted_id

SIGNAL_SECONDS: Final = 3.0
"""Well below the shortest time-out of callers."""
TOGETHER_AT_MOST: Final = 20
"""Merged ids of a hint: they are unverified, and stay in a history."""
SWEPT_AFTER: Final = timedelta(seconds=10)
"""Lists may show a document late; also limits the number of reconciliations."""
SUMMARY: Final = "a callback told of a document that nobody of ours sent"
_PING_SECONDS: Final = 2.0
_COMPLETED: Final = "already completed"


class SignalResult(Enum):
    TAKEN = "taken"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class SignalNotConfirmed(Exception):
    """Temporal did not confirm the signal: to be sent again."""


class SignalPort(Protocol):
    """Receiver of hints."""

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        """Signal the workflow of `request`; raises `SignalNotConfirmed`."""
        ...

    async def sweep(self) -> None:
        """Start a reconciliation soon, one for all requests meanwhile; raises `SignalNotConfirmed`."""
        ...

    async def reachable(self) -> bool:
        """Whether a signal could be taken now."""
        ...


@dataclass(frozen=True)
class _Waiting:
    """Hints that arrived during a signal, and the result of their merged one."""

    events: dict[str, ProviderEvent]
    receipt: asyncio.Task[SignalResult]


class TemporalSignals:
    """Signals by Temporal; with a lazy client, so that the web process can start first."""

    def __init__(self, client: Client, *, seconds: float = SIGNAL_SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._next: dict[str, _Waiting] = {}

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        """Joins a waiting signal of the same request."""
        waiting = self._next.get(request)
        if waiting is None:
            events: dict[str, ProviderEvent] = {}
            waiting = _Waiting(events, asyncio.create_task(self._in_turn(request, events)))
            waiting.receipt.add_done_callback(_is_heard)
            self._next[request] = waiting
        waiting.events[event.id] = event
        return await asyncio.shield(waiting.receipt)

    async def _in_turn(self, request: str, events: dict[str, ProviderEvent]) -> SignalResult:
        """One deadline for all, including a signal in progress: the caller does not wait for two."""
        turn = self._turns.setdefault(request, asyncio.Lock())
        try:
            # The client's own deadline does not cover the connecting of a lazy one.
            async with asyncio.timeout(self._seconds):
                try:
                    await turn.acquire()
                finally:
                    # In progress or given up: later callbacks need another read.
                    del self._next[request]
                try:
                    return await self._signal(request, _one_hint(events.values()))
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

    async def sweep(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._client.start_workflow(
                    RECONCILIATION,
                    Reconciliation(),
                    id=RECONCILIATION_CALLED,
                    task_queue=WORKFLOW_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    start_delay=SWEPT_AFTER,
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


def _is_heard(receipt: asyncio.Task[SignalResult]) -> None:
    """Marks its exception as retrieved, since the caller may have hung up."""
    if not receipt.cancelled():
        receipt.exception()


def _one_hint(events: Collection[ProviderEvent]) -> ProviderEvent:
    """The newest event, with the ids of the others; for too many, a new id made of all."""
    newest = max(events, key=lambda event: event.at)
    if len(events) <= 1 + TOGETHER_AT_MOST:
        return newest.replace(also=tuple(event.id for event in events if event is not newest))
    return newest.replace(id=sha256("\n".join(sorted(event.id for event in events)).encode()).hexdigest())


def _receipt(error: RPCError) -> SignalResult:
    if not about_the_workflow(error):
        raise SignalNotConfirmed(f"Temporal answered {error.status.name}") from error
    return SignalResult.CLOSED if _COMPLETED in error.message else SignalResult.UNKNOWN


MOST_AHEAD: Final = timedelta(minutes=5)
_DIGITS: Final = re.compile(r"[0-9]{1,11}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_EVENT_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_TYPE: Final = 100


class CallbackVerdict(CallOutcome):
    """The result of a callback: HTTP status and metric reason. Core Signature repeats only after a time-out or a 500,
    hence never 429 or 503 (docs/core-signature.md, Callbacks). A stalled body counts as nonsense: what a slow genuine
    caller reports is found by the next read of the document.
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
    """A verified callback: the possible request ids, of which at most one exists, and the hint. `document` is one to
    adopt, or known by URL only: then there is no request, and a reconciliation finds it.
    """

    requests: tuple[str, ...]
    event: ProviderEvent
    document: str | None = None


@dataclass(frozen=True)
class FutureDated:
    """A genuine callback of an event in the future by our clock, which is `behind` at least so far. It is not accepted
    early, and has to be repeated.
    """

    behind: timedelta
    at: datetime


@dataclass(frozen=True)
class CallbackRules:
    """Accepted are a hash by one of `secrets`, and an age of at most `max_age`. `unsigned` is for tenants that send no
    usable hash: then the path segment is the only secret. If documents are `adopted`, a callback may be about one of
    them.
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
        """Without a signature the time proves nothing."""
        if self.unsigned:
            return CallbackVerdict.OUTSIDE_WINDOW
        if age > self.max_age:
            return CallbackVerdict.TOO_OLD
        return FutureDated(-age, datetime.fromtimestamp(claim.time, UTC))


def event_hash(secret: str, event_time: str, event_type: str) -> str:
    """HMAC-SHA256 over time and type, without a separator, in lower-case hex: all that a callback signs."""
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
        # All are compared, so that the time taken does not reveal which one matched.
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
    """The URL of a document of which nothing else is given."""
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
    """Unknown types may be new and pass, unless they cannot be a type's name."""
    return 0 < len(event_type) <= _LONGEST_TYPE and event_type.isprintable()


NOTED_EVERY: Final = 60.0
"""Seconds between two notes."""
NOTED_WITHIN: Final = 10.0
"""Seconds: an unavailable store delays nothing, and the next callback repeats it."""
Note = Callable[[timedelta, datetime], Awaitable[None]]
"""Stores by how much our clock is behind, as of Core Signature's time."""
_LOGGER: Final = structlog.get_logger("countersign.receiver")


class ClockBehind:
    """Stores it in the background, one at a time."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._noting: asyncio.Task[None] | None = None
        self._at = -NOTED_EVERY

    def by(self, behind: timedelta, at: datetime) -> None:
        """A genuine callback shows it."""
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
        except Exception as failure:  # remote stores raise any exception
            _LOGGER.warning("nobody on call hears of the clock yet", why=type(failure).__name__)


MOST_BYTES: Final = 1024 * 1024
MOST_AT_ONCE: Final = 2000
"""Of complete and genuine ones."""
HELD_AT_MOST: Final = 4 * 1024 * 1024
"""Bytes of all bodies beyond `SMALL`; callers without room have to retry."""
ALTOGETHER_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all bodies: as many small ones as are read concurrently would be 32 MB."""
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


_FAULTS: Final = {
    BodyFault.TOO_LARGE: CallbackVerdict.TOO_LARGE,
    BodyFault.STALLED: CallbackVerdict.STALLED,
    BodyFault.CROWDED: CallbackVerdict.BUSY,
}


@dataclass(frozen=True)
class CallbackReply:
    """A status without a reason. `hang_up` also ends the connection."""

    status: int
    body: str
    hang_up: bool = False

    @classmethod
    def of(cls, verdict: CallbackVerdict) -> "CallbackReply":
        """A body that was not read must not be taken for the next request."""
        hang_up = verdict in (
            CallbackVerdict.STALLED,
            CallbackVerdict.TOO_LARGE,
            CallbackVerdict.WRONG_SEGMENT,
            CallbackVerdict.BUSY,
        )
        return cls(verdict.status, HTTPStatus(verdict.status).phrase, hang_up)


class CallbackReceiver:
    """Verifies callbacks, and signals their requests."""

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
        """The answer to a callback; `headers` have lower-case names."""
        return await self._answered(self._rules.judge(headers, body, self._clock()))

    async def answer(self, request: Request) -> Response:
        """The ASGI endpoint, with the segment in `path_params`."""
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
        """Verified at once, so that the body is freed before Temporal is called."""
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
        """One deadline for all signals of a callback."""
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
