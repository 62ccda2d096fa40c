"""Forwards hand-off calls of the laptop stack to a developer's receiver: the sandbox takes them, and forwards them
while the lease is renewed each second.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from activities.http.client import make_client
from starter.config.environment import DevStack
from starter.config.settings import Settings
from starter.errors import Refusal
from workflows.model.base import Model

EVERY: Final = 1.0
"""Seconds between two reads of the ledger."""
_DOWNSTREAM: Final = "downstream"


class Call(Model):
    """A hand-off call with the receiver's answer, or `error`."""

    at: str
    target: str
    type: str
    webhook_id: str
    signed: bool
    status: int | None
    error: str | None
    body: Any

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Call":
        """From a ledger entry."""
        body, headers, became = entry["body"], entry["headers"], entry.get("forwarded") or {}
        return cls(
            at=entry["at"],
            target=entry["target"],
            type=str(body.get("type", "")) if isinstance(body, dict) else "",
            webhook_id=headers.get("webhook-id", ""),
            signed="webhook-signature" in headers,
            status=became.get("status"),
            error=became.get("error") if became else "not forwarded",
            body=body,
        )

    @property
    def taken(self) -> bool:
        """Whether the receiver accepted it."""
        return self.status is not None and 200 <= self.status < 300


def stack_of(settings: Settings) -> DevStack:
    """The selected laptop stack; raises `Refusal`."""
    if settings.around.dev is None:
        why = settings.around.passed_over or "start `countersign dev`, or name its folder: `countersign --dev FOLDER …`"
        raise Refusal(f"hand-off calls are forwarded on the laptop stack only: {why}")
    return settings.around.dev


def secrets_of(stack: DevStack) -> Mapping[str, str]:
    """The secret of each target that this stack signs."""
    listed = stack.env.get("COUNTERSIGN_HANDOFF_SECRETS", "")
    return dict(one.split("=", 1) for one in listed.split(",") if "=" in one)


@asynccontextmanager
async def forwarding(stack: DevStack, to: str, stop: asyncio.Event) -> AsyncIterator[AsyncIterator[Call]]:
    """Forward calls until `stop` is set, yielding each once answered."""
    async with make_client() as client:
        sandbox = _Sandbox(client, stack.sandbox)
        after = await sandbox.want(to)
        try:
            yield _calls(sandbox, to, after, stop)
        finally:
            await sandbox.end()


async def _calls(sandbox: "_Sandbox", to: str, after: int, stop: asyncio.Event) -> AsyncIterator[Call]:
    while not stop.is_set():
        await _rest(stop)
        for entry in await sandbox.ledger(after):
            after = entry["n"]
            if entry["type"] == _DOWNSTREAM:
                yield Call.of(entry)
        await sandbox.want(to)


async def _rest(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), EVERY)
    except TimeoutError:
        return


class _Sandbox:
    """The sandbox's control API; raises `Refusal`."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self._client = client
        self._base = f"{base}/_sandbox"

    async def want(self, to: str) -> int:
        """Renew the lease; the ledger's last number."""
        answer = await self._ask("POST", "/forward", {"to": to})
        if answer.status_code >= 400:
            raise Refusal(f"{to} is no address that calls could be forwarded to, such as http://127.0.0.1:3000/hooks")
        after: int = answer.json()["after"]
        return after

    async def ledger(self, after: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._ask("GET", f"/ledger?after={after}")).json()
        return found

    async def end(self) -> None:
        """End the lease."""
        try:
            await self._client.request("DELETE", f"{self._base}/forward")
        except httpx.HTTPError:
            return

    async def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            return await self._client.request(method, f"{self._base}{path}", json=body)
        except httpx.HTTPError as error:
            raise Refusal("the laptop stack has ended: its sandbox gives no answer") from error
