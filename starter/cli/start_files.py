"""Checks and starts many files at once: all are checked before the first is started; repeated starts are harmless."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self

from pydantic import AwareDatetime
from rich.console import Group
from rich.text import Text
from temporalio.service import RPCError

from activities.campaign.intake import PreparedCampaign
from activities.errors import did_you_mean
from activities.files.fields import filled, gaps, places
from activities.files.pdf import LocalDocuments
from activities.files.reading import Fault, FileFaults, FileText, PlainFile, written_path
from activities.files.table import Table, write
from activities.files.yaml_lines import FieldMark, FieldPath, Parsed, YamlFlaw
from activities.launch import launch
from activities.launch.doors import Intake, TrustedCaller, admit
from activities.launch.request_file import PreparedRequest
from activities.onboarding.intake import PreparedOnboarding
from activities.people.directory import Directory, UnusablePeople
from starter.boot import clients
from starter.boot.refusals import REFUSALS
from starter.cli import bulk_notice
from starter.cli.terminal import PrintedInstant, Rows
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.queries.lookup import show
from starter.temporal.connection import Context, TemporalRefusal
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

__all__ = ["StartAnswer", "check_request", "read", "show", "start"]
AT_ONCE: Final = 32
"""Concurrent starts."""
FILES_AT_MOST: Final = 10_000
"""Files of one start."""


class StartAnswer(Model):
    """The answer of `start`; `created` is False if it existed."""

    id: str
    workflow_id: str
    run_id: str
    created: bool
    url: str | None = None


async def read(settings: Settings, file: str, *, kind: Kind = Kind.REQUEST, now: datetime | None = None) -> Any:
    """Check a file in full (`-`: standard input), by default as of now; what the check of its kind returns. Needs no
    server. Raises `FileFaults`, also for catalogue and people file.
    """
    return await FileIntake.from_settings(settings, now).check(kind, await asyncio.to_thread(FileText.read, file))


async def check_request(settings: Settings, content: Mapping[str, object], *, folder: Path) -> PreparedRequest:
    """Check a request made by a program, with the keys of a request file; its document is in `folder`. Raises
    `FileFaults` without lines.
    """
    text = FileText("request", folder, json.dumps(content, ensure_ascii=False))
    prepared: PreparedRequest = await FileIntake.from_settings(settings).check(Kind.REQUEST, text)
    return prepared


@dataclass(frozen=True)
class FileIntake:
    """The one intake with our catalogue and people, and documents beside the files or below the working folder."""

    intake: Intake
    documents: LocalDocuments
    now: datetime | None

    @classmethod
    def from_settings(cls, settings: Settings, now: datetime | None = None, directory: Directory | None = None) -> Self:
        directory = directory or clients.directory(settings, clients.store(settings))
        documents = LocalDocuments(settings.signature.max_upload_mb, fallback_folder=Path.cwd())
        return cls(clients.intake(settings, directory), documents, now)

    async def check(self, kind: Kind, written: FileText | PlainFile) -> Any:
        """What the check of the kind returns. Raises `FileFaults`, also for our own files."""
        try:
            return (await self.intake.check(kind, written, self.documents, now=self.now)).prepared
        except UnusablePeople as unusable:
            raise unusable.faults from None

    async def check_many(
        self, kind: Kind, plain: Iterable[PlainFile]
    ) -> tuple[list[launch.PreparedStart], list[FileFaults]]:
        """The valid ones, and the faults of the others; different ones with one id are faults too."""
        one_by_one = replace(self, intake=await self.intake.with_one_catalogue())
        prepared: list[launch.PreparedStart] = []
        faults: list[FileFaults] = []
        ids: dict[str, str] = {}
        for file in plain:
            try:
                start = await one_by_one.check(kind, file)
            except FileFaults as file_faults:
                faults.append(file_faults)
                continue
            subject, fingerprint = start.workflow_input.subject, start.workflow_input.fingerprint
            if ids.setdefault(subject.id, fingerprint) != fingerprint:
                taken = FileFault.ID_OF_START.to_message(id=subject.id, kind=subject.type)
                faults.append(file.faults([(("id",), taken)]))
            prepared.append(start)
        return prepared, faults


async def start(context: Context, prepared: launch.PreparedStart, *, restart: bool = False) -> StartAnswer:
    """Start it, or recognise the one started from the same content; for programs as well
    (`starter/examples/start_from_orders.py`). Idempotent, and safe in parallel for different requests. Nobody is
    notified yet when it returns. Raises `IdTaken`, and `BrokenOff` unless it was terminated and `restart` is set.
    """
    caller = TrustedCaller(context.actor)
    started = await admit(prepared, caller).start(context.client, context.store, is_restart=restart)
    return StartAnswer(
        id=started.id,
        workflow_id=started.workflow_id,
        run_id=started.run_id,
        created=started.created,
        url=context.url(started.workflow_id, started.run_id),
    )


@dataclass(frozen=True)
class Template:
    """A template whose columns are all in the table."""

    file: PlainFile
    table: Table

    @classmethod
    def from_template(cls, written: FileText, table: Table) -> Self:
        """`FileFaults` for an invalid file, or an unknown column."""
        file = written.parse()
        flaws = [Fault(file.name, flaw.line, written_path(flaw.path), flaw.message) for flaw in file.parsed.flaws]
        if flaws:
            raise FileFaults(flaws)
        unknown = [
            (
                path,
                FileFault.NO_COLUMN.to_message(table=table.name, name=name, hint=did_you_mean(name, table.columns)),
            )
            for path, name in places(file.plain)
            if name not in table.columns
        ]
        if unknown:
            raise file.faults(unknown)
        return cls(file, table)

    def files(self) -> Iterator[PlainFile]:
        """The file of each row, with faults at the row's line."""
        for row in self.table.rows:
            mark: dict[FieldPath, FieldMark] = {(): FieldMark(row.line, 0)}
            flaws = tuple(
                YamlFlaw(row.line, path, FileFault.EMPTY_CELL.to_message(column=name))
                for path, name in gaps(self.file.plain, row.cells)
            )
            yield PlainFile(self.table.name, self.file.folder, Parsed(filled(self.file.plain, row.cells), mark, flaws))

    def common(self, faults: Iterable[FileFaults]) -> FileFaults:
        """All faults; one common to every row is reported once, at the template."""
        all_faults = [fault for file_faults in faults for fault in file_faults.faults]
        counts: dict[tuple[str, Message], int] = {}
        for fault in all_faults:
            counts[fault.path, fault.message] = counts.get((fault.path, fault.message), 0) + 1
        rows = len(self.table.rows)
        shared = {key for key, count in counts.items() if count == rows > 1}
        row_faults = [fault for fault in all_faults if (fault.path, fault.message) not in shared]
        lines = {written_path(path): mark.line for path, mark in self.file.parsed.marks.items()}
        return FileFaults(
            (*(Fault(self.file.name, lines.get(path, 1), path, message) for path, message in shared), *row_faults)
        )


@dataclass(frozen=True)
class StartOutcome:
    """The result of one of many; `started` is None on failure, with `says`."""

    prepared: launch.PreparedStart
    started: StartAnswer | None = None
    says: str = "not started: start again"

    @property
    def id(self) -> str:
        return self.prepared.workflow_input.subject.id

    @property
    def kind(self) -> Kind:
        return self.prepared.workflow_input.subject.type

    @property
    def created(self) -> bool:
        """Whether it was started now."""
        return self.started is not None and self.started.created

    @property
    def sentence(self) -> str:
        if self.started is None:
            return self.says
        return "started" if self.started.created else "was there before"

    @property
    def answer(self) -> "ManyAnswer":
        """For programs."""
        if self.started is None:
            return ManyAnswer(id=self.id, workflow_id=self.kind.workflow_id(self.id), says=self.says)
        return ManyAnswer(**dict(self.started), says=self.sentence)


class RequestDryRun(Model):
    """The answer of `request start --dry-run` for one request."""

    id: str
    kind: str
    document: str
    requester: str
    signers: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]] = {}
    """Of each the signers of whom any one signs."""

    @classmethod
    def from_prepared(cls, prepared: PreparedRequest) -> "RequestDryRun":
        brief = prepared.request.brief
        teams = dict.fromkeys(signer.team for signer in brief.people if signer.team)
        return cls(
            id=brief.id,
            kind=brief.kind,
            document=brief.title,
            requester=brief.requester,
            signers=tuple(signer.person for signer in brief.people),
            groups={team: tuple(signer.person for signer in brief.people if signer.team == team) for team in teams},
        )


class ManyAnswer(Model):
    """The answer of `start_many` for one of many; `run_id` is None if not started."""

    id: str
    workflow_id: str
    run_id: str | None = None
    created: bool = False
    url: str | None = None
    says: str


async def read_rows_files(
    settings: Settings,
    kind: Kind,
    files: Iterable[str],
    *,
    now: datetime | None = None,
    directory: Directory | None = None,
) -> list[Any]:
    """Check all documents of these files. A caller that looks people up later passes its `directory`, to read a large
    one once. Raises `FileFaults`.
    """
    plain = [text.parse() for file in files for text in await asyncio.to_thread(_documents, file)]
    if len(plain) > FILES_AT_MOST:
        raise Refusal(f"{len(plain):,} at once are more than {FILES_AT_MOST:,}: divide them")
    prepared, faults = await FileIntake.from_settings(settings, now, directory).check_many(kind, plain)
    if faults:
        raise FileFaults(fault for file_faults in faults for fault in file_faults.faults)
    return prepared


async def read_table(settings: Settings, kind: Kind, template: str, table: Table) -> list[Any]:
    """Check the template's file for every row, in order. Raises `FileFaults`."""
    written = await asyncio.to_thread(FileText.read, template)
    filled = Template.from_template(written, table)
    prepared, faults = await FileIntake.from_settings(settings).check_many(kind, filled.files())
    if faults:
        raise filled.common(faults)
    return prepared


async def start_many(
    context: Context,
    prepared: Sequence[launch.PreparedStart],
    *,
    restart: bool = False,
    report: Callable[[int, StartOutcome], None],
) -> None:
    """Start or recognise them; `report` gets each result with its position. A refused one holds up no other. Requesters
    of several get one notice. If Temporal is gone the rest is left: start them again.
    """
    waiting = iter(range(len(prepared)))
    is_disconnected = asyncio.Event()
    starts, sent = bulk_notice.joined(prepared), list[PreparedRequest]()

    async def one_by_one() -> None:
        for number in waiting:
            if is_disconnected.is_set():
                return
            start = starts[number]
            outcome = await _try_start(context, start, restart=restart, is_disconnected=is_disconnected)
            if isinstance(start, PreparedRequest) and start is not prepared[number] and outcome.created:
                sent.append(start)
            report(number, outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(prepared))):
            group.create_task(one_by_one())
    if not is_disconnected.is_set():
        await bulk_notice.tell(context.client, sent)


def write_results(path: Path, table: Table, outcomes: Sequence[StartOutcome]) -> None:
    """Write each row with its id, link and result."""
    own_columns = (next((str(outcome.kind) for outcome in outcomes), Kind.REQUEST), "link", "result")
    rows = (
        (outcome.id, outcome.started.url or "" if outcome.started else "", outcome.sentence, *row.cells.values())
        for row, outcome in zip(table.rows, outcomes, strict=True)
    )
    write(path, (*own_columns, *table.columns), rows, delimiter=table.delimiter)


class CampaignDryRun(Model):
    """The answer of `campaign start --dry-run`; `rows` are those of a table or list, `errors` of them are faulty."""

    id: str
    kind: str
    document: str
    owner: str
    audience: str
    rows: int
    errors: int
    opens_at: AwareDatetime
    due: date

    @classmethod
    def from_prepared(cls, prepared: PreparedCampaign) -> "CampaignDryRun":
        campaign, rows = prepared.workflow_input.campaign, prepared.rows.rows
        return cls(
            id=campaign.id,
            kind=campaign.kind,
            document=campaign.title,
            owner=campaign.requester,
            audience=campaign.source.group or f"{len(rows):,} rows",
            rows=len(rows),
            errors=sum(bool(row.says) for row in rows),
            opens_at=campaign.opens_at,
            due=campaign.due,
        )


def campaign_dry_run(prepared: Sequence[PreparedCampaign]) -> Group:
    table = Rows(
        "campaign", "document", "owner", "audience", "wrong rows", "opens", "due", whole_columns=("campaign", "owner")
    )
    for dry_run in map(CampaignDryRun.from_prepared, prepared):
        opens, errors = PrintedInstant(dry_run.opens_at), f"{dry_run.errors:,}" if dry_run.errors else ""
        table.add(dry_run.id, dry_run.document, dry_run.owner, dry_run.audience, errors, opens, f"{dry_run.due}")
    campaigns = "1 campaign" if len(prepared) == 1 else f"{len(prepared):,} campaigns"
    return Group(Text(f"All correct: {campaigns} would be started; nothing was started", "bold"), table)


class OnboardingDryRun(Model):
    """The answer of `onboard start --dry-run` for one onboarding."""

    id: str
    kind: str
    customer: str
    owner: str
    stages: tuple[str, ...]
    parts: int

    @classmethod
    def from_prepared(cls, prepared: PreparedOnboarding) -> "OnboardingDryRun":
        onboarding_input, onboarding = prepared.workflow_input, prepared.workflow_input.onboarding
        return cls(
            id=onboarding.id,
            kind=onboarding.kind,
            customer=onboarding.title,
            owner=onboarding.requester,
            stages=tuple(stage.name for stage in onboarding_input.stages),
            parts=sum(len(stage.parts) for stage in onboarding_input.stages),
        )


def onboarding_dry_run(prepared: Sequence[PreparedOnboarding]) -> Group:
    table = Rows("onboarding", "customer", "owner", "stages", "parts", whole_columns=("onboarding", "owner"))
    for dry_run in map(OnboardingDryRun.from_prepared, prepared):
        table.add(dry_run.id, dry_run.customer, dry_run.owner, ", ".join(dry_run.stages), f"{dry_run.parts}")
    onboardings = "1 onboarding" if len(prepared) == 1 else f"{len(prepared):,} onboardings"
    return Group(Text(f"All correct: {onboardings} would be started; nothing was started", "bold"), table)


async def _try_start(
    context: Context, prepared: launch.PreparedStart, *, restart: bool, is_disconnected: asyncio.Event
) -> StartOutcome:
    try:
        return StartOutcome(prepared, await start(context, prepared, restart=restart))
    except RPCError as error:
        is_disconnected.set()
        return StartOutcome(prepared, None, f"not started: {TemporalRefusal(error, context.client.namespace)}")
    except (Refusal, *REFUSALS) as refused:
        return StartOutcome(prepared, None, " ".join(str(refused).split()))


def _documents(file: str) -> list[FileText]:
    return list(FileText.read(file).documents())
