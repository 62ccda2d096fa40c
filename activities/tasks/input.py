"""What a checked task file becomes: the workflow's input, and the fingerprint it is recognised by."""

from dataclasses import dataclass, field
from datetime import datetime

from activities.directory import Directory
from activities.files.reading import FileFaults, FileText, PlainFile
from activities.person import SignersFile, id_in_full
from activities.policies.cascade import Resolved
from activities.policies.catalogue import Catalogue
from activities.starting import path
from activities.starting.meant import read_as
from activities.starting.policy import CheckedPolicy, checked
from activities.store.home import StoragePrefix
from activities.store.store import Store
from activities.tasks.cover_sheet import TaskCover
from activities.tasks.file import TaskChecks, TaskFile
from workflows.follow_up.inputs import FollowUpInput
from workflows.kinds import Kind
from workflows.model.subject import Participant, Role
from workflows.model.task import Task
from workflows.task.inputs import TaskInput


@dataclass(frozen=True)
class PreparedTask:
    """A task whose file was checked in full; nothing is started yet."""

    given: TaskInput
    resolved: Resolved
    """Its policy, and the layer each value comes from."""
    people: bytes | None = field(default=None, repr=False)
    """What the store keeps of those who stand in full, None when all are in the directory."""
    overdue: FileFaults | None = None
    """Why it can be recognised, but not started any more."""

    async def kept(self, store: Store) -> TaskInput:
        """See `path.Prepared`: people and text, under the fingerprint; of starts of one id at most one will live."""
        task = self.given.task
        home = StoragePrefix.of(task.workflow_id)
        if self.people is not None:
            await store.keep_signers(home, self.given.fingerprint, self.people)
        if not task.text:
            return self.given
        text = await store.texts.keep(home, f"text-{self.given.fingerprint[:16]}", task.text)
        return self.given.replace(task=task.replace(text=str(text)))

    async def lives(self, store: Store, given: FollowUpInput) -> None:
        """See `path.Prepared`: its people and its cover sheet, for nothing of a task is created elsewhere."""
        if isinstance(given, TaskInput):
            if self.people is not None:
                await store.choose_signers(StoragePrefix.of(given.task.workflow_id), given.fingerprint)
            await TaskCover.keep(store, given.task)


async def prepare_task(
    written: FileText | PlainFile, *, catalogue: Catalogue, directory: Directory, now: datetime
) -> PreparedTask:
    """Check a task file in full, without starting anything; those of a group who are asked are its people as of now.

    Raises `FileFaults` with all that is wrong, and `DirectoryFailure` when nobody can be looked up. A due date that is
    over stands in `overdue` when nothing else is wrong: the task may have been started in time.
    """
    plain = await read_as(Kind.TASK, written)
    checks = await TaskChecks.look_up(plain.plain, catalogue=catalogue, directory=directory, now=now)
    file, found = await checked(plain, TaskFile, checks, directory)
    return _prepared(file, found, checks.asked(file.who))


def _prepared(file: TaskFile, found: CheckedPolicy, asked: tuple[str, ...]) -> PreparedTask:
    policy = found.resolved.policy
    digest = path.fingerprint(file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id"}))
    task = Task(
        id=path.own_id(file, digest),
        kind=file.kind,
        title=file.title,
        text=file.text,
        requester=file.owner,
        people=tuple(Participant(person=id, role=Role.DO) for id in asked),
        colleagues=tuple(one.person or id_in_full(place) for place, one in enumerate(file.colleagues, start=2)),
        answer=file.answer.field if file.answer else None,
        urgent=policy.urgent,
        lock_screen=policy.lock_screen,
    )
    given = TaskInput(task=task, policy=policy, due=file.due, fingerprint=digest, subscribers=file.subscribers)
    return PreparedTask(given, found.resolved, SignersFile.of(file.in_full), found.overdue)
