"""Workflows as the server describes and lists them.

The SDK's own descriptions fail on a status that is newer than they are: with one paused workflow `describe` raises
`ValueError`, and so does every page of a list that holds it (docs/faults.md). Here a new word is a word.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Final, TypeVar, cast

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
from temporalio.common import TypedSearchAttributes
from temporalio.converter import DataConverter, WorkflowSerializationContext, decode_typed_search_attributes
from temporalio.service import RPCError, RPCStatusCode


def about_the_workflow(error: RPCError) -> bool:
    """Whether a workflow was not found; a missing namespace has the same status and is another matter."""
    return error.status is RPCStatusCode.NOT_FOUND and not about_the_namespace(error)


def about_the_namespace(error: RPCError) -> bool:
    """Whether the whole namespace does not exist."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def about_a_pause(error: RPCError) -> bool:
    """Whether somebody has the workflow stand still in Temporal itself; there is no detail that says so, but words."""
    return error.status is RPCStatusCode.FAILED_PRECONDITION and "workflow is paused" in error.message.lower()


def about_its_task(error: RPCError) -> bool:
    """Whether the code of the workflow fails again and again: until that is mended nobody answers for it."""
    return (
        error.status is RPCStatusCode.FAILED_PRECONDITION and "workflow task in failed state" in error.message.lower()
    )


def about_its_begin(error: RPCError) -> bool:
    """Whether a workflow that was started has no task yet: in a moment, or when its delay is over, it has."""
    return error.status is RPCStatusCode.FAILED_PRECONDITION and "task is not scheduled yet" in error.message.lower()


def about_the_limit_in_flight(error: RPCError) -> bool:
    """Whether as many updates of this workflow wait as the server admits: this one was not."""
    return _exhausted(error, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT)


def about_this_one_alone(error: RPCError) -> bool:
    """Whether one workflow takes no signal now, its history being full for instance: others may."""
    if error.status in {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION}:
        return True
    return _exhausted(error, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW)


def _exhausted(error: RPCError, cause: ResourceExhaustedCause.ValueType) -> bool:
    if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
        return False
    failure = ResourceExhaustedFailure()
    return any(detail.Unpack(failure) and failure.cause == cause for detail in error.grpc_status.details)


OPEN: Final = "CloseTime IS NULL"
"""The query for what has not ended, on servers that know a pause and on those that don't: `Running` leaves it out."""
PAGE: Final = 1_000
"""Runs of one page: the most that servers give."""
Given = TypeVar("Given")


class RunStatus(StrEnum):
    """How the server says that a workflow stands; `unknown` is a word newer than this code."""

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
        """Whether it may still go on by itself, or once it is let."""
        return self in (RunStatus.RUNNING, RunStatus.PAUSED)

    @property
    def broken_off(self) -> bool:
        """Whether it did not come to its own end: nobody goes on with it."""
        return self in (RunStatus.TERMINATED, RunStatus.FAILED, RunStatus.TIMED_OUT)


@dataclass(frozen=True)
class Run:
    """One run of a workflow, as lists have it."""

    id: str
    run_id: str
    status: RunStatus
    started_at: datetime
    attributes: SearchAttributes
    kept: Memo = field(repr=False)
    converter: DataConverter = field(repr=False, compare=False)

    @cached_property
    def known(self) -> TypedSearchAttributes:
        """Its search attributes."""
        return decode_typed_search_attributes(self.attributes)

    async def memo(self, key: str) -> str:
        """A word of its memo, empty when there is none."""
        return await self._text(self.kept.fields[key]) if key in self.kept.fields else ""

    async def _text(self, payload: Payload) -> str:
        [text] = await self.converter.decode([payload], [str])
        return str(text)


@dataclass(frozen=True)
class Description(Run):
    """The last run of a workflow, as it is when one asks."""

    raw: DescribeWorkflowExecutionResponse

    @property
    def type(self) -> str:
        """Its workflow type."""
        return self.raw.workflow_execution_info.type.name

    @property
    def paused_at(self) -> datetime | None:
        """Since when somebody has it stand still in Temporal itself."""
        extended = self.raw.workflow_extended_info
        return extended.pause_info.paused_time.ToDatetime(UTC) if extended.HasField("pause_info") else None

    async def summary(self) -> str:
        """The fixed line that it was started with."""
        metadata = self.raw.execution_config.user_metadata
        return await self._text(metadata.summary) if metadata.HasField("summary") else ""


async def described(client: Client, workflow_id: str) -> Description:
    """The workflow's last run; `RPCError` when there is none."""
    raw = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        ),
        retry=True,
    )
    return Description(**vars(_run(client, raw.workflow_execution_info)), raw=raw)


async def found(client: Client, workflow_id: str) -> Description | None:
    """The workflow's last run, None when there is none; `RPCError` when that cannot be known."""
    try:
        return await described(client, workflow_id)
    except RPCError as error:
        if about_the_workflow(error):
            return None
        raise


async def began_with(client: Client, run: Run, what: type[Given]) -> Given:
    """What a run was started with."""
    events = client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history_events(page_size=1)
    began = (await anext(events)).workflow_execution_started_event_attributes
    [given] = await run.converter.decode(began.input.payloads, [what])
    return cast(Given, given)


async def newest(client: Client, query: str) -> Run | None:
    """The newest run that visibility has for a query, None when it has none."""
    async for run in listed(client, query, page=1):
        return run
    return None


async def listed(client: Client, query: str, *, page: int | None = None) -> AsyncIterator[Run]:
    """The runs that visibility has for a query, newest first, page by page."""
    token = b""
    while True:
        found, token = await page_of(client, query, size=page or PAGE, token=token)
        for run in found:
            yield run
        if not token:
            return


async def page_of(client: Client, query: str, *, size: int, token: bytes = b"") -> tuple[list[Run], bytes]:
    """One page of the runs that visibility has for a query, and the token of the next one, empty after the last.

    With a token nothing is tried again: a server calls one that it cannot read a fault of its own.
    """
    found = await client.workflow_service.list_workflow_executions(
        ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, page_size=size, next_page_token=token),
        retry=not token,
    )
    return [_run(client, info) for info in found.executions], found.next_page_token


def _run(client: Client, info: WorkflowExecutionInfo) -> Run:
    id = info.execution.workflow_id
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=id)
    return Run(
        id=id,
        run_id=info.execution.run_id,
        status=_status(info.status),
        started_at=info.start_time.ToDatetime(UTC),
        attributes=info.search_attributes,
        kept=info.memo,
        converter=client.data_converter.with_context(context),
    )


def _status(raw: int) -> RunStatus:
    try:
        name = WorkflowExecutionStatus.Name(raw)  # type: ignore[arg-type]
        return RunStatus(name.removeprefix("WORKFLOW_EXECUTION_STATUS_").lower().replace("_", " "))
    except ValueError:
        return RunStatus.UNKNOWN
