"""Its workflow: one person is asked, followed up, and says yes (`done`) or no (`waive`), which ends it."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.task.state as tasks
    from tests.kinds.approval.kind import APPROVAL, Approval, ApprovalShow, SettledApproval
    from workflows.follow_up.calls import despite_cancellation
    from workflows.follow_up.hand_off import hand_off
    from workflows.follow_up.lifecycle import command_update
    from workflows.follow_up.state import FollowUpWords, Precondition
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model.commands import AnyCommand, Delegation, Ending, TaskCompletion, Waiver
    from workflows.model.messages import Message, MessageCode
    from workflows.model.receipts import Receipt
    from workflows.model.subject import Status, Subject
    from workflows.model.timeline import Reassignment
    from workflows.names import DONE, SHOW, WAIVE


class ApprovalRejection(MessageCode):
    NOBODY_ELSE = "approval_nobody_else", "nobody else can approve it"


_WORDS = FollowUpWords(
    subject="approval",
    awaited="approver",
    awaited_action="somebody to approve it",
    not_the_owner="it and cannot approve it",
    cancelling="end it",
)


class ApprovalState(tasks.TaskState):
    """One person's slot, as a task has it."""

    @property
    def vocabulary(self) -> FollowUpWords:
        return _WORDS


class ApprovalInput(tasks.TaskInput):
    """What it is started with, and the state that continue-as-new carries over."""

    task: Approval
    carried: ApprovalState | None = None


def say_yes(state: ApprovalState, command: TaskCompletion, now: datetime) -> ApprovalState:
    return state.close(Ending(outcome=Status.DONE, who=command.actor, why=command.note), now)


def say_no(state: ApprovalState, command: Waiver, now: datetime) -> ApprovalState:
    return state.close(Ending(outcome=Status.DECLINED, who=command.actor, why=command.reason), now)


@workflow.defn(name=APPROVAL.spec.workflow)
class ApprovalWorkflow(FollowUpWorkflow[ApprovalState]):
    """Has one person say yes or no by a date, and hands off the answer."""

    request: ApprovalInput

    @workflow.init
    def __init__(self, approval_input: ApprovalInput) -> None:
        super().__init__(
            approval_input, approval_input.carried or ApprovalState.begin(approval_input.task, workflow.now())
        )

    @workflow.run
    @despite_cancellation
    async def run(self, approval_input: ApprovalInput) -> SettledApproval:
        """Run to the end."""
        await self.follow_up()
        await hand_off(self)
        return self.settled()

    @workflow.query(name=SHOW)
    def show(self) -> ApprovalShow:
        return self.build_view(self.state, workflow.now())

    @command_update(name=DONE, description="The person says yes")
    def done(self, command: TaskCompletion) -> Receipt:
        return self.accept(say_yes, command)

    @command_update(name=WAIVE, description="The person says no, and why")
    def waive(self, command: Waiver) -> Receipt:
        return self.accept(say_no, command)

    def refusal(self, command: AnyCommand) -> Message | None:
        match command:
            case TaskCompletion():
                return tasks.refuse_done(self.state, command)
            case Waiver():
                return tasks.refuse_waive(self.state, command)
            case Delegation():
                return ApprovalRejection.NOBODY_ELSE.to_message()
        return super().refusal(command)

    async def prepare(self, precondition: Precondition) -> None:
        raise RuntimeError(f"an approval has no {precondition}")

    async def reassign(self, reassignment: Reassignment) -> None:
        self.state = self.state.handed_over(reassignment, ApprovalRejection.NOBODY_ELSE.to_message(), workflow.now())

    @property
    def subject(self) -> Subject:
        return self.request.subject

    def settled(self) -> SettledApproval:
        settlement = tasks.settled(self.request.task, self.state)
        return SettledApproval(approval=settlement.task, **dict(settlement))

    def build_view(self, state: ApprovalState, now: datetime) -> ApprovalShow:
        return ApprovalShow(**dict(tasks.show(self.request, state, now)))
