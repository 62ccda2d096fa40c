"""Targets of the hand-off: calls are recorded, and forwarded to a developer's own receiver while it is named."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict, HttpUrl
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.http.errors import read_body
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.state import SandboxState

LEASE = 5.0
"""Seconds that a receiver is called after it was named."""
ANSWERS_WITHIN = 8.0
"""Seconds: callers hang up after ten."""
FORWARDED_AT_ONCE = 20
WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
FORWARDED_HEADERS = ("content-type", *WEBHOOK_HEADERS)
ANSWERED_HEADERS = ("retry-after", "webhook-delivery")


class ReceiverAddress(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: HttpUrl


@dataclass(frozen=True)
class ReceiverAnswer:
    """The receiver's answer, or `error`."""

    to: str
    status: int | None
    headers: Mapping[str, str]
    error: str | None = None


class HandOffTargets:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._receiver: str | None = None
        self._forwards_until = 0.0
        self._lanes = asyncio.Semaphore(FORWARDED_AT_ONCE)

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/targets/{name:path}", self.target, methods=["POST"]),
            Route("/_sandbox/forward", self.forward, methods=["POST", "DELETE"]),
        ]

    @property
    def receiver(self) -> str | None:
        return self._receiver if self._state.clock() < self._forwards_until else None

    async def target(self, request: Request) -> Response:
        """Recorded, and answered with 200 or as the receiver does."""
        raw = await request.body()
        text = raw.decode(errors="replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        headers = {name: request.headers[name] for name in WEBHOOK_HEADERS if name in request.headers}
        call = {"target": request.path_params["name"], "headers": headers, "body": body, "raw": text}
        if (receiver := self.receiver) is None:
            self._state.ledger.write(EntryType.DOWNSTREAM, **call)
            return JSONResponse({"received": True})
        answer = await self._call(receiver, raw, request.headers)
        forwarded = {"to": answer.to, "status": answer.status, "error": answer.error}
        self._state.ledger.write(EntryType.DOWNSTREAM, **call, forwarded=forwarded)
        return Response(status_code=answer.status or 502, headers=dict(answer.headers))

    async def forward(self, request: Request) -> Response:
        """POST `{to}` names the receiver for `LEASE` seconds, the last call wins, and returns the ledger's last
        number; DELETE ends it.
        """
        if request.method == "DELETE":
            self._receiver = None
            return Response(status_code=204)
        self._receiver = str((await read_body(request, ReceiverAddress)).to)
        self._forwards_until = self._state.clock() + LEASE
        return JSONResponse({"after": len(self._state.ledger.list_entries_after(0))}, 201)

    async def _call(self, receiver: str, body: bytes, received: Mapping[str, str]) -> ReceiverAnswer:
        headers = {name: received[name] for name in FORWARDED_HEADERS if name in received}
        try:
            async with (
                self._lanes,
                asyncio.timeout(ANSWERS_WITHIN),
                httpx.AsyncClient(timeout=ANSWERS_WITHIN, trust_env=False) as client,
                client.stream("POST", receiver, content=body, headers=headers) as answer,
            ):
                answered = {name: answer.headers[name] for name in ANSWERED_HEADERS if name in answer.headers}
                return ReceiverAnswer(receiver, answer.status_code, answered)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as problem:
            return ReceiverAnswer(receiver, None, {}, type(problem).__name__)
