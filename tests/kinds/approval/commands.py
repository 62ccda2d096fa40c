"""`countersign approval …`: its tables, and its words; the worker that knows its workflow."""

from dataclasses import dataclass

from activities.launch import launch
from activities.records.store import Store
from starter.cli.app import GROUPS, Group
from starter.cli.arguments import Id
from starter.cli.listing import Listing
from starter.cli.operations import PLAIN, CommonOptions, OperationWords
from starter.cli.show import Show
from starter.cli.tables import TABLES, KindTables, assignees, make_rows_builder
from starter.temporal.plugin import FURTHER
from tests.kinds.approval.kind import APPROVAL, ApprovalShow
from tests.kinds.approval.workflow import ApprovalInput, ApprovalWorkflow
from workflows.follow_up.input import FollowUpInput
from workflows.model.commands import TaskCompletion, Waiver

FURTHER.append(ApprovalWorkflow)
TABLES[APPROVAL] = KindTables[ApprovalShow](
    facts=lambda view: (("approval", f"{view.id}  {view.kind}"), ("title", view.title)),
    tables=assignees,
    rows=make_rows_builder(APPROVAL, "title", "owner"),
)
_OF_ALL = ("remind", "extend", "pause", "resume", "cancel", "replay")
GROUPS["approval"] = Group(
    "One approval: look at it, say yes or no, end it.",
    {command_word: f"{__name__}:{command_word}" for command_word in ("show", "list", "approve", "decline")}
    | {command_word: f"starter.cli.operations:{APPROVAL}_{command_word}" for command_word in _OF_ALL},
)


class _Words(OperationWords):
    async def approve(self, id: Id, /, *, note: str = "", manner: CommonOptions = PLAIN) -> None:
        """Say yes."""
        await self.carry_out(id, lambda actor: TaskCompletion(actor=actor, note=note), manner)

    async def decline(self, id: Id, /, *, reason: str, manner: CommonOptions = PLAIN) -> None:
        """Say no."""
        await self.carry_out(id, lambda actor: Waiver(actor=actor, reason=reason), manner)


_WORDS = _Words(APPROVAL)
approve, decline = _WORDS.approve, _WORDS.decline
show, list = Show(APPROVAL).show, Listing(APPROVAL).list_


@dataclass(frozen=True)
class PreparedApproval:
    """What the start path takes: nothing of it is personal, and no page needs it while Temporal is down."""

    workflow_input: ApprovalInput
    overdue: None = None

    async def store_input(self, store: Store) -> ApprovalInput:
        return self.workflow_input

    async def store_for_pages(self, store: Store, given: FollowUpInput) -> None:
        return None


def prepared(approval_input: ApprovalInput) -> PreparedApproval:
    """With the fingerprint of its content."""
    content = approval_input.task.model_dump(mode="json")
    return PreparedApproval(approval_input.replace(fingerprint=launch.fingerprint(content)))
