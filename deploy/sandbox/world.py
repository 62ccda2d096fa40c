"""The parts of one sandbox."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx

from deploy.sandbox.core_signature.callbacks import Callbacks
from deploy.sandbox.core_signature.service import Lifecycle, Signing
from deploy.sandbox.core_signature.views import Views
from deploy.sandbox.http.oauth import DownloadLinks, Tokens
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.state.faults import FaultBook
from deploy.sandbox.state.memory import Memory
from deploy.sandbox.state.settings import Clock, SandboxSettings
from deploy.sandbox.state.state import JobQueue

LEASE = 5.0
"""Seconds of a lease."""
ANSWERS_WITHIN = 8.0
"""Seconds: callers hang up after ten."""
FORWARDED_AT_ONCE = 20
TOLD_HEADERS = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")
ANSWERED_HEADERS = ("retry-after", "webhook-delivery")


@dataclass(frozen=True)
class Forwarded:
    """The receiver's answer, or `error`."""

    to: str
    status: int | None
    headers: Mapping[str, str]
    error: str | None = None


class Forwarding:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._to: str | None = None
        self._until = 0.0
        self._places = asyncio.Semaphore(FORWARDED_AT_ONCE)

    @property
    def to(self) -> str | None:
        return self._to if self._clock() < self._until else None

    def want(self, to: str) -> None:
        """For `LEASE`; the last call wins."""
        self._to, self._until = to, self._clock() + LEASE

    def end(self) -> None:
        self._to = None

    async def forward(self, body: bytes, headers: Mapping[str, str]) -> Forwarded | None:
        """None without a receiver."""
        to = self.to
        if to is None:
            return None
        told = {name: headers[name] for name in TOLD_HEADERS if name in headers}
        try:
            async with self._places, asyncio.timeout(ANSWERS_WITHIN):
                return await _post(to, body, told)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as trouble:
            return Forwarded(to, None, {}, type(trouble).__name__)


async def _post(to: str, body: bytes, headers: Mapping[str, str]) -> Forwarded:
    async with (
        httpx.AsyncClient(timeout=ANSWERS_WITHIN, trust_env=False) as client,
        client.stream("POST", to, content=body, headers=headers) as answer,
    ):
        answered = {name: answer.headers[name] for name in ANSWERED_HEADERS if name in answer.headers}
        return Forwarded(to, answer.status_code, answered)


class World:
    """Runs only inside `alive()`."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.memory = Memory(settings.data, settings.clock)
        self.ledger = self.memory.ledger
        self.faults = FaultBook()
        self.forwarding = Forwarding(settings.clock)
        self.schedule = JobQueue(settings.clock)
        self.links = DownloadLinks(settings.client_secret, settings.link_lifetime, settings.clock)
        self.signature_tokens = Tokens("signature", settings.client_id, settings.client_secret, settings)
        self.push_tokens = Tokens("push", settings.push_client_id, settings.push_client_secret, settings)
        self.views = Views(settings, self.memory, self.links)
        self.message_state = "Sent"
        """What cloud messaging says of every job: `Sent`, `Error`, or `Pending` for one that never ends."""
        self.mailroom = Mailroom(self.memory, settings.clock)
        self.callbacks = Callbacks(settings, self.memory, self.views, self.schedule, self.faults)
        self.signing = Signing(settings, self.memory, self.callbacks, self.mailroom)
        self.lifecycle = Lifecycle(
            settings, self.memory, self.callbacks, self.mailroom, self.schedule, when_converted=self.signing.send
        )
        self.signing.lifecycle = self.lifecycle

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        self.lifecycle.resume()
        self.callbacks.resume()
        ticking = asyncio.create_task(self.schedule.run())
        try:
            yield
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            await self.callbacks.close()
            self.memory.close()
