"""`countersign campaign schedule`: a campaign that opens each year, each year with content of its own."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Group
from rich.text import Text

from activities.directory import Directory
from activities.files.reading import FileText
from activities.requests.documents import LocalDocuments
from activities.store.store import Store
from starter import clients
from starter.campaigns import scheduling, starting
from starter.campaigns.scheduling import PlannedYear, Scheduled, Yearly
from starter.commands.arguments import AsJson, RequestFile
from starter.commands.printing import print_answer
from starter.context import Context, opened
from starter.needs import Need
from starter.rows import Rows
from starter.settings import Settings
from starter.startup import ready
from starter.terminal import Instant


async def schedule(
    file: RequestFile,
    /,
    *,
    year: Annotated[int | None, Parameter(validator=Number(gte=2020, lte=2199))] = None,
    plan: bool = False,
    json: AsJson = False,
) -> None:
    """Have a campaign open each year, and give the content of a year; nothing opens with that of the year before.

    Twice is harmless. `temporal schedule toggle --pause --schedule-id campaign-opening:ID` has it rest, `temporal
    schedule delete` ends it; an opening that is under way ends by `temporal workflow cancel`.

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
    store = Store(settings.store_url)
    directory = clients.directory(settings, store)
    series = await Yearly.of((await asyncio.to_thread(FileText.read, file)).parse(), directory)
    created = False
    if not plan:
        async with opened(settings) as context:
            if year is not None:
                await _give(series, year, context, settings, directory=directory, now=now)
            created = await scheduling.schedule_years(series, context.client, now)
            if year is not None:
                await scheduling.tell(series, context, year, now)
    years = await scheduling.preview(series, store, directory, now, year)
    known = Scheduled(schedule=series.series.schedule_id, created=created, given=None if plan else year, years=years)
    print_answer(known, _told(known, plan=plan), as_json=json)


async def _give(
    series: Yearly, year: int, context: Context, settings: Settings, *, directory: Directory, now: datetime
) -> None:
    await scheduling.give(
        series,
        year,
        context,
        starting.preparing_campaign(settings),
        catalogue=await asyncio.to_thread(clients.catalogue, settings),
        directory=directory,
        now=now,
        documents=LocalDocuments(settings.signature.max_upload_mb, below=Path.cwd()),
    )


def _told(known: Scheduled, *, plan: bool) -> Group:
    what = "would be" if plan else "was made" if known.created else "is up to date"
    table = Rows("opens", "campaign", "content", "people", whole=("campaign",))
    for one in known.years:
        people = "" if one.people is None else f"{one.people:,}"
        table.add(Instant(one.opens_at, weekday=True), one.campaign, _content(one), people)
    return Group(Text(f"The schedule {known.schedule} {what}", "bold"), table)


def _content(one: PlannedYear) -> Text:
    return Text(f"version {one.version}") if one.given else Text("missing: it waits for it", "yellow")
