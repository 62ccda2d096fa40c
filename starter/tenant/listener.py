"""Receives the callbacks of a trial at the address of the web process. Those of other documents are answered 500: Core
Signature repeats them, to the web process.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from starter.config.settings import WebhookSettings
from starter.tenant.recording import Recorder
from starter.web.http.serving import listening
from starter.web.receivers.callbacks import Callback, CallbackRules, CallbackVerdict, event_hash

TEST_SECRET: Final = "YOUR_TOKEN_HERE"  # noqa: S105  of the published test vector
"""Signs the callbacks that are kept, so that nothing can be guessed from a hash by a secret of ours."""


@dataclass
class Listener:
    """Records callbacks about the trial's documents; the first is answered 500, to see its repetition."""

    recorder: Recorder
    settings: WebhookSettings
    _first: str = ""
    _is_repeated: bool = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Raises `CannotListen`."""
        app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["POST"])])
        async with listening(app, self.settings.bind):
            yield

    async def has_repetition(self) -> bool:
        """Whether the callback that was answered 500 has come again."""
        return self._is_repeated

    async def answer(self, request: Request) -> Response:
        content = await request.body()
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or not self.recorder.is_own(body):
            return Response(status_code=500)
        event, status = str(body.get("uuid")), 200 if self._first else 500
        self._is_repeated |= event == self._first
        self._first = self._first or event
        self._record(dict(request.headers), content, body, status)
        return Response(status_code=status)

    def _record(self, headers: dict[str, str], content: bytes, body: dict[str, Any], status: int) -> None:
        secrets, time_and_type = self.settings.secrets, (str(body.get("event_time")), str(body.get("event_type")))
        rules = CallbackRules(secrets, self.settings.max_age, unsigned=self.settings.mode == "none")
        sent = self.recorder.scrubber.scrub(body)
        if signature := body.get("event_hash"):
            is_ours = any(signature == event_hash(secret.get_secret_value(), *time_and_type) for secret in secrets)
            sent["event_hash"] = event_hash(TEST_SECRET, *time_and_type) if is_ours else "0" * 64
        verdict = judge_callback(rules, headers, content, datetime.now(UTC))
        self.recorder.record("callback", method="POST", sent=sent, status=status, body={"verdict": verdict})


def judge_callback(rules: CallbackRules, headers: dict[str, str], content: bytes, now: datetime) -> str:
    """What our web process makes of a callback: `taken`, or the reason why not."""
    verdict = rules.judge(headers, content, now)
    if isinstance(verdict, CallbackVerdict):
        return verdict.reason
    return "taken" if isinstance(verdict, Callback) else CallbackVerdict.CLOCK_BEHIND.reason
