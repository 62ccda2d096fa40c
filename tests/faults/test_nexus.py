"""Workflows of another team, in a namespace of their own, ask for signatures: nothing is lost and nothing is told."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from nexusrpc import HandlerError, HandlerErrorType
from temporalio import workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import NexusOperationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from starter.boot import processes as modules
from starter.cli import start_files
from starter.examples.nexus_caller import QUEUE, Order
from starter.nexus.contract import Cancel, RequestStanding, Settlement
from starter.nexus.endpoint import ensure_endpoint
from starter.temporal.search_attributes import SetUpResult
from starter.temporal.workers import OPERATIONS_AT_ONCE
from tests.activities.hand_off.test_operations import ArchiveHandler
from tests.faults.population import LONER, PATIENT, PDF, REQUESTER, colleague
from tests.faults.races import wait_for_ends
from tests.faults.town import WORKER, Town, eventually
from tests.servers import RETENTION
from workflows.kinds import Kind
from workflows.model.records import SettledRecord
from workflows.model.subject import Status
from workflows.model.views import RequestShow

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

CONTRACT = base64.b64encode(PDF).decode()
CANARY = "Kanarienvogel"
ANSWERS: dict[str, type[Any]] = {"request_signature": Settlement, "show": RequestStanding, "cancel": RequestStanding}


@workflow.defn
class Asks:
    """Asks one thing of the service, whatever it is, and hears what it says."""

    @workflow.run
    async def run(self, operation: str, operation_input: Any, endpoint: str) -> Any:
        service = workflow.create_nexus_client(service="signatures", endpoint=endpoint)
        return await service.execute_operation(
            operation, operation_input, output_type=ANSWERS[operation], schedule_to_close_timeout=timedelta(days=1)
        )


@workflow.defn
class AsksAboutMany:
    """Asks how many stand, all at the same time; how many of them nobody knows."""

    @workflow.run
    async def run(self, ids: list[str]) -> int:
        service = workflow.create_nexus_client(service="signatures", endpoint="countersign")
        options: dict[str, Any] = {"output_type": RequestStanding, "schedule_to_close_timeout": timedelta(minutes=2)}
        calls = (service.execute_operation("show", id, **options) for id in ids)
        return sum(
            isinstance(answer, NexusOperationError) for answer in await asyncio.gather(*calls, return_exceptions=True)
        )


@dataclass
class Team:
    """Another team: their namespace, and whoever asks for them."""

    town: Town
    client: Client

    async def asks(
        self, operation: str, operation_input: Any, endpoint: str = "countersign", name: str | None = None
    ) -> WorkflowHandle[Asks, Any]:
        return await self.client.start_workflow(
            Asks.__name__,
            args=[operation, operation_input, endpoint],
            id=name or uuid.uuid4().hex,
            task_queue="asks",
            result_type=ANSWERS[operation],
        )

    async def hears(self, operation: str, operation_input: Any, endpoint: str = "countersign") -> Any:
        return await (await self.asks(operation, operation_input, endpoint)).result()

    async def is_refused(self, operation: str, operation_input: Any, endpoint: str = "countersign") -> HandlerError:
        """What the service says, for good; nothing of what was given is repeated in the caller's history."""
        handle = await self.asks(operation, operation_input, endpoint)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        error = failed.value.cause
        assert isinstance(error, NexusOperationError)
        assert isinstance(error.cause, HandlerError), error.cause
        assert not error.cause.retryable
        [failed_event] = [
            event
            for event in (await handle.fetch_history()).events
            if event.HasField("nexus_operation_failed_event_attributes")
        ]
        assert CANARY not in str(failed_event)
        return error.cause

    async def order(self, number: str, customer: str, name: str | None = None) -> WorkflowHandle[Order, Settlement]:
        return await self.client.start_workflow(
            Order.run, args=[number, customer, CONTRACT], id=name or f"order-{number}", task_queue=QUEUE
        )


@asynccontextmanager
async def their_worker(team: Team) -> AsyncIterator[asyncio.subprocess.Process]:
    """The worker of the example, a process of its own; killed at the end."""
    environment = modules.environment() | {
        "TEMPORAL_ADDRESS": team.client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": team.client.namespace,
    }
    process = await asyncio.create_subprocess_exec(*modules.command("starter.examples.nexus_caller"), env=environment)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def team(shared: Town) -> AsyncIterator[Team]:
    own_client = shared.context.client
    code, output = await shared.command("init", "--json")
    assert code == 0, output
    namespace = f"sales-{uuid.uuid4().hex[:8]}"
    await own_client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=RETENTION)
    )
    client = await eventually(lambda: Client.connect(own_client.service_client.config.target_host, namespace=namespace))
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue="asks", workflows=[Asks, AsksAboutMany], workflow_runner=runner):
        yield Team(shared, client)


def request(id: str, *signers: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": id,
        "kind": "customer-contract",
        "document": {"pdf": CONTRACT, "name": "Master services agreement"},
        "requester": REQUESTER,
        "signers": [{"person": person} for person in signers],
        "policy": dict(PATIENT),
        **fields,
    }


def file_of(request_fields: dict[str, Any]) -> dict[str, Any]:
    """The same request as it stands in a file beside its document."""
    return {**request_fields, "document": {"file": "contract.pdf", "name": request_fields["document"]["name"]}}


@pytest.mark.long
async def test_a_signature_is_the_answer_although_both_workers_are_killed_meanwhile(team: Team) -> None:
    """N1: the example as it stands: the caller's worker and ours die while the customer thinks it over."""
    town = team.town
    async with their_worker(team):
        order = await team.order("4711", LONER)
        await eventually(lambda: team.town.vendor.waiting("order-4711"))
    await town.kill(WORKER)
    await town.start(WORKER)
    await town.sign("order-4711")
    async with their_worker(team):
        settled = await order.result()
    assert (settled.outcome, settled.request, [signer.state for signer in settled.signers]) == (
        "signed",
        "order-4711",
        ["signed"],
    )
    assert len(await town.vendor.documents("order-4711")) == 1


async def test_two_that_ask_for_the_same_have_one_request_and_hear_the_same(team: Team) -> None:
    """N2: a third that asks when it is over is told at once, from the record."""
    request_fields = request("asked-twice", colleague(40))
    first, second = [await team.asks("request_signature", request_fields) for _ in range(2)]
    await eventually(lambda: team.town.vendor.waiting("asked-twice"))
    await team.town.sign("asked-twice")
    heard = [await first.result(), await second.result(), await team.hears("request_signature", request_fields)]
    assert heard[0] == heard[1] == heard[2]
    assert heard[0].outcome == "signed"
    assert len(await team.town.vendor.documents("asked-twice")) == 1
    refused = await team.is_refused("cancel", Cancel("asked-twice", "too expensive"))
    assert (refused.type, refused.message) == (HandlerErrorType.CONFLICT, "too late: the request is signed")


async def test_a_record_that_is_too_old_to_say_how_it_ended_says_so_once(team: Team) -> None:
    """N9: nobody waits for what never comes."""
    request_fields, town = request("of-old", colleague(49)), team.town
    prepared = await start_files.check_request(
        town.settings, file_of(request_fields), folder=town.folder.path / "files"
    )
    view = RequestShow(id="of-old", kind="customer-contract", requester=REQUESTER, status=Status.SIGNED, says="Signed")
    record = SettledRecord(fingerprint=prepared.request.fingerprint, run_id="r", show=view)
    home = Kind.REQUEST.workflow_id("of-old")
    await town.context.store.records.write(home, record.model_dump_json(exclude={"settled"}).encode())
    refused = await team.is_refused("request_signature", request_fields)
    assert refused.type is HandlerErrorType.CONFLICT
    assert refused.message.startswith("id: this request has ended, and its record is of a time")


async def test_who_cancels_the_operation_cancels_the_request_and_hears_how_it_ended(team: Team) -> None:
    """N3: nothing is left hanging; what was asked for stands in the request, and nobody is asked any more."""
    handle = await team.asks("request_signature", request("changed-mind", colleague(41)))
    await eventually(lambda: team.town.vendor.waiting("changed-mind"))
    await eventually(lambda: _has_heard(handle, "nexus_operation_started"))
    await handle.cancel()
    assert (await handle.result()).outcome == "cancelled"
    view = await team.town.read_view("changed-mind")
    [command] = [entry for entry in view.timeline if entry.what == "cancellation asked for"]
    assert (command.who, command.why) == ("nexus:countersign", "the workflow that asked for it cancelled the operation")
    assert not await team.town.vendor.waiting("changed-mind")


async def test_a_request_is_shown_and_cancelled_through_its_own_endpoint_and_no_other(team: Team) -> None:
    """N4: so also when it has ended; what the command has started is no caller's, not even of one who waits for it."""
    town = team.town
    assert (await ensure_endpoint(town.context.client, "elsewhere")).made is SetUpResult.CREATED
    handle = await team.asks("request_signature", request("of-sales", colleague(42)))
    await eventually(lambda: town.vendor.waiting("of-sales"))
    standing = await eventually(lambda: _once_waiting(team, "of-sales"))
    assert (standing.status, standing.waiting_for, standing.next) == ("sent", [colleague(42)], "remind")
    await town.ask("of-ours", colleague(43))
    for id, endpoint in (("of-sales", "elsewhere"), ("of-ours", "countersign"), ("of-nobody", "countersign")):
        for operation, operation_input in (("show", id), ("cancel", Cancel(id, "why not"))):
            refused = await team.is_refused(operation, operation_input, endpoint)
            assert (refused.type, refused.message) == (
                HandlerErrorType.NOT_FOUND,
                "id: no request of this endpoint has it",
            )
    await team.hears("cancel", Cancel("of-sales", "the customer has left"))
    assert (await handle.result()).outcome == "cancelled"
    assert (await team.hears("show", "of-sales")).status == "cancelled"
    assert (await team.hears("cancel", Cancel("of-sales", "the customer has left"))).status == "cancelled"
    assert (await team.is_refused("show", "of-sales", "elsewhere")).type is HandlerErrorType.NOT_FOUND


async def test_what_is_taken_up_again_is_still_shown_and_cancelled_through_its_endpoint(team: Team) -> None:
    """N10: also while nobody goes on with it, when it is too late to cancel it."""
    request_fields, town = request("begun-again", colleague(48)), team.town
    handle = await team.asks("request_signature", request_fields)
    await eventually(lambda: town.vendor.waiting("begun-again"))
    await town.handle("begun-again").terminate("by hand")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    for operation, operation_input in (
        ("cancel", Cancel("begun-again", "why not")),
        ("request_signature", request_fields),
    ):
        refused = await team.is_refused(operation, operation_input)
        assert (refused.type, "broken off" in refused.message) == (HandlerErrorType.CONFLICT, True)
        assert "countersign" not in refused.message
    prepared = await start_files.check_request(
        town.settings, file_of(request_fields), folder=town.folder.path / "files"
    )
    await start_files.start(town.context, prepared, restart=True)
    await eventually(lambda: _once_waiting(team, "begun-again"))
    await team.hears("cancel", Cancel("begun-again", "the customer has left"))
    [view] = await wait_for_ends(town, ["begun-again"])
    assert view.status is Status.CANCELLED


async def test_who_joined_what_is_not_theirs_may_wait_and_not_end_it(team: Team) -> None:
    """N5: the command started it; the operation goes on until somebody signs."""
    town = team.town
    prepared = await start_files.check_request(
        town.settings, file_of(request("joined", colleague(44))), folder=town.folder.path / "files"
    )
    await start_files.start(town.context, prepared)
    await eventually(lambda: town.vendor.waiting("joined"))
    handle = await team.asks("request_signature", request("joined", colleague(44)))
    await eventually(lambda: _has_heard(handle, "nexus_operation_started"))
    await handle.cancel()
    await eventually(lambda: _has_heard(handle, "nexus_operation_cancel_request_failed"))
    await town.sign("joined")
    assert (await handle.result()).outcome == "signed"


async def test_what_is_wrong_is_told_by_the_name_of_the_field(team: Team) -> None:
    """N6: once, not again and again, and with nothing of what was given."""
    await team.town.ask("taken", colleague(45))
    wrong = {
        "kind: no kind of catalogue": request("bad", colleague(45), kind=CANARY),
        "signers[0].person: not in directory": request("bad", CANARY),
        "requester: not in directory": request("bad", colleague(45), requester=REQUESTER[:-1]),
        "policy: unknown field": request("bad", colleague(45), policy={CANARY: CANARY}),
        "signers[0]: must be a person of the directory": request(
            "bad", signers=[{"name": CANARY, "email": "a@b.test"}]
        ),
        "document.file": request("bad", colleague(45), document={"file": f"../{CANARY}.pdf"}),
        "policy.handoff": request("bad", colleague(45), policy={"handoff": [{"target": "x", "person": CANARY}]}),
        "due: lies in the past": request("bad", colleague(45), due="2020-01-01"),
    }
    for field, request_fields in wrong.items():
        refused = await team.is_refused("request_signature", request_fields)
        assert (refused.type, refused.message[: len(field)]) == (HandlerErrorType.BAD_REQUEST, field)
        assert "did you mean" not in refused.message
    refused = await team.is_refused("request_signature", request("taken", colleague(46), message=CANARY))
    assert (refused.type, refused.message) == (HandlerErrorType.CONFLICT, "id: is taken by other content")
    for operation, nonsense, message in (
        ("request_signature", [CANARY], "input: "),
        ("show", {"id": CANARY}, "input: "),
        ("cancel", {"id": {CANARY: 1}, "reason": "x"}, "id: "),
        ("cancel", {"id": CANARY}, "reason: "),
        ("cancel", {"id": "bad", "reason": " "}, "reason: is missing"),
        ("cancel", {"id": "bad", "reason": CANARY * 400}, "reason: what is given"),
    ):
        refused = await team.is_refused(operation, nonsense)
        assert (refused.type, refused.message[: len(message)]) == (HandlerErrorType.BAD_REQUEST, message)


@pytest.mark.long
async def test_ten_times_as_many_as_are_looked_at_at_once_are_all_answered(team: Team) -> None:
    """Ten workflows, for one may wait for 30 at a time."""
    names = [f"never-{number}" for number in range(OPERATIONS_AT_ONCE)]
    answers = (
        team.client.execute_workflow(AsksAboutMany.run, names, id=f"about-many-{number}", task_queue="asks")
        for number in range(10)
    )
    assert await asyncio.gather(*answers) == [OPERATIONS_AT_ONCE] * 10


async def test_another_team_hears_of_the_end_by_an_operation_of_theirs(team: Team) -> None:
    """N8: the other way round, into their namespace: called once, and done in the ledger under its key."""
    town, name, archive = team.town, f"archive-{uuid.uuid4().hex[:8]}", ArchiveHandler()
    leads = EndpointTarget(worker=EndpointTarget.Worker(namespace=team.client.namespace, task_queue=name))
    spec = EndpointSpec(name=name, target=leads)
    await town.context.client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))
    target = {"target": "archive", "nexus": {"endpoint": name, "service": "archive", "operation": "keep"}}
    request_file = file_of(request("archived", colleague(47), policy={**PATIENT, "handoff": [target]}))
    async with Worker(team.client, task_queue=name, nexus_service_handlers=[archive]):
        await start_files.start(
            town.context,
            await start_files.check_request(town.settings, request_file, folder=town.folder.path / "files"),
        )
        await town.sign("archived")
        [view] = await wait_for_ends(town, ["archived"])
    [line], [(key, data)] = view.handoffs, archive.kept_inputs
    assert (line.target, line.state, line.key) == ("archive", "done", key)
    assert (data["request"], data["outcome"]) == ("archived", "signed")


async def _once_waiting(team: Team, id: str) -> RequestStanding | None:
    standing: RequestStanding = await team.hears("show", id)
    return standing if standing.waiting_for and standing.next == "remind" else None


async def _has_heard(handle: WorkflowHandle[Any, Any], event_name: str) -> bool:
    return any(event.HasField(f"{event_name}_event_attributes") for event in (await handle.fetch_history()).events)  # type: ignore[arg-type]
