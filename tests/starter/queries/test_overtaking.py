"""A command that gets no answer lets its workflow go first, until it is answered or nobody waits any more."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest

import starter.queries.commands as overtaking
from activities.http.rate_limit import Urgency
from activities.temporal import executions as runs
from starter.queries import commands
from starter.queries.commands import NotConfirmed
from starter.temporal import pollers
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import MSA, begin
from workflows import names
from workflows.kinds import Kind
from workflows.model.commands import PauseCommand

pytestmark = pytest.mark.real_server
CROWD = 30
AS_STARTED = 0
"""Those of this file are started without a word about it."""


@pytest.mark.long
async def test_what_somebody_waits_for_overtakes_the_crowd_and_then_has_its_place_again(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overtaking, "OVERTAKES_AFTER", timedelta(milliseconds=1))
    await start_crowd(context, "early")
    ahead = 2 * CROWD
    while not await pollers.is_polled(context.client):  # The queue has partitions, and one of them knows who asks.
        await next_task(context)
        ahead -= 1
    await start_crowd(context, "crowd")
    await begin(context)
    pending_command = asyncio.create_task(commands.send(context.client, MSA, PauseCommand(actor="ops"), "op-1"))
    await eventually(lambda: has_the_place(context, Urgency.URGENT))
    tasks_before = 0  # The server puts it there a moment after it has said so.
    while await next_task(context) != Kind.REQUEST.workflow_id(MSA):
        tasks_before += 1
    assert tasks_before < ahead / 2
    pending_command.cancel()
    await asyncio.wait({pending_command})
    assert await eventually(lambda: has_the_place(context, AS_STARTED))


async def test_where_nobody_works_nothing_is_changed(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look of a crowd at what waits for a worker would be an event of its history."""
    monkeypatch.setattr(overtaking, "OVERTAKES_AFTER", timedelta(milliseconds=1))
    await begin(context)
    with pytest.raises(NotConfirmed):
        await commands.send(context.client, MSA, PauseCommand(actor="ops"), "op-1", time_limit=timedelta(seconds=1))
    assert await has_the_place(context, AS_STARTED)


async def start_crowd(context: Context, name: str) -> None:
    for number in range(CROWD):
        await begin(context, f"{name}-{number}")


async def next_task(context: Context) -> str:
    """Of which workflow the next task is that a worker gets."""
    task = await context.client.workflow_service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(
            namespace=context.client.namespace, task_queue=TaskQueue(name=names.WORKFLOW_QUEUE), identity="a worker"
        )
    )
    return task.workflow_execution.workflow_id


async def has_the_place(context: Context, priority: int) -> bool:
    described = await runs.described(context.client, Kind.REQUEST.workflow_id(MSA))
    return described.raw.workflow_execution_info.priority.priority_key == priority
