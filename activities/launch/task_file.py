"""From a checked task file to the workflow's input and the fingerprint."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from activities.files.fields import Id, Message, Name, Span
from activities.files.reading import FileFaults, FileModel, FileText, PlainFile
from activities.launch import intake, launch
from activities.launch.doors import CHECKS, CheckContext
from activities.people.ids import contact_address, ids_in_full
from activities.people.person import Reachable, SignersFile
from activities.policies.cascade import ResolvedPolicy
from activities.policies.policy_file import PolicyLayer
from activities.records.cover_sheet import TaskCover
from activities.records.store import Store
from workflows.follow_up.input import FollowUpInput
from workflows.kinds import Kind
from workflows.model.file_faults import FileFault
from workflows.model.subject import AnswerField, Participant, Role, Task
from workflows.task.state import TaskInput

COLLEAGUES_AT_MOST: Final = 20
"""To choose from on a page."""
ANSWER_LINES_AT_MOST: Final = 20
"""Lines of the answer's field."""


@dataclass
class TaskChecks(intake.FileChecks):
    made_of: ClassVar[frozenset[str]] = intake.FileChecks.made_of | {"within"}
    closes: ClassVar[bool] = False

    owner: object
    team: intake.Team

    @classmethod
    async def look_up(cls, plain: Any, sources: CheckContext) -> Self:
        directory, fields = sources.directory, plain if isinstance(plain, dict) else {}
        owner, assignee = intake.asker_named(plain, "owner"), fields.get("who")
        assignee = assignee if isinstance(assignee, dict) else {}
        team = await intake.Team.look_up(directory, assignee.get("group"), frozenset({owner}))
        assignees = [assignee, *({"person": id} for id in team.members)]
        named = (owner, *(entry.get("person") for entry in (*assignees, *intake.maps(plain, "colleagues"))))
        persons = await intake.KnownPersons.look_up(directory, frozenset(id for id in named if isinstance(id, str)))
        closing = intake.closing_times(assignees, persons)
        return cls(
            catalogue=sources.catalogue,
            persons=persons,
            closing=closing,
            now=sources.now,
            owner=owner,
            team=team,
            substitutes=directory.substitutes,
        )

    @property
    def concerned(self) -> intake.ConcernedPersons:
        """The owner, and everybody of the directory who is asked."""
        assignee = self.right.get("who")
        assignee_ids = self.assignee_ids(assignee) if assignee and assignee.in_full is None else ()
        return intake.ConcernedPersons(self.right.get("owner"), frozenset(assignee_ids))

    @property
    def layer(self) -> PolicyLayer | None:
        layer, window = super().layer, self.right["within"]
        return layer if window is None else (layer or PolicyLayer()).model_copy(update={"window": window})

    def assignee_ids(self, entry: "AssigneeEntry") -> tuple[str, ...]:
        """Ids of those asked; empty for a person described in full."""
        if entry.group is not None:
            return self.team.members
        return (entry.person,) if entry.person else ()

    def person_once(self, id: str) -> str:
        person = self.person(id)
        if id == self.owner:
            raise FileFault.ASKS_THE_OWNER.error(person=id)
        self.refuse_repeated(id, FileFault.ASKED_TWICE.to_message(person=id))
        self.address_once(person.address)
        return id

    def address_once(self, address: str) -> None:
        """Refuse a repeated address: a person could hand over to themselves."""
        self.refuse_repeated(address.casefold(), FileFault.ADDRESS_OF_ASKED.to_message())


class TaskPersonEntry(intake.ParticipantEntry):
    """A person who is asked, or to whom the task may be handed over."""

    @field_validator("person")
    @classmethod
    def _somebody_else(cls, person: str | None, info: ValidationInfo) -> str | None:
        return person and _checks(info).person_once(person)

    @field_validator("email")
    @classmethod
    def _own_address(cls, email: str | None, info: ValidationInfo) -> str | None:
        if email:
            _checks(info).address_once(email)
        return email

    @field_validator("phone")
    @classmethod
    def _own_number(cls, phone: str | None, info: ValidationInfo) -> str | None:
        if phone is not None and info.data.get("email", "") is None:
            checks = _checks(info)
            checks.refuse_unreachable(None, phone)
            checks.address_once(contact_address(None, phone))
        return phone


def _checks(info: ValidationInfo) -> TaskChecks:
    if not isinstance(info.context, TaskChecks):
        raise TypeError("a task file is validated with TaskChecks")
    return info.context


class AssigneeEntry(TaskPersonEntry):
    """Everybody of a group, or one person."""

    other_ways: ClassVar[tuple[str, ...]] = ("group",)

    group: Id | None = None

    @field_validator("group")
    @classmethod
    def _has_somebody(cls, group: str | None, info: ValidationInfo) -> str | None:
        if group is not None:
            team = _checks(info).team
            if team.refused:
                raise ValueError(team.refused)
            _checks(info).asked_already.update(team.members)
        return group


class AnswerEntry(FileModel):
    """The answer that is asked for, in a field on the task's page."""

    label: Name
    required: bool = True
    lines: Annotated[int, Field(ge=1, le=ANSWER_LINES_AT_MOST)] = 1

    @property
    def field(self) -> AnswerField:
        return AnswerField(label=self.label, required=self.required, lines=self.lines)


class TaskFile(intake.AskingFile):
    title: Name
    text: Message = ""
    who: AssigneeEntry
    owner: intake.AskerId
    within: Span | None = None
    answer: AnswerEntry | None = None
    colleagues: tuple[TaskPersonEntry, ...] = Field(default=(), max_length=COLLEAGUES_AT_MOST)

    @property
    def in_full(self) -> tuple[Reachable | None, ...]:
        """People described in full in the order of their ids: who is asked, then colleagues."""
        return (self.who.in_full, *(colleague.in_full for colleague in self.colleagues))

    _right_people = field_validator("who", "owner", "within")(intake.right)

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.within is not None and self.due is not None:
            raise FileFault.ONLY_ONE.error(field="due", other="within")
        if self.within is not None and self.policy is not None and self.policy.window is not None:
            raise FileFault.ONLY_ONE.error(field="within", other="policy.window")
        return self


@dataclass(frozen=True)
class PreparedTask:
    """A fully checked task file; nothing is started yet."""

    workflow_input: TaskInput
    resolved: ResolvedPolicy
    """Its policy, and the layer of each value."""
    people: bytes | None = field(default=None, repr=False)
    """People described in full as stored, None if all are in the directory."""
    overdue: FileFaults | None = None
    """Why it can be recognised but no longer started."""

    async def store_input(self, store: Store) -> TaskInput:
        """Stores people and text, under the fingerprint; of several starts of one id at most one will run."""
        task = self.workflow_input.task
        stored_texts = await store.keep_input(
            task.workflow_id, self.workflow_input.fingerprint, self.people, {"text": task.text}
        )
        return self.workflow_input.replace(task=task.replace(text=stored_texts.get("text", "")))

    async def store_for_pages(self, store: Store, workflow_input: FollowUpInput) -> None:
        if isinstance(workflow_input, TaskInput):
            await TaskCover.keep(store, workflow_input.task)


async def prepare_task(written: FileText | PlainFile, sources: CheckContext) -> PreparedTask:
    """Check a task file in full; starts nothing. Group members are those of now. Raises `FileFaults` with all faults,
    and `DirectoryFailure`. A past due date, if the only fault, is in `overdue`.
    """
    directory = sources.directory
    plain = await intake.read_as(Kind.TASK, written)
    checks = await TaskChecks.look_up(plain.plain, sources)
    file, checked_policy = await intake.validate_file_and_policy(
        plain, TaskFile, checks, directory, of_parent=sources.is_part_of_parent
    )
    return _prepared(file, checked_policy, checks.assignee_ids(file.who), directory.secret)


CHECKS[Kind.TASK] = prepare_task


def _prepared(
    file: TaskFile, checked_policy: intake.CheckedPolicy, assignee_ids: tuple[str, ...], secret: SecretStr | None
) -> PreparedTask:
    policy = checked_policy.resolved.policy
    digest = launch.fingerprint(file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id"}))
    id = launch.own_id(file, digest)
    ids = ids_in_full(file.in_full, Kind.TASK.workflow_id(id), secret)
    first, colleague_entries = ids[0], zip(file.colleagues, ids[1:], strict=True)
    task = Task(
        id=id,
        kind=file.kind,
        title=file.title,
        text=file.text,
        **intake.asking(file.owner),
        people=tuple(Participant(person=id, role=Role.DO) for id in assignee_ids or filter(None, (first,))),
        colleagues=tuple(entry.person or id or "" for entry, id in colleague_entries),
        group=file.who.group or "",
        answer=file.answer.field if file.answer else None,
        urgent=policy.urgent,
        lock_screen=policy.lock_screen,
    )
    task_input = TaskInput(task=task, policy=policy, due=file.due, fingerprint=digest, subscribers=file.subscribers)
    return PreparedTask(
        task_input, checked_policy.resolved, SignersFile.dump_signers(file.in_full, ids), checked_policy.overdue
    )
