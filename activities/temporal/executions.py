"""Describes and lists executions by the raw API: the SDK's `describe` and `list` raise `ValueError` for paused ones
(tests/faults/catalogue.toml, S2).
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from temporalio.api.common.v1 import Memo, Payload, SearchAttributes, WorkflowExecution
from temporalio.api.enums.v1 import ResourceExhaustedCause, WorkflowExecutionStatus
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure, ResourceExhaustedFailure
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

OPEN: Final = "CloseTime IS NULL"
"""Query for open runs, on all servers: `Running` leaves out paused ones, which older servers do not know."""
PAGE: Final = 1_000
"""Runs of one page: the server's maximum."""
InputT = TypeVar("InputT")
Value = TypeVar("Value", str, int, float, bool, datetime, Sequence[str])


def about_the_workflow(error: RPCError) -> bool:
    """Whether a workflow was not found; a missing namespace has the same status code."""
    return error.status is RPCStatusCode.NOT_FOUND and not about_the_namespace(error)


def about_the_namespace(error: RPCError) -> bool:
    """Whether the namespace does not exist."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def about_a_pause(error: RPCError) -> bool:
    """Whether the workflow is paused in Temporal; recognised by the message, since no detail says so."""
    return error.status is RPCStatusCode.FAILED_PRECONDITION and "workflow is paused" in error.message.lower()


def about_its_task(error: RPCError) -> bool:
    """Whether workflow tasks fail repeatedly, until the code is corrected."""
    return (
        error.status is RPCStatusCode.FAILED_PRECONDITION and "workflow task in failed state" in error.message.lower()
    )


def about_its_begin(error: RPCError) -> bool:
    """Whether a started workflow has no task yet."""
    return error.status is RPCStatusCode.FAILED_PRECONDITION and "task is not scheduled yet" in error.message.lower()


def about_the_limit_in_flight(error: RPCError) -> bool:
    """Whether the limit of updates in flight is reached: this one was not admitted."""
    return _exhausted(error, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT)


def about_this_one_alone(error: RPCError) -> bool:
    """Whether only this workflow takes no signals, for instance because its history is full."""
    if error.status in {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION}:
        return True
    return _exhausted(error, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW)


class RunStatus(StrEnum):
    """The server's status of a workflow; `unknown` for newer ones."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    CONTINUED_AS_NEW = "continued as new"
    TIMED_OUT = "timed out"
    UNKNOWN = "unknown"

    @property
    def open(self) -> bool:
        """Whether it can make progress, perhaps after it is resumed."""
        return self in (RunStatus.RUNNING, RunStatus.PAUSED)

    @property
    def broken_off(self) -> bool:
        """Whether it failed, was terminated or timed out."""
        return self in (RunStatus.TERMINATED, RunStatus.FAILED, RunStatus.TIMED_OUT)


@dataclass(frozen=True)
class Attributes:
    """The search attributes of a run, each decoded when it is asked for: a thousand runs are sorted by three of ten."""

    encoded: SearchAttributes

    def get(self, key: SearchAttributeKey[Value]) -> Value | None:
        """None if it is not set, or of another type."""
        if key.name not in self.encoded.indexed_fields:
            return None
        value = json.loads(self.encoded.indexed_fields[key.name].data.decode() or "null")
        if isinstance(value, list) and key.origin_value_type is not Sequence:
            value = value[0] if len(value) == 1 else None
        if key.origin_value_type is datetime and isinstance(value, str):
            value = datetime.fromisoformat(value)
        return cast(Value, value) if isinstance(value, key.origin_value_type) else None

    def all_of(self, key: SearchAttributeKey[Sequence[str]]) -> Sequence[str]:
        """The words of a list."""
        values = self.get(key)
        return values or ()

    def __contains__(self, key: SearchAttributeKey[Any]) -> bool:
        return key.name in self.encoded.indexed_fields


@dataclass(frozen=True)
class Run:
    """A run in a list."""

    id: str
    run_id: str
    status: RunStatus
    started_at: datetime
    attributes: SearchAttributes
    encoded_memo: Memo = field(repr=False)
    converter: DataConverter = field(repr=False, compare=False)

    @property
    def search_attributes(self) -> Attributes:
        return Attributes(self.attributes)

    async def memo(self, key: str) -> str:
        """A text of its memo, or empty."""
        return await self._text(self.encoded_memo.fields[key]) if key in self.encoded_memo.fields else ""

    async def _text(self, payload: Payload) -> str:
        [text] = await self.converter.decode([payload], [str])
        return str(text)


@dataclass(frozen=True)
class Description(Run):
    """The last run of a workflow."""

    raw: DescribeWorkflowExecutionResponse

    @property
    def type(self) -> str:
        return self.raw.workflow_execution_info.type.name

    @property
    def paused_at(self) -> datetime | None:
        """Since when it is paused in Temporal."""
        extended = self.raw.workflow_extended_info
        return extended.pause_info.paused_time.ToDatetime(UTC) if extended.HasField("pause_info") else None

    async def summary(self) -> str:
        metadata = self.raw.execution_config.user_metadata
        return await self._text(metadata.summary) if metadata.HasField("summary") else ""


async def described(client: Client, workflow_id: str) -> Description:
    """The last run; `RPCError` if there is none."""
    raw = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        ),
        retry=True,
    )
    return Description(**vars(_run(client, raw.workflow_execution_info)), raw=raw)


async def find_run(client: Client, workflow_id: str) -> Description | None:
    """The last run, None if there is none; other `RPCError`s are raised."""
    try:
        return await described(client, workflow_id)
    except RPCError as error:
        if about_the_workflow(error):
            return None
        raise


async def began_with(client: Client, run: Run, input_type: type[InputT]) -> InputT:
    """The input of a run."""
    events = client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history_events(page_size=1)
    began = (await anext(events)).workflow_execution_started_event_attributes
    [workflow_input] = await run.converter.decode(began.input.payloads, [input_type])
    return cast(InputT, workflow_input)


async def newest(client: Client, query: str) -> Run | None:
    """The newest run in visibility for a query, or None."""
    async for run in listed(client, query, page=1):
        return run
    return None


async def listed(client: Client, query: str, *, page: int | None = None) -> AsyncIterator[Run]:
    """Runs in visibility for a query, newest first, page by page."""
    token = b""
    while True:
        runs, token = await page_of(client, query, size=page or PAGE, token=token)
        for run in runs:
            yield run
        if not token:
            return


async def page_of(client: Client, query: str, *, size: int, token: bytes = b"") -> tuple[list[Run], bytes]:
    """One page of runs, and the next token, empty after the last. Calls with a token are not retried: an invalid one is
    an internal error of the server.
    """
    response = await client.workflow_service.list_workflow_executions(
        ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, page_size=size, next_page_token=token),
        retry=not token,
    )
    return [_run(client, info) for info in response.executions], response.next_page_token


def _exhausted(error: RPCError, cause: ResourceExhaustedCause.ValueType) -> bool:
    if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
        return False
    failure = ResourceExhaustedFailure()
    return any(detail.Unpack(failure) and failure.cause == cause for detail in error.grpc_status.details)


def _run(client: Client, info: WorkflowExecutionInfo) -> Run:
    id = info.execution.workflow_id
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=id)
    return Run(
        id=id,
        run_id=info.execution.run_id,
        status=_status(info.status),
        started_at=info.start_time.ToDatetime(UTC),
        attributes=info.search_attributes,
        encoded_memo=info.memo,
        converter=client.data_converter.with_context(context),
    )


def _status(raw: int) -> RunStatus:
    try:
        name = WorkflowExecutionStatus.Name(raw)  # type: ignore[arg-type]
        return RunStatus(name.removeprefix("WORKFLOW_EXECUTION_STATUS_").lower().replace("_", " "))
    except ValueError:
        return RunStatus.UNKNOWN
