"""What the API answers where it does not do what was asked: problem details (RFC 9457) with the wrong fields."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import islice
from typing import Any, Final, Self

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.files.reading import Fault, FileFaults
from activities.launch.doors import NotPermitted
from activities.launch.launch import BrokenOff, IdTaken
from activities.onboarding.intake import PartNotFailed
from activities.people.directory import DirectoryFailure
from starter.errors import Refusal
from starter.queries.commands import CommandRefused, NotConfirmed, NotRunning
from starter.queries.lookup import UnknownFollowUp
from starter.temporal.codec import CodecError
from starter.temporal.connection import TemporalRefusal
from starter.web.http.bodies import HEADERS
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.rejections import Rejection

MEDIA_TYPE: Final = "application/problem+json"
LATER: Final = 5
"""Seconds after which to call again, where nobody knows how long it takes."""
_FIELDS_AT_MOST: Final = 100
_LOGGER: Final = structlog.get_logger("countersign.api")
_CODES: Final = (
    "Why a command was refused, or what is wrong with a field (`errors[].code`). More may come:\n\n"
    + "\n".join(f"- `{code}`: {code.english}" for code in (*Rejection, *FileFault))
)


class ProblemType(Enum):
    """Why: the status, and what is said of it. Its name is in the problem's `type`."""

    MALFORMED = 400, "The body cannot be read"
    UNKNOWN_CALLER = 401, "A bearer token is needed: one of `countersign token new`, or of the company's issuer"
    NOT_ALLOWED = 403, "The caller has no right to this"
    NOT_FOUND = 404, "There is nothing here that the caller may see"
    NO_SUCH_METHOD = 405, "This address has no such method"
    REFUSED = 409, "It is not possible now"
    TOO_LARGE = 413, "The body is too large"
    OTHER_MEDIA = 415, "The body has another type than this address takes"
    INVALID = 422, "Something in it is wrong"
    TOO_MANY = 429, "Too many calls: call again later"
    AWAY = 503, "Not possible at the moment: call again later"

    def __init__(self, status: int, title: str) -> None:
        self.status = status
        self.title = title


class FieldFault(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Where it stands, such as `signers[1].order`; empty for the whole")
    says: str
    code: str | None = Field(
        default=None, description="The code of the fault, of those that `code` of the problem lists"
    )
    values: dict[str, str | int] | None = Field(default=None, description="The values of the message with this code")

    @classmethod
    def from_message(cls, field: str, message: Message) -> Self:
        return cls(field=field, says=message.english, code=message.code, values=message.values)

    @property
    def message(self) -> Message:
        """What a page says of it."""
        if self.code is None:
            return FileFault.INVALID.to_message(says=self.says)
        return Message(code=self.code, values=self.values or {})


class ProblemDetails(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "type": "urn:countersign:invalid",
                "title": ProblemType.INVALID.title,
                "status": 422,
                "detail": "is missing",
                "field": "requester",
                "errors": [{"field": "requester", "says": "is missing", "code": "missing", "values": {}}],
            }
        },
    )

    type: str = Field(description="`urn:countersign:` with the reason")
    title: str
    status: int
    detail: str = ""
    field: str | None = Field(default=None, description="The first field that is wrong")
    errors: tuple[FieldFault, ...] = Field(default=(), description="All fields that are wrong")
    code: str | None = Field(default=None, description=_CODES)
    values: dict[str, str | int] | None = Field(default=None, description="The values of the message with this code")


class ApiProblem(Exception):
    """Ends a call with this problem; `wait` are seconds after which it may be repeated."""

    def __init__(
        self,
        reason: ProblemType,
        detail: str = "",
        errors: Iterable[FieldFault] = (),
        *,
        wait: float = 0,
        headers: Mapping[str, str] | None = None,
        message: Message | None = None,
    ) -> None:
        super().__init__(detail or reason.title)
        self.reason = reason
        self.detail = detail
        self.errors = tuple(islice(errors, _FIELDS_AT_MOST))
        self.wait = wait
        self.headers = headers or {}
        self.message = message

    @classmethod
    def of_field(cls, field: str, detail: str, message: Message | None = None) -> "ApiProblem":
        return cls(ProblemType.INVALID, detail, [FieldFault(field=field, says=detail)], message=message)

    @classmethod
    def of_fault(cls, field: str, message: Message) -> "ApiProblem":
        return cls(ProblemType.INVALID, errors=[FieldFault.from_message(field, message)])

    @property
    def response(self) -> Response:
        first = self.errors[0] if self.errors else None
        problem = ProblemDetails(
            type=f"urn:countersign:{self.reason.name.lower().replace('_', '-')}",
            title=self.reason.title,
            status=self.reason.status,
            detail=self.detail or (first.says if first else ""),
            field=first.field if first else None,
            errors=self.errors,
            code=self.message.code if self.message else None,
            values=self.message.values if self.message else None,
        )
        headers = {**HEADERS, **self.headers}
        if self.reason is ProblemType.UNKNOWN_CALLER:
            headers["www-authenticate"] = "Bearer"
        if self.wait or self.reason in (ProblemType.TOO_MANY, ProblemType.AWAY):
            headers["retry-after"] = str(int(self.wait or LATER) + 1)
        content = problem.model_dump(mode="json", exclude_none=True)
        return JSONResponse(content, self.reason.status, headers, MEDIA_TYPE)


def of_faults(faults: FileFaults) -> ApiProblem:
    """Without lines and names of files, of which the caller has none."""
    return ApiProblem(ProblemType.INVALID, errors=map(_field_fault, faults.faults))


def _field_fault(fault: Fault) -> FieldFault:
    return FieldFault.from_message(fault.path, fault.message)


def _of_validation(error: RequestValidationError) -> ApiProblem:
    errors = error.errors()
    if any(error_detail["type"] == "json_invalid" for error_detail in errors):
        return ApiProblem(ProblemType.MALFORMED, "the body is not JSON")
    return ApiProblem(ProblemType.INVALID, errors=map(_fault_of_detail, errors))


def _fault_of_detail(detail: Mapping[str, Any]) -> FieldFault:
    # The first step says where in the call it is: query, path, header, body.
    steps = [str(step) for step in detail["loc"][1:]]
    if not steps and detail["type"] == "missing":
        return FieldFault(field="", says="the body is missing: expected a JSON object with the fields of this call")
    text = {"missing": "is missing", "extra_forbidden": "is not known"}.get(detail["type"]) or detail["msg"]
    return FieldFault(field=".".join(steps), says=text.removeprefix("Value error, ").replace("Input should", "must"))


def _of_http(error: HTTPException) -> ApiProblem:
    reason = next(
        (candidate for candidate in ProblemType if candidate.status == error.status_code), ProblemType.MALFORMED
    )
    return ApiProblem(reason, headers=error.headers)


def _in_api_words(text: str) -> str:
    return text.replace("--op", "Idempotency-Key").replace("with --force", "with force")


def _unavailable(error: Exception) -> ApiProblem:
    _LOGGER.warning("not answered", why=type(error).__name__)
    return ApiProblem(ProblemType.AWAY)


_PROBLEMS: Final[Mapping[type[Exception], Callable[[Any], ApiProblem]]] = {
    ApiProblem: lambda error: error,
    RequestValidationError: _of_validation,
    HTTPException: _of_http,
    FileFaults: of_faults,
    UnknownFollowUp: lambda _: ApiProblem(ProblemType.NOT_FOUND),
    CommandRefused: lambda error: ApiProblem(ProblemType.REFUSED, _in_api_words(str(error)), message=error.message),
    NotPermitted: lambda error: ApiProblem(ProblemType.NOT_ALLOWED, str(error)),
    PartNotFailed: lambda error: ApiProblem(ProblemType.REFUSED, str(error)),
    NotRunning: lambda error: ApiProblem(ProblemType.REFUSED, _in_api_words(str(error))),
    NotConfirmed: lambda error: ApiProblem(
        ProblemType.AWAY, f"not confirmed, may still apply: repeat it with Idempotency-Key {error.op}"
    ),
    IdTaken: lambda error: ApiProblem(
        ProblemType.REFUSED,
        f"{error.id} is the id of another one with other content",
        [FieldFault(field="id", says="is the id of another one with other content")],
    ),
    BrokenOff: lambda error: ApiProblem(
        ProblemType.REFUSED, f"{error.id}: its workflow was broken off; nobody goes on"
    ),
    TemporalRefusal: _unavailable,
    Refusal: lambda error: ApiProblem(ProblemType.INVALID, _in_api_words(str(error)), message=error.message),
    StoreFailure: _unavailable,
    DirectoryFailure: _unavailable,
    CodecError: _unavailable,
    RPCError: _unavailable,
    RuntimeError: _unavailable,
    TimeoutError: _unavailable,
    OSError: _unavailable,
}
"""The nearest class counts. A lazy client without a server raises `RuntimeError`."""
EXPECTED: Final = tuple(_PROBLEMS)


def problem_of(error: Exception) -> ApiProblem:
    """The problem of an expected error."""
    nearest = next(base for base in type(error).__mro__ if base in _PROBLEMS)
    return _PROBLEMS[nearest](error)


async def answered(_: Request, error: Exception) -> Response:
    return problem_of(error).response
