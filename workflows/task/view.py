"""The answer of `task show`, and the facts of a task that has ended."""

from datetime import datetime

from workflows.follow_up.view import facts
from workflows.model.hand_off import SettledPerson, SettledTask
from workflows.model.subject import Status, Task
from workflows.model.views import AssigneeLine, GivenAnswer, TaskShow
from workflows.task.state import TaskInput, TaskState


def show(given: TaskInput, progress: TaskState, now: datetime) -> TaskShow:
    """Everything there is to know of a task at `now`."""
    people = (AssigneeLine(person=one.person, state=one.state, at=one.at) for one in progress.assignees.people)
    known = facts(given.subject, given.policy, progress, now)
    if given.task.colleagues:
        known = known.replace(choices=tuple(one.replace(hand_over=True) for one in known.choices))
    return TaskShow(
        **dict(known),
        colleagues=given.task.colleagues,
        title=given.task.title,
        text=given.task.text,
        people=tuple(people),
        done_by=progress.ended_by if progress.status is Status.DONE else None,
        decides=given.task.decides,
        answer=_answer(given.task, progress),
    )


def _answer(task: Task, progress: TaskState) -> GivenAnswer | None:
    if task.answer is None:
        return None
    done = progress.ending if progress.status is Status.DONE else None
    return GivenAnswer(**dict(task.answer), text=(done.why or None) if done else None)


def settled(task: Task, progress: TaskState) -> SettledTask:
    """The facts that are handed off."""
    if progress.settled_at is None or progress.ended_by is None:
        raise ValueError("the task has not ended")
    people = progress.assignees.people
    return SettledTask(
        task=task.id,
        kind=task.kind,
        outcome=progress.status,
        at=progress.settled_at,
        by=progress.ended_by,
        people=tuple(SettledPerson(person=one.person, state=one.state, at=one.at) for one in people),
        late=any(map(progress.acted_late, people)),
    )
