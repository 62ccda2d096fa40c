"""The words about requests on a real server: the same story with a worker, without one, and after Temporal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.store import Store
from starter import looking, requests
from starter.desk import Desk
from starter.exits import Refusal
from starter.request_ids import request_id
from tests.servers import real_server
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import a_request, workers
from workflows import names
from workflows.glance import RequestShow
from workflows.model import Code, SignerState, Status
from workflows.record import SettledRecord
from workflows.signature_request import SignatureRequestWorkflow

pytestmark = pytest.mark.real_server

Request = WorkflowHandle[SignatureRequestWorkflow, object]
SOON = timedelta(seconds=10)
NO_WORKER = timedelta(seconds=0.5)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with real_server() as env:
        yield Desk(env.client, Store(tmp_path.as_uri()), "http://127.0.0.1:8233")


async def begin(desk: Desk, name: str = "msa-0042") -> None:
    request = a_request(name=name)
    await desk.client.start_workflow(
        SignatureRequestWorkflow.run,
        request,
        id=names.request_workflow_id(name),
        task_queue=names.WORKFLOW_QUEUE,
        static_summary=f"{request.brief.kind}: {request.brief.document.name}",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.KIND, request.brief.kind), SearchAttributePair(names.STATUS, "converting")]
        ),
    )


async def shown_with(desk: Desk, status: Status) -> RequestShow:
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            shown = await requests.show(desk, "msa-0042")
            if shown.status is status:
                return shown
            await asyncio.sleep(0.02)


async def listed(desk: Desk, at_least: int, *, attention: bool) -> list[requests.RequestLine]:
    """The list, once the server's visibility has caught up."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            lines = [line async for line in requests.listed(desk, attention=attention)]
            if len(lines) >= at_least:
                return lines
            await asyncio.sleep(0.05)


async def record(desk: Desk, shown: RequestShow) -> None:
    content = SettledRecord(fingerprint="f" * 64, run_id="r", show=shown).model_dump_json(by_alias=True)
    await desk.store.write_record(shown.id, content.encode())


async def test_a_living_request_says_whom_it_waits_for(desk: Desk) -> None:
    async with workers(desk.client, World()):
        await begin(desk)
        shown = await shown_with(desk, Status.SENT)
    assert [waiting.person for waiting in shown.waiting_for] == ["customer-signer"]
    assert not shown.partial


async def test_an_id_and_a_whole_workflow_id_are_the_same_request(desk: Desk) -> None:
    async with workers(desk.client, World()):
        await begin(desk)
        await shown_with(desk, Status.SENT)
        by_workflow_id = await requests.show(desk, "signature-request:msa-0042")
    assert by_workflow_id.id == "msa-0042"


def test_the_workflow_id_of_something_else_is_refused() -> None:
    with pytest.raises(Refusal, match="customer-onboarding:acme is not a request"):
        request_id("customer-onboarding:acme")


async def test_without_a_worker_what_temporal_keeps_is_told_and_marked(desk: Desk) -> None:
    await begin(desk)
    shown = await looking.look(desk.client, desk.store, "msa-0042", within=NO_WORKER)
    assert shown.partial
    assert (shown.kind, shown.document) == ("customer-contract", "Master services agreement")
    assert shown.status is Status.CONVERTING
    assert shown.next is not None and "countersign worker" in shown.next.why


async def test_without_a_worker_the_record_of_a_settled_request_is_told(desk: Desk) -> None:
    world = World()
    async with workers(desk.client, world):
        await begin(desk)
        await requests.cancel(desk, "msa-0042", reason="not needed", actor="legal-desk")
        shown = await requests.show(desk, "msa-0042")
    await record(desk, shown)
    told = await looking.look(desk.client, desk.store, "msa-0042", within=NO_WORKER)
    assert told == shown.having(partial=True)


async def test_a_request_that_temporal_has_forgotten_is_told_from_its_record(desk: Desk) -> None:
    shown = RequestShow(id="old", kind="customer-contract", status=Status.SIGNED, says="Signed long ago")
    await record(desk, shown)
    assert await requests.show(desk, "old") == shown


async def test_an_unknown_request_is_one_clear_line(desk: Desk) -> None:
    with pytest.raises(Refusal, match="no request nowhere: neither Temporal nor the records know it"):
        await requests.show(desk, "nowhere")


async def test_a_workflow_that_somebody_terminated_does_not_pretend_to_go_on(desk: Desk) -> None:
    async with workers(desk.client, World()):
        await begin(desk)
        await shown_with(desk, Status.SENT)
        await desk.client.get_workflow_handle("signature-request:msa-0042").terminate("by hand")
        shown = await requests.show(desk, "msa-0042")
    assert shown.says.startswith("The workflow was terminated and does nothing more")
    assert shown.next is None


async def test_attention_lists_only_what_needs_a_person(desk: Desk) -> None:
    world = World()
    world.signatures.failures.append(refusal(Code.UNAUTHORISED))
    async with workers(desk.client, world):
        await begin(desk, "troubled")
        troubled = await listed(desk, 1, attention=True)
        await begin(desk, "well")
        everything = await listed(desk, 2, attention=False)
        attention = await listed(desk, 1, attention=True)
        counted = await requests.count(desk, attention=False)
    assert [(line.id, line.problem) for line in troubled] == [("troubled", "unauthorised")]
    assert {line.id for line in everything} == {"troubled", "well"}
    assert {line.kind for line in everything} == {"customer-contract"}
    assert attention == troubled
    assert counted == 2


async def test_cancelling_ends_it_and_repeating_changes_nothing(desk: Desk) -> None:
    world = World()
    async with workers(desk.client, world):
        await begin(desk)
        await shown_with(desk, Status.SENT)
        first = await requests.cancel(desk, "msa-0042", reason="not needed", actor="legal-desk", op="op-1")
        again = await requests.cancel(desk, "msa-0042", reason="not needed", actor="legal-desk", op="op-1")
        other = await requests.cancel(desk, "msa-0042", reason="really", actor="legal-desk", op="op-2")
    assert {first.status, again.status, other.status} == {Status.CANCELLED}
    assert (first.op, again.op) == ("op-1", "op-1")
    assert len(world.signatures.cancelled) == 1


async def test_cancelling_what_is_signed_comes_too_late(desk: Desk) -> None:
    world = World()
    world.signatures.status = Status.SIGNED
    world.signatures.sign("customer-signer")
    world.signatures.sign("chief-executive", SignerState.SIGNED)
    async with workers(desk.client, world):
        await begin(desk)
        await shown_with(desk, Status.SIGNED)
        with pytest.raises(Refusal, match="msa-0042: too late"):
            await requests.cancel(desk, "msa-0042", reason="changed our minds", actor="legal-desk")


async def test_a_cancellation_nobody_confirms_says_how_to_repeat_it(desk: Desk) -> None:
    await begin(desk)
    with pytest.raises(requests.NotConfirmed, match="not confirmed, may still apply: repeat with --op op-7"):
        await requests.cancel(
            desk, "msa-0042", reason="not needed", actor="legal-desk", op="op-7", within=timedelta(seconds=0.3)
        )


async def test_cancelling_an_unknown_request_is_refused(desk: Desk) -> None:
    with pytest.raises(Refusal, match="no request nowhere"):
        await requests.cancel(desk, "nowhere", reason="not needed", actor="legal-desk")


def test_the_instants_of_the_answer_are_in_utc() -> None:
    line = requests.RequestLine(id="a", kind="k", status="sent", due_at=datetime(2026, 12, 11, 17, tzinfo=UTC))
    assert '"due_at":"2026-12-11T17:00:00Z"' in line.model_dump_json()
