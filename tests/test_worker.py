"""The workers of a process: none is paced by the server, and at the end they stop at once and share one grace."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.worker import Worker

import starter.cli.doctor.temporal as doctor
import worker
from activities.http.rate_limit import RateLimiter
from starter.boot.clients import opened
from starter.cli.doctor.health import PartHealth
from starter.config.settings import load
from starter.temporal import pollers
from starter.temporal.workers import make_slots, make_workers, polling
from tests.golden.boundary import questions
from tests.servers import own_namespace
from tests.starter.terminal import make_complete_environment
from workflows.names import QUEUES, SIGNATURE_QUEUE, SWEEP_QUEUE, WORKFLOW_QUEUES

pytestmark = pytest.mark.real_server

DRAINED = ("ours", "paced")


@workflow.defn(sandboxed=False)
class OneOnEach:
    """One activity on each queue, at the same time."""

    @workflow.run
    async def run(self) -> None:
        """Wait for both."""
        await asyncio.gather(
            *(
                workflow.execute_activity("last_one", task_queue=queue, start_to_close_timeout=timedelta(minutes=1))
                for queue in DRAINED
            )
        )


async def test_the_workers_drain_together(dev_server: str) -> None:
    all_started, all_told = asyncio.Barrier(3), asyncio.Barrier(2)

    @activity.defn
    async def last_one() -> None:
        await all_started.wait()
        await activity.wait_for_worker_shutdown()
        await all_told.wait()

    grace = timedelta(minutes=1)
    client = await own_namespace(dev_server)
    async with asyncio.timeout(20):
        draining_workers = [
            Worker(
                client,
                task_queue=queue,
                workflows=[OneOnEach],
                activities=[last_one],
                graceful_shutdown_timeout=grace,
            )
            for queue in DRAINED
        ]
        async with polling(draining_workers):
            await client.start_workflow(OneOnEach.run, id="one-on-each", task_queue=DRAINED[0])
            await all_started.wait()
    assert [drained_worker.is_shutdown for drained_worker in draining_workers] == [True, True]


async def test_no_queue_is_paced_by_the_server(dev_server: str) -> None:
    """It would split the rate over the queue's partitions: a start on an idle stack would wait for seconds."""

    @activity.defn
    async def nothing() -> None:
        """Do nothing."""

    client = await own_namespace(dev_server)
    settings = load(environment={"TEMPORAL_ADDRESS": dev_server})
    queue_workers = make_workers(client, {queue: [nothing] for queue in QUEUES}, make_slots(RateLimiter(5)), settings)
    assert [queue_worker.config().get("max_task_queue_activities_per_second") for queue_worker in queue_workers] == [
        None
    ] * 7
    assert sorted(queue_worker.task_queue for queue_worker in queue_workers) == sorted(QUEUES)


async def test_it_is_ready_once_nobody_is_told_that_there_is_no_worker(
    dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @activity.defn
    async def nothing() -> None:
        """Do nothing."""

    client = await own_namespace(dev_server)
    settings = load(environment={"TEMPORAL_ADDRESS": dev_server})
    queue_workers = make_workers(client, {queue: [nothing] for queue in QUEUES}, make_slots(RateLimiter(5)), settings)
    with monkeypatch.context() as at_once:
        at_once.setattr(pollers, "LISTED_AT_MOST", timedelta(milliseconds=1))
        assert not await pollers.until_listed(client, client.identity)
    stories = [Worker(client, task_queue=queue, workflows=[OneOnEach]) for queue in WORKFLOW_QUEUES]
    async with polling([*queue_workers, *stories]):
        assert await pollers.until_listed(client, client.identity)
        assert (await doctor.worker(client)).state is PartHealth.OK


async def test_a_whole_worker_says_that_it_is_ready_when_it_is_listed_and_not_before(
    dev_server: str, tmp_path: Path
) -> None:
    client = await own_namespace(dev_server)
    connection = {"TEMPORAL_ADDRESS": dev_server, "TEMPORAL_NAMESPACE": client.namespace}
    async with worker.run_workers(
        load(environment={**make_complete_environment(tmp_path), **connection}), asyncio.Event()
    ) as ready:
        assert ready
        assert (await doctor.worker(client)).state is PartHealth.OK


@workflow.defn(sandboxed=False)
class SweepsBehindACrowd:
    """Calls that have all places of their queue until a sweep has been, and two sweeps at the same time."""

    @workflow.run
    async def run(self) -> None:
        """Wait for all of them."""
        calls = [("sweep", SWEEP_QUEUE)] * 2 + [("call", SIGNATURE_QUEUE)] * 5
        await asyncio.gather(
            *(
                workflow.execute_activity(name, task_queue=queue, start_to_close_timeout=timedelta(minutes=1))
                for name, queue in calls
            )
        )


@pytest.mark.parametrize(("pace", "places"), [(0.2, 1), (1_000, 5)])
async def test_a_sweep_waits_for_no_place_of_those_who_call_and_takes_none_of_theirs(
    pace: float, places: int, dev_server: str
) -> None:
    """In the queue of the calls it came behind all of them, and at a low pace it had the only place there."""
    crowd, swept, calling, at_once, most_at_once = asyncio.Event(), asyncio.Event(), 0, 0, 0

    @activity.defn
    async def call() -> None:
        nonlocal calling
        calling += 1
        if calling == places:
            crowd.set()
        await swept.wait()

    @activity.defn
    async def sweep() -> None:
        nonlocal at_once, most_at_once
        at_once += 1
        most_at_once = max(most_at_once, at_once)
        await crowd.wait()
        at_once -= 1
        swept.set()

    client = await own_namespace(dev_server)
    activities_by_queue = {**{queue: [call] for queue in QUEUES}, SWEEP_QUEUE: [sweep]}
    queue_workers = make_workers(
        client, activities_by_queue, make_slots(RateLimiter(pace)), load(environment={"TEMPORAL_ADDRESS": dev_server})
    )
    story = Worker(client, task_queue="story", workflows=[SweepsBehindACrowd])
    async with asyncio.timeout(60), polling([*queue_workers, story]):
        await client.execute_workflow(SweepsBehindACrowd.run, id="sweeps", task_queue="story")
    assert most_at_once == 1


async def test_every_activity_that_a_workflow_may_ask_for_is_in_a_queue(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    async with opened(load(environment=make_complete_environment(tmp_path))) as open_clients:
        activities_by_queue = worker.make_activities(open_clients, client, tmp_path / "policies.yaml")
    named = {
        getattr(activity_function, "__temporal_activity_definition").name
        for queue in activities_by_queue.values()
        for activity_function in queue
    }
    assert questions().keys() - named == set()
