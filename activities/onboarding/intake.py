"""From a checked onboarding file to the workflow's input and the stored content of its parts."""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from pydantic import SecretStr

from activities.files.pdf import LocalDocuments
from activities.files.reading import FileFaults, FileText, PlainFile, written_path
from activities.files.yaml_lines import FieldPath
from activities.launch import launch, request_file, task_file
from activities.launch.doors import CHECKS, CheckContext
from activities.launch.intake import asked_of, asking, maps, person_of, read_as, validate_file_and_policy
from activities.launch.request_file import PreparedRequest
from activities.onboarding.content import (
    PEOPLE_OF_PARTS,
    OnboardingContent,
    PartAliases,
    PartContent,
    address_in,
    identity,
    keep_part,
    people_of,
    read_part_content,
)
from activities.onboarding.file import (
    CUSTOMER,
    ID_AT_MOST,
    OWNER,
    SHORT_ID,
    NoticeEntry,
    OnboardingChecks,
    OnboardingFile,
)
from activities.people.directory import Directory
from activities.people.ids import id_of_address, ids_in_full, position_of, position_word
from activities.people.person import SignersFile
from activities.policies.onboarding_template import MergedTemplate, TemplatePosition, merge_template, read_template
from activities.records.store import Store
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.view import PEOPLE_AT_MOST
from workflows.kinds import Kind
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.notifications import NotificationBudget
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, StagePlan
from workflows.model.policy import Policy
from workflows.model.subject import Participant, Role, group_of, group_word
from workflows.model.views import PartLine
from workflows.onboarding.state import OnboardingInput

TEAM_TASK: Final = "team-task"
CUSTOMER_STEP: Final = "customer-step"
_LISTS: Final = {"agreements": PartKind.AGREEMENT, "tasks": PartKind.TASK, "steps": PartKind.STEP}
_OURS: Final = {"team": PartKind.TASK, "tell_customer": PartKind.TASK, "delegate": PartKind.STEP}
"""Keys of a part that its own file does not have, and the kinds of parts that may have them."""
PreparedPart = request_file.PreparedRequest | task_file.PreparedTask
_DEFAULTS: Final = ("kind", "requester", "owner", "who", "colleagues")
"""Fields that a replacement file may omit."""


@dataclass(frozen=True)
class PartDraft:
    """A part and its own file; None for news."""

    plan: PartPlan
    position: TemplatePosition
    file: PlainFile | None = None
    text: str = ""
    """Text of news."""

    def faults(self, faults: FileFaults) -> FileFaults:
        """Faults of the part's file, as faults of the onboarding file."""
        part_path = written_path(self.position.path)
        return FileFaults(
            type(fault)(
                fault.file,
                fault.line,
                f"{part_path}.{path}" if (path := self._written(fault.path)) else part_path,
                fault.message,
            )
            for fault in faults.faults
        )

    def _written(self, path: str) -> str:
        """The field as people wrote it: for a team's task, the team."""
        of_team = self.plan.what is PartKind.TASK and self.plan.team not in (None, CUSTOMER)
        return "team" if of_team and path.partition(".")[0] == "who" else path


@dataclass
class PartDrafts:
    """All parts of an otherwise valid file, by stage, with their faults."""

    file: OnboardingFile
    merged: MergedTemplate
    checks: OnboardingChecks
    deputy: str
    """Who is notified of the owner's tasks."""
    in_full: tuple[str | None, ...]
    """Ids of customer and colleagues described in full, None for those of the directory."""
    stages: list[list[PartDraft]] = field(default_factory=list)
    wrong: list[FileFaults] = field(default_factory=list)
    _counts: dict[PartKind, int] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def read(self) -> None:
        for number, stage in enumerate(self.file.stages):
            drafts: list[PartDraft] = []
            for key, part_kind in _LISTS.items():
                for index, entry in enumerate(getattr(stage, key)):
                    self._add(drafts, part_kind, entry, self.merged.places[number, key].at_step(index))
            for index, notice in enumerate(stage.notices):
                self._add(drafts, PartKind.NOTICE, notice, self.merged.places[number, "notices"].at_step(index))
            self.stages.append(drafts)

    @property
    def plans(self) -> tuple[StagePlan, ...]:
        return tuple(
            StagePlan(name=stage.name, parts=tuple(draft.plan for draft in drafts))
            for stage, drafts in zip(self.file.stages, self.stages, strict=True)
        )

    @property
    def all(self) -> Iterator[PartDraft]:
        for drafts in self.stages:
            yield from drafts

    def _add(self, drafts: list[PartDraft], part_kind: PartKind, entry: Any, position: TemplatePosition) -> None:
        self._counts[part_kind] = self._counts.get(part_kind, 0) + 1
        try:
            plan = PartPlan(id=self._id(part_kind, entry), what=part_kind, number=len(drafts) + 1, title="")
            drafts.append(
                self._notice(plan, entry, position)
                if part_kind is PartKind.NOTICE
                else self._part(plan, entry, position)
            )
        except _PartFault as wrong:
            self.wrong.append(position.file.faults([((*position.path, *wrong.path), wrong.message)]))

    def _id(self, part_kind: PartKind, entry: Any) -> str:
        own_id = entry.id if isinstance(entry, NoticeEntry) else entry.get("id")
        id = f"{part_kind}-{self._counts[part_kind]}" if own_id is None else own_id
        if not isinstance(id, str) or not re.fullmatch(SHORT_ID, id):
            raise _PartFault(("id",), FileFault.NO_SHORT_ID.to_message(most=ID_AT_MOST))
        if id in self._ids:
            raise _PartFault(("id",), FileFault.ID_OF_PART.to_message(id=id))
        self._ids.add(id)
        return id

    def _notice(self, plan: PartPlan, entry: NoticeEntry, position: TemplatePosition) -> PartDraft:
        people = self._recipients(entry.to)
        title = f"Notice to {re.sub('[-_]', ' ', entry.to)}"
        return PartDraft(plan.replace(title=title, team=entry.to, asked=people), position, text=entry.text)

    def _recipients(self, recipient: str) -> tuple[str, ...]:
        if recipient == CUSTOMER:
            return (self.customer_id,)
        if recipient == OWNER:
            return (self.file.owner,)
        return self.checks.team(self._team(recipient, "to"))

    def _team(self, team: object, key: str) -> str:
        try:
            return self.file.people_of(str(team))
        except ValueError as unknown:
            raise _PartFault((key,), unknown.args[0]) from None

    @property
    def customer_id(self) -> str:
        return self.contacts[0]

    @property
    def contacts(self) -> tuple[str, ...]:
        """Ids of the customer and their colleagues."""
        everyone = (self.file.customer, *self.file.customer.colleagues)
        return tuple(entry.person or id or "" for entry, id in zip(everyone, self.in_full, strict=True))

    @property
    def people(self) -> bytes | None:
        """The people described in full, as stored."""
        return SignersFile.dump_signers(
            (entry.in_full for entry in (self.file.customer, *self.file.customer.colleagues)), self.in_full
        )

    @property
    def contacts_plain(self) -> tuple[dict[str, Any], ...]:
        """The customer and their colleagues, as a part names them."""
        return tuple(map(_plain, (self.file.customer, *self.file.customer.colleagues)))

    def _part(self, plan: PartPlan, entry: dict[str, Any], position: TemplatePosition) -> PartDraft:
        for key in _OURS.keys() & entry.keys():
            if _OURS[key] is not plan.what:
                other_part, part = f"a {_OURS[key]}", _with_article(plan.what)
                raise _PartFault((key,), FileFault.FIELD_OF_OTHER_PART.to_message(other=other_part, part=part))
        own_fields = {key: value for key, value in entry.items() if key not in ("id", *_OURS)}
        for key in PEOPLE_OF_PARTS:
            if isinstance(people := own_fields.get(key), list):
                own_fields[key] = [
                    self._resolve_listed_person(key, index, person) for index, person in enumerate(people)
                ]
        match plan.what:
            case PartKind.AGREEMENT:
                file = {"requester": self.file.owner, **own_fields}
                complete_plan = self._agreement_plan(plan, entry, file)
            case PartKind.TASK:
                file = self._task(own_fields, entry)
                complete_plan = self._task_plan(plan, entry, file)
            case _:
                place_of = self._contact(own_fields["who"]) if own_fields.get("who") is not None else 0
                file = self._step(own_fields, entry, place_of)
                complete_plan = plan.replace(team=CUSTOMER, asked=(self.contacts[place_of],))
        title = own_fields.get("title") if plan.what is not PartKind.AGREEMENT else _document_name(own_fields)
        titled_plan = complete_plan.replace(title=str(title or plan.id), kind=str(file.get("kind", "")))
        return PartDraft(titled_plan, position, position.holding(file))

    def _agreement_plan(self, plan: PartPlan, entry: dict[str, Any], file: dict[str, Any]) -> PartPlan:
        person_words, people = _persons(entry), _persons(file)
        if CUSTOMER in person_words or self.file.customer.person in people:
            return plan.replace(team=CUSTOMER, asked=(self.customer_id,))
        return (
            plan.replace(team=person_words[0], asked=(people[0],))
            if person_words and person_words[0] and people[0]
            else plan
        )

    def _resolve_listed_person(self, key: str, index: int, entry: Any) -> Any:
        """One of a list of people; only reviewers can be a group."""
        named = self._resolve_person(entry)
        if key != "reviewers" and isinstance(named, dict) and "group" in named and "group" not in entry:
            raise _PartFault((key, index, "person"), FileFault.GROUP_HERE.to_message(group=entry["person"]))
        return named

    def _resolve_person(self, entry: Any) -> Any:
        """Somebody who is asked, with the person or group in place of a word."""
        part_words = PartAliases(customer=self._customer, owner=self.file.owner, teams=self.file.teams)
        named = part_words.resolve_person(entry)
        id = named.get("person") if isinstance(named, dict) else None
        if not isinstance(id, str) or id not in self.checks.groups:
            return named
        return {**{key: value for key, value in named.items() if key != "person"}, "group": id}

    def _task(self, own_fields: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
        assignee = own_fields.get("who")
        if "team" in entry and assignee is not None:
            raise _PartFault((), FileFault.ONLY_ONE.to_message(field="team", other="who"))
        if "team" in entry:
            id = self._team(entry["team"], "team")
            assignee = {"group": id} if id in self.checks.groups else {"person": id}
        assignee = self._resolve_person(assignee)
        if assignee is None:
            teams = ", ".join(self.file.teams)
            fault = FileFault.NEEDS_TEAM.to_message(teams=teams) if teams else FileFault.NEEDS_TEAMS.to_message()
            raise _PartFault((), fault)
        owner = self.deputy if assignee == asked_of(self.file.owner) else self.file.owner
        return {"kind": TEAM_TASK, "owner": owner, **own_fields, "who": assignee}

    def _task_plan(self, plan: PartPlan, entry: dict[str, Any], file: dict[str, Any]) -> PartPlan:
        assignee = file["who"] if isinstance(file["who"], dict) else {}
        assignee_id = assignee.get("person") or assignee.get("group")
        task_plan = plan.replace(team=entry.get("team"), tell_customer=self._flag(entry, "tell_customer"))
        if identity(assignee) == identity(self.contacts_plain[0]):
            return task_plan.replace(team=CUSTOMER, asked=(self.customer_id,))
        return task_plan.replace(asked=(assignee_id,)) if isinstance(assignee_id, str) else task_plan

    def _contact(self, assignee: Any) -> int:
        """Index of the person whom a step asks: `customer`, an id, or an address."""
        if assignee == {"person": CUSTOMER}:
            return 0
        for index, contact in enumerate(self.contacts_plain):
            if (
                isinstance(assignee, dict)
                and assignee.keys() & {"person", "email", "phone"}
                and assignee.items() <= contact.items()
            ):
                return index
        known_contacts = [
            CUSTOMER,
            *(str(contact.get("person") or address_in(contact)) for contact in self.contacts_plain),
        ]
        raise _PartFault(
            ("who",), FileFault.NOT_THE_CUSTOMER.to_message(people=", ".join(dict.fromkeys(known_contacts)))
        )

    def _step(self, own_fields: dict[str, Any], entry: dict[str, Any], contact_index: int) -> dict[str, Any]:
        """The task file of a step for the contact at index `contact_index`."""
        step = {
            "kind": CUSTOMER_STEP,
            "owner": self.file.owner,
            **own_fields,
            "who": self.contacts_plain[contact_index],
        }
        if "delegate" in entry and "colleagues" in own_fields:
            raise _PartFault((), FileFault.ONLY_ONE.to_message(field="colleagues", other="delegate"))
        if self._flag(entry, "delegate"):
            if not self.file.customer.colleagues:
                raise _PartFault(("delegate",), FileFault.NEEDS_COLLEAGUES.to_message())
            step["colleagues"] = [
                contact for index, contact in enumerate(self.contacts_plain) if index != contact_index
            ]
        return step

    def _flag(self, entry: dict[str, Any], name: str) -> bool:
        value = entry.get(name, False)
        if not isinstance(value, bool):
            raise _PartFault((name,), FileFault.NO_FLAG.to_message())
        return value

    @property
    def _customer(self) -> dict[str, Any]:
        return _plain(self.file.customer)


@dataclass(frozen=True)
class PreparedOnboarding:
    """A fully checked onboarding; nothing is stored or started yet."""

    workflow_input: OnboardingInput
    content: OnboardingContent = field(repr=False)
    documents: Mapping[str, bytes] = field(repr=False)
    """PDFs of its agreements, by SHA-256."""
    people: bytes | None = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)
    """Texts of its news, by part id."""
    parts: Mapping[str, "PreparedPart"] = field(repr=False)
    """Agreements, tasks and steps, each as it would be started alone."""
    overdue: FileFaults | None = None
    """Why it can be recognised but no longer started."""

    async def store_input(self, store: Store) -> OnboardingInput:
        """Stores documents, people and the parts' content, under the fingerprint."""
        workflow_id, digest = self.workflow_input.onboarding.workflow_id, self.workflow_input.fingerprint
        for document in self.documents.values():
            await store.files.put(document)
        texts = {"parts": self.content.model_dump_json()} | {f"news-{id}": text for id, text in self.texts.items()}
        stored_texts = await store.keep_input(workflow_id, digest, self.people, texts)
        return self.workflow_input.replace(
            onboarding=self.workflow_input.onboarding.replace(content=stored_texts["parts"]),
            stages=tuple(_with_texts(stage, stored_texts) for stage in self.workflow_input.stages),
        )

    async def store_for_pages(self, store: Store, workflow_input: FollowUpInput) -> None: ...


async def prepare_onboarding(written: FileText | PlainFile, sources: CheckContext) -> PreparedOnboarding:
    """Check an onboarding file with every part; starts nothing. Raises `FileFaults` with all faults, and
    `DirectoryFailure`. A part's past due date is in `overdue`.
    """
    directory, templates = sources.directory, sources.templates_folder
    plain = await read_as(Kind.ONBOARDING, written)
    template = await asyncio.to_thread(read_template, plain, templates) if templates else None
    merged_template = merge_template(plain, template)
    checks = await OnboardingChecks.look_up(merged_template.file.plain, sources)
    file, checked_policy = await validate_file_and_policy(merged_template.file, OnboardingFile, checks, directory)
    deputy = await _deputy(merged_template.file, file, checks, directory)
    drafts = PartDrafts(file, merged_template, checks, deputy, _in_full(plain, file, directory))
    drafts.read()
    parts = await _parts(drafts, sources)
    return _prepared(plain, drafts, parts, checked_policy.resolved.policy)


def _with_article(part_kind: PartKind) -> str:
    return f"an {part_kind}" if part_kind is PartKind.AGREEMENT else f"a {part_kind}"


class _PartFault(Exception):
    def __init__(self, path: FieldPath, message: Message) -> None:
        super().__init__(message)
        self.path, self.message = path, message


def _plain(entry: Any) -> dict[str, Any]:
    if entry.person is not None:
        return {"person": entry.person}
    in_full: dict[str, Any] = entry.in_full.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return in_full


def _persons(file: Mapping[str, Any]) -> list[Any]:
    """Signer ids of an agreement in order; None for people described in full."""
    signers = file.get("signers")
    return [signer.get("person") for signer in signers if isinstance(signer, dict)] if isinstance(signers, list) else []


def _document_name(fields: Mapping[str, Any]) -> str | None:
    document = fields.get("document")
    if not isinstance(document, dict):
        return None
    name, file = document.get("name"), document.get("file")
    return str(name) if name else str(file).rpartition("/")[2].removesuffix(".pdf") if file else None


def _with_texts(stage: StagePlan, texts: Mapping[str, str]) -> StagePlan:
    return stage.replace(parts=tuple(part.replace(text=texts.get(f"news-{part.id}")) for part in stage.parts))


CHECKS[Kind.ONBOARDING] = prepare_onboarding


async def prepare_part(part_kind: PartKind, file: PlainFile, sources: CheckContext) -> PreparedPart:
    """The part as it would be started alone; raises as its kind's `prepare` function."""
    of_parent = replace(sources, is_part_of_parent=True)
    if part_kind is PartKind.AGREEMENT:
        return await request_file.prepare_request(file, of_parent)
    return await task_file.prepare_task(file, of_parent)


def content_of(file: Mapping[str, Any], part: PreparedPart) -> PartContent:
    """A checked part's content; its document must be stored separately."""
    document = file.get("document")
    name = document.get("file") if isinstance(document, dict) else None
    pdf = _pdf(part)
    documents = {name: _sha256(pdf)} if name and pdf is not None else {}
    return PartContent(file=file, documents=documents, fingerprint=part.workflow_input.fingerprint)


def fingerprint_of(written: PlainFile, documents: LocalDocuments) -> str:
    """As `prepare_onboarding` computes it, also for a file that is no longer valid; `ValueError` if unknown."""
    hashes = {name: _sha256(documents.read(written.folder, name)) for name in _named_documents(written.plain)}
    return _fingerprint(written.plain, hashes)


class UnknownSigner(ValueError):
    """No signer has this id."""


class PartNotFailed(Exception):
    """A part has not failed, so that nothing is started in its place."""


@dataclass(frozen=True)
class RestartedPart:
    """A part to start anew, and its previous content."""

    store: Store
    workflow_id: str
    what: PartKind
    before: PartContent

    @classmethod
    async def read(cls, store: Store, onboarding: str, part_kind: PartKind, line: PartLine) -> Self:
        """The part of this line of an onboarding; `PartNotFailed` if it was not started yet."""
        if line.content is None:
            raise PartNotFailed(f"{line.id} is {line.state}: there is nothing to decide about it")
        workflow_id = Kind.ONBOARDING.workflow_id(onboarding)
        return cls(store, workflow_id, part_kind, await read_part_content(store, workflow_id, line.content, line.id))

    async def from_file(self, file: PlainFile, sources: CheckContext) -> str:
        """Store a checked replacement file; returns the reference. Raises as `prepare_part`."""
        content = file.plain
        if isinstance(content, dict):
            content = {**self._defaults, **{key: value for key, value in content.items() if key != "id"}}
            content = self._with_ids(content)
        return await self._store_content(file.saying(content), sources)

    async def with_signers(self, replacements: Mapping[str, str], sources: CheckContext) -> str:
        """Store the content with signers exchanged by id; returns the reference. Idempotent; raises `UnknownSigner`."""
        signer_entries = self._signers(sources.directory.secret)
        ids = [id for id, _ in signer_entries]
        new_by_old = {_at_position(former_id, ids): new for former_id, new in replacements.items()}
        for former_id, new in new_by_old.items():
            if former_id not in ids and new not in ids:
                raise UnknownSigner(f"{former_id} is no signer of it: {', '.join(ids) or 'it has none'}")
        signers = [_with_new_signer(entry, new_by_old.get(id)) for id, entry in signer_entries]
        documents = await self.before.read_documents(self.store)
        content = self.before.model_copy(update={"file": self._with_ids({**self.before.file, "signers": signers})})
        return await self._store_content(
            content.plain(self.workflow_id.partition(":")[2]), replace(sources, documents=documents)
        )

    def _with_ids(self, file: dict[str, Any]) -> dict[str, Any]:
        return self.before.part_words.in_file(file) if self.before.part_words else file

    @property
    def _defaults(self) -> dict[str, Any]:
        return {key: self.before.file[key] for key in _DEFAULTS if key in self.before.file}

    def _signers(self, secret: SecretStr | None) -> list[tuple[str, Any]]:
        """Signers by the request's ids; without a secret, those described in full by position."""
        entries = self.before.file.get("signers") or ()
        return [(_id_of(entry, position, secret), entry) for position, entry in enumerate(entries, start=1)]

    async def _store_content(self, file: PlainFile, sources: CheckContext) -> str:
        part = await prepare_part(self.what, file, sources)
        if part.overdue is not None:
            raise part.overdue
        if isinstance(part, PreparedRequest) and part.document is not None:
            await self.store.files.put(part.document)
        content = content_of({key: value for key, value in file.plain.items() if key != "id"}, part)
        content = content.model_copy(update={"part_words": self.before.part_words})
        digest = hashlib.sha256(content.model_dump_json().encode()).hexdigest()
        return await keep_part(self.store, self.workflow_id, f"part-{digest[:16]}", content)


def _prepared(
    plain: PlainFile, drafts: PartDrafts, parts: Mapping[str, PreparedPart], policy: Policy
) -> PreparedOnboarding:
    file = drafts.file
    content = OnboardingContent(
        owner=file.owner,
        deputy=drafts.deputy,
        customer=file.customer.company or file.id or "",
        contacts=drafts.contacts_plain,
        teams=file.teams,
        parts={draft.plan.id: content_of(draft.file.plain, parts[draft.plan.id]) for draft in drafts.all if draft.file},
    )
    hashes = {name: sha256 for part in content.parts.values() for name, sha256 in part.documents.items()}
    overdue = [part.overdue.faults for part in parts.values() if part.overdue]
    return PreparedOnboarding(
        workflow_input=_onboarding_input(drafts, parts, policy, _fingerprint(plain.plain, hashes)),
        content=content,
        documents={_sha256(pdf): pdf for part in parts.values() if (pdf := _pdf(part)) is not None},
        people=drafts.people,
        texts={draft.plan.id: draft.text for draft in drafts.all if draft.text},
        parts=parts,
        overdue=FileFaults(fault for faults in overdue for fault in faults) if overdue else None,
    )


def _onboarding_input(
    drafts: PartDrafts, parts: Mapping[str, PreparedPart], policy: Policy, digest: str
) -> OnboardingInput:
    file = drafts.file
    id = file.id or f"onboarding-{digest[:12]}"
    teams, groups = (
        (person for team in file.teams.values() for person in drafts.checks.team(team)),
        drafts.checks.groups,
    )
    onboarding = Onboarding(
        id=id,
        kind=file.kind,
        title=file.customer.company or id,
        **asking(file.owner),
        people=tuple(Participant(person=person, role=Role.DO) for person in drafts.contacts),
        urgent=policy.urgent,
        lock_screen=policy.lock_screen,
        quiet=NotificationBudget(most=file.quiet.most, per=file.quiet.per, people=drafts.contacts),
        told=tuple(dict.fromkeys(person for person in teams if person not in drafts.checks.owners)),
        teams=tuple(dict.fromkeys(group_word(id) if id in groups else id for id in file.teams.values())),
    )
    return OnboardingInput(
        onboarding=onboarding,
        policy=policy,
        fingerprint=digest,
        subscribers=file.subscribers,
        stages=tuple(_with_people(stage, drafts, parts) for stage in drafts.plans),
    )


def _with_people(stage: StagePlan, drafts: PartDrafts, parts: Mapping[str, PreparedPart]) -> StagePlan:
    """The stage with whom each part asks first, and its teams' members."""
    return stage.replace(
        parts=tuple(
            plan.replace(
                title=_title(plan, parts[plan.id]),
                asked=parts[plan.id].workflow_input.first_turn[:PEOPLE_AT_MOST],
                members=tuple(_members(plan, parts[plan.id], drafts))[:PEOPLE_AT_MOST],
            )
            if plan.id in parts
            else plan
            for plan in stage.parts
        )
    )


def _title(plan: PartPlan, part: PreparedPart) -> str:
    """An agreement is called as its document is."""
    return part.workflow_input.subject.title if plan.what is PartKind.AGREEMENT else plan.title


def _members(plan: PartPlan, part: PreparedPart, drafts: PartDrafts) -> Iterator[str]:
    """A team's people; customers by the ids that both onboarding and part use."""
    people = part.workflow_input.subject.people
    if plan.team == CUSTOMER:
        own_ids = (
            entry.person for entry, is_customer in zip(people, _customers(plan, drafts), strict=False) if is_customer
        )
        yield from dict.fromkeys((drafts.customer_id, *own_ids))
    elif plan.team is not None:
        yield from (member for id in plan.asked for member in drafts.checks.groups.get(id, (id,)))


def _customers(plan: PartPlan, drafts: PartDrafts) -> Iterator[bool]:
    """For each of a part's people, whether they are the customer."""
    [file] = (draft.file.plain for draft in drafts.all if draft.plan.id == plan.id and draft.file)
    customer = identity(drafts.contacts_plain[0])
    return (identity(entry) == customer for entry in people_of(file))


async def _parts(drafts: PartDrafts, sources: CheckContext) -> dict[str, PreparedPart]:
    parts, wrong = {}, list(drafts.wrong)
    for draft in drafts.all:
        if draft.file is None:
            continue
        try:
            part = await prepare_part(draft.plan.what, draft.file, sources)
        except FileFaults as faults:
            wrong.append(draft.faults(faults))
        else:
            parts[draft.plan.id] = replace(part, overdue=draft.faults(part.overdue)) if part.overdue else part
    if wrong:
        raise FileFaults(fault for faults in wrong for fault in faults.faults)
    return parts


def _in_full(plain: PlainFile, file: OnboardingFile, directory: Directory) -> tuple[str | None, ...]:
    """Ids of the customer's people who are described in full."""
    everyone = (entry.in_full for entry in (file.customer, *file.customer.colleagues))
    id = file.id or launch.fingerprint(plain.plain)
    return ids_in_full(everyone, Kind.ONBOARDING.workflow_id(id), directory.secret)


async def _deputy(plain: PlainFile, file: OnboardingFile, checks: OnboardingChecks, directory: Directory) -> str:
    """Who is notified while a decision of the owner waits: the manager, else a team member."""
    owner = await directory.person(person_of(file.owner))
    teams = (person for id in file.teams.values() for person in checks.team(id))
    deputy = next((id for id in (owner.manager, owner.delegate, *teams) if id and id not in checks.owners), None)
    if deputy is None and group_of(file.owner):
        return file.owner  # The others of the group hear it.
    if deputy is None:
        raise plain.faults([(("owner",), FileFault.OWNER_ALONE.to_message(owner=file.owner))])
    return deputy


def _pdf(part: PreparedPart) -> bytes | None:
    return part.document if isinstance(part, request_file.PreparedRequest) else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fingerprint(plain: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    """Of the file without its id, with documents by hash; templates do not count."""
    content = {key: value for key, value in plain.items() if key != "id"}
    return launch.fingerprint(
        {**content, "documents": {name: hashes[name] for name in _named_documents(plain) if name in hashes}}
    )


def _named_documents(plain: Mapping[str, Any]) -> Iterator[str]:
    for agreement in (entry for stage in maps(plain, "stages") for entry in maps(stage, "agreements")):
        document = agreement.get("document")
        if isinstance(document, dict) and isinstance(name := document.get("file"), str):
            yield name


def _id_of(entry: Mapping[str, Any], position: int, secret: SecretStr | None) -> str:
    if person := entry.get("person"):
        return str(person)
    if group := entry.get("group"):
        return group_word(str(group))
    return id_of_address(address_in(entry), secret) if secret else position_word(position)


def _at_position(signer: str, ids: Sequence[str]) -> str:
    """The id at the position of `signer-2`; other words unchanged."""
    position = position_of(signer)
    return ids[position - 1] if position and position <= len(ids) else signer


def _with_new_signer(entry: Mapping[str, Any], new: str | None) -> Mapping[str, Any]:
    return entry if new is None else {**{key: entry[key] for key in ("order", "role") if key in entry}, "person": new}
