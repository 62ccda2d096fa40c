"""What a tenant answered, without names, addresses, tokens, hosts and signed links: kept in a folder, judged by
facts.py, played to our client by tests/tenant. Scrubbed before it is kept, so that nothing else is ever written.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import Field

from starter.errors import Refusal
from workflows.model.base import Model

ANSWERS: Final = "answers.json"
REPORT: Final = "report.md"
EXCHANGES_AT_MOST: Final = 2_000
"""Calls of one trial, those of a long wait for its signer included."""
ITEMS_AT_MOST: Final = 100
"""Items kept of one list."""
ANSWER_AT_MOST: Final = 1_000_000
"""Bytes of an answer that is kept; of a larger one only its size."""
HOST: Final = "sign.example.test"
"""Stands for the host of Core Signature."""
FOREIGN: Final = "other"
"""Stands for the id of a document that the trial has not made."""


class Exchange(Model):
    """One call and its answer. `status` is None without an answer."""

    step: str
    service: str
    method: str
    path: str
    query: Mapping[str, str] = Field(default_factory=dict)
    sent: Any = None
    status: int | None = None
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: Any = None
    seconds: float = 0

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def told(self) -> Mapping[str, Any]:
        """The answer's object, empty if it is none."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def results(self) -> list[dict[str, Any]]:
        """The items of a list."""
        found = self.told.get("results")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class RecordedCallback(Model):
    """A callback that has come. `hash` is `ours` (by one of our secrets), `unknown` or `none`; `judged` is what our web
    process would have answered.
    """

    seconds: float
    """Since the trial began."""
    hash: str
    judged: str
    answered: int
    body: Any


class TrialDownload(Model):
    """A signed file that was fetched; `intact` if its SHA-256 is the one that the document says."""

    what: str
    scheme: str
    host: str
    status: int | None
    size: int = 0
    pdf: bool = False
    intact: bool = False


class Recording(Model):
    """All that a trial has seen; `settings` are those that its client went by, without secrets."""

    settings: Mapping[str, Any] = Field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()
    callbacks: tuple[RecordedCallback, ...] = ()
    downloads: tuple[TrialDownload, ...] = ()
    listed_after: float | None = None
    """Seconds until lists had a new document."""
    listens: str = ""
    """Where callbacks were to arrive: `here`, at the `web process`, or nowhere."""
    human: str = ""
    """What the signer did: signed, declined, or nothing in time."""

    def of(self, step: str, method: str = "", service: str = "core") -> list[Exchange]:
        found = (one for one in self.exchanges if one.step == step and one.service == service)
        return [one for one in found if method in ("", one.method)]

    def core(self) -> list[Exchange]:
        return [one for one in self.exchanges if one.service == "core"]

    @property
    def documents(self) -> list[Exchange]:
        """Readings of single documents that were answered."""
        return [
            one for one in self.core() if one.ok and one.method == "GET" and re.search(r"/documents/[^/]+/$", one.path)
        ]

    def write(self, folder: Path) -> None:
        content = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1)
        (folder / ANSWERS).write_text(content + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Recording":
        """Raises `Refusal`."""
        try:
            return cls.model_validate_json((folder / ANSWERS).read_bytes())
        except (OSError, ValueError) as error:
            raise Refusal(
                f"{folder}: no answers of `countersign tenant try` are there ({type(error).__name__})"
            ) from None


_WORDS: Final = frozenset(
    (
        *("status", "event_type", "who", "language", "detail", "token_type", "error", "code", "channel", "state"),
        *(
            "cancelled",
            "event_time",
            "page",
            "limit",
            "grant_type",
            "errorCode",
            "@type",
            "key",
            "job_state",
            "priority",
            "action",
            "stage",
        ),
    )
)
"""Keys whose values are words of the service, not of people."""
_WORD: Final = re.compile(r"[A-Za-z0-9_.,:;'()/@\"\- ]{0,200}")
_SECRET: Final = re.compile(r"token$|secret|password|assertion|^fid$|api_?key", re.IGNORECASE)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMAIL: Final = re.compile(r"[^\s<>(),;:\"'@]+@[^\s<>(),;:\"'@]+")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_NAME: Final = re.compile(r"[A-Za-z_@$][\w.$-]{0,60}")
_ACTION: Final = re.compile(r"[a-z_-]{1,60}")
_RESOURCES: Final = frozenset(
    (
        *("api", "v1", "documents", "signature-requests", "signrequests", "events", "webhooks", "teams", "docs"),
        *("projects", "messages:send", "deployments", "notifications", "fcm-push"),
        *("mra", "outbound", "emails", "sms", "status"),
    )
)
"""Parts of paths that are the same at every tenant."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_API: Final = "/api/v1/"
_FOREIGN_KEPT: Final = ("uuid", "status", "event_type", "timestamp", "delivered")
_LARGE_NUMBER: Final = 10**7


@dataclass
class Scrubber:
    """Replaces what must not be kept, the same by the same. `ours` are texts that the trial has made itself and keeps;
    `host` is Core Signature's.
    """

    host: str
    ours: set[str] = field(default_factory=lambda: {FOREIGN})
    _stands_for: dict[str, str] = field(default_factory=dict)

    def value(self, value: Any, key: str = "") -> Any:
        """Any JSON value; a text under an unknown key is replaced, whatever it is."""
        if isinstance(value, dict):
            return {self._key(str(name)): self.value(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, key) for inner in value[:ITEMS_AT_MOST]]
        if isinstance(value, str):
            return self.text(value, key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _LARGE_NUMBER:
            return 0
        return value

    def text(self, text: str, key: str = "") -> str:
        if not text or text in self.ours or (text.isdecimal() and len(text) <= 2):
            return text
        if _SECRET.search(key):
            return self._instead("secret", text)
        return self._by_form(text) or self._by_key(text, key)

    def _by_form(self, text: str) -> str:
        if _UUID.fullmatch(text):
            return self.uuid(text)
        if _ADDRESS.match(text) or (text.startswith("/") and _API in text):
            return self.address(text)
        return text if _INSTANT.fullmatch(text) or _HASH.fullmatch(text) else ""

    def _by_key(self, text: str, key: str) -> str:
        if key in _WORDS and _WORD.fullmatch(text):
            return self._sentence(text)
        if _EMAIL.fullmatch(text):
            return f"{self._instead('person', text.casefold())}@example.test"
        return self._instead("text", text)

    def uuid(self, text: str) -> str:
        number = int(self._instead("", text.lower()).lstrip("-"))
        return f"00000000-0000-4000-8000-{number:012d}"

    def address(self, url: str) -> str:
        """An API address keeps its path, any other address only whose host it is."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{self.host_of(url)}" if parts.scheme else ""
        if parts.path.startswith(_API) and _API.strip("/") in parts.path:
            return base + self.path(parts.path) + ("?…" if parts.query else "")
        return f"{base}/{self._instead('link', parts.path + parts.query)}"

    def host_of(self, url: str) -> str:
        """What stands for its host: the API's, one below it, or another."""
        try:
            host = (urlsplit(url).hostname or "").lower()
        except ValueError:
            host = ""
        if host == self.host:
            return HOST
        below = f"files.{HOST}" if host.endswith(f".{self.host}") else "example.test"
        return f"{self._instead('host', host)}.{below}"

    def path(self, path: str) -> str:
        """The path of an API: resources, and actions behind an id, are kept; all else in it is replaced."""
        segments = path.split("/")
        pairs = zip(["", *segments], segments, strict=False)
        return "/".join(self._segment(before, one) for before, one in pairs)

    def _segment(self, before: str, segment: str) -> str:
        if _UUID.fullmatch(segment):
            return self.uuid(segment)
        action = _UUID.fullmatch(before) and _ACTION.fullmatch(segment)
        return segment if not segment or action or segment in _RESOURCES else self._instead("id", segment)

    def _sentence(self, text: str) -> str:
        found = _ADDRESS.sub("…", _EMAIL.sub("…", text))
        return _UUID.sub(lambda match: self.uuid(match[0]), found)

    def _key(self, name: str) -> str:
        return name if _NAME.fullmatch(name) and not _UUID.fullmatch(name) else self._instead("key", name)

    def _instead(self, kind: str, text: str) -> str:
        known = self._stands_for.setdefault(f"{kind} {text}", str(len(self._stands_for) + 1))
        return f"{kind}-{known}"


def _foreign(item: Mapping[str, Any]) -> dict[str, Any]:
    """All that is kept of an item about a document that the trial has not made."""
    return {**{name: item[name] for name in _FOREIGN_KEPT if name in item}, "external_id": FOREIGN}


@dataclass
class Recorder:
    """Notes each exchange, in the step that is under way. `made` has uuids and ids of the trial's documents, in lower
    case: of lists only items are kept that are about them.
    """

    scrubber: Scrubber
    step: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    """Token endpoints: of calls to them neither path nor body is kept."""

    def note(self, service: str, request: httpx.Request, response: httpx.Response | None, seconds: float) -> None:
        if len(self.exchanges) >= EXCHANGES_AT_MOST:
            return
        token = service == "token"
        self.exchanges.append(
            Exchange(
                step=self.step,
                service=service,
                method=request.method,
                path="/token" if token else self.scrubber.path(request.url.path),
                query={}
                if token
                else {
                    name: str(self.scrubber.text(text, name)) for name, text in parse_qsl(request.url.query.decode())
                },
                sent=None if token else self._sent(request),
                status=response.status_code if response is not None else None,
                headers=_headers(response),
                body=self._body(response),
                seconds=round(seconds, 3),
            )
        )

    def _sent(self, request: httpx.Request) -> Any:
        try:
            body = json.loads(request.content)
        except (httpx.RequestNotRead, ValueError):
            return None
        if isinstance(body, dict) and "file_from_content" in body:
            body["file_from_content"] = ""
        return self.scrubber.value(body)

    def _body(self, response: httpx.Response | None) -> Any:
        if response is None or not response.content:
            return None
        if len(response.content) > ANSWER_AT_MOST:
            return f"{len(response.content)} bytes"
        try:
            body = json.loads(response.content)
        except ValueError:
            kind = "HTML" if response.content.lstrip()[:1] == b"<" else "text"
            return f"{kind}, {len(response.content)} bytes"
        if isinstance(body, dict) and isinstance(body.get("results"), list):
            body = {
                **body,
                "results": [one if self._is_ours(one) else _foreign(one) for one in _objects(body["results"])],
            }
        return self.scrubber.value(body)

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        return bool(self.made & set(_names(item)))


def _objects(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    return (one for one in values if isinstance(one, dict))


def _names(item: Mapping[str, Any]) -> Iterator[str]:
    """Whatever an item of a list may name its document by."""
    document = item.get("document")
    for about in (item, document if isinstance(document, dict) else {"url": document}):
        for name in ("uuid", "external_id", "url"):
            if isinstance(text := about.get(name), str):
                yield text.rstrip("/").rpartition("/")[2].lower()


def _headers(response: httpx.Response | None) -> dict[str, str]:
    if response is None:
        return {}
    kept = {name: response.headers[name] for name in ("date", "retry-after") if name in response.headers}
    kind = response.headers.get("content-type", "").partition(";")[0]
    return {**kept, **({"content-type": kind} if kind else {}), **({"location": "…"} if response.is_redirect else {})}


class RecordingTransport(httpx.AsyncBaseTransport):
    """A transport whose exchanges are noted."""

    def __init__(self, network: httpx.AsyncBaseTransport, recorder: Recorder, service: str) -> None:
        self._network, self._recorder, self._service = network, recorder, service

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        began = time.monotonic()
        sent = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=await request.aread(),
            extensions=request.extensions,
        )
        asks = request.url.path.endswith("/token") or str(request.url) in self._recorder.tokens
        service = "token" if asks else self._service
        try:
            response = await self._network.handle_async_request(sent)
            content = await _whole(response)
        except httpx.HTTPError:
            self._recorder.note(service, sent, None, time.monotonic() - began)
            raise
        whole = httpx.Response(response.status_code, headers=_plain(response.headers), content=content, request=sent)
        self._recorder.note(service, sent, whole, time.monotonic() - began)
        return whole

    async def aclose(self) -> None:
        await self._network.aclose()


async def _whole(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    finally:
        await response.aclose()


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [(name, text) for name, text in headers.multi_items() if name not in ("transfer-encoding", "content-length")]
