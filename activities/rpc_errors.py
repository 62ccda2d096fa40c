"""What an error of Temporal's is about: the same status may mean a workflow, or the namespace it is looked for in."""

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.service import RPCError, RPCStatusCode


def about_the_workflow(error: RPCError) -> bool:
    """Whether a workflow was not found; a missing namespace has the same status and is another matter."""
    return error.status is RPCStatusCode.NOT_FOUND and not about_the_namespace(error)


def about_the_namespace(error: RPCError) -> bool:
    """Whether the whole namespace does not exist."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)
