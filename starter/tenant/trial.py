"""The first hour with a tenant: three test documents to one's own address, one to sign and two to cancel. Only
documents of the trial itself are touched; what is open at the end is cancelled.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from activities.core_signature import orders
from activities.core_signature.client import NAME, CoreSignatureClient, CoreSignatureConfig, if_found
from activities.core_signature.documents import STATUSES, has_ended, signers_of
from activities.core_signature.signers import folded
from activities.core_signature.wire import WireDocument, WireFile
from activities.http.client import Query, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer
from activities.http.rate_limit import RateLimiter
from activities.http.transport import capped_transport
from activities.notifications.config import open_dialect
from activities.notifications.message import NotificationMessage
from activities.people.person import AddressKind, Person, PushDevice
from starter.boot import clients
from starter.boot.probes import CannotListen
from starter.config.settings import Settings
from starter.tenant.listener import Listener
from starter.tenant.recording import Recorder, Recording, RecordingTransport
from workflows.model.notifications import NoticeAction
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Role, Status, Verify

T = TypeVar("T")

PDF: Final = Path(__file__).with_name("trial.pdf").read_bytes()
TITLE: Final = "Countersign trial"
TEXT: Final = "A test of Countersign. Please sign it, or decline it: nothing follows from either."
SIGNER: Final = "Test Signer"
PASSWORD: Final = "countersign-try"  # noqa: S105
"""Of a signer whom Core Signature is to verify: not checked, for nobody opens that document."""
WITHIN: Final = 90.0
"""Seconds for what a tenant does by itself: listing, converting, calling back and repeating; also for the clean-up."""
CLEANING_PAUSES: Final = (0.0, 1.0, 3.0)
"""Seconds before each attempt to close a document."""


@dataclass(frozen=True)
class TrialPlan:
    """Whom a trial asks, and by whom they are replaced; `wait` is how long for the signer, `pause` the seconds between
    two readings.
    """

    address: str
    forward_address: str
    wait: timedelta
    device: PushDevice | None = None
    pause: float = 2.0


@dataclass
class TrialDocument:
    """A document of the trial. `uuid` and `request` are empty until their creation is answered, `ending` until then."""

    id: str
    uuid: str = ""
    request: str = ""
    ending: str = ""


class Trial:
    """One trial; `run` once. `recording` and `leftovers` may be read at any time, also after an exception."""

    def __init__(self, settings: Settings, plan: TrialPlan, say: Callable[[str], None]) -> None:
        self._settings, self._plan, self._say = settings, plan, say
        self._config = clients.signature_config(settings)
        self._recorder = Recorder(frozenset((self._config.credentials.token_url, settings.push.token_url)))
        self._recorder.scrubber.own_texts |= {TITLE, TEXT, SIGNER, PASSWORD}
        pace, transport = RateLimiter(settings.signature.max_rps), self._transport("core")
        self._client = CoreSignatureClient(_with_likely_paths(self._config), pace=pace, transport=transport)
        http = make_client(auth=Bearer(NAME, self._config.credentials, transport=transport), transport=transport)
        self._service = Service(NAME, f"{self._config.url.rstrip('/')}/api/v1", http, pace=pace)
        self._listener = Listener(self._recorder, settings.webhook)
        self._listens = False
        self._name = f"countersign-try-{secrets.token_hex(4)}"
        self._documents: list[TrialDocument] = []

    @property
    def recording(self) -> Recording:
        return Recording(settings=self._describe_settings(), exchanges=tuple(self._recorder.exchanges))

    @property
    def leftovers(self) -> tuple[str, ...]:
        """What the trial leaves at Core Signature, in words."""
        endings = [(document.id, document.ending or "STILL OPEN, cancel it there") for document in self._documents]
        return tuple(f"the document {id} at Core Signature: {ending}" for id, ending in endings)

    async def run(self) -> None:
        """Try everything; at the end, also after Ctrl-C, what is open is cancelled."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._client.aclose)
            stack.push_async_callback(self._service.aclose)
            await self._listen(stack)
            try:
                await self._try_all()
            finally:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._clean_up(), WITHIN)

    async def _listen(self, stack: AsyncExitStack) -> None:
        if self._config.callback_url:
            with suppress(CannotListen):
                await stack.enter_async_context(self._listener.listening())
                self._listens = True

    async def _try_all(self) -> None:
        async with self._step("token", "a token is asked for"):
            await self._client.check_token()
        if not any(call.ok for call in self._recorder.exchanges):
            return
        first = await self._send("create", "list", "ask", role=Role.SIGN)
        if first.request:
            await self._read(first)
            await self._try_second()
            await self._try_password()
        await self._push()
        if first.request:
            await self._await_signer(first)
            async with self._step("end", "callbacks are waited for, and the repetition of the first"):
                if self._listens:
                    await self._poll(self._listener.has_repetition, bool, WITHIN, min(self._plan.pause, 0.5))
                await self._client.events(document__uuid=first.uuid)

    @asynccontextmanager
    async def _step(self, name: str, text: str) -> AsyncIterator[None]:
        self._recorder.step = name
        self._say(text)
        try:
            yield
        except ServiceFailure as failure:
            self._say(f"  {failure}")

    # --- steps

    async def _send(
        self, create: str, look: str, ask: str, *, role: Role, verify: Verify | None = None
    ) -> TrialDocument:
        document = TrialDocument(f"{self._name}-{len(self._documents) + 1}")
        self._documents.append(document)
        self._recorder.own_ids.add(document.id)
        self._recorder.scrubber.own_texts.add(document.id)
        brief = _build_brief(document.id, role, verify)
        async with self._step(create, f"the document {document.id} is created"):
            content = {"file_from_content": base64.b64encode(PDF).decode()}
            body = orders.document_body(brief, self._config) | content
            document.uuid = (await self._client.create_document(body)).uuid
            self._recorder.own_ids.add(document.uuid.lower())
        if document.uuid:
            async with self._step(look, "it is looked for in lists"):
                await self._poll(lambda: self._find_uuid(document), bool, WITHIN, min(self._plan.pause, 0.5))
            async with self._step(ask, f"its signer is asked: {self._plan.address}"):
                document.request = await self._ask(document.uuid, brief, role)
        return document

    async def _ask(self, document: str, brief: SignatureBrief, role: Role) -> str:
        """The request's uuid. An approver is asked as somebody whom our own notification reaches."""
        address, url = self._plan.address, self._client.document_url(document)
        signer = Person.model_validate(
            {"id": "signer", "name": SIGNER, "email": address, "zone": "UTC", "locale": "en"}
        )
        reachable = {signer.id} if role is Role.APPROVE else set[str]()
        passwords = {signer.id: PASSWORD}
        body = orders.request_body(url, brief, {signer.id: signer}, reachable, self._config, passwords=passwords)
        return (await self._client.create_request(body, (address, SIGNER))).uuid

    async def _poll(
        self, look: Callable[[], Awaitable[T]], is_over: Callable[[T], bool], seconds: float, pause: float
    ) -> T:
        """What was seen when it was over, or after these seconds."""
        deadline = time.monotonic() + seconds
        while not is_over(result := await look()):
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(pause)
        return result

    async def _find_uuid(self, document: TrialDocument) -> str:
        """By its id, from the first page of the list; empty if it is not there."""
        query: Query = {"external_id": document.id, "page": 1, "limit": self._config.page_size}
        page: Any = (await self._service.call("GET", "/documents/", query=query)).json()
        return next((str(item["uuid"]) for item in page["results"] if item.get("external_id") == document.id), "")

    async def _read_until(
        self, document: TrialDocument, is_over: Callable[[WireDocument], bool], seconds: float = WITHIN
    ) -> WireDocument:
        return await self._poll(lambda: self._client.document(document.uuid), is_over, seconds, self._plan.pause)

    async def _read(self, document: TrialDocument) -> None:
        async with self._step("read", "it is read until it has been sent"):
            await self._read_until(document, _is_sent)
            await self._client.request(document.request)
        async with self._step("events", "its events are listed"):
            await self._client.events()
            await self._client.events(document__uuid=document.uuid)
        async with self._step("resend", "its mail is sent again"):
            await self._client.resend(document.request)
        async with self._step("twice", "the same once more: the mailbox shows whether that one is dropped"):
            await self._client.resend(document.request)

    async def _try_second(self) -> None:
        document = await self._send("second", "second", "second", role=Role.APPROVE)
        if not document.request:
            return
        address, forward_address = self._plan.address, self._plan.forward_address
        async with self._step("second", "it is read until it has been sent"):
            await self._read_until(document, _is_sent)
        async with self._step("forward", f"its signer is replaced: {forward_address}"):
            await self._client.forward(document.request, address, forward_address, TITLE)
        async with self._step("cancel", "it is cancelled"):
            await self._client.cancel(document.request)
            await self._read_until(document, has_ended, 5 * self._plan.pause)
        async with self._step("delete", "it is deleted"):
            await self._client.delete_document(document.uuid)
            document.ending = "deleted"
            await if_found(self._client.document(document.uuid))

    async def _try_password(self) -> None:
        document = await self._send("verify", "verify", "verify", role=Role.SIGN, verify=Verify.PASSWORD)
        if document.request:
            async with self._step("delete", "it is cancelled and deleted"):
                await self._client.cancel(document.request)
                await self._client.delete_document(document.uuid)
                document.ending = "deleted"

    async def _push(self) -> None:
        device = self._plan.device
        dialect = open_dialect(clients.push_config(self._settings.push), transport=self._transport("push"))
        if device is None or dialect is None:
            return
        message = NotificationMessage(
            heading="{document}",
            body="This message shows that pushes arrive.",
            document=TITLE,
            request=self._name,
            stage="ready",
            key=self._name,
            link=self._settings.link_base,
            action=NoticeAction.OPEN,
        )
        kind = AddressKind.FID if device.fid else AddressKind.TOKEN
        async with aclosing(dialect), self._step("push", f"a message is pushed to one device ({device.platform})"):
            self._say(f"  {(await dialect.send(device.value, message, kind)).fate}")

    async def _await_signer(self, document: TrialDocument) -> None:
        if not self._plan.wait:
            return
        text = f"NOW YOU: open the mail at {self._plan.address} and sign the document, or decline it; it is waited for"
        async with self._step("sign", f"{text} {self._plan.wait}, then cancelled; Ctrl-C cancels it now"):
            current = await self._read_until(document, self._has_acted, self._plan.wait.total_seconds())
            document.ending = self._find_act(current)
        if document.ending:
            async with self._step("download", "the signed files are fetched"):
                current = await self._read_until(document, has_ended, 5 * self._plan.pause)
                await self._fetch("pdf", current)
                await self._fetch("signing_log", current.signing_log)

    def _has_acted(self, document: WireDocument) -> bool:
        return has_ended(document) or self._find_act(document) != ""

    def _find_act(self, document: WireDocument) -> str:
        for signer in signers_of(document):
            if folded(signer.email) == folded(self._plan.address) and (signer.signed or signer.declined):
                return Status.SIGNED if signer.signed else Status.DECLINED
        return ""

    async def _fetch(self, name: str, file: WireFile | None) -> None:
        """Without a token, and from hosts that are set only."""
        if file is None or file.pdf is None:
            return
        is_host_set = clients.download_guard(self._settings.signature).refusal(file.pdf) is None
        content, status = b"", None
        if is_host_set:
            with suppress(httpx.HTTPError, httpx.InvalidURL):
                async with make_client() as http:
                    response = await http.get(file.pdf)
                content, status = response.content, response.status_code
        is_intact = hashlib.sha256(content).hexdigest() == file.security_hash
        body = {"is_host_set": is_host_set, "is_pdf": content.startswith(b"%PDF-"), "is_intact": is_intact}
        self._recorder.record("file", path=name, status=status, body=body)

    # --- the end

    async def _clean_up(self) -> None:
        self._recorder.step = "clean"
        for document in self._documents:
            for pause in CLEANING_PAUSES:
                if not document.ending:
                    await asyncio.sleep(pause)
                    with suppress(ServiceFailure):
                        document.ending = await self._end(document)

    async def _end(self, document: TrialDocument) -> str:
        """What became of a document that nobody needs any more; a creation without an answer is looked for."""
        document.uuid = document.uuid or await self._find_uuid(document)
        if not document.uuid:
            return "was not created, or is not listed yet"
        with suppress(ServiceFailure):
            if document.request:
                await self._client.cancel(document.request)
                current = await self._client.document(document.uuid)
                if has_ended(current):
                    return STATUSES[current.status]
        await self._client.delete_document(document.uuid)
        return "deleted"

    def _transport(self, service: str) -> RecordingTransport:
        return RecordingTransport(capped_transport(), self._recorder, service)

    def _describe_settings(self) -> dict[str, Any]:
        names = ("dialect", "name_style", "list_lag", "cancel_paths", "resend_paths", "forward_paths")
        return {
            **{name: getattr(self._config, name) for name in names},
            "push": self._settings.push.dialect,
            "mode": self._settings.webhook.mode,
            "listens": self._listens,
        }


def _with_likely_paths(config: CoreSignatureConfig) -> CoreSignatureConfig:
    """After the paths that are set, other likely ones are tried."""
    return replace(
        config,
        cancel_paths=(*config.cancel_paths, "cancel", "cancel_request", "withdraw", "void"),
        resend_paths=(*config.resend_paths, "resend", "resend_email", "resend_request", "send_reminder"),
        forward_paths=(*config.forward_paths, "forward", "forward_request", "reassign", "replace_signer"),
    )


def _is_sent(document: WireDocument) -> bool:
    return STATUSES.get(document.status) is not Status.CONVERTING


def _build_brief(id: str, role: Role, verify: Verify | None) -> SignatureBrief:
    return SignatureBrief(
        id=id,
        kind="trial",
        title=TITLE,
        document=Document(sha256=hashlib.sha256(PDF).hexdigest(), size=len(PDF), file_name="countersign-trial.pdf"),
        message=TEXT,
        requester="trial",
        people=(Participant(person="signer", order=1, role=role, verify=verify),),
    )
