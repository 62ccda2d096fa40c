"""A browser behind a link that gets the notices of this follow-up: what its page offers, and where it subscribes."""

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from activities.people.subscriptions import SubscriptionScope
from starter.web.acting.forms import FormGuard
from starter.web.http.bodies import HEADERS
from starter.web.pages.visits import PageVisit, Visits
from starter.web.receivers.subscriptions import SubscriptionOutcome, SubscriptionReceiver
from starter.web.screens.screens import DeviceOffer, Screen
from starter.web.screens.view_reader import ReadView
from starter.web.screens.web_app import WebApp
from workflows.kinds import Kind
from workflows.model.views import Shown

DEVICE: Final = "device"
_PAGES: Final = (Kind.REQUEST.spec.page, Kind.TASK.spec.page, Kind.ONBOARDING.spec.page)


class LinkDevices:
    def __init__(
        self, visits: Visits, guard: FormGuard, receiver: SubscriptionReceiver, web_app: WebApp, look: ReadView
    ) -> None:
        self._visits = visits
        self._guard = guard
        self._receiver = receiver
        self._web_app = web_app
        self._look = look

    def routes(self) -> list[BaseRoute]:
        paths = (f"/{page}/{{ref}}/{DEVICE}/{{call}}" for page in _PAGES)
        return [
            *(Route(path, self.receive, methods=["POST"]) for path in paths),
            Route("/subscription", self.receive_from_worker, methods=["POST"]),
        ]

    async def offer(self, visit: PageVisit, view: Shown | None) -> DeviceOffer | None:
        """None where nothing more will happen."""
        if view is None or view.status.has_ended or not visit.claim.is_own:
            return None
        return await self._web_app.offer(f"{visit.ref}/{DEVICE}", self._guard.token(visit.ref), _scope(visit))

    async def receive_from_worker(self, request: Request) -> Response:
        """The service worker has no page."""
        return await self._receiver.answer(request, None, lambda _: self._guard.is_from_here(request.headers))

    async def receive(self, request: Request) -> Response:
        visit = await self._visits.read(request)
        if isinstance(visit, Screen):
            return JSONResponse({"outcome": visit.name, "says": visit.heading}, visit.status, HEADERS)
        view = None if visit.renewed else await self._look(visit.claim.request)
        if visit.renewed or not visit.claim.is_own or (view and view.status.has_ended):
            return SubscriptionOutcome.GONE.to_response("this link gets no more notices")
        accepts = partial(self._guard.accepts, visit.ref, headers=request.headers)
        return await self._receiver.answer(request, _scope(visit), accepts)


def _scope(visit: PageVisit) -> SubscriptionScope:
    return SubscriptionScope(visit.claim.person, visit.claim.workflow_id)
