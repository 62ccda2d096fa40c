"""The service `signatures`: checks another team's request, starts or joins, shows and cancels it. Nexus does not
identify callers, so a request has its endpoint's name; through another endpoint it looks like a missing one, except
that its id is taken. Errors name fields, never values.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TypeVar

import nexusrpc
import structlog
from nexusrpc import HandlerError, HandlerErrorType
from nexusrpc.handler import (
    CancelOperationContext,
    OperationHandler,
    StartOperationContext,
    operation_handler,
    service_handler,
    sync_operation,
)
from pydantic import TypeAdapter, ValidationError
from temporalio import nexus
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.nexus import (
    CancelWorkflowRunOptions,
    TemporalNexusClient,
    TemporalOperationHandler,
    TemporalOperationResult,
    TemporalStartOperationContext,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import StoreFailure
from activities.files.pdf import check_pdf
from activities.files.reading import TOLD_AT_MOST, Fault, FileFaults, PlainFile
from activities.files.yaml_lines import FieldPath, Parsed
from activities.launch.doors import Intake, TrustedCaller
from activities.launch.intake import maps
from activities.launch.launch import BrokenOff, IdTaken, Starter
from activities.launch.request_file import RequestFile
from activities.onboarding.content import InMemoryDocuments
from activities.people.directory import Directory, DirectoryFailure
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.commands import send_command
from activities.temporal.executions import RunStatus
from starter.nexus.contract import Cancel, RequestFields, RequestStanding, Settlement
from starter.queries import lookup
from starter.queries.filters import is_request_id
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.commands import Cancellation, KnownBy
from workflows.model.file_faults import FileFault
from workflows.model.hand_off import SettledRequest
from workflows.model.messages import Message
from workflows.model.records import SettledRecord
from workflows.model.rejections import reason_fault
from workflows.model.subject import Status
from workflows.model.views import RequestShow
from workflows.names import MEMO_ORIGIN

NAME: Final = "request"
"""The name of the input in faults, beside those of our own files."""
PDF_MEGABYTES_AT_MOST: Final = 1
"""In base64 it must fit into Temporal's 2 MB for one input."""
_DOCUMENT: Final = "document.pdf"
_OUR_VALUES: Final = frozenset(
    {
        FileFault.OTHER_TYPE,
        FileFault.ONE_OF,
        FileFault.AT_MOST,
        FileFault.AT_LEAST,
        FileFault.EXACTLY_ONE,
        FileFault.ONLY_ONE,
        FileFault.PERSON_LACKS,
        FileFault.PDF_TOO_LARGE,
    }
)
"""Codes whose values are words of the format and sizes."""
ANSWERS_WITHIN: Final = timedelta(seconds=4)
"""For a workflow to answer; the caller's server waits ten seconds, and then retries."""
SERVICE: Final = "signatures"
InputT = TypeVar("InputT")
_CONTENT: Final = TypeAdapter(RequestFields)
_ID: Final = TypeAdapter(str)
_CANCEL: Final = TypeAdapter(Cancel)
_SETTLEMENT: Final = TypeAdapter(Settlement)
_CALLER_LEFT: Final = "the workflow that asked for it cancelled the operation"
_BROKEN_OFF: Final = "id: the workflow of this request was broken off, and nobody goes on with it"
_TOO_OLD: Final = "id: this request has ended, and its record is of a time in which how was not kept for an operation"
_UNAVAILABLE_ERRORS: Final = (RPCError, StoreFailure, DirectoryFailure, ApplicationError, RuntimeError, OSError)
_LOGGER: Final = structlog.get_logger("countersign.nexus")


def read(content: dict[str, Any]) -> tuple[PlainFile, InMemoryDocuments]:
    """The request file and its document; `FileFaults` for fields that no operation may have."""
    document, pdf = content.get("document"), b""
    faults = list(_unsupported_fields(content))
    if isinstance(document, dict) and "pdf" in document:
        try:
            pdf = _pdf(document["pdf"])
        except ValueError as fault:
            faults.append((("document", "pdf"), fault.args[0]))
        document = {**{key: value for key, value in document.items() if key != "pdf"}, "file": _DOCUMENT}
    if faults:
        raise _plain(content).faults(faults)
    return _plain({**content, "document": document} if pdf else content), InMemoryDocuments({_DOCUMENT: pdf})


def own_faults(faults: FileFaults) -> str:
    """Faults of the request itself, a line each, without values, since the caller's history keeps them; empty if they
    are faults of our own files.
    """
    lines = list(dict.fromkeys(map(_caller_line, (fault for fault in faults.faults if fault.file == NAME))))
    unlisted_count = len(lines) - TOLD_AT_MOST
    return "\n".join([*lines[:TOLD_AT_MOST], *([f"and {unlisted_count:,} more"] if unlisted_count > 0 else [])])


@nexusrpc.service(name=SERVICE)
class UnvalidatedSignatures:
    """The contract with unvalidated inputs: for an input that it refuses, the SDK would repeat the content in the
    failure.
    """

    request_signature: nexusrpc.Operation[Any, Settlement]
    show: nexusrpc.Operation[Any, RequestStanding]
    cancel: nexusrpc.Operation[Any, RequestStanding]


@service_handler(service=UnvalidatedSignatures)
@dataclass(frozen=True)
class SignaturesHandler:
    """`catalogue` reads it, anew for each request."""

    client: Client
    store: Store
    directory: Directory
    catalogue: Callable[[], Catalogue]

    @operation_handler
    def request_signature(self) -> OperationHandler[Any, Settlement]:
        """Start or join a request; the caller gets its settlement."""
        return RequestSignature(self)

    @sync_operation
    async def show(self, ctx: StartOperationContext, input: Any) -> RequestStanding:
        with errors_for_the_caller():
            return of_shown(await self._load_view(await self.find_own_request(validated_input(_ID, input))))

    @sync_operation
    async def cancel(self, ctx: StartOperationContext, input: Any) -> RequestStanding:
        """End a request of this endpoint; CONFLICT if it has ended."""
        with errors_for_the_caller():
            cancel_input = validated_input(_CANCEL, input)
            if not cancel_input.reason.strip():
                raise HandlerError("reason: is missing", type=HandlerErrorType.BAD_REQUEST)
            if fault := reason_fault(cancel_input.reason, "what is given"):
                raise HandlerError(f"reason: {fault.english}", type=HandlerErrorType.BAD_REQUEST)
            workflow_name = await self.find_own_request(cancel_input.id)
            if refusal := await self.end(workflow_name, cancel_input.reason, f"nexus-{ctx.request_id}"):
                raise HandlerError(refusal, type=HandlerErrorType.CONFLICT)
            view = await self._load_view(workflow_name)
            # A closed workflow answers no update, without an error.
            if view.status.has_ended and view.status is not Status.CANCELLED:
                raise HandlerError(f"too late: the request is {view.status}", type=HandlerErrorType.CONFLICT)
            if view.trouble is not None and RunStatus(view.trouble).broken_off and not view.status.has_ended:
                raise HandlerError(_BROKEN_OFF, type=HandlerErrorType.CONFLICT)
            return of_shown(view)

    async def find_own_request(self, id: str) -> WorkflowName:
        """The request of this id, if it came through this operation's endpoint."""
        workflow_name = WorkflowName(Kind.REQUEST, id)
        if not is_request_id(id) or await self._origin(workflow_name) != origin():
            raise HandlerError("id: no request of this endpoint has it", type=HandlerErrorType.NOT_FOUND)
        return workflow_name

    async def end(self, workflow_name: WorkflowName, reason: str, op: str) -> str | None:
        """End it, once for each `op`; the reason if it is too late."""
        cancellation = Cancellation(actor=origin(), known_by=KnownBy.NEXUS, reason=reason)
        return await send_command(self.client, workflow_name.workflow_id, cancellation, op, time_limit=ANSWERS_WITHIN)

    async def settlement(self, workflow_name: WorkflowName) -> Settlement:
        """By its record; UNAVAILABLE while there is none, CONFLICT if its version is too old."""
        record = await self._record(workflow_name)
        if record is None:
            raise HandlerError("its record is not there", type=HandlerErrorType.UNAVAILABLE)
        if not isinstance(record.settled, SettledRequest):
            raise HandlerError(_TOO_OLD, type=HandlerErrorType.CONFLICT)
        return of_settled(record.settled)

    async def _record(self, workflow_name: WorkflowName) -> SettledRecord | None:
        content = await self.store.records.read(workflow_name.workflow_id)
        return SettledRecord.model_validate_json(content) if content is not None else None

    async def _origin(self, workflow_name: WorkflowName) -> str | None:
        if record := await self._record(workflow_name):
            return record.origin
        run = await executions.find_run(self.client, workflow_name.workflow_id)
        return await run.memo(MEMO_ORIGIN) if run else None

    async def _load_view(self, workflow_name: WorkflowName) -> RequestShow:
        return await lookup.find_request_view(self.client, self.store, workflow_name.id, time_limit=ANSWERS_WITHIN)


def _caller_line(fault: Fault) -> str:
    own_steps = takewhile(lambda step: step.partition("[")[0] in _fields(), fault.path.split("."))
    return f"{'.'.join(own_steps) or NAME}: {_without_values(fault.message)}"


@cache
def _fields() -> frozenset[str]:
    """All field names; other steps of a path are the caller's words."""
    schema = RequestFile.model_json_schema()
    return frozenset(name for part in (schema, *schema["$defs"].values()) for name in part.get("properties", ())) | {
        "pdf"
    }


def _without_values(message: Message) -> str:
    """The sentence if its values are ours or sizes, else the words of its code."""
    if message.code in _OUR_VALUES or all(isinstance(value, int) for value in message.values.values()):
        return message.english
    return message.code.replace("_", " ")


class RequestSignature(TemporalOperationHandler[Any, Settlement]):
    """An operation that ends with the request that it started or joined."""

    def __init__(self, service: SignaturesHandler) -> None:
        self._service = service

    async def start_operation(
        self, ctx: TemporalStartOperationContext, client: TemporalNexusClient, input: Any
    ) -> TemporalOperationResult[Settlement]:
        """Check, then start or join; one that has ended is answered from its record."""
        with errors_for_the_caller():
            return await self._start_request(client, validated_input(_CONTENT, input))

    async def _start_request(
        self, client: TemporalNexusClient, content: RequestFields
    ) -> TemporalOperationResult[Settlement]:
        service, attached = self._service, []

        async def attach(*arguments: Any, **options: Any) -> None:
            attached.append(await client.start_workflow(*arguments, **options))

        file, documents = read(content)
        intake = Intake(service.directory, service.catalogue)
        admitted = await intake.check(Kind.REQUEST, file, documents, TrustedCaller(origin()))
        starter = Starter(partial(attach, result_type=Settlement), joins=True, origin=origin())
        started = await admitted.start(service.client, service.store, starter=starter)
        if attached:
            return attached[0]
        return TemporalOperationResult.sync(await service.settlement(WorkflowName(Kind.REQUEST, started.id)))

    async def cancel_workflow_run(self, ctx: CancelOperationContext, options: CancelWorkflowRunOptions) -> None:
        """End the request; a caller who joined a request of another origin cannot."""
        with errors_for_the_caller():
            workflow_name = named(options.workflow_id)
            if workflow_name is not None and workflow_name.kind.spec.document:
                await self._service.end(
                    await self._service.find_own_request(workflow_name.id), _CALLER_LEFT, "nexus-operation"
                )


def origin() -> str:
    """The endpoint of the current operation, as stored with a request and shown as who cancelled."""
    return f"nexus:{nexus.info().endpoint}"


@contextmanager
def errors_for_the_caller() -> Iterator[None]:
    """Converts exceptions to errors for the caller, whose history keeps them."""
    try:
        yield
    except HandlerError:
        raise
    except FileFaults as faults:
        if lines := own_faults(faults):
            raise HandlerError(lines, type=HandlerErrorType.BAD_REQUEST) from None
        _LOGGER.error("operation not done", why=faults.in_short)
        raise HandlerError("catalogue or people are faulty", type=HandlerErrorType.UNAVAILABLE) from None
    except IdTaken:
        raise HandlerError("id: is taken by other content", type=HandlerErrorType.CONFLICT) from None
    except BrokenOff:
        raise HandlerError(_BROKEN_OFF, type=HandlerErrorType.CONFLICT) from None
    except _UNAVAILABLE_ERRORS as error:
        if isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise HandlerError("Temporal refuses it: is it too large?", type=HandlerErrorType.BAD_REQUEST) from None
        _LOGGER.warning("operation not done yet", why=type(error).__name__)
        raise HandlerError("not now, it is tried again", type=HandlerErrorType.UNAVAILABLE) from None
    except Exception as bug:
        _LOGGER.exception("operation failed")
        raise HandlerError(f"our fault: {type(bug).__name__}", type=HandlerErrorType.INTERNAL) from None


def validated_input(as_type: TypeAdapter[InputT], input: object) -> InputT:
    """The validated input; BAD_REQUEST with the names of fields."""
    try:
        return as_type.validate_python(input)
    except ValidationError as error:
        faults = [(".".join(map(str, detail["loc"])) or "input", detail["msg"]) for detail in error.errors()]
        lines = "\n".join(f"{field}: {explanation}" for field, explanation in faults)
        raise HandlerError(lines, type=HandlerErrorType.BAD_REQUEST) from None


def of_settled(settled: SettledRequest) -> Settlement:
    return _SETTLEMENT.validate_python(settled.model_dump(mode="json"))


def of_shown(view: RequestShow) -> RequestStanding:
    step = view.next
    return RequestStanding(
        id=view.id,
        kind=view.kind,
        status=view.status,
        waiting_for=[line.person for line in view.waiting_for],
        next=step.what if step else None,
        next_at=_instant(step.at) if step else None,
        due_at=_instant(view.due_at),
        problem=view.problem.code if view.problem else None,
        partial=view.partial,
    )


def _plain(content: dict[str, Any]) -> PlainFile:
    return PlainFile(NAME, Path(), Parsed(content, {}, ()))


def _unsupported_fields(content: dict[str, Any]) -> Iterator[tuple[FieldPath, Message]]:
    document, policy = content.get("document"), content.get("policy")
    if isinstance(document, dict) and "file" in document:
        yield ("document", "file"), FileFault.NO_FILE_IN_CALL.to_message()
    if isinstance(document, dict) and "pdf" in document and not document.get("name"):
        yield ("document", "name"), FileFault.MISSING.to_message()
    for position, signer in enumerate(maps(content, "signers")):
        if "person" not in signer:
            yield ("signers", position), FileFault.NO_PERSON_ID.to_message()
    if "subscribers" in content:
        yield ("subscribers",), FileFault.HEARD_BY_ANSWER.to_message()
    if isinstance(policy, dict) and "handoff" in policy:
        yield ("policy", "handoff"), FileFault.HEARD_BY_ANSWER.to_message()


def _pdf(text: object) -> bytes:
    if not isinstance(text, str):
        raise FileFault.NOT_BASE64.error()
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FileFault.NOT_BASE64.error() from None
    check_pdf(content, PDF_MEGABYTES_AT_MOST)
    return content


def _instant(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None
