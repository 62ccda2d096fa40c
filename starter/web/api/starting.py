"""Starts of the API: JSON in the shape of the files that people write, with its documents, checked in full first.

A document is named by `file` (a part of a multipart body), `base64`, `sha256` (uploaded before) or `template`.
"""

import base64
import binascii
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from activities.campaign.population import AudienceTables
from activities.files.pdf import MEGABYTE, LocalDocuments, check_pdf
from activities.files.reading import FileFaults, PlainFile, written_path
from activities.files.yaml_lines import FieldPath, parsed_values
from activities.launch.doors import AdmittedStart, Intake, StartCaller
from activities.launch.launch import PreparedStart
from activities.onboarding.intake import RestartedPart, UnknownSigner
from activities.people.company_directory import CompanyDirectory
from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings
from starter.plan import calendar, campaign, onboarding, task
from starter.web.acting.versions import file_name
from starter.web.api.problems import ApiProblem, FieldFault, ProblemType
from starter.web.api.uploads import NamedDocuments
from starter.web.http.bodies import NotReadable, PostedFile, refuse_bombs, unique_keys
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.commands import PartOutcome, Revision
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.rejections import NAME_AT_MOST

BASE64_AT_MOST: Final = MEGABYTE
"""Bytes of a document within JSON."""
PARTS_AT_MOST: Final = 50
"""Files of one multipart body."""
WHOLE: Final = "start"
"""The part of a multipart body that has the JSON."""
FILE: Final = "file"
"""The part of a multipart body that is a new version."""
_ASSUMED: Final = onboarding.Assumptions(signed_after="2d", done_after="2d")
"""Of the plan of an onboarding."""
_SAFE_AT_MOST: Final = 2**53
"""Whole numbers beyond it are others in other programs."""


class StartedFollowUp(Model):
    """The answer of a start; `created` is false if it was started before from the same content."""

    id: str
    workflow_id: str
    created: bool


class UploadedDocument(Model):
    """A document that a start may name by its `sha256`."""

    sha256: str
    size: int


class PartDecision(BaseModel):
    """A decision about a failed part of an onboarding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str
    choice: PartOutcome
    reason: str = ""
    replacement: dict[str, Any] | None = Field(
        default=None,
        description="With `replace`: a request, of a task or step a task, in the shape of its file. The requester need "
        "not be named again",
    )
    signers: dict[str, str] = Field(
        default={},
        max_length=100,
        description="With `resend`: who signs in the place of whom, by id; `signer-2` is the second of the file",
    )

    @property
    def from_anew(self) -> bool:
        """Whether the part is started from other content than before."""
        return self.replacement is not None or bool(self.signers)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.choice is PartOutcome.REPLACE) is (self.replacement is None):
            raise ValueError("replacement goes with replace")
        if self.signers and self.choice is not PartOutcome.RESEND:
            raise ValueError("signers go with resend")
        return self


class RevisionBody(BaseModel):
    """A new version as JSON: by the hash of an upload, or within; `name` is that of its file, `changes` what is
    different.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str | None = None
    base64: str | None = None
    name: Annotated[str, Field(min_length=1, max_length=NAME_AT_MOST)] = "document.pdf"
    changes: str = ""

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Raises `RequestValidationError`, `ApiProblem`."""
        try:
            body = cls.model_validate(plain)
        except ValidationError as wrong:
            raise RequestValidationError(
                [{**fault, "loc": ("body", *fault["loc"])} for fault in wrong.errors()]
            ) from None
        if (body.sha256 is None) == (body.base64 is None):
            raise ApiProblem(ProblemType.INVALID, "either sha256 or base64 is needed")
        return body


class GivenDocuments(LocalDocuments):
    """The documents of one call by the name of their file; a message is why there is none."""

    def __init__(self, max_megabytes: int) -> None:
        super().__init__(max_megabytes)
        self.content: dict[str, bytes | Message] = {}
        self._max_megabytes = max_megabytes

    def read(self, folder: Path, file: str) -> bytes:
        content = self.content.get(file, FileFault.NOT_IN_BODY.to_message())
        if isinstance(content, Message):
            raise ValueError(content)
        check_pdf(content, self._max_megabytes)
        return content


@dataclass
class StartBody:
    """The JSON of a start, and the files that came with it."""

    plain: dict[str, Any]
    documents: GivenDocuments
    written: dict[str, str] = field(default_factory=dict)
    """By the path of a `file` the path that the caller has written instead."""

    @classmethod
    async def read(cls, request: Request, named: NamedDocuments, max_megabytes: int) -> "StartBody":
        """Raises `ApiProblem`, `StoreAway`."""
        documents = GivenDocuments(max_megabytes)
        text = await _parts(request, documents) if _has_parts(request) else await request.body()
        return await cls.from_json(_json_object(text), documents, named)

    @classmethod
    async def from_json(cls, plain: dict[str, Any], documents: GivenDocuments, named: NamedDocuments) -> "StartBody":
        """Raises `ApiProblem`, `StoreAway`."""
        body = cls(plain, documents)
        for path, entry in _entries(body.plain, ()):
            await body._take(path, entry, named)
        return body

    async def _take(self, path: FieldPath, entry: dict[str, Any], named: NamedDocuments) -> None:
        """Put a document that the JSON has, or names by its hash, among those of the call."""
        ways = [way for way in ("file", "template", "base64", "sha256") if way in entry]
        way = next((candidate for candidate in ways if candidate in ("base64", "sha256")), None)
        if way is None:
            return
        if len(ways) > 1:
            raise ApiProblem.of_field(written_path((*path, way)), f"only one of {' and '.join(ways)} can be given")
        source, name = entry.pop(way), f"{written_path(path)}.pdf"
        self.documents.content[name] = await (_decoded(source) if way == "base64" else named.read(source))
        self.written[written_path((*path, "file"))] = written_path((*path, way))
        entry["file"] = name
        if not entry.get("name"):
            raise ApiProblem.of_field(written_path((*path, "name")), "is missing: only a file has a name of its own")

    @property
    def table(self) -> bytes | None:
        """The audience of a campaign that came with it. Raises `ApiProblem` for one that did not."""
        audience = self.plain.get("audience")
        name = audience.get("file") if isinstance(audience, dict) else None
        if not isinstance(name, str):
            return None
        content = self.documents.content.get(name)
        if not isinstance(content, bytes):
            raise ApiProblem.of_fault("audience.file", FileFault.NOT_IN_BODY.to_message())
        return content

    def problem(self, faults: FileFaults) -> ApiProblem:
        """The faults by the fields as the caller has written them."""
        errors = (
            FieldFault.from_message(self.written.get(fault.path, fault.path), fault.message) for fault in faults.faults
        )
        return ApiProblem(ProblemType.INVALID, errors=errors)


def _entries(plain: Any, path: FieldPath) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    """Each map under a key `document`."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            if key == "document" and isinstance(value, dict):
                yield (*path, key), value
            else:
                yield from _entries(value, (*path, key))
    elif isinstance(plain, list):
        for number, value in enumerate(plain):
            yield from _entries(value, (*path, number))


async def _decoded(text: object) -> bytes | Message:
    if not isinstance(text, str):
        return FileFault.NOT_BASE64.to_message()
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return FileFault.NOT_BASE64.to_message()
    if len(content) > BASE64_AT_MOST:
        return FileFault.LARGE_BASE64.to_message()
    return content


def _has_parts(request: Request) -> bool:
    """Whether it is a multipart body, not JSON; raises `ApiProblem` for another one."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in ("", "application/json", "multipart/form-data"):
        raise ApiProblem(ProblemType.OTHER_MEDIA, "expected application/json or multipart/form-data")
    return media == "multipart/form-data"


async def _form(request: Request) -> FormData:
    try:
        return await request.form(max_files=PARTS_AT_MOST, max_fields=PARTS_AT_MOST)
    except HTTPException as error:
        raise ApiProblem(ProblemType.MALFORMED, error.detail) from None


async def _parts(request: Request, documents: GivenDocuments) -> bytes:
    form = await _form(request)
    text: bytes | None = None
    for name, part in form.multi_items():
        if name == WHOLE:
            text = await part.read() if isinstance(part, UploadFile) else part.encode()
        elif isinstance(part, UploadFile) and part.filename:
            documents.content[part.filename] = await part.read()
    await form.close()
    if text is None:
        raise ApiProblem.of_field(WHOLE, "is missing: the part with the JSON")
    return text


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        refuse_bombs(text)
        value = json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_constant=_no_number,
            parse_int=_parse_integer,
            parse_float=_fraction,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except NotReadable as fault:
        raise ApiProblem(ProblemType.MALFORMED, str(fault)) from None
    except (ValueError, RecursionError):
        raise ApiProblem(ProblemType.MALFORMED, "the body is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise ApiProblem(ProblemType.INVALID, "an object is expected, in the shape of a file")
    return value


def _no_number(constant: str) -> Any:
    raise ValueError(constant)


def _parse_integer(digits: str) -> int:
    if len(digits) > len(str(_SAFE_AT_MOST)) + 1 or abs(int(digits)) > _SAFE_AT_MOST:
        raise ApiProblem(ProblemType.INVALID, "a whole number is too large")
    return int(digits)


def _fraction(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ApiProblem(ProblemType.INVALID, "a number is too large")
    return number


@dataclass(frozen=True)
class StartIntake:
    """Checks the body of a start against our catalogue and people, as the command does with a file."""

    settings: Settings
    store: Store
    directory: CompanyDirectory
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    tables: AudienceTables = field(default_factory=AudienceTables)

    @property
    def intake(self) -> Intake:
        return clients.intake(self.settings, self.directory, self.clock)

    async def read(self, kind: Kind, request: Request, named: NamedDocuments, caller: StartCaller) -> AdmittedStart:
        """Raises `ApiProblem`, `NotPermitted`, `DirectoryFailure`, `StoreFailure`."""
        body = await StartBody.read(request, named, self.settings.signature.max_upload_mb)
        try:
            return await self.check(kind, body, caller)
        except FileFaults as faults:
            raise body.problem(faults) from None

    async def check(self, kind: Kind, body: StartBody, caller: StartCaller) -> AdmittedStart:
        """Raises `FileFaults`, `ApiProblem`, `NotPermitted`, `DirectoryFailure`, `StoreFailure`."""
        plain = PlainFile(str(kind), Path(), parsed_values(body.plain))
        audience: dict[str, Any] = {"table": body.table, "tables": self.tables} if kind is Kind.CAMPAIGN else {}
        return await self.intake.check(kind, plain, body.documents, caller, **audience)

    async def decided(self, part: RestartedPart, decision: PartDecision, named: NamedDocuments) -> str:
        """What a decision starts a part from anew, stored; its reference. Raises as `read`."""
        documents = GivenDocuments(self.settings.signature.max_upload_mb)
        body = await StartBody.from_json(decision.replacement or {}, documents, named)
        sources = await self.intake.read_check_context(documents)
        try:
            if decision.replacement is None:
                return await part.with_signers(decision.signers, sources)
            return await part.from_file(PlainFile(str(part.what), Path(), parsed_values(body.plain)), sources)
        except UnknownSigner as nobody:
            raise ApiProblem.of_field("signers", str(nobody)) from None
        except FileFaults as faults:
            raise body.problem(faults) from None

    async def version(self, request: Request, named: NamedDocuments) -> Revision:
        """The command with a new version, which is kept, without its actor. Raises `ApiProblem`,
        `RequestValidationError`, `StoreFailure`.
        """
        read = _file_part(request) if _has_parts(request) else _named_or_within(request, named)
        (name, content), changes = await read
        self.refuse_other(content)
        sha256 = await self.store.files.put(content)
        return Revision(actor="", sha256=sha256, size=len(content), file_name=name, changes=changes)

    def refuse_other(self, content: bytes) -> None:
        """Raises `ApiProblem` for what is no PDF, or too large."""
        try:
            check_pdf(content, self.settings.signature.max_upload_mb)
        except ValueError as fault:
            raise ApiProblem(ProblemType.INVALID, str(fault)) from None

    async def plan(self, prepared: PreparedStart) -> Model:
        """What would happen, if nobody acted. Raises `ApiProblem`."""
        find = PLANS.get(prepared.workflow_input.subject.type)
        if find is None:
            raise ApiProblem(ProblemType.NOT_FOUND)
        return await find(self, prepared, self.clock())


async def _file_part(request: Request) -> tuple[PostedFile, str]:
    """The one file of a multipart body, and what has changed in it."""
    form = await _form(request)
    part, changes = form.get(FILE), form.get("changes")
    name = part.filename or "" if isinstance(part, UploadFile) else ""
    content = await part.read() if isinstance(part, UploadFile) else (part or "").encode()
    await form.close()
    if part is None:
        raise ApiProblem.of_field(FILE, "is missing: the part with the PDF")
    return PostedFile(file_name(name), content), changes if isinstance(changes, str) else ""


async def _named_or_within(request: Request, named: NamedDocuments) -> tuple[PostedFile, str]:
    """The new version that JSON names by its hash, or has, and what has changed in it."""
    body = RevisionBody.from_json(_json_object(await request.body()))
    way = "base64" if body.sha256 is None else "sha256"
    content = await (_decoded(body.base64) if body.sha256 is None else named.read(body.sha256))
    if isinstance(content, Message):
        raise ApiProblem.of_fault(way, content)
    return PostedFile(body.name, content), body.changes


async def _plan_of_request(starts: StartIntake, prepared: Any, starts_at: datetime) -> Model:
    return await calendar.plan(prepared, starts.directory, starts_at, {}, None)


async def _plan_of_onboarding(starts: StartIntake, prepared: Any, starts_at: datetime) -> Model:
    return await onboarding.plan(prepared, starts.directory, starts_at, _ASSUMED, None)


async def _plan_of_campaign(starts: StartIntake, prepared: Any, starts_at: datetime) -> Model:
    return await campaign.plan(prepared, starts.directory, starts_at, starts.settings.signature.max_rps, None)


async def _plan_of_task(starts: StartIntake, prepared: Any, starts_at: datetime) -> Model:
    return await task.plan(prepared, starts.directory, starts_at)


PLANS: Final[Mapping[Kind, Callable[[StartIntake, Any, datetime], Awaitable[Model]]]] = {
    Kind.REQUEST: _plan_of_request,
    Kind.TASK: _plan_of_task,
    Kind.ONBOARDING: _plan_of_onboarding,
    Kind.CAMPAIGN: _plan_of_campaign,
}
"""How the plan of one is made, by kind."""
