"""The Nexus endpoint by which other namespaces reach our worker; one for a whole server."""

from temporalio.api.nexus.v1 import Endpoint, EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest, ListNexusEndpointsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter.temporal.search_attributes import NOT_OURS_TO_MAKE, SetUp, SetUpResult
from workflows.names import WORKFLOW_QUEUE


async def ensure_endpoint(client: Client, name: str) -> SetUp:
    """Create the endpoint to our worker; one of this name with another target is left alone."""
    title = f"Nexus endpoint {name}"
    try:
        endpoint = await find_endpoint(client, name)
        if endpoint is None:
            spec = EndpointSpec(name=name, target=EndpointTarget(worker=_build_target(client)))
            await client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))
            return SetUp(title, SetUpResult.CREATED)
    except RPCError as error:
        if error.status in NOT_OURS_TO_MAKE:
            return SetUp(
                title, SetUpResult.NOT_PERMITTED, "only for workflows of other teams: docs/nexus.md says who makes it"
            )
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return SetUp(title, SetUpResult.EXISTS)
        return SetUp(title, SetUpResult.FAILED, error.message)
    if leads_here(client, endpoint):
        return SetUp(title, SetUpResult.EXISTS)
    return SetUp(
        title, SetUpResult.FAILED, f"it leads to {leads_to(endpoint)}: set COUNTERSIGN_NEXUS_ENDPOINT to another name"
    )


async def find_endpoint(client: Client, name: str) -> Endpoint | None:
    """The endpoint of this name, or None; `RPCError` without permission."""
    answer = await client.operator_service.list_nexus_endpoints(ListNexusEndpointsRequest(name=name))
    return next(iter(answer.endpoints), None)


def leads_here(client: Client, endpoint: Endpoint) -> bool:
    """Whether its target is our workflow queue in this namespace."""
    return endpoint.spec.target.worker == _build_target(client)


def leads_to(endpoint: Endpoint) -> str:
    """Its target, as text."""
    worker = endpoint.spec.target.worker
    return f"queue {worker.task_queue} of {worker.namespace}" if worker.task_queue else "another address"


def _build_target(client: Client) -> EndpointTarget.Worker:
    return EndpointTarget.Worker(namespace=client.namespace, task_queue=WORKFLOW_QUEUE)
