"""The endpoint at `/scim/v2`: the company's directory, such as Entra or Okta, pushes people and groups into it."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    InvalidSyntaxException,
    InvalidValueException,
    ListResponse,
    NotFoundException,
    PatchOp,
    PreconditionFailedException,
    ResponseParameters,
    SCIMException,
    UniquenessException,
)
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from activities.errors import ID_PATTERN, StoreFailure
from activities.people.pushed import address_of, derive, unfit_fields
from activities.people.rights import May, TokenRights
from activities.records.allowances import Rate
from activities.records.directory import (
    DirectoryPersonRow,
    GroupNameTaken,
    NotPushed,
    PushedPerson,
    StoredDirectory,
    UnknownMembers,
    UserNameTaken,
    VersionConflict,
)
from activities.records.store import Store
from activities.records.tokens import PREFIX
from starter.web.api.callers import TokenCaller, TokenUse
from starter.web.api.door import UNAUTHENTICATED_CALLS_OF_AN_ADDRESS, Door, DoorDialect
from starter.web.api.problems import LATER, ApiProblem, ProblemType
from starter.web.http.bodies import HEADERS
from starter.web.scim.memberships import group_change, named_group, whole_group
from starter.web.scim.queries import group_filter, page_of, refuse_large_patch, user_filter
from starter.web.scim.resources import (
    PROVIDER,
    EnterprisePerson,
    UserGroup,
    group_of,
    pushed_person,
    user_of,
    version_of,
)

ROOT: Final = "/scim/v2"
CALLS_OF_A_DIRECTORY: Final = Rate(burst=1_000, per_second=500)
"""A first sync is two calls for each person."""
CHANGES_TRIED_AT_MOST: Final = 5
"""How often a change is made anew when another one came between."""
MEDIA_TYPE: Final = "application/scim+json"
_JSON: Final = (MEDIA_TYPE, "application/json")
_LARGENESS: Final = 10
"""A group with all its members is one body."""
# Kept, since pydantic forgets a model with a parameter, and makes it anew, when nobody has it.
_UserPatch: Final[Any] = PatchOp[EnterprisePerson]
_UserParameters: Final[Any] = ResponseParameters[EnterprisePerson]
_GroupParameters: Final[Any] = ResponseParameters[UserGroup]
_LOGGER: Final = structlog.get_logger("countersign.scim")
Answer = Callable[[Request], Awaitable[Response]]


class DirectoryCaller(TokenCaller):
    @property
    def may_write(self) -> bool:
        return True


class DirectoryCallers:
    """Who pushes: a token that may `directory`. It is found by its hash, so that no comparison tells of its text."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._use = TokenUse(store, clock)

    async def identify(self, authorization: str) -> DirectoryCaller:
        """Raises `ApiProblem`, `StoreFailure`."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not (token := token.strip()).startswith(PREFIX):
            raise ApiProblem(ProblemType.UNKNOWN_CALLER)
        row = await self._use.find(token)
        rights = TokenRights.read(row.may)
        if not rights.permit(May.DIRECTORY):
            raise ApiProblem(ProblemType.NOT_ALLOWED, "the token may not push the directory")
        return DirectoryCaller(row.name, rights)


class ScimEndpoint:
    """The routes below `/scim/v2`; `base` is the public address of the web process."""

    def __init__(
        self,
        store: Store,
        base: str,
        *,
        rate: Rate = CALLS_OF_A_DIRECTORY,
        unauthenticated_rate: Rate = UNAUTHENTICATED_CALLS_OF_AN_ADDRESS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._root = f"{base.rstrip('/')}{ROOT}"
        users, groups = Users(store.directory, self._root, clock), Groups(store.directory, self._root, clock)
        routes = [
            _route("/Users", GET=users.list, POST=users.add),
            _route("/Users/{id}", GET=users.show, PUT=users.replace, PATCH=users.patch, DELETE=users.remove),
            _route("/Groups", GET=groups.list, POST=groups.add),
            _route("/Groups/{id}", GET=groups.show, PUT=groups.replace, PATCH=groups.patch, DELETE=groups.remove),
            _route("/ServiceProviderConfig", GET=self._config),
            _route("/ResourceTypes", GET=self._resource_types),
            _route("/ResourceTypes/{id}", GET=self._resource_types),
            _route("/Schemas", GET=self._schemas),
            _route("/Schemas/{id}", GET=self._schemas),
        ]
        app = Starlette(routes=routes, exception_handlers=dict.fromkeys(_EXPECTED, _answer_error))
        app.router.redirect_slashes = False
        self._door = Door(
            app,
            DirectoryCallers(store, clock),
            clock,
            rate=rate,
            unauthenticated_rate=unauthenticated_rate,
            dialect=DoorDialect(_JSON, _JSON, _problem_response, _LARGENESS),
        )

    def routes(self) -> list[BaseRoute]:
        mount = Mount(ROOT, app=self._door)
        # Every address below, also one with a line feed, is answered here.
        mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
        return [mount]

    async def _config(self, _: Request) -> Response:
        return _answer(_dumped(PROVIDER.config))

    async def _resource_types(self, request: Request) -> Response:
        return _answer_described(request, {str(kind.name): _dumped(kind) for kind in PROVIDER.resource_types})

    async def _schemas(self, request: Request) -> Response:
        return _answer_described(request, {str(schema.id): _dumped(schema) for schema in PROVIDER.schemas})


class Users:
    def __init__(self, directory: StoredDirectory, root: str, clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._root = root
        self._clock = clock

    async def list(self, request: Request) -> Response:
        condition, page = user_filter(request.query_params.get("filter", "")), page_of(request.query_params)
        rows, total = await self._directory.users(condition.columns, page)
        return _answer_page([self._dumped(row, request) for row in rows], total, page.first)

    async def add(self, request: Request) -> Response:
        user = EnterprisePerson.model_validate(await _body(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        user.active = user.active is not False
        pushed = _usable(user)
        row = await self._directory.add_user(pushed, derive, address_of(pushed.resource), self._clock())
        return self._answer(row, request, 201)

    async def show(self, request: Request) -> Response:
        return self._answer(await self._row(request), request)

    async def replace(self, request: Request) -> Response:
        user = EnterprisePerson.model_validate(await _body(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)

        def replaced(row: DirectoryPersonRow) -> Any:
            # Nobody comes back because their state was left out.
            user.active = row.active if user.active is None else user.active
            return user

        return await self._change(request, replaced)

    async def patch(self, request: Request) -> Response:
        patch = _UserPatch.model_validate(await _patch_body(request), scim_ctx=Context.RESOURCE_PATCH_REQUEST)

        def patched(row: DirectoryPersonRow) -> Any:
            user = user_of(row, self._root)
            patch.patch(user)
            user.active = user.active is not False
            return user

        return await self._change(request, patched)

    async def remove(self, request: Request) -> Response:
        await self._directory.remove_user(_id(request), self._clock(), _version(request))
        return Response(status_code=204, headers=HEADERS)

    async def _change(self, request: Request, changed: Callable[[DirectoryPersonRow], Any]) -> Response:
        version = _version(request)
        for _ in range(CHANGES_TRIED_AT_MOST):
            row = await self._row(request)
            if version not in (None, row.version):
                break
            user = _usable(changed(row))
            if user.resource == row.resource and user.active == row.active:
                return self._answer(row, request)
            try:
                new_row = await self._directory.replace_user(row.id, user, derive, self._clock(), row.version)
            except VersionConflict:
                continue
            return self._answer(new_row, request)
        raise VersionConflict

    async def _row(self, request: Request) -> DirectoryPersonRow:
        row = await self._directory.user(_id(request))
        if row is None:
            raise NotPushed
        return row

    def _answer(self, row: DirectoryPersonRow, request: Request, status: int = 200) -> Response:
        return _answer_resource(self._dumped(row, request), version_of(row), request, status)

    def _dumped(self, row: DirectoryPersonRow, request: Request) -> Mapping[str, Any]:
        return _dumped(user_of(row, self._root), _parameters(_UserParameters, request))


class Groups:
    def __init__(self, directory: StoredDirectory, root: str, clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._root = root
        self._clock = clock

    async def list(self, request: Request) -> Response:
        condition, page = group_filter(request.query_params.get("filter", "")), page_of(request.query_params)
        parameters = _parameters(_GroupParameters, request)
        rows, total = await self._directory.pushed_groups(
            condition.columns, page, member=condition.member, with_members=_shows_members(parameters)
        )
        return _answer_page([_dumped(group_of(row, self._root), parameters) for row in rows], total, page.first)

    async def add(self, request: Request) -> Response:
        group = UserGroup.model_validate(await _body(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        change = whole_group(group)
        row = await self._directory.add_group(
            named_group(str(group.display_name)),
            str(group.display_name),
            group.external_id,
            change.members[0].added,
            self._clock(),
        )
        return _answer_resource(_dumped(group_of(row, self._root)), version_of(row), request, 201)

    async def show(self, request: Request) -> Response:
        parameters = _parameters(_GroupParameters, request)
        row = await self._directory.pushed_group(_id(request), with_members=_shows_members(parameters))
        if row is None:
            raise NotPushed
        return _answer_resource(_dumped(group_of(row, self._root), parameters), version_of(row), request)

    async def replace(self, request: Request) -> Response:
        group = UserGroup.model_validate(await _body(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
        row = await self._directory.change_group(_id(request), whole_group(group), self._clock(), _version(request))
        return _answer_resource(_dumped(group_of(row, self._root)), version_of(row), request)

    async def patch(self, request: Request) -> Response:
        """Answers without the group, of which a directory wants only the change."""
        change, id = group_change(await _patch_body(request)), _id(request)
        row = await self._directory.change_group(id, change, self._clock(), _version(request), with_members=False)
        return Response(status_code=204, headers={**HEADERS, "etag": version_of(row)})

    async def remove(self, request: Request) -> Response:
        await self._directory.remove_group(_id(request), _version(request))
        return Response(status_code=204, headers=HEADERS)


def _route(path: str, **answers: Answer) -> Route:
    async def answer(request: Request) -> Response:
        with PROVIDER:
            return await answers["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=[*answers])


async def _body(request: Request) -> Any:
    try:
        body = json.loads(await request.body())
        written = json.dumps(body, ensure_ascii=False).encode()  # half a character has no bytes
    except (ValueError, RecursionError):
        raise InvalidSyntaxException(detail="the body is not JSON") from None
    if not isinstance(body, dict):
        raise InvalidSyntaxException(detail="the body is no object")
    if b"\\u00" in written:
        raise InvalidSyntaxException(detail="the body has control characters")
    return body


async def _patch_body(request: Request) -> Any:
    body = await _body(request)
    refuse_large_patch(body)
    return body


def _id(request: Request) -> str:
    id = str(request.path_params["id"])
    if not re.fullmatch(ID_PATTERN, id):
        raise NotPushed
    return id


def _usable(user: Any) -> PushedPerson:
    pushed = pushed_person(user)
    if unfit := unfit_fields(pushed.resource):
        attributes = {"name": "displayName", "email": "emails"}
        names = ", ".join(attributes.get(field, field) for field in unfit)
        raise InvalidValueException(detail=f"{names}: something that somebody can be called, and reached by, is needed")
    return pushed


def _version(request: Request) -> int | None:
    """That the resource must have; None for any."""
    tag = request.headers.get("if-match", "*").strip()
    if tag == "*":
        return None
    match = re.fullmatch(r'(?:W/)?"?([0-9]{1,9})"?', tag)
    return int(match[1]) if match else -1


def _parameters(model: Any, request: Request) -> Any:
    names = ("attributes", "excludedAttributes")
    return model.model_validate({name: request.query_params[name] for name in names if name in request.query_params})


def _shows_members(parameters: Any) -> bool:
    attributes = {str(path).casefold().partition(".")[0] for path in parameters.attributes or ()}
    excluded = {str(path).casefold() for path in parameters.excluded_attributes or ()}
    return "members" in attributes if attributes else "members" not in excluded


def _dumped(resource: Any, parameters: Any = None) -> Mapping[str, Any]:
    dumped: Mapping[str, Any] = resource.model_dump(
        scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=parameters
    )
    return dumped


def _answer(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, {**HEADERS, **(headers or {})}, MEDIA_TYPE)


def _answer_resource(resource: Mapping[str, Any], version: str, request: Request, status: int = 200) -> Response:
    headers = {"etag": version}
    if location := (resource.get("meta") or {}).get("location"):
        headers |= {"location": location} if status == 201 else {"content-location": location}
    if request.method in ("GET", "HEAD") and request.headers.get("if-none-match") == version:
        return Response(status_code=304, headers={**HEADERS, **headers})
    return _answer(resource, status, headers)


def _answer_page(resources: list[Mapping[str, Any]], total: int, first: int) -> Response:
    counts = {"totalResults": total, "startIndex": first + 1, "itemsPerPage": len(resources)}
    return _answer({"schemas": [str(ListResponse.__schema__)], **counts, "Resources": resources})


def _answer_described(request: Request, described: Mapping[str, Mapping[str, Any]]) -> Response:
    if "filter" in request.query_params:  # RFC 7644, 4: refused, so that nobody takes the answer for filtered
        raise ApiProblem(ProblemType.NOT_ALLOWED, "what the endpoint describes of itself is not filtered")
    if (id := request.path_params.get("id")) is None:
        return _answer_page([*described.values()], len(described), 0)
    if id not in described:
        raise NotFoundException
    return _answer(described[id])


def _error(
    status: int, detail: str, scim_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    error = Error(status=status, detail=detail, scim_type=scim_type)
    return _answer(error.model_dump(), status, headers)


def _problem_response(problem: ApiProblem) -> Response:
    headers = dict(problem.headers)
    if problem.reason is ProblemType.UNKNOWN_CALLER:
        headers["www-authenticate"] = "Bearer"
    if problem.wait or problem.reason in (ProblemType.TOO_MANY, ProblemType.AWAY):
        headers["retry-after"] = str(int(problem.wait or LATER) + 1)
    syntax = "invalidSyntax" if problem.reason is ProblemType.MALFORMED else None
    return _error(problem.reason.status, problem.detail or problem.reason.title, syntax, headers)


def _of_validation(error: ValidationError) -> Response:
    first = Error.from_validation_errors(error.errors(include_input=False, include_url=False)[:1])[0]
    return _error(first.status or 400, first.detail or "", first.scim_type)


def _of_scim(error: SCIMException) -> Response:
    detail = error.detail if not isinstance(error.__cause__, ValidationError) else ""
    return _error(error.status, detail or "the value does not fit its attribute", error.scim_type or None)


def _unavailable(error: Exception) -> Response:
    _LOGGER.warning("not answered", why=type(error).__name__)
    return _problem_response(ApiProblem(ProblemType.AWAY))


_EXPECTED: Final[Mapping[Any, Callable[[Any], Response]]] = {
    ApiProblem: _problem_response,
    ValidationError: _of_validation,
    SCIMException: _of_scim,
    HTTPException: lambda error: _error(error.status_code, error.detail, headers=error.headers),
    NotPushed: lambda _: _of_scim(NotFoundException()),
    VersionConflict: lambda _: _of_scim(PreconditionFailedException()),
    UserNameTaken: lambda _: _of_scim(UniquenessException(detail="somebody has this userName already")),
    GroupNameTaken: lambda _: _of_scim(UniquenessException(detail="a group has this displayName already")),
    UnknownMembers: lambda _: _of_scim(InvalidValueException(detail="a member is no user here: push users first")),
    StoreFailure: _unavailable,
}


async def _answer_error(_: Request, error: Exception) -> Response:
    nearest = next(kind for kind in type(error).__mro__ if kind in _EXPECTED)
    return _EXPECTED[nearest](error)
