"""What an error of Temporal's is about: the same status may mean a workflow, or the namespace it is looked for in."""

from temporalio.api.enums.v1 import ResourceExhaustedCause
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure, ResourceExhaustedFailure
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
