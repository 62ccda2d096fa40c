"""Signed HTTP calls (webhooks) to hand-off targets, by Standard Webhooks 1.0.0."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import httpx
from pydantic import SecretStr
from standardwebhooks import Webhook

from activities.hand_off.events import CONTENT_TYPES
from activities.http.addresses import AddressRefused, Guard
from activities.http.client import failure_of_error, seconds_to_wait
from activities.schedule.turn import jitter
from workflows.model.hand_off import HandoffResult
from workflows.model.policy import Target

DEADLINE: Final = 10.0
"""Seconds for a whole call, name resolution included."""
CALLS_AT_ONCE: Final = 10
"""Concurrent calls of one target at one host: a hanging target holds up only its own calls."""
CONNECTIONS_AT_ONCE: Final = 200
"""Connections to all targets together: twenty targets may hang before others are affected."""
PATIENCE: Final = 5.0
"""Seconds for which a call waits for a free place at its target."""
HELD_FOR: Final = 300.0
"""Minimum seconds before a call without a place is retried, at most twice as many, so that held calls do not all return
at once.
"""
_GONE: Final = 410
_CONTROL: Final = "webhook-delivery"
"""Response header by which a receiver controls further calls. Proposed for Standard Webhooks
(standard-webhooks/standard-webhooks#291), not in 1.0.0; some senders already use it.
"""
_DISABLE: Final = "disable"
_WISHES: Final = {
    "abort-message": "and it wants no further attempt (webhook-delivery: abort-message)",
    _DISABLE: "it wants no more calls (webhook-delivery: disable)",
}


@dataclass(frozen=True)
class HttpTargetsConfig:
    """Signing `secrets` by target name, several during a rotation."""

    secrets: Mapping[str, Sequence[SecretStr]] = field(default_factory=dict)


def _now() -> float:
    return asyncio.get_running_loop().time()


def wall_clock() -> datetime:
    """Time of sending, signed; the receiver compares it with its own clock. Never a business time."""
    return datetime.now(UTC)


class _Places:
    """Limits concurrent calls to one target. While the target is slow, no call waits for a free place."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(CALLS_AT_ONCE)
        self._late = False

    async def acquire(self) -> bool:
        """Take a place; False if none became free in time."""
        try:
            async with asyncio.timeout(0 if self._late else PATIENCE):
                return await self._free.acquire()
        except TimeoutError:
            return False

    def release(self, seconds: float) -> None:
        """Release a place after a call that took `seconds`."""
        self._late = seconds >= PATIENCE
        self._free.release()


class HttpTargets:
    """Calls the URL of a target. Does not follow redirects; reads only status and headers of the response."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        config: HttpTargetsConfig,
        guard: Guard,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._client = client
        self._secrets = config.secrets
        self._guard = guard
        self._now = now
        self._places = WeakValueDictionary[tuple[str, str], _Places]()

    async def call(self, target: Target, id: str, payload: Mapping[str, object]) -> HandoffResult:
        """POST `payload` under this `webhook-id`. 2xx is done, 410 gone, else retry unless the response forbids it;
        refused addresses are retried too. Held without a free place.
        """
        host = urlsplit(target.url or "").netloc
        places = self._places.setdefault((target.name, host), _Places())
        if not await places.acquire():
            return _held(target, id, "as many calls as it gets at once wait for its answer")
        began = _now()
        try:
            return await self._call(target, id, payload)
        finally:
            places.release(_now() - began)

    async def _call(self, target: Target, id: str, payload: Mapping[str, object]) -> HandoffResult:
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._post(target, self._headers(target, id, body), body.encode())
        except AddressRefused as refusal:
            return HandoffResult(target=target.target, ok=False, why=f"address refused: {refusal}")
        except httpx.PoolTimeout:
            return _held(target, id, "as many calls as are made at once wait for an answer")
        except httpx.HTTPError as error:
            return HandoffResult(target=target.target, ok=False, why=failure_of_error(target.target, error).says)
        except OSError:  # also a time-out
            return HandoffResult(target=target.target, ok=False, why="no answer")

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> HandoffResult:
        to = await self._guard.check(target.url or "")
        async with self._client.stream(
            "POST",
            to.url,
            headers={**headers, "host": to.host_header, "connection": "close"},
            content=body,
            follow_redirects=False,
            extensions={"sni_hostname": to.host},
        ) as answer:
            return self._result(target.target, answer)

    def _headers(self, target: Target, id: str, body: str) -> dict[str, str]:
        sent_at = self._now()
        headers = {
            "content-type": CONTENT_TYPES[target.format],
            "webhook-id": id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
        }
        signatures = [
            Webhook(secret.get_secret_value()).sign(msg_id=id, timestamp=sent_at, data=body)
            for secret in self._secrets.get(target.name, ())
        ]
        return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})

    def _result(self, target: str, answer: httpx.Response) -> HandoffResult:
        wish = answer.headers.get(_CONTROL, "").strip().lower()
        why = _WISHES.get(wish)
        disabled = wish == _DISABLE or answer.status_code == _GONE
        if answer.is_success:
            return HandoffResult(target=target, ok=True, disabled=disabled, why=why if disabled else None)
        return HandoffResult(
            target=target,
            ok=False,
            gone=answer.status_code == _GONE or wish in _WISHES,
            disabled=disabled,
            why=", ".join(filter(None, (f"HTTP {answer.status_code}", why))),
            retry_after=seconds_to_wait(answer.headers.get("retry-after"), self._now()) or 0,
        )


def _held(target: Target, id: str, why: str) -> HandoffResult:
    wait = HELD_FOR + jitter(id, target.name, timedelta(seconds=HELD_FOR)).total_seconds()
    return HandoffResult(target=target.target, ok=False, held=True, why=f"not called yet: {why}", retry_after=wait)
