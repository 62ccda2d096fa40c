"""docs/deploying.md on the real server: versions come, ramp, become current, drain and go; the requests live on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus

from deploy import rollout
from deploy.rollout import ReplayCheck, rehearse
from starter.cli.doctor.health import PartHealth, SetUpPart
from starter.cli.doctor.temporal import progress
from starter.errors import Exit
from starter.temporal.workers import wake_stuck
from tests.servers import own_namespace, real_server
from tests.versions.changed import (
    ThatNeedsMore,
    Unchanged,
    WithAFaultAfterSending,
    WithOneMoreActivity,
    WithOneMoreActivityBehindAPatch,
)
from tests.versions.commands import documented, run_command
from tests.versions.stage import Living, Surroundings, deploy_workers, eventually, start_request
from tests.versions.test_path import OF_THE_PATH
from workflows.kinds import Kind
from workflows.model.subject import Status
from workflows.names import CUSTOMER_ONBOARDING, WORKFLOW_QUEUE

pytestmark = pytest.mark.real_server

OLD, NEW = "2026-11-a", "2026-11-b"
SOON = tuple(
    argument
    for setting in (
        'matching.wv.VersionDrainageStatusVisibilityGracePeriod="1s"',
        'matching.wv.VersionDrainageStatusRefreshInterval="1s"',
        "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1",
    )
    for argument in ("--dynamic-config-value", setting)
)
"""What takes the server minutes by default, in seconds."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[str]:
    """Address of one server for all stories of this file."""
    async with real_server(*SOON) as env:
        yield env.client.service_client.config.target_host


@pytest.fixture
async def client(server: str) -> Client:
    """A client of a namespace that no other story has."""
    return await own_namespace(server)


async def run(client: Client, name: str) -> str:
    """Run a command of the page until the server takes it: it knows a version only once its workers have asked."""
    address, namespace = client.service_client.config.target_host, client.namespace

    async def run_once() -> str | None:
        code, output = await run_command(
            name, address, OLD=OLD, NEW=NEW, REQUEST="msa-0042", TEMPORAL_NAMESPACE=namespace
        )
        return output if code == 0 else None

    return await eventually(run_once)


async def is_told(surroundings: Surroundings, stage: str = "ready", times: int = 1) -> None:
    async def was_notified() -> bool:
        return surroundings.count_notices(stage, "customer-signer") >= times

    await eventually(was_notified)


@pytest.mark.long
async def test_an_open_request_lives_on_when_versioning_is_switched_on_and_off(client: Client) -> None:
    surroundings = Surroundings()
    async with deploy_workers(client, surroundings):
        request = await start_request(client, surroundings)
        await is_told(surroundings)
        async with deploy_workers(client, surroundings, OLD):
            await run(client, "back")
            await request.reaches(OLD)
    async with deploy_workers(client, surroundings, OLD), deploy_workers(client, surroundings):
        await run(client, "unversioned")
        await request.reaches("")
    async with deploy_workers(client, surroundings):
        assert (await request.signed_by_all()).outcome is Status.SIGNED
    assert surroundings.count_notices("ready", "customer-signer") == 1


@pytest.mark.long
async def test_a_new_version_comes_ramps_is_current_and_the_old_one_drains_and_comes_back(client: Client) -> None:
    surroundings = Surroundings()
    async with deploy_workers(client, surroundings, OLD):
        request = await start_request(client, surroundings)
        await run(client, "back")
        await is_told(surroundings)
        async with deploy_workers(client, surroundings, NEW, Unchanged):
            await run(client, "canary")
            await request.visits(NEW)
            await request.reaches(OLD)
            await run(client, "ramp")
            assert await versions(await start_some(client, surroundings)) == {OLD, NEW}
            await run(client, "no-ramp")
            await run(client, "current")
            await request.reaches(NEW)
            await eventually(lambda: drained(client))
    async with deploy_workers(client, surroundings, NEW, Unchanged):
        await request.reaches(NEW)
        async with deploy_workers(client, surroundings, OLD):
            await run(client, "back")
            await request.reaches(OLD)
    async with deploy_workers(client, surroundings, OLD):
        assert (await request.signed_by_all()).outcome is Status.SIGNED
    for code in (Unchanged, WithOneMoreActivityBehindAPatch):
        assert await rehearse(client, code=(code,)) == ReplayCheck(len(SOME), len(SOME), {})
    assert surroundings.count_notices("ready", "customer-signer") == 1 + len(SOME)


SOME = ("nda-2", "nda-3", "nda-13")
"""The server chooses by the id who is of the tenth that has the ramping version: the first is not, the others are."""


async def start_some(client: Client, surroundings: Surroundings) -> list[Living]:
    """Requests started during a ramp, each with a worker."""
    requests = await asyncio.gather(*(start_request(client, surroundings, name) for name in SOME))
    await is_told(surroundings, times=1 + len(SOME))
    return requests


async def versions(requests: list[Living]) -> set[str]:
    return set(await asyncio.gather(*(request.build() for request in requests)))


async def drained(client: Client) -> bool:
    return "drained" in await run(client, "drained")


@pytest.mark.long
async def test_a_version_that_does_not_fit_is_seen_taken_back_and_nothing_has_failed(client: Client) -> None:
    surroundings = Surroundings()
    async with deploy_workers(client, surroundings, OLD):
        request = await start_request(client, surroundings)
        await run(client, "back")
        await is_told(surroundings)
        assert list((await rehearse(client, code=(WithOneMoreActivity,))).stuck) == [request.handle.id]
        async with deploy_workers(client, surroundings, NEW, WithOneMoreActivity):
            await run(client, "current")
            await request.reaches(NEW)
            await eventually(lambda: stuck(client, request))
            await run(client, "back")
            assert (await request.signed_by_all()).outcome is Status.SIGNED
    assert surroundings.count_notices("ready", "customer-signer") == 1
    assert surroundings.signatures.cancelled == []


async def stuck(client: Client, request: Living) -> bool:
    return request.handle.id in await run(client, "stuck")


@pytest.mark.long
async def test_a_patch_is_rolled_forward_and_waits_for_code_that_knows_it(client: Client) -> None:
    surroundings = Surroundings()
    async with (
        deploy_workers(client, surroundings, NEW, WithOneMoreActivityBehindAPatch),
        deploy_workers(client, surroundings, OLD),
    ):
        await run(client, "current")
        request = await start_request(client, surroundings)
        await is_told(surroundings)
        await run(client, "back")
        await request.reaches(OLD)
        await eventually(lambda: stuck(client, request))
        address, namespace = client.service_client.config.target_host, client.namespace
        code, output = await run_command("rehearse", address, TEMPORAL_NAMESPACE=namespace)
        assert code == 1
        assert output.splitlines()[-1] == f"1 of 1 open workflows on {address}/{namespace} replayed, 1 would get stuck"
        assert output.startswith(f"{request.handle.id}: Nondeterminism error: ")
        assert (await request.handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await run(client, "current")
        assert (await request.signed_by_all()).outcome is Status.SIGNED


@pytest.mark.long
async def test_a_request_that_fails_in_the_task_nobody_has_completed_is_seen(client: Client) -> None:
    """Nothing of that task is recorded, so there is nothing that a replay could find different."""
    surroundings = Surroundings()
    async with deploy_workers(client, surroundings, code=WithAFaultAfterSending):
        request = await start_request(client, surroundings)
        await eventually(lambda: failed_a_task(request))
        rehearsal = await rehearse(client, code=(WithAFaultAfterSending,))
        assert rehearsal.stuck == {request.handle.id: "OverflowError: date value out of range"}
        assert (await rehearse(client)).fits


@pytest.mark.long
async def test_what_its_next_timer_would_find_stuck_in_days_is_seen_when_a_worker_begins(client: Client) -> None:
    """`doctor` and the list of what needs attention ask the server, which knows of tasks that failed alone."""
    surroundings = Surroundings()
    async with deploy_workers(client, surroundings):
        request = await start_request(client, surroundings)
        await is_told(surroundings)
        await eventually(lambda: are_running(client, 1))
        assert await wake_stuck(client) == ()
    async with deploy_workers(client, surroundings, code=ThatNeedsMore):
        assert await wake_stuck(client) == (request.handle.id,)
        part = await eventually(lambda: not_fine(client))
    assert part.says.startswith("1 stuck")
    async with deploy_workers(client, surroundings):
        assert (await request.signed_by_all()).outcome is Status.SIGNED
    assert surroundings.count_notices("ready", "customer-signer") == 1


async def not_fine(client: Client) -> SetUpPart | None:
    part = await progress(client)
    return part if part.state is PartHealth.WRONG else None


async def test_whatever_is_open_is_replayed_of_whichever_type(client: Client) -> None:
    """An onboarding outlives more deploys than any request."""
    onboarding = Kind.ONBOARDING.workflow_id("acme")
    await client.start_workflow(CUSTOMER_ONBOARDING, {"no": "onboarding"}, id=onboarding, task_queue=WORKFLOW_QUEUE)
    await eventually(lambda: are_running(client, 1))
    assert list((await rehearse(client)).stuck) == [onboarding]


async def failed_a_task(request: Living) -> bool:
    history = await request.handle.fetch_history()
    return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for event in history.events)


@pytest.mark.long
async def test_a_request_that_was_not_looked_at_is_told_and_is_no_fit(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings = Surroundings()
    async with deploy_workers(client, surroundings):
        address = client.service_client.config.target_host
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", client.namespace)
        for name in ("msa-0042", "nda-0001"):
            await start_request(client, surroundings, name)
        await is_told(surroundings, times=2)
        await eventually(lambda: are_running(client, 2))
        assert [await rollout.run(1), await rollout.run()] == [1, 0]
    assert capsys.readouterr().out.splitlines() == [
        f"{number} of 2 open workflows on {address}/{client.namespace} replayed, 0 would get stuck" for number in (1, 2)
    ]


async def are_running(client: Client, count: int) -> bool:
    return (await client.count_workflows("ExecutionStatus = 'Running'")).count == count


@pytest.mark.parametrize("limit_text", ["-1", "0", "all"])
def test_to_look_at_nothing_is_wrong_usage(
    limit_text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rollout", f"--most={limit_text}"])
    with pytest.raises(SystemExit) as ending:
        rollout.main()
    assert ending.value.code == Exit.USAGE
    assert "must be a whole number, 1 or more" in capsys.readouterr().err


def test_every_command_of_the_page_is_run_here() -> None:
    used = {"rehearse", "canary", "ramp", "stuck", "current", "drained", "no-ramp", "back", "unversioned"}
    assert set(documented()) == used | OF_THE_PATH
