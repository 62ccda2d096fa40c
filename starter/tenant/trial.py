"""The first hour with a real tenant: two test documents to one's own address, one to sign and one to cancel, and every
call that Countersign makes. Only documents of the trial itself are touched; what is open at the end is cancelled.
"""

import asyncio
import hashlib
import secrets
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx

from activities.core_signature import orders
from activities.core_signature.client import NAME, CoreSignatureClient, RequestAction, if_found
from activities.core_signature.documents import STATUSES, has_ended, signers_of
from activities.core_signature.signers import folded
from activities.core_signature.wire import WireDocument
from activities.http.client import HttpAnswer, Query, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer
from activities.http.rate_limit import RateLimiter
from activities.http.transport import capped_transport
from activities.notifications.config import MESSAGING, open_dialect, open_messaging
from activities.notifications.config import NAME as PUSH
from activities.notifications.message import Message, screen_key
from activities.notifications.push_services import MessageFate
from activities.people.person import AddressKind, Person, PushDevice
from starter.boot import clients
from starter.boot.probes import CannotListen
from starter.boot.subscriptions import NAME as SUBSCRIPTION
from starter.config.settings import MESSAGING as MESSAGING_SETTINGS
from starter.config.settings import Settings
from starter.tenant.facts import FactFinding, Verdict, judged
from starter.tenant.listener import Listener
from starter.tenant.recording import Recorder, Recording, RecordingTransport, Scrubber, TrialDownload
from workflows.model.notifications import NoticeAction
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Role, Status

TITLE: Final = "Countersign trial"
MESSAGE: Final = "A test of Countersign. Please sign it, or decline it: nothing follows from either."
SIGNER: Final = "Test Signer"
LISTED_WITHIN: Final = 30.0
"""Seconds until a new document must be in lists: more than any lag that can be set."""
SENT_WITHIN: Final = 60.0
"""Seconds until a document must be converted and sent."""
CALLED_WITHIN: Final = 20.0
"""Seconds until a callback must have come."""
REPEATED_WITHIN: Final = 90.0
"""Seconds until a callback that was answered 500 must come again."""
CLEANED_WITHIN: Final = 60.0
"""Seconds to cancel what is open at the end."""
_CLEANING_PAUSES: Final = (0.0, 1.0, 3.0)
"""Seconds before each attempt to close a document."""
READINGS_AT_MOST: Final = 1_500
"""Readings of the document while its signer is waited for."""
_OTHER_NAMES: Final = {
    RequestAction.CANCEL: ("cancel", "cancel_request", "withdraw", "void"),
    RequestAction.RESEND: ("resend", "resend_email", "resend_request", "send_reminder"),
    RequestAction.FORWARD: ("forward", "forward_request", "reassign", "replace_signer"),
}
"""Names that are tried when none that is set exists."""
_ENDED: Final = frozenset(one for one in STATUSES.values() if one.ended)


class TrialProgress(Protocol):
    """Hears of a trial while it runs."""

    def step(self, says: str) -> None: ...

    def found(self, finding: FactFinding) -> None: ...

    def note(self, says: str) -> None: ...

    def wait(self, says: str) -> AbstractAsyncContextManager[None]: ...


@dataclass(frozen=True)
class TrialPlan:
    """Whom a trial asks. `wait` is how long for the signer, `pause` the seconds between two readings."""

    to: str
    forward_to: str
    wait: timedelta
    device: PushDevice | None = None
    pause: float = 2.0


@dataclass
class TrialDocument:
    """A document of the trial; `uuid` is unknown until its creation is answered."""

    id: str
    uuid: str = ""
    request: str = ""
    over: str = ""
    """What became of it: signed, declined, cancelled, deleted."""


class Trial:
    """One trial; `run` once. `recording`, `findings` and `left` may be read at any time, also after an exception."""

    def __init__(self, settings: Settings, plan: TrialPlan, telling: TrialProgress) -> None:
        self._settings, self._plan, self._telling = settings, plan, telling
        self._config = clients.signature_config(settings)
        self._recorder = Recorder(Scrubber(urlsplit(self._config.url).hostname or ""))
        self._recorder.tokens |= {self._config.credentials.token_url, settings.push.token_url}
        self._pace = RateLimiter(settings.signature.max_rps)
        self._client = CoreSignatureClient(self._config, pace=self._pace, transport=self._transport("core"))
        self._raw = self._service(Bearer(NAME, self._config.credentials, transport=self._transport("core")))
        self._listener = Listener(self._recorder, settings.webhook)
        self._documents: list[TrialDocument] = []
        self._subscription = ""
        self._downloads: list[TrialDownload] = []
        self._listed_after: float | None = None
        self._listens, self._human = "", ""
        self._told: dict[str, Verdict] = {}
        self._name = f"countersign-try-{secrets.token_hex(4)}"
        self._recorder.scrubber.ours |= {TITLE, MESSAGE, SIGNER, *SIGNER.split(), FILE, SUBSCRIPTION}

    async def run(self) -> None:
        """Try everything; at the end, also after Ctrl-C, what is open is cancelled."""
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._client.aclose)
            closing.push_async_callback(self._raw.aclose)
            await self._listen(closing)
            try:
                await self._steps()
            finally:
                await self._clean_up()
                self._tell_new()

    @property
    def recording(self) -> Recording:
        return Recording(
            settings=self._known_settings(),
            exchanges=tuple(self._recorder.exchanges),
            callbacks=tuple(self._listener.callbacks),
            downloads=tuple(self._downloads),
            listed_after=self._listed_after,
            listens=self._listens,
            human=self._human,
        )

    @property
    def findings(self) -> list[FactFinding]:
        return judged(self.recording)

    @property
    def left(self) -> list[str]:
        """What the trial leaves behind, in words."""
        found = [
            f"the document {one.id} at Core Signature: {one.over or 'STILL OPEN, cancel it there'}"
            for one in self._documents
        ]
        if self._subscription:
            found.append("a subscription to convert_error at Core Signature: delete it there")
        mailed = any(
            one.step in ("ask", "second") and one.ok and one.method == "POST" for one in self._recorder.exchanges
        )
        return [*found, *(["mails of Core Signature about these documents"] if mailed else [])]

    def _known_settings(self) -> dict[str, Any]:
        ours, listed = self._config, self._settings.signature.download_hosts
        return {
            "dialect": ours.dialect,
            "name_style": ours.name_style,
            "list_lag": ours.list_lag,
            "page_size": ours.page_size,
            "token_auth": ours.credentials.token_auth,
            "grant": ours.credentials.grant,
            **{f"{action}_paths": list(self._paths(action)) for action in RequestAction},
            "push": self._settings.push.dialect,
            "plain": ours.url.startswith("http://"),
            "download_hosts": [self._recorder.scrubber.host_of(f"//{host}") for host in listed],
        }

    def _paths(self, action: RequestAction) -> tuple[str, ...]:
        ours = self._config
        paths = {
            RequestAction.CANCEL: ours.cancel_paths,
            RequestAction.RESEND: ours.resend_paths,
            RequestAction.FORWARD: ours.forward_paths,
        }
        return tuple(path.strip("/").rpartition("/")[2] for path in paths[action])

    def _transport(self, service: str) -> httpx.AsyncBaseTransport:
        return RecordingTransport(capped_transport(), self._recorder, service)

    def _service(self, auth: httpx.Auth | None = None) -> Service:
        client = make_client(auth=auth, transport=self._transport("core"))
        return Service(NAME, self._config.url.rstrip("/") + "/api/v1", client, pace=self._pace)

    async def _listen(self, closing: AsyncExitStack) -> None:
        if not self._config.callback_url:
            self._telling.note("no callback is expected: COUNTERSIGN_WEBHOOK_URL is not set, or subscriptions are used")
            return
        try:
            await closing.enter_async_context(self._listener.listening())
            self._listens = "here"
        except CannotListen as busy:
            self._listens = "web process"
            self._telling.note(f"{busy}: whether callbacks arrive is read from the list of events")

    # --- the steps

    @asynccontextmanager
    async def _step(self, name: str, says: str) -> AsyncIterator[None]:
        self._recorder.step = name
        self._telling.step(says)
        try:
            yield
        except ServiceFailure as failure:
            self._telling.note(str(failure))
        self._tell_new()

    def _tell_new(self) -> None:
        for finding in self.findings:
            if finding.verdict is not self._told.get(finding.id, Verdict.NOT_SEEN):
                self._told[finding.id] = finding.verdict
                self._telling.found(finding)

    async def _steps(self) -> None:
        async with self._step("token", "a token is asked for"):
            await self._client.check_token()
        if not any(one.ok for one in self._recorder.exchanges):
            return
        await self._errors()
        first = await self._send("create", "ask", Role.SIGN)
        if first.request:
            await self._read(first)
            await self._events(first)
            await self._resend(first)
            await self._second()
        await self._subscribe()
        await self._push()
        await self._message()
        if first.request and not first.over:
            await self._signed(first)
        await self._repeated()
        if first.request:
            await self._events(first)

    async def _errors(self) -> None:
        async with self._step("errors", "wrong calls are answered by an error"):
            nobody = self._service()
            for call in (
                nobody.call(
                    "GET", "/documents/", query={"page": 1, "limit": 1}, headers={"authorization": "Bearer none"}
                ),
                self._raw.call("GET", f"/documents/{uuid.uuid4()}/"),
            ):
                with suppress(ServiceFailure):
                    await call
            await nobody.aclose()
            with suppress(ServiceFailure):
                made = _object(await self._raw.call("POST", "/documents/", json={}))
                if isinstance(found := made.get("uuid"), str):
                    self._documents.append(TrialDocument("without content", uuid=found))
                    await self._client.delete_document(found)
                    self._documents.pop()

    async def _send(self, create: str, ask: str, role: Role) -> TrialDocument:
        """A document, in lists, and its request."""
        one = TrialDocument(f"{self._name}-{len(self._documents) + 1}")
        self._documents.append(one)
        self._recorder.made.add(one.id)
        self._recorder.scrubber.ours |= {one.id}
        brief, began = _brief(one.id, role), time.monotonic()
        async with self._step(create, f"the document {one.id} is created"):
            made = await self._client.create_document(orders.document_body(brief, self._config), _Content())
            one.uuid = made.uuid
            self._recorder.made.add(made.uuid.lower())
        if not one.uuid:
            return one
        if create == "create":
            await self._listed(one, began)
        async with self._step(ask, f"its signer is asked: {self._plan.to}"):
            url = self._client.document_url(one.uuid)
            people = {_PERSON: _person(self._plan.to)}
            reachable = {_PERSON} if role is Role.APPROVE else set[str]()
            body = orders.request_body(url, brief, people, reachable, self._config)
            one.request = (await self._client.create_request(body, (self._plan.to, SIGNER))).uuid
        return one

    async def _listed(self, one: TrialDocument, began: float) -> None:
        """`began` is when its creation began."""
        async with self._step("list", "it is looked for in lists"):
            while time.monotonic() - began < LISTED_WITHIN:
                query: Query = {"external_id": one.id, "page": 1, "limit": 2}
                found = _results(await self._raw.call("GET", "/documents/", query=query))
                if any(item.get("external_id") == one.id for item in found):
                    self._listed_after = round(time.monotonic() - began, 2)
                    break
                await asyncio.sleep(min(self._plan.pause, 0.5))
            if all(item.get("external_id") == one.id for item in found):
                await self._client.documents_of(one.id)

    async def _read(self, one: TrialDocument) -> None:
        async with self._step("read", "it is read until it has been sent"):
            await self._until(one, lambda seen: STATUSES.get(seen.status) is not Status.CONVERTING, SENT_WITHIN)
            await self._client.request(one.request)

    async def _until(self, one: TrialDocument, over: Callable[[WireDocument], bool], seconds: float) -> WireDocument:
        """The document once it is `over`, else as it is then."""
        ends = time.monotonic() + seconds
        for _ in range(READINGS_AT_MOST):
            seen = await self._client.document(one.uuid)
            if over(seen) or time.monotonic() >= ends:
                break
            await asyncio.sleep(self._plan.pause)
        return seen

    async def _events(self, one: TrialDocument) -> None:
        async with self._step("events", "its events are listed"):
            await self._client.events()
            await self._client.events(document__uuid=one.uuid, event_type="sent")
            await self._raw.call("GET", "/events/", query={"document__uuid": one.uuid, "page": 1, "limit": 1})
            await self._client.events(document__uuid=one.uuid)

    async def _resend(self, one: TrialDocument) -> None:
        async with self._step("resend", "its mail is sent again"):
            await self._act(RequestAction.RESEND, one, lambda: self._client.resend(one.request))
            await self._client.document(one.uuid)
        async with self._step("twice", "the same once more, at once: the mailbox shows whether that one is dropped"):
            await self._client.resend(one.request)

    async def _second(self) -> None:
        """A document that is forwarded, cancelled and deleted."""
        one = await self._send("second", "second", Role.APPROVE)
        if not one.request:
            return
        async with self._step("second", "it is read until it could be signed"):
            await self._until(one, lambda seen: STATUSES.get(seen.status) is not Status.CONVERTING, SENT_WITHIN)
        to, other = self._plan.to, self._plan.forward_to
        body = {"signer_email_to_forward": to, "signer_email_to_forward_to": other, "forwarded_reason": "trial"}
        async with self._step("forward", f"its signer is replaced: {other}"):
            await self._act(
                RequestAction.FORWARD, one, lambda: self._client.forward(one.request, to, other, "trial"), body
            )
            await self._client.document(one.uuid)
        async with self._step("cancel", "it is cancelled"):
            await self._cancel(one)
            seen = await self._until(one, has_ended, 5 * self._plan.pause)
            one.over = STATUSES[seen.status] if has_ended(seen) else ""
        async with self._step("delete", "it is deleted"):
            await self._client.delete_document(one.uuid)
            one.over = "deleted"
            await if_found(self._client.document(one.uuid))
            await self._client.events(document__uuid=one.uuid)

    async def _cancel(self, one: TrialDocument) -> None:
        await self._act(RequestAction.CANCEL, one, lambda: self._client.cancel(one.request))

    async def _act(
        self, action: RequestAction, one: TrialDocument, known: Callable[[], Awaitable[None]], body: object = None
    ) -> None:
        """By the paths that are set, else by other likely names; raises the last failure."""
        try:
            await known()
        except ServiceFailure as failure:
            if failure.status not in (404, 405):
                raise
            for name in _OTHER_NAMES[action]:
                path = f"{self._config.dialect.requests}{one.request}/{name}/"
                with suppress(ServiceFailure):
                    await self._raw.call("POST", path, json=body)
                    return
            raise

    async def _subscribe(self) -> None:
        if not (self._settings.webhook.url and self._settings.webhook.segment.get_secret_value()):
            return
        async with self._step("subscription", "a subscription is made, listed and ended"):
            address = clients.receiver_address(self._settings)
            asked = {"event_type": "convert_error", "callback_url": address, "name": SUBSCRIPTION}
            made = _object(await self._raw.call("POST", "/webhooks/", json=asked, private=(address,)))
            self._subscription = str(made.get("uuid") or "")
            self._recorder.made.add(self._subscription.lower())
            await self._raw.call("GET", "/webhooks/", query={"page": 1, "limit": 10})
            await self._client.unsubscribe(self._subscription)
            self._subscription = ""

    async def _push(self) -> None:
        device = self._plan.device
        dialect = (
            open_dialect(clients.push_config(self._settings.push), transport=self._transport("push"))
            if device
            else None
        )
        if device is None or dialect is None:
            return
        try:
            async with self._step("push", f"a message is pushed to one device ({device.platform})"):
                with suppress(ServiceFailure):
                    await dialect.check()
                kind = AddressKind.FID if device.fid else AddressKind.TOKEN
                result = await dialect.send(device.value, self._notice(), kind)
                if result.fate is not MessageFate.ACCEPTED:
                    self._telling.note(f"{PUSH}: {result.fate}")
        finally:
            await dialect.aclose()

    def _notice(self) -> Message:
        return Message(
            heading="{document}",
            body="This message shows that pushes arrive.",
            document=TITLE,
            request=self._name,
            stage="ready",
            key=screen_key(self._name, _PERSON),
            link=self._settings.link_base,
            action=NoticeAction.OPEN,
        )

    async def _message(self) -> None:
        if not all(name in self._settings.told for name in MESSAGING_SETTINGS):
            return
        channel = open_messaging(clients.messaging_config(self._settings), transport=self._transport("messaging"))
        if channel is not None:
            async with self._step("messaging", f"{MESSAGING} is asked about a job that does not exist"):
                await channel.check()
            await channel.aclose()

    async def _signed(self, one: TrialDocument) -> None:
        """Waits for a person."""
        seconds = self._plan.wait.total_seconds()
        if seconds <= 0:
            return
        until = datetime.now().astimezone() + self._plan.wait
        self._telling.step(
            f"NOW YOU: open the mail at {self._plan.to} and sign the document, or decline it. It is waited for until "
            f"{until:%H:%M}, then cancelled; Ctrl-C cancels it now"
        )
        self._recorder.step = "sign"
        async with self._telling.wait("waiting for the signer"):
            try:
                seen = await self._until(one, self._has_acted, seconds)
            except ServiceFailure as failure:
                self._telling.note(str(failure))
                return
        signer = self._signer(seen)
        if signer and (signer.signed or signer.declined):
            self._human = "signed" if signer.signed else "declined"
            one.over = self._human
            await self._until(one, lambda now: STATUSES.get(now.status) in _ENDED, 5 * self._plan.pause)
            await self._download(one)
        self._tell_new()

    def _has_acted(self, seen: WireDocument) -> bool:
        signer = self._signer(seen)
        return has_ended(seen) or (signer is not None and (signer.signed or signer.declined))

    def _signer(self, seen: WireDocument) -> Any:
        found = [one for one in signers_of(seen) if folded(one.email) == folded(self._plan.to) and one.needs_to_sign]
        return found[-1] if found else None

    async def _download(self, one: TrialDocument) -> None:
        async with self._step("download", "the signed files are fetched"):
            about = _object(await self._raw.call("GET", f"/documents/{one.uuid}/"))
            log = about.get("signing_log")
            for what, part in (("pdf", about), ("signing_log", log if isinstance(log, dict) else {})):
                if isinstance(url := part.get("pdf"), str):
                    self._downloads.append(await self._fetched(what, url, str(part.get("security_hash"))))

    async def _fetched(self, what: str, url: str, sha256: str) -> TrialDownload:
        """Without a token, by https, or by http from a sandbox on this machine."""
        parts, host = urlsplit(url), self._recorder.scrubber.host_of(url)
        missed = TrialDownload(what=what, scheme=parts.scheme, host=host, status=None)
        if parts.scheme != "https" and not self._config.url.startswith("http://"):
            return missed
        if host == "example.test" or (host.endswith(".example.test") and "sign.example.test" not in host):
            self._telling.note(f"the link to {what} leads to another host: {parts.hostname}")
        try:
            async with make_client() as client:
                answer = await client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL):
            return missed
        intact = hashlib.sha256(answer.content).hexdigest() == sha256.lower()
        pdf = answer.content[:5] == b"%PDF-"
        return missed.replace(status=answer.status_code, size=len(answer.content), pdf=pdf, intact=intact)

    async def _repeated(self) -> None:
        """Waits for callbacks that are still to come."""
        if self._listens != "here":
            return
        async with self._telling.wait("waiting for callbacks"):
            await self._awaited(lambda: bool(self._listener.callbacks), CALLED_WITHIN)
            if self._listener.callbacks:
                await self._awaited(lambda: self._listener.repeats, REPEATED_WITHIN)
        self._tell_new()

    async def _awaited(self, there: Callable[[], bool], seconds: float) -> None:
        pause = min(self._plan.pause, 0.5)
        for _ in range(int(seconds / pause)):
            if there():
                return
            await asyncio.sleep(pause)

    # --- the end

    async def _clean_up(self) -> None:
        """Cancels what is open; a creation without an answer is looked for."""
        self._recorder.step = "clean"
        try:
            async with asyncio.timeout(CLEANED_WITHIN):
                if self._subscription:
                    with suppress(ServiceFailure):
                        await self._client.unsubscribe(self._subscription)
                        self._subscription = ""
                for one in self._documents:
                    await self._close(one)
        except TimeoutError:
            self._telling.note(f"not all was cancelled within {CLEANED_WITHIN:.0f} s")

    async def _close(self, one: TrialDocument) -> None:
        """Several times if need be: a document that stays open asks somebody for a signature."""
        for pause in _CLEANING_PAUSES:
            if not one.over:
                await asyncio.sleep(pause)
                with suppress(ServiceFailure):
                    one.over = await self._closed(one)

    async def _closed(self, one: TrialDocument) -> str:
        """What became of a document that is not needed any more; empty if it is still open."""
        if not one.uuid:
            one.uuid = await self._lost(one)
        if not one.uuid:
            return "was not created, or is not listed yet"
        with suppress(ServiceFailure):
            if one.request:
                await self._cancel(one)
                seen = await self._client.document(one.uuid)
                if has_ended(seen):
                    return str(STATUSES[seen.status])
        await self._client.delete_document(one.uuid)
        return "deleted"

    async def _lost(self, one: TrialDocument) -> str:
        found = _results(
            await self._raw.call("GET", "/documents/", query={"external_id": one.id, "page": 1, "limit": 2})
        )
        return next((str(item.get("uuid")) for item in found if item.get("external_id") == one.id), "")


def _object(answer: HttpAnswer) -> dict[str, Any]:
    told = answer.json()
    return told if isinstance(told, dict) else {}


def _results(answer: HttpAnswer) -> list[dict[str, Any]]:
    found = _object(answer).get("results")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


_PERSON: Final = "signer"
FILE: Final = "countersign-trial.pdf"


def _person(email: str) -> Person:
    return Person.model_validate({"id": _PERSON, "name": SIGNER, "email": email, "zone": "Etc/UTC", "locale": "en"})


def _brief(id: str, role: Role) -> SignatureBrief:
    return SignatureBrief(
        id=id,
        kind="trial",
        title=TITLE,
        document=Document(sha256=hashlib.sha256(PDF).hexdigest(), size=len(PDF), file_name=FILE),
        message=MESSAGE,
        requester="trial",
        people=(Participant(person=_PERSON, order=1, role=role),),
    )


def _pdf(lines: Iterable[str]) -> bytes:
    """One page of text."""
    shown = " ".join(f"({line}) Tj 0 -20 Td" for line in lines)
    stream = f"BT /F 12 Tf 60 760 Td {shown} ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj%s endobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(content))
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer


PDF: Final = _pdf(("A test of Countersign.", "Please sign it, or decline it: nothing follows from either."))


@dataclass(frozen=True)
class _Content:
    """The test document, to upload."""

    content: bytes = field(default=PDF, repr=False)

    @property
    def size(self) -> int:
        return len(self.content)

    async def pieces(self, length: int, through: Callable[[bytes], bytes] = bytes) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(self.content), length):
            yield through(self.content[start : start + length])
