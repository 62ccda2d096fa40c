"""Pages on a real port, before a sandbox that has one contract for two signers."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr
from starlette.routing import Mount

from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.core_signature.signers import SignerSnapshot, SignerSnapshots
from activities.http.oauth import Credentials
from activities.keys import KeyRing
from activities.notifications.cloud_messaging import CloudMessagingConfig
from activities.notifications.config import open_messaging
from activities.notifications.links import LinkUse, SigningLinks
from activities.people.company_directory import CompanyDirectory
from activities.people.file_directory import FileDirectory
from activities.people.subscriptions import WebSubscriptions, push_guard
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.settings import SandboxSettings
from starter.config.values import Bind
from starter.web.acting.actions import Action
from starter.web.acting.forms import FormGuard
from starter.web.acting.versions import Versions
from starter.web.app import make_app
from starter.web.downloads import KeptFileAnswers, PersonalFiles
from starter.web.http.serving import listening
from starter.web.intake.catalogue import KindCatalogue
from starter.web.pages.devices import LinkDevices
from starter.web.pages.first_page import FirstPages
from starter.web.pages.identity import IdentityGate
from starter.web.pages.journey import Journeys
from starter.web.pages.pages import Pages
from starter.web.pages.visits import PagePeople, Visits
from starter.web.proofs import IdentityCookies
from starter.web.receivers.subscriptions import SubscriptionReceiver
from starter.web.rights import ReaderRoles
from starter.web.screens.rendering import Brand
from starter.web.screens.view_reader import FRESH_SECONDS, ReadView
from starter.web.screens.web_app import WebApp
from tests.plain_http import plain_client
from workflows.model.commands import AnyCommand
from workflows.model.receipts import OperationState, Receipt
from workflows.model.subject import Identity, Role
from workflows.model.views import Shown

REQUEST: Final = "msa-0042"
DOCUMENT: Final = "Master services agreement <b>2026</b>"
FIRST, SECOND, CHAIR = "customer-signer", "chief-executive", "chair"
SENDER: Final = "sender@example.test"
DUTCH: Final = "finance-desk"
LINK_SECRET: Final = SecretStr("0123456789abcdef0123456789abcdef")
PUBLIC: Final = "https://sign.example"
NOW: Final = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
"""A Thursday, 09:00 in New York."""
PEOPLE: Final = """
people:
  - {id: customer-signer, name: Customer, email: customer@acme.test, zone: America/New_York,
     delegate: customer-deputy}
  - {id: customer-deputy, name: Customer Deputy, email: deputy@acme.test, zone: America/New_York}
  - {id: chief-executive, name: Chief Executive, email: ceo@example.test, zone: Europe/Amsterdam}
  - {id: legal-desk, name: Legal desk, email: legal@example.test, zone: Europe/Amsterdam}
  - {id: chair, name: Chair, email: chair@example.test, zone: Asia/Tokyo}
  - {id: finance-desk, name: Finance Desk, email: finance@example.test, zone: Europe/Amsterdam, locale: nl}
"""


@dataclass
class Watch:
    """Counts the seconds that a test lets pass."""

    now: float = 0

    def __call__(self) -> float:
        """The seconds until now."""
        return self.now

    def clock(self) -> datetime:
        """What time it is."""
        return NOW + timedelta(seconds=self.now)


_FORM: Final = re.compile(r"<form.*?</form>", re.DOTALL)


@dataclass
class CommandRecorder:
    """A recorder in the place of the workflow: takes every command, unless told to fail with the next one."""

    views: dict[str, Shown]
    commands: list[tuple[AnyCommand, str]] = field(default_factory=list)
    failure: Exception | None = None
    state: OperationState = OperationState.DONE

    async def send(self, request: str, command: AnyCommand, op: str, *, watched: bool = True) -> Receipt:
        """Remember the command."""
        if self.failure:
            raise self.failure
        self.commands.append((command, op))
        view = self.views[request]
        return Receipt(id=request, status=view.status, op=op, says=view.says, state=self.state)


@dataclass
class Phone:
    """A browser that knows links, follows no redirect by itself, and the sandbox behind it all."""

    browser: httpx.AsyncClient
    pages: Pages
    links: SigningLinks
    sandbox: RunningSandbox
    recorder: CommandRecorder
    snapshots: SignerSnapshots
    views: dict[str, Shown] = field(default_factory=dict)
    store: Store = field(kw_only=True)
    people: Path = field(kw_only=True)
    """The file of the directory."""
    looks: list[str] = field(default_factory=list)
    """The requests that our own side was asked about."""
    look: ReadView = field(kw_only=True)
    watch: Watch = field(default_factory=Watch)

    def link(
        self,
        person: str = FIRST,
        use: LinkUse = LinkUse.SIGN,
        request: str = REQUEST,
        order: int = 0,
        identity: Identity | None = Identity.LINK,
    ) -> str:
        """The path of a person's link, of a notice of the day on which the test begins."""
        address = re.search(rf"id: {re.escape(person)}, .*? email: ([^,}}]+)", PEOPLE)
        email = address[1] if address else ""
        link = self.links.link(request, person, use, noticed_on=NOW.date(), order=order, email=email, identity=identity)
        return link.removeprefix(PUBLIC)

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """GET, some seconds after the last time, as a scanner does as well."""
        self.watch.now += FRESH_SECONDS
        return await self.browser.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def press(self, path: str, **changes: Any) -> httpx.Response:
        """Open the page and post its form, as a browser would; `headers` and fields may be changed."""
        fields = form_of((await self.open(path)).text)
        headers = {"origin": "null", "sec-fetch-site": "same-origin"} | changes.pop("headers", {})
        return await self.browser.post(path, data=fields | changes, headers=headers)

    async def post_option(self, path: str, act: Action, value: str | None = None, text: str = "") -> httpx.Response:
        """Open the page and post the form of an option, by the button that posts `value`, else by its last."""
        form = option_of((await self.open(path)).text, act)
        return await self.post(path, form | ({} if value is None else {"value": value}) | {"text": text})

    async def post(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Post a form, as a browser would."""
        return await self.browser.post(path, data=form, headers={"origin": "null", "sec-fetch-site": "same-origin"})

    async def create(self, *people: tuple[str, int], callback_url: str | None = None, **signer: Any) -> None:
        """Make the contract at the sandbox for these addresses and orders."""
        document = await self._call("POST", "/api/v1/documents/", **_document(), events_callback_url=callback_url)
        addresses = people or (("customer@acme.test", 1), ("ceo@example.test", 2))
        signers = [
            {"email": email, "full_name": "x", "order": order, "embed_url_user_id": email} | signer
            for email, order in addresses
        ]
        await self.snapshots.keep(REQUEST, [_make_snapshot(email, order) for email, order in addresses])
        await self._call("POST", "/api/v1/signature-requests/", document=document["url"], who="o", signers=signers)

    async def act(self, email: str, action: str, **body: str) -> None:
        """Let a signer act at the sandbox."""
        signer = next(candidate for candidate in await self.signers() if candidate["email"] == email)
        await self._post(f"/_sandbox/signers/{signer['uuid']}/{action}", body)

    async def forward(self, email: str, new_email: str) -> None:
        """Put somebody else in a signer's place."""
        request = next(iter(self.sandbox.state.database.requests)).uuid
        path = f"/api/v1/signature-requests/{request}/forward_signer/"
        await self.snapshots.keep(REQUEST, [_make_snapshot(new_email, 1)])
        await self._call("POST", path, signer_email_to_forward=email, signer_email_to_forward_to=new_email)

    async def cancel(self) -> None:
        """Cancel the contract."""
        request = next(iter(self.sandbox.state.database.requests)).uuid
        await self._call("POST", f"/api/v1/signature-requests/{request}/cancel_signature_request/")

    async def signers(self) -> list[dict[str, Any]]:
        """The signers as the sandbox shows them."""
        async with plain_client(self.sandbox.url) as client:
            return [
                signer
                for document in (await client.get("/_sandbox/documents")).json()
                for signer in document["signers"]
            ]

    def arm(self, **fault: Any) -> None:
        """Arm a fault of the sandbox."""
        self.sandbox.state.faults.arm(ArmedFault.model_validate(fault))

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The ledger's entries of one type."""
        return [entry for entry in self.sandbox.state.ledger.list_entries_after(0) if entry["type"] == kind]

    async def _call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        settings = self.sandbox.state.settings
        token_path = f"/tenants/{settings.tenant}/oauth2/token"
        async with plain_client(self.sandbox.url) as client:
            login = (settings.client_id, settings.client_secret)
            token = await client.post(token_path, data={"grant_type": "client_credentials"}, auth=login)
            headers = {"authorization": f"Bearer {token.json()['access_token']}"}
            answer = await client.request(method, path, json=body, headers=headers)
            answer.raise_for_status()
            content: dict[str, Any] = answer.json()
            return content

    async def _post(self, path: str, body: dict[str, str]) -> None:
        async with plain_client(self.sandbox.url) as client:
            (await client.post(path, json=body)).raise_for_status()


def form_of(page: str) -> dict[str, str]:
    """What a browser would post by the main button; nothing without one."""
    return next((form for form in _forms_of(page) if form["act"] in (Action.SIGN, Action.RESEND, Action.DONE)), {})


def option_of(page: str, act: Action) -> dict[str, str]:
    """What a browser would post by the last button of an option; nothing without it."""
    return next((form for form in _forms_of(page) if form["act"] == act), {})


def values_of(page: str, act: Action) -> list[str]:
    """What the buttons of an option post."""
    option_form = next((form for form in _FORM.findall(page) if f'name="act" value="{act}"' in form), "")
    return [unescape(value) for value in re.findall(r'<button[^>]* name="value" value="([^"]*)"', option_form)]


def _forms_of(page: str) -> list[dict[str, str]]:
    fields_of_forms = [
        re.findall(r'<(?:input|button)[^>]* name="([^"]+)" value="([^"]*)"', form) for form in _FORM.findall(page)
    ]
    return [{name: unescape(value) for name, value in fields} for fields in fields_of_forms]


def text_of(page: str) -> str:
    """What is to be read on a page."""
    body = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(body).split())


@asynccontextmanager
async def phone(
    folder: Path,
    proxies: Sequence[str] = (),
    asking: ReadView | None = None,
    *,
    drawing: bool = False,
    port: int = 0,
    below: str = "",
) -> AsyncIterator[Phone]:
    """Pages, `below` a path, and sandbox for one test; our own side says what the test knows, unless `asking` is to be
    asked. Scripts of a browser are heard at a `port`.
    """
    people = folder / "people.yaml"
    people.write_text(PEOPLE)
    async with running(SandboxSettings(conversion_delay=0, returns_embed_user=False)) as sandbox:
        signatures = CoreSignatureClient(_config(sandbox))
        views: dict[str, Shown] = {}
        looks: list[str] = []
        watch = Watch()
        mra = CloudMessagingConfig(
            sandbox.url, sandbox.state.settings.mra_user, SecretStr(sandbox.state.settings.mra_password)
        )
        messaging = open_messaging(mra)
        assert messaging is not None

        async def look(request: str) -> Shown | None:
            looks.append(request)
            return views.get(request)

        links = SigningLinks(PUBLIC, KeyRing([LINK_SECRET]))
        store = Store((folder / "store").as_uri())
        directory, snapshots = FileDirectory(people, store), SignerSnapshots(store)
        recorder = CommandRecorder(views)
        guard = FormGuard(KeyRing([LINK_SECRET]), f"http://127.0.0.1:{port}" if port else PUBLIC)
        roles = ReaderRoles(directory, "operations", KindCatalogue(people))
        web_app = WebApp(Brand("Acme"), WebSubscriptions(store), watch)
        devices = make_link_devices(web_app, links, directory, store, guard, asking or look, watch.clock)
        pages = Pages(
            links,
            directory,
            store,
            signatures,
            guard,
            snapshots=snapshots,
            look=asking or look,
            send=recorder.send,
            people=PagePeople(directory, store, "Acme", SENDER),
            files=PersonalFiles(store, roles, KeptFileAnswers(store, watch.clock)),
            versions=Versions(store, 1),
            identity=IdentityGate(
                store, directory, IdentityCookies(KeyRing([LINK_SECRET]), PUBLIC), messaging, watch.clock
            ),
            brand=Brand("Acme", contact="help@supplier.test"),
            devices=devices,
            first_pages=FirstPages(store) if drawing else None,
            clock=watch.clock,
            seconds=watch,
        )
        journeys = Journeys(
            links,
            directory,
            store,
            guard,
            look=asking or look,
            send=recorder.send,
            devices=devices,
            brand=Brand("Acme", contact="help@supplier.test"),
            clock=watch.clock,
            seconds=watch,
        )
        routes = [*pages.routes(), *journeys.routes(), *devices.routes(), *web_app.routes()]
        async with (
            listening(make_app([Mount(below, routes=routes)]), Bind("127.0.0.1", port), proxies=proxies) as url,
            plain_client(url) as browser,
        ):
            yield Phone(
                browser,
                pages,
                links,
                sandbox,
                recorder,
                snapshots,
                views,
                looks,
                watch,
                look=look,
                store=store,
                people=people,
            )
        await signatures.aclose()
        await messaging.aclose()


def make_link_devices(
    web_app: WebApp,
    links: SigningLinks,
    directory: CompanyDirectory,
    store: Store,
    guard: FormGuard,
    look: ReadView,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LinkDevices:
    """Where browsers behind links subscribe."""
    receiver = SubscriptionReceiver(web_app.subscriptions, push_guard(), store, clock=clock)
    return LinkDevices(Visits(links, directory, store, clock), guard, receiver, web_app, look)


def _make_snapshot(email: str, order: int) -> SignerSnapshot:
    """As our own creation keeps it."""
    [person] = re.findall(rf"id: ([a-z-]+), name: [A-Za-z ]+, email: {re.escape(email)}\b", PEOPLE)
    return SignerSnapshot(person=person, order=order, role=Role.SIGN, email=email)


def _config(sandbox: RunningSandbox) -> CoreSignatureConfig:
    settings = sandbox.state.settings
    token_url = f"{sandbox.url}/tenants/{settings.tenant}/oauth2/token"
    credentials = Credentials(token_url, settings.client_id, SecretStr(settings.client_secret))
    return CoreSignatureConfig(sandbox.url, credentials, list_lag=0)


def _document() -> dict[str, str]:
    return {
        "name": DOCUMENT,
        "external_id": REQUEST,
        "file_from_content": "JVBERi0xLjQKJSVFT0YK",
        "file_from_content_name": "msa.pdf",
    }
