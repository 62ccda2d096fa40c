"""What a checked campaign file becomes: the workflow's input, and the rows and people that the store keeps."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from pydantic import SecretStr

from activities.calendars.wall_clock import at_clock
from activities.campaigns import audience
from activities.campaigns.file import CampaignChecks, CampaignFile, days_of, of_year
from activities.campaigns.rows import AudienceFile
from activities.directory import Directory, UnknownGroup
from activities.files.reading import FileFaults, FileText, PlainFile
from activities.person import Person
from activities.policies.catalogue import Catalogue
from activities.requests.documents import LocalDocuments
from activities.requests.input import MAX_UPLOAD_MEGABYTES
from activities.starting import path
from activities.starting.checks import KnownPersons
from activities.starting.meant import read_as
from activities.starting.policy import checked
from activities.store.home import StoragePrefix
from activities.store.store import AUDIENCES, Store
from workflows.campaign.inputs import CampaignInput
from workflows.follow_up.inputs import FollowUpInput
from workflows.kinds import Kind
from workflows.model.campaign import AudienceSource, Campaign, Joiners
from workflows.model.policy import Policy
from workflows.model.request import Document


@dataclass(frozen=True)
class PreparedCampaign:
    """A campaign whose file was checked in full; nothing is stored or started yet."""

    given: CampaignInput
    rows: AudienceFile = field(repr=False)
    """What a table or a list says; none for a group, which is asked for its members at the opening."""
    document: bytes | None = field(repr=False)
    overdue: FileFaults | None = None
    """Why it can be recognised, but not started any more."""

    async def kept(self, store: Store) -> CampaignInput:
        """See `path.Prepared`: document, rows, the people in full, and the message."""
        home, campaign = StoragePrefix.of(self.given.campaign.workflow_id), self.given.campaign
        if self.document is not None:
            await store.put_document(self.document)
        if self.rows.rows:
            await store.put_document(audience.dumped(self.rows.rows), AUDIENCES)
        if (people := self.rows.kept) is not None:
            await store.keep_signers(home, self.given.fingerprint, people)
        if campaign.message is None:
            return self.given
        message = await store.texts.keep(home, f"message-{self.given.fingerprint[:16]}", campaign.message)
        return self.given.replace(campaign=campaign.replace(message=str(message)))

    async def lives(self, store: Store, given: FollowUpInput) -> None:
        """See `path.Prepared`: the people of its table."""
        await store.choose_signers(StoragePrefix.of(given.subject.workflow_id), given.fingerprint)


async def prepare_campaign(
    written: FileText | PlainFile,
    *,
    catalogue: Catalogue,
    directory: Directory,
    now: datetime,
    documents: LocalDocuments | None = None,
    secret: SecretStr | None = None,
    table: bytes | None = None,
) -> PreparedCampaign:
    """Check a campaign file in full, with its audience; nothing is started, and nobody of it is looked up yet.

    `secret` makes the ids of those who stand in full in its `table`, which is read unless it comes along.
    Raises `FileFaults` with all that is wrong, and `DirectoryFailure` when nobody can be looked up. A row that is wrong
    is no fault of the file: it is told of its own.
    """
    plain = await read_as(Kind.CAMPAIGN, written)
    plain = _of_year(plain, now)
    named = plain.plain if isinstance(plain.plain, dict) else {}
    found = await KnownPersons.look_up(directory, frozenset(_persons(named)))
    checks = CampaignChecks(
        folder=plain.folder,
        documents=documents or LocalDocuments(MAX_UPLOAD_MEGABYTES),
        catalogue=catalogue,
        found=found,
        closing=(),
        now=now,
        unknown=await _unknown_groups(named, directory),
        secret=secret,
        read=table,
    )
    file, policy = await checked(plain, CampaignFile, checks, directory)
    owner = await directory.person(file.owner)
    given = _given(file, policy.resolved.policy, checks, owner, now)
    over = given.campaign.due < now.date() - timedelta(days=1)
    overdue = plain.faults([(("opens",), "its window lies in the past")]) if over else None
    return PreparedCampaign(given, checks.given, checks.pdf, overdue)


def _given(file: CampaignFile, policy: Policy, checks: CampaignChecks, owner: Person, now: datetime) -> CampaignInput:
    opens_at = _opening(file.opens, owner, now)
    asking = _asking(policy, file)
    due = opens_at.astimezone(owner.tz).date() + timedelta(days=days_of(asking.window))
    digest = _fingerprint(file, checks)
    joiners = file.joiners.rule if file.joiners else Joiners.IGNORE
    within = file.joiners.within if file.joiners else None
    campaign = Campaign(
        id=path.own_id(file, digest),
        kind=file.kind,
        title=file.document.name or PurePosixPath(file.document.file or "").stem,
        requester=file.owner,
        people=(),
        urgent=False,
        lock_screen=policy.lock_screen,
        document=_document(file, checks.pdf),
        source=AudienceSource(
            group=file.audience.group,
            rows=None if file.audience.group else hashlib.sha256(audience.dumped(checks.given.rows)).hexdigest(),
        ),
        opens_at=opens_at,
        due=due,
        grace=days_of(asking.grace),
        joiners=joiners,
        within=days_of(within or asking.window),
        leavers=file.leavers,
        message=file.message,
        asking=asking,
        report_columns=file.report_columns,
    )
    return CampaignInput(campaign=campaign, policy=policy, fingerprint=digest, subscribers=file.subscribers)


def _asking(policy: Policy, file: CampaignFile) -> Policy:
    """The policy of each request: nobody is escalated to one by one, and only the campaign tells of an end."""
    window, grace = file.window or policy.window, file.grace or policy.grace
    return policy.replace(
        window=window if window[-1] in "dw" else f"{max(1, days_of(window))}d",
        grace=grace if grace[-1] in "dw" else f"{days_of(grace)}d",
        overdue=policy.overdue and policy.overdue.replace(escalate=False),
        escalation=None,
        handoff=(),
        self_delegate=False,
        urgent=False,
    )


def _opening(opens: date | datetime | None, owner: Person, now: datetime) -> datetime:
    """The instant of the opening: of a bare date the begin of the owner's working day, when somebody can answer."""
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
    """What the file says, without its id, the document and the table by their content; not who is in a group."""
    content = file.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id": True})
    if checks.pdf is not None:
        content["document"] = {**content["document"], "sha256": hashlib.sha256(checks.pdf).hexdigest()}
        del content["document"]["file"]
    if file.audience.file is not None:
        content["audience"] = {"sha256": checks.given.digest}
    return path.fingerprint(content)


def _of_year(plain: PlainFile, now: datetime) -> PlainFile:
    """The file with the year of its opening where it says `{year}`."""
    opens = plain.plain.get("opens") if isinstance(plain.plain, dict) else None
    year = int(opens[:4]) if isinstance(opens, str) and opens[:4].isdecimal() else now.year
    return of_year(plain, year)


def _persons(named: Mapping[str, Any]) -> list[str]:
    document = named.get("document")
    approver = document.get("approver") if isinstance(document, dict) else None
    return [id for id in (named.get("owner"), approver) if isinstance(id, str)]


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
