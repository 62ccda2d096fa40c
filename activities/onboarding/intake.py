"""From a checked onboarding file to the workflow's input and the stored content of its parts."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from activities.files.pdf import LocalDocuments
from activities.files.reading import FileFaults, FileText, PlainFile
from activities.launch import launch
from activities.launch.intake import checked, maps, read_as
from activities.onboarding.content import OnboardingContent, PartContent, identity, keep_part, people_of
from activities.onboarding.file import CUSTOMER, OnboardingChecks, OnboardingFile
from activities.onboarding.parts import PartDrafts
from activities.people.directory import Directory
from activities.people.ids import id_of_address, ids_in_full, position_of, position_word
from activities.policies.catalogue import Catalogue
from activities.policies.onboarding_template import merged, read_template
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.signature import intake
from activities.signature.intake import PreparedRequest
from activities.task import intake as task_intake
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.view import PEOPLE_AT_MOST
from workflows.kinds import Kind
from workflows.model.notifications import NotificationBudget
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, StagePlan
from workflows.model.policy import Policy
from workflows.model.subject import Participant, Role
from workflows.onboarding.state import OnboardingInput


@dataclass(frozen=True)
class PreparedOnboarding:
    """A fully checked onboarding; nothing is stored or started yet."""

    given: OnboardingInput
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
        home, digest = StoragePrefix.of(self.given.onboarding.workflow_id), self.given.fingerprint
        for document in self.documents.values():
            await store.put_document(document)
        if self.people is not None:
            await store.keep_signers(home, digest, self.people)
        texts = {
            id: str(await store.texts.keep(home, f"{_text_name(id)}-{digest[:16]}", text))
            for id, text in self.texts.items()
        }
        content = await self.content.keep(store, home, digest)
        return self.given.replace(
            onboarding=self.given.onboarding.replace(content=content),
            stages=tuple(_with_texts(stage, texts) for stage in self.given.stages),
        )

    async def store_for_pages(self, store: Store, given: FollowUpInput) -> None:
        """Stores its people."""
        await store.choose_signers(StoragePrefix.of(given.subject.workflow_id), given.fingerprint)


PreparedPart = intake.PreparedRequest | task_intake.PreparedTask


def _with_texts(stage: StagePlan, texts: Mapping[str, str]) -> StagePlan:
    return stage.replace(parts=tuple(part.replace(text=texts.get(part.id)) for part in stage.parts))


async def prepare_onboarding(
    written: FileText | PlainFile,
    *,
    catalogue: Catalogue,
    directory: Directory,
    now: datetime,
    documents: LocalDocuments | None = None,
    templates: Path | None = None,
) -> PreparedOnboarding:
    """Check an onboarding file with every part; starts nothing. `templates` is their folder. Raises `FileFaults` with
    all faults, and `DirectoryFailure`. A part's past due date is in `overdue`.
    """
    plain = await read_as(Kind.ONBOARDING, written)
    template = await asyncio.to_thread(read_template, plain, templates) if templates else None
    whole = merged(plain, template)
    checks = await OnboardingChecks.look_up(whole.file.plain, catalogue=catalogue, directory=directory, now=now)
    file, found = await checked(whole.file, OnboardingFile, checks, directory)
    deputy = await _deputy(whole.file, file, checks, directory)
    drafts = PartDrafts(file, whole, checks, deputy, _in_full(plain, file, directory))
    drafts.read()
    sources = Sources(catalogue, directory, documents or LocalDocuments(intake.MAX_UPLOAD_MEGABYTES), now)
    parts = await _parts(drafts, sources)
    return _prepared(plain, drafts, parts, found.resolved.policy)


def _prepared(
    plain: PlainFile, drafts: PartDrafts, parts: Mapping[str, PreparedPart], policy: Policy
) -> PreparedOnboarding:
    file = drafts.file
    content = OnboardingContent(
        owner=file.owner,
        deputy=drafts.deputy,
        contacts=drafts.contacts_plain,
        teams=file.teams,
        parts={draft.plan.id: content_of(draft.file.plain, parts[draft.plan.id]) for draft in drafts.all if draft.file},
    )
    hashes = {name: sha256 for part in content.parts.values() for name, sha256 in part.documents.items()}
    overdue = [part.overdue.faults for part in parts.values() if part.overdue]
    return PreparedOnboarding(
        given=_onboarding_input(drafts, parts, policy, _fingerprint(plain.plain, hashes)),
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
    teams = (one for team in file.teams.values() for one in drafts.checks.team(team))
    onboarding = Onboarding(
        id=id,
        kind=file.kind,
        title=file.customer.company or id,
        requester=file.owner,
        people=tuple(Participant(person=person, role=Role.DO) for person in drafts.contacts),
        urgent=policy.urgent,
        lock_screen=policy.lock_screen,
        quiet=NotificationBudget(of=id, most=file.quiet.most, per=file.quiet.per),
        told=tuple(dict.fromkeys(one for one in teams if one != file.owner)),
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
                asked=parts[plan.id].given.first_turn[:PEOPLE_AT_MOST],
                members=tuple(_members(plan, parts[plan.id], drafts))[:PEOPLE_AT_MOST],
            )
            if plan.id in parts
            else plan
            for plan in stage.parts
        )
    )


def _members(plan: PartPlan, part: PreparedPart, drafts: PartDrafts) -> Iterator[str]:
    """A team's people; customers by the ids that both onboarding and part use."""
    people = part.given.subject.people
    if plan.team == CUSTOMER:
        own = (one.person for one, is_customer in zip(people, _customers(plan, drafts), strict=False) if is_customer)
        yield from dict.fromkeys((drafts.customer_id, *own))
    elif plan.team is not None:
        yield from (member for id in plan.asked for member in drafts.checks.groups.get(id, (id,)))


def _customers(plan: PartPlan, drafts: PartDrafts) -> Iterator[bool]:
    """For each of a part's people, whether they are the customer."""
    [file] = (draft.file.plain for draft in drafts.all if draft.plan.id == plan.id and draft.file)
    customer = identity(drafts.contacts_plain[0])
    return (identity(one) == customer for one in people_of(file))


@dataclass(frozen=True)
class Sources:
    """What a part is checked against."""

    catalogue: Catalogue
    directory: Directory
    documents: LocalDocuments
    now: datetime

    async def prepare(self, what: PartKind, file: PlainFile) -> PreparedPart:
        """The part as it would be started alone; raises as its kind's `prepare` function."""
        against: dict[str, Any] = {"catalogue": self.catalogue, "directory": self.directory, "now": self.now}
        if what is PartKind.AGREEMENT:
            return await intake.prepare_request(file, documents=self.documents, **against)
        return await task_intake.prepare_task(file, **against)


async def _parts(drafts: PartDrafts, sources: Sources) -> dict[str, PreparedPart]:
    parts, wrong = {}, list(drafts.wrong)
    for draft in drafts.all:
        if draft.file is None:
            continue
        try:
            part = await sources.prepare(draft.plan.what, draft.file)
        except FileFaults as faults:
            wrong.append(draft.faults(faults))
        else:
            parts[draft.plan.id] = replace(part, overdue=draft.faults(part.overdue)) if part.overdue else part
    if wrong:
        raise FileFaults(fault for faults in wrong for fault in faults.faults)
    return parts


def _in_full(plain: PlainFile, file: OnboardingFile, directory: Directory) -> tuple[str | None, ...]:
    """Ids of the customer's people who are described in full."""
    everyone = (one.in_full for one in (file.customer, *file.customer.colleagues))
    id = file.id or launch.fingerprint(plain.plain)
    return ids_in_full(everyone, Kind.ONBOARDING.workflow_id(id), directory.secret)


async def _deputy(plain: PlainFile, file: OnboardingFile, checks: OnboardingChecks, directory: Directory) -> str:
    """Who is notified while a decision of the owner waits: the manager, else a team member."""
    owner = await directory.person(file.owner)
    teams = (one for id in file.teams.values() for one in checks.team(id))
    deputy = next((id for id in (owner.manager, owner.delegate, *teams) if id and id != file.owner), None)
    if deputy is None:
        says = f"{file.owner} has no manager, and no team is anybody else: nobody would hear that a decision waits"
        raise plain.faults([(("owner",), says)])
    return deputy


def content_of(file: Mapping[str, Any], part: PreparedPart) -> PartContent:
    """A checked part's content; its document must be stored separately."""
    document = file.get("document")
    name = document.get("file") if isinstance(document, dict) else None
    pdf = _pdf(part)
    documents = {name: _sha256(pdf)} if name and pdf is not None else {}
    return PartContent(file=file, documents=documents, fingerprint=part.given.fingerprint)


def asked(prepared: PreparedPart) -> tuple[str, ...]:
    """Whom a part may ask, in the order of its file."""
    if isinstance(prepared, intake.PreparedRequest):
        return tuple(one.person for one in prepared.request.brief.people)
    task = prepared.given.task
    first = task.people[0].person if len(task.people) == 1 else ""
    return (first, *task.colleagues)


def _text_name(id: str) -> str:
    return id.lower().replace("_", "-")


def _pdf(part: PreparedPart) -> bytes | None:
    return part.document if isinstance(part, intake.PreparedRequest) else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fingerprint_of(written: PlainFile, documents: LocalDocuments) -> str:
    """As `prepare_onboarding` computes it, also for a file that is no longer valid; `ValueError` if unknown."""
    hashes = {name: _sha256(documents.read(written.folder, name)) for name in _named_documents(written.plain)}
    return _fingerprint(written.plain, hashes)


def _fingerprint(plain: Mapping[str, Any], hashes: Mapping[str, str]) -> str:
    """Of the file without its id, with documents by hash; templates do not count."""
    own = {key: value for key, value in plain.items() if key != "id"}
    return launch.fingerprint(
        {**own, "documents": {name: hashes[name] for name in _named_documents(plain) if name in hashes}}
    )


def _named_documents(plain: Mapping[str, Any]) -> Iterator[str]:
    for agreement in (one for stage in maps(plain, "stages") for one in maps(stage, "agreements")):
        document = agreement.get("document")
        if isinstance(document, dict) and isinstance(name := document.get("file"), str):
            yield name


_DEFAULTS: Final = ("kind", "requester", "owner", "who", "colleagues")
"""Fields that a replacement file may omit."""


class NoSuchSigner(ValueError):
    """No signer has this id."""


@dataclass(frozen=True)
class RestartedPart:
    """A part to start anew, and its previous content."""

    store: Store
    home: StoragePrefix
    what: PartKind
    before: PartContent

    async def from_file(self, file: PlainFile, sources: Sources) -> str:
        """Store a checked replacement file; returns the reference. Raises as `Sources.prepare`."""
        content = file.plain
        if isinstance(content, dict):
            content = {**self._defaults, **{key: value for key, value in content.items() if key != "id"}}
            content = self._with_ids(content)
        return await self._store_content(file.saying(content), sources)

    async def with_signers(self, others: Mapping[str, str], sources: Sources) -> str:
        """Store the content with signers exchanged by id; returns the reference. Idempotent; raises `NoSuchSigner`."""
        known = self._signers(sources.directory.secret)
        ids = [id for id, _ in known]
        wanted = {_at_position(old, ids): new for old, new in others.items()}
        for old, new in wanted.items():
            if old not in ids and new not in ids:
                raise NoSuchSigner(f"{old} is no signer of it: {', '.join(ids) or 'it has none'}")
        signers = [_with_new_signer(entry, wanted.get(id)) for id, entry in known]
        documents = await self.before.read_documents(self.store)
        kept = self.before.model_copy(update={"file": self._with_ids({**self.before.file, "signers": signers})})
        return await self._store_content(kept.plain(self.home.id), replace(sources, documents=documents))

    def _with_ids(self, file: dict[str, Any]) -> dict[str, Any]:
        return self.before.words.in_file(file) if self.before.words else file

    @property
    def _defaults(self) -> dict[str, Any]:
        return {key: self.before.file[key] for key in _DEFAULTS if key in self.before.file}

    def _signers(self, secret: SecretStr | None) -> list[tuple[str, Any]]:
        """Signers by the request's ids; without a secret, those described in full by position."""
        entries = self.before.file.get("signers") or ()
        return [(_id_of(one, place, secret), one) for place, one in enumerate(entries, start=1)]

    async def _store_content(self, file: PlainFile, sources: Sources) -> str:
        part = await sources.prepare(self.what, file)
        if part.overdue is not None:
            raise part.overdue
        if isinstance(part, PreparedRequest) and part.document is not None:
            await self.store.put_document(part.document)
        content = content_of({key: value for key, value in file.plain.items() if key != "id"}, part)
        content = content.model_copy(update={"words": self.before.words})
        digest = hashlib.sha256(content.model_dump_json().encode()).hexdigest()
        return await keep_part(self.store, self.home, f"part-{digest[:16]}", content)


def _id_of(entry: Mapping[str, Any], position: int, secret: SecretStr | None) -> str:
    if person := entry.get("person"):
        return str(person)
    return id_of_address(str(entry.get("email")), secret) if secret else position_word(position)


def _at_position(word: str, ids: Sequence[str]) -> str:
    """The id at the position of `signer-2`; other words unchanged."""
    position = position_of(word)
    return ids[position - 1] if position and position <= len(ids) else word


def _with_new_signer(entry: Mapping[str, Any], new: str | None) -> Mapping[str, Any]:
    return entry if new is None else {**{key: entry[key] for key in ("order", "role") if key in entry}, "person": new}
