"""Sign-in at the desk with the company's account: by the OpenID issuer, which may sign people out again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from activities.people.company_directory import CompanyDirectory
from activities.people.person import Person
from activities.records.sessions import IssuerSession
from activities.records.store import Store
from starter.web.desk.fixed_screens import (
    COMPANY_AWAY,
    COMPANY_REFUSED,
    SIGN_OUT_THERE,
    SIGNED_OUT,
    TOO_OFTEN,
    CompanyRefusal,
)
from starter.web.desk.responses import COMPANY_PATH, DeskResponses
from starter.web.desk.sessions import Cookies, PendingSignIn, Session, SignIn
from starter.web.http.allowances import ConcurrencyLimit
from starter.web.http.bodies import HEADERS, read_form
from starter.web.http.oidc import IdToken, IssuerUnavailable, RefusedToken
from starter.web.http.oidc_client import AuthorizationRequest, OidcClient
from starter.web.http.serving import holder_of
from starter.web.screens.screens import FileLink

RETURN_PATH: Final = f"{COMPANY_PATH}/back"
REDEEMED_AT_MOST: Final = 20
"""Sign-ins that ask the issuer at the same time, half of them of one address."""
CODE_AT_MOST: Final = 4_096
"""Characters of a code."""
_LOGGER: Final = structlog.get_logger("countersign.oidc")


class SignInRefused(Exception):
    def __init__(self, reason: CompanyRefusal, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason


class CompanySignIn:
    """Redeems what browsers come back with, once, and finds whose account it is."""

    def __init__(
        self,
        client: OidcClient,
        sign_in: SignIn,
        cookies: Cookies,
        *,
        store: Store,
        directory: CompanyDirectory,
        clock: Callable[[], datetime],
    ) -> None:
        self.client: Final = client
        self._sign_in = sign_in
        self._cookies = cookies
        self._store = store
        self._directory = directory
        self._clock = clock

    async def finish(self, request: Request, pending: PendingSignIn | None) -> Session:
        """Raises `SignInRefused`, `IssuerUnavailable`, `StoreFailure`, `DirectoryFailure`."""
        query = request.query_params
        if pending is None or query.get("state") != pending.request.state:
            raise SignInRefused(CompanyRefusal.NOT_BEGUN, "the state is not of this browser")
        if not await self._store.one_use.use(pending.at.date(), f"{pending.request.state}-oidc"):
            raise SignInRefused(CompanyRefusal.NOT_BEGUN, "the state was used before")
        code = query.get("code", "")
        if "error" in query or not 0 < len(code) <= CODE_AT_MOST:
            raise SignInRefused(CompanyRefusal.DECLINED, "the issuer has given no code")
        try:
            token = await self.client.redeem(code, pending.request, query.get("iss"))
        except RefusedToken as refusal:
            raise SignInRefused(CompanyRefusal.NOT_GENUINE, str(refusal)) from None
        person = await self._directory.named(token.identity)
        if person is None:
            raise SignInRefused(CompanyRefusal.STRANGER, "the account is of nobody in the directory, or of several")
        return await self._admit(person, token)

    async def sign_out_url(self, sealed_token: str | None) -> str:
        """Where the issuer is left; empty if there is no such page now."""
        try:
            return await self.client.sign_out_url(self._cookies.open_id_token(sealed_token))
        except IssuerUnavailable:
            return ""

    async def end(self, logout_token: str) -> int:
        """How many sessions the issuer has ended with this. Raises `RefusedToken`, also for a token that was used, and
        `IssuerUnavailable`.
        """
        logout = await self.client.issuer.read_logout_token(logout_token)
        if not await self._store.one_use.use(self._clock().date(), f"{logout.id}-logout"):
            raise RefusedToken("it was used before")
        return await self._store.desk_sessions.end_of_issuer(logout.sid, logout.subject)

    async def _admit(self, person: Person, token: IdToken) -> Session:
        # Where the directory has groups, it alone says who is in them.
        groups = () if await self._directory.groups() else token.groups
        sealed = self._cookies.seal_id_token(token.text)
        return await self._sign_in.admit(person, IssuerSession(token.sid, token.subject, groups, sealed))


class CompanyPages:
    """The pages of this sign-in; `let_in` answers with a new session."""

    def __init__(
        self,
        responses: DeskResponses,
        company: CompanySignIn,
        cookies: Cookies,
        clock: Callable[[], datetime],
        *,
        let_in: Callable[[Session, str], Response],
        as_target: Callable[[str], str],
    ) -> None:
        self._responses = responses
        self._company = company
        self._cookies = cookies
        self._clock = clock
        self._let_in = let_in
        self._as_target = as_target
        self._redeeming = ConcurrencyLimit(REDEEMED_AT_MOST)

    def routes(self) -> list[BaseRoute]:
        anybody = self._responses.anybody
        return [
            Route(f"/desk/{COMPANY_PATH}", anybody(self.begin), methods=["GET"]),
            Route(f"/desk/{RETURN_PATH}", anybody(self.come_back), methods=["GET"]),
            Route(f"/desk/{COMPANY_PATH}/logout", anybody(self.end_sessions), methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """To the issuer; nothing changes but this browser's cookie."""
        target = self._as_target(request.query_params.get("to", ""))
        pending = PendingSignIn(AuthorizationRequest.new(), self._clock(), target)
        try:
            url = await self._company.client.authorization_url(pending.request)
        except IssuerUnavailable:
            return self._responses.card(COMPANY_AWAY, request)
        answer = self._responses.renderer.onward(url)
        self._cookies.keep_pending(answer, pending)
        return answer

    async def come_back(self, request: Request) -> Response:
        """From the issuer, with a code."""
        holder = holder_of(request.client.host) if request.client else ""
        if not self._redeeming.take(holder):
            return self._responses.card(TOO_OFTEN, request)
        pending = self._cookies.pending(request, self._clock())
        try:
            answer = self._let_in(await self._company.finish(request, pending), pending.to if pending else "")
        except SignInRefused as refusal:
            _LOGGER.info("a sign-in with the company's account is refused", why=str(refusal))
            answer = self._responses.card(COMPANY_REFUSED[refusal.reason], request)
        except IssuerUnavailable:
            answer = self._responses.card(COMPANY_AWAY, request)
        finally:
            self._redeeming.leave(holder)
        self._cookies.drop_pending(answer)
        return answer

    async def sign_out(self, request: Request, sealed_token: str | None) -> Response | None:
        """The page that leads to the sign-out at the issuer, since no form may lead to another site; None if the issuer
        has none.
        """
        url = await self._company.sign_out_url(sealed_token)
        if not url:
            return None
        answer = self._responses.card(replace(SIGNED_OUT, leading=FileLink(url, SIGN_OUT_THERE)), request)
        answer.headers["refresh"] = f"0;url={url}"
        return answer

    async def end_sessions(self, request: Request) -> Response:
        """The issuer has signed somebody out (back-channel logout)."""
        form = await read_form(request)
        try:
            count = await self._company.end((form or {}).get("logout_token", ""))
        except RefusedToken as refusal:
            _LOGGER.info("a logout token does not count", why=str(refusal))
            return JSONResponse({"error": "invalid_request"}, 400, HEADERS)
        except IssuerUnavailable:
            return JSONResponse({"error": "temporarily_unavailable"}, 503, HEADERS)
        _LOGGER.info("the issuer has ended sessions", count=count)
        return Response(status_code=200, headers=HEADERS)
