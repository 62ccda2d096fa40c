"""One plugin gives client, worker and replayer what they must have alike."""

import os
from importlib.metadata import version

import pytest
from pydantic import SecretBytes
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox._runner import _Instance

from starter.config.values import PayloadKey
from starter.temporal.plugin import CountersignPlugin, TaskSandbox
from tests.servers import own_namespace
from tests.workflows.fakes import World
from tests.workflows.stage import a_request
from workflows.kinds import Kind
from workflows.model.hand_off import SettledRequest
from workflows.model.subject import Status
from workflows.names import EVIDENCE_QUEUE, SIGNATURE_QUEUE, SIGNATURE_REQUEST, WORKFLOW_QUEUE

KEY = PayloadKey("2026-a", SecretBytes(b"k" * 32))


@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["open", "encrypted"])
def test_the_sandbox_is_entered_for_no_payload_because_the_converter_asks_of_no_command(
    keys: tuple[PayloadKey, ...],
) -> None:
    plugin = CountersignPlugin(keys)
    config = Replayer(workflows=(), plugins=[plugin]).config(active_config=True)
    assert isinstance(config.get("workflow_runner"), TaskSandbox)
    converter = config["data_converter"]
    of_a_command = WorkflowSerializationContext(namespace="ours", workflow_id="request:msa-0042")
    assert converter.with_context(of_a_command) is converter
    assert converter.external_storage is None


def test_the_sdk_is_of_the_version_whose_insides_were_read() -> None:
    assert version("temporalio").startswith("1.35."), (
        "read temporalio/worker/_workflow.py and workflow_sandbox/_runner.py of the new version, then pin it: "
        "who calls get_serialization_context and get_external_store_context (TaskSandbox in starter/temporal/plugin.py "
        "answers for them), whether `activate` still returns a completion with `failed` (NotingRunner in "
        "deploy/rollout.py), and _WorkflowLogicFlag (tests/workflows/test_replay.py)"
    )


def test_another_runner_that_was_chosen_stays() -> None:
    unsandboxed = UnsandboxedWorkflowRunner()
    config = Replayer(workflows=(), plugins=[CountersignPlugin()], workflow_runner=unsandboxed).config(
        active_config=True
    )
    assert config.get("workflow_runner") is unsandboxed


@pytest.mark.real_server
async def test_another_application_runs_reads_and_replays_a_request_with_the_plugin_alone(
    dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[object] = []
    monkeypatch.setattr(_Instance, "get_serialization_context", lambda _, context: entered.append(context))
    world, plugin = World(), CountersignPlugin([PayloadKey("2026-a", SecretBytes(os.urandom(32)))])
    world.signatures.status = Status.SIGNED
    namespace = (await own_namespace(dev_server)).namespace
    client = await Client.connect(dev_server, namespace=namespace, plugins=[plugin])
    workflow_activities = [*world.planner.activities(), *world.push.activities(), *world.handoff.activities()]
    signature_activities = [*world.signatures.activities(), *world.push.activities()]
    async with (
        Worker(client, task_queue=WORKFLOW_QUEUE, activities=workflow_activities),
        Worker(client, task_queue=SIGNATURE_QUEUE, activities=signature_activities),
        Worker(client, task_queue=EVIDENCE_QUEUE, activities=world.evidence.activities()),
    ):
        handle = await client.start_workflow(
            SIGNATURE_REQUEST,
            a_request(),
            id=Kind.REQUEST.workflow_id("msa-0042"),
            task_queue=WORKFLOW_QUEUE,
            result_type=SettledRequest,
        )
        assert (await handle.result()).outcome is Status.SIGNED
    assert entered == [], "the sandbox is entered for tasks, and for no payload"
    history = await handle.fetch_history()
    assert b"customer-contract" not in b"".join(event.SerializeToString() for event in history.events)
    assert (await Replayer(workflows=(), plugins=[plugin]).replay_workflow(history)).replay_failure is None
