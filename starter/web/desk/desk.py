"""The routes of the desk, and its pages for signing in and out. A GET changes nothing, since scanners follow links."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.core_signature.passwords import SignerPasswords
from activities.launch.doors import wall_clock
from activities.notifications.links import BadLink, SigningLinks, at_desk, named_at_desk
from activities.notifications.sign_in import BadSignInLink
from activities.people.company_directory import CompanyDirectory
from activities.people.reader import Reader
from starter.boot import clients
from starter.config.settings import Settings
from starter.queries.filters import is_request_id
from starter.temporal.connection import Context
from starter.web.acting.forms import FormGuard, Send
from starter.web.acting.handing_over import TakenAddresses
from starter.web.acting.versions import Versions
from starter.web.api.starting import StartIntake
from starter.web.desk import sessions
from starter.web.desk.away import AbsencePages
from starter.web.desk.campaign_form import CampaignForm
from starter.web.desk.campaigns import Campaigns
from starter.web.desk.company_sign_in import RETURN_PATH, CompanyPages, CompanySignIn
from starter.web.desk.devices import DevicePages
from starter.web.desk.documents import OwnDocuments
from starter.web.desk.drafts import DraftPages
from starter.web.desk.figures import FiguresPages
from starter.web.desk.fixed_screens import (
    ASKED,
    BEHIND_LINK,
    FRONT,
    NOT_ASKED,
    NOT_THERE,
    SOMEBODY_ELSE,
    SPENT,
    WRONG_CODE,
)
from starter.web.desk.follow_ups import FollowUps
from starter.web.desk.lists import ListRoutes
from starter.web.desk.onboarding_form import OnboardingForm
from starter.web.desk.overview import Overview
from starter.web.desk.people_fields import PeopleFields
from starter.web.desk.request_form import RequestForm
from starter.web.desk.responses import BY_NUMBER, OWN_PAGES, DeskResponses, RequestContext, SignInWays
from starter.web.desk.task_form import TaskForm
from starter.web.desk.together import BulkCommands
from starter.web.downloads import PersonalFiles
from starter.web.http.oidc import Issuer
from starter.web.http.oidc_client import OidcClient
from starter.web.intake.catalogue import KindCatalogue
from starter.web.proofs import CONFIRM, IdentityCookies, Proof, is_confirmation
from starter.web.receivers.subscriptions import SubscriptionReceiver
from starter.web.rights import ReaderRoles
from starter.web.screens.rendering import OURS, TEMPLATES, Brand, Renderer, Tab
from starter.web.screens.view_reader import ReadView, desk_view_reader
from starter.web.screens.web_app import DEVICE_SCRIPT, WebApp
from workflows.model.subject import Identity

_SIGN_IN = "sign-in"


class SignInPages:
    def __init__(
        self,
        responses: DeskResponses,
        sign_in: sessions.SignIn,
        cookies: sessions.Cookies,
        clock: Callable[[], datetime],
        *,
        ways: SignInWays,
        company: CompanySignIn | None,
    ) -> None:
        self._responses = responses
        self._sign_in = sign_in
        self._cookies = cookies
        self._clock = clock
        self._ways = ways
        self._company = (
            CompanyPages(responses, company, cookies, clock, let_in=self._answer_session, as_target=_as_target)
            if company
            else None
        )

    def routes(self) -> list[BaseRoute]:
        leave = Route("/desk/sign-out", self._responses.acting(self.leave), methods=["POST"])
        by_number = self._routes_by_number() if self._ways.number else []
        return [leave, *by_number, *(self._company.routes() if self._company else [])]

    def _routes_by_number(self) -> list[BaseRoute]:
        anybody = self._responses.anybody
        return [
            Route("/desk/sign-in", anybody(self.ask), methods=["POST"]),
            Route("/desk/code", anybody(self.show_code_form), methods=["GET"]),
            Route("/desk/code", anybody(self.enter), methods=["POST"]),
            Route("/desk/in/{ref}", anybody(self.show_sign_in_link), methods=["GET"]),
            Route("/desk/in/{ref}", anybody(self.come_in), methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        form, target = await self._responses.form_of(request, _SIGN_IN), request.query_params.get("to", "")
        if isinstance(form, Response):
            return form
        previous = self._cookies.ask(request, self._clock())
        ask = await self._sign_in.ask(form.get("who", ""), previous, _as_target(target), self._asking(request))
        answer = self._responses.renderer.to_desk("code")
        self._cookies.keep_ask(answer, ask)
        return answer

    async def show_code_form(self, request: Request) -> Response:
        if self._cookies.ask(request, self._clock()) is None:
            return self._responses.ask_who(request)
        return self._responses.card(ASKED, request, self._cookies.name_of(request))

    async def enter(self, request: Request) -> Response:
        """By the code, in the browser that asked."""
        name, ask = self._cookies.name_of(request), self._cookies.ask(request, self._clock())
        form = await self._responses.form_of(request, name)
        if isinstance(form, Response):
            return form
        if ask is None:
            return self._responses.card(NOT_ASKED, request)
        entered = await self._sign_in.by_code(ask, form.get("code", ""), self._asking(request))
        if isinstance(entered, sessions.Session):
            return self._let_in(entered, ask)
        return self._answer_wrong_code(request, name, entered)

    async def show_sign_in_link(self, request: Request) -> Response:
        ref = request.path_params["ref"]
        try:
            person = await self._sign_in.find_person(ref)
        except BadSignInLink:
            return self._responses.card(SPENT, request)
        return self._responses.draft_card(BEHIND_LINK, Reader.from_person(person).language, ref, name=person.name)

    async def come_in(self, request: Request) -> Response:
        """By a link, once."""
        ref = request.path_params["ref"]
        form = await self._responses.form_of(request, ref)
        if isinstance(form, Response):
            return form
        try:
            return self._let_in(await self._sign_in.by_link(ref), self._cookies.ask(request, self._clock()))
        except BadSignInLink:
            return self._responses.card(SPENT, request)

    async def leave(self, request: Request, visitor: sessions.Visitor, form: dict[str, str]) -> Response:
        session = self._cookies.session(request, self._clock())
        row = await self._sign_in.end(session) if session else None
        answer = None
        if self._company and row and row.id_token:
            answer = await self._company.sign_out(request, row.id_token)
        answer = answer or self._responses.renderer.to_desk()
        self._cookies.end(answer)
        return answer

    def _asking(self, request: Request) -> sessions.SignInSource:
        address = request.client.host if request.client else ""
        return sessions.SignInSource(address, self._cookies.last_person(request, self._clock()))

    def _let_in(self, session: sessions.Session, ask: sessions.SignInRequest | None) -> Response:
        return self._answer_session(session, ask.to if ask and ask.person == session.person else "")

    def _answer_session(self, session: sessions.Session, target: str) -> Response:
        answer = self._responses.renderer.to_desk(target)
        self._cookies.keep_session(answer, session)
        return answer

    def _answer_wrong_code(self, request: Request, name: str, wrong: sessions.WrongCode) -> Response:
        if not wrong.remaining:
            return self._responses.card(NOT_ASKED, request)
        return self._responses.card(replace(ASKED, status=403, refusal=WRONG_CODE), request, name, left=wrong.remaining)


class Confirmations:
    """Lets a visitor sign behind a link of theirs, where its kind asks for a sign-in."""

    def __init__(
        self, responses: DeskResponses, links: SigningLinks, proofs: IdentityCookies, clock: Callable[[], datetime]
    ) -> None:
        self._responses = responses
        self._links = links
        self._proofs = proofs
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        return [Route(f"/desk/{CONFIRM}/{{ref}}", self._responses.visitors(self.confirm), methods=["GET"])]

    async def confirm(self, request: Request, visitor: sessions.Visitor) -> Response:
        """Back to the page behind the link; nothing changes but this browser's cookie."""
        ref = request.path_params["ref"]
        try:
            claim = self._links.open(ref)
        except BadLink:
            return await self._responses.inside(NOT_THERE, visitor)
        if claim.person != visitor.id:
            return await self._responses.inside(SOMEBODY_ELSE, visitor)
        answer = self._responses.renderer.onward(f"{self._proofs.path}/{ref}")
        self._proofs.keep_proof(answer, Proof(claim.request, claim.person, Identity.SIGN_IN, self._clock()))
        return answer


class Desk:
    """`/desk` and everything below it, and the link to it at `/`."""

    def __init__(
        self,
        *,
        directory: CompanyDirectory,
        guard: FormGuard,
        cookies: sessions.Cookies,
        sign_in: sessions.SignIn,
        context: Context,
        kinds: KindCatalogue,
        links: SigningLinks,
        look: ReadView,
        send: Send,
        roles: ReaderRoles,
        files: PersonalFiles,
        starts: StartIntake,
        passwords: SignerPasswords,
        receiver: SubscriptionReceiver,
        web_app: WebApp,
        proofs: IdentityCookies,
        ways: SignInWays = BY_NUMBER,
        company: CompanySignIn | None = None,
        brand: Brand = OURS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        door = sessions.Authenticator(sign_in, cookies, clock)
        self._responses = DeskResponses(
            Renderer(brand, desk=cookies.root),
            guard,
            door,
            self._tabs,
            store=context.store,
            clock=clock,
            upload_megabytes=starts.settings.signature.max_upload_mb,
            ways=ways,
        )
        shared = RequestContext(self._responses, context, directory, roles, kinds, look, clock)
        people = PeopleFields(directory)
        types = (RequestForm, TaskForm, CampaignForm, OnboardingForm)
        forms = [form(context.store.drafts, people, kinds, roles, starts) for form in types]
        with_script = Renderer(brand, desk=cookies.root, script=(TEMPLATES / "draft.js").read_text())
        self._drafts = DraftPages(shared, with_script, starts, people, forms)
        self._documents = OwnDocuments(shared, files)
        installable = Renderer(brand, desk=cookies.root, script=DEVICE_SCRIPT, installable=True)
        self._devices = DevicePages(shared, receiver, web_app, installable)
        self._overview = Overview(shared, self._drafts)
        self._lists = ListRoutes(shared, self._documents, self._overview.build, self._devices)
        self._campaigns = Campaigns(shared, send, files, seconds)
        self._figures = FiguresPages(shared)
        versions = Versions(context.store, starts.settings.signature.max_upload_mb)
        taken_addresses = TakenAddresses(directory, starts.settings.signature.from_email)
        self._follow_ups = FollowUps(
            shared, links, send, files, versions, taken_addresses=taken_addresses, passwords=passwords
        )
        self._away_pages = AbsencePages(shared)
        self._together = BulkCommands(shared, self._follow_ups, send)
        self._confirmations = Confirmations(self._responses, links, proofs, clock)
        self._entrance = SignInPages(self._responses, sign_in, cookies, clock, ways=ways, company=company)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._responses.anybody(self.front), methods=["GET"]),
            *self._drafts.routes(),
            *self._lists.routes(),
            *self._overview.routes(),
            *self._documents.routes(),
            *self._figures.routes(),
            *self._campaigns.routes(),
            *self._together.routes(),
            *self._follow_ups.routes(),
            *self._away_pages.routes(),
            *self._devices.routes(),
            *self._entrance.routes(),
            *self._confirmations.routes(),
            Route("/desk/{nothing:path}", self._responses.visitors(self.nowhere), methods=["GET"]),
        ]

    async def front(self, request: Request) -> Response:
        return self._responses.card(FRONT, request)

    async def nowhere(self, request: Request, visitor: sessions.Visitor) -> Response:
        return await self._responses.inside(NOT_THERE, visitor)

    async def _tabs(self, visitor: sessions.Visitor, current_page: str) -> tuple[Tab, ...]:
        return (*await self._lists.tabs(visitor, current_page), *await self._figures.tabs(visitor, current_page))


def make_desk(
    settings: Settings,
    context: Context,
    directory: CompanyDirectory,
    guard: FormGuard,
    send: Send,
    *,
    roles: ReaderRoles,
    files: PersonalFiles,
    starts: StartIntake,
    receiver: SubscriptionReceiver,
    web_app: WebApp,
    brand: Brand,
    issuer: Issuer | None,
) -> Desk:
    client, store = context.client, context.store
    cookies = sessions.Cookies(clients.key_ring(settings), settings.link_base)
    sign_in = sessions.SignIn(
        store,
        directory,
        clients.sign_in_links(settings),
        sessions.sign_in_sender(client),
        sessions.reachability_check(client),
    )
    ways = SignInWays(
        number=settings.sign_in != "oidc", company=settings.oidc.signs_in and settings.sign_in != "number"
    )
    company = None
    if issuer and ways.company:
        oidc_client = OidcClient(
            settings.oidc, issuer, f"{settings.link_base}/desk/{RETURN_PATH}", f"{settings.link_base}/desk"
        )
        company = CompanySignIn(oidc_client, sign_in, cookies, store=store, directory=directory, clock=wall_clock)
    return Desk(
        directory=directory,
        guard=guard,
        cookies=cookies,
        sign_in=sign_in,
        context=context,
        kinds=KindCatalogue(settings.policies),
        links=clients.links(settings),
        look=desk_view_reader(context),
        send=send,
        roles=roles,
        files=files,
        starts=starts,
        passwords=clients.signer_passwords(settings),
        receiver=receiver,
        web_app=web_app,
        proofs=IdentityCookies(clients.key_ring(settings), settings.link_base),
        ways=ways,
        company=company,
        brand=brand,
    )


def _as_target(path: str) -> str:
    """The page of the desk that an untrusted address names; empty for anything else."""
    return path if _is_page(path) else ""


def _is_page(path: str) -> bool:
    """Whether it is a page of everybody or of a follow-up: the address is untrusted."""
    name = named_at_desk(path)
    return (
        path in OWN_PAGES
        or is_confirmation(path)
        or (name is not None and is_request_id(name.id) and path == at_desk(name))
    )
