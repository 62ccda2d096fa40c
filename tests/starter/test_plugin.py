"""One plugin gives client, worker and replayer what they must have alike."""

import os

import pytest
from pydantic import SecretBytes
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

from starter.plugin import CountersignPlugin
from starter.setting_values import PayloadKey
from tests.servers import own_namespace
from tests.workflows.fakes import World
from tests.workflows.stage import a_request
from workflows.kinds import Kind
from workflows.model.settlement import Settled
from workflows.model.subject import Status
from workflows.names import SIGNATURE_QUEUE, SIGNATURE_REQUEST, WORKFLOW_QUEUE

pytestmark = pytest.mark.real_server


async def test_another_application_runs_reads_and_replays_a_request_with_the_plugin_alone(dev_server: str) -> None:
    world, plugin = World(), CountersignPlugin([PayloadKey("2026-a", SecretBytes(os.urandom(32)))])
    world.signatures.status = Status.SIGNED
    namespace = (await own_namespace(dev_server)).namespace
    client = await Client.connect(dev_server, namespace=namespace, plugins=[plugin])
    ours = [*world.planner.activities(), *world.push.activities(), *world.handoff.activities()]
    theirs = [*world.signatures.activities(), *world.push.activities()]
    async with (
        Worker(client, task_queue=WORKFLOW_QUEUE, activities=ours),
        Worker(client, task_queue=SIGNATURE_QUEUE, activities=theirs),
    ):
        handle = await client.start_workflow(
            SIGNATURE_REQUEST,
            a_request(),
            id=Kind.REQUEST.workflow_id("msa-0042"),
            task_queue=WORKFLOW_QUEUE,
            result_type=Settled,
        )
        assert (await handle.result()).outcome is Status.SIGNED
    history = await handle.fetch_history()
    assert b"customer-contract" not in b"".join(event.SerializeToString() for event in history.events)
    assert (await Replayer(workflows=(), plugins=[plugin]).replay_workflow(history)).replay_failure is None
