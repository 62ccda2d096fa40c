"""The task workflow: ask people, follow up, hand off (docs/tasks.md)."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.commands as commands
    import workflows.task.state as tasks
    from workflows.follow_up.calls import despite_cancellation
    from workflows.follow_up.hand_off import hand_off
    from workflows.follow_up.lifecycle import command_update
    from workflows.follow_up.state import Precondition
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model.commands import AnyCommand, Block, Delegation, TaskCompletion, Unblock, Waiver
    from workflows.model.hand_off import SettledTask
    from workflows.model.messages import Message
    from workflows.model.receipts import Receipt
    from workflows.model.subject import Subject
    from workflows.model.timeline import Reassignment
    from workflows.model.views import TaskShow
    from workflows.names import BLOCK, DONE, SHOW, TASK, UNBLOCK, WAIVE
    from workflows.task.state import TaskInput, TaskState, settled, show


@workflow.defn(name=TASK)
class TaskWorkflow(FollowUpWorkflow[TaskState]):
    """Has something done by a date, and hands off the ending."""

    request: TaskInput

    @workflow.init
    def __init__(self, request: TaskInput) -> None:
        super().__init__(request, request.carried or TaskState.begin(request.task, workflow.now()))

    @workflow.run
    @despite_cancellation
    async def run(self, request: TaskInput) -> SettledTask:
        """Run to the end; a cancellation of the run is handled like the update `cancel`."""
        await self.follow_up()
        await hand_off(self)
        return self.settled()

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> TaskShow:
        return self.build_view(self.state, workflow.now())

    @command_update(name=DONE, description="Somebody has done it, which ends it for everybody")
    def complete(self, command: TaskCompletion) -> Receipt:
        """End it; the first to do it counts."""
        return self.accept(tasks.finish, command)

    @command_update(name=WAIVE, description="Nobody needs to do it any more, and why")
    def waive(self, command: Waiver) -> Receipt:
        """End it undone."""
        return self.accept(tasks.waive, command)

    @command_update(name=BLOCK, description="Somebody cannot go on: the owner hears why, and reminders are paused")
    def block(self, command: Block) -> Receipt:
        """Ask the owner to remove an obstacle."""
        return self.accept(tasks.block, command)

    @command_update(name=UNBLOCK, description="What stood in the way is gone, and reminders go on")
    def unblock(self, command: Unblock) -> Receipt:
        return self.accept(commands.answer, command)

    async def prepare(self, precondition: Precondition) -> None:
        """Unused: a task has no preconditions."""
        raise RuntimeError(f"a task has no {precondition}")

    def refusal(self, command: AnyCommand) -> Message | None:
        task = self.request.task
        match command:
            case TaskCompletion():
                undecided, unanswered = tasks.refuse_undecided(task, command), tasks.refuse_unanswered(task, command)
                return tasks.refuse_done(self.state, command) or undecided or unanswered
            case Waiver():
                return tasks.refuse_waive(self.state, command) or tasks.refuse_undecided(task, command)
            case Block():
                return tasks.refuse_block(self.state, command)
            case Unblock():
                return commands.refuse_answer(self.state, command, blocks=True)
            case Delegation():
                return super().refusal(command) or tasks.refuse_stranger(task, command)
        return super().refusal(command)

    async def reassign(self, reassignment: Reassignment) -> None:
        """Reassign a slot to a person who is not away."""
        await self.steps.reassign(reassignment)

    @property
    def subject(self) -> Subject:
        people = tuple(slot.participant for slot in self.state.slots.people)
        return self.heard(self.request.subject.replace(people=people))

    def settled(self) -> SettledTask:
        return settled(self.request.task, self.state)

    def build_view(self, state: TaskState, now: datetime) -> TaskShow:
        return show(self.request, state, now)
