"""Composition of the desk."""

import time
from collections.abc import Callable
from dataclasses import dataclass
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
from starter.web.desk.answers import Answers, Kinds, RequestContext
from starter.web.desk.campaigns import Campaigns
from starter.web.desk.cards import FRONT, NOT_THERE
from starter.web.desk.follow_ups import FollowUps
from starter.web.desk.lists import Lists
from starter.web.desk.sessions import Authenticator, Cookies, SignIn, SignOn, Visitor, reacher, teller
from starter.web.desk.sign_in import Entrance
from starter.web.forms import FormGuard, Send
from starter.web.looks import LookAt, looker
from starter.web.rendering import OURS, Brand, Renderer, Tab


@dataclass(frozen=True)
class DeskParts:
    directory: FileDirectory
    guard: FormGuard
    cookies: Cookies
    sign_in: SignIn
    on: SignOn
    context: Context
    kinds: Kinds
    links: SigningLinks
    look: LookAt
    send: Send
    operators: str = ""
    brand: Brand = OURS


class Desk:
    """`/desk` and everything below it, and the link to it at `/`."""

    def __init__(
        self,
        parts: DeskParts,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        door = Authenticator(parts.sign_in, parts.cookies, parts.directory, parts.on, clock)
        standings = ReaderRoles(parts.directory, parts.operators)
        self._answers = Answers(Renderer(parts.brand, desk=parts.cookies.root), parts.guard, door, seconds, self._tabs)
        room = RequestContext(self._answers, parts.context, parts.directory, standings, parts.kinds, parts.look, clock)
        self._lists = Lists(room)
        self._campaigns = Campaigns(room, parts.send, seconds)
        self._follow_ups = FollowUps(room, parts.links, parts.send)
        self._entrance = Entrance(self._answers, parts.sign_in, parts.cookies, clock)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._answers.anybody(self.front), methods=["GET"]),
            *self._lists.routes(),
            *self._campaigns.routes(),
            *self._follow_ups.routes(),
            *self._entrance.routes(),
            Route("/desk/{nothing:path}", self._answers.visitors(self.nowhere), methods=["GET"]),
        ]

    async def front(self, request: Request) -> Response:
        return self._answers.card(FRONT, request)

    async def nowhere(self, request: Request, visitor: Visitor) -> Response:
        """404, with a link back."""
        return await self._answers.inside(NOT_THERE, visitor)

    async def _tabs(self, visitor: Visitor, here: str) -> tuple[Tab, ...]:
        return await self._lists.tabs(visitor, here)


def desk_of(
    settings: Settings, context: Context, directory: FileDirectory, guard: FormGuard, send: Send, *, brand: Brand
) -> Desk:
    client, store = context.client, context.store
    cookies = Cookies(settings.link_secret, settings.link_base)
    sign_in = SignIn(store, directory, clients.ways_in(settings), teller(client), reacher(client))
    return Desk(
        DeskParts(
            directory=directory,
            guard=guard,
            cookies=cookies,
            sign_in=sign_in,
            on=SignOn(settings.desk_user_header, settings.desk_proxies),
            context=context,
            kinds=Kinds(settings.policies),
            links=clients.links(settings),
            look=looker(context),
            send=send,
            operators=settings.operators,
            brand=brand,
        )
    )
