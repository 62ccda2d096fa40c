"""Pools of queues: what they are called, and how a process learns that it polls no more."""

import argparse
import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio import activity, workflow
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

import worker
from activities.http.rate_limit import RateLimiter
from starter.config.settings import load
from starter.temporal.pollers import ENDED_AFTER, LastPolls, Pool, pools_of, queues_of, until_listed
from starter.temporal.workers import find_stopped, make_slots, make_workers, polling
from tests.servers import own_namespace
from tests.starter.terminal import type_
from workflows.names import CAMPAIGN_QUEUE, QUEUES, SIGNATURE_QUEUE, WORKFLOW_QUEUE

BEGAN = datetime(2027, 1, 11, 9, tzinfo=UTC)
ME = "countersign-worker-1"


def test_every_queue_is_of_one_pool() -> None:
    assert sorted(queues_of(Pool)) == sorted(QUEUES)


def test_pools_are_named_in_any_order_and_once() -> None:
    assert pools_of("campaigns, requests,campaigns,") == (Pool.REQUESTS, Pool.CAMPAIGNS)
    assert queues_of(pools_of("core-signature")) == [
        "countersign-core-signature-urgent",
        "countersign-core-signature",
        "countersign-evidence",
    ]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "request",
            "no queues are called request, did you mean requests?; there are requests, campaigns, core-signatu",
        ),
        (
            "requests,sweeps",
            "no queues are called sweeps; there are requests, campaigns, core-signature, reconciliation",
        ),
        (" ,", "name queues, separated by commas: there are requests, campaigns, core-signature, reconciliation"),
    ],
)
def test_a_pool_that_there_is_not_is_refused_with_what_there_is(typed: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        worker._parse_pools(typed)
    assert str(refused.value).startswith(message)


@pytest.mark.long
def test_the_command_refuses_it_as_the_module_does() -> None:
    typed = type_("worker", "--queues", "campaign")
    assert typed.returncode == 2
    assert "no queues are called campaign, did you mean campaigns?" in typed.stderr


@dataclass
class Server:
    """A server's list of pollers; its clock is an hour fast."""

    polled: dict[str, datetime] = field(default_factory=dict)
    is_away: bool = False
    seconds: float = 0

    async def describe_task_queue(self, request: DescribeTaskQueueRequest) -> DescribeTaskQueueResponse:
        """Answer as a server does, which also lists others."""
        if self.is_away:
            raise RPCError("no answer", RPCStatusCode.UNAVAILABLE, b"")
        answer = DescribeTaskQueueResponse(pollers=[PollerInfo(identity="another")])
        if polled_at := self.polled.get(request.task_queue.name):
            answer.pollers.append(PollerInfo(identity=ME))
            answer.pollers[-1].last_access_time.FromDatetime(polled_at)
        return answer

    def polls(self, *queues: str) -> None:
        """This process polls them now."""
        now = BEGAN + timedelta(hours=1, seconds=self.seconds)
        self.polled |= dict.fromkeys(queues, now)

    def passes(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def sightings(self) -> LastPolls:
        @dataclass
        class Seen:
            workflow_service: Server
            namespace: str = "default"
            identity: str = ME

        return LastPolls(cast(Client, Seen(self)), lambda: self.seconds)


MINUTES = ENDED_AFTER.total_seconds()
BOTH = (WORKFLOW_QUEUE, CAMPAIGN_QUEUE)


async def test_a_queue_that_is_polled_no_more_is_named_after_three_polls_and_until_it_is_polled_again() -> None:
    server = Server()
    sightings = server.sightings
    server.polls(*BOTH)
    for _ in range(3):
        assert await sightings.find_ended(BOTH) == []
        server.passes(MINUTES / 3)
        server.polls(CAMPAIGN_QUEUE)
    assert await sightings.find_ended(BOTH) == []
    server.passes(1)
    assert await sightings.find_ended(BOTH) == [WORKFLOW_QUEUE]
    del server.polled[WORKFLOW_QUEUE]  # The server forgets it after five minutes.
    server.passes(MINUTES - 2)
    assert await sightings.find_ended(BOTH) == [WORKFLOW_QUEUE]
    server.polls(*BOTH)
    assert await sightings.find_ended(BOTH) == []


async def test_after_an_outage_of_the_server_a_poll_has_its_time_again() -> None:
    server = Server()
    sightings = server.sightings
    server.polls(WORKFLOW_QUEUE)
    assert await sightings.find_ended(BOTH) == []
    server.is_away = True
    for _ in range(12):
        server.passes(10)
        with pytest.raises(RPCError):
            await sightings.find_ended(BOTH)
    server.is_away = False
    server.passes(MINUTES)
    assert await sightings.find_ended(BOTH) == []
    server.passes(MINUTES + 1)
    assert await sightings.find_ended(BOTH) == [WORKFLOW_QUEUE]


async def test_what_the_server_never_listed_and_what_need_not_be_polled_is_not_named() -> None:
    server = Server()
    sightings = server.sightings
    assert await sightings.find_ended(BOTH) == []
    server.passes(10 * MINUTES)
    assert await sightings.find_ended(BOTH) == []
    server.polls(CAMPAIGN_QUEUE)
    assert await sightings.find_ended(BOTH) == []
    server.passes(10 * MINUTES)
    assert await sightings.find_ended([WORKFLOW_QUEUE]) == []
    assert await sightings.find_ended(BOTH) == []


@pytest.mark.real_server
async def test_a_worker_on_one_pool_polls_nothing_else_and_is_missed_when_it_ends(dev_server: str) -> None:
    @activity.defn
    async def nothing() -> None:
        """Do nothing."""

    client = await own_namespace(dev_server)
    settings = load(environment={"TEMPORAL_ADDRESS": dev_server})
    slots = make_slots(calls := RateLimiter(5))
    pools = (Pool.CORE_SIGNATURE, Pool.RECONCILIATION)
    queue_workers = make_workers(client, {queue: [nothing] for queue in QUEUES}, slots, settings, pools=pools)
    assert [queue_worker.task_queue for queue_worker in queue_workers] == queues_of(pools)
    seconds = 0.0
    sightings = LastPolls(client, lambda: seconds)
    async with polling(queue_workers):
        assert await until_listed(client, client.identity, pools)
        assert await find_stopped(queue_workers, slots, sightings) == ""
        seconds += MINUTES + 1  # Idle: within one poll of theirs.
        assert (await find_stopped(queue_workers, slots, sightings)).endswith(
            "countersign-reconciliation is polled no more"
        )
        calls.change(0)
        await queue_workers[1].shutdown()
        assert await find_stopped(queue_workers, slots, sightings) == f"the worker on {SIGNATURE_QUEUE} has ended"


_MAY_END = threading.Event()


@workflow.defn(sandboxed=False)
class Unevictable:
    @workflow.run
    async def run(self) -> None:
        while not _MAY_END.is_set():
            try:
                await workflow.wait_condition(lambda: False)
            except BaseException:  # noqa: S112  of the eviction
                continue


@pytest.mark.real_server
async def test_a_worker_whose_cache_holds_a_workflow_for_ever_is_to_be_begun_anew(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    queue_worker = Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        workflows=[Unevictable],
        max_cached_workflows=1,
        max_concurrent_workflow_task_polls=2,
    )
    sightings = LastPolls(client)
    async with polling([queue_worker]), asyncio.timeout(20):
        try:
            for number in range(2):
                await client.start_workflow("Unevictable", id=f"held-{number}", task_queue=WORKFLOW_QUEUE)
            while "evicted" not in (why := await find_stopped([queue_worker], {}, sightings)):  # noqa: ASYNC110  the SDK tells nobody
                await asyncio.sleep(0)
        finally:
            _MAY_END.set()
        assert why == f"a workflow of {WORKFLOW_QUEUE} cannot be evicted, so that others wait for its place"
        while await find_stopped([queue_worker], {}, sightings):  # noqa: ASYNC110  as above
            await asyncio.sleep(0)
