"""What every call of a program passes: who calls, how often, and a body within its bounds, before anything is done."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from activities.files.pdf import MEGABYTE
from activities.records.allowances import Rate
from starter.web.api.callers import ApiCaller
from starter.web.api.problems import EXPECTED, ApiProblem, ProblemType, problem_of
from starter.web.http import bodies
from starter.web.http.allowances import Buckets
from starter.web.http.serving import holder_of

JSON_AT_MOST: Final = 2 * MEGABYTE
"""Bytes of a JSON body; a document of 1 MB in base64 has a third more."""
BODIES_AT_MOST: Final = 128 * MEGABYTE
"""Bytes of all bodies being read, half of them of one caller."""
INCOMPLETE_OF_A_CALLER_AT_MOST: Final = 50
"""Bodies of one caller being read."""
SECONDS: Final = 30.0
"""For a body with documents; a small one has as long."""
CALLS_OF_A_CALLER: Final = Rate(burst=300, per_second=100)
UNAUTHENTICATED_CALLS_OF_AN_ADDRESS: Final = Rate(burst=60, per_second=1)
"""Calls with a token that does not count, or none."""
CALLS_AT_ONCE: Final = 100
"""Complete ones, half of them of one caller."""
UPLOADS_AT_ONCE: Final = 8
"""Of these, with a body that may have documents; each is in memory until it is answered."""
_JSON: Final = "application/json"
_READING: Final = ("GET", "HEAD")
_MEDIA: Final = (_JSON, "application/pdf", "application/octet-stream", "multipart/form-data")
_HANGS_UP: Final = {"connection": "close"}
"""The rest of a body that stalled does not come."""
_FAULTS: Final = {
    bodies.BodyFault.TOO_LARGE: ProblemType.TOO_LARGE,
    bodies.BodyFault.STALLED: ProblemType.MALFORMED,
    bodies.BodyFault.CROWDED: ProblemType.TOO_MANY,
}


class CallersOfDoor(Protocol):
    async def identify(self, authorization: str) -> ApiCaller:
        """Raises `ApiProblem`, `StoreFailure`, `DirectoryFailure`."""
        ...


@dataclass(frozen=True)
class DoorDialect:
    """How a kind of API writes what it takes, and what it refuses. `largeness` multiplies how much a body may hold."""

    json: tuple[str, ...] = (_JSON,)
    media: tuple[str, ...] = _MEDIA
    refuse: Callable[[ApiProblem], Response] = lambda problem: problem.response
    largeness: int = 1


class Door:
    """Puts the `Caller` into the state of the call."""

    def __init__(
        self,
        app: ASGIApp,
        callers: CallersOfDoor,
        clock: Callable[[], datetime],
        *,
        upload_megabytes: int = 0,
        rate: Rate = CALLS_OF_A_CALLER,
        unauthenticated_rate: Rate = UNAUTHENTICATED_CALLS_OF_AN_ADDRESS,
        dialect: DoorDialect = DoorDialect(),
    ) -> None:
        self._app = app
        self._dialect = dialect
        self._callers = callers
        self._calls = Buckets(rate, clock)
        self._unauthenticated = Buckets(unauthenticated_rate, clock)
        self._bodies = bodies.IncomingBodies(
            BODIES_AT_MOST, of_one=BODIES_AT_MOST / 2, bodies_of_one=INCOMPLETE_OF_A_CALLER_AT_MOST
        )
        self._upload = (upload_megabytes + 2) * MEGABYTE
        self._at_once, self._uploads = Counter[str](), Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            caller = await self._caller(request)
            body = await self._body(request, caller)
        except EXPECTED as error:
            await self._dialect.refuse(problem_of(error))(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        is_upload = self._media(request) not in self._dialect.json
        try:
            with (
                _occupy_place(self._at_once, caller, CALLS_AT_ONCE),
                _occupy_place(self._uploads if is_upload else Counter(), caller, UPLOADS_AT_ONCE),
            ):
                await self._app(scope, bodies.replayed(body, receive), send)
        except _NoPlace:
            await self._dialect.refuse(ApiProblem(ProblemType.TOO_MANY, wait=1))(scope, receive, send)

    async def _caller(self, request: Request) -> ApiCaller:
        """Who calls, and may. Raises `ApiProblem`."""
        try:
            caller = await self._callers.identify(request.headers.get("authorization", ""))
        except ApiProblem:
            address = holder_of(request.client.host) if request.client else ""
            if wait := self._unauthenticated.wait(address):
                raise ApiProblem(ProblemType.TOO_MANY, wait=wait) from None
            raise
        if not (request.method in _READING or caller.may_write):
            raise ApiProblem(ProblemType.NOT_ALLOWED)
        if wait := self._calls.wait(caller.actor):
            raise ApiProblem(ProblemType.TOO_MANY, wait=wait)
        return caller

    async def _body(self, request: Request, caller: ApiCaller) -> bytes:
        media, dialect = self._media(request), self._dialect
        limit = JSON_AT_MOST if media in dialect.json else self._upload
        body = await self._bodies.read(request, limit=limit, seconds=SECONDS, holder=caller.actor)
        if isinstance(body, bodies.BodyFault):
            headers = {} if body is bodies.BodyFault.CROWDED else _HANGS_UP
            raise ApiProblem(_FAULTS[body], wait=1 if body is bodies.BodyFault.CROWDED else 0, headers=headers)
        if body and media not in dialect.media:
            raise ApiProblem(ProblemType.OTHER_MEDIA, f"expected one of {', '.join(dialect.media)}")
        if body and media in dialect.json:
            try:
                bodies.refuse_bombs(body, dialect.largeness)
                bodies.refuse_doubled_keys(body)
            except bodies.NotReadable as fault:
                raise ApiProblem(ProblemType.MALFORMED, str(fault)) from None
        return body

    def _media(self, request: Request) -> str:
        return request.headers.get("content-type", self._dialect.json[0]).partition(";")[0].strip().lower()


class _NoPlace(Exception):
    """All places are taken, or half of them by this caller."""


@contextmanager
def _occupy_place(count_by_caller: Counter[str], caller: ApiCaller, at_most: int) -> Iterator[None]:
    """Take one of `at_most` places while the block runs; a caller gets at most half. Raises `_NoPlace`."""
    name = caller.actor
    if count_by_caller.total() >= at_most or count_by_caller[name] >= max(1, at_most // 2):
        raise _NoPlace
    count_by_caller[name] += 1
    try:
        yield
    finally:
        count_by_caller[name] -= 1
        if not count_by_caller[name]:
            del count_by_caller[name]
