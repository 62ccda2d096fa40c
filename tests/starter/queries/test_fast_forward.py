"""A request's clock is moved on the real server: days pass in a second, and never while real work is in trouble."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper

from starter.errors import Refusal
from starter.queries.fast_forward import forward, forward_to_next, span
from tests.servers import PUNCTUAL_TIMERS, own_namespace, real_server
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import a_request, workers
from workflows import names
from workflows.kinds import Kind
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Code
from workflows.signature.workflow import SignatureRequestWorkflow

pytestmark = pytest.mark.real_server


@pytest.fixture
async def client(dev_server: str) -> Client:
    return await own_namespace(dev_server)


async def begin(client: Client, world: World) -> None:
    await client.start_workflow(
        SignatureRequestWorkflow.run,
        a_request(),
        id=Kind.REQUEST.workflow_id("msa-0042"),
        task_queue=names.WORKFLOW_QUEUE,
    )
    await wait_until(lambda: bool(world.planner.planned or world.signatures.created))


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def clock(client: Client, handle: WorkflowHandle[Any, Any]) -> datetime:
    return await TimeSkipper(client).get_current_time(handle)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", timedelta(minutes=90)),
        ("4h", timedelta(hours=4)),
        ("3d", timedelta(days=3)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations_are_those_of_the_files(text: str, expected: timedelta) -> None:
    assert span(text) == expected


@pytest.mark.parametrize("text", ["", "0d", "3", "3s", "-1d", "3d2h", "٣d"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        span(text)


async def test_days_pass_and_what_was_due_on_the_way_is_done(client: Client) -> None:
    world = World()
    async with workers(client, world):
        await begin(client, world)
        began = datetime.now(UTC)
        forwarded = await forward(client, "msa-0042", timedelta(days=7))
    assert forwarded.reached
    assert timedelta(days=7) <= forwarded.now - began < timedelta(days=7, minutes=1)
    assert [stage for stage, _ in world.push.stages()] == ["ready", "reminder-1", "reminder-2"]


async def begin_later(client: Client, delay: timedelta) -> None:
    await client.start_workflow(
        SignatureRequestWorkflow.run,
        a_request(),
        id=Kind.REQUEST.workflow_id("msa-0042"),
        task_queue=names.WORKFLOW_QUEUE,
        start_delay=delay,
    )


async def test_what_was_started_a_moment_ago_is_asked_until_it_has_begun(client: Client) -> None:
    async with workers(client, World()):
        await begin_later(client, timedelta(seconds=2))
        assert (await forward_to_next(client, "msa-0042")).reached


async def test_what_does_not_begin_at_all_is_named(client: Client) -> None:
    await begin_later(client, timedelta(hours=1))
    with pytest.raises(Refusal, match="msa-0042: has not begun within 1 s"):
        await forward_to_next(client, "msa-0042", time_limit=timedelta(seconds=1))


@pytest.mark.long
async def test_a_request_that_ends_on_the_way_is_not_an_error() -> None:
    world = World()
    async with real_server(*PUNCTUAL_TIMERS) as env, workers(env.client, world):
        await begin(env.client, world)
        forwarded = await forward(env.client, "signature-request:msa-0042", timedelta(weeks=8))
    assert not forwarded.reached
    assert len(world.signatures.cancelled) == 1


async def test_a_call_that_is_being_retried_keeps_the_clock_from_being_moved(client: Client) -> None:
    world = World()
    world.signatures.failures += [refusal(Code.UNREACHABLE, retryable=True)] * 50
    async with workers(client, world):
        await begin(client, world)
        with pytest.raises(Refusal, match=r"create_signature_request is being retried \(attempt \d+\)"):
            await forward(client, "msa-0042", timedelta(days=3))
    assert len(world.signatures.created) < 5


async def test_a_retry_on_the_way_stops_the_clock_before_its_pauses_are_skipped(client: Client) -> None:
    world = World()
    async with workers(client, world):
        await begin(client, world)
        world.push.failures += [refusal(Code.UNREACHABLE, retryable=True)] * 50
        with pytest.raises(Refusal, match="deliver_notices is being retried"):
            await forward(client, "msa-0042", timedelta(days=3, hours=1))
        tries = len(world.push.deliveries)
        handle = client.get_workflow_handle("signature-request:msa-0042")
        clock_before, now = await clock(client, handle), datetime.now(UTC)
        await handle.describe()
        clock_after = await clock(client, handle)
    assert tries < 10
    assert clock_after - clock_before < datetime.now(UTC) - now + timedelta(seconds=1)


async def test_what_takes_too_long_is_named(client: Client) -> None:
    world = World()
    async with workers(client, world):
        await begin(client, world)
        await wait_until(lambda: bool(world.push.sent))
        world.signatures.gate = asyncio.Event()
        await client.get_workflow_handle("signature-request:msa-0042").signal(
            names.PROVIDER_EVENT, ProviderEvent(id="e1", type="signed", at=datetime.now(UTC))
        )
        await asyncio.wait_for(world.signatures.observing.wait(), 10)
        try:
            with pytest.raises(Refusal, match=r"not there within 1 s.*it waits for observe_document"):
                await forward(client, "msa-0042", timedelta(days=3), time_limit=timedelta(seconds=1))
        finally:
            world.signatures.gate.set()


async def test_an_unknown_request_has_no_clock(client: Client) -> None:
    with pytest.raises(Refusal, match=r"nowhere: no such request is open.*, customer-onboarding:nowhere, "):
        await forward(client, "nowhere", timedelta(days=3))


@pytest.mark.long
async def test_a_server_that_moves_no_clocks_says_so_in_one_line() -> None:
    server_options = ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=false")
    world = World()
    async with real_server(*server_options) as env, workers(env.client, world):
        await begin(env.client, world)
        with pytest.raises(Refusal, match=r"moves no clocks.*countersign dev"):
            await forward(env.client, "msa-0042", timedelta(days=3))
