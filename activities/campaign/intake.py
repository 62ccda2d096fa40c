"""Campaign files: checks, the workflow's input, stored rows and people."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from activities.calendar.calendar import at_clock, is_of_days, length
from activities.campaign import population
from activities.campaign.population import NOBODY, AudienceFile, AudienceTables
from activities.files.fields import DayOrInstant, FileName, Id, KindId, Message, Name, Span, SpanOrNone
from activities.files.pdf import name_of
from activities.files.reading import FileFaults, FileModel, FileText, PlainFile
from activities.launch import intake, launch
from activities.launch.doors import CHECKS, CheckContext
from activities.launch.request_file import DocumentEntry, RequestChecks
from activities.onboarding.file import ShortId
from activities.people.directory import Directory, UnknownGroup
from activities.people.person import Person
from activities.records.audiences import AUDIENCE_AT_MOST, dumped
from activities.records.store import Store
from workflows.campaign.state import CampaignInput
from workflows.follow_up.input import FollowUpInput
from workflows.kinds import Kind
from workflows.model.campaign import YEAR, AudienceSource, Campaign, Joiners, Leavers
from workflows.model.file_faults import FileFault
from workflows.model.policy import EvidenceLevel, Policy
from workflows.model.signature import Document
from workflows.model.subject import Identity

_WHOLE_DAYS: Final = re.compile(r"0d|[1-9][0-9]{0,3}[dw]")
A_YEAR: Final = 2027
"""Any year without a 29 February."""


@dataclass
class CampaignChecks(RequestChecks):
    """Validation context of a campaign file: its document and audience."""

    unknown: Mapping[str, Message] = field(default_factory=dict)
    """Why the named group is unknown."""
    secret: SecretStr | None = None
    read: AudienceFile | FileFaults | None = None
    """Its table, if already read, or why it cannot be."""
    audience_file: AudienceFile = NOBODY

    @property
    def concerned(self) -> intake.ConcernedPersons:
        """The owner only: members are checked row by row."""
        return intake.ConcernedPersons(self.right.get("owner"), frozenset())

    def group(self, name: str) -> None:
        if name in self.unknown:
            raise ValueError(self.unknown[name])

    def table(self, name: str) -> None:
        """Read the named table beside the file."""
        table = self.read
        if table is None:
            try:
                table = population.read(self.folder / Path(name), secret=self.secret)
            except FileFaults as faults:
                table = faults
        if isinstance(table, FileFaults):
            raise ValueError(table.first)
        self.audience_file = table


def whole_days(span: str | None) -> str | None:
    """A duration in days or weeks: a campaign's days end at one hour for all members."""
    if span is not None and not _WHOLE_DAYS.fullmatch(span):
        raise FileFault.NO_WHOLE_DAYS.error()
    return span


def days_of(span: str) -> int:
    return length(span).days


class EditionEntry(DocumentEntry):
    """The document, with its version and effective date."""

    version: Name = ""
    effective: date | None = None
    approver: intake.PersonId | None = None


class AudienceEntry(FileModel):
    """Exactly one of a group, a table beside the file, or a list of ids."""

    group: Id | None = None
    file: FileName | None = None
    people: tuple[Id, ...] | None = Field(default=None, min_length=1, max_length=AUDIENCE_AT_MOST)

    @field_validator("group")
    @classmethod
    def _is_there(cls, group: str | None, info: ValidationInfo) -> str | None:
        if group is not None:
            _checks(info).group(group)
        return group

    @field_validator("file")
    @classmethod
    def _can_be_read(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None:
            _checks(info).table(file)
        return file

    @field_validator("people")
    @classmethod
    def _listed(cls, people: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if people is not None:
            _checks(info).audience_file = population.of_people(people)
        return people

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.group, self.file, self.people)) != 1:
            raise FileFault.NEEDS_AUDIENCE.error()
        return self


class JoinersEntry(FileModel):
    """What happens to people who join the group, and how long they have."""

    rule: Joiners
    within: Span | None = None

    _days = field_validator("within")(whole_days)


def _checks(info: ValidationInfo) -> CampaignChecks:
    if not isinstance(info.context, CampaignChecks):
        raise TypeError("a campaign file is validated with CampaignChecks")
    return info.context


class CampaignFile(intake.AskingFile):
    INSTEAD: ClassVar[Mapping[str, FileFault]] = {"reviewers": FileFault.NO_REVIEW_HERE}

    kind: KindId = "policy-acknowledgement"
    id: ShortId | None = None
    document: EditionEntry
    audience: AudienceEntry
    owner: intake.AskerId
    opens: DayOrInstant | None = None
    window: Span | None = None
    grace: SpanOrNone | None = None
    joiners: JoinersEntry | None = None
    leavers: Leavers = Leavers.KEEP
    message: Message | None = None
    report_columns: tuple[Literal["name", "email", "zone", "locale", "phone"], ...] = Field(
        default=("name", "email"), max_length=5
    )
    yearly: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")] | None = None

    _right_people = field_validator("owner")(intake.right)
    _days = field_validator("window", "grace")(whole_days)

    @field_validator("opens")
    @classmethod
    def _is_near(cls, opens: date | datetime | None, info: ValidationInfo) -> date | datetime | None:
        if opens is not None:
            _checks(info).refuse_distant(opens)
        return opens

    @field_validator("yearly")
    @classmethod
    def _day_of_each_year(cls, yearly: str | None, info: ValidationInfo) -> str | None:
        if yearly is not None:
            opening_day(yearly, A_YEAR)
            if (
                info.data.get("opens", yearly) is None
            ):  # Each year's opening supplies its day; the file alone opens none.
                raise FileFault.OPENED_BY_SCHEDULE.error()
        return yearly

    @field_validator("due")
    @classmethod
    def _none_of_its_own(cls, due: object) -> None:
        if due is not None:
            raise FileFault.FOLLOWS_FROM.error(fields="opens and window")

    @model_validator(mode="after")
    def _joining_needs_a_group(self) -> Self:
        if self.joiners and self.joiners.rule is Joiners.ADD and self.audience.group is None:
            raise FileFault.JOINERS_WITHOUT_GROUP.error()
        return self


def of_year(plain: PlainFile, year: int) -> PlainFile:
    """The file with the year in place of `{year}`."""
    return plain.saying(_in_year(plain.plain, year))


def opening_day(yearly: str, year: int) -> date:
    """The opening day of a yearly campaign; `ValueError` for 29 February."""
    try:
        return date.fromisoformat(f"{year}-{yearly}")
    except ValueError:
        raise FileFault.NO_DAY_OF_YEARS.error() from None


@dataclass(frozen=True)
class PreparedCampaign:
    """A fully checked campaign file; nothing is stored or started yet."""

    workflow_input: CampaignInput
    rows: AudienceFile = field(repr=False)
    """Of a table or list; None for a group, whose members are read at the opening."""
    document: bytes | None = field(repr=False)
    overdue: FileFaults | None = None
    """Why it can be recognised but no longer started."""

    async def store_input(self, store: Store) -> CampaignInput:
        """Stores document, rows, people described in full, and message."""
        workflow_id, campaign = self.workflow_input.campaign.workflow_id, self.workflow_input.campaign
        if self.document is not None:
            await store.files.put(self.document)
        if self.rows.rows:
            await store.audiences.freeze(self.rows.rows)
        texts = {"message": campaign.message}
        stored_texts = await store.keep_input(
            workflow_id, self.workflow_input.fingerprint, self.rows.signers_json, texts
        )
        return self.workflow_input.replace(campaign=campaign.replace(message=stored_texts.get("message")))

    async def store_for_pages(self, store: Store, workflow_input: FollowUpInput) -> None: ...


async def prepare_campaign(
    written: FileText | PlainFile,
    sources: CheckContext,
    *,
    table: bytes | None = None,
    tables: AudienceTables | None = None,
) -> PreparedCampaign:
    """Check a campaign file with its audience, without starting it or looking up members. `tables` remembers the
    `table` of its audience from one check to the next. Raises `FileFaults` with all faults, and `DirectoryFailure`.
    Faulty rows are reported separately.
    """
    directory, secret, now = sources.directory, sources.directory.secret, sources.now
    plain = await intake.read_as(Kind.CAMPAIGN, written)
    plain = _of_year(plain, now)
    named = plain.plain if isinstance(plain.plain, dict) else {}
    known_persons = await intake.KnownPersons.look_up(directory, frozenset(_persons(named)))
    checks = CampaignChecks(
        folder=plain.folder,
        documents=sources.documents,
        catalogue=sources.catalogue,
        persons=known_persons,
        closing=(),
        now=now,
        substitutes=directory.substitutes,
        unknown=await _unknown_groups(named, directory),
        secret=secret,
        read=await _read_table(plain, secret, table, tables or AudienceTables()) if table is not None else None,
    )
    file, policy = await intake.validate_file_and_policy(plain, CampaignFile, checks, directory)
    if (identity := policy.resolved.policy.identity) is not Identity.LINK:
        raise plain.faults([(("kind",), FileFault.IDENTITY_OF_CAMPAIGN.to_message(identity=identity))])
    owner = await directory.person(intake.person_of(file.owner))
    campaign_input = _build_input(file, policy.resolved.policy, checks, owner, now)
    is_over = campaign_input.campaign.due < now.date() - timedelta(days=1)
    overdue = plain.faults([(("opens",), FileFault.WINDOW_PAST.to_message())]) if is_over else None
    return PreparedCampaign(campaign_input, checks.audience_file, checks.pdf, overdue)


def _in_year(plain: Any, year: int) -> Any:
    if isinstance(plain, dict):
        return {key: _in_year(value, year) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_in_year(entry, year) for entry in plain]
    return plain.replace(YEAR, str(year)) if isinstance(plain, str) else plain


CHECKS[Kind.CAMPAIGN] = prepare_campaign


async def _read_table(
    plain: PlainFile, secret: SecretStr | None, content: bytes, tables: AudienceTables
) -> AudienceFile | FileFaults | None:
    audience = plain.plain.get("audience") if isinstance(plain.plain, dict) else None
    name = audience.get("file") if isinstance(audience, dict) else None
    if not isinstance(name, str):
        return None
    try:
        return await tables.read(plain.folder / Path(name), secret=secret, content=content)
    except FileFaults as faults:
        return faults


def _build_input(
    file: CampaignFile, policy: Policy, checks: CampaignChecks, owner: Person, now: datetime
) -> CampaignInput:
    opens_at = _opening(file.opens, owner, now)
    request_policy = _asking(policy, file)
    due = opens_at.astimezone(owner.tz).date() + timedelta(days=days_of(request_policy.window))
    digest = _fingerprint(file, checks)
    joiners = file.joiners.rule if file.joiners else Joiners.IGNORE
    joiner_window = file.joiners.within if file.joiners else None
    campaign = Campaign(
        id=launch.own_id(file, digest),
        kind=file.kind,
        title=file.document.name or name_of(file.document.file or "", checks.pdf),
        **intake.asking(file.owner),
        people=(),
        urgent=False,
        lock_screen=policy.lock_screen,
        document=_document(file, checks.pdf),
        source=AudienceSource(
            group=file.audience.group,
            rows=None if file.audience.group else hashlib.sha256(dumped(checks.audience_file.rows)).hexdigest(),
        ),
        opens_at=opens_at,
        due=due,
        grace=days_of(request_policy.grace),
        joiners=joiners,
        within=days_of(joiner_window or request_policy.window),
        leavers=file.leavers,
        message=file.message,
        asking=request_policy,
        report_columns=file.report_columns,
    )
    return CampaignInput(campaign=campaign, policy=policy, fingerprint=digest, subscribers=file.subscribers)


def _asking(policy: Policy, file: CampaignFile) -> Policy:
    """The policy of each request: no escalation, no hand-off, which only the campaign has; of all those documents only
    the logs are kept, unless the catalogue says otherwise.
    """
    window, grace = file.window or policy.window, file.grace or policy.grace
    return policy.replace(
        window=window if is_of_days(window) else f"{max(1, days_of(window))}d",
        grace=grace if is_of_days(grace) else f"{days_of(grace)}d",
        overdue=policy.overdue and policy.overdue.replace(escalate=False),
        escalation=None,
        handoff=(),
        self_delegate=False,
        urgent=False,
        evidence=policy.evidence or EvidenceLevel.LOG,
    )


def _opening(opens: date | datetime | None, owner: Person, now: datetime) -> datetime:
    """For a bare date, when the owner's working day begins."""
    if opens is None:
        return now
    if isinstance(opens, datetime):
        return opens
    return at_clock(opens, owner.working_hours[0], owner.tz).astimezone(UTC)


def _document(file: CampaignFile, pdf: bytes | None) -> Document:
    entry, edition = file.document, {"version": file.document.version, "effective": file.document.effective}
    if entry.file is None or pdf is None:
        return Document(template=entry.template, approver=entry.approver, **edition)
    return Document(
        sha256=hashlib.sha256(pdf).hexdigest(),
        size=len(pdf),
        file_name=PurePosixPath(entry.file).name,
        approver=entry.approver,
        **edition,
    )


def _fingerprint(file: CampaignFile, checks: CampaignChecks) -> str:
    """Of the file without its id, with document and table by content; a group's members do not count."""
    content = file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id": True})
    if checks.pdf is not None:
        content["document"] = {**content["document"], "sha256": hashlib.sha256(checks.pdf).hexdigest()}
        del content["document"]["file"]
    if file.audience.file is not None:
        content["audience"] = {"sha256": checks.audience_file.digest}
    return launch.fingerprint(content)


def _of_year(plain: PlainFile, now: datetime) -> PlainFile:
    """The file with the year of its opening in place of `{year}`."""
    opens = plain.plain.get("opens") if isinstance(plain.plain, dict) else None
    year = int(opens[:4]) if isinstance(opens, str) and opens[:4].isdecimal() else now.year
    return of_year(plain, year)


def _persons(named: Mapping[str, Any]) -> list[str]:
    document = named.get("document")
    approver = document.get("approver") if isinstance(document, dict) else None
    return [id for id in (intake.asker_named(named, "owner"), approver) if isinstance(id, str)]


async def _unknown_groups(named: Mapping[str, Any], directory: Directory) -> dict[str, str]:
    entry = named.get("audience")
    group = entry.get("group") if isinstance(entry, dict) else None
    if not isinstance(group, str):
        return {}
    try:
        await directory.group(group)
    except UnknownGroup as unknown:
        return {group: str(unknown)}
    return {}
