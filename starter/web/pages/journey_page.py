"""The page of an onboarding for the customer and their colleagues: `/journey/{ref}`.

It shows what our own side knows; a small script asks for the page again while it is looked at. A GET changes nothing;
the one form that there is has a new link sent to whom an old one was made for, and shows it to nobody.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.documents.errors import StoreFailure
from activities.notifications.links import LinkUse, SigningLinks
from activities.people.directory import Directory
from activities.people.language import phrase
from activities.records.store import Store
from starter.queries.commands import CommandRefused, NotAdmitted, NotConfirmed, NotRunning
from starter.queries.onboarding import FRESH_SECONDS
from starter.temporal.connection import TemporalRefused
from starter.web.bodies import read_form
from starter.web.pages.allowances import MailPause
from starter.web.pages.forms import CUT_OFF, FormGuard
from starter.web.pages.journey import JourneyLook, Onlooker, journey_screen
from starter.web.pages.pages import Send
from starter.web.pages.rendering import OURS, Brand, JourneyRenderer, PageRenderer
from starter.web.pages.screens import (
    FOREIGN_FORM,
    NOT_KNOWN_NOW,
    NOT_OURS,
    FormAction,
    Screen,
    ScreenDraft,
    ScreenName,
    ScreenTone,
)
from starter.web.pages.visits import RENEWED, Look, PageVisit, RecentLooks, Visits
from starter.web.pages.words import ended_screen
from workflows.kinds import Kind, referred
from workflows.model.commands import NewLink

_LINK_SENT: Final = ScreenDraft(
    ScreenName.LINK_SENT,
    200,
    ScreenTone.DONE,
    phrase("The link is on its way"),
    (phrase("It comes to your phone, or by email. Please check your junk folder as well."),),
)
_PREVIEW_OVER: Final = ScreenDraft(
    ScreenName.PREVIEW_OVER,
    410,
    ScreenTone.CALM,
    phrase("This preview is over"),
    (phrase("Please ask for another one where you got it."),),
)
_SENT: Final = "sent"
_LOGGER: Final = structlog.get_logger("countersign.pages")


class Journeys:
    """The pages of onboardings."""

    def __init__(
        self,
        links: SigningLinks,
        directory: Directory,
        store: Store,
        guard: FormGuard,
        *,
        look: Look,
        send: Send,
        brand: Brand = OURS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._links = links
        self._visits = Visits(links, directory, store, seconds)
        self._guard = guard
        self._look = RecentLooks(JourneyLook(look, directory), seconds, fresh=FRESH_SECONDS)
        self._send = send
        self._clock = clock
        self._mail_pause = MailPause(clock)
        self._cards = PageRenderer("", brand)
        self._renderer = JourneyRenderer(brand)

    def routes(self) -> list[BaseRoute]:
        """`GET` and `POST` of `/journey/{ref}`."""
        path = f"/{Kind.ONBOARDING.names.page}/{{ref}}"
        return [Route(path, self.open, methods=["GET"]), Route(path, self.act, methods=["POST"])]

    async def open(self, request: Request) -> Response:
        """Show how far it is."""
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        seen = await self._look(visit.claim.request, visit.claim.request)
        if seen is None:
            return self._told(NOT_KNOWN_NOW, visit)
        if visit.claim.person not in seen.customers:
            return self._told(NOT_OURS, visit)
        to = Onlooker(visit.claim, visit.reader, self._links)
        return self._renderer.page(journey_screen(seen, to, self._clock()), request.query_params.get("since", ""))

    async def act(self, request: Request) -> Response:
        """Have a new link sent, or show the page as it is by now."""
        visit = await self._visits.of(request)
        if isinstance(visit, Screen):
            return self._cards.page(visit)
        form = await read_form(request)
        if form is None or not self._guard.accepts(visit.ref, form.get("token", ""), request.headers):
            return self._told(CUT_OFF if form is None else FOREIGN_FORM, visit)
        try:
            if self._dead(visit) is RENEWED and form.get("act") == FormAction.RESEND:
                await self._send_anew(visit, form)
                return self._cards.onward(f"{visit.ref}?link={_SENT}")
        except NotRunning:
            return self._cards.page(ended_screen(None, visit.reader.language, Kind.ONBOARDING))
        except (CommandRefused, NotConfirmed, NotAdmitted, TemporalRefused, StoreFailure) as failure:
            _LOGGER.warning("no new link sent", onboarding=visit.claim.request, why=str(failure))
            return self._told(NOT_KNOWN_NOW, visit)
        return self._cards.onward(visit.ref)

    async def _send_anew(self, visit: PageVisit, form: dict[str, str]) -> None:
        claim = visit.claim
        with self._mail_pause.asking(f"{claim.request}/{claim.person}") as may_be:
            if may_be:
                await self._send(claim.request, NewLink(actor=claim.person), self._guard.op(visit.ref, form))

    async def _visit(self, request: Request) -> PageVisit | Response:
        visit = await self._visits.of(request)
        if isinstance(visit, Screen):
            return self._cards.page(visit)
        dead = self._dead(visit)
        if dead is RENEWED and request.query_params.get("link") == _SENT:
            dead = _LINK_SENT
        return self._told(dead, visit) if dead else visit

    def _dead(self, visit: PageVisit) -> ScreenDraft | None:
        """Why a genuine link opens nothing."""
        claim = visit.claim
        if referred(claim.request).kind is not Kind.ONBOARDING or claim.use not in (LinkUse.VIEW, LinkUse.PREVIEW):
            return NOT_OURS
        if claim.until and claim.until <= self._clock():
            return _PREVIEW_OVER
        if claim.use is LinkUse.PREVIEW:
            return None if claim.until else NOT_OURS
        return RENEWED if visit.renewed else None

    def _told(self, draft: ScreenDraft, visit: PageVisit) -> Response:
        screen = draft.told(visit.reader.language)
        return self._cards.page(screen, self._guard.token(visit.ref) if screen.button else "")
