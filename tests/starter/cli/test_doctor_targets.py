"""`doctor --targets`: each target of the catalogue tried, one line each, and never a secret in it."""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from standardwebhooks import Webhook
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.hand_off.http_call import HttpTargets, HttpTargetsConfig
from activities.hand_off.people import GROUP_AT_MOST
from activities.http.client import make_client
from activities.http.transport import Guard
from activities.people.devices import KnownDevice
from activities.people.file_directory import FileDirectory
from activities.people.person import Person
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from starter.cli.doctor import examination as doctor
from starter.cli.doctor.examination import TargetCheckContext, try_targets
from starter.cli.doctor.health import Examination, PartHealth
from starter.config.settings import load
from starter.nexus.endpoint import ensure_endpoint
from starter.queries.targets import targets_of
from tests.activities.hand_off.test_started_workflows import Archive
from tests.activities.notifications.stage import arm, entries
from tests.servers import own_namespace
from tests.versions.stage import eventually
from workflows.model.policy import NexusOperation, StartTarget, Target

SECRET = "whsec_c2VjcmV0IG9mIGZpbmFuY2UgYXMgbG9uZyBhcyBpdCBtdXN0"
NOBODY: Final[Any] = None
"""The directory of a trial in which nobody is looked up."""
PEOPLE = {
    "people": [
        {"id": "hr-desk", "name": "Ada Ng", "email": "ada@us.example", "zone": "Europe/Paris", "groups": ["hr"]},
        {
            "id": "chair",
            "name": "Bo Li",
            "email": "bo@us.example",
            "zone": "Europe/Paris",
            "groups": ["hr", "board"],
            "devices": [{"token": "a-token", "platform": "web"}],
        },
    ]
}


async def try_handoff(folder: Path, handoff: list[dict[str, Any]], **overrides: str) -> Examination:
    """What is found of the targets of one kind, and of one below it that has them as well."""
    (folder / "people.yaml").write_text(json.dumps(PEOPLE))
    kinds = {"base": {"handoff": handoff}, "below": {"extends": "base"}}
    (folder / "catalogue.yaml").write_text(json.dumps({"kinds": kinds}))
    environment: Mapping[str, str] = {
        "COUNTERSIGN_POLICIES": str(folder / "catalogue.yaml"),
        "COUNTERSIGN_PEOPLE": str(folder / "people.yaml"),
        "COUNTERSIGN_DATA_DIR": str(folder),
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        **overrides,
    }
    return await try_targets(load(environment=environment))


async def ping_target(folder: Path, sandbox: RunningSandbox, **overrides: Any) -> Examination:
    """What is found of one system."""
    hook = {"target": "finance", "url": f"{sandbox.url}/_sandbox/targets/of-a-secret", **overrides}
    host = sandbox.url.removeprefix("http://")
    return await try_handoff(
        folder, [hook], COUNTERSIGN_HANDOFF_HOSTS=host, COUNTERSIGN_HANDOFF_SECRETS=f"finance={SECRET}"
    )


@pytest.mark.parametrize("format", ["standard", "cloudevents"])
async def test_a_system_gets_one_signed_ping_in_its_format(tmp_path: Path, format: str) -> None:
    async with running(SandboxSettings()) as sandbox:
        examination = await ping_target(tmp_path, sandbox, format=format, on=["signed", "escalated"])
        (call,) = entries(sandbox, "downstream")
    [part] = examination.parts
    assert (part.part, part.state, part.says) == ("finance", PartHealth.OK, "127.0.0.1 took a signed ping")
    assert (call["body"]["type"], call["body"]["data"]) == ("ping", {"version": 1, "target": "finance"})
    assert ("specversion" in call["body"]) == (format == "cloudevents")
    Webhook(SECRET).verify(call["raw"], call["headers"])
    assert "secret" not in examination.model_dump_json()


async def test_what_a_system_answers_is_said_in_words(tmp_path: Path) -> None:
    async with running(SandboxSettings()) as sandbox:
        arm(sandbox, path="/_sandbox/targets/*", fault="404")
        examination = await ping_target(tmp_path, sandbox)
    assert [(part.state, part.says) for part in examination.parts] == [(PartHealth.WRONG, "127.0.0.1: HTTP 404")]
    assert not examination.ok


async def test_a_target_that_took_the_ping_and_wants_no_more_calls_is_wrong() -> None:
    async def public(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    answers = httpx.MockTransport(lambda _: httpx.Response(204, headers={"webhook-delivery": "disable"}))
    target = Target(target="finance", url="https://erp.example/hooks")
    async with make_client(transport=answers) as calls:
        downstream = HttpTargets(calls, HttpTargetsConfig(), Guard((), public))
        part = await TargetCheckContext(downstream, frozenset({"finance"}), NOBODY, "no server").check_target(target)
    assert (part.state, part.says) == (
        PartHealth.WRONG,
        "erp.example: it wants no more calls (webhook-delivery: disable)",
    )


async def test_a_target_that_resolves_to_a_private_address_is_said_in_words(tmp_path: Path) -> None:
    hooks: list[dict[str, Any]] = [
        {"target": "inside", "url": "https://10.0.0.1/hooks"},
        {"target": "metadata", "url": "https://169.254.169.254/latest"},
        {"target": "local", "url": "http://localhost:9/hooks"},
    ]
    examination = await try_handoff(tmp_path, hooks)
    assert [part.says for part in examination.parts] == [
        "10.0.0.1: address refused: a private address must be listed in COUNTERSIGN_HANDOFF_HOSTS",
        "169.254.169.254: address refused: a private address must be listed in COUNTERSIGN_HANDOFF_HOSTS",
        "localhost: address refused: plain http goes to a listed loopback address only",
    ]


async def test_people_and_groups_are_looked_up_and_a_server_that_is_away_hides_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "kick-off.yaml").write_text('customer: {person: "{person-1}"}')
    handoff: list[dict[str, Any]] = [
        {"target": "chair", "person": "chair"},
        {"target": "hr", "group": "hr"},
        {"target": "nobody", "person": "nobody"},
        {"target": "none", "group": "none"},
        {"target": "kick-off", "start": {"onboarding": "kick-off.yaml"}},
        {"target": "acme", "workflow": "customer-onboarding:acme"},
        {"target": "archive", "start": {"workflow": "Archive", "queue": "archive"}},
    ]
    examination = await try_handoff(tmp_path, handoff)
    *parts, acme, archive = examination.parts
    assert [(part.part, part.state, part.says) for part in parts] == [
        ("chair", PartHealth.OK, "chair, with a device each"),
        ("hr", PartHealth.WARNING, "2 people of hr: 1 without a device"),
        ("nobody", PartHealth.WRONG, '"nobody" is not in people.yaml'),
        ("none", PartHealth.WRONG, 'the group "none" is not in people.yaml'),
        ("kick-off", PartHealth.OK, "kick-off.yaml is there, and all its placeholders are filled"),
    ]
    assert {acme.state, archive.state} == {PartHealth.WRONG}
    assert "no Temporal server" in acme.says


class OddDirectory(FileDirectory):
    """One member more than is told, and nobody's devices are ever found."""

    async def group(self, name: str) -> tuple[str, ...]:
        return ("chair",) * (GROUP_AT_MOST + 1)

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        await asyncio.Event().wait()
        return ()


async def try_target(folder: Path, target: Target) -> tuple[PartHealth, str]:
    """What is found of a target there."""
    (folder / "people.yaml").write_text(json.dumps(PEOPLE))
    town = OddDirectory(folder / "people.yaml", Store(str(folder)))
    async with make_client() as calls:
        trial = TargetCheckContext(
            HttpTargets(calls, HttpTargetsConfig(), Guard(())), frozenset(), town, "not needed", seconds=0.1
        )
        part = await trial.check_target(target)
    return part.state, part.says


async def test_a_group_larger_than_is_told_is_wrong_before_anything_has_ended(tmp_path: Path) -> None:
    assert await try_target(tmp_path, Target(target="all", group="all")) == (
        PartHealth.WRONG,
        "all: 1,001 members, and a target has at most 1,000",
    )


async def test_a_store_that_is_too_slow_to_look_for_devices_is_said_and_not_waited_for(tmp_path: Path) -> None:
    assert await try_target(tmp_path, Target(target="chair", person="chair")) == (
        PartHealth.WARNING,
        "chair: the store is too slow to say who has a device",
    )


@pytest.mark.real_server
async def test_workflows_and_queues_are_looked_at(tmp_path: Path, dev_server: str) -> None:
    (tmp_path / "people.yaml").write_text(json.dumps(PEOPLE))
    client, directory = await own_namespace(dev_server), FileDirectory(tmp_path / "people.yaml", Store(str(tmp_path)))
    acme = Target(target="acme", workflow="acme")
    archive = Target(target="archive", start=StartTarget(workflow="Archive", queue="archive"))

    async def at_work() -> bool:
        return (await trial.check_target(archive)).says == "a worker polls archive"

    async def is_there(target: Target) -> bool:
        return (await trial.check_target(target)).state is PartHealth.OK

    async with make_client() as calls:
        trial = TargetCheckContext(HttpTargets(calls, HttpTargetsConfig(), Guard(())), frozenset(), directory, client)
        assert (await trial.check_target(acme)).says == "acme does not run: until it does, every hand-off to it is dead"
        handle = await client.start_workflow(Archive.run, {}, id="acme", task_queue="archive")
        assert (await trial.check_target(acme)).says == "acme runs"
        await handle.terminate()
        assert (await trial.check_target(acme)).state is PartHealth.WARNING
        keep = Target(
            target="keep", nexus=NexusOperation(endpoint=f"e-{client.namespace}", service="archive", operation="keep")
        )
        assert (await trial.check_target(keep)).says == f"there is no Nexus endpoint e-{client.namespace}"
        spec = EndpointSpec(
            name=f"e-{client.namespace}",
            target=EndpointTarget(worker=EndpointTarget.Worker(namespace=client.namespace, task_queue="archive")),
        )
        await client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=spec))
        assert await eventually(lambda: is_there(keep))
        idle = await trial.check_target(archive)
        assert idle.says == "no worker polls archive: what is started there waits"
        async with Worker(
            client, task_queue="archive", workflows=[Archive], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            assert await eventually(at_work)


@pytest.mark.real_server
async def test_of_an_operation_the_endpoint_is_looked_for(tmp_path: Path, dev_server: str) -> None:
    (tmp_path / "people.yaml").write_text(json.dumps(PEOPLE))
    client, directory = await own_namespace(dev_server), FileDirectory(tmp_path / "people.yaml", Store(str(tmp_path)))
    name = f"e-{uuid.uuid4().hex[:12]}"
    target = Target(target="archive", nexus=NexusOperation(endpoint=name, service="archive", operation="keep"))
    async with make_client() as calls:
        trial = TargetCheckContext(HttpTargets(calls, HttpTargetsConfig(), Guard(())), frozenset(), directory, client)
        missing = await trial.check_target(target)
        assert (missing.state, missing.says) == (PartHealth.WRONG, f"there is no Nexus endpoint {name}")
        await ensure_endpoint(client, name)
        assert (await trial.check_target(target)).state is PartHealth.OK


async def test_a_catalogue_that_cannot_be_used_is_the_one_part_and_one_without_targets_says_so(tmp_path: Path) -> None:
    [part] = (await try_handoff(tmp_path, [{"target": "t"}])).parts
    assert (part.part, part.state) == ("policies", PartHealth.WRONG)
    [hand_off_part] = (await try_handoff(tmp_path, [])).parts
    assert (hand_off_part.part, hand_off_part.state) == ("hand-off", PartHealth.WARNING)


async def test_ten_times_as_many_as_are_tried_at_once_are_each_tried_once(tmp_path: Path) -> None:
    kinds = {
        f"kind-{number}": {"handoff": [{"target": f"t-{number}-{index}", "person": "chair"} for index in range(10)]}
        for number in range(doctor.TRIED_AT_ONCE)
    }
    (tmp_path / "catalogue.yaml").write_text(json.dumps({"kinds": kinds}))
    assert len(targets_of(Catalogue.read(tmp_path / "catalogue.yaml"))) == 10 * doctor.TRIED_AT_ONCE
    (tmp_path / "people.yaml").write_text(json.dumps(PEOPLE))
    environment = {
        "COUNTERSIGN_POLICIES": str(tmp_path / "catalogue.yaml"),
        "COUNTERSIGN_PEOPLE": str(tmp_path / "people.yaml"),
        "COUNTERSIGN_DATA_DIR": str(tmp_path),
    }
    examination = await try_targets(load(environment=environment))
    assert len({part.part for part in examination.parts}) == len(examination.parts) == 10 * doctor.TRIED_AT_ONCE
