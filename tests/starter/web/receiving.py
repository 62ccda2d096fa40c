"""Callbacks as Core Signature makes them, and a receiver that records what it would signal."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr
from starlette.requests import Request

from starter.web.receivers.callbacks import (
    CallbackReceiver,
    CallbackRules,
    ClockBehind,
    NoteClock,
    SignalNotConfirmed,
    SignalPort,
    SignalResult,
    event_hash,
)
from workflows.model.signature import ProviderEvent

SECRET: Final = "YOUR_TOKEN_HERE"
OLDER_SECRET: Final = "the secret before"
SEGMENT: Final = "s" * 32
PATH: Final = f"/callbacks/core-signature/{SEGMENT}"
NOW: Final = datetime(2026, 11, 9, 10, 0, tzinfo=UTC)
JSON: Final = {"content-type": "application/json"}
EVENT_UUID: Final = "0e9c41f2-6f2a-4d0c-b1a7-3b2d0c9a5e11"


def format_epoch(instant: datetime) -> str:
    """Whole seconds since the epoch, as callbacks write them."""
    return str(int(instant.timestamp()))


def make_callback(*, secret: str = SECRET, **changes: Any) -> dict[str, Any]:
    """A genuine callback with some of its fields changed before it was signed; `...` takes a field away."""
    body: dict[str, Any] = {
        "uuid": EVENT_UUID,
        "status": "ok",
        "event_type": "signed",
        "timestamp": NOW.isoformat(),
        "team": {"name": "acme"},
        "document": {"uuid": "d-1", "external_id": "msa-0042", "status": "si", "pages": [1, 2.5, None]},
        "signer": None,
        "token_name": "countersign",
        "event_time": format_epoch(NOW),
        "unheard_of": {"core_region": 7},
    } | changes
    genuine = event_hash(secret, str(body["event_time"]), str(body["event_type"]))
    return {name: value for name, value in ({"event_hash": genuine} | body).items() if value is not ...}


def encode_body(body: Mapping[str, Any]) -> bytes:
    """The body as it goes over the wire."""
    return json.dumps(body).encode()


@dataclass
class RecordingSignals:
    """Takes signals in place of Temporal; `receipt` None means that nobody confirms."""

    receipt: SignalResult | None = SignalResult.TAKEN
    is_reachable: bool = True
    delivered: list[tuple[str, ProviderEvent]] = field(default_factory=list)
    knows: str = ""
    """The only request that is not unknown, where the receipt says that they are."""
    sweeps: int = 0
    gate: asyncio.Event | None = None
    waiting: int = 0
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for_event(self, event_type: str) -> set[str]:
        """Wait for a signal of this type; the requests that were signalled so far."""
        while event_type not in {event.type for _, event in self.delivered}:
            self.progress.clear()
            await self.progress.wait()
        return {request for request, _ in self.delivered}

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        """Write down what was signalled to whom."""
        self.waiting += 1
        self.progress.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.receipt is None:
            raise SignalNotConfirmed("nobody is there")
        receipt = SignalResult.TAKEN if request == self.knows else self.receipt
        if receipt is SignalResult.TAKEN:
            self.delivered.append((request, event))
            self.progress.set()
        return receipt

    async def reconcile(self) -> None:
        """Count it."""
        self.sweeps += 1

    async def reachable(self) -> bool:
        """As told."""
        return self.is_reachable


@dataclass
class StallingRequests:
    """Requests that send a piece of a body and then nothing until the gate is open; and others that are whole."""

    path_params: dict[str, str]
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    host: str = "127.0.0.1"
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def make_stalling_request(self, piece: bytes) -> Request:
        """One that stalls behind this piece."""
        return self._request([piece], ends=False)

    def make_whole_request(self, body: bytes) -> Request:
        """One that does not."""
        return self._request([body], ends=True)

    async def wait_until_stalled(self, count: int) -> None:
        """Wait until so many stall."""
        for _ in range(count):
            await self.waiting.acquire()

    def _request(self, pieces: list[bytes], *, ends: bool) -> Request:
        async def receive() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": not ends}
            self.waiting.release()
            await self.gate.wait()
            return {"type": "http.request"}

        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        client = (self.host, 1024)
        scope = {"type": "http", "method": "POST", "headers": headers, "path_params": self.path_params}
        return Request({**scope, "client": client}, receive)


def receiver(
    signals: SignalPort,
    *,
    unsigned: bool = False,
    adopted: bool = False,
    secrets: tuple[str, ...] = (SECRET, OLDER_SECRET),
    body_seconds: float = 5.0,
    signal_seconds: float = 3.0,
    clock: Callable[[], datetime] = lambda: NOW,
    note: NoteClock | None = None,
) -> CallbackReceiver:
    """A receiver whose clock stands at `NOW` unless told otherwise."""
    rules = CallbackRules(tuple(map(SecretStr, secrets)), timedelta(hours=24), unsigned, adopted)
    return CallbackReceiver(
        rules,
        SecretStr(SEGMENT),
        signals,
        clock=clock,
        behind=ClockBehind(note) if note else None,
        body_seconds=body_seconds,
        signal_seconds=signal_seconds,
    )
