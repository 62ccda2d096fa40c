"""How every page of the desk is answered: who is here, how often they may, whose form it is, and what is said if not.

What does not answer behind us is a page that says so: never a trace, never a bare error.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import ceil
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from temporalio.service import RPCError

from activities.directory import DirectoryFailure
from activities.language import Language
from activities.links import at_desk, named_at_desk
from activities.store.failures import StoreFailure
from starter.codec import CodecError
from starter.desk.authentication import Authenticator, Visitor
from starter.desk.cards import AWAY, CUT_OFF, FOREIGN, NOBODY, SIGN_IN, TOO_OFTEN, UNSURE, Card
from starter.desk.rendering import DeskRenderer, Frame, Tab
from starter.page.allowances import Allowances, Buckets, Rate
from starter.page.form_guard import FormGuard
from starter.page.posted_forms import read_form
from starter.temporal_refusals import TemporalRefused

LOOKS_OF_A_PERSON: Final = Rate(burst=60, per_second=2)
PRESSES_OF_A_PERSON: Final = Rate(burst=20, per_second=0.5)

Handle = Callable[[Request], Awaitable[Response]]
ForVisitor = Callable[[Request, Visitor], Awaitable[Response]]
WithForm = Callable[[Request, Visitor, dict[str, str]], Awaitable[Response]]
_LOGGER: Final = structlog.get_logger("countersign.desk")


class Answers:
    """`tabs` are the views of somebody, and which of them is shown."""

    def __init__(
        self,
        renderer: DeskRenderer,
        guard: FormGuard,
        door: Authenticator,
        seconds: Callable[[], float],
        tabs: Callable[[Visitor, str], Awaitable[tuple[Tab, ...]]],
    ) -> None:
        self.renderer: Final = renderer
        self.guard: Final = guard
        self._door = door
        self._tabs = tabs
        self._allowances = Allowances(seconds)
        self._looks = Buckets(LOOKS_OF_A_PERSON, seconds)
        self._presses = Buckets(PRESSES_OF_A_PERSON, seconds)

    def anybody(self, handle: Handle) -> Handle:
        """Whoever comes, as often as one address may."""

        async def answer(request: Request) -> Response:
            if wait := self._allowances.address(request):
                return self._too_often(request, wait)
            try:
                return await handle(request)
            except (TemporalRefused, RPCError, TimeoutError, ConnectionError, CodecError) as error:
                return self._trouble(AWAY, request, error)
            except RuntimeError as error:  # a lazy client that finds no server
                return self._trouble(AWAY, request, error)
            except (DirectoryFailure, StoreFailure) as error:
                return self._trouble(UNSURE, request, error)

        return answer

    def visitors(self, handle: ForVisitor) -> Handle:
        """Whoever is in; everybody else is asked who they are."""

        async def answer(request: Request) -> Response:
            visitor = await self._door.visitor(request)
            if visitor is None:
                return self.card(NOBODY, request) if self._door.sent(request) else self.ask_who(request)
            buckets = self._presses if request.method == "POST" else self._looks
            if wait := buckets.wait(visitor.id):
                return self._too_often(request, wait)
            return await handle(request, visitor)

        return self.anybody(answer)

    def acting(self, handle: WithForm) -> Handle:
        """Whoever is in and posts a form from a page of theirs."""

        async def answer(request: Request, visitor: Visitor) -> Response:
            form = await self.form_of(request, visitor.name)
            return form if isinstance(form, Response) else await handle(request, visitor, form)

        return self.visitors(answer)

    async def form_of(self, request: Request, name: str) -> dict[str, str] | Response:
        """The form that was posted from a page of ours for `name`; else the card that says why it is not taken."""
        form = await read_form(request)
        if form is None:
            return self.card(CUT_OFF, request)
        ours = self.guard.accepts(name, form.get("token", ""), request.headers)
        return form if ours else self.card(FOREIGN, request)

    def ask_who(self, request: Request) -> Response:
        """The page that asks who somebody is, and remembers what they came for."""
        what = named_at_desk(request.url.path.removeprefix("/desk/"))
        form = replace(SIGN_IN.form, to=f"sign-in?to={at_desk(what)}") if SIGN_IN.form and what else SIGN_IN.form
        return self.card(replace(SIGN_IN, form=form), request, "sign-in")

    def card(self, card: Card, request: Request, ref: str = "", **values: object) -> Response:
        """A card in the language that the browser asks for, with a token for its form if `ref` names one."""
        language = Language.accepted(request.headers.get("accept-language", ""))
        return self.said(card, language, ref, **values)

    def said(self, card: Card, language: Language, ref: str = "", **values: object) -> Response:
        """A card in a language."""
        token = self.guard.token(ref) if ref else ""
        return self.renderer.card(card.told(language, **values), Frame(language, token=token))

    async def inside(self, card: Card, visitor: Visitor, **values: object) -> Response:
        """A card for somebody who is in, with everything around it."""
        return self.renderer.card(card.told(visitor.reader.language, **values), await self.frame(visitor))

    async def frame(self, visitor: Visitor, here: str = "") -> Frame:
        """What stands around a page for somebody who is in."""
        return Frame(
            visitor.reader.language,
            visitor.person.name,
            await self._tabs(visitor, here),
            self.guard.token(visitor.name),
            leave=not visitor.sent,
        )

    def _too_often(self, request: Request, wait: float) -> Response:
        return self.card(replace(TOO_OFTEN, retry_after=ceil(wait)), request)

    def _trouble(self, card: Card, request: Request, error: Exception) -> Response:
        _LOGGER.warning("a page of the desk cannot be shown", why=str(error), kind=type(error).__name__)
        return self.card(card, request)
