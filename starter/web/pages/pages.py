"""The pages behind links: signing, tasks, and status.

A GET reads our own data and changes nothing, since scanners follow links. The POST asks Core Signature and redirects to
the live signing page, so signing works while Temporal is down. Other forms send commands; none are shown while no
worker answers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar, assert_never
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.orders import embed_user
from activities.core_signature.signers import Places, SignerSnapshot, SignerSnapshots
from activities.core_signature.signing_page import SigningPage, SigningState, signing_page
from activities.core_signature.wire import WireSigner
from activities.errors import StoreFailure
from activities.http.client import ServiceFailure
from activities.notifications.links import SIGNED, LinkContent, LinkUse, SigningLinks, build_relative_link
from activities.people.directory import Directory, DirectoryFailure
from activities.people.language import Language, phrase
from activities.records.downloads import Way
from activities.records.store import Store
from starter.queries.commands import CommandRefused
from starter.queries.lookup import of_type
from starter.web.absences import AWAY
from starter.web.acting.actions import ACTIONS, DECISIONS, Action, PostedForm, onboarding_to_decide, parse_action
from starter.web.acting.forms import FailureReason, FormFailure, FormFault, FormGuard, Send, send_form
from starter.web.acting.kinds import KIND_PAGES
from starter.web.acting.versions import FIELD, VERSION, Versions, is_multipart
from starter.web.downloads import FILE_PATHS, PersonalFiles
from starter.web.http.allowances import MailPause
from starter.web.http.bodies import BodyFault, PostedDocuments
from starter.web.pages import link_screens, options
from starter.web.pages.away import may_be_away
from starter.web.pages.devices import LinkDevices
from starter.web.pages.first_page import FirstPages
from starter.web.pages.identity import NO_PAGE, IdentityAnswer, IdentityGate
from starter.web.pages.options import NOTHING, choices_of
from starter.web.pages.review import as_asker, may_read_version, review_screen
from starter.web.pages.visits import DONE, RENEWED, USED_UP, PagePeople, PageVisit, Visits, edition_of
from starter.web.screens.rendering import OURS, Brand, Renderer
from starter.web.screens.screens import (
    CUT_OFF,
    FOREIGN_FORM,
    NO_ANSWER,
    NO_FILE,
    NOBODY,
    NOT_DONE,
    NOT_KNOWN_NOW,
    NOT_OURS,
    RECEIVED,
    UNCERTAIN,
    DeviceOffer,
    Screen,
    ScreenDraft,
    ScreenName,
    ScreenTone,
)
from starter.web.screens.status import NO_NAMES, abandoned_sentences, line_of, signing_page_of_view
from starter.web.screens.view_reader import ReadView, ViewCache
from starter.web.screens.web_app import DEVICE_SCRIPT
from workflows.kinds import Kind, kinds, referred
from workflows.model.commands import Decision, PlaceTaking
from workflows.model.receipts import OperationState, Receipt
from workflows.model.rejections import Rejection, plain
from workflows.model.subject import Role
from workflows.model.views import RequestShow, Shown

PICTURE: Final = "first-page"
_OVER: Final = (SigningState.ACTED, SigningState.ENDED)
_CAN_SIGN: Final = (SigningState.OPEN, SigningState.BY_MAIL)
MARK_SECONDS: Final = 1.0
"""For a note in the database, or a look at one, that no page needs."""
Anything = TypeVar("Anything")
PROVIDER_SECONDS: Final = 8.0
_SENT: Final = "sent"
_SIGNED: Final = ScreenDraft(
    ScreenName.SIGNED,
    200,
    phrase("Thank you"),
    (phrase("Nothing is left for you to do here. You can close this page."),),
    tone=ScreenTone.DONE,
)
"""Shown to any browser, so it says nothing of the document."""
_LOGGER: Final = structlog.get_logger("countersign.pages")


class ActsOfReaders:
    """Who opened it, and who acted when, for all web processes; errors and delays are ignored."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def opened(self, claim: LinkContent) -> None:
        if claim.use is not LinkUse.VIEW:
            await self._quickly(self._store.log_pages.mark_opened(claim.workflow_id, claim.person, self._clock()))

    async def acted(self, claim: LinkContent) -> None:
        await self._quickly(self._store.log_pages.mark_acted(claim.workflow_id, claim.person, self._clock()))

    async def last(self, claim: LinkContent) -> datetime | None:
        """When they last acted; None also where it cannot be read."""
        return await self._quickly(self._store.log_pages.acted(claim.workflow_id, claim.person))

    async def _quickly(self, statement: Awaitable[Anything]) -> Anything | None:
        with suppress(StoreFailure, TimeoutError):
            return await asyncio.wait_for(statement, MARK_SECONDS)
        return None


@dataclass(frozen=True)
class ScreenBuilder:
    """With `pictures` signers see the document's first page."""

    look: ViewCache[Shown | None]
    acts: ActsOfReaders
    who: PagePeople
    files: PersonalFiles
    clock: Callable[[], datetime]
    pictures: bool

    async def screen_of(self, visit: PageVisit) -> Screen:
        match visit.claim.use:
            case LinkUse.VIEW:
                return await self._status(visit)
            case LinkUse.REVIEW:
                return await self._reviewing(visit)
            case LinkUse.DO:
                return await self._doing(visit)
            case LinkUse.SIGN | LinkUse.TAKE | LinkUse.PREVIEW | LinkUse.HANDED:
                return await self.signing(visit)
        assert_never(visit.claim.use)

    async def signing(self, visit: PageVisit, signing_page: SigningPage | None = None) -> Screen:
        """The signer's screen by Core Signature's answer `found`, else by our own data."""
        view = await (self.anew(visit) if signing_page else self.read_view(visit))
        request = of_type(RequestShow, view) if view else None
        known_page = signing_page_of_view(request, visit.claim.person)
        if known_page.state is SigningState.ENDED or signing_page is None:
            page = known_page
        else:
            # What we are waiting for at Core Signature is only not listed yet.
            page = (
                replace(signing_page, state=SigningState.PREPARING)
                if request and signing_page.state is SigningState.UNKNOWN
                else signing_page
            )
        screen = link_screens.signing_screen(page, request.due_at if request else None, visit.reader, self.clock())
        screen = replace(screen, sentences=(*await self._unfollowed(visit, request), *screen.sentences))
        screen = await self._for_group(screen, page.state, visit, request) if request else screen
        if visit.claim.use is LinkUse.HANDED:
            return await self._with_asker(screen, visit, request) if request and page.state in _CAN_SIGN else screen
        if page.state in _OVER:
            return await self._with_files(await self._receipt(screen, page, visit, request), visit, request)
        return await self._with_more(screen, page.state, visit, request) if request else screen

    async def _with_files(self, screen: Screen, visit: PageVisit, view: Shown | None) -> Screen:
        """With what is kept of it, for those who may have it."""
        with suppress(StoreFailure):
            if view and await self.may_download(visit, view):
                return replace(screen, files=await self.files.offered(view, visit.ref, visit.reader.language))
        return screen

    async def may_download(self, visit: PageVisit, view: Shown) -> bool:
        """Raises `StoreFailure`."""
        if not visit.claim.is_own or not view.kept_files.any:
            return False
        return await self.files.permitted(visit.claim.person, view)

    async def read_view(self, visit: PageVisit) -> Shown | None:
        """Not from before their own last act, whichever web process it went through."""
        view = await self.look(visit.ref, visit.claim.request, await self.acts.last(visit.claim))
        return await self.who.as_asker(view, visit.claim.person) if view else None

    async def anew(self, visit: PageVisit) -> Shown | None:
        """As of now."""
        view = await self.look.anew(visit.ref, visit.claim.request)
        return await self.who.as_asker(view, visit.claim.person) if view else None

    async def _for_group(self, screen: Screen, state: SigningState, visit: PageVisit, view: RequestShow) -> Screen:
        """Who signs for the group, where another does."""
        line = line_of(view, visit.claim.person)
        taker = view.signer_for(line.team) if line and line.team else None
        called = await self.who.names_of(view) if taker else NO_NAMES
        name = called.get(taker.person, taker.person) if taker and taker.person != visit.claim.person else ""
        return link_screens.for_group(screen, state, line, name)

    async def _unfollowed(self, visit: PageVisit, view: RequestShow | None) -> tuple[str, ...]:
        """That nobody follows it up, although it can still be signed."""
        if view is None or not view.trouble:
            return ()
        return abandoned_sentences(view, visit.reader.language, await self.who.names_of(view))

    async def _receipt(self, screen: Screen, page: SigningPage, visit: PageVisit, view: RequestShow | None) -> Screen:
        """The screen of somebody with nothing left to do."""
        called = await self.who.names_of(view) if view else NO_NAMES
        asker = await self.who(view.id, view.requester) if view else NOBODY
        acknowledges = bool(asker.version or asker.effective)
        return link_screens.SignerReceipt(page, view, visit.claim.person, visit.reader, called, acknowledges).screen(
            screen
        )

    async def _doing(self, visit: PageVisit) -> Screen:
        view = await self.read_view(visit)
        if view is None:
            return NOT_KNOWN_NOW.in_language(visit.reader.language)
        called = await self.who.names_of(view)
        screen = link_screens.DOING[view.type](view, visit.claim.person, visit.reader, self.clock(), called)
        if screen.name is ScreenName.HANDED_OVER:
            return await self._handed_over(screen, visit, view)
        return await self._with_offers(screen, visit, view) if screen.name is ScreenName.DO else screen

    async def _reviewing(self, visit: PageVisit) -> Screen:
        view = await self.read_view(visit)
        request = as_asker(of_type(RequestShow, view), visit.claim.person) if view else None
        if request is None or (request.partial and not request.reviews):
            return NOT_KNOWN_NOW.in_language(visit.reader.language)
        screen = review_screen(request, visit.claim.person, visit.ref, visit.reader, self.clock())
        if screen.name is ScreenName.HANDED_OVER:
            return await self._handed_over(screen, visit, request)
        if screen.name not in (ScreenName.REVIEW, ScreenName.REVISE):
            return await self._with_files(screen, visit, request) if request.status.has_ended else screen
        screen = await self._with_offers(screen, visit, request)
        if screen.name is ScreenName.REVIEW:
            return screen
        called = await self.who.names_of(request) if request.taken_by else NO_NAMES
        screen = options.with_taker(screen, request, visit.claim.person, called)
        taking = tuple(option for option in screen.options if option.act is Action.TAKE)
        return replace(screen, asker=NOBODY, options=taking)

    async def _handed_over(self, screen: Screen, visit: PageVisit, view: Shown) -> Screen:
        """The screen of a former signer."""
        stand_ins = await self.who.successors(view, visit.person)
        named = options.with_successor(screen, view, visit.claim.person, stand_ins)
        return options.with_own_questions(named, view, visit.claim.person)

    async def _with_more(self, screen: Screen, state: SigningState, visit: PageVisit, view: RequestShow) -> Screen:
        """A signer's screen with asker and options."""
        if state is SigningState.HANDED_OVER:
            return await self._handed_over(screen, visit, view)
        if state not in link_screens.WAITING:
            return screen
        screen = replace(screen, progress=link_screens.how_many_have_signed(view, visit.reader.language))
        if view.partial or state not in _CAN_SIGN:
            return await self._with_asker(screen, visit, view)
        return await self._with_offers(screen, visit, view)

    async def _with_offers(self, screen: Screen, visit: PageVisit, view: Shown) -> Screen:
        """The screen with asker, earlier wishes and options."""
        screen = await self._with_asker(screen, visit, view)
        screen = options.with_refusal(screen, view, visit.claim.person)
        screen = options.with_banner(screen, visit.confirmation, view, visit.claim.person, visit.reader)
        called = await self.who.names_of(view) if view.questions else {}
        screen = options.with_wishes_of(screen, view, visit.claim.person, visit.reader, called)
        return options.with_offers(screen, await self.offers_to(visit, view), visit.reader)

    async def _with_asker(self, screen: Screen, visit: PageVisit, view: Shown) -> Screen:
        asker = await self.who(view.id if view.type.spec.document else None, view.requester)
        screen = replace(screen, edition=edition_of(asker, visit.reader, self.clock()))
        if visit.claim.person == view.requester or onboarding_to_decide(view):
            return screen
        reads = visit.claim.use in (LinkUse.SIGN, LinkUse.TAKE, LinkUse.REVIEW) and self.pictures and asker.has_file
        return replace(screen, asker=asker, picture=f"{visit.ref}/{PICTURE}" if reads else None)

    async def _status(self, visit: PageVisit) -> Screen:
        view = await self.read_view(visit)
        if view is None:
            return NOT_KNOWN_NOW.in_language(visit.reader.language)
        called = await self.who.names_of(view)
        screen = link_screens.status_screen(view, visit.claim.person, visit.reader, self.clock(), called)
        if view.type.spec.document and visit.claim.person != view.requester:
            request = of_type(RequestShow, view)
            known_page = signing_page_of_view(request, visit.claim.person)
            read = await self._receipt(screen, known_page, visit, request)
            screen = replace(read, signers=screen.signers, signers_are=screen.signers_are)
        if not screen.comes:
            screen = await self._with_asker(screen, visit, view)
        screen = await self._with_files(screen, visit, view)
        screen = options.with_questions(screen, view, visit.claim.person, called)
        screen = options.with_taker(screen, view, visit.claim.person, called)
        screen = options.with_banner(screen, visit.confirmation, view, visit.claim.person, visit.reader)
        return options.with_offers(screen, await self.offers_to(visit, view), visit.reader)

    async def offers_to(self, visit: PageVisit, view: Shown, taker: str = "") -> options.Offers:
        """`taker` is the chosen new person."""
        if visit.claim.use is LinkUse.HANDED:
            return NOTHING
        if visit.claim.use is LinkUse.VIEW:
            return await self._with_take(options.offers_to_onlooker(view, visit.claim.person), visit, view)
        if visit.claim.use is LinkUse.REVIEW and visit.claim.person == view.requester:
            return await self._with_take(NOTHING, visit, view)
        stand_ins = await self.who.stand_ins(view, visit.person, visit.typed, taker)
        return options.offers_to_awaited(view, visit.claim.person, stand_ins, visit.reader, self.clock())

    async def _with_take(self, offers: options.Offers, visit: PageVisit, view: Shown) -> options.Offers:
        """For one of the group that asks: `view` has them in its place, so that is looked at once more."""
        group_view = await self.look(visit.ref, visit.claim.request, await self.acts.last(visit.claim))
        if group_view is None or not options.may_be_taken(group_view, visit.claim.person):
            return offers
        if not await self.who.asks_with(group_view, visit.claim.person):
            return offers
        return replace(offers, take=True, taken_by=view.taken_by or "")


class Pages:
    def __init__(
        self,
        links: SigningLinks,
        directory: Directory,
        store: Store,
        signatures: CoreSignatureClient,
        guard: FormGuard,
        *,
        snapshots: SignerSnapshots,
        look: ReadView,
        send: Send,
        people: PagePeople,
        files: PersonalFiles,
        versions: Versions,
        identity: IdentityGate,
        brand: Brand = OURS,
        devices: LinkDevices,
        first_pages: FirstPages | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._visits = Visits(links, directory, store, clock)
        self._links = links
        self._store = store
        self._signatures = signatures
        self._snapshots = snapshots
        self._look = ViewCache(look, seconds)
        self._send = send
        self._first_pages = first_pages
        self._files = files
        self._versions = versions
        self._identity = identity
        self._acts = ActsOfReaders(store, clock)
        self._screens = ScreenBuilder(self._look, self._acts, people, files, clock, pictures=first_pages is not None)
        self._guard = guard
        self._clock = clock
        self._mail_pause = MailPause(store, clock)
        self._devices = devices
        self._renderer = Renderer(brand, destination=signatures.config.url)
        self._installable = Renderer(brand, destination=signatures.config.url, script=DEVICE_SCRIPT, installable=True)

    def routes(self) -> list[BaseRoute]:
        ways = (("GET", self.open), ("POST", self.act))
        pages = [kind.spec.page for kind in kinds() if KIND_PAGES[kind].on_phones]
        return [
            Route(f"/{Kind.REQUEST.spec.page}/{SIGNED}", self.signed, methods=["GET"]),
            *(Route(f"/{page}/{{ref}}", do, methods=[method]) for page in pages for method, do in ways),
            Route(f"/open/{{ref}}/{PICTURE}", self.picture, methods=["GET"]),
            *(Route(f"/open/{{ref}}/{path}", self.download, methods=["GET"]) for path in FILE_PATHS.values()),
            Route(f"/open/{{ref}}/{VERSION}", self.version, methods=["GET"]),
        ]

    async def signed(self, request: Request) -> Response:
        """For a browser that comes from Core Signature, and may be anybody's: it keeps nothing of what was there."""
        language = Language.accepted(request.headers.get("accept-language", ""))
        answer = self._renderer.screen(_SIGNED.in_language(language))
        answer.headers["clear-site-data"] = '"cache"'
        return answer

    async def download(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        view = await self._screens.read_view(visit)
        if view is None or (view.partial and not view.kept_files.any):
            return self._card(NOT_KNOWN_NOW, visit)
        try:
            if not await self._screens.may_download(visit, view):
                return self._card(NO_FILE, visit)
        except StoreFailure as failure:
            _LOGGER.warning("not known who may have it", request=visit.claim.request, why=str(failure))
            return self._card(NOT_KNOWN_NOW, visit)
        answer = await self._files.answer(request, view, visit.claim.person, Way.PAGE)
        return answer if isinstance(answer, Response) else self._card(answer, visit)

    async def version(self, request: Request) -> Response:
        """The document that is reviewed now."""
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        view = await self._screens.read_view(visit)
        request_view = of_type(RequestShow, view) if view else None
        if request_view is None or not may_read_version(request_view, visit.claim.person) or not visit.claim.is_own:
            return self._card(NO_FILE, visit)
        answer = await self._files.version(request, request_view, visit.claim.person, Way.PAGE)
        return answer if isinstance(answer, Response) else self._card(answer, visit)

    async def picture(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        screen, view = await self._screens.screen_of(visit), await self._screens.read_view(visit)
        version = view.reviewed_versions[-1].sha256 if view and view.reviewed_versions else None
        pages = self._first_pages if screen.picture else None
        return self._renderer.picture(await pages.read(visit.claim.request, version) if pages else None)

    async def open(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        screen = await self._screens.screen_of(visit)
        if screen.button and request.query_params.get("mail") == _SENT:
            screen = replace(link_screens.MAIL_SENT.in_language(visit.reader.language), document=screen.document)
        if parse_action(visit.confirmation) and screen.banner is None:
            screen = await self._acknowledge(screen, visit)
        return self._respond(screen, visit, await self._offered_device(screen, visit))

    async def _offered_device(self, screen: Screen, visit: PageVisit) -> DeviceOffer | None:
        """For a screen after which something is still to come for its reader."""
        if screen.status != HTTPStatus.OK or screen.name is ScreenName.HANDED_OVER:
            return None
        return await self._devices.offer(visit, await self._screens.read_view(visit))

    async def _acknowledge(self, screen: Screen, visit: PageVisit) -> Screen:
        """After a form whose command was recorded: say so where the page does not have its result yet."""
        view = await self._screens.read_view(visit)
        if view and not view.partial:
            return screen
        _LOGGER.warning(
            "form received, its result is not known yet", request=visit.claim.request, act=visit.confirmation
        )
        received = RECEIVED.in_language(visit.reader.language)
        return received if screen.name is ScreenName.NO_ANSWER else replace(screen, banner=received.sentences[0])

    async def act(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        if is_multipart(request):
            return await self._revise(visit, request)
        form = await self._guard.posted(visit.ref, request)
        if isinstance(form, FormFault):
            return self._card(CUT_OFF if form is FormFault.CUT_OFF else FOREIGN_FORM, visit)
        await self._acts.opened(visit.claim)
        if form.get("act") == Action.FIND:
            return self._respond(
                await self._screens.screen_of(replace(visit, typed=plain(form.get("text", "")))), visit
            )
        try:
            return await (self._go_on if form.get("act") in (Action.SIGN, Action.RESEND) else self._carry_out)(
                visit, form
            )
        finally:
            self._look.forget(visit.ref)
            await self._acts.acted(visit.claim)  # Whoever has acted sees on the next page what that did.

    async def _revise(self, visit: PageVisit, request: Request) -> Response:
        """Give a new version, once however often its form is sent."""
        posted = await self._versions.read(request)
        if isinstance(posted, BodyFault):
            return self._card(CUT_OFF, visit)
        if not self._guard.accepts(visit.ref, posted.fields.get("token", ""), request.headers):
            return self._card(FOREIGN_FORM, visit)
        view = await self._screens.anew(visit)
        if view is None or view.partial:
            return self._card(NOT_DONE, visit)
        form = {**posted.fields, "act": Action.REVISE}
        try:
            sent = await send_form(self._revised(visit, view, posted, form), visit.claim.request)
            if isinstance(sent, FormFailure):
                return await self._not_done(sent, visit, form)
            return self._onward(visit, form)
        except StoreFailure as failure:
            _LOGGER.warning("new version not kept", request=visit.claim.request, why=str(failure))
            return self._card(NOT_DONE, visit)
        finally:
            self._look.forget(visit.ref)
            await self._acts.acted(visit.claim)

    async def _revised(self, visit: PageVisit, view: Shown, posted: PostedDocuments, form: dict[str, str]) -> Receipt:
        theirs = as_asker(of_type(RequestShow, view), visit.claim.person)
        if visit.claim.use is not LinkUse.REVIEW or choices_of(theirs, visit.claim.person) is None:
            raise CommandRefused(Rejection.NO_CHANGES_ASKED.to_message())
        version = await self._versions.keep(posted)
        command = ACTIONS[Action.REVISE].command(PostedForm(visit.claim.person, form, version=version))
        op = self._guard.op(visit.ref, {**form, FIELD: version.sha256})
        return await self._send(visit.claim.request, command, op)

    async def _go_on(self, visit: PageVisit, form: dict[str, str]) -> Response:
        if visit.claim.use not in (LinkUse.SIGN, LinkUse.TAKE, LinkUse.HANDED):
            return self._renderer.onward(visit.ref)
        try:
            takes = form["act"] == Action.SIGN and await self._signs_by_taking(visit)
            obstacle = await self._take_place(visit, form) if takes else None
            return obstacle or await self._go_to_signing(visit, form, takes=takes)
        except (ServiceFailure, StoreFailure, DirectoryFailure, TimeoutError) as failure:
            _LOGGER.warning("signing page not found out", request=visit.claim.request, why=str(failure))
            return self._card(_no_answer(failure), visit)

    async def _signs_by_taking(self, visit: PageVisit) -> bool:
        """Whether they sign by taking the place of their group. The page of an onboarding, whose links lead here, knows
        of no groups.
        """
        if visit.claim.use is LinkUse.SIGN and visit.claim.through:
            view = await self._screens.read_view(visit)
            return view is not None and view.shares_place(visit.claim.person)
        return visit.claim.use is LinkUse.TAKE

    async def _go_to_signing(self, visit: PageVisit, form: dict[str, str], *, takes: bool) -> Response:
        act, page = form["act"], await self._page_of(visit.claim)
        if act == Action.SIGN and page.state is SigningState.OPEN and page.url:
            return await self._lead_on(page, page.url, visit, form)
        if page.state is SigningState.BY_MAIL and await self._identity.is_asked(visit.claim):
            _LOGGER.error("core signature gave no signing page", request=visit.claim.request)
            return self._card(NO_PAGE, visit)
        if act == Action.RESEND and page.state is SigningState.BY_MAIL and page.request:
            return await self._mailed(page.request, visit)
        if takes and page.state is SigningState.STRANGER:
            page = replace(page, state=SigningState.PREPARING)  # Core Signature does not list them yet.
        return self._respond(await self._screens.signing(visit, page), visit)

    async def _lead_on(self, page: SigningPage, url: str, visit: PageVisit, form: dict[str, str]) -> Response:
        """To Core Signature, once they have proved who they are where their kind asks for it."""
        identity = await self._identity.check(visit, form)
        if identity.screen:
            response = self._respond(replace(identity.screen, document=page.document), visit)
        elif visit.claim.use is LinkUse.HANDED and not identity.desk:
            return await self._lead_on_once(url, visit, identity)
        else:
            response = self._renderer.onward(identity.desk or url)
        return self._identity.keep(response, identity)

    async def _lead_on_once(self, url: str, visit: PageVisit, identity: IdentityAnswer) -> Response:
        """By a link that was handed over, which is then used up; the browser, which may be another's, keeps nothing."""
        if not await self._store.handed_links.use(visit.claim.serial, self._clock()):
            return self._card(USED_UP, visit)
        return self._identity.forget(self._renderer.onward(url), identity)

    async def _take_place(self, visit: PageVisit, form: dict[str, str]) -> Response | None:
        """Take the place of their group; the answer to those who do not have it now. An ended request has none."""
        view = await self._screens.anew(visit)
        if view is None or view.partial:
            return self._card(link_screens.NO_PLACE_NOW, visit)
        if view.status.has_ended:
            return None
        is_member = await self._screens.who.signs_for_group(of_type(RequestShow, view), visit.claim.person)
        if not is_member:
            return self._card(NOT_KNOWN_NOW if is_member is None else link_screens.LEFT_GROUP, visit)
        command, op = PlaceTaking(person=visit.claim.person), self._guard.op(visit.ref, form)
        return await self._placed(
            await send_form(self._send(visit.claim.request, command, op), visit.claim.request), visit, form
        )

    async def _placed(self, sent: Receipt | FormFailure, visit: PageVisit, form: dict[str, str]) -> Response | None:
        """None once they have the place at Core Signature."""
        if isinstance(sent, Receipt):
            return self._card(link_screens.BEING_PLACED, visit) if sent.state is OperationState.OPEN else None
        if sent.fault is FailureReason.REFUSED:
            return await self._not_done(sent, visit, form)
        return None if sent.fault is FailureReason.ENDED else self._card(link_screens.NO_PLACE_NOW, visit)

    async def _mailed(self, request: str, visit: PageVisit) -> Response:
        """Relative, so that a proxy may use any path."""
        async with self._mail_pause.asking(request) as may_be:
            if may_be:
                await self._signatures.resend(request)
        return self._renderer.onward(f"{visit.ref}?mail={_SENT}")

    async def _carry_out(self, visit: PageVisit, form: dict[str, str]) -> Response:
        view = await self._screens.anew(visit)
        if view is None or view.partial:
            _LOGGER.warning("form not sent: the workflow does not answer", request=visit.claim.request)
            return self._keep_form(NOT_DONE, visit, form)
        sent = await send_form(self._sent(visit, view, form), visit.claim.request)
        if isinstance(sent, FormFailure):
            return await self._not_done(sent, visit, form)
        return self._accepted(sent, visit, view, form) if sent else self._onward(visit, form)

    async def _sent(self, visit: PageVisit, view: Shown, form: dict[str, str]) -> Receipt | None:
        """None when the form asks for nothing."""
        offers = await self._screens.offers_to(visit, view, form.get("value", ""))
        command = offers.command_of(visit.claim.person, form)
        if command is None:
            return None
        target = offers.decides.reference if offers.decides and isinstance(command, Decision) else visit.claim.request
        return await self._send(target, command, self._guard.op(visit.ref, form))

    async def _not_done(self, failure: FormFailure, visit: PageVisit, form: dict[str, str]) -> Response:
        if failure.fault is FailureReason.ENDED:
            return self._onward(visit, form)
        if failure.fault is not FailureReason.REFUSED:
            return self._keep_form(UNCERTAIN if failure.fault is FailureReason.UNSURE else NOT_DONE, visit, form)
        self._look.forget(visit.ref)
        return self._respond(options.show_failure(await self._screens.screen_of(visit), failure, form), visit)

    def _accepted(self, receipt: Receipt, visit: PageVisit, view: Shown, form: dict[str, str]) -> Response:
        if receipt.state is OperationState.OPEN:
            return self._card(RECEIVED, visit)
        action = parse_action(form.get("act", ""))
        if action in DECISIONS:
            return self._renderer.screen(link_screens.decided_screen(action, view, visit.reader.language))
        return self._onward(visit, form)

    def _onward(self, visit: PageVisit, form: dict[str, str]) -> Response:
        return self._renderer.onward(f"{visit.ref}?{DONE}={quote(form.get('act', ''))}")

    async def _page_of(self, claim: LinkContent) -> SigningPage:
        """Core Signature's page for the signer; raises when it fails. The store is not needed where they have the
        address or the place that is sealed in their link; raises `StoreFailure` where nobody has.
        """
        stored: Places = ()
        failure: Exception | None = None
        try:
            stored = await asyncio.wait_for(self._snapshots.read_snapshots(claim.request), MARK_SECONDS)
        except (StoreFailure, TimeoutError) as error:
            failure = error
        async with asyncio.timeout(PROVIDER_SECONDS):
            page = await signing_page(
                self._signatures,
                claim.request,
                claim.person,
                lambda signers: (self._place_in_link(claim, signers), *stored),
            )
        if failure and page.state is SigningState.STRANGER:
            raise failure
        return page

    def _place_in_link(self, claim: LinkContent, signers: Sequence[WireSigner]) -> SignerSnapshot:
        addresses = (signer.email for signer in signers if self._links.is_marked(claim, signer.email))
        email = next(addresses, "")
        user = embed_user(claim.request, claim.person)
        return SignerSnapshot(person=claim.person, order=claim.order, role=Role.SIGN, email=email, embed_user=user)

    async def _visit(self, request: Request) -> PageVisit | Response:
        visit = await self._visits.read(request)
        if isinstance(visit, Screen):
            return self._renderer.screen(visit)
        if not KIND_PAGES[referred(visit.claim.request).kind].on_phones:
            return self._card(NOT_OURS, visit)
        return self._renewed(visit) if visit.renewed else visit

    def _renewed(self, visit: PageVisit) -> Response:
        """Its button posts to the page that gave the link, if any did."""
        if visit.claim.use is LinkUse.HANDED:
            return self._card(USED_UP, visit)
        page, screen = self._visits.origin(visit.claim), RENEWED.in_language(visit.reader.language)
        button = replace(screen.button, to=build_relative_link(page)) if screen.button and visit.claim.through else None
        return self._renderer.screen(replace(screen, button=button), self._guard.token(page.rpartition("/")[2]))

    def _respond(self, screen: Screen, visit: PageVisit, device: DeviceOffer | None = None) -> Response:
        if visit.claim.through:
            screen = replace(screen, back=build_relative_link(self._visits.origin(visit.claim)))
        if visit.person and may_be_away(visit.claim):
            screen = replace(screen, away_link=f"../{AWAY}/{visit.ref}", own_link="../desk/mine")
        renderer = self._installable if device else self._renderer
        return renderer.screen(screen, self._guard.token(visit.ref), device=device)

    def _keep_form(self, draft: ScreenDraft, visit: PageVisit, form: dict[str, str]) -> Response:
        """With the same form, which is the same change."""
        return self._renderer.screen(
            options.restore_form(draft.in_language(visit.reader.language), form), form["token"]
        )

    def _card(self, draft: ScreenDraft, visit: PageVisit) -> Response:
        return self._renderer.screen(draft.in_language(visit.reader.language))


def _no_answer(failure: Exception) -> ScreenDraft:
    return NOT_KNOWN_NOW if isinstance(failure, StoreFailure | DirectoryFailure) else NO_ANSWER
