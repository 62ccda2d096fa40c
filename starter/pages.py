"""What opens on the phone behind a link of ours: the signing link, and where a request stands.

A GET shows and changes nothing, since scanners follow links. The form's POST sends the browser on to the signer's live
signing page, read from Core Signature at that moment and kept nowhere, so signing works while Temporal is down.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.signing_page import SigningPage, SigningState, signing_page
from activities.http import ServiceFailure
from activities.links import BadLink, LinkClaim, Links, LinkUse
from activities.people import Directory, DirectoryFailure, UnknownPerson
from starter.form_guard import FormGuard
from starter.page_rendering import Renderer
from starter.page_words import (
    FOREIGN_FORM,
    MAIL_SENT,
    NO_ANSWER,
    NOT_OURS,
    Act,
    Reader,
    Screen,
    ended_screen,
    signing_screen,
    status_screen,
)
from starter.request_bodies import BodyFault, read_body
from workflows.glance import RequestShow

Look = Callable[[str], Awaitable[RequestShow | None]]
"""What is known of a request by our own side, None when nobody says; answers soon and never raises."""

PROVIDER_SECONDS: Final = 8.0
_LONGEST_FORM: Final = 4096
_SENT: Final = "sent"
_LOGGER: Final = structlog.get_logger("countersign.pages")


class Pages:
    """The pages behind signing links."""

    def __init__(
        self, links: Links, directory: Directory, signatures: CoreSignatureClient, look: Look, guard: FormGuard
    ) -> None:
        self._links = links
        self._directory = directory
        self._signatures = signatures
        self._look = look
        self._guard = guard
        self._renderer = Renderer(signatures.config.url)

    def routes(self) -> list[BaseRoute]:
        """`GET` and `POST /open/{ref}`."""
        return [Route("/open/{ref}", self.open, methods=["GET"]), Route("/open/{ref}", self.act, methods=["POST"])]

    async def open(self, request: Request) -> Response:
        """Show what the link is for."""
        ref = request.path_params["ref"]
        try:
            claim = self._links.open(ref)
        except BadLink:
            return self._renderer.page(NOT_OURS)
        screen = await (self._status(claim) if claim.use is LinkUse.VIEW else self._signing(claim))
        if screen.button and screen.button.act is Act.RESEND and request.query_params.get("mail") == _SENT:
            screen = replace(MAIL_SENT, document=screen.document)
        return self._renderer.page(screen, self._guard.token(ref))

    async def act(self, request: Request) -> Response:
        """Do what the button of the page said, or show the page as it is by now."""
        ref = request.path_params["ref"]
        try:
            claim = self._links.open(ref)
        except BadLink:
            return self._renderer.page(NOT_OURS)
        form = await _form(request)
        if not self._guard.accepts(ref, form.get("token", ""), request.headers):
            return self._renderer.page(FOREIGN_FORM)
        try:
            return self._renderer.onward(await self._destination(claim, form.get("act", ""), ref))
        except (ServiceFailure, DirectoryFailure, TimeoutError) as failure:
            _LOGGER.warning("signing page not found out", request=claim.request, why=str(failure))
            return self._renderer.page(NO_ANSWER)

    async def _destination(self, claim: LinkClaim, act: str, ref: str) -> str:
        """Where the browser goes next; relative, so that a proxy may put our pages below any path."""
        if claim.use is not LinkUse.SIGN:
            return ref
        page = await self._page_of(claim)
        if act == Act.SIGN and page.state is SigningState.OPEN and page.url:
            return page.url
        if act == Act.RESEND and page.state is SigningState.BY_MAIL and page.request:
            await self._signatures.resend(page.request)
            return f"{ref}?mail={_SENT}"
        return ref

    async def _signing(self, claim: LinkClaim) -> Screen:
        found, shown = await asyncio.gather(self._page_of(claim), self._look(claim.request), return_exceptions=True)
        known = shown if isinstance(shown, RequestShow) else None
        if known and known.status.ended:
            return ended_screen(known.status)
        if isinstance(found, SigningPage):
            # What we are waiting for at Core Signature is only not listed yet.
            page = replace(found, state=SigningState.PREPARING) if known and _is_unknown(found) else found
            return signing_screen(page, known.due_at if known else None, await self._reader(claim))
        if isinstance(found, (ServiceFailure, DirectoryFailure, TimeoutError)):
            _LOGGER.warning("signing page not found out", request=claim.request, why=str(found))
            return NO_ANSWER
        raise found

    async def _status(self, claim: LinkClaim) -> Screen:
        shown = await self._look(claim.request)
        return status_screen(shown, await self._reader(claim)) if shown else NO_ANSWER

    async def _page_of(self, claim: LinkClaim) -> SigningPage:
        """What Core Signature has for this signer now; raises when it, or the directory, does not say."""
        try:
            person = await self._directory.person(claim.person, claim.request)
        except UnknownPerson:
            return SigningPage(SigningState.STRANGER)
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await signing_page(self._signatures, claim.request, person.email)

    async def _reader(self, claim: LinkClaim) -> Reader:
        try:
            return Reader(claim.person, (await self._directory.person(claim.person, claim.request)).tz)
        except DirectoryFailure:
            return Reader(claim.person, ZoneInfo("UTC"))


def _is_unknown(page: SigningPage) -> bool:
    return page.state is SigningState.UNKNOWN


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form; nothing when it is too large, too slow or something else."""
    body = await read_body(request.receive, limit=_LONGEST_FORM)
    if isinstance(body, BodyFault):
        return {}
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
