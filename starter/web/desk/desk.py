"""Composition of the desk."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.notifications.links import SigningLinks
from activities.people.file_directory import FileDirectory
from starter.boot import clients
from starter.boot.context import Context
from starter.config.settings import Settings
from starter.web.desk.access import ReaderRoles
from starter.web.desk.campaigns import Campaigns
from starter.web.desk.fixed_screens import FRONT, NOT_THERE
from starter.web.desk.follow_ups import FollowUps
from starter.web.desk.lists import Lists
from starter.web.desk.responses import DeskResponses, KindCatalogue, RequestContext
from starter.web.desk.sessions import (
    Authenticator,
    Cookies,
    SignIn,
    SignOn,
    Visitor,
    reachability_check,
    sign_in_sender,
)
from starter.web.desk.sign_in import SignInPages
from starter.web.forms import FormGuard, Send
from starter.web.rendering import OURS, Brand, Renderer, Tab
from starter.web.view_reader import ReadView, desk_view_reader


class Desk:
    """`/desk` and everything below it, and the link to it at `/`."""

    def __init__(
        self,
        *,
        directory: FileDirectory,
        guard: FormGuard,
        cookies: Cookies,
        sign_in: SignIn,
        on: SignOn,
        context: Context,
        kinds: KindCatalogue,
        links: SigningLinks,
        look: ReadView,
        send: Send,
        operators: str = "",
        brand: Brand = OURS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        door = Authenticator(sign_in, cookies, directory, on, clock)
        self._responses = DeskResponses(Renderer(brand, desk=cookies.root), guard, door, seconds, self._tabs)
        roles = ReaderRoles(directory, operators)
        shared = RequestContext(self._responses, context, directory, roles, kinds, look, clock)
        self._lists = Lists(shared)
        self._campaigns = Campaigns(shared, send, seconds)
        self._follow_ups = FollowUps(shared, links, send)
        self._entrance = SignInPages(self._responses, sign_in, cookies, clock)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._responses.anybody(self.front), methods=["GET"]),
            *self._lists.routes(),
            *self._campaigns.routes(),
            *self._follow_ups.routes(),
            *self._entrance.routes(),
            Route("/desk/{nothing:path}", self._responses.visitors(self.nowhere), methods=["GET"]),
        ]

    async def front(self, request: Request) -> Response:
        return self._responses.card(FRONT, request)

    async def nowhere(self, request: Request, visitor: Visitor) -> Response:
        return await self._responses.inside(NOT_THERE, visitor)

    async def _tabs(self, visitor: Visitor, here: str) -> tuple[Tab, ...]:
        return await self._lists.tabs(visitor, here)


def make_desk(
    settings: Settings, context: Context, directory: FileDirectory, guard: FormGuard, send: Send, *, brand: Brand
) -> Desk:
    client, store = context.client, context.store
    cookies = Cookies(settings.link_secret, settings.link_base)
    sign_in = SignIn(
        store, directory, clients.sign_in_links(settings), sign_in_sender(client), reachability_check(client)
    )
    return Desk(
        directory=directory,
        guard=guard,
        cookies=cookies,
        sign_in=sign_in,
        on=SignOn(settings.desk_user_header, settings.desk_proxies),
        context=context,
        kinds=KindCatalogue(settings.policies),
        links=clients.links(settings),
        look=desk_view_reader(context),
        send=send,
        operators=settings.operators,
        brand=brand,
    )
