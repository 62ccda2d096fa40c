"""A cancelled activity that reports all the same: the workflow that asked for the end gets the report as a result."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ActivityCancellationType

from activities.hand_off import service as handoff
from activities.temporal import leases as in_turn
from activities.temporal.interceptors import HeartbeatInterceptor
from activities.temporal.leases import PACE, TurnLimits, Turns, unbroken
from tests.servers import time_skipping
from workflows.follow_up import options
from workflows.follow_up.options import ActivityOptions

BEING_TOLD = asyncio.Semaphore(0)
"""Released for each who is being told."""


@activity.defn
async def tell_many() -> int:
    """Tell people one after the other, until nobody wants it any more; how many were told."""
    turns, unwanted = Turns(), asyncio.Event()

    async def tell(_: int) -> None:
        BEING_TOLD.release()
        await unwanted.wait()

    def stop() -> None:
        turns.stop()
        unwanted.set()

    async def work() -> int:
        return len((await turns.call_each(range(100), tell)).results)

    return await unbroken(work(), stop)


@workflow.defn
class Changes:
    """Has people told until nobody wants it any more."""

    def __init__(self) -> None:
        """They are wanted at first."""
        self._unwanted = False

    @workflow.signal
    def enough(self) -> None:
        """Nobody wants it any more."""
        self._unwanted = True

    @workflow.run
    async def run(self) -> int:
        """How many were told by then."""
        telling = workflow.start_activity(
            tell_many,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=1),
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self._unwanted)
        telling.cancel()
        return await telling


async def test_what_was_done_before_a_cancellation_is_the_result() -> None:
    async with time_skipping() as env:
        worker = Worker(
            env.client,
            task_queue="q",
            workflows=[Changes],
            activities=[tell_many],
            interceptors=[HeartbeatInterceptor()],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            changes = await env.client.start_workflow(Changes.run, id="w", task_queue="q")
            for _ in range(PACE.at_once):
                await BEING_TOLD.acquire()
            await changes.signal(Changes.enough)
            assert await changes.result() == PACE.at_once


@pytest.mark.parametrize(
    ("pace", "rounds", "activity_options"),
    [(in_turn.PACE, 2, options.NUDGE), (in_turn.PACE, 2, options.NOTIFY), (handoff.PACE, 1, options.HAND_OFF)],
    ids=["nudge", "notify", "hand off"],
)
def test_an_attempt_ends_itself_long_before_it_would_be_torn_off(
    pace: TurnLimits, rounds: int, activity_options: ActivityOptions
) -> None:
    """A delivery prepares and sends, each at this pace; a mail and the store take a while beside."""
    assert rounds * pace.end <= activity_options["start_to_close_timeout"].total_seconds() / 2
