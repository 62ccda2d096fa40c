"""The workers of a process: none is paced by the server, and at the end they stop at once and share one grace."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.worker import Worker

from activities.http.pacing import Pacer
from starter.clients import opened
from starter.settings import load
from tests.golden.boundary import questions
from tests.servers import own_namespace
from tests.starter.terminal import complete
from worker import activities_of, at_work, workers
from workflows.names import CAMPAIGN_QUEUE, SIGNATURE_QUEUE, WORKFLOW_QUEUE

pytestmark = pytest.mark.real_server

QUEUES = ("ours", "paced")


@workflow.defn(sandboxed=False)
class OneOnEach:
    """One activity on each queue, at the same time."""

    @workflow.run
    async def run(self) -> None:
        """Wait for both."""
        await asyncio.gather(
            *(
                workflow.execute_activity("last_one", task_queue=queue, start_to_close_timeout=timedelta(minutes=1))
                for queue in QUEUES
            )
        )


async def test_the_workers_drain_together(dev_server: str) -> None:
    begun, told = asyncio.Barrier(3), asyncio.Barrier(2)

    @activity.defn
    async def last_one() -> None:
        await begun.wait()
        await activity.wait_for_worker_shutdown()
        await told.wait()

    grace = timedelta(minutes=1)
    client = await own_namespace(dev_server)
    async with asyncio.timeout(20):
        both = [
            Worker(
                client,
                task_queue=queue,
                workflows=[OneOnEach],
                activities=[last_one],
                graceful_shutdown_timeout=grace,
            )
            for queue in QUEUES
        ]
        async with at_work(both):
            await client.start_workflow(OneOnEach.run, id="one-on-each", task_queue=QUEUES[0])
            await begun.wait()
    assert [one.is_shutdown for one in both] == [True, True]


async def test_no_queue_is_paced_by_the_server(dev_server: str) -> None:
    """It would split the rate over the queue's partitions: a start on an idle stack would wait for seconds."""

    @activity.defn
    async def nothing() -> None:
        """Do nothing."""

    client = await own_namespace(dev_server)
    settings = load(environment={"TEMPORAL_ADDRESS": dev_server})
    asked = {WORKFLOW_QUEUE: [nothing], CAMPAIGN_QUEUE: [nothing], SIGNATURE_QUEUE: [nothing]}
    them = workers(client, asked, Pacer(5), settings)
    assert [one.config().get("max_task_queue_activities_per_second") for one in them] == [None] * 4


async def test_every_activity_that_a_workflow_may_ask_for_is_in_a_queue(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    async with opened(load(environment=complete(tmp_path))) as open_clients:
        asked = activities_of(open_clients, client, tmp_path / "policies.yaml")
    named = {getattr(one, "__temporal_activity_definition").name for queue in asked.values() for one in queue}
    assert questions().keys() - named == set()
