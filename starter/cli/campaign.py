"""`countersign campaign …`: what an owner does to a living campaign."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Self

from cyclopts import Parameter
from cyclopts.validators import Number
from pydantic import AwareDatetime
from rich.console import Group
from rich.text import Text
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.campaign import population, yearly
from activities.campaign.intake import PreparedCampaign, of_year
from activities.campaign.yearly import Openings, YearContent
from activities.files.reading import FileFaults, FileText, PlainFile, bytes_of
from activities.files.table import TABLE_BYTES_AT_MOST, open_atomically
from activities.launch import launch
from activities.people.directory import Directory, UnknownPerson
from activities.records.outcomes import MemberOutcome
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.interceptors import priority
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson, Id, RequestFile
from starter.cli.operations import PLAIN, CommonOptions, OperationWords, described, due_of, is_due
from starter.cli.printing import note, patience, print_answer
from starter.cli.start_files import FileIntake
from starter.cli.terminal import PrintedInstant, Rows
from starter.config.settings import Need
from starter.errors import Refusal
from starter.queries import campaign_report as record
from starter.queries.campaign_report import CampaignReport, audit_sample
from starter.queries.lookup import show_as
from starter.temporal.connection import Context, opened
from workflows import names
from workflows.campaign.opening import CONTENT_MISSING
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.campaign import AHEAD, LATE_DAYS_AT_MOST
from workflows.model.commands import AnyCommand, Extension, Retry
from workflows.model.views import CampaignShow
from workflows.names import EXEMPT

Names = Annotated[bool, Parameter(negative="--no-names")]
_MADE_UP_FOR: Final = timedelta(days=1)
"""After an outage one look makes up for all that were missed."""
YEARS_SHOWN: Final = 3


class _CampaignWords(OperationWords):
    async def extend(
        self,
        id: Id,
        /,
        *,
        due: Annotated[str, Parameter(validator=is_due)],
        person: str = "",
        reason: str = "",
        options: CommonOptions = PLAIN,
    ) -> None:
        """Move the due date of everybody who has not acknowledged, or of one of them; reminders are planned anew.

        Parameters
        ----------
        due
            A day such as 2026-12-11, later than the present one; it may be counted from now: +7d, tomorrow, friday.
        person
            Only this member, by the id that the report has or their e-mail address; the campaign stays open for them.
        reason
            Why; recorded in the timeline and in the report.
        """
        if not person:
            await super().extend(id, due=due, reason=reason, options=options)
            return
        due_at = due_of(due, datetime.now(UTC))
        command = Extension(actor="", due=due_at, person=person, reason=reason)
        await self.carry_out(id, lambda actor: command.replace(actor=actor), options)

    async def retry(self, id: Id, /, *, failed: bool = False, person: str = "", options: CommonOptions = PLAIN) -> None:
        """Ask again those who could not be asked: rows that are corrected by now, requests that have failed.

        Parameters
        ----------
        failed
            All of them; nobody else is notified.
        person
            Only this one of them, by the id that the report has or their e-mail address.
        """
        await self.carry_out(id, lambda actor: Retry(actor=actor, person=person), options)

    async def _with_ids(self, context: Context, id: str, command: AnyCommand) -> AnyCommand:
        """The command with a member's id in the place of their address; refuses whom the audience does not have."""
        person = getattr(command, "person", "")
        if not person:
            return command
        from starter.queries.campaign_report import member_of  # noqa: PLC0415  hardly any word names a member

        settings, view = ready(), await show_as(CampaignShow, context, id)
        directory = clients.directory(settings, context.store) if settings.people else None
        return command.replace(person=await member_of(context.store, view, person, directory))


_WORDS = _CampaignWords(Kind.CAMPAIGN)
exempt, retry, extend = described(_WORDS, EXEMPT), _WORDS.retry, _WORDS.extend


async def _page(report: CampaignReport) -> AsyncIterator[str]:
    from starter.queries import campaign_page as page  # noqa: PLC0415  templates and a chart: tables do not wait for them

    async for piece in page.pieces(report):
        yield piece


FORMS: Final[Mapping[str, Callable[[CampaignReport], AsyncIterator[str]]]] = {
    ".csv": CampaignReport.table,
    ".json": CampaignReport.json,
    ".html": _page,
}
"""The text of a report by file extension, in pieces."""


async def write(path: Path, report: CampaignReport) -> None:
    """Write a report atomically, in the form of the file's extension; a table with a byte order mark for spreadsheets
    if needed. Raises `OSError`.
    """
    pieces = FORMS[path.suffix.lower()](report)
    if path.suffix.lower() != ".csv":
        with open_atomically(path) as stream:
            async for piece in pieces:
                stream.write(piece)
        return
    text = "".join([piece async for piece in pieces])
    with open_atomically(path, encoding="utf-8" if text.isascii() else "utf-8-sig") as stream:
        stream.write(text)


def _ends_in(*ends: str) -> Callable[[Any, Path | None], None]:
    def check(_: object, file: Path | None) -> None:
        if file is not None and file.suffix.lower() not in ends:
            raise ValueError(f"{file} does not end in {' or '.join(ends)}: that says how it is written")

    return check


Output = Annotated[Path | None, Parameter(name=("--output", "-o"), validator=_ends_in(*FORMS))]
Table = Annotated[Path | None, Parameter(name=("--output", "-o"), validator=_ends_in(".csv"))]


async def report(id: Id, /, *, names: Names = True, output: Output = None, json: AsJson = False) -> None:
    """Print each member once, with their status, as CSV; of a campaign that has ended the same for ever.

    Parameters
    ----------
    names
        Say who everybody is, by the columns `report_columns` of its file; what was erased says so.
    output
        Write it instead: FILE.csv, FILE.json, or FILE.html, one page with everything inside that prints on A4.
    json
        Print `{campaign{…}, counts{…}, population, changes[], lines[]}`; a line has the columns of the CSV and row,
        department, manager, due.
    """
    campaign_report = await _read_report(id, names=names, quiet=json)
    if output is not None:
        await _write(output, campaign_report)
    if json or output is None:
        async for piece in campaign_report.json() if json else campaign_report.table(end="\n"):
            sys.stdout.write(piece)
    if not campaign_report.tally.counts.total:
        note(f"nobody was asked yet: {campaign_report.view.says}")


async def sample(
    id: Id,
    /,
    *,
    n: Annotated[int, Parameter(name=("--n", "-n"), validator=Number(gte=1))] = 25,
    seed: str = "",
    names: Names = True,
    output: Table = None,
    json: AsJson = False,
) -> None:
    """Print a random sample of the members; the same seed gives the same sample, wherever and whenever.

    Members are sorted by the SHA-256 of `<seed>/<row>/<person>`; the first ones are the sample.

    Parameters
    ----------
    n
        How many.
    seed
        Any word of whoever draws; default: the id of the campaign.
    names
        Say who they are, as in the report.
    output
        Write them as FILE.csv, with the columns of the report.
    json
        Print `{campaign{…}, seed, n, of, order, lines[]}`.
    """
    campaign_report = await _read_report(id, names=names, quiet=json)
    seed = seed or campaign_report.head.id
    lines, total = await audit_sample(campaign_report.batches(), n, seed), campaign_report.tally.counts.total
    if output is not None:
        await _write(output, replace(campaign_report, batches=lambda: _at_once(lines)))
    answer = {
        "campaign": campaign_report.head.model_dump(mode="json"),
        "seed": seed,
        "n": len(lines),
        "of": total,
        "order": "SHA-256 of <seed>/<row>/<person>",
        "lines": [campaign_report.plain_line(line) for line in lines],
    }
    if output is None or json:
        print_answer(answer, _of_sample(campaign_report, lines, seed), as_json=json)


@dataclass(frozen=True)
class Yearly(Openings):
    """A campaign file that opens each year, as it was written."""

    plain: PlainFile

    @classmethod
    async def read(cls, plain: PlainFile, directory: Directory) -> Self:
        """`FileFaults` unless it can open each year."""
        series = yearly.series_of(plain)
        try:
            return cls(series, await directory.person(series.owner), plain)
        except UnknownPerson as unknown:
            raise plain.faults([(("owner",), unknown.message)]) from None


class PlannedYear(Model):
    """One opening that lies ahead; `version` is of the content that was given, None while it is missing.

    `people` is how many the audience has as of today, None where nobody can tell.
    """

    year: int
    campaign: str
    looks_at: AwareDatetime
    opens_at: AwareDatetime
    opens: str
    """On the clock of the owner."""
    zone: str
    given: bool
    version: str | None
    people: int | None


class ScheduleResult(Model):
    """The answer of `campaign schedule`."""

    schedule: str
    created: bool
    given: int | None
    """The year whose content was given."""
    years: tuple[PlannedYear, ...]


async def preview(
    file: Yearly, store: Store, directory: Directory, now: datetime, given_year: int | None = None
) -> tuple[PlannedYear, ...]:
    """The next openings, after that of a year that was `given` late; no server is needed."""
    first = file.first_year(now)
    late = [given_year] if given_year and given_year < first else []
    return tuple([await _planned(file, year, store, directory) for year in (*late, *range(first, first + YEARS_SHOWN))])


async def give(
    file: Yearly,
    year: int,
    context: Context,
    check: Callable[[PlainFile], Awaitable[PreparedCampaign]],
    now: datetime,
) -> bool:
    """Keep what a year opens with; whether it is news. `FileFaults` for what cannot open, or is last year's.

    `Refusal` for a year that is over, and for other content than that with which it has opened.
    """
    if now > file.opens_at(year) + timedelta(days=LATE_DAYS_AT_MOST):
        raise Refusal(f"{year} is over: what opens next is {file.first_year(now)}")
    plain = of_year(file.plain, year)
    prepared = await check(yearly.opening_on(plain, file.day(year, now)))
    content = YearContent.from_prepared(plain.plain, prepared, _table(plain))
    yearly.own_edition(plain, content, await YearContent.read(context.store, file.series, year - 1))
    previous = await YearContent.read(context.store, file.series, year)
    if previous and content.once_started == previous.once_started:
        return False
    campaign = file.series.campaign_id(year)
    if (previous and previous.started) or await executions.find_run(
        context.client, Kind.CAMPAIGN.workflow_id(campaign)
    ):
        raise Refusal(f"{campaign} has opened already: what it opened with stays")
    if prepared.document is not None:
        await context.store.files.put(prepared.document)
    await content.keep(context.store, file.series, year)
    return True


async def schedule_years(file: Yearly, client: Client, given_year: int | None) -> bool:
    """Make the schedule, or bring it up to date, and look at once; whether it was made.

    A paused schedule looks for nothing: `Refusal` if the content of a year was given.
    """
    yearly_schedule, id = _schedule(file), file.series.schedule_id
    try:
        await client.create_schedule(id, yearly_schedule, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(id)

        async def updated(current: ScheduleUpdateInput) -> ScheduleUpdate:
            yearly_schedule.state = current.description.schedule.state
            return ScheduleUpdate(yearly_schedule)

        await handle.update(updated)
        if not yearly_schedule.state.paused:
            await handle.trigger()
        elif given_year is not None:
            unpause = f"temporal schedule toggle --unpause --schedule-id {id}"
            raise Refusal(f"{id} rests: {given_year} does not open before it goes on (`{unpause}`)") from None
        return False
    return True


async def schedule(
    file: RequestFile,
    /,
    *,
    year: Annotated[int | None, Parameter(validator=Number(gte=2020, lte=2199))] = None,
    plan: bool = False,
    json: AsJson = False,
) -> None:
    """Open a campaign each year, and give the content of a year; nothing opens with the content of the year before.

    Twice is harmless. `temporal schedule toggle --pause --schedule-id campaign-opening:ID` has it rest, `temporal
    schedule delete` ends it.

    Parameters
    ----------
    file
        A campaign in YAML or JSON with `yearly: "12-01"`; `{year}` stands where each year's says the year.
    year
        Give the file, with its document and its table, as the content of this year.
    plan
        Only show the next three openings; needs no server.
    json
        Print `{schedule, created, given, years: [{year, campaign, opens_at, given, version, people}]}`.
    """
    settings, now = ready(Need.PEOPLE), datetime.now(UTC)
    store = clients.store(settings)
    directory = clients.directory(settings, store)
    series = await Yearly.read((await asyncio.to_thread(FileText.read, file)).parse(), directory)
    created = False
    if not plan:
        async with opened(settings) as context:
            if year is not None:
                intake = FileIntake.from_settings(settings, now, directory)
                await give(series, year, context, partial(intake.check, Kind.CAMPAIGN), now)
            created = await schedule_years(series, context.client, year)
    years = await preview(series, store, directory, now, year)
    scheduled = ScheduleResult(
        schedule=series.series.schedule_id, created=created, given=None if plan else year, years=years
    )
    print_answer(scheduled, _schedule_view(scheduled, plan=plan), as_json=json)


def _of_sample(campaign_report: record.CampaignReport, lines: list[MemberOutcome], seed: str) -> Group:
    name_columns = campaign_report.names.columns
    table = Rows("row", "person", *name_columns, "status", "told", "acknowledged", "reason", whole_columns=("person",))
    for line in lines:
        sent_at, acknowledged = (
            PrintedInstant(datetime.fromisoformat(instant) if instant else None)
            for instant in (line.sent_at, line.signed_at)
        )
        table.add(
            str(line.row),
            line.person,
            *campaign_report.names.cells(line.person).values(),
            line.status,
            sent_at,
            acknowledged,
            line.reason,
        )
    return Group(
        Text(f"{len(lines):,} of {campaign_report.tally.counts.total:,} people by the seed {seed}", "bold"), table
    )


async def _read_report(id: str, *, names: bool, quiet: bool) -> record.CampaignReport:
    settings = ready()
    async with opened(settings) as context, patience("reading everyone's status", quiet=quiet):
        directory = clients.directory(settings, context.store) if settings.people and names else None
        return await record.load_report(context, id, names=names, directory=directory)


async def _at_once(lines: list[MemberOutcome]) -> AsyncIterator[list[MemberOutcome]]:
    yield lines


async def _write(path: Path, report: CampaignReport) -> None:
    try:
        async with patience(f"writing {path}"):
            await write(path, report)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}") from error
    note(f"written: {path}")


async def _planned(file: Yearly, year: int, store: Store, directory: Directory) -> PlannedYear:
    content, opens_at = await YearContent.read(store, file.series, year), file.opens_at(year)
    document = content.file["document"] if content else {}
    return PlannedYear(
        year=year,
        campaign=file.series.campaign_id(year),
        looks_at=opens_at - AHEAD,
        opens_at=opens_at,
        opens=opens_at.astimezone(file.owner.tz).isoformat(timespec="minutes"),
        zone=file.owner.zone,
        given=content is not None,
        version=document.get("version"),
        people=await _people(file, year, content, directory),
    )


async def _people(file: Yearly, year: int, content: YearContent | None, directory: Directory) -> int | None:
    document = content.file if content else of_year(file.plain, year).plain
    match document.get("audience"):
        case {"group": str(group)}:
            return len(await directory.group(group))
        case {"people": [*ids]}:
            return len(ids)
        case {"file": str(name)}:
            try:
                return content.people if content else population.count(file.plain.folder / name)
            except FileFaults:
                return None  # It is to be made yet.
    return None


def _table(plain: PlainFile) -> bytes | None:
    name = plain.plain["audience"].get("file")
    return bytes_of(plain.folder / name, at_most=TABLE_BYTES_AT_MOST) if name else None


def _schedule(file: Yearly) -> Schedule:
    """A look each day as the owner's working day begins."""
    series, begins = file.series, file.owner.working_hours[0]
    attributes = [
        SearchAttributePair(names.KIND, series.kind),
        SearchAttributePair(names.STAGE, CONTENT_MISSING),
        SearchAttributePair(names.REQUESTER, series.owner),
    ]
    daily = ScheduleCalendarSpec(hour=[ScheduleRange(begins.hour)], minute=[ScheduleRange(begins.minute)])
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.CAMPAIGN_OPENING,
            series,
            id=series.schedule_id,
            task_queue=names.CAMPAIGN_QUEUE,
            typed_search_attributes=TypedSearchAttributes(attributes),
            static_summary=launch.summary(series.kind, series.title),
            priority=priority(series.kind, urgent=False),
        ),
        spec=ScheduleSpec(calendars=[daily], time_zone_name=file.owner.zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=_MADE_UP_FOR),
    )


def _schedule_view(scheduled: ScheduleResult, *, plan: bool) -> Group:
    state = "would be" if plan else "was made" if scheduled.created else "is up to date"
    table = Rows("opens", "campaign", "content", "people", whole_columns=("campaign",))
    for year in scheduled.years:
        people = "" if year.people is None else f"{year.people:,}"
        content = Text(f"version {year.version}") if year.given else Text("missing: it waits for it", "yellow")
        table.add(PrintedInstant(year.opens_at, weekday=True), year.campaign, content, people)
    return Group(Text(f"The schedule {scheduled.schedule} {state}", "bold"), table)
