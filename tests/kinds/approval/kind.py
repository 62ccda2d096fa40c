"""Its description, and its models: what it is about, its view, how it ended."""

from typing import ClassVar, Final

from workflows.kinds import Kind, KindSpec, register
from workflows.model.hand_off import EndedFacts, EscalationData
from workflows.model.subject import Task
from workflows.model.views import AssigneeLine, FollowUpShow
from workflows.names import CANCEL, DONE, EXTEND, PAUSE, REMIND, REPLAY, RESUME, WAIVE

APPROVAL: Final = register(
    "approval",
    KindSpec(
        workflow="Approval",
        prefix="approval",
        settled="approval_settled",
        event="approval.settled",
        page="approval",
        desk="approvals",
        stage="open",
        command="approval",
        marks=("approver",),
        commands=(DONE, WAIVE, REMIND, EXTEND, PAUSE, RESUME, REPLAY, CANCEL),
        again_label="ask once more",
        link="do",
        every_ending=True,
    ),
)


class Approval(Task):
    """What is to be approved, of one person."""

    type: Kind = APPROVAL


class ApprovalShow(FollowUpShow):
    """The answer of `approval show`."""

    of: ClassVar[Kind] = APPROVAL
    title: str
    text: str = ""
    people: tuple[AssigneeLine, ...] = ()

    @property
    def lines(self) -> tuple[AssigneeLine, ...]:
        return self.people

    @property
    def instructions(self) -> str:
        return self.text


class SettledApproval(EndedFacts):
    """The facts of an approval that has ended; `by` is who said yes or no."""

    of: ClassVar[Kind] = APPROVAL
    approval: str
    by: str


class EscalatedApproval(EscalationData):
    """Of an approval."""

    of: ClassVar[Kind] = APPROVAL
    approval: str
