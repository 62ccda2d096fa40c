"""The cover sheet of a request: what its pages say of it while nobody else can be asked.

Written once the request is created, beside what was sent to its signers. It holds nothing that changes: no due date,
since an extension would make it a wrong one, and no state.
"""

from datetime import date
from typing import Final

from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.user_texts import together
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.signature import SignatureBrief, SignerState
from workflows.model.subject import Participant, Status, Task
from workflows.model.views import AssigneeLine, RequestShow, SignerLine, TaskShow
from workflows.task.state import AssigneeState

NOBODY_SAYS: Final = "Where it stands is not known: neither Temporal nor a worker answers"


class CoverSheet(Model):
    """What is to be signed, who asked for it, and who signs in which order; persons by their ids."""

    kind: str
    document: str
    requester: str
    signers: tuple[Participant, ...]
    message: str | None = None
    """What the requester says to the signers, by its reference: the text is in the store."""
    sha256: str | None = None
    """Of the document, None for a template."""
    version: str = ""
    effective: date | None = None
    approver: str | None = None
    """Who has approved this version."""

    @classmethod
    async def read(cls, store: Store, request: str) -> "CoverSheet | None":
        """The cover sheet of a request, None when it was not created; `ValueError` for one of a newer worker."""
        content = await store.read_cover(StoragePrefix.of_request(request))
        return cls.model_validate_json(content) if content is not None else None

    @classmethod
    async def keep(cls, store: Store, brief: SignatureBrief) -> None:
        """Write it; repeated, it is the same."""
        made = cls(
            kind=brief.kind,
            document=brief.title,
            requester=brief.requester,
            signers=brief.people,
            message=brief.message,
            sha256=brief.document.sha256,
            version=brief.document.version,
            effective=brief.document.effective,
            approver=brief.document.approver,
        )
        await store.keep_cover(StoragePrefix.of_request(brief.id), made.model_dump_json(by_alias=True).encode())

    def shown(self, request: str) -> RequestShow:
        """As far as it goes, what `request show` would say: `partial`, and no word of it about states is to be told."""
        lines = (
            SignerLine(person=one.person, order=one.order, role=one.role, state=SignerState.WAITING)
            for one in self.signers
        )
        return RequestShow(
            id=request,
            kind=self.kind,
            document=self.document,
            requester=self.requester,
            status=Status.SENT,
            signers=tuple(lines),
            says=NOBODY_SAYS,
            partial=True,
        )


class TaskCover(Model):
    """What is to be done, who asked for it, and whom; persons by their ids, the text by its reference."""

    kind: str
    title: str
    text: str
    requester: str
    people: tuple[str, ...]

    @classmethod
    async def keep(cls, store: Store, task: Task) -> None:
        """Write it; repeated, it is the same. `task` is as its workflow has it, so that its text lies elsewhere."""
        people = tuple(one.person for one in task.people)
        made = cls(kind=task.kind, title=task.title, text=task.text, requester=task.requester, people=people)
        await store.keep_cover(StoragePrefix.of(task.workflow_id), made.model_dump_json(by_alias=True).encode())

    @classmethod
    async def shown(cls, store: Store, id: str) -> TaskShow | None:
        """As far as it goes, what `task show` would say: `partial`, and no word of it about states is to be told.

        None for a task that was never started; `ValueError` for a sheet of newer code.
        """
        home = StoragePrefix.of(Kind.TASK.workflow_id(id))
        content = await store.read_cover(home)
        if content is None:
            return None
        cover = cls.model_validate_json(content)
        shown = TaskShow(
            id=id,
            kind=cover.kind,
            title=cover.title,
            text=cover.text,
            requester=cover.requester,
            status=Status.OPEN,
            people=tuple(AssigneeLine(person=one, state=AssigneeState.ASKED) for one in cover.people),
            says=NOBODY_SAYS,
            partial=True,
        )
        return await together(store, home, shown)
