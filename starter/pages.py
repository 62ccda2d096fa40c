"""What opens on the phone behind a link of ours: the signing link, a task, and where either stands.

A GET shows what our own side knows and changes nothing, since scanners follow links. The form's POST asks Core
Signature and sends the browser on to the signer's live signing page, which is kept nowhere: signing works while
Temporal is down. What else somebody may wish is told to the workflow; while nobody answers for it, it is not on offer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities import opened
from activities.core_signature.asked import SignerSnapshots
from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.signing_page import SigningPage, SigningState, signing_page
from activities.directory import Directory
from activities.http.calling import ServiceFailure
from activities.links import LinkContent, LinkUse, SigningLinks, beside
from activities.store.failures import StoreFailure
from activities.store.store import Store
from starter.page import form_answers
from starter.page.allowances import MailPause
from starter.page.brand import OURS, Brand
from starter.page.first_page import FirstPages
from starter.page.form_guard import FormGuard
from starter.page.offers import as_decision
from starter.page.posted_forms import read_form
from starter.page.recent_looks import Look, RecentLooks
from starter.page.rendering import PageRenderer
from starter.page.screens import FormAction, Screen, ScreenDraft
from starter.page.turned_away import FOREIGN_FORM, NO_ANSWER, NOT_KNOWN_NOW, NOT_OURS
from starter.page.visited import PICTURE, Screens
from starter.page.visits import DONE, RENEWED, PageVisit, Visits
from starter.page.who_asks import WhoAsks
from starter.page.words import MAIL_SENT, decided_screen
from starter.temporal_refusals import TemporalRefused
from starter.wishes import CommandRefused, NotAdmitted, NotConfirmed, NotRunning
from workflows.kinds import Kind, referred
from workflows.model.operations import OperationState, Receipt
from workflows.model.texts import plain
from workflows.model.views import Shown, TaskShow
from workflows.model.wishes import AnyCommand, Decision


class Send(Protocol):
    """Has a request or a task take a wish, once for each op; raises as `carry_out` does."""

    def __call__(self, reference: str, wish: AnyCommand, op: str, /, *, watched: bool = True) -> Awaitable[Receipt]:
        """What came of it soon after; of one that is not `watched` that it was taken."""
        ...


PROVIDER_SECONDS: Final = 8.0
MARK_SECONDS: Final = 1.0
_SENT: Final = "sent"
_KINDS: Final = (Kind.REQUEST, Kind.TASK)
"""The page of an onboarding is of another kind (starter/journeys.py), that of a campaign is at the desk."""
_LOGGER: Final = structlog.get_logger("countersign.pages")


class Pages:
    """The pages behind links."""

    def __init__(
        self,
        links: SigningLinks,
        directory: Directory,
        store: Store,
        signatures: CoreSignatureClient,
        guard: FormGuard,
        *,
        asked: SignerSnapshots,
        look: Look,
        send: Send,
        who: WhoAsks,
        brand: Brand = OURS,
        first_pages: FirstPages | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._visits = Visits(links, directory, store, seconds)
        self._store = store
        self._signatures = signatures
        self._asked = asked
        self._look = RecentLooks(look, seconds)
        self._send = send
        self._first_pages = first_pages
        self._screens = Screens(self._look, who, clock, pictures=first_pages is not None)
        self._guard = guard
        self._clock = clock
        self._mail_pause = MailPause(clock)
        self._renderer = PageRenderer(signatures.config.url, brand)

    def routes(self) -> list[BaseRoute]:
        """`GET` and `POST` of `/open/{ref}` and `/task/{ref}`, and the picture on the former."""
        ways = (("GET", self.open), ("POST", self.act))
        return [
            *(Route(f"/{kind.names.page}/{{ref}}", do, methods=[word]) for kind in _KINDS for word, do in ways),
            Route(f"/open/{{ref}}/{PICTURE}", self.picture, methods=["GET"]),
        ]

    async def picture(self, request: Request) -> Response:
        """The first page of the document, for a signer before whom it lies."""
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        screen = await self._screens.of(visit)
        content = await self._first_pages.of(visit.claim.request) if self._first_pages and screen.picture else None
        return self._renderer.picture(content)

    async def open(self, request: Request) -> Response:
        """Show what the link is for."""
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        screen = await self._screens.of(visit)
        if screen.button and request.query_params.get("mail") == _SENT:
            screen = replace(MAIL_SENT.told(visit.reader.language), document=screen.document)
        return self._shown(screen, visit)

    async def act(self, request: Request) -> Response:
        """Do what the button of the page said, or show the page as it is by now."""
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        form = await read_form(request)
        if form is None or not self._guard.accepts(visit.ref, form.get("token", ""), request.headers):
            return self._told(form_answers.CUT_OFF if form is None else FOREIGN_FORM, visit)
        await self._opened(visit)
        if form.get("act") == FormAction.FIND:
            return self._shown(await self._screens.of(replace(visit, words=plain(form.get("text", "")))), visit)
        try:
            return await (self._go_on if form.get("act") in (FormAction.SIGN, FormAction.RESEND) else self._wish)(
                visit, form
            )
        finally:
            self._look.forget(visit.ref)  # Whoever has acted sees on the next page what that did.

    async def _opened(self, visit: PageVisit) -> None:
        """Keep that it was opened; whoever acts does not wait for it, and signs also while it cannot be kept."""
        if visit.claim.use is LinkUse.VIEW:
            return
        workflow_id = referred(visit.claim.request).workflow_id
        with suppress(StoreFailure, TimeoutError):
            async with asyncio.timeout(MARK_SECONDS):
                await opened.mark(self._store, workflow_id, visit.claim.person, self._clock())

    async def _go_on(self, visit: PageVisit, form: dict[str, str]) -> Response:
        act = form["act"]
        if visit.claim.use is not LinkUse.SIGN:
            return self._renderer.onward(visit.ref)
        try:
            page = await self._page_of(visit.claim)
            if act == FormAction.SIGN and page.state is SigningState.OPEN and page.url:
                return self._renderer.onward(page.url)
            if act == FormAction.RESEND and page.state is SigningState.BY_MAIL and page.request:
                return await self._mailed(page.request, visit)
        except (ServiceFailure, StoreFailure, TimeoutError) as failure:
            _LOGGER.warning("signing page not found out", request=visit.claim.request, why=str(failure))
            return self._told(_no_answer(failure), visit)
        return self._shown(await self._screens.signing(visit, page), visit)

    async def _mailed(self, request: str, visit: PageVisit) -> Response:
        """The way on is relative, so that a proxy may put our pages below any path."""
        with self._mail_pause.asking(request) as may_be:
            if may_be:
                await self._signatures.resend(request)
        return self._renderer.onward(f"{visit.ref}?mail={_SENT}")

    async def _wish(self, visit: PageVisit, form: dict[str, str]) -> Response:
        """Have the request take what a form wishes; what came of it is to be seen on the page that follows."""
        request, shown = visit.claim.request, await self._look.anew(visit.ref, visit.claim.request)
        if shown is None or shown.partial:
            return self._kept(form_answers.NOT_DONE, visit, form)
        try:
            offers = await self._screens.offers_to(visit, shown, form.get("value", ""))
            if wish := offers.wish(visit.claim.person, form):
                to = offers.decides.reference if offers.decides and isinstance(wish, Decision) else request
                receipt = await self._send(to, wish, self._guard.op(visit.ref, form))
                return self._taken(receipt, visit, shown, form)
        except NotConfirmed as unsure:
            _LOGGER.warning("wish not confirmed", request=request, op=unsure.op)
            return self._kept(form_answers.UNCERTAIN, visit, form)
        except (TemporalRefused, NotAdmitted) as refused:
            _LOGGER.warning("wish not taken", request=request, why=str(refused))
            return self._kept(form_answers.NOT_DONE, visit, form)
        except CommandRefused as refused:
            self._look.forget(visit.ref)
            return self._shown(form_answers.refused(await self._screens.of(visit), str(refused), form), visit)
        except NotRunning:
            _LOGGER.info("wish for what has ended", request=request)
        return self._renderer.onward(f"{visit.ref}?{DONE}={quote(form.get('act', ''))}")

    def _taken(self, receipt: Receipt, visit: PageVisit, shown: Shown, form: dict[str, str]) -> Response:
        """What follows a wish that was taken; a task to decide ends by itself a moment after it was decided."""
        if receipt.state is OperationState.OPEN:
            return self._told(form_answers.UNDER_WAY, visit)
        if isinstance(shown, TaskShow) and (act := as_decision(form.get("act", ""))):
            return self._renderer.page(decided_screen(act, shown, visit.reader.language))
        return self._renderer.onward(f"{visit.ref}?{DONE}={quote(form.get('act', ''))}")

    async def _page_of(self, claim: LinkContent) -> SigningPage:
        """What Core Signature has for this signer now; raises when it, or the store, does not say."""
        places = await self._asked.of(claim.request)
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await signing_page(self._signatures, claim.request, claim.person, places)

    async def _visit(self, request: Request) -> PageVisit | Response:
        visit = await self._visits.of(request)
        if isinstance(visit, Screen):
            return self._renderer.page(visit)
        if referred(visit.claim.request).kind not in _KINDS:
            return self._told(NOT_OURS, visit)
        return self._renewed(visit) if visit.renewed else visit

    def _renewed(self, visit: PageVisit) -> Response:
        """Its button asks the page that gave the link, which is no longer good either and has a new one sent."""
        page = self._visits.origin(visit.claim)
        screen = replace(RENEWED.told(visit.reader.language), button_at=beside(page))
        return self._renderer.page(screen, self._guard.token(page.rpartition("/")[2]))

    def _shown(self, screen: Screen, visit: PageVisit) -> Response:
        if visit.claim.through:
            screen = replace(screen, back=beside(self._visits.origin(visit.claim)))
        return self._renderer.page(screen, self._guard.token(visit.ref))

    def _kept(self, draft: ScreenDraft, visit: PageVisit, form: dict[str, str]) -> Response:
        """A screen with the form that was posted, as it is: sent again, it is the same wish."""
        return self._renderer.page(form_answers.kept(draft.told(visit.reader.language), form), form["token"])

    def _told(self, draft: ScreenDraft, visit: PageVisit) -> Response:
        return self._renderer.page(draft.told(visit.reader.language))


def _no_answer(failure: Exception) -> ScreenDraft:
    return NOT_KNOWN_NOW if isinstance(failure, StoreFailure) else NO_ANSWER
