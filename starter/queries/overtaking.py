"""Raises a workflow's priority while a person waits for its answer, since thousands of queued starts take minutes.
Activities keep theirs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.temporal import executions as runs
from starter.temporal import pollers
from workflows.names import URGENT

OVERTAKES_AFTER: Final = timedelta(seconds=2)
"""Mostly the answer takes a tenth of that."""
_TOLD_WITHIN: Final = timedelta(seconds=5)


@asynccontextmanager
async def overtaking(client: Client, workflow_id: str) -> AsyncIterator[None]:
    """Raise the priority during the block; then restore it. No effect on servers that cannot, or without a worker."""
    place = _OriginalPriority()
    first = asyncio.create_task(_go_first(client, workflow_id, place))
    try:
        yield
    finally:
        if place.before is None:
            first.cancel()
        with suppress(asyncio.CancelledError, RPCError, RuntimeError):
            await first
        if place.before is not None:
            await _set_priority(client, workflow_id, place.before)


@dataclass
class _OriginalPriority:
    """The original priority; None while unchanged."""

    before: Priority | None = None


async def _go_first(client: Client, workflow_id: str, place: _OriginalPriority) -> None:
    await asyncio.sleep(OVERTAKES_AFTER.total_seconds())
    if not await pollers.somebody(client):
        return
    found = await runs.described(client, workflow_id)
    known = found.raw.workflow_execution_info.priority
    if found.status.open and known.priority_key != URGENT:
        place.before = known
        await _set_priority(client, workflow_id, Priority(priority_key=URGENT, fairness_key=known.fairness_key))


async def _set_priority(client: Client, workflow_id: str, place: Priority) -> None:
    with suppress(RPCError):
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id),
                workflow_execution_options=WorkflowExecutionOptions(priority=place),
                update_mask=FieldMask(paths=["priority"]),
            ),
            timeout=_TOLD_WITHIN,
        )
