"""Days in seconds: the server moves a request's clock from its start on, until the escalation is armed, and no further.

It is asked for when the request starts: a clock that is set later is an event of its own and wakes the workflow, at a
moment that would be a matter of chance.
"""

from typing import Any, Final

from temporalio.api.common.v1 import FastForwardConfig, TimeSkippingConfig, WorkflowExecution
from temporalio.api.enums.v1 import FastForwardPollingResult
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionTimeSkippingRequest
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle

from tests.bench.history import NotAsAsked
from tests.bench.stakeholders import REMINDED_AFTER

_ARRIVAL: Final = "reminded"


def hurried(client: Client) -> Client:
    """The same client, whose requests have all their reminders within seconds."""
    config = client.config()
    config["interceptors"] = [*config["interceptors"], _Hurry()]
    return Client(**config)


async def wait_for_reminders(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the clock has arrived; `NotAsAsked` when the request ended on the way."""
    poll_request = PollWorkflowExecutionTimeSkippingRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.id),
        fast_forward_id=_ARRIVAL,
    )
    while True:
        answer = await client.workflow_service.poll_workflow_execution_time_skipping(poll_request, retry=True)
        match answer.fast_forward_polling_result:
            case FastForwardPollingResult.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED:
                return
            case FastForwardPollingResult.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED:
                raise NotAsAsked(f"{handle.id} was not reminded: {answer.failed_reason}")


class _Hurry(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _HurriedStart(next)


class _HurriedStart(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        forward = FastForwardConfig(id=_ARRIVAL)
        forward.duration.FromTimedelta(REMINDED_AFTER)
        input.time_skipping_config = TimeSkippingConfig(enabled=True, fast_forward_config=forward)
        return await super().start_workflow(input)
