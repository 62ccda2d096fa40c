"""Who calls the API, and what they may do: a program by its token, or a person by a bearer token of the issuer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from activities.people.company_directory import CompanyDirectory
from activities.people.rights import May, TokenRights
from activities.records.figures import Scope
from activities.records.store import Store
from activities.records.tokens import PREFIX, TokenRow
from starter.web.api.problems import ApiProblem, ProblemType
from starter.web.figures import FiguresAccess
from starter.web.http.oidc import Issuer, IssuerUnavailable, RefusedToken
from starter.web.rights import ReaderRole, ReaderRoles, Right, TokenRole, requesters_seen, rights_of
from workflows.model.commands import KnownBy
from workflows.model.views import Shown

USE_NOTED_EVERY: Final = timedelta(minutes=1)
_BEARER: Final = "bearer"
_LOGGER: Final = structlog.get_logger("countersign.api")


class ApiCaller(Protocol):
    """Somebody with rights (`starter.web.rights`)."""

    @property
    def name(self) -> str:
        """As whom they act: a person, or `token:crm`."""
        ...

    @property
    def known_by(self) -> KnownBy: ...

    @property
    def actor(self) -> str:
        """What the timeline has: `token:crm`, `oidc:ada`."""
        ...

    @property
    def role(self) -> ReaderRole | TokenRole: ...

    def reviewer(self, named: str) -> str:
        """Who reviews, when they name somebody or nobody. Raises `ApiProblem`."""
        ...

    @property
    def may_start_something(self) -> bool: ...

    @property
    def may_write(self) -> bool:
        """Whether they may do anything but read."""
        ...

    def narrowed(self, kind: str | None, requester: str | None) -> tuple[str | None, str | None]:
        """The filters of a list, with those that their rights add. Raises `ApiProblem`."""
        ...

    def figures(self, kind: str | None) -> tuple[str | None, FiguresAccess]:
        """The kind whose figures they may see, and of whom. Raises `ApiProblem`."""
        ...


@dataclass(frozen=True)
class TokenCaller:
    token: str
    rights: TokenRights
    known_by: KnownBy = KnownBy.TOKEN

    @property
    def name(self) -> str:
        return self.actor

    @property
    def actor(self) -> str:
        return self.known_by.actor(self.token)

    @property
    def role(self) -> TokenRole:
        return TokenRole(self.rights)

    def reviewer(self, named: str) -> str:
        if not named:
            raise ApiProblem.of_field("person", "is missing: a program says who reviews")
        return named

    @property
    def may_start_something(self) -> bool:
        return bool(self.rights.find_rights(May.START))

    @property
    def may_write(self) -> bool:
        return self.may_start_something or bool(self.rights.find_rights(May.CHANGE))

    def narrowed(self, kind: str | None, requester: str | None) -> tuple[str | None, str | None]:
        if self.rights.permit(May.READ, kind or "", requester or ""):
            return kind, requester
        readable = self.rights.find_rights(May.READ)
        matching = [
            grant
            for grant in readable
            if kind in (None, grant.of or kind) and requester in (None, grant.requester or requester)
        ]
        if len(matching) == 1:
            return matching[0].of or kind, matching[0].requester or requester
        limits = ", ".join(grant.written for grant in readable) or "nothing"
        raise ApiProblem(
            ProblemType.NOT_ALLOWED, f"the token may read {limits}: filter by a kind and requester of these"
        )

    def figures(self, kind: str | None) -> tuple[str | None, FiguresAccess]:
        narrowed_kind, requester = self.narrowed(kind, None)
        scope = Scope((requester,)) if requester else None
        return narrowed_kind, FiguresAccess(scope, None if self.rights.permit(May.READ) else ())


@dataclass(frozen=True)
class PersonCaller:
    """May start, for themselves or a group of theirs, what they may begin at the desk."""

    role: ReaderRole
    known_by: KnownBy = KnownBy.OIDC

    @property
    def name(self) -> str:
        return self.role.person

    @property
    def actor(self) -> str:
        return self.known_by.actor(self.name)

    def reviewer(self, named: str) -> str:
        if named not in ("", self.role.person):
            raise ApiProblem.of_field("person", "is somebody else: nobody reviews for others")
        return self.role.person

    @property
    def may_start_something(self) -> bool:
        return bool(self.role.starts)

    @property
    def may_write(self) -> bool:
        return True

    def narrowed(self, kind: str | None, requester: str | None) -> tuple[str | None, str | None]:
        visible_requesters = requesters_seen(self.role)
        if visible_requesters is None:
            return kind, requester
        requester = requester or self.role.person
        if requester not in visible_requesters:
            raise ApiProblem(ProblemType.NOT_ALLOWED, "only operators see what others ask for")
        return kind, requester

    def figures(self, kind: str | None) -> tuple[str | None, FiguresAccess]:
        return kind, FiguresAccess.of_role(self.role)


class TokenUse:
    """Tokens by which programs call, and when each was used last."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[str, datetime] = {}
        """When the use of a token was noted; as many as there are tokens."""

    async def find(self, token: str) -> TokenRow:
        """The row of a living token. Raises `ApiProblem`, `StoreFailure`."""
        row = await self._store.tokens.find(token)
        if row is None:
            raise ApiProblem(ProblemType.UNKNOWN_CALLER)
        now = self._clock()
        if now - self._noted.get(row.name, now - USE_NOTED_EVERY) >= USE_NOTED_EVERY:
            self._noted[row.name] = now
            await self._store.tokens.used(row.name, now)
        return row


class Callers:
    def __init__(
        self,
        store: Store,
        directory: CompanyDirectory,
        roles: ReaderRoles,
        issuer: Issuer | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._tokens = TokenUse(store, clock)
        self._directory = directory
        self._roles = roles
        self._issuer = issuer

    async def identify(self, authorization: str) -> ApiCaller:
        """Raises `ApiProblem`, `StoreFailure`, `DirectoryFailure`."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != _BEARER or not (token := token.strip()):
            raise ApiProblem(ProblemType.UNKNOWN_CALLER)
        if token.startswith(PREFIX):
            return await self._by_token(token)
        return await self._by_issuer(token)

    async def _by_token(self, token: str) -> ApiCaller:
        row = await self._tokens.find(token)
        return TokenCaller(row.name, TokenRights.read(row.may))

    async def _by_issuer(self, token: str) -> ApiCaller:
        if self._issuer is None:
            raise ApiProblem(ProblemType.UNKNOWN_CALLER)
        try:
            person = await self._directory.named(await self._issuer.identify(token))
        except RefusedToken as refusal:
            _LOGGER.info("a token does not count", why=str(refusal))
            raise ApiProblem(ProblemType.UNKNOWN_CALLER) from None
        except IssuerUnavailable:
            raise ApiProblem(ProblemType.AWAY, "the issuer's keys cannot be read now", wait=60) from None
        if person is None:
            raise ApiProblem(ProblemType.NOT_ALLOWED, "the token is of nobody in the directory, or of several")
        return PersonCaller(await self._roles.role_of(person.id))


def refuse_unseen(may_see: bool) -> None:
    """As if it were unknown, for whom may not see it. Raises `ApiProblem`."""
    if not may_see:
        raise ApiProblem(ProblemType.NOT_FOUND)


def sees(caller: ApiCaller, view: Shown) -> bool:
    """All of it. `shown` has all its notices, once it has ended."""
    return Right.TEXTS in rights_of(caller.role, view)


def refuse_unchanged(caller: ApiCaller, view: Shown, right: Right) -> None:
    """Raises `ApiProblem` for whoever may not change it."""
    if right not in rights_of(caller.role, view):
        refuse_unseen(sees(caller, view))
        raise ApiProblem(ProblemType.NOT_ALLOWED)
