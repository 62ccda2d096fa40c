"""Pages for signing in and out. A GET changes nothing, since scanners follow links."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.notifications.links import at_desk, named_at_desk
from activities.notifications.sign_in import BadSignInLink
from activities.people.reader import Reader
from starter.queries.filters import is_request_id
from starter.web.desk.fixed_screens import ASKED, BEHIND_LINK, NOT_ASKED, SPENT, WRONG_CODE
from starter.web.desk.responses import DeskResponses
from starter.web.desk.sessions import Cookies, Session, SignIn, SignInRequest, SignInSource, Visitor, WrongCode

_SIGN_IN = "sign-in"


class SignInPages:
    def __init__(
        self, responses: DeskResponses, sign_in: SignIn, cookies: Cookies, clock: Callable[[], datetime]
    ) -> None:
        self._responses = responses
        self._sign_in = sign_in
        self._cookies = cookies
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        anybody, acting = self._responses.anybody, self._responses.acting
        return [
            Route("/desk/sign-in", anybody(self.ask), methods=["POST"]),
            Route("/desk/code", anybody(self.asked), methods=["GET"]),
            Route("/desk/code", anybody(self.enter), methods=["POST"]),
            Route("/desk/in/{ref}", anybody(self.behind), methods=["GET"]),
            Route("/desk/in/{ref}", anybody(self.come_in), methods=["POST"]),
            Route("/desk/sign-out", acting(self.leave), methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        form, to = await self._responses.form_of(request, _SIGN_IN), request.query_params.get("to", "")
        if isinstance(form, Response):
            return form
        before = self._cookies.ask(request, self._clock())
        ask = await self._sign_in.ask(form.get("who", ""), before, to if _is_page(to) else "", self._asking(request))
        answer = self._responses.renderer.to_desk("code")
        self._cookies.keep_ask(answer, ask)
        return answer

    async def asked(self, request: Request) -> Response:
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
        if isinstance(entered, Session):
            return self._let_in(entered, ask)
        return self._refused(request, name, entered)

    async def behind(self, request: Request) -> Response:
        ref = request.path_params["ref"]
        try:
            person = await self._sign_in.behind(ref)
        except BadSignInLink:
            return self._responses.card(SPENT, request)
        return self._responses.said(BEHIND_LINK, Reader.of(person).language, ref, name=person.name)

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

    async def leave(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        if session := self._cookies.session(request, self._clock()):
            await self._sign_in.end(session)
        answer = self._responses.renderer.to_desk()
        self._cookies.end(answer)
        return answer

    def _asking(self, request: Request) -> SignInSource:
        address = request.client.host if request.client else ""
        return SignInSource(address, self._cookies.known(request, self._clock()))

    def _let_in(self, session: Session, ask: SignInRequest | None) -> Response:
        to = ask.to if ask and ask.person == session.person else ""
        answer = self._responses.renderer.to_desk(to)
        self._cookies.keep_session(answer, session)
        return answer

    def _refused(self, request: Request, name: str, wrong: WrongCode) -> Response:
        if not wrong.left:
            return self._responses.card(NOT_ASKED, request)
        return self._responses.card(replace(ASKED, status=403, refusal=WRONG_CODE), request, name, left=wrong.left)


def _is_page(path: str) -> bool:
    """Whether it is a follow-up's page: the address is untrusted."""
    what = named_at_desk(path)
    return what is not None and is_request_id(what.id) and path == at_desk(what)
