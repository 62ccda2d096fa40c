"""Tasks under deaths: two people say in the same instant that they have done it, while workers are killed."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from starter.queries import lookup
from tests.chaos.conftest import Note
from tests.faults.population import colleague
from tests.faults.town import WORKER, Town, eventually, start_town
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import TaskCompletion
from workflows.model.hand_off import SettledTask
from workflows.model.policy import Policy
from workflows.model.subject import Participant, Role, Status, Task
from workflows.model.views import TaskShow
from workflows.names import DONE, SHOW, TASK, WORKFLOW_QUEUE
from workflows.task.state import TaskInput

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]

TASKS, DEATHS = 60, 6


async def test_a_task_that_two_have_done_at_once_ends_once_and_nobody_is_asked_twice(
    tmp_path: Path, seed: int, note: Note
) -> None:
    dice = random.Random(seed)  # noqa: S311  chaos that can be repeated, no secret
    async with start_town(tmp_path / "data") as town:
        names = [f"chore-{number:03}" for number in range(TASKS)]
        lives = [asyncio.create_task(_live(town, name, number)) for number, name in enumerate(names)]
        for _ in range(DEATHS):
            await asyncio.sleep(dice.uniform(0.2, 2))
            await town.kill(WORKER)
            await town.start(WORKER)
        settlements = await asyncio.gather(*lives)
        views = [
            await lookup.find_best_view(town.context.client, town.context.store, WorkflowName(Kind.TASK, name))
            for name in names
        ]
    assert [settlement.outcome for settlement in settlements] == [Status.DONE] * TASKS
    assert [[person.state for person in settlement.people].count("done") for settlement in settlements] == [1] * TASKS
    heard = Counter(line.key for view in views for line in view.notifications)
    assert [(key, times) for key, times in heard.items() if times > 1] == []
    note(f"tasks: {TASKS} done once each, {DEATHS} workers killed")


async def _live(town: Town, name: str, number: int) -> SettledTask:
    """Given to two, who both say that it is done as soon as they have heard of it."""
    assignees = (colleague(number), colleague(number + 1))
    people = tuple(Participant(person=person, role=Role.DO) for person in assignees)
    task = Task(id=name, kind="base", title="A chore", requester=colleague(number + 2), people=people)
    handle = await town.context.client.start_workflow(
        TASK,
        TaskInput(task=task, policy=Policy(expires=False), fingerprint="f" * 64),
        id=Kind.TASK.workflow_id(name),
        task_queue=WORKFLOW_QUEUE,
        result_type=SettledTask,
    )

    async def both_told() -> bool:
        return sum(line.stage == "ready" for line in (await _read_view(town, name)).notifications) == len(assignees)

    await eventually(both_told, timeout_seconds=120)
    updates = [handle.execute_update(DONE, TaskCompletion(actor=person), id=f"done-{person}") for person in assignees]
    answers = await asyncio.gather(*updates, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(refusal, WorkflowUpdateFailedError) for refusal in refused)
    assert len(refused) < len(assignees)
    settled: SettledTask = await handle.result()
    return settled


async def _read_view(town: Town, name: str) -> TaskShow:
    """What it says once a worker answers."""
    handle = town.context.client.get_workflow_handle(Kind.TASK.workflow_id(name))

    async def probe() -> TaskShow | None:
        try:
            view: TaskShow = await handle.query(SHOW, result_type=TaskShow)
        except RPCError:
            return None  # the worker is dead
        return view

    return await eventually(probe, timeout_seconds=60)
