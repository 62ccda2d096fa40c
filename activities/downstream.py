"""Signed HTTP calls to other people's systems, as Standard Webhooks 1.0.0 wants them."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx
from pydantic import SecretStr
from standardwebhooks import Webhook

from activities.events import CONTENT_TYPES
from activities.http.addresses import AddressRefused, Guard
from activities.http.calling import failure_of_error, seconds_to_wait
from workflows.model.policy import Target
from workflows.model.settlement import HandoffResult

DEADLINE: Final = 10.0
"""Seconds for one whole call, name resolution included."""
_GONE: Final = 410
_CONTROL: Final = "webhook-delivery"
"""By this header of an answer a receiver says what is to become of further calls. Proposed for Standard Webhooks
(standard-webhooks/standard-webhooks#291) and not in its 1.0.0; others send by it already."""
_DISABLE: Final = "disable"
_WISHES: Final = {
    "abort-message": "and it wants no further attempt (webhook-delivery: abort-message)",
    _DISABLE: "it wants no more calls (webhook-delivery: disable)",
}


@dataclass(frozen=True)
class DownstreamConfig:
    """`secrets` per target name, several while one is rotated."""

    secrets: Mapping[str, Sequence[SecretStr]] = field(default_factory=dict)


def wall_clock() -> datetime:
    """The instant of sending, which the receiver compares with its own clock; never a time of the business."""
    return datetime.now(UTC)


class Downstream:
    """Calls the URL of a target; redirects are not followed, and of the answer only status and headers are read."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        config: DownstreamConfig,
        guard: Guard,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._client = client
        self._secrets = config.secrets
        self._guard = guard
        self._now = now

    async def call(self, target: Target, id: str, payload: Mapping[str, object]) -> HandoffResult:
        """Post `payload` under this `webhook_id`: 2xx is done, 410 is gone, else retry, unless the answer forbids it.

        A refused address is asked for again as well: names move, and a host may be listed by then.
        """
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._post(target, self._headers(target, id, body), body.encode())
        except AddressRefused as refusal:
            return HandoffResult(target=target.target, ok=False, why=f"address refused: {refusal}")
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
