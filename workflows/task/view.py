"""The view of a task (`task show`), and the facts of its end."""

from datetime import datetime

from workflows.follow_up.view import follow_up_facts
from workflows.model.hand_off import SettledPerson, SettledTask
from workflows.model.subject import Status, Task
from workflows.model.views import AssigneeLine, GivenAnswer, TaskShow
from workflows.task.state import TaskInput, TaskState


def show(given: TaskInput, state: TaskState, now: datetime) -> TaskShow:
    """The view at `now`."""
    people = (AssigneeLine(person=one.person, state=one.state, at=one.at) for one in state.slots.people)
    known = follow_up_facts(given.subject, given.policy, state, now)
    if given.task.colleagues:
        known = known.replace(choices=tuple(one.replace(hand_over=True) for one in known.choices))
    return TaskShow(
        **dict(known),
        colleagues=given.task.colleagues,
        title=given.task.title,
        text=given.task.text,
        people=tuple(people),
        done_by=state.lifecycle.ended_by if state.status is Status.DONE else None,
        decides=given.task.decides,
        answer=_answer(given.task, state),
    )


def _answer(task: Task, state: TaskState) -> GivenAnswer | None:
    if task.answer is None:
        return None
    done = state.lifecycle.ending if state.status is Status.DONE else None
    return GivenAnswer(**dict(task.answer), text=(done.why or None) if done else None)


def settled(task: Task, state: TaskState) -> SettledTask:
    """The facts to hand off."""
    if state.lifecycle.settled_at is None or state.lifecycle.ended_by is None:
        raise ValueError("the task has not ended")
    people = state.slots.people
    return SettledTask(
        task=task.id,
        kind=task.kind,
        outcome=state.status,
        at=state.lifecycle.settled_at,
        by=state.lifecycle.ended_by,
        people=tuple(SettledPerson(person=one.person, state=one.state, at=one.at) for one in people),
        late=any(map(state.acted_late, people)),
    )
