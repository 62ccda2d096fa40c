"""What has ended is reset, as somebody does in the Web UI: its second ending tells only those who never heard of it."""

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from activities.hand_off.service import HandOffService
from deploy.sandbox.server import RunningSandbox
from tests.activities.hand_off.test_hand_off import (
    House,
    Subscriber,
    a_worker,
    core,
    directory,
    fcm,
    house,
    links,
    notices,
    sandbox,
    signatures,
    store,
)
from tests.activities.notifications.stage import entries
from tests.faults.town import eventually
from tests.servers import own_part
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, begin, workers
from workflows.model.hand_off import HandoffState
from workflows.model.policy import Target
from workflows.model.subject import Participant, Status
from workflows.signature.workflow import SignatureRequestWorkflow

__all__ = ["a_worker", "core", "directory", "fcm", "house", "links", "notices", "sandbox", "signatures", "store"]

SIGNER = Participant(person="customer-signer", order=1)


def world_of(house: House, client: Client) -> World:
    """Fakes but for the hand-off, which tells the real targets and keeps the real record."""
    world = World()
    world.handoff = HandOffService(  # type: ignore[assignment]
        push=world.push,
        downstream=house.downstream,
        directory=house.directory,
        temporal=client,
        store=house.store,
        document_url=str,
        policies=house.policies,
    )
    return world


async def reset_to_before_its_end(request_story: Story) -> None:
    """It goes on from its last task before the callback."""
    events = (await request_story.handle.fetch_history()).events
    callback = max(e.event_id for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    finished = [e.event_id for e in events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    client = request_story.env.client
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=request_story.handle.id),
            reason="by hand",
            request_id="reset",
            workflow_task_finish_event_id=max(id for id in finished if id < callback),
        )
    )
    request_story.handle = client.get_workflow_handle_for(SignatureRequestWorkflow.run, request_story.handle.id)


async def waits(client: Client, id: str) -> None:
    """A workflow that subscribed; nobody works on it."""
    await client.start_workflow(Subscriber.run, id=id, task_queue="nobody-s")


async def signals_of(client: Client, id: str) -> int:
    """How often it was told."""
    events = (await client.get_workflow_handle(id).fetch_history()).events
    return sum(e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED for e in events)


@pytest.mark.long
@pytest.mark.real_server
async def test_the_reset_of_an_ended_request_tells_only_those_who_never_heard_of_its_end(
    house: House, sandbox: RunningSandbox, dev_server: str
) -> None:
    finance, hr = house.hook("finance"), Target(target="hr", person="hr-desk")
    async with own_part(dev_server) as env:
        client, world = env.client, world_of(house, env.client)
        await waits(client, "was-there")
        subscribed = a_request(SIGNER, handoff=(finance, hr), subscribers=("was-there", "came-later"))
        async with workers(client, world):
            request_story = await begin(env, world, subscribed)
            await eventually(lambda: was_asked(request_story))
            world.signatures.status = Status.SIGNED
            await request_story.callback()
            first = await request_story.handle.result()
            sent_before, hand_off_before = list(world.push.sent), await house.recall("msa-0042")
            assert await house.dead() == ["came-later"]
            await waits(client, "came-later")
            await reset_to_before_its_end(request_story)
            second = await request_story.handle.result()
        signals = [await signals_of(client, id) for id in ("was-there", "came-later")]
    assert (first.outcome, second.outcome) == (Status.SIGNED, Status.SIGNED)
    assert len(entries(sandbox, "downstream")) == 1
    assert world.push.sent == sent_before
    assert signals == [1, 1]
    hand_off_after = await house.recall("msa-0042")
    lines = {line.target: line for line in hand_off_after.lines}
    assert {name: line.state for name, line in lines.items()} == dict.fromkeys(lines, HandoffState.DONE)
    lines_before = {line.target: line for line in hand_off_before.lines if line.target != "came-later"}
    assert {name: lines[name] for name in lines_before} == lines_before
    assert await house.dead() == []


async def was_asked(request_story: Story) -> bool:
    """Whether the signer was told that it is their turn."""
    return any(line.stage == "ready" for line in (await request_story.read_view()).notifications)
