"""Receives the callbacks of a trial where the web process would listen. Those of other documents are answered 500: Core
Signature sends them again, then to the web process.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from starter.config.settings import WebhookSettings
from starter.tenant.recording import RecordedCallback, Recorder
from starter.web.callbacks import MOST_BYTES, Callback, CallbackRules, CallbackVerdict, event_hash
from starter.web.serving import listening

TEST_SECRET: Final = "YOUR_TOKEN_HERE"  # noqa: S105  of the published test vector
"""Signs the callbacks that are kept: ours is not in the folder, and nothing can be guessed from a hash of it."""
CALLBACKS_AT_MOST: Final = 200
"""Callbacks that are kept of one trial."""


@dataclass
class Listener:
    """Notes callbacks about the trial's documents; the first is answered 500, to see its repetition."""

    recorder: Recorder
    settings: WebhookSettings
    began: float = field(default_factory=time.monotonic)
    callbacks: list[RecordedCallback] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listens at the address of the web process; raises `CannotListen`."""
        app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["POST"])])
        async with listening(app, self.settings.bind, proxies=self.settings.proxies) as url:
            yield url

    @property
    def repeats(self) -> bool:
        """Whether the one that was answered 500 has come again."""
        first = [one for one in self.callbacks if one.answered == 500]
        return any(one is not other and _event(one) == _event(other) for one in first for other in self.callbacks)

    async def answer(self, request: Request) -> Response:
        content = await request.body()
        body = _parsed(content)
        if body is None or not self._is_ours(body):
            return PlainTextResponse("not of this trial", 500)
        status = 200 if self.callbacks else 500
        if len(self.callbacks) < CALLBACKS_AT_MOST:
            self.callbacks.append(self._seen(dict(request.headers), content, body, status))
        return PlainTextResponse("ok", status)

    def _is_ours(self, body: dict[str, Any]) -> bool:
        document = body.get("document")
        about = document if isinstance(document, dict) else {"url": document}
        names = {
            str(about.get(name, "")).rstrip("/").rpartition("/")[2].lower() for name in ("uuid", "external_id", "url")
        }
        return bool(names & self.recorder.made)

    def _seen(self, headers: dict[str, str], content: bytes, body: dict[str, Any], status: int) -> RecordedCallback:
        unsigned = self.settings.mode == "none"
        rules = CallbackRules(self.settings.secrets, self.settings.max_age, unsigned=unsigned)
        hash = hash_of(body, self.settings.secrets)
        kept = self.recorder.scrubber.value(body)
        if hash != "none":
            kept["event_hash"] = _sealed(body) if hash == "ours" else "0" * 64
        return RecordedCallback(
            seconds=round(time.monotonic() - self.began, 3),
            hash=hash,
            judged=judged(rules, headers, content, datetime.now(UTC)),
            answered=status,
            body=kept,
        )


def judged(rules: CallbackRules, headers: dict[str, str], content: bytes, now: datetime) -> str:
    """What our web process would make of a callback: `taken`, or why not."""
    found = rules.judge(headers, content, now)
    if isinstance(found, CallbackVerdict):
        return found.reason
    return "taken" if isinstance(found, Callback) else CallbackVerdict.CLOCK_BEHIND.reason


def hash_of(body: dict[str, Any], secrets: tuple[SecretStr, ...]) -> str:
    """`ours`, `unknown` or `none`."""
    told = body.get("event_hash")
    if not told:
        return "none"
    time_, type_ = str(body.get("event_time")), str(body.get("event_type"))
    return "ours" if any(told == event_hash(one.get_secret_value(), time_, type_) for one in secrets) else "unknown"


def _sealed(body: dict[str, Any]) -> str:
    return event_hash(TEST_SECRET, str(body.get("event_time")), str(body.get("event_type")))


def _parsed(content: bytes) -> dict[str, Any] | None:
    if len(content) > MOST_BYTES:
        return None
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _event(callback: RecordedCallback) -> object:
    return callback.body.get("uuid")
