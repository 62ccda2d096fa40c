"""What the workflow of a task is started with."""

from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.model.subject import Subject
from workflows.model.task import Task
from workflows.task.progress import TaskState


class TaskInput(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    task: Task
    carried: Packed[TaskState | None] = None

    @property
    def subject(self) -> Subject:
        """The task, with the people it was given to."""
        return self.task.subject

    @property
    def first_turn(self) -> tuple[str, ...]:
        """Everybody to whom it is given."""
        return tuple(one.person for one in self.task.people)
