"""A target of the hand-off may be a Nexus operation of another team: called once, whatever is tried again."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import nexusrpc
import pytest
from nexusrpc.handler import StartOperationContext, service_handler, sync_operation
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.hand_off.workflows import LOOKED_FOR, NexusOperations
from tests.servers import own_namespace
from tests.workflows import corpus
from workflows.hand_off.workflow import NexusCallWorkflow
from workflows.model.hand_off import HandoffResult, SettledRequest
from workflows.model.policy import NexusOperation, Target
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Status
from workflows.names import WORKFLOW_QUEUE, nexus_call_workflow_id

pytestmark = pytest.mark.real_server

SETTLED = SettledRequest(
    request="msa", kind="contract", outcome=Status.SIGNED, at=datetime(2026, 12, 4, 9, tzinfo=UTC), external_id="msa"
)
BRIEF = SignatureBrief(
    id="msa", kind="contract", title="MSA", document=Document(), requester="boss", people=(Participant(person="ada"),)
)


@nexusrpc.service(name="archive")
class Archive:
    """Another team's."""

    keep: nexusrpc.Operation[dict[str, Any], str]
    refuse: nexusrpc.Operation[dict[str, Any], str]
    fail: nexusrpc.Operation[dict[str, Any], str]


@service_handler(service=Archive)
@dataclass
class ArchiveHandler:
    """Remembers what it was given, and by which key."""

    kept_inputs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @sync_operation
    async def keep(self, ctx: StartOperationContext, data: dict[str, Any]) -> str:
        self.kept_inputs.append((ctx.headers["webhook-id"], data))
        return "kept"

    @sync_operation
    async def refuse(self, ctx: StartOperationContext, data: dict[str, Any]) -> str:
        raise nexusrpc.HandlerError("Ada has moved", type=nexusrpc.HandlerErrorType.BAD_REQUEST)

    @sync_operation
    async def fail(self, ctx: StartOperationContext, data: dict[str, Any]) -> str:
        raise nexusrpc.OperationError("Ada has moved", state=nexusrpc.OperationErrorState.FAILED)


@dataclass
class Team:
    """A namespace with an endpoint that leads to another team, who may be at work."""

    client: Client
    endpoint: str
    archive: ArchiveHandler = field(default_factory=ArchiveHandler)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with Worker(self.client, task_queue="archive", nexus_service_handlers=[self.archive]):
            yield

    async def call_operation(
        self, operation: str = "keep", endpoint: str | None = None, *, looked_for: timedelta = LOOKED_FOR
    ) -> HandoffResult:
        """The result of one attempt."""
        nexus_operation = NexusOperation(endpoint=endpoint or self.endpoint, service="archive", operation=operation)
        target = Target(target=operation, nexus=nexus_operation)
        return await NexusOperations(self.client, looked_for).call(target, nexus_operation, BRIEF, SETTLED)


@pytest.fixture
async def team(dev_server: str) -> AsyncIterator[Team]:
    client, name = await own_namespace(dev_server), f"e-{uuid.uuid4().hex[:12]}"
    leads = EndpointTarget(worker=EndpointTarget.Worker(namespace=client.namespace, task_queue="archive"))
    spec = EndpointSpec(name=name, target=leads)
    await client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))
    async with Worker(client, task_queue=WORKFLOW_QUEUE, workflows=[NexusCallWorkflow]):
        yield Team(client, name)


async def test_it_is_called_once_with_what_every_target_hears_however_often_it_is_tried(team: Team) -> None:
    async with team.at_work():
        results = [await team.call_operation() for _ in range(3)]
        await corpus.record("nexus-call", team.client.get_workflow_handle(nexus_call_workflow_id("msa/handoff/keep")))
    assert results == [HandoffResult(target="keep", ok=True)] * 3
    [(key, data)] = team.archive.kept_inputs
    assert (key, data["request"], data["outcome"], data["version"]) == ("msa/handoff/keep", "msa", "signed", 1)


@pytest.mark.long
async def test_what_nobody_has_taken_yet_is_looked_for_again_and_not_called_twice(team: Team) -> None:
    waiting = await team.call_operation(looked_for=timedelta(seconds=1))
    assert (waiting.ok, waiting.gone, waiting.why) == (False, False, "nobody has taken the operation yet")
    async with team.at_work():
        while not (result := await team.call_operation()).ok:
            assert not result.gone
    assert len(team.archive.kept_inputs) == 1


@pytest.mark.parametrize(
    ("operation", "reason"), [("refuse", "its handler: BAD_REQUEST"), ("fail", "the operation has failed")]
)
async def test_a_refusal_is_final_and_its_words_stay_where_they_are(team: Team, operation: str, reason: str) -> None:
    async with team.at_work():
        assert await team.call_operation(operation) == HandoffResult(target=operation, ok=False, gone=True, why=reason)


async def test_an_endpoint_that_is_not_there_is_said_and_no_workflow_stands_still_for_it(team: Team) -> None:
    result = await team.call_operation(endpoint="nowhere")
    assert (result.ok, result.gone, result.why) == (False, False, "there is no Nexus endpoint nowhere")
    assert [workflow async for workflow in team.client.list_workflows()] == []


async def test_five_attempts_at_once_are_one_call(team: Team) -> None:
    async with team.at_work():
        assert {result.ok for result in await asyncio.gather(*(team.call_operation() for _ in range(5)))} == {True}
    assert len(team.archive.kept_inputs) == 1
