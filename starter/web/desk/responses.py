"""Answers of desk pages: sign-in, rate limits, form tokens, errors. Unavailable services give a page that says so,
never a trace.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.files.pdf import MEGABYTE
from activities.notifications.links import at_desk, named_at_desk
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import DirectoryFailure
from activities.people.ids import stands_in_full
from activities.people.language import Language
from activities.records.allowances import Rate
from activities.records.store import Store
from starter.temporal.codec import CodecError
from starter.temporal.connection import Context, TemporalRefusal
from starter.web.acting.forms import FormFault, FormGuard
from starter.web.desk.fixed_screens import AWAY, CUT_OFF, FOREIGN, SIGN_IN, SIGN_IN_THERE, TOO_OFTEN, UNSURE
from starter.web.desk.sessions import Authenticator, Visitor
from starter.web.http.allowances import Allowances, Buckets, SharedBuckets
from starter.web.http.bodies import HEADERS, LONGEST, BodyFault, IncomingBodies, PostedDocuments, read_documents
from starter.web.intake.catalogue import KindCatalogue
from starter.web.proofs import is_confirmation
from starter.web.rights import ReaderRoles
from starter.web.screens.rendering import Frame, Renderer, Tab
from starter.web.screens.screens import FileLink, ScreenDraft
from starter.web.screens.view_reader import ReadView
from workflows.kinds import Kind

LOOKS_OF_A_PERSON: Final = Rate(burst=60, per_second=2)
PRESSES_OF_A_PERSON: Final = Rate(burst=20, per_second=0.5)
EDITS_OF_A_PERSON: Final = Rate(burst=120, per_second=2)
"""Of drafts, which change nothing for others."""
DOCUMENT_SECONDS: Final = 60.0
"""For a form with a document, by a phone."""
DOCUMENTS_AT_MOST: Final = 128 * MEGABYTE
"""Bytes of all forms with documents that are being read."""
UPLOADS_AT_ONCE: Final = 8
"""Forms that may have a document; each is in memory until it is answered."""
_BESIDE_THE_DOCUMENT: Final = 2 * MEGABYTE

COMPANY_PATH: Final = "sign-in/company"
"""Below the desk."""
OWN_PAGES: Final = ("away", "mine")
"""Pages of everybody, to which the pages behind links lead."""

Handle = Callable[[Request], Awaitable[Response]]
ForVisitor = Callable[[Request, Visitor], Awaitable[Response]]
WithForm = Callable[[Request, Visitor, dict[str, str]], Awaitable[Response]]
WithDocuments = Callable[[Request, Visitor, PostedDocuments | None], Awaitable[Response]]
_LOGGER: Final = structlog.get_logger("countersign.desk")


@dataclass(frozen=True)
class SignInWays:
    """How people may sign in: by a number or link, with the company's account."""

    number: bool = True
    company: bool = False


BY_NUMBER: Final = SignInWays()


class DeskResponses:
    """`tabs` looks up a visitor's views."""

    def __init__(
        self,
        renderer: Renderer,
        guard: FormGuard,
        door: Authenticator,
        tabs: Callable[[Visitor, str], Awaitable[tuple[Tab, ...]]],
        *,
        store: Store,
        clock: Callable[[], datetime],
        upload_megabytes: int = 0,
        ways: SignInWays = BY_NUMBER,
    ) -> None:
        self.renderer: Final = renderer
        self.guard: Final = guard
        self._door = door
        self._ways = ways
        self._tabs = tabs
        self._allowances = Allowances(store, clock)
        self._looks = Buckets(LOOKS_OF_A_PERSON, clock)
        self._presses = SharedBuckets(store, "press at the desk", PRESSES_OF_A_PERSON, clock)
        self._edits = Buckets(EDITS_OF_A_PERSON, clock)
        self._documents = IncomingBodies(DOCUMENTS_AT_MOST)
        self._document_limit = upload_megabytes * MEGABYTE + _BESIDE_THE_DOCUMENT
        self._uploads = 0

    def anybody(self, handle: Handle) -> Handle:
        """For everybody, within the rate limit of an address."""

        async def answer(request: Request) -> Response:
            if wait := self._allowances.address(request):
                return self._too_often(request, wait)
            try:
                return await handle(request)
            except (TemporalRefusal, RPCError, TimeoutError, ConnectionError, CodecError) as error:
                return self._trouble(AWAY, request, error)
            except RuntimeError as error:  # a lazy client that finds no server
                return self._trouble(AWAY, request, error)
            except (DirectoryFailure, StoreFailure) as error:
                return self._trouble(UNSURE, request, error)

        return answer

    def visitors(self, handle: ForVisitor) -> Handle:
        """For signed-in people; others are asked to sign in."""

        async def answer(request: Request) -> Response:
            visitor = await self._door.visitor(request)
            if visitor is None:
                return self.ask_who(request)
            presses = request.method == "POST"
            if wait := await self._presses.wait(visitor.id) if presses else self._looks.wait(visitor.id):
                return self._too_often(request, wait)
            return await handle(request, visitor)

        return self.anybody(answer)

    def acting(self, handle: WithForm) -> Handle:
        """For forms of signed-in people."""

        async def answer(request: Request, visitor: Visitor) -> Response:
            form = await self.form_of(request, visitor.name)
            return form if isinstance(form, Response) else await handle(request, visitor, form)

        return self.visitors(answer)

    def calling(self, handle: ForVisitor) -> Handle:
        """For scripts of signed-in people: what they are refused by is JSON."""

        async def answer(request: Request) -> Response:
            response = await self.visitors(handle)(request)
            if isinstance(response, JSONResponse):
                return response
            status = 401 if response.status_code == 200 else response.status_code
            return JSONResponse({"outcome": "refused"}, status, HEADERS)

        return answer

    def drafting(self, handle: WithDocuments) -> Handle:
        """For forms of drafts, with their documents; None is given for one that is too large, of which nothing is
        known.
        """

        async def answer(request: Request) -> Response:
            visitor = await self._door.visitor(request)
            if visitor is None:
                return self.ask_who(request)
            large = int(request.headers.get("content-length", LONGEST)) >= LONGEST
            if wait := self._edits.wait(visitor.id) or (large and self._uploads >= UPLOADS_AT_ONCE):
                return self._too_often(request, wait)
            self._uploads += large
            try:
                return await self._drafted(request, visitor, handle)
            finally:
                self._uploads -= large

        return self.anybody(answer)

    async def _drafted(self, request: Request, visitor: Visitor, handle: WithDocuments) -> Response:
        limit = self._document_limit
        posted = await read_documents(request, self._documents, limit=limit, seconds=DOCUMENT_SECONDS)
        if posted is BodyFault.TOO_LARGE:
            return await handle(request, visitor, None)
        if isinstance(posted, BodyFault):
            return self.card(CUT_OFF, request)
        if not self.guard.accepts(visitor.name, posted.fields.get("token", ""), request.headers):
            return self.card(FOREIGN, request)
        return await handle(request, visitor, posted)

    async def too_often(self, request: Request, visitor: Visitor) -> Response | None:
        """The page that says so, for what counts as a press on a button that does something."""
        wait = await self._presses.wait(visitor.id)
        return self._too_often(request, wait) if wait else None

    async def form_of(self, request: Request, name: str) -> dict[str, str] | Response:
        """The form with a valid token for `name`; else the card that refuses it."""
        form = await self.guard.posted(name, request)
        if isinstance(form, FormFault):
            return self.card(CUT_OFF if form is FormFault.CUT_OFF else FOREIGN, request)
        return form

    def ask_who(self, request: Request) -> Response:
        """The sign-in page, which remembers the requested page."""
        path = request.url.path.removeprefix("/desk/")
        name = named_at_desk(path)
        target = at_desk(name) if name else path if path in OWN_PAGES or is_confirmation(path) else ""
        query = f"?to={target}" if target else ""
        leading = button = None
        if self._ways.company:
            leading = FileLink(self.renderer.at_desk(f"{COMPANY_PATH}{query}"), SIGN_IN_THERE)
        if self._ways.number and SIGN_IN.button:
            button = replace(SIGN_IN.button, to=f"sign-in{query}", quiet=self._ways.company)
        return self.card(replace(SIGN_IN, leading=leading, button=button), request, "sign-in")

    def card(self, card: ScreenDraft, request: Request, ref: str = "", **values: object) -> Response:
        """A card in the browser's language, with a form token if `ref` is given."""
        language = Language.accepted(request.headers.get("accept-language", ""))
        return self.draft_card(card, language, ref, **values)

    def draft_card(self, card: ScreenDraft, language: Language, ref: str = "", **values: object) -> Response:
        token = self.guard.token(ref) if ref else ""
        return self.renderer.screen(card.in_language(language, **values), token, Frame())

    async def inside(self, card: ScreenDraft, visitor: Visitor, **values: object) -> Response:
        """A card within the desk's frame."""
        return self.renderer.screen(
            card.in_language(visitor.reader.language, **values), frame=await self.frame(visitor)
        )

    async def frame(self, visitor: Visitor, current_page: str = "") -> Frame:
        return Frame(
            visitor.person.name,
            await self._tabs(visitor, current_page),
            self.guard.token(visitor.name),
        )

    def _too_often(self, request: Request, wait: float) -> Response:
        return self.card(replace(TOO_OFTEN, retry_after=ceil(wait)), request)

    def _trouble(self, card: ScreenDraft, request: Request, error: Exception) -> Response:
        _LOGGER.warning("a page of the desk cannot be shown", why=str(error), kind=type(error).__name__)
        return self.card(card, request)


@dataclass(frozen=True)
class RequestContext:
    """Shared parts of the desk's pages."""

    responses: DeskResponses
    context: Context
    directory: CompanyDirectory
    roles: ReaderRoles
    kinds: KindCatalogue
    look: ReadView
    clock: Callable[[], datetime]


class PeopleNames:
    """Names for one page; `workflow_id` is the workflow with people described in full."""

    def __init__(self, directory: CompanyDirectory, workflow_id: str | None = None) -> None:
        self._directory = directory
        self._workflow_id = workflow_id
        self._name_by_key: dict[tuple[str, str | None], str] = {}

    async def in_full(self, id: str, request: str) -> str:
        """Of a campaign's member, who may be described in full with their request."""
        return await self.name_of(id, Kind.REQUEST.workflow_id(request))

    async def name_of(self, id: str, workflow_id: str | None = None) -> str:
        """The name, else the id."""
        key = id, (workflow_id or self._workflow_id) if stands_in_full(id) else None
        if key not in self._name_by_key:
            try:
                self._name_by_key[key] = (await self._directory.person(*key)).name
            except DirectoryFailure:
                self._name_by_key[key] = id
        return self._name_by_key[key]
