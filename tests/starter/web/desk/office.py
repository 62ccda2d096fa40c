"""A desk behind which a test stands: browsers before it, and the orders that workers would have got."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

import starter
from activities.core_signature.passwords import SignerPasswords
from activities.keys import KeyRing
from activities.notifications.links import SigningLinks
from activities.notifications.sign_in import SignInLink, SignInLinks
from activities.people.file_directory import FileDirectory
from activities.people.subscriptions import WebSubscriptions, push_guard
from activities.records.store import Store
from starter.config.settings import OidcSettings, load
from starter.temporal.connection import Context
from starter.web.acting.forms import FormGuard
from starter.web.api.starting import StartIntake
from starter.web.app import make_app
from starter.web.desk.company_sign_in import RETURN_PATH, CompanySignIn
from starter.web.desk.desk import Desk
from starter.web.desk.responses import BY_NUMBER, SignInWays
from starter.web.desk.sessions import Cookies, SignIn
from starter.web.downloads import KeptFileAnswers, PersonalFiles
from starter.web.http.oidc import Issuer
from starter.web.http.oidc_client import OidcClient
from starter.web.http.serving import with_peer
from starter.web.intake.catalogue import KindCatalogue
from starter.web.proofs import IdentityCookies
from starter.web.receivers.subscriptions import SubscriptionReceiver
from starter.web.rights import ReaderRoles
from starter.web.screens.rendering import OURS, Brand
from starter.web.screens.web_app import WebApp
from workflows.model.commands import AnyCommand
from workflows.model.notifications import SignInOrder
from workflows.model.receipts import OperationState, Receipt
from workflows.model.subject import Status
from workflows.model.views import Shown

SECRET: Final = SecretStr("0123456789abcdef0123456789abcdef")
PUBLIC: Final = "https://sign.example/people"
NOW: Final = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
CATALOGUE: Final = Path(starter.__file__).with_name("policies.yaml")
_NOWHERE: Final[Any] = None
"""The client of a desk at which nobody looks at requests."""
NEEDS_NOBODY: Final = "/desk/people"
"""A page that says who is in and asks nobody behind the desk: of most people there are none."""
REQUESTER, MANAGER, SIGNER, OPERATOR, DUTCH = "legal-desk", "legal-head", "chair", "operator", "finance-desk"
OWNER, ENGINEER, LEAD = "owner", "engineer", "lead"
"""Who asks for tasks, who does them, and whose manager that is."""
PEOPLE: Final = """
people:
  - {id: legal-desk, name: Legal Desk, email: Legal@example.test, zone: Europe/Amsterdam, manager: legal-head,
     groups: [all-staff]}
  - {id: legal-head, name: Head of Legal, email: head@example.test, zone: Europe/Amsterdam}
  - {id: chair, name: Chair, email: chair@example.test, zone: Asia/Tokyo}
  - {id: operator, name: Operator, email: ops@example.test, zone: UTC, groups: [operations]}
  - {id: finance-desk, name: Finance Desk, email: finance@example.test, zone: Europe/Amsterdam, locale: nl}
  - {id: owner, name: Owner, email: owner@example.test, zone: Europe/Amsterdam, groups: [all-staff]}
  - {id: engineer, name: Engineer, email: engineer@example.test, zone: Europe/Amsterdam, manager: lead}
  - {id: lead, name: Lead, email: lead@example.test, zone: Europe/Amsterdam}
"""


@dataclass
class Browser:
    """One browser with its cookies; `peer` is from where it calls."""

    http: httpx.AsyncClient

    async def get(self, path: str = NEEDS_NOBODY, **headers: str) -> httpx.Response:
        """Open a page, following where it leads."""
        return await self.http.get(public(path), headers=headers)

    async def press(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the last form of a page, as a browser would."""
        action, form = form_of(page.text)
        return await self.post(action or page.url.path, form | fields)

    async def post(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Send a form."""
        headers = {"origin": "null", "sec-fetch-site": "same-origin"}
        return await self.http.post(public(path), data=form, headers=headers)


@dataclass
class Office:
    """The desk, its clock, and what was asked of workers."""

    people: Path
    store: Store
    sign_in_links: SignInLinks
    directory: FileDirectory
    app: Any = None
    sign_in: Any = None
    roles: Any = None
    orders: list[SignInOrder] = field(default_factory=list)
    withdrawn: list[SignInOrder] = field(default_factory=list)
    """Those whose notices are to be taken off the screens."""
    failure: Exception | None = None
    commands: list[tuple[str, AnyCommand, str]] = field(default_factory=list)
    answer: Receipt | Exception | None = None
    unwatched: int = 0
    """CommandRecorder of which nobody waits to see what becomes of them."""
    gate: asyncio.Event | None = None
    """Nothing is taken before it is set."""
    views: dict[str, Shown] = field(default_factory=dict)
    now: datetime = NOW

    def browser(self, peer: str = "10.0.0.1") -> Browser:
        """Another one, without cookies."""
        transport = httpx.ASGITransport(self.app, client=(peer, 50000))
        return Browser(httpx.AsyncClient(transport=transport, base_url="https://sign.example", follow_redirects=False))

    async def tell(self, order: SignInOrder) -> None:
        """What a worker would get."""
        await self.reach()
        (self.withdrawn if order.used else self.orders).append(order)

    async def reach(self) -> None:
        """Whether Temporal is there."""
        if self.failure:
            raise self.failure

    async def look(self, request: str) -> Shown | None:
        """What is known of a request."""
        await self.reach()
        return self.views.get(request)

    async def send(self, request: str, command: AnyCommand, op: str, *, watched: bool = True) -> Receipt:
        """What a request would get."""
        self.commands.append((request, command, op))
        self.unwatched += not watched
        if self.gate:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        receipt = Receipt(id=request, status=Status.SENT, op=op, says="", state=OperationState.DONE)
        return self.answer or receipt

    def clock(self) -> datetime:
        """What time it is."""
        return self.now

    def seconds(self) -> float:
        """How long it has been."""
        return (self.now - NOW).total_seconds()

    def pass_(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def link(self) -> str:
        """The link of the newest message, as the receiver gets it."""
        return self.sign_in_links.url(SignInLink.from_order(self.orders[-1])).removeprefix(PUBLIC)

    def code(self) -> str:
        """The number of the newest message."""
        return self.sign_in_links.code(SignInLink.from_order(self.orders[-1]))

    async def ask(self, browser: Browser, person: str) -> httpx.Response:
        """Ask for a way in; the page that follows."""
        answer = await browser.press(await browser.get(), who=person)
        assert answer.status_code == 303, answer.text
        return await browser.get(inside(answer))

    async def come_in(self, person: str) -> Browser:
        """A browser in which somebody is in."""
        browser = self.browser()
        await self.ask(browser, person)
        assert (await browser.press(await browser.get(self.link()))).status_code == 303
        return browser


@asynccontextmanager
async def office(
    folder: Path,
    context: Context | None = None,
    brand: Brand = OURS,
    catalogue: Path = CATALOGUE,
    *,
    base: str = PUBLIC,
    oidc: OidcSettings | None = None,
    ways: SignInWays = BY_NUMBER,
) -> AsyncIterator[Office]:
    """A desk for one test, at which people also sign in by the issuer of `oidc`."""
    people, store = folder / "people.yaml", Store((folder / "store").as_uri())
    people.write_text(PEOPLE)
    directory = FileDirectory(people, store)
    new_office = Office(people, store, SignInLinks(base, KeyRing([SECRET])), directory)
    new_office.sign_in = SignIn(
        store,
        directory,
        new_office.sign_in_links,
        new_office.tell,
        new_office.reach,
        clock=new_office.clock,
        sleep=_at_once,
    )
    issuer_groups = store.desk_sessions if oidc else None
    roles = ReaderRoles(directory, "operations", KindCatalogue(catalogue), issuer_groups, new_office.clock)
    new_office.roles = roles
    cookies, company = Cookies(KeyRing([SECRET]), base), None
    if oidc:
        issuer = Issuer(oidc, clock=lambda: new_office.clock().timestamp(), seconds=new_office.seconds)
        client = OidcClient(oidc, issuer, f"{base}/desk/{RETURN_PATH}", f"{base}/desk")
        company = CompanySignIn(
            client, new_office.sign_in, cookies, store=store, directory=directory, clock=new_office.clock
        )
    subscriptions = WebSubscriptions(store)
    desk = Desk(
        directory=directory,
        guard=FormGuard(KeyRing([SECRET]), base),
        cookies=cookies,
        sign_in=new_office.sign_in,
        context=context or Context(_NOWHERE, store),
        kinds=KindCatalogue(catalogue),
        links=SigningLinks(base, KeyRing([SECRET])),
        look=new_office.look,
        send=new_office.send,
        roles=roles,
        files=PersonalFiles(store, roles, KeptFileAnswers(store, new_office.clock)),
        starts=StartIntake(load(environment=environment(folder, catalogue)), store, directory, new_office.clock),
        passwords=SignerPasswords(SECRET),
        receiver=SubscriptionReceiver(subscriptions, push_guard(), store, clock=new_office.clock),
        web_app=WebApp(brand, subscriptions, new_office.seconds),
        proofs=IdentityCookies(KeyRing([SECRET]), base),
        ways=ways,
        company=company,
        brand=brand,
        clock=new_office.clock,
        seconds=new_office.seconds,
    )
    new_office.app = with_peer(_mount_below_public_path(make_app(desk.routes())))
    yield new_office


def environment(folder: Path, catalogue: Path = CATALOGUE) -> dict[str, str]:
    """Of a web process with these people and our own catalogue."""
    return {
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_PEOPLE": str(folder / "people.yaml"),
        "COUNTERSIGN_POLICIES": str(catalogue),
    }


async def _at_once(_: float) -> None:
    """The answer need not wait in tests."""


def _mount_below_public_path(app: Any) -> Any:
    """Cookies are set below the public path, which a proxy takes away: so does this."""

    async def proxied(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": scope["path"].removeprefix("/people")}, receive, send)

    return proxied


def public(path: str) -> str:
    """A path as browsers see it, below the one of `PUBLIC`."""
    return path if path.startswith("/people/") else f"/people{path}"


def inside(answer: httpx.Response) -> str:
    """Where an answer leads."""
    return answer.headers["location"]


def form_of(page: str) -> tuple[str, dict[str, str]]:
    """Where the last form of a page goes, and what is in it."""
    form = re.findall(r"<form.*?</form>", page, re.DOTALL)[-1]
    action = re.search(r'<form[^>]* action="([^"]*)"', form)
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return unescape(action[1]) if action else "", {name: unescape(value) for name, value in fields}


def text_of(page: httpx.Response) -> str:
    """What is to be read on a page."""
    body = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(unescape(body).split())
