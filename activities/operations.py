"""Targets of the hand-off that are Nexus operations: called by a workflow of their own, looked at from here."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nexusrpc import HandlerError
from temporalio.api.operatorservice.v1 import ListNexusEndpointsRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, NexusOperationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from workflows import names
from workflows.follow_up.handoff import key_of
from workflows.follow_up.options import OPERATION_TAKEN_WITHIN
from workflows.model.nexus import OperationOrder
from workflows.model.policy import NexusOperation, Target
from workflows.model.settlement import HandoffResult, Told
from workflows.model.subject import Subject

LOOKED_FOR: Final = timedelta(seconds=10)
"""So long an attempt waits for the operation to begin; the next one looks again."""
_NOT_OURS_TO_LOOK: Final = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED)


@dataclass(frozen=True)
class NexusOperations:
    """Calls each operation once: a repetition finds the call of the first attempt."""

    client: Client
    looked_for: timedelta = LOOKED_FOR

    async def call(self, target: Target, wanted: NexusOperation, subject: Subject, told: Told) -> HandoffResult:
        """Done once the operation has begun, by this attempt or an earlier one; dead when its handler refuses it."""
        key = key_of(target, subject.reference)
        order = OperationOrder(operation=wanted, told=told, key=key)
        try:
            # A workflow that names an endpoint that is not there could not go on.
            if not await self._is_there(wanted.endpoint):
                return _not_done(target, f"there is no Nexus endpoint {wanted.endpoint}")
            return await self._begun(target, await self._start(order))
        except WorkflowAlreadyStartedError:
            return HandoffResult(target=target.target, ok=True)
        except RPCError as error:
            return _not_done(target, f"Temporal: {error.status.name}")

    async def _start(self, order: OperationOrder) -> WorkflowHandle[object, object]:
        return await self.client.start_workflow(
            names.NEXUS_CALL,
            order,
            id=names.nexus_call_workflow_id(order.key),
            task_queue=names.WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            execution_timeout=2 * OPERATION_TAKEN_WITHIN,
            rpc_timeout=self.looked_for,
        )

    async def _begun(self, target: Target, call: WorkflowHandle[object, object]) -> HandoffResult:
        try:
            await asyncio.wait_for(call.result(), self.looked_for.total_seconds())
        except TimeoutError:
            return _not_done(target, "nobody has taken the operation yet")
        except WorkflowFailureError as failure:
            return _refused(target, failure)
        return HandoffResult(target=target.target, ok=True)

    async def _is_there(self, endpoint: str) -> bool:
        try:
            answer = await self.client.operator_service.list_nexus_endpoints(ListNexusEndpointsRequest(name=endpoint))
        except RPCError as error:
            if error.status in _NOT_OURS_TO_LOOK:
                return True
            raise
        return bool(answer.endpoints)


def _refused(target: Target, failure: WorkflowFailureError) -> HandoffResult:
    """By what kind of refusal it was: the words are somebody else's, and may name people."""
    cause = failure.cause.cause if isinstance(failure.cause, NexusOperationError) else None
    if isinstance(cause, HandlerError):
        return _not_done(target, f"its handler: {cause.type.value}", gone=not cause.retryable)
    if isinstance(cause, ApplicationError):
        return _not_done(target, "the operation has failed", gone=True)
    return _not_done(target, "nobody has taken the operation in time")


def _not_done(target: Target, why: str, *, gone: bool = False) -> HandoffResult:
    return HandoffResult(target=target.target, ok=False, gone=gone, why=why)
