"""The end of a worker process: both workers stop taking work at once, and share one grace."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.worker import Worker

from tests.servers import real_server
from worker import at_work

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


async def test_the_workers_drain_together() -> None:
    begun, told = asyncio.Barrier(3), asyncio.Barrier(2)

    @activity.defn
    async def last_one() -> None:
        await begun.wait()
        await activity.wait_for_worker_shutdown()
        await told.wait()

    grace = timedelta(minutes=1)
    async with real_server() as env, asyncio.timeout(20):
        both = [
            Worker(
                env.client,
                task_queue=queue,
                workflows=[OneOnEach],
                activities=[last_one],
                graceful_shutdown_timeout=grace,
            )
            for queue in QUEUES
        ]
        async with at_work(both):
            await env.client.start_workflow(OneOnEach.run, id="one-on-each", task_queue=QUEUES[0])
            await begun.wait()
    assert [one.is_shutdown for one in both] == [True, True]
