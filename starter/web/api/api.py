"""The addresses of the API, and their description (OpenAPI 3.1)."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Body, FastAPI, Header, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route

from activities.errors import DocumentMissing
from activities.hand_off.downloads import kept_file
from activities.launch.doors import AdmittedStart
from activities.onboarding.intake import RestartedPart
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import UnknownPerson, askers
from activities.records.allowances import Rate
from activities.records.downloads import Way
from activities.records.ended import ListFilter
from activities.records.evidence import KeptFileName
from activities.records.figures import GroupBy
from starter.config.settings import Settings
from starter.queries import commands, lists, lookup, onboarding
from starter.queries.campaign_report import member_of
from starter.queries.figures import FigureQuery, Figures, gather_figures
from starter.queries.lists import LinesPage
from starter.temporal.connection import Context
from starter.web.api.absences import AbsenceRoutes
from starter.web.api.callers import ApiCaller, Callers, refuse_unchanged, refuse_unseen, sees
from starter.web.api.description import REVISION_BODY, description_of, start_body
from starter.web.api.door import CALLS_OF_A_CALLER, UNAUTHENTICATED_CALLS_OF_AN_ADDRESS, Door
from starter.web.api.kinds import API_COMMANDS, COMPOSED, VIEWS, body_of, command_of, with_members
from starter.web.api.problems import EXPECTED, ApiProblem, ProblemType, answered
from starter.web.api.starting import PLANS, PartDecision, StartedFollowUp, StartIntake, UploadedDocument
from starter.web.api.uploads import NamedDocuments
from starter.web.downloads import FileRequest, KeptFileAnswers
from starter.web.figures import WORD_AT_MOST
from starter.web.http.allowances import Buckets
from starter.web.http.bodies import HEADERS
from starter.web.http.oidc import Issuer
from starter.web.intake.catalogue import KindCatalogue
from starter.web.rights import ReaderRoles, Right, RoleCaller, rights_concerning, rights_of
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import PERSONS, AnyCommand, Delegation, Exemption, ReviewAnswer, Take
from workflows.model.policy import ROUNDS_AT_MOST
from workflows.model.receipts import OperationState, Receipt
from workflows.model.subject import Status
from workflows.model.views import Shown, view_of

ROOT: Final = "/api/v1"
STARTS_OF_A_CALLER: Final = Rate(burst=100, per_second=20)
LINES_AT_MOST: Final = 200
FIGURES_AT_ONCE: Final = 2
"""Calls whose figures are counted at a time; others wait for their turn."""
_SEARCH_AT_MOST: Final = 200
_COMMAND_WITHIN: Final = timedelta(seconds=12)
"""A little longer than the SDK retries what Temporal does not admit."""
_WATCHED: Final = timedelta(seconds=6)
"""How long the outcome of a command is awaited; after that the receipt says that it is still to be done."""
_READABLE: Final = r"^[^\x00-\x1f\x7f]*$"
_ID: Final = "^[A-Za-z0-9._-]{1,100}$"
_ASKER: Final = "^(group:)?[A-Za-z0-9._-]{1,100}$"
Id = Annotated[str, Path(pattern=_ID, description="Its id, as in the answer of its start")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9._-]{1,40}$",
        description="Names this one change: repeated with the same key it is made once, for 30 days",
    ),
]
_BODY: Final = (ProblemType.MALFORMED, ProblemType.TOO_LARGE, ProblemType.OTHER_MEDIA)


def _is_day(written: object) -> object:
    """Pydantic alone takes a number for seconds since 1970."""
    if isinstance(written, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", written):
        raise ValueError("must be a day such as 2026-12-11")
    return written


Day = Annotated[date, BeforeValidator(_is_day)]


class ListQuery(BaseModel):
    """Filters of a list, each of which narrows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: list[Status] = Field(default=[], max_length=20)
    kind: str | None = Field(default=None, pattern=_ID, description="A kind of the catalogue")
    person: str | None = Field(default=None, pattern=_ID, description="For whom it waits, or who was asked")
    requester: str | None = Field(default=None, pattern=_ASKER, description="A person, or `group:<name>`")
    overdue: bool = False
    attention: bool = Field(default=False, description="Only what needs a person of ours")
    search: str = Field(
        default="", max_length=_SEARCH_AT_MOST, pattern=_READABLE, description="Words of title, people, id"
    )
    limit: int = Field(default=50, ge=1, le=LINES_AT_MOST)
    cursor: str | None = Field(default=None, max_length=4_096, description="Of the page before")


class FiguresQuery(BaseModel):
    """What is counted, and in which groups. Days are whole ones in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: GroupBy = GroupBy.KIND
    kind: str | None = Field(default=None, pattern=_ID, description="A kind of the catalogue")
    department: str | None = Field(default=None, max_length=WORD_AT_MOST, pattern=_READABLE)
    since: Day | None = Field(default=None, description="First day; by default 90 days are counted, by month a year")
    until: Day | None = Field(default=None, description="Last day, by default today")


class PersonAnswer(BaseModel):
    """Somebody of the directory."""

    id: str
    name: str
    email: str
    zone: str
    locale: str
    manager: str | None
    delegate: str | None


class Api:
    """The routes below `/api/v1`; `rate` and `starts` bound the calls of one caller in this process."""

    def __init__(
        self,
        settings: Settings,
        context: Context,
        directory: CompanyDirectory,
        issuer: Issuer | None,
        files: KeptFileAnswers,
        *,
        rate: Rate = CALLS_OF_A_CALLER,
        starts: Rate = STARTS_OF_A_CALLER,
        unauthenticated_rate: Rate = UNAUTHENTICATED_CALLS_OF_AN_ADDRESS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._context = context
        self._directory = directory
        self._files = files
        self._clock = clock
        self._starting = StartIntake(settings, context.store, directory, clock)
        self._starts = Buckets(starts, clock)
        self._absences = AbsenceRoutes(settings, context, directory, clock)
        self._counting = asyncio.Semaphore(FIGURES_AT_ONCE)
        roles = ReaderRoles(directory, settings.operators, KindCatalogue(settings.policies))
        callers = Callers(context.store, directory, roles, issuer, clock)
        self._app = self._build_app()
        self._door = Door(
            self._app,
            callers,
            clock,
            upload_megabytes=settings.signature.max_upload_mb,
            rate=rate,
            unauthenticated_rate=unauthenticated_rate,
        )
        self._description: dict[str, Any] | None = None

    def routes(self) -> list[BaseRoute]:
        mount = Mount(ROOT, app=self._door)
        # Every address below, also one with a line feed, is answered by the API.
        mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
        return [Route(f"{ROOT}/openapi.json", self._described, methods=["GET"]), mount]

    async def _described(self, _: Request) -> Response:
        return JSONResponse(self.description, headers=HEADERS)

    @property
    def description(self) -> dict[str, Any]:
        if self._description is None:
            self._description = description_of(self._app, ROOT)
        return self._description

    def _build_app(self) -> FastAPI:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        for error in EXPECTED:
            app.add_exception_handler(error, answered)
        app.add_exception_handler(405, _other_method)
        for kind in API_COMMANDS:
            self._add_kind(app, kind)
        self._add_versions(app)
        self._absences.add_to(app, _problems)
        self._add_others(app)
        return app

    def _add_others(self, app: FastAPI) -> None:
        """What is of no kind."""
        add = app.add_api_route
        add(
            "/people/{id}",
            self.person,
            methods=["GET"],
            tags=["people"],
            responses=_problems(ProblemType.NOT_FOUND),
            response_model=PersonAnswer,
            operation_id="person_show",
            summary="Somebody of the directory",
        )
        add(
            "/figures",
            self.figures,
            methods=["GET"],
            tags=["figures"],
            responses=_problems(),
            response_model=Figures,
            operation_id="figures",
            summary="How long it took and where the time was lost, beside the period before",
        )
        add(
            "/documents",
            self.upload,
            methods=["POST"],
            tags=["documents"],
            status_code=201,
            responses=_problems(*_BODY),
            response_model=UploadedDocument,
            operation_id="document_upload",
            summary="Upload a PDF that a start names by its hash",
            openapi_extra={
                "requestBody": {
                    "required": True,
                    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
                }
            },
        )

    def _add_versions(self, app: FastAPI) -> None:
        """What requests alone have: their documents."""
        add = app.add_api_route
        pdf_response: dict[int | str, dict[str, Any]] = {
            200: {"description": "The PDF", "content": {"application/pdf": {}}}
        }
        add(
            f"/{Kind.REQUEST.spec.desk}/{{id}}/document",
            self.document,
            methods=["GET"],
            tags=["request"],
            responses={**pdf_response, **_problems(ProblemType.NOT_FOUND)},
            response_class=Response,
            operation_id="request_document",
            summary="The signed document, once it is kept",
        )
        add(
            f"/{Kind.REQUEST.spec.desk}/{{id}}/versions/{{number}}",
            self.version,
            methods=["GET"],
            tags=["request"],
            responses={**pdf_response, **_problems(ProblemType.NOT_FOUND)},
            response_class=Response,
            operation_id="request_version",
            summary="A version of a document that is or was reviewed",
        )
        add(
            f"/{Kind.REQUEST.spec.desk}/{{id}}/revise",
            self.revise,
            methods=["POST"],
            tags=["request"],
            responses={
                202: {"model": Receipt, "description": "Recorded; still to be done"},
                **_problems(ProblemType.NOT_FOUND, ProblemType.REFUSED, *_BODY),
            },
            response_model=Receipt,
            operation_id="request_revise",
            summary="`countersign request revise`",
            openapi_extra=REVISION_BODY,
        )

    def _add_kind(self, app: FastAPI, kind: Kind) -> None:
        path, name = f"/{kind.spec.desk}", str(kind)
        common: dict[str, Any] = {"tags": [name]}
        app.add_api_route(
            path,
            self._list(kind),
            methods=["GET"],
            responses=_problems(),
            response_model=LinesPage,
            operation_id=f"{name}_list",
            summary=f"The {name}s, overdue first; then what has ended, newest first",
            **common,
        )
        app.add_api_route(
            path,
            self._start(kind),
            methods=["POST"],
            status_code=201,
            responses={200: {"model": StartedFollowUp}, **_problems(ProblemType.REFUSED, *_BODY)},
            response_model=StartedFollowUp,
            operation_id=f"{name}_start",
            summary=f"Start {kind.with_article}, or find the one started from the same content",
            openapi_extra=start_body(kind),
            **common,
        )
        if kind in PLANS:
            app.add_api_route(
                f"{path}/plan",
                self._plan(kind),
                methods=["POST"],
                responses=_problems(*_BODY),
                operation_id=f"{name}_plan",
                summary="What would happen if it were started now; starts nothing",
                openapi_extra=start_body(kind),
                **common,
            )
        app.add_api_route(
            f"{path}/{{id}}",
            self._show(kind),
            methods=["GET"],
            responses=_problems(ProblemType.NOT_FOUND),
            response_model=VIEWS.get(kind, view_of(kind)),
            operation_id=f"{name}_show",
            summary="Everything known of it",
            **common,
        )
        for command_word, command in API_COMMANDS[kind].items():
            self._add_command(app, kind, command_word, command)

    def _add_command(self, app: FastAPI, kind: Kind, command_word: str, command: type[AnyCommand]) -> None:
        app.add_api_route(
            f"/{kind.spec.desk}/{{id}}/{command_word}",
            self._command(kind, Right(command_word), command),
            methods=["POST"],
            tags=[str(kind)],
            responses={
                202: {"model": Receipt, "description": "Recorded; still to be done"},
                **_problems(ProblemType.NOT_FOUND, ProblemType.REFUSED, *_BODY),
            },
            response_model=Receipt,
            operation_id=f"{kind}_{command_word}",
            summary=f"`countersign {kind.spec.command} {command_word}`",
        )

    def _list(self, kind: Kind) -> Callable[..., Awaitable[Response]]:
        async def listed(request: Request, query: Annotated[ListQuery, Query()]) -> Response:
            narrowed_kind, requester = _caller(request).narrowed(query.kind, query.requester)
            filters = ListFilter(
                attention=query.attention,
                statuses=tuple(query.status),
                kind=narrowed_kind,
                person=query.person,
                requester=requester,
                overdue=query.overdue,
                types=(kind.spec.prefix,),
                search=query.search,
            )
            filters = replace(filters, of_campaigns=bool(narrowed_kind or query.person or query.search))
            page = await lists.page(self._context, filters, size=query.limit, cursor=query.cursor, now=self._clock())
            return _json(page)

        return listed

    def _show(self, kind: Kind) -> Callable[..., Awaitable[Response]]:
        async def show(request: Request, id: Id) -> Response:
            view = await self._look_at(WorkflowName(kind, id))
            refuse_unseen(sees(_caller(request), view))
            return _json(await self._composed(view))

        return show

    def _start(self, kind: Kind) -> Callable[..., Awaitable[Response]]:
        async def start(request: Request) -> Response:
            admitted = await self._admitted(request, kind)
            started = await admitted.start(self._context.client, self._context.store)
            answer = StartedFollowUp(id=started.id, workflow_id=started.workflow_id, created=started.created)
            headers = {"location": f"{ROOT}/{kind.spec.desk}/{started.id}"}
            return _json(answer, 201 if started.created else 200, headers)

        return start

    def _plan(self, kind: Kind) -> Callable[..., Awaitable[Response]]:
        async def plan(request: Request) -> Response:
            return _json(await self._starting.plan((await self._admitted(request, kind)).prepared))

        return plan

    async def _admitted(self, request: Request, kind: Kind) -> AdmittedStart:
        """A start that is right and that the caller may make. Raises `ApiProblem`."""
        caller = _caller(request)
        if not caller.may_start_something:
            raise ApiProblem(ProblemType.NOT_ALLOWED, "the caller may start nothing")
        if wait := self._starts.wait(caller.actor):
            raise ApiProblem(ProblemType.TOO_MANY, wait=wait)
        return await self._starting.read(kind, request, self._documents(caller), RoleCaller(caller.role, caller.actor))

    def _command(self, kind: Kind, right: Right, command: type[AnyCommand]) -> Callable[..., Awaitable[Response]]:
        model: Any = body_of(command)
        has_required_fields = any(field.is_required() for field in model.model_fields.values())
        default_body: Any = Body() if has_required_fields else Body(default_factory=model)

        async def carry_out(request: Request, id: Id, body: model = default_body, key: Key = None) -> Response:
            caller, name = _caller(request), WorkflowName(kind, id)
            view = await self._look_at(name)
            refuse_unchanged(caller, view, right)
            order = command_of(command, body, caller.name, caller.known_by)
            if isinstance(order, ReviewAnswer):
                order = order.replace(person=caller.reviewer(order.person))
            if view.all_reviews and isinstance(order, Exemption):
                commands.refuse_own(caller.name, await askers(self._starting.directory, view.requester))
            order = await self._with_people(order, view)
            if isinstance(order, Take):
                members = await askers(self._directory, view.requester)
                commands.refuse_outsider(order.person, view.requester, members)
            if isinstance(body, PartDecision) and body.from_anew:
                line, what_part = await onboarding.part_of(self._context, id, body.part)
                part = await RestartedPart.read(self._context.store, id, what_part, line)
                order = order.replace(content=await self._starting.decided(part, body, self._documents(caller)))
            return await self._carried_out(id, order, key, kind)

        return carry_out

    async def _carried_out(self, id: str, order: AnyCommand, key: str | None, kind: Kind) -> Response:
        receipt = await commands.make(
            self._context,
            id,
            order,
            op=key or secrets.token_hex(6),
            kind=kind,
            time_limit=_COMMAND_WITHIN,
            wait=_WATCHED,
        )
        return _json(receipt, 202 if receipt.state is OperationState.OPEN else 200)

    async def _with_people(self, command: AnyCommand, view: Shown) -> AnyCommand:
        """With ids of those whom it names, also by their position; who is asked instead must be known."""
        named = {name: getattr(command, name) for name in PERSONS if getattr(command, name, "")}
        command = command.replace(**{name: lookup.resolve_position(view, person) for name, person in named.items()})
        if isinstance(command, Delegation):
            await self._refuse_stranger(command.to)
        person, campaign = getattr(command, "person", ""), with_members(view)
        if person and campaign and not isinstance(command, Take):
            person = await member_of(self._context.store, campaign, person, self._directory)
            return command.replace(person=person)
        return command

    async def _refuse_stranger(self, person: str) -> None:
        try:
            await self._directory.person(person)
        except UnknownPerson as unknown:
            raise ApiProblem.of_field("to", str(unknown)) from None

    def _documents(self, caller: ApiCaller) -> NamedDocuments:
        return NamedDocuments(self._context, caller, self._clock())

    async def _look_at(self, name: WorkflowName) -> Shown:
        view = await lookup.find_best_view(self._context.client, self._context.store, name)
        return await lookup.load_earlier_entries(self._context.store, view)

    async def _composed(self, view: Shown) -> BaseModel:
        """With its parts or members, of what has some."""
        compose = COMPOSED.get(view.type)
        return await compose(self._context, view.id) if compose else view

    async def document(self, request: Request, id: Id) -> Response:
        caller, name = _caller(request), WorkflowName(Kind.REQUEST, id)
        refuse_unseen(Right.DOWNLOAD in rights_of(caller.role, await self._look_at(name)))
        try:
            stored = await kept_file(self._context.store, name.workflow_id, KeptFileName.DOCUMENT)
        except DocumentMissing:
            raise ApiProblem(ProblemType.NOT_FOUND, "the signed document was removed") from None
        if stored is None:
            raise ApiProblem(ProblemType.NOT_FOUND, "the signed document is not kept, or not yet")
        file_request = FileRequest(name.workflow_id, KeptFileName.DOCUMENT, caller.actor, Way.API)
        return await self._files.answer(request, file_request)

    async def version(
        self, request: Request, id: Id, number: Annotated[int, Path(ge=1, le=ROUNDS_AT_MOST)]
    ) -> Response:
        caller, name = _caller(request), WorkflowName(Kind.REQUEST, id)
        view = await self._look_at(name)
        rights = rights_of(caller.role, view).all
        refuse_unseen(Right.TEXTS in rights or rights >= {Right.REVIEW, Right.DOWNLOAD})
        reviewed = next((candidate for candidate in view.reviewed_versions if candidate.number == number), None)
        if reviewed is None:
            raise ApiProblem(ProblemType.NOT_FOUND, "there is no such version")
        file_request = FileRequest(
            name.workflow_id,
            KeptFileName.DOCUMENT,
            caller.actor,
            Way.API,
            sent=reviewed.sha256,
            version=reviewed.number,
        )
        return await self._files.answer(request, file_request)

    async def revise(self, request: Request, id: Id, key: Key = None) -> Response:
        caller, name = _caller(request), WorkflowName(Kind.REQUEST, id)
        refuse_unchanged(caller, await self._look_at(name), Right.REVISE)
        version = await self._starting.version(request, self._documents(caller))
        order = version.replace(actor=caller.name, known_by=caller.known_by)
        return await self._carried_out(id, order, key, Kind.REQUEST)

    async def person(self, request: Request, id: Id) -> Response:
        if Right.PERSON not in rights_concerning(_caller(request).role, id):
            raise ApiProblem(ProblemType.NOT_FOUND)
        try:
            recipient = await self._directory.person(id)
        except UnknownPerson:
            raise ApiProblem(ProblemType.NOT_FOUND) from None
        fields = {name: getattr(recipient, name) for name in PersonAnswer.model_fields}
        return _json(PersonAnswer.model_validate(fields))

    async def figures(self, request: Request, query: Annotated[FiguresQuery, Query()]) -> Response:
        kind, access = _caller(request).figures(query.kind)
        figures_query = FigureQuery(query.by, kind, query.department, query.since, query.until)
        async with self._counting:
            counted = await gather_figures(
                self._context.store,
                self._directory,
                figures_query,
                self._clock(),
                scope=access.scope,
                reach_of=access.reach,
            )
        return _json(counted)

    async def upload(self, request: Request) -> Response:
        caller = _caller(request)
        if not caller.may_start_something:
            raise ApiProblem(ProblemType.NOT_ALLOWED, "the caller may start nothing")
        content = await request.body()
        self._starting.refuse_other(content)
        sha256 = await self._context.store.files.put(content)
        await self._context.store.uploads.note(caller.actor, sha256, self._clock())
        return _json(UploadedDocument(sha256=sha256, size=len(content)), 201)


def _problems(*reasons: ProblemType) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    common_reasons = (
        ProblemType.UNKNOWN_CALLER,
        ProblemType.NOT_ALLOWED,
        ProblemType.INVALID,
        ProblemType.TOO_MANY,
        ProblemType.AWAY,
    )
    return {reason.status: {"description": reason.title, "content": content} for reason in (*common_reasons, *reasons)}


async def _other_method(request: Request, _: Exception) -> Response:
    """Names all methods of an address, which is several routes; `/requests/plan` is not one of an id."""
    matching = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    matching = [route for route in matching if not route.param_convertors] or matching
    allow = ", ".join(sorted({method for route in matching for method in route.methods}))
    return ApiProblem(ProblemType.NO_SUCH_METHOD, headers={"allow": allow}).response


def _caller(request: Request) -> ApiCaller:
    caller: ApiCaller = request.state.caller
    return caller


def _json(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = answer.model_dump_json(by_alias=True)
    return Response(content, status, {**HEADERS, **(headers or {})}, "application/json")
