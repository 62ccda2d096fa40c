"""Forwards hand-off calls to a developer's receiver, whose answer the caller gets, while the listener (`countersign
handoff listen`) renews its lease.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from deploy.sandbox.settings import Clock

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
