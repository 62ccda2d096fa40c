"""The cover sheet of a task: what its page says of it while nobody else can be asked, as that of a request does.

Written once its workflow lives, by the start. It holds nothing that changes: no due date, since an extension would make
it a wrong one, and no state.
"""

from activities.own_words import together
from activities.requests.cover_sheet import NOBODY_SAYS
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.lines import AssigneeLine
from workflows.model.subject import Status
from workflows.model.task import Task
from workflows.model.views import TaskShow
from workflows.task.assignees import AssigneeState


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
