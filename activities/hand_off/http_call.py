"""Signed HTTP calls (webhooks) to hand-off targets, by Standard Webhooks 1.0.0, and their bodies (CloudEvents)."""

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import httpx
from pydantic import SecretStr

from activities.documents.files import StoredFile
from activities.hand_off.downloads import DownloadLinks
from activities.http.client import failure_of_error, seconds_to_wait
from activities.http.transport import Guard, RefusedAddress
from activities.people.directory import Directory, UnknownPerson
from activities.records.downloads import LinkName
from activities.records.evidence import FIELDS, KeptFileName
from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, words_of, words_of_all
from activities.schedule.turn import jitter
from workflows.model.base import Model
from workflows.model.hand_off import EndedFacts, HandoffResult, Told
from workflows.model.policy import Format, Target
from workflows.model.records import SettledRecord
from workflows.model.subject import Subject
from workflows.model.views import Shown
from workflows.names import webhook_id

SOURCE: Final = "/countersign"
"""`source` of a CloudEvent."""
PING: Final = "ping"
CONTENT_TYPES: Final[Mapping[Format, str]] = {
    Format.STANDARD: "application/json",
    Format.CLOUDEVENTS: "application/cloudevents+json; charset=utf-8",
}
DEADLINE: Final = 10.0
"""Seconds for a whole call, name resolution included."""
ATTACHED_DEADLINE: Final = 45.0
"""The same for a call with a document."""
_PIECE: Final = 1 << 16
_SECRETS_BEGIN: Final = "whsec_"
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
_CONTROLS: Final = {
    "abort-message": "and it wants no further attempt (webhook-delivery: abort-message)",
    _DISABLE: "it wants no more calls (webhook-delivery: disable)",
}


class Personal(Model):
    """Fields that `personal` adds to each person in an event's data, where known."""

    name: str | None = None
    email: str | None = None
    reason: str | None = None
    """Why they declined."""


class PersonalTitle(Model):
    """Fields that `personal` adds to an event's data: names of the document and the task, the customer's company."""

    title: str


class PersonalField(Model):
    """What a signer put into a tag of the document, by the tag's id: a text, a day, or a box."""

    id: str
    value: str | bool


class PersonalAnswer(Model):
    """Fields that `personal` adds for a task with an answer: the label of its field, and the answer."""

    label: str
    text: str


def data_of(news: Told) -> dict[str, Any]:
    """The event's `data` without personal fields (docs/schemas)."""
    derived = news.derived if isinstance(news, EndedFacts) else {}
    return {**news.model_dump(mode="json"), **derived}


def people_in(fields: Mapping[str, Any]) -> str | None:
    """The field of an event's data that holds people, or None."""
    return next((name for name in ("signers", "people") if name in fields), None)


def ping(target: Target, id: str, called_at: datetime) -> dict[str, Any]:
    """The body of a test call, to check that the target answers and can verify our signature."""
    attributes = {"id": id, "type": PING, "subject": target.name, "time": called_at.isoformat()}
    return _enveloped(target.format, attributes, {"version": 1, "target": target.name})


@dataclass(frozen=True)
class Events:
    """Builds event bodies; personal data is read only for targets with `personal`."""

    directory: Directory
    store: Store
    links: DownloadLinks | None = None

    async def body(self, target: Target, id: str, subject: Subject, news: Told, now: datetime) -> dict[str, Any]:
        """The body of the call with this `webhook-id`, equal at every attempt until its links have expired."""
        data = data_of(news)
        data |= await self._linked(data, subject.workflow_id, target.name, now)
        if target.personal:
            data |= await self._personal(data, subject)
        spec = subject.type.spec
        type_ = spec.event if isinstance(news, EndedFacts) else spec.escalated_event
        attributes = {"id": id, "type": type_, "subject": subject.reference, "time": data["at"]}
        return _enveloped(target.format, attributes, data)

    async def _linked(self, data: Mapping[str, Any], workflow_id: str, target: str, now: datetime) -> dict[str, Any]:
        """The kept files, with links of this target."""
        linked: dict[str, Any] = {}
        for file in KeptFileName:
            if self.links and data.get(file):
                link = await self.links.link(LinkName(workflow_id, target, file), now)
                linked[file] = {**data[file], "url": link.url, "expires_at": link.expires_at.isoformat()}
        return linked

    async def _personal(self, data: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
        personal, people_key = PersonalTitle(title=subject.title).model_dump(), people_in(data)
        if people_key is None:
            return personal
        view = await self._read_view(subject)
        reasons = await self._reasons(subject, view)
        personal |= await self._answer(subject, view) | await self._fields(data, subject)
        people = [
            {**entry, **await self._describe_person(entry["person"], subject, reasons)} for entry in data[people_key]
        ]
        return {**personal, people_key: people}

    async def _describe_person(self, person: str, subject: Subject, reasons: Mapping[str, str]) -> dict[str, str]:
        personal = Personal(reason=reasons.get(person))
        try:
            profile = await self.directory.person(person, subject.workflow_id)
        except UnknownPerson:  # A person who has left the directory must not cost the call.
            pass
        else:
            personal = personal.replace(name=profile.name, email=profile.email)
        return personal.model_dump(exclude_none=True)

    async def _read_view(self, subject: Subject) -> Shown | None:
        content = await self.store.records.read(subject.workflow_id)
        return SettledRecord.model_validate_json(content).show if content else None

    async def _answer(self, subject: Subject, view: Shown | None) -> dict[str, Any]:
        answer = view.given_answer if view else None
        if answer is None or answer.text is None:
            return {}
        text = await words_of(self.store, subject.workflow_id, answer.text)
        is_readable = text not in (ERASED, DAMAGED)
        return {"answer": PersonalAnswer(label=answer.label, text=text).model_dump()} if is_readable else {}

    async def _fields(self, data: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
        """What signers filled in. Kept before the document, so that with it they are in the first event, or in none."""
        content = await self.store.evidence.part(subject.workflow_id, FIELDS) if data.get("document") else None
        return {"fields": json.loads(content)} if content else {}

    async def _reasons(self, subject: Subject, view: Shown | None) -> dict[str, str]:
        references = view.reasons if view else {}
        texts = await words_of_all(self.store, subject.workflow_id, references.values())
        reasons = {person: texts[reason] for person, reason in references.items()}
        return {person: reason for person, reason in reasons.items() if reason not in (ERASED, DAMAGED)}


@dataclass(frozen=True)
class CallBody:
    """The event, alone or as the first part of a form with a file as the second; equal at each attempt."""

    before: bytes
    content_type: str
    file: StoredFile | None = None
    after: bytes = b""

    @classmethod
    def from_event(cls, event: bytes, media_type: str, id: str, file: StoredFile | None) -> Self:
        if file is None:
            return cls(event, media_type)
        boundary = f"countersign-{hashlib.sha256(id.encode()).hexdigest()[:32]}"
        first = f'--{boundary}\r\ncontent-disposition: form-data; name="event"\r\ncontent-type: {media_type}\r\n\r\n'
        second = f'\r\n--{boundary}\r\ncontent-disposition: form-data; name="document"; filename="document.pdf"'
        head = first.encode() + event + f"{second}\r\ncontent-type: application/pdf\r\n\r\n".encode()
        return cls(head, f"multipart/form-data; boundary={boundary}", file, f"\r\n--{boundary}--\r\n".encode())

    @property
    def size(self) -> int:
        return len(self.before) + (self.file.size if self.file else 0) + len(self.after)

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self.before
        if self.file:
            async for piece in self.file.pieces(_PIECE):
                yield piece
        yield self.after

    async def signatures(self, head: bytes, secrets: Sequence[SecretStr]) -> list[str]:
        """By Standard Webhooks, one for each secret, over the head and the whole body."""
        keys = [base64.b64decode(secret.get_secret_value().removeprefix(_SECRETS_BEGIN)) for secret in secrets]
        digests = [hmac.new(key, head, "sha256") for key in keys]
        if digests:
            async for piece in self.pieces():
                for digest in digests:
                    digest.update(piece)
        return [f"v1,{base64.b64encode(digest.digest()).decode()}" for digest in digests]


@dataclass(frozen=True)
class HttpTargetsConfig:
    """Signing `secrets` by target name, several during a rotation."""

    secrets: Mapping[str, Sequence[SecretStr]] = field(default_factory=dict)


def wall_clock() -> datetime:
    """Time of sending, signed; the receiver compares it with its own clock. Never a business time."""
    return datetime.now(UTC)


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
        self._places = WeakValueDictionary[tuple[str, str], _CallLimit]()

    async def call(
        self, target: Target, id: str, payload: Mapping[str, object], attached: StoredFile | None = None
    ) -> HandoffResult:
        """POST `payload` under this `webhook-id`, with a file as a second part. 2xx is done, 410 gone, else retry
        unless the response forbids it; refused addresses are retried too. Held without a free place.
        """
        host = urlsplit(target.url or "").netloc
        places = self._places.setdefault((target.name, host), _CallLimit())
        if not await places.acquire():
            return _hold(target, id, "as many calls as it gets at once wait for its answer")
        began = _now()
        try:
            return await self._call(target, id, payload, attached)
        finally:
            places.release(_now() - began)

    async def _call(
        self, target: Target, id: str, payload: Mapping[str, object], attached: StoredFile | None
    ) -> HandoffResult:
        event = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        body = CallBody.from_event(event, CONTENT_TYPES[target.format], id, attached)
        try:
            async with asyncio.timeout(DEADLINE if attached is None else ATTACHED_DEADLINE):
                return await self._post(target, await self._headers(target, id, body), body)
        except RefusedAddress as refusal:
            return HandoffResult(target=target.target, ok=False, why=f"address refused: {refusal}")
        except httpx.PoolTimeout:
            return _hold(target, id, "as many calls as are made at once wait for an answer")
        except httpx.HTTPError as error:
            return HandoffResult(target=target.target, ok=False, why=failure_of_error(target.target, error).explanation)
        except OSError:  # also a time-out
            return HandoffResult(target=target.target, ok=False, why="no answer")

    async def _post(self, target: Target, headers: Mapping[str, str], body: CallBody) -> HandoffResult:
        destination = await self._guard.check(target.url or "")
        async with self._client.stream(
            "POST",
            destination.url,
            headers={**headers, "host": destination.host_header, "connection": "close"},
            content=body.pieces(),
            follow_redirects=False,
            extensions={"sni_hostname": destination.host},
        ) as answer:
            return self._result(target.target, answer)

    async def _headers(self, target: Target, id: str, body: CallBody) -> dict[str, str]:
        timestamp = str(int(self._now().timestamp()))
        headers = {"content-type": body.content_type, "content-length": str(body.size)}
        signed = await body.signatures(f"{id}.{timestamp}.".encode(), self._secrets.get(target.name, ()))
        headers |= {"webhook-id": id, "webhook-timestamp": timestamp}
        return headers | ({"webhook-signature": " ".join(signed)} if signed else {})

    def _result(self, target: str, answer: httpx.Response) -> HandoffResult:
        control = answer.headers.get(_CONTROL, "").strip().lower()
        reason = _CONTROLS.get(control)
        disabled = control == _DISABLE or answer.status_code == _GONE
        if answer.is_success:
            return HandoffResult(target=target, ok=True, disabled=disabled, why=reason if disabled else None)
        return HandoffResult(
            target=target,
            ok=False,
            gone=answer.status_code == _GONE or control in _CONTROLS,
            disabled=disabled,
            why=", ".join(filter(None, (f"HTTP {answer.status_code}", reason))),
            retry_after=seconds_to_wait(answer.headers.get("retry-after"), self._now()) or 0,
        )


async def send_ping(targets: HttpTargets, target: Target) -> HandoffResult:
    """Send a test event, signed as every other, under an id of its own."""
    id = webhook_id(f"ping/{uuid.uuid4().hex}/{target.target}")
    return await targets.call(target, id, ping(target, id, wall_clock()))


def _enveloped(format: Format, attributes: Mapping[str, str], data: dict[str, Any]) -> dict[str, Any]:
    if format is Format.STANDARD:
        return {"type": attributes["type"], "timestamp": attributes["time"], "data": data}
    return {"specversion": "1.0", "source": SOURCE, **attributes, "datacontenttype": "application/json", "data": data}


def _now() -> float:
    return asyncio.get_running_loop().time()


class _CallLimit:
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


def _hold(target: Target, id: str, reason: str) -> HandoffResult:
    wait = HELD_FOR + jitter(id, target.name, timedelta(seconds=HELD_FOR)).total_seconds()
    return HandoffResult(target=target.target, ok=False, held=True, why=f"not called yet: {reason}", retry_after=wait)
