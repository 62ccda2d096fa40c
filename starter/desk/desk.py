"""The desk put together: who comes in, and what they find."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from temporalio.client import Client

from activities.people import FileDirectory
from activities.store import Store
from starter import clients
from starter.context import Context
from starter.desk.answers import Answers
from starter.desk.cards import FRONT
from starter.desk.door import Door, SignOn, Visitor
from starter.desk.entrance import Entrance
from starter.desk.kinds import Kinds
from starter.desk.lists import Lists
from starter.desk.rendering import Renderer, Tab
from starter.desk.room import Room
from starter.desk.sessions import Cookies
from starter.desk.sign_in import SignIn, reacher, teller
from starter.desk.views import Standings
from starter.page.form_guard import FormGuard
from starter.settings import Settings


@dataclass(frozen=True)
class Parts:
    """What the desk works with."""

    directory: FileDirectory
    store: Store
    guard: FormGuard
    cookies: Cookies
    sign_in: SignIn
    on: SignOn
    context: Context
    kinds: Kinds
    operators: str = ""


class Desk:
    """`/desk` and everything below it, and the way to it at `/`."""

    def __init__(
        self,
        parts: Parts,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        door = Door(parts.sign_in, parts.cookies, parts.directory, parts.on, clock)
        standings = Standings(parts.directory, parts.operators)
        self._answers = Answers(Renderer(parts.cookies.root), parts.guard, door, seconds, self._tabs)
        room = Room(self._answers, parts.context, parts.directory, standings, parts.kinds, clock)
        self._lists = Lists(room)
        self._entrance = Entrance(self._answers, parts.sign_in, parts.cookies, clock)

    def routes(self) -> list[BaseRoute]:
        """Where everything is."""
        return [
            Route("/", self._answers.anybody(self.front), methods=["GET"]),
            *self._lists.routes(),
            *self._entrance.routes(),
        ]

    async def front(self, request: Request) -> Response:
        """What this address is, and the way to the desk."""
        return self._answers.card(FRONT, request)

    async def _tabs(self, visitor: Visitor, here: str) -> tuple[Tab, ...]:
        return await self._lists.tabs(visitor, here)


def desk_of(settings: Settings, client: Client, store: Store, directory: FileDirectory, guard: FormGuard) -> Desk:
    """The desk of a process with these settings."""
    cookies = Cookies(settings.link_secret, settings.link_base)
    on = SignOn(settings.desk_user_header, settings.desk_proxies)
    sign_in = SignIn(store, directory, clients.ways_in(settings), teller(client), reacher(client))
    context, kinds = Context(client, store), Kinds(settings.policies)
    return Desk(Parts(directory, store, guard, cookies, sign_in, on, context, kinds, settings.operators))
