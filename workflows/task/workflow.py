"""The task workflow: ask people, follow up, hand off (docs/tasks.md)."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.commands as questions
    import workflows.follow_up.options as options
    import workflows.task.state as progress
    from workflows.follow_up.calls import Condition, despite_cancellation
    from workflows.follow_up.state import Precondition
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model.commands import Block, Delegation, Done, Unblock, Waiver
    from workflows.model.hand_off import SettledTask
    from workflows.model.receipts import Receipt
    from workflows.model.schedule import StandIn
    from workflows.model.subject import Subject
    from workflows.model.timeline import Reassignment
    from workflows.model.views import TaskShow
    from workflows.names import BLOCK, DONE, SHOW, TASK, UNBLOCK, WAIVE
    from workflows.ports import StandInFinder
    from workflows.task.state import TaskInput, TaskState
    from workflows.task.view import settled, show


@workflow.defn(name=TASK)
class TaskWorkflow(FollowUpWorkflow[TaskState]):
    """Has something done by a date, and hands off the ending."""

    _request: TaskInput

    @workflow.init
    def __init__(self, given: TaskInput) -> None:
        super().__init__(given, given.carried or TaskState.begin(given.task, workflow.now()))

    @workflow.run
    @despite_cancellation
    async def run(self, given: TaskInput) -> SettledTask:
        """Run to the end; a cancellation of the run is handled like the update `cancel`."""
        await self.follow_up()
        await self.hand_off()
        return self.settled()

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> TaskShow:
        return self.shown(self._progress, workflow.now())

    @workflow.update(name=DONE, description="Somebody has done it, which ends it for everybody")
    def done(self, command: Done) -> Receipt:
        """End it; the first to do it counts."""
        return self._accept(progress.done, command)

    @done.validator
    def _may_be_done(self, command: Done) -> None:
        undecided = progress.refuse_undecided(self._request.task, command)
        unanswered = progress.refuse_unanswered(self._request.task, command)
        self.allow(command, progress.refuse_done(self._progress, command) or undecided or unanswered)

    @workflow.update(name=WAIVE, description="Nobody needs to do it any more, and why")
    def waive(self, command: Waiver) -> Receipt:
        """End it undone."""
        return self._accept(progress.waive, command)

    @waive.validator
    def _may_waive(self, command: Waiver) -> None:
        undecided = progress.refuse_undecided(self._request.task, command)
        self.allow(command, progress.refuse_waive(self._progress, command) or undecided)

    @workflow.update(name=BLOCK, description="Somebody cannot go on: the owner hears why, and reminders are paused")
    def block(self, command: Block) -> Receipt:
        """Ask the owner to remove an obstacle."""
        return self._accept(progress.block, command)

    @block.validator
    def _may_block(self, command: Block) -> None:
        self.allow(command, progress.refuse_block(self._progress, command))

    @workflow.update(name=UNBLOCK, description="What stood in the way is gone, and reminders go on")
    def unblock(self, command: Unblock) -> Receipt:
        return self._accept(questions.answer, command)

    @unblock.validator
    def _may_unblock(self, command: Unblock) -> None:
        self.allow(command, questions.refuse_answer(self._progress, command, blocks=True))

    async def act_first(self, first: Precondition) -> None:
        """Unused: a task has no preconditions."""
        raise RuntimeError(f"a task has no {first}")

    def refuse_delegate(self, command: Delegation) -> str | None:
        """Assignees delegate only to the named colleagues, if any are named; others as usual."""
        return super().refuse_delegate(command) or progress.refuse_stranger(self._request.task, command)

    async def hand_over(self, wanted: Reassignment) -> None:
        """Reassign a slot to a person who is not away."""
        force, beside = not wanted.by_hand or wanted.force, self._request.task.workflow_id
        stand_in = StandIn(person=wanted.to, at=workflow.now(), force=force, beside=beside)
        report = await self.call(
            StandInFinder.look_at,
            stand_in,
            options.PLAN,
            f"hand over to {wanted.to}",
            unless=self._over,
            anew=lambda first: first.replace(at=workflow.now()),
        )
        if report is not None and not self._progress.status.ended:
            self._progress = self._progress.handed_over(wanted, report.refused, workflow.now())

    def _over(self) -> Condition:
        return lambda: self._progress.status.ended

    @property
    def subject(self) -> Subject:
        people = tuple(one.participant for one in self._progress.assignees.people)
        return self._request.subject.replace(people=people)

    def settled(self) -> SettledTask:
        return settled(self._request.task, self._progress)

    def shown(self, state: TaskState, now: datetime) -> TaskShow:
        return show(self._request, state, now)
