"""What a tenant answered to a trial, scrubbed before it is kept: judged by facts.py, and played to our client by `make
test TENANT=folder`.
"""

import json
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import Field

from starter.errors import Refusal
from starter.tenant.scrubbing import FOREIGN, Scrubber
from workflows.model.base import Model

ANSWERS: Final = "answers.json"
EXCHANGES_AT_MOST: Final = 2_000
"""Calls of one trial, those of a long wait for its signer included."""
ANSWER_AT_MOST: Final = 1_000_000
"""Bytes of an answer that is kept; of a larger one only its size."""
_KEPT_OF_FOREIGN_ITEMS: Final = ("uuid", "status", "event_type", "timestamp")


class HttpExchange(Model):
    """One call and its answer, so many seconds after the trial began; a callback is a call to us. `status` is None
    without an answer.
    """

    step: str
    service: str
    method: str = "GET"
    path: str = "/"
    query: Mapping[str, str] = Field(default_factory=dict)
    sent: Any = None
    status: int | None = None
    body: Any = None
    seconds: float = 0

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def answer(self) -> Mapping[str, Any]:
        """The answer's object, empty if it is none."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def results(self) -> list[dict[str, Any]]:
        """The items of a list."""
        items = self.answer.get("results")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


class Recording(Model):
    """All that a trial has seen; `settings` are those of its client, without secrets."""

    settings: Mapping[str, Any] = Field(default_factory=dict)
    exchanges: tuple[HttpExchange, ...] = ()

    def calls(self, service: str, step: str = "", method: str = "") -> list[HttpExchange]:
        calls = (call for call in self.exchanges if call.service == service)
        return [call for call in calls if step in ("", call.step) and method in ("", call.method)]

    def write(self, folder: Path) -> None:
        content = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1)
        (folder / ANSWERS).write_text(content + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Recording":
        """Raises `Refusal`."""
        try:
            return cls.model_validate_json((folder / ANSWERS).read_bytes())
        except (OSError, ValueError) as error:
            raise Refusal(f"{folder}: no {ANSWERS} of `countersign tenant try` ({type(error).__name__})") from None


@dataclass
class Recorder:
    """Records each exchange under the current step. `own_ids` are uuids and ids of the trial's documents, in lower
    case. Of calls to `token_urls` neither path nor request is kept.
    """

    token_urls: frozenset[str] = frozenset()
    scrubber: Scrubber = field(default_factory=Scrubber)
    step: str = ""
    exchanges: list[HttpExchange] = field(default_factory=list)
    own_ids: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)

    def record(self, service: str, **parts: Any) -> None:
        if len(self.exchanges) < EXCHANGES_AT_MOST:
            seconds = round(time.monotonic() - self._began, 2)
            self.exchanges.append(HttpExchange(step=self.step, service=service, seconds=seconds, **parts))

    def record_call(self, service: str, request: httpx.Request, response: httpx.Response | None) -> None:
        parts: dict[str, Any] = {"status": None, "body": None, "method": request.method}
        if response is not None:
            parts = {**parts, "status": response.status_code, "body": self._scrub_answer(response.content)}
        if request.url.path.endswith("/token") or str(request.url) in self.token_urls:
            self.record("token", path="/token", **parts)
        else:
            query = {name: self.scrubber.scrub_text(text, name) for name, text in request.url.params.items()}
            path, sent = self.scrubber.scrub_path(request.url.path), self._scrub_request(request.content)
            self.record(service, path=path, query=query, sent=sent, **parts)

    def is_own(self, item: Mapping[str, Any]) -> bool:
        """Whether an item of a list, or a callback, is about a document of the trial."""
        document = item.get("document")
        reference = document if isinstance(document, dict) else {"url": document}
        names = (str(part.get(key)) for part in (item, reference) for key in ("uuid", "external_id", "url"))
        return any(name.rstrip("/").rpartition("/")[2].lower() in self.own_ids for name in names)

    def _scrub_request(self, content: bytes) -> Any:
        try:
            body = json.loads(content)
        except ValueError:
            return None
        if isinstance(body, dict):
            body.pop("file_from_content", None)
        return self.scrubber.scrub(body)

    def _scrub_answer(self, content: bytes) -> Any:
        try:
            body = json.loads(content[: ANSWER_AT_MOST + 1]) if content else None
        except (ValueError, RecursionError):
            return f"{len(content)} bytes"
        if isinstance(body, dict) and isinstance(body.get("results"), list):
            body["results"] = [self._without_foreign(item) for item in body["results"] if isinstance(item, dict)]
        return self.scrubber.scrub(body)

    def _without_foreign(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.is_own(item):
            return item
        return {key: item[key] for key in _KEPT_OF_FOREIGN_ITEMS if key in item} | {"external_id": FOREIGN}


@dataclass
class RecordingTransport(httpx.AsyncBaseTransport):
    """A transport whose exchanges are recorded."""

    network: httpx.AsyncBaseTransport
    recorder: Recorder
    service: str

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        try:
            async with aclosing(await self.network.handle_async_request(request)) as response:
                await response.aread()
        except httpx.HTTPError:
            self.recorder.record_call(self.service, request, None)
            raise
        self.recorder.record_call(self.service, request, response)
        return response

    async def aclose(self) -> None:
        await self.network.aclose()
