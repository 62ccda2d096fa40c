"""The cover sheet of a request: what its pages show while nothing else is available. Written once at creation, without
due date and state, which change.
"""

from datetime import date
from typing import Final

from activities.records.store import Store
from activities.records.user_texts import together
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.signature import SignatureBrief, SignerState
from workflows.model.subject import Identity, Participant, Status, Task
from workflows.model.views import AssigneeLine, RequestShow, SignerLine, TaskShow
from workflows.task.state import AssigneeState

NOBODY_SAYS: Final = "Where it stands is not known: neither Temporal nor a worker answers"


class CoverSheet(Model):
    """Document, requester and signers in order; people by id."""

    kind: str
    document: str
    requester: str
    signers: tuple[Participant, ...]
    message: str | None = None
    """Reference of the requester's message."""
    sha256: str | None = None
    """Of the document, None for a template."""
    version: str = ""
    effective: date | None = None
    approver: str | None = None
    """Who has approved this version."""
    identity: Identity = Identity.LINK
    """What the page asks of signers beside their link."""

    @classmethod
    async def read(cls, store: Store, request: str) -> "CoverSheet | None":
        """None if the request was not created; `ValueError` for a sheet of newer code."""
        content = await store.starts.cover(Kind.REQUEST.workflow_id(request))
        return cls.model_validate_json(content) if content is not None else None

    @classmethod
    async def keep(cls, store: Store, brief: SignatureBrief) -> None:
        """Idempotent."""
        sheet = cls(
            kind=brief.kind,
            document=brief.title,
            requester=brief.requester,
            signers=brief.people,
            message=brief.message,
            sha256=brief.document.sha256,
            version=brief.document.version,
            effective=brief.document.effective,
            approver=brief.document.approver,
            identity=brief.identity,
        )
        await store.starts.keep_cover(Kind.REQUEST.workflow_id(brief.id), sheet.model_dump_json(by_alias=True).encode())

    def to_show(self, request: str) -> RequestShow:
        """A `partial` `request show`, whose states mean nothing."""
        lines = (
            SignerLine(person=signer.person, order=signer.order, role=signer.role, state=SignerState.WAITING)
            for signer in self.signers
        )
        return RequestShow(
            id=request,
            kind=self.kind,
            document=self.document,
            requester=self.requester,
            status=Status.SENT,
            signers=tuple(lines),
            says=NOBODY_SAYS,
            identity=self.identity,
            partial=True,
        )


class TaskCover(Model):
    """The task, its requester and assignees; people by id, the text by reference."""

    kind: str
    title: str
    text: str
    requester: str
    people: tuple[str, ...]

    @classmethod
    async def keep(cls, store: Store, task: Task) -> None:
        """Idempotent. `task` is as in its workflow, with its text stored separately."""
        people = tuple(assignee.person for assignee in task.people)
        cover = cls(kind=task.kind, title=task.title, text=task.text, requester=task.requester, people=people)
        await store.starts.keep_cover(task.workflow_id, cover.model_dump_json(by_alias=True).encode())

    @classmethod
    async def read_show(cls, store: Store, id: str) -> TaskShow | None:
        """A `partial` `task show`, whose states mean nothing; None if never started, `ValueError` for a sheet of newer
        code.
        """
        workflow_id = Kind.TASK.workflow_id(id)
        content = await store.starts.cover(workflow_id)
        if content is None:
            return None
        cover = cls.model_validate_json(content)
        show = TaskShow(
            id=id,
            kind=cover.kind,
            title=cover.title,
            text=cover.text,
            requester=cover.requester,
            status=Status.OPEN,
            people=tuple(AssigneeLine(person=person, state=AssigneeState.ASKED) for person in cover.people),
            says=NOBODY_SAYS,
            partial=True,
        )
        return await together(store, workflow_id, show)
