"""`list` of requests, tasks and onboardings."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from activities.records.ended import ListFilter
from activities.temporal import executions as runs
from starter.boot.startup import ready
from starter.cli import tables
from starter.cli.arguments import AsJson, Watch
from starter.cli.doctor import temporal
from starter.cli.doctor.health import PartHealth, SetUpPart, looked
from starter.cli.printing import note, print_answer, progress
from starter.config.settings import Settings
from starter.queries import lists as pages
from starter.queries.lists import RequestLine
from starter.queries.people_in_full import name_people
from starter.temporal.connection import Context, opened
from workflows import names
from workflows.campaign.opening import CONTENT_MISSING
from workflows.kinds import Kind, kinds
from workflows.model.subject import Status

_MANY = 200
_ENDED_AT_MOST = 1_000
"""Lines of what has ended, without a limit."""
WATCHED_AT_MOST: Final = 200
"""Lines of a list that is watched, without a limit."""
_LATEST_LOOK = timedelta(hours=25)
"""A yearly campaign is looked at once a day."""
_SCHEDULED_BY = SearchAttributeKey.for_keyword("TemporalScheduledById")


@Parameter(name="*")
@dataclass(frozen=True)
class ListFilters:
    """Filters, each of which narrows."""

    attention: Annotated[
        bool,
        Parameter(
            help="Only those that need a person: with a problem, a decision to make, a question, an email that came "
            "back, paused, stuck, or terminated by hand in Temporal."
        ),
    ] = False
    status: Annotated[list[Status] | None, Parameter(help="Only those with this status; may be repeated.")] = None
    kind: Annotated[str | None, Parameter(help="Only those of this kind of the catalogue.")] = None
    person: Annotated[
        str | None,
        Parameter(
            help="Only those that wait for this person, or asked this person before they ended: an id of the directory."
        ),
    ] = None
    requester: Annotated[
        str | None, Parameter(help="Only those that this person asked for: an id of the directory.")
    ] = None
    overdue: Annotated[bool, Parameter(help="Only those in which somebody still has to act after the due date.")] = (
        False
    )
    search: Annotated[
        str, Parameter(help="Only those whose title, people or id have words that begin with each of these words.")
    ] = ""

    def to_filter(self, *of_kinds: Kind) -> ListFilter:
        """Those of these kinds, else of all; the requests of campaigns only if a filter narrows them."""
        return ListFilter(
            attention=self.attention,
            statuses=tuple(self.status or ()),
            kind=self.kind,
            person=self.person,
            requester=self.requester,
            overdue=self.overdue,
            types=tuple(kind.spec.prefix for kind in of_kinds or kinds()),
            of_campaigns=bool(self.kind or self.person or self.search),
            search=self.search,
        )


EVERYTHING: Final = ListFilters()


@dataclass(frozen=True)
class Listing:
    """`list` of one kind."""

    kind: Kind

    async def list_(
        self,
        *,
        filters: ListFilters = EVERYTHING,
        limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
        watch: Watch = False,
        json: AsJson = False,
    ) -> None:
        """List what runs, overdue or stalled first, then by due date; then what has ended, newest first.

        Says so when no worker runs. If more than 1,000 run, they come in the order of the server, overdue ones first.
        Of what has ended the last 1,000 are listed, more with --limit. The requests of campaigns are listed only with
        --kind, --person or --search: `campaign show` sums them up.

        Parameters
        ----------
        limit
            At most so many.
        json
            Print `[{id, kind, status, problem, attention, due_at, trouble, document, requester, stage,
            waiting_for, since, overdue, open, started_at, workflow_id}]`.
        """
        filters_ = filters.to_filter(self.kind)
        if watch:
            await self._watch(filters_, limit or WATCHED_AT_MOST, json=json)
        else:
            await self._print(filters_, limit, json=json)

    async def _watch(self, filters: ListFilter, limit: int, *, json: bool) -> None:
        from starter.cli.watching import watch  # noqa: PLC0415  a list that is printed once waits for no screen

        async with opened(ready()) as context:
            await watch(
                lambda: _watched(context, filters, limit, names_people=not json),
                lambda lines: tables.of_list(lines, self.kind) if lines else Text(self._empty(filters)),
                as_json=json,
            )

    async def _print(self, filters: ListFilter, limit: int | None, *, json: bool) -> None:
        settings = ready()
        async with opened(settings) as context:
            gathering = _gathered(context, filters, limit, quiet=json)
            page, worker = await asyncio.gather(gathering, looked("worker", partial(temporal.worker, context.client)))
            waiting = await self.waiting(context.client)
            lines = page.lines if json else await name_people(context.store, page.lines)
        view = tables.of_list(lines, self.kind) if page.lines else Text(self._empty(filters))
        print_answer(page.lines, view, as_json=json)
        unknown = [] if page.lines else await _unknown(settings, context, filters)
        for aside in [*unknown, *waiting, *_asides(page, worker, filters)]:
            note(aside)

    async def waiting(self, client: Client) -> list[str]:
        """What is none of them yet, and waits for somebody of ours."""
        return []

    def _empty(self, filters: ListFilter) -> str:
        if filters.narrows:
            return f"No such {self.kind}s"
        return "Nothing needs attention" if filters.attention else f"No {self.kind}s"


async def _unknown(settings: Settings, context: Context, filters: ListFilter) -> list[str]:
    from activities.files.reading import FileFaults  # noqa: PLC0415  a list that has something to show waits for no file
    from activities.people.directory import DirectoryFailure, UnknownPerson  # noqa: PLC0415
    from activities.policies.catalogue import Catalogue, UnknownKind  # noqa: PLC0415
    from starter.boot import clients  # noqa: PLC0415

    faults = []
    if filters.kind is not None:
        with suppress(FileFaults):
            try:
                Catalogue.read(settings.policies).require_kind(filters.kind)
            except UnknownKind as unknown:
                faults.append(str(unknown))
    for person in filter(None, (filters.person, filters.requester) if settings.people else ()):
        with suppress(DirectoryFailure):
            try:
                await clients.directory(settings, context.store).person(person)
            except UnknownPerson as unknown:
                faults.append(str(unknown))
    return faults


def _asides(page: pages.LinesPage, worker: SetUpPart, filters: ListFilter) -> Iterator[str]:
    if page.cursor and (remaining := page.total - len(page.lines)) > 0:
        yield f"{'more than ' if page.more else ''}{remaining:,} more; --limit shows others"
    if page.more and filters.search:
        yield "more were found than are looked at: further words narrow it"
    if not page.in_order:
        yield f"more than {pages.SORTED_AT_MOST:,}: newest first, after those that are overdue"
    if worker.state is PartHealth.WRONG:
        yield f"worker: {worker.says}"


requests = Listing(Kind.REQUEST).list_
tasks = Listing(Kind.TASK).list_
onboardings = Listing(Kind.ONBOARDING).list_


class _OfCampaigns(Listing):
    async def waiting(self, client: Client) -> list[str]:
        """The yearly campaigns that cannot open, by the last look of each."""
        started_since = datetime.now(UTC) - _LATEST_LOOK
        query = f"WorkflowType = '{names.CAMPAIGN_OPENING}' AND StartTime > '{started_since:%Y-%m-%dT%H:%M:%SZ}'"
        looks = sorted([run async for run in runs.listed(client, query)], key=lambda run: run.started_at)
        last = {run.search_attributes.get(_SCHEDULED_BY): run.search_attributes.get(names.STAGE) for run in looks}
        message = (
            "waits for its content: countersign campaign schedule FILE --year YEAR gives it; its details say what is "
            "wrong"
        )
        return [f"{id} {message}" for id, stage in last.items() if stage == CONTENT_MISSING]


campaigns = _OfCampaigns(Kind.CAMPAIGN).list_


async def _gathered(context: Context, filters: ListFilter, limit: int | None, *, quiet: bool) -> pages.LinesPage:
    lines: list[RequestLine] = []

    def enough() -> bool:
        return len(lines) >= limit if limit else sum(not line.open for line in lines) >= _ENDED_AT_MOST

    with progress("reading the list", quiet=quiet) as bar:
        bar(visible=False)
        page = await pages.page(context, filters, size=limit or pages.SORTED_AT_MOST)
        bar(total=page.total, visible=page.total > _MANY)
        lines.extend(page.lines)
        while page.cursor and not enough():
            size = limit - len(lines) if limit else pages.SORTED_AT_MOST
            page = await pages.page(context, filters, size=size, cursor=page.cursor)
            lines.extend(page.lines)
            bar(completed=len(lines))
    return page.replace(lines=tuple(lines))


async def _watched(context: Context, filters: ListFilter, limit: int, *, names_people: bool) -> tuple[RequestLine, ...]:
    lines = (await pages.page(context, filters, size=limit)).lines
    return await name_people(context.store, lines) if names_people else lines
