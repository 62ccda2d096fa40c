"""The lists of the desk, a page at a time, and the same as a file for a spreadsheet."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from activities.files.table import put
from activities.people.language import phrase
from starter.errors import Refusal
from starter.queries import lists
from starter.queries.campaign_people import so_far
from starter.queries.filters import Wanted
from starter.queries.lists import RequestLine, waits_for
from starter.web.desk.access import ANY, LABELS, OPEN, PEOPLE_AT_MOST, Filters, ReaderRole, View, wanted
from starter.web.desk.answers import PeopleNames, RequestContext
from starter.web.desk.cards import NOT_THERE
from starter.web.desk.rows import ListRow, RowReader
from starter.web.desk.sessions import Visitor
from starter.web.rendering import Tab
from starter.web.status import STATUSES
from workflows.kinds import named
from workflows.model.views import CampaignShow

HEAD: Final = (
    phrase("Reference"),
    phrase("Document or task"),
    phrase("Kind"),
    phrase("Status"),
    phrase("Asked by"),
    phrase("Waiting for"),
    phrase("Since"),
    phrase("Due"),
    phrase("In the way"),
)
_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""By it a spreadsheet knows UTF-8 when it sees it."""


def written(cells: Sequence[str], *, first: bool = False) -> str:
    """One line of the file; the name of a document is a stranger's text."""
    line = io.StringIO()
    put(line, cells, ())
    return (_MARK if first else "") + line.getvalue()


PAGE_SIZE: Final = 50
CAMPAIGNS_AT_ONCE: Final = 10
"""Campaigns of a list that are asked at the same time how far they are."""
_SO_FAR_SECONDS: Final = 4.0
CSV_AT_MOST: Final = 50_000
"""Rows of one file; what is beyond can be had by narrowing the list."""


@dataclass(frozen=True)
class ListPage:
    """A page of a list as a template has it."""

    rows: tuple[ListRow, ...]
    total: int
    more: str
    sorted: bool


class Lists:
    """`/desk`, `/desk/<view>` and `/desk/<view>/csv`."""

    def __init__(self, room: RequestContext) -> None:
        self._room = room
        self._answers = room.answers
        self._places = asyncio.Semaphore(CAMPAIGNS_AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        """Where the lists are."""
        visitors = self._answers.visitors
        views = "|".join(View)
        return [
            Route("/desk", visitors(self.list), methods=["GET"]),
            *(Route(f"/desk/{view}", visitors(self.list), methods=["GET"], name=view) for view in views.split("|")),
            *(Route(f"/desk/{view}/csv", visitors(self.csv), methods=["GET"], name=view) for view in View),
        ]

    async def list(self, request: Request, visitor: Visitor) -> Response:
        """A page of a view."""
        view, standing = _view(request), await self._room.standings.of(visitor)
        if view not in standing.views:
            return await self._answers.inside(NOT_THERE, visitor)
        filters, say = Filters.of(request.query_params, view), visitor.reader.language.say
        found, refusal = ListPage((), 0, "", sorted=True), ""
        try:
            found = await self._found(view, visitor, standing, filters, request.query_params.get("from"))
        except Refusal as refused:
            refusal = say(str(refused))
        return self._answers.renderer.page(
            "list.html",
            visitor.reader.language,
            frame=await self._answers.frame(visitor, view),
            status=400 if refusal else 200,
            view=view.value,
            heading=say(LABELS[view]),
            found=found,
            filters=filters,
            refusal=refusal,
            statuses=_statuses(visitor),
            kinds=await self._room.kinds.labels(visitor.reader.language),
            standing=standing,
            people_at_most=PEOPLE_AT_MOST,
            sorted_at_most=lists.SORTED_AT_MOST,
        )

    async def csv(self, request: Request, visitor: Visitor) -> Response:
        """The whole list, as far as it is narrowed, for a spreadsheet."""
        view, standing = _view(request), await self._room.standings.of(visitor)
        if view not in standing.views:
            return await self._answers.inside(NOT_THERE, visitor)
        try:
            asked = wanted(view, visitor, standing, Filters.of(request.query_params, view))
        except Refusal:
            return self._answers.renderer.to_desk(f"{view}?{request.url.query}")
        # The first page is read before anything is sent: what does not answer is told as a page.
        first = await lists.page(self._room.context, asked, size=lists.SORTED_AT_MOST, now=self._room.clock())
        name = f"countersign-{view}-{self._room.clock():%Y-%m-%d}.csv"
        headers = {**self._answers.renderer.headers, "content-disposition": f'attachment; filename="{name}"'}
        body = self._spreadsheet(view, visitor, standing, asked, first)
        return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)

    async def tabs(self, visitor: Visitor, here: str) -> tuple[Tab, ...]:
        """The views of somebody."""
        say = visitor.reader.language.say
        return tuple(
            Tab(view, say(LABELS[view]), view == here) for view in (await self._room.standings.of(visitor)).views
        )

    async def _found(
        self, view: View, visitor: Visitor, standing: ReaderRole, filters: Filters, cursor: str | None
    ) -> ListPage:
        now = self._room.clock()
        asked = wanted(view, visitor, standing, filters)
        page = await lists.page(self._room.context, asked, size=PAGE_SIZE, cursor=cursor, now=now)
        telling = RowReader(visitor.reader, PeopleNames(self._room.directory).of, self._room.kinds.label, now)
        rows = await self._rows(page.lines, telling, view, visitor, standing)
        if view is View.PEOPLE:
            rows = await _grouped(rows, page.lines, telling, standing)
        if view is View.CAMPAIGNS:
            rows = await self._so_far(rows, page.lines, telling)
        more = filters.query(**{"from": page.cursor}) if page.cursor else ""
        return ListPage(rows, page.total, more, page.in_order)

    async def _rows(
        self, lines: Sequence[RequestLine], telling: RowReader, view: View, visitor: Visitor, standing: ReaderRole
    ) -> tuple[ListRow, ...]:
        titled = [await self._titled(view, line, visitor, standing) for line in lines]
        told = (telling.row(line, titled=known) for line, known in zip(lines, titled, strict=True))
        return tuple(await asyncio.gather(*told))

    async def _titled(self, view: View, line: RequestLine, visitor: Visitor, standing: ReaderRole) -> bool:
        """Whether a document may be named here: what waits for or is asked by my people is not mine."""
        if view in (View.ONBOARDINGS, View.CAMPAIGNS):
            mine = line.requester == visitor.id or line.requester in standing.below or visitor.id in line.waiting_for
            return standing.operator or mine or await self._room.kinds.lets_titles_be_read(line.kind)
        return view is not View.PEOPLE or await self._room.kinds.lets_titles_be_read(line.kind)

    async def _so_far(
        self, rows: tuple[ListRow, ...], lines: Sequence[RequestLine], telling: RowReader
    ) -> tuple[ListRow, ...]:
        """The rows with how far each campaign is; where not all answer in time nothing is said of any."""
        pairs = zip(rows, lines, strict=True)
        try:
            async with asyncio.timeout(_SO_FAR_SECONDS):
                return tuple(await asyncio.gather(*(self._one_so_far(row, line, telling) for row, line in pairs)))
        except TimeoutError:
            return rows

    async def _one_so_far(self, row: ListRow, line: RequestLine, telling: RowReader) -> ListRow:
        async with self._places:
            shown = await self._room.look(line.workflow_id)
            if not isinstance(shown, CampaignShow) or shown.partial:
                return row
            known = await so_far(self._room.context.client, shown)
        opens = telling.reader.instant(shown.opens_at) if shown.frozen is None and line.open else ""
        return replace(row, so_far=known, opens=opens)

    async def _spreadsheet(
        self, view: View, visitor: Visitor, standing: ReaderRole, asked: Wanted, page: lists.LinesPage
    ) -> AsyncIterator[str]:
        names, left = PeopleNames(self._room.directory).of, CSV_AT_MOST
        telling = RowReader(visitor.reader, names, self._room.kinds.label, self._room.clock())
        yield written([visitor.reader.language.say(one) for one in HEAD], first=True)
        while True:
            lines = page.lines[:left]
            for some in (lines[at : at + PAGE_SIZE] for at in range(0, len(lines), PAGE_SIZE)):
                for line, row in zip(some, await self._rows(some, telling, view, visitor, standing), strict=True):
                    said = (row.title, row.kind, row.status.text, row.asked_by, row.waiting_for)
                    problems = " ".join(row.problems)
                    yield written([_reference(line), *said, _instant(line.since), _due(line), problems])
            left -= len(page.lines)
            if page.cursor is None or left <= 0:
                return
            page = await lists.page(self._room.context, asked, size=lists.SORTED_AT_MOST, cursor=page.cursor)


async def _grouped(
    rows: tuple[ListRow, ...], lines: Sequence[RequestLine], telling: RowReader, standing: ReaderRole
) -> tuple[ListRow, ...]:
    """The rows of each of somebody's people together, in the order in which they come first."""
    groups: dict[str, list[ListRow]] = {}
    for row, line in zip(rows, lines, strict=True):
        found = await _in_group(row, line, telling, standing)
        groups.setdefault(found.group, []).append(found)
    return tuple(row for group in groups.values() for row in group)


async def _in_group(row: ListRow, line: RequestLine, telling: RowReader, standing: ReaderRole) -> ListRow:
    """The row below the name of the one of somebody's people for whom it waits, or who asked for it."""
    say = telling.reader.language.say
    if line.open and (person := waits_for(line.waiting_for, standing.below)):
        return replace(row, group=await telling.name(person, None))
    return replace(row, group=say("Asked by your people"))


def _view(request: Request) -> View:
    return View(request.url.path.removesuffix("/csv").rpartition("/")[2].replace("desk", View.WAITING))


def _statuses(visitor: Visitor) -> list[tuple[str, str]]:
    say = visitor.reader.language.say
    told = [(status, say(words)) for status, words in STATUSES.items() if status != OPEN]
    return [(OPEN, say("open")), (ANY, say("all")), *told]


def _reference(line: RequestLine) -> str:
    what = named(line.workflow_id)
    return what.reference if what else line.id


def _due(line: RequestLine) -> str:
    return line.last_day.isoformat() if line.last_day else _instant(line.due_at)


def _instant(instant: datetime | None) -> str:
    return instant.isoformat(timespec="minutes") if instant else ""
