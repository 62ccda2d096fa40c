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
from tests.faults.town import WORKER, Town, eventually, town
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import Done
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
    async with town(tmp_path / "data") as it:
        names = [f"chore-{number:03}" for number in range(TASKS)]
        lives = [asyncio.create_task(_live(it, name, number)) for number, name in enumerate(names)]
        for _ in range(DEATHS):
            await asyncio.sleep(dice.uniform(0.2, 2))
            await it.kill(WORKER)
            await it.start(WORKER)
        ended = await asyncio.gather(*lives)
        shown = [
            await lookup.look_at(it.context.client, it.context.store, WorkflowName(Kind.TASK, name)) for name in names
        ]
    assert [one.outcome for one in ended] == [Status.DONE] * TASKS
    assert [[person.state for person in one.people].count("done") for one in ended] == [1] * TASKS
    heard = Counter(line.key for one in shown for line in one.notifications)
    assert [(key, times) for key, times in heard.items() if times > 1] == []
    note(f"tasks: {TASKS} done once each, {DEATHS} workers killed")


async def _live(it: Town, name: str, number: int) -> SettledTask:
    """Given to two, who both say that it is done as soon as they have heard of it."""
    both = (colleague(number), colleague(number + 1))
    people = tuple(Participant(person=person, role=Role.DO) for person in both)
    task = Task(id=name, kind="base", title="A chore", requester=colleague(number + 2), people=people)
    handle = await it.context.client.start_workflow(
        TASK,
        TaskInput(task=task, policy=Policy(expires=False), fingerprint="f" * 64),
        id=Kind.TASK.workflow_id(name),
        task_queue=WORKFLOW_QUEUE,
        result_type=SettledTask,
    )

    async def both_told() -> bool:
        return sum(line.stage == "ready" for line in (await _shown(it, name)).notifications) == len(both)

    await eventually(both_told, within=120)
    said = [handle.execute_update(DONE, Done(actor=person), id=f"done-{person}") for person in both]
    answers = await asyncio.gather(*said, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(one, WorkflowUpdateFailedError) for one in refused)
    assert len(refused) < len(both)
    settled: SettledTask = await handle.result()
    return settled


async def _shown(it: Town, name: str) -> TaskShow:
    """What it says once a worker answers."""
    handle = it.context.client.get_workflow_handle(Kind.TASK.workflow_id(name))

    async def probe() -> TaskShow | None:
        try:
            shown: TaskShow = await handle.query(SHOW, result_type=TaskShow)
        except RPCError:
            return None  # the worker is dead
        return shown

    return await eventually(probe, within=60)
