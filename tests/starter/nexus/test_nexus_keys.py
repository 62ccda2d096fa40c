"""With payload keys a caller that has them is answered as without, and nothing of it can be read at Temporal."""

import base64
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.policies.catalogue import Catalogue
from starter.config.values import PayloadKey
from starter.nexus.contract import Settlement, Signatures
from starter.nexus.endpoint import ensure_endpoint
from starter.nexus.service import SignaturesHandler
from starter.temporal.codec import data_converter
from tests.activities.launch.papers import Desk
from tests.faults.population import PDF
from tests.servers import own_namespace
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from workflows.kinds import Kind
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Status
from workflows.names import PROVIDER_EVENT, WORKFLOW_QUEUE

pytestmark = pytest.mark.real_server

KEYS = (PayloadKey(id="2026-a", key=SecretBytes(bytes(range(32)))),)
TITLE = "Kanarienvogel agreement"
ASKED: dict[str, Any] = {
    "id": "msa-0042",
    "kind": "customer-contract",
    "document": {"name": TITLE, "pdf": base64.b64encode(PDF).decode()},
    "requester": "legal-desk",
    "signers": [{"person": "customer-signer"}, {"person": "chief-executive"}],
}


@workflow.defn(name="AsksWithKeys")
class AskingWorkflow:
    """Another team's workflow."""

    @workflow.run
    async def run(self, endpoint: str, request: dict[str, Any]) -> Settlement:
        """Ask for one signature."""
        signatures = workflow.create_nexus_client(service=Signatures, endpoint=endpoint)
        return await signatures.execute_operation(
            Signatures.request_signature, request, schedule_to_close_timeout=timedelta(minutes=2)
        )


async def test_who_has_the_keys_is_answered_and_nothing_can_be_read_of_it(dev_server: str, tmp_path: Path) -> None:
    own_client, other_client = [await own_namespace(dev_server, data_converter(KEYS)) for _ in range(2)]
    desk, world, endpoint = Desk(tmp_path), World(), f"e-{uuid.uuid4().hex[:12]}"
    await ensure_endpoint(own_client, endpoint)
    service = SignaturesHandler(
        own_client, desk.store, desk.directory, partial(Catalogue.read, tmp_path / "catalogue.yaml")
    )
    asking = Worker(
        other_client, task_queue="asks", workflows=[AskingWorkflow], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with (
        workers(own_client, world),
        Worker(own_client, task_queue=WORKFLOW_QUEUE, nexus_service_handlers=[service]),
        asking,
    ):
        order = await other_client.start_workflow(
            AskingWorkflow.run, args=[endpoint, ASKED], id="order", task_queue="asks"
        )
        await world.signatures.creating.wait()
        for signer in ASKED["signers"]:
            world.signatures.sign(signer["person"])
        world.signatures.status = Status.SIGNED
        event = ProviderEvent(id="e-1", type="signed", at=datetime.now(UTC))
        request = own_client.get_workflow_handle(Kind.REQUEST.workflow_id(ASKED["id"]))
        await request.signal(PROVIDER_EVENT, event)
        settled = await order.result()
    assert (settled.request, settled.outcome) == (ASKED["id"], "signed")
    written = str(await order.fetch_history()) + str(await request.fetch_history())
    assert "binary/encrypted" in written
    assert [text for text in (TITLE, "customer-signer", '"signed"') if text in written] == []
