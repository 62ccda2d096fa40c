"""From a checked request file to the workflow's input, the stored document, and the fingerprint."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Self, TypeAlias

import rfc8785
from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from activities.files.fields import FileName, Id, Message, Name, Url
from activities.files.pdf import LocalDocuments, name_of
from activities.files.reading import FileFaults, FileModel, FileText, PlainFile
from activities.files.yaml_lines import FieldPath
from activities.launch import launch
from activities.launch.doors import CHECKS, CheckContext
from activities.launch.intake import (
    PEOPLE_AT_MOST,
    AskerId,
    AskingFile,
    CheckedPolicy,
    ConcernedPersons,
    FileChecks,
    GroupRule,
    KnownPersons,
    ParticipantEntry,
    PersonId,
    Team,
    asker_named,
    asking,
    closing_times,
    maps,
    read_as,
    right,
    validate_file_and_policy,
)
from activities.people.directory import Directory, askers
from activities.people.ids import contact_address, ids_in_full, position_word
from activities.people.person import Person, SignersFile
from activities.people.ways import code_channel
from activities.policies.cascade import ResolvedPolicy
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from workflows.follow_up.input import FollowUpInput
from workflows.kinds import Kind
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message as FaultMessage
from workflows.model.policy import Policy
from workflows.model.signature import Document, Reviewer, SignatureBrief
from workflows.model.subject import Identity, Participant, Role, Verify
from workflows.names import adopted_document
from workflows.signature.state import SignatureInput

PREFILLED_AT_MOST: Final = 100
"""Tags of one document that are filled in; texts of up to 4,000 characters."""
REVIEWERS_AT_MOST: Final = 20
"""Entries, people or groups."""
MEMBERS_AT_MOST: Final = 50
"""Of a group of which anyone signs: all of them are notified."""


@dataclass
class RequestChecks(FileChecks):
    """Validation context of a request file, with its document once read."""

    folder: Path
    documents: LocalDocuments
    pdf: bytes | None = None
    asking: frozenset[object] = frozenset()
    """Who asks for it: the requester, or all of their group."""
    teams: Mapping[str, Team] = field(default_factory=dict)
    """The groups that review, by name."""
    signing_teams: Mapping[str, Team] = field(default_factory=dict)
    """The groups of which anyone signs, by name."""

    @property
    def concerned(self) -> ConcernedPersons:
        signers = self.right.get("signers", ())
        return ConcernedPersons(
            self.right.get("requester"), frozenset(person for signer in signers for person in self.asked_by(signer))
        )

    def asked_by(self, signer: "SignerEntry") -> tuple[str, ...]:
        """Whom an entry asks: a person of the directory, all of a group, nobody if it is in full."""
        if signer.group is not None:
            return self.signing_teams[signer.group].members
        return (signer.person,) if signer.person else ()

    def document(self, file: str) -> None:
        self.pdf = self.documents.read(self.folder, file)


def persons_named(plain: Any) -> frozenset[str]:
    if not isinstance(plain, dict):
        return frozenset()
    people = (*maps(plain, "signers"), *maps(plain, "reviewers"))
    named = [asker_named(plain, "requester"), *(entry.get("person") for entry in people)]
    return frozenset(id for id in named if isinstance(id, str))


class DocumentEntry(FileModel):
    """A PDF beside the file, or a template of Core Signature."""

    file: FileName | None = None
    template: Url | None = None
    name: Name | None = None

    @field_validator("file")
    @classmethod
    def _can_be_sent(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None:
            _checks(info).document(file)
        return file

    @model_validator(mode="after")
    def _file_or_template(self) -> Self:
        if self.file is None and self.template is None:
            raise FileFault.NEEDS_FILE_OR_TEMPLATE.error()
        if self.file is not None and self.template is not None:
            raise FileFault.ONLY_ONE.error(field="file", other="template")
        if self.template is not None and self.name is None:
            raise FileFault.TEMPLATE_WITHOUT_NAME.error()
        return self


class SignerEntry(ParticipantEntry):
    """A signer; Core Signature cannot tell apart two with one address."""

    other_ways = ("group",)

    order: int | None = Field(default=None, ge=1, le=100)
    role: Role = Role.SIGN
    group: Id | None = None
    """Any one of it signs: the first to press *Sign*."""

    verify: Verify | None = None
    """How Core Signature itself verifies them."""

    @field_validator("group")
    @classmethod
    def _has_members(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None:
            checks = _checks(info)
            if info.data.get("role") is Role.COPY:
                raise FileFault.COPY_TO_GROUP.error()
            team = checks.signing_teams[name]
            if team.refused:
                raise ValueError(team.refused)
            for member in team.members:
                if not checks.persons.persons[member].email:
                    raise FileFault.MEMBER_WITHOUT_MAILBOX.error(person=member, group=name)
            checks.refuse_repeated(f"signers {name}", FileFault.SIGNERS_TWICE.to_message(group=name))
        return name

    @field_validator("verify")
    @classmethod
    def _can_be_verified(cls, verify: Verify | None, info: ValidationInfo) -> Verify | None:
        if verify and info.data.get("role") is Role.COPY:
            raise FileFault.VERIFIED_COPY.error()
        if verify and info.data.get("group"):
            raise FileFault.VERIFIED_GROUP.error()
        id, phone = info.data.get("person"), info.data.get("phone")
        if verify is Verify.PHONE and not (_checks(info).person(id).phone if id else phone):
            raise FileFault.VERIFIED_WITHOUT_PHONE.error()
        return verify

    @field_validator("person")
    @classmethod
    def _refuse_repeated_signer(cls, id: str | None, info: ValidationInfo) -> str | None:
        if id is not None:
            checks = _checks(info)
            person = checks.person(id)
            checks.refuse_unreachable(person.email, person.phone, signs=True)
            checks.refuse_repeated(id, FileFault.SIGNER_TWICE.to_message(person=id))
            checks.refuse_repeated(person.address.casefold(), FileFault.ADDRESS_OF_SIGNER.to_message())
        return id

    @field_validator("email")
    @classmethod
    def _own_address(cls, email: str | None, info: ValidationInfo) -> str | None:
        if email is not None:
            _checks(info).refuse_repeated(email.casefold(), FileFault.ADDRESS_OF_SIGNER.to_message())
        return email

    @field_validator("phone")
    @classmethod
    def _own_number(cls, phone: str | None, info: ValidationInfo) -> str | None:
        if phone is not None and info.data.get("email", "") is None:
            checks = _checks(info)
            checks.refuse_unreachable(None, phone, signs=True)
            checks.refuse_repeated(contact_address(None, phone), FileFault.ADDRESS_OF_SIGNER.to_message())
        return phone


class ReviewerEntry(FileModel):
    """Who approves the document before it is sent: somebody of the directory, or a group."""

    person: PersonId | None = None
    group: Id | None = None
    rule: GroupRule = GroupRule.FIRST
    order: int | None = Field(default=None, ge=1, le=100)

    @field_validator("person")
    @classmethod
    def _somebody_else(cls, id: str | None, info: ValidationInfo) -> str | None:
        if id is not None:
            checks = _checks(info)
            if id in checks.asking:
                raise FileFault.REVIEWS_OWN.error(person=id)
            # A signer may review it as well.
            checks.refuse_repeated(f"reviewer {id}", FileFault.REVIEWER_TWICE.to_message(person=id))
        return id

    @field_validator("group")
    @classmethod
    def _has_people(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None:
            checks = _checks(info)
            if refused := checks.teams[name].refused:
                raise ValueError(refused)
            checks.refuse_repeated(f"reviewers {name}", FileFault.REVIEWERS_TWICE.to_message(group=name))
        return name

    @model_validator(mode="after")
    def _person_or_group(self) -> Self:
        if (self.person is None) == (self.group is None):
            raise FileFault.EXACTLY_ONE.error(fields="person, group")
        if self.person is not None and "rule" in self.model_fields_set:
            raise FileFault.RULE_WITHOUT_GROUP.error()
        return self


def _as_text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


TagValue: TypeAlias = Annotated[Message, BeforeValidator(_as_text)]
"""A text, a day, or `true` or `false` for a box."""


def _checks(info: ValidationInfo) -> RequestChecks:
    if not isinstance(info.context, RequestChecks):
        raise TypeError("a request file is validated with RequestChecks")
    return info.context


class RequestFile(AskingFile):
    document: DocumentEntry
    requester: AskerId
    signers: tuple[SignerEntry, ...] = Field(min_length=1, max_length=100)
    message: Message | None = None
    reviewers: tuple[ReviewerEntry, ...] = Field(default=(), max_length=REVIEWERS_AT_MOST)
    """Who approves the document before anything is sent."""
    prefill: dict[Name, TagValue] = Field(default={}, max_length=PREFILLED_AT_MOST)
    """Values for the document's tags by their ids."""

    @field_validator("signers")
    @classmethod
    def _somebody_acts(cls, signers: tuple[SignerEntry, ...], info: ValidationInfo) -> tuple[SignerEntry, ...]:
        if sum(max(1, len(_checks(info).asked_by(signer))) for signer in signers) > PEOPLE_AT_MOST:
            raise FileFault.TOO_MANY_SIGNERS.error(most=PEOPLE_AT_MOST)
        if all(signer.role is Role.COPY for signer in signers):
            raise FileFault.NOBODY_SIGNS.error()
        return signers

    @field_validator("reviewers")
    @classmethod
    def _something_to_review(
        cls, reviewers: tuple[ReviewerEntry, ...], info: ValidationInfo
    ) -> tuple[ReviewerEntry, ...]:
        document: DocumentEntry | None = info.data.get("document")
        if reviewers and document and document.template is not None:
            raise FileFault.TEMPLATE_REVIEWED.error()
        if len(reviewers_of(reviewers, _checks(info).teams)) > PEOPLE_AT_MOST:
            raise FileFault.TOO_MANY_REVIEWERS.error(most=PEOPLE_AT_MOST)
        return reviewers

    @field_validator("id")
    @classmethod
    def _not_adopted(cls, id: str | None) -> str | None:
        if id is not None and adopted_document(id):
            raise FileFault.ID_OF_DOCUMENT.error(id=id)
        return id

    _right_people = field_validator("requester", "signers")(right)


@dataclass(frozen=True)
class PreparedRequest:
    """A fully checked request file; nothing is stored or started yet."""

    request: SignatureInput
    resolved: ResolvedPolicy
    """Its policy, and the layer of each value."""
    document: bytes | None = field(repr=False)
    """The PDF, None for a template."""
    signers: bytes | None = field(repr=False)
    """Signers described in full as stored, None if all are in the directory."""
    overdue: FileFaults | None = None
    """Why it can be recognised but no longer started."""
    file: bytes = field(default=b"", repr=False)
    """The file as canonical JSON, of which the fingerprint is."""

    @property
    def id(self) -> str:
        return self.request.brief.id

    @property
    def workflow_input(self) -> SignatureInput:
        return self.request

    async def store_input(self, store: Store) -> SignatureInput:
        """Stores file, document, signers and message, under the fingerprint; of several starts of one id at most one
        will run.
        """
        workflow_id, request = Kind.REQUEST.workflow_id(self.id), self.request
        if self.document is not None:
            await store.files.put(self.document)
        brief = request.brief
        texts = {"message": brief.message, "prefill": brief.prefill}
        stored_texts = await store.keep_input(workflow_id, request.fingerprint, self.signers, texts, self.file)
        return request.replace(
            brief=brief.replace(message=stored_texts.get("message"), prefill=stored_texts.get("prefill"))
        )

    async def store_for_pages(self, store: Store, workflow_input: FollowUpInput) -> None:
        """For the reviewers the cover sheet, which is else stored when the document is created at the provider."""
        if isinstance(workflow_input, SignatureInput) and workflow_input.brief.reviewers:
            await CoverSheet.keep(store, workflow_input.brief)


async def prepare_request(written: FileText | PlainFile, sources: CheckContext) -> PreparedRequest:
    """Check a request file in full; starts nothing. Raises `FileFaults` with all faults, and `DirectoryFailure`. A past
    due date, if the only fault, is in `overdue`.
    """
    directory = sources.directory
    plain = await read_as(Kind.REQUEST, written)
    asker = asker_named(plain.plain, "requester")
    asking = frozenset[object](await askers(directory, asker) if isinstance(asker, str) else ())
    groups = {entry["group"] for entry in maps(plain.plain, "reviewers") if isinstance(entry.get("group"), str)}
    teams = {name: await Team.look_up(directory, name, asking) for name in sorted(groups)}
    signing_teams = {
        name: await Team.look_up(directory, name, asking, most=MEMBERS_AT_MOST) for name in _signing(plain)
    }
    members = {person for team in signing_teams.values() for person in team.members}
    persons = await KnownPersons.look_up(directory, persons_named(plain.plain) | members)
    signing_teams = dict(_to_be_asked(signing_teams, plain, persons, sources.now))
    member_entries = [{"person": person} for team in signing_teams.values() for person in team.members]
    checks = RequestChecks(
        asking=asking,
        teams=teams,
        signing_teams=signing_teams,
        folder=plain.folder,
        documents=sources.documents,
        catalogue=sources.catalogue,
        persons=persons,
        closing=closing_times([*maps(plain.plain, "signers"), *member_entries], persons),
        now=sources.now,
        substitutes=directory.substitutes,
    )
    file, policy = await validate_file_and_policy(
        plain, RequestFile, checks, directory, of_parent=sources.is_part_of_parent
    )
    if unprovable := [fault async for fault in _unprovable(file, policy.resolved.policy, checks, directory)]:
        raise plain.faults(unprovable)
    return _prepared(file, policy, checks, directory.secret)


CHECKS[Kind.REQUEST] = prepare_request


def canonical(file: RequestFile, document_sha256: str | None) -> bytes:
    """The file as canonical JSON, without its id, with the document by hash; its SHA-256 is the fingerprint."""
    content = file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id": True})
    if document_sha256 is not None:
        content["document"] = {**content["document"], "sha256": document_sha256}
        del content["document"]["file"]
    return rfc8785.dumps(content)


def reviewers_of(entries: Sequence[ReviewerEntry], teams: Mapping[str, Team]) -> tuple[Reviewer, ...]:
    """Each person once: whoever is named is left out of groups, and who is in two groups belongs to the first."""
    named = {entry.person for entry in entries if entry.person}
    reviewer_by_person: dict[str, Reviewer] = {}
    for position, entry in enumerate(entries, start=1):
        order, team = entry.order or position, entry.group if entry.rule is GroupRule.FIRST else None
        people = (entry.person,) if entry.person else teams[entry.group or ""].members
        for person in people:
            if person == entry.person or person not in {*named, *reviewer_by_person}:
                reviewer_by_person[person] = Reviewer(person=person, order=order, team=team or "")
    return tuple(reviewer_by_person.values())


def _prepared(
    file: RequestFile, checked_policy: CheckedPolicy, checks: RequestChecks, secret: SecretStr | None
) -> PreparedRequest:
    pdf = checks.pdf
    document, policy = _document(file.document, pdf), checked_policy.resolved.policy
    as_sent = canonical(file, document.sha256)
    digest = hashlib.sha256(as_sent).hexdigest()
    id, in_full = launch.own_id(file, digest), tuple(entry.in_full for entry in file.signers)
    ids = ids_in_full(in_full, Kind.REQUEST.workflow_id(id), secret)
    brief = SignatureBrief(
        id=id,
        kind=file.kind,
        title=file.document.name or name_of(file.document.file or "", pdf),
        document=document,
        **asking(file.requester),
        people=_signers(file, ids, checks),
        reviewers=reviewers_of(file.reviewers, checks.teams),
        message=file.message,
        prefill=json.dumps(file.prefill, ensure_ascii=False) if file.prefill else None,
        urgent=policy.urgent,
        lock_screen=policy.lock_screen,
        identity=policy.identity,
        in_person=policy.identity is not Identity.LINK,
    )
    request = SignatureInput(brief=brief, policy=policy, due=file.due, fingerprint=digest, subscribers=file.subscribers)
    return PreparedRequest(
        request, checked_policy.resolved, pdf, SignersFile.dump_signers(in_full, ids), checked_policy.overdue, as_sent
    )


async def _unprovable(
    file: RequestFile, policy: Policy, checks: RequestChecks, directory: Directory
) -> AsyncIterator[tuple[FieldPath, FaultMessage]]:
    """Signers who could not prove who they are in the way that the kind asks for."""
    for position, entry in enumerate(file.signers):
        if entry.role is Role.COPY or policy.identity is Identity.LINK:
            continue
        field_path, in_full = ("signers", position), entry.in_full
        if entry.group is not None:
            yield (*field_path, "group"), FileFault.GROUP_PROVES.to_message(kind=file.kind)
            continue
        if policy.identity is Identity.SIGN_IN:
            if in_full:
                yield field_path, FileFault.CANNOT_SIGN_IN.to_message(kind=file.kind)
            continue
        person = (
            Person(id=position_word(position + 1), **dict(in_full)) if in_full else checks.person(entry.person or "")
        )
        devices = [device for device in await directory.devices(person) if not device.unseen(checks.now)]
        if code_channel(person, devices, has_messaging=directory.substitutes.has_messaging) is None:
            yield field_path, FileFault.NO_SECOND_CHANNEL.to_message(person=person.id, kind=file.kind)


def _document(entry: DocumentEntry, pdf: bytes | None) -> Document:
    if entry.file is None or pdf is None:
        return Document(template=entry.template)
    digest = hashlib.sha256(pdf).hexdigest()
    return Document(sha256=digest, size=len(pdf), file_name=PurePosixPath(entry.file).name)


def _signing(plain: PlainFile) -> tuple[str, ...]:
    """The groups of which anyone signs, in their order."""
    names = (entry.get("group") for entry in maps(plain.plain, "signers"))
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _to_be_asked(
    teams: Mapping[str, Team], plain: PlainFile, persons: KnownPersons, now: datetime
) -> Iterator[tuple[str, Team]]:
    """Each group with those of it who are asked: not who signs by another entry, nor, while others are there, who is
    away. Core Signature asks the first.
    """
    entries, kind = list(maps(plain.plain, "signers")), str(plain.plain.get("kind"))
    signing = {str(entry.get("person")) for entry in entries}
    addresses = {_folded(person) for id, person in persons.persons.items() if id in signing}
    addresses |= {str(entry.get("email")).casefold() for entry in entries}
    for name, team in teams.items():
        members = [persons.persons[id] for id in team.members if id in persons.persons]
        free = {_folded(person): person for person in reversed(members) if _folded(person) not in addresses}
        addresses |= free.keys()
        people = [person for person in members if free.get(_folded(person)) is person]
        present_people = [person for person in people if not person.for_kind(kind).absent_at(now)]
        members_asked = tuple(person.id for person in present_people or people)
        nobody = None if members_asked else FileFault.GROUP_SIGNS_ELSEWHERE.to_message(group=name)
        yield name, Team(members_asked, team.refused or nobody)


def _folded(person: Person) -> str:
    return person.address.casefold()


def _signers(file: RequestFile, ids: tuple[str | None, ...], checks: RequestChecks) -> tuple[Participant, ...]:
    return tuple(
        Participant(
            person=person,
            order=entry.order or position,
            role=entry.role,
            team=entry.group or "",
            beside=number > 0,
            verify=entry.verify,
        )
        for position, (entry, id) in enumerate(zip(file.signers, ids, strict=True), start=1)
        for number, person in enumerate(checks.asked_by(entry) or (id or "",))
    )
