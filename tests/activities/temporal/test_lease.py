"""An attempt that Temporal does not hear any more makes nothing beside the next one."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.temporal.leases import Lease, nobody_else
from tests.servers import own_namespace

LIFE = timedelta(seconds=12)


class Server:
    """Says what the story tells it to, on the story's clock."""

    def __init__(self) -> None:
        self.now, self.question_count = 100.0, 0
        self.failure: RPCStatusCode | None = None

    async def confirm(self) -> None:
        """Hear the attempt, or not."""
        self.question_count += 1
        if self.failure is not None:
            raise RPCError("no", self.failure, b"")

    def lease(self, ends_after: float = 60) -> Lease:
        """Of an attempt that begins now."""
        return Lease(self.confirm, LIFE, self.now, self.now + ends_after, lambda: self.now)


async def test_the_server_is_asked_when_its_word_is_a_third_of_a_life_old() -> None:
    server = Server()
    lease = server.lease()
    for seconds, expected_count in ((3, 0), (4, 1), (7, 1), (8, 2)):
        server.now = 100 + seconds
        await lease.still_ours()
        assert server.question_count == expected_count


async def test_what_the_server_has_given_away_is_ours_no_longer() -> None:
    server = Server()
    lease, server.failure = server.lease(), RPCStatusCode.NOT_FOUND
    server.now += 4
    with pytest.raises(ApplicationError) as lost:
        await lease.still_ours()
    assert not lost.value.non_retryable


async def test_a_server_that_is_away_ends_nothing_before_it_may_have_given_it_away() -> None:
    server = Server()
    lease, server.failure = server.lease(), RPCStatusCode.UNAVAILABLE
    server.now += 11.9
    await lease.still_ours()
    server.now += 0.1
    with pytest.raises(ApplicationError):
        await lease.still_ours()


async def test_nothing_goes_on_beyond_the_time_of_the_attempt() -> None:
    server = Server()
    lease = server.lease(ends_after=10)
    server.now += 9.9
    await lease.still_ours()
    server.now += 0.1
    with pytest.raises(ApplicationError):
        await lease.still_ours()


async def test_what_is_no_attempt_of_temporal_s_is_nobody_else_s() -> None:
    assert Lease.of_this_attempt() is nobody_else


@pytest.mark.parametrize("ahead", [61, 600], ids=str)
@pytest.mark.parametrize("is_over", [False, True])
async def test_a_worker_whose_clock_is_ahead_asks_at_once_and_believes_the_server(ahead: int, is_over: bool) -> None:
    """Or one that slept between its task and its work: the server alone can tell these two apart."""
    server = Server()
    server.failure = RPCStatusCode.NOT_FOUND if is_over else None
    service = SimpleNamespace(record_activity_task_heartbeat=lambda _: server.confirm())
    connection = SimpleNamespace(config=SimpleNamespace(identity="worker"))
    client = SimpleNamespace(namespace="default", service_client=connection, workflow_service=service)
    environment = ActivityEnvironment(client=cast(Client, client))
    environment.info = replace(
        environment.info,
        heartbeat_timeout=LIFE,
        start_to_close_timeout=timedelta(seconds=60),
        started_time=datetime.now(UTC) - timedelta(seconds=ahead),
    )

    async def attempt() -> None:
        still_ours = Lease.of_this_attempt()
        await still_ours()
        await still_ours()

    if is_over:
        with pytest.raises(ApplicationError, match="does not hear"):
            await environment.run(attempt)
    else:
        await environment.run(attempt)
    assert server.question_count == 1


@workflow.defn
class Twice:
    """Asks for something that takes longer than its worker is heard of."""

    @workflow.run
    async def run(self) -> str:
        """What the second attempt says."""
        return str(
            await workflow.execute_activity(
                "overlap",
                start_to_close_timeout=timedelta(seconds=30),
                heartbeat_timeout=timedelta(seconds=1),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
            )
        )


@pytest.mark.long
@pytest.mark.real_server
async def test_on_a_server_the_attempt_that_was_given_up_knows_it_and_the_next_one_goes_on(dev_server: str) -> None:
    second, messages = asyncio.Event(), asyncio.Queue[str]()

    @activity.defn
    async def overlap() -> str:
        lease = Lease.of_this_attempt()
        if activity.info().attempt == 1:
            await second.wait()
            try:
                await lease()
            except ApplicationError as lost:
                messages.put_nowait(lost.message)
                raise
            messages.put_nowait("still ours")
        second.set()
        messages.put_nowait(await messages.get())
        await lease()
        return "only one"

    client = await own_namespace(dev_server)
    async with Worker(
        client,
        task_queue="lease",
        workflows=[Twice],
        activities=[overlap],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        outcome = await client.execute_workflow(Twice.run, id="lease", task_queue="lease")
    assert (outcome, messages.get_nowait()) == ("only one", "Temporal does not hear this attempt any more")
