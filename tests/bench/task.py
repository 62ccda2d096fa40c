"""`make bench BENCH=task`: what one task writes beside the least workflow that asks the same of the world.

Two people are asked, reminded three times, one of them says that it is done, and three are told of the end.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from starter.temporal.codec import data_converter
from tests.bench import clock
from tests.bench.floor import PROMPT
from tests.bench.history import NotAsAsked, actions
from tests.bench.stakeholders import PromptHandoff, PromptPlanner, PromptPushService
from tests.bench.task_floor import FLOOR, PEOPLE, TaskFloor
from tests.servers import real_server
from workflows import names
from workflows.kinds import Kind
from workflows.model.commands import TaskCompletion
from workflows.model.policy import Policy, Target
from workflows.model.subject import Participant, Role, Task
from workflows.task.state import TaskInput
from workflows.task.workflow import TaskWorkflow

NAME: Final = "task"
AIM: Final = 1.2
_AT_MOST: Final = 60
_OF_MOVED_CLOCKS: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED


@dataclass(frozen=True)
class TaskHistorySize:
    """What one of the two left behind."""

    actions: int
    events: int

    @classmethod
    def from_history(cls, history: WorkflowHistory) -> "TaskHistorySize":
        """Of a closed one; `NotAsAsked` when a reminder is missing in it."""
        count = Counter(event.event_type for event in history.events)
        timers = count[EventType.EVENT_TYPE_TIMER_STARTED]
        calls = count[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
        if (timers, calls) != (4, 5):
            raise NotAsAsked(f"{history.workflow_id}: {timers} timers and {calls} activities instead of 4 and 5")
        return cls(actions(history), len(history.events) - count[_OF_MOVED_CLOCKS])


@dataclass(frozen=True)
class TaskComparison:
    """Ours beside the floor."""

    product: TaskHistorySize
    floor: TaskHistorySize

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            f"{NAME}.actions": _compare(self.product.actions, self.floor.actions),
            f"{NAME}.events": _compare(self.product.events, self.floor.events),
        }

    def in_words(self) -> Text:
        """A line a figure, green when the aim was met."""
        lines = Text()
        for name, figure in self.as_json().items():
            is_met = figure["ratio"] <= AIM
            line = (
                f"{name}: {figure['ours']:.0f} beside {figure['floor']:.0f}, {figure['ratio']:.2f} × (aim ≤ {AIM} ×)\n"
            )
            lines.append(line, style="green" if is_met else "red")
        return lines


async def measure() -> TaskComparison:
    """Some seconds on a fresh server."""
    quiet = ("--output", "none", "--log-level", "never")
    prompt: list[Callable[..., Any]] = [
        *PromptPlanner().activities(),
        *PromptPushService().activities(),
        *PromptHandoff().activities(),
        *PROMPT,
    ]
    async with AsyncExitStack() as stack, asyncio.timeout(_AT_MOST):
        env = await stack.enter_async_context(real_server(*quiet, converter=data_converter(())))
        worker = Worker(
            env.client, task_queue=names.WORKFLOW_QUEUE, workflows=[TaskWorkflow, TaskFloor], activities=prompt
        )
        await stack.enter_async_context(worker)
        hurried = clock.hurried(env.client)
        product = await _start_product(hurried)
        floor = await hurried.start_workflow(
            FLOOR, "t-floor", id="task:floor", task_queue=names.WORKFLOW_QUEUE, memo={names.MEMO_FINGERPRINT: "f"}
        )
        await asyncio.gather(*(clock.wait_for_reminders(env.client, handle) for handle in (product, floor)))
        await product.execute_update(names.DONE, TaskCompletion(actor=PEOPLE[0]), id="done-1")
        await floor.execute_update("done", PEOPLE[0], id="done-1")
        await asyncio.gather(product.result(), floor.result())
        return TaskComparison(
            TaskHistorySize.from_history(await product.fetch_history()),
            TaskHistorySize.from_history(await floor.fetch_history()),
        )


async def _start_product(client: Client) -> WorkflowHandle[Any, Any]:
    people = tuple(Participant(person=person, role=Role.DO) for person in PEOPLE)
    task = Task(id="ours", kind="team-task", title="Create the account", requester="legal-desk", people=people)
    policy = Policy(expires=False, handoff=(Target(target="crm", url="https://crm.example/hooks"),))
    return await client.start_workflow(
        names.TASK,
        TaskInput(task=task, policy=policy, fingerprint="5c" * 32),
        id=Kind.TASK.workflow_id(task.id),
        task_queue=names.WORKFLOW_QUEUE,
        memo={names.MEMO_FINGERPRINT: "5c" * 32},
    )


def _compare(product: int, floor: int) -> dict[str, float]:
    return {"ours": product, "floor": floor, "ratio": round(product / floor, 3)}
