"""A request goes on in another run: what is known of its letters is known there as well."""

from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.testing import WorkflowEnvironment

from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.service import NotificationService
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from tests.activities.notifications.stage import entries
from tests.faults.floods import EARLY, runs_of
from tests.faults.town import eventually
from tests.servers import real_server
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, begin, workers
from workflows.model.commands import Question
from workflows.model.subject import Participant, Status
from workflows.signature.workflow import SignatureRequestWorkflow

pytestmark = pytest.mark.long

PEOPLE = """
people:
  - {id: customer-signer, name: Customer Signer, email: customer@acme.test, zone: UTC}
  - {id: legal-desk, name: Legal Desk, email: legal@example.test, zone: UTC}
"""
MORE_THAN_A_RUN_HAS = 60


async def is_to_be_tried_again(request_story: Story, runs: int) -> bool:
    """Whether the call that tells somebody has failed once in the last run, of so many at least."""
    if len(await runs_of(request_story.env.client, request_story)) < runs:
        return False
    described = await request_story.env.client.get_workflow_handle(request_story.handle.id).describe()
    calls = described.raw_description.pending_activities
    return any(call.attempt > 1 and call.activity_type.name == "deliver_notices" for call in calls)


async def start_with_question(env: WorkflowEnvironment, world: World) -> Story:
    """A request that was sent, whose signer has asked something."""
    request_story = await begin(env, world, a_request(Participant(person="customer-signer", order=1)))

    async def was_sent() -> bool:
        return (await request_story.read_view()).status is Status.SENT

    await eventually(was_sent)
    question = Question(person="customer-signer", text="Which annex?")
    await request_story.handle.execute_update(SignatureRequestWorkflow.ask, question, id="ask")
    return request_story


async def is_told(request_story: Story) -> bool:
    """Whether the question has a line in the last run."""
    return any(line.stage == "question-1" for line in (await request_story.read_view()).notifications)


async def reset_to_the_question(request_story: Story) -> None:
    """As somebody does in the Web UI: it goes on from the task that took the question."""
    events = (await request_story.handle.fetch_history()).events
    update_event_id = next(
        event.event_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    )
    finished = [event.event_id for event in events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    run = WorkflowExecution(
        workflow_id=request_story.handle.id, run_id=request_story.handle.first_execution_run_id or ""
    )
    await request_story.env.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=request_story.env.client.namespace,
            workflow_execution=run,
            reason="by hand",
            request_id="reset",
            workflow_task_finish_event_id=max(id for id in finished if id < update_event_id),
        )
    )
    request_story.handle = request_story.env.client.get_workflow_handle(request_story.handle.id)


@pytest.mark.real_server
async def test_a_letter_that_may_have_been_sent_is_not_sent_at_once_because_a_fresh_run_begins(
    sandbox: RunningSandbox, cloud: CloudMessaging, a_worker: Callable[..., NotificationService], tmp_path: Path
) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    lost = {"path": "/mra/*", "method": "POST", "fault": "cut", "commit": True, "times": None}
    sandbox.state.faults.arm(ArmedFault.model_validate(lost))
    world = World()
    world.push = a_worker(messaging=cloud)  # type: ignore[assignment]
    async with real_server(*EARLY) as env, workers(env.client, world):
        request_story = await start_with_question(env, world)
        await eventually(lambda: is_to_be_tried_again(request_story, 1))
        for _ in range(MORE_THAN_A_RUN_HAS):
            await request_story.callback("viewed", event="one-and-the-same")
        await request_story.callback("viewed")
        await eventually(lambda: is_to_be_tried_again(request_story, 2))
    assert len(entries(sandbox, "message")) == 1


@pytest.mark.real_server
async def test_a_letter_that_was_sent_is_not_sent_again_because_somebody_resets_the_workflow(
    sandbox: RunningSandbox, cloud: CloudMessaging, a_worker: Callable[..., NotificationService], tmp_path: Path
) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    world = World()
    world.push = a_worker(messaging=cloud)  # type: ignore[assignment]
    async with real_server() as env, workers(env.client, world):
        request_story = await start_with_question(env, world)
        await eventually(lambda: is_told(request_story))
        await reset_to_the_question(request_story)
        await eventually(lambda: is_told(request_story))
    assert len(entries(sandbox, "message")) == 1
