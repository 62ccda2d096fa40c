"""The lists of the desk, by pages and as CSV."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from activities.files.table import put
from activities.notifications.links import at_desk
from activities.people.language import Language, phrase
from activities.people.reader import Deadline, Reader
from activities.records.ended import ListFilter
from starter.errors import Refusal
from starter.queries import lists
from starter.queries.campaign import SoFar, so_far
from starter.queries.filters import LIVING, SETTLED, refuse_impossible_ids
from starter.queries.lists import MORE, RequestLine, waits_for
from starter.queries.lookup import SYSTEMS, of_type
from starter.web.acting.kinds import KIND_PAGES
from starter.web.desk import together
from starter.web.desk.access import LABELS, PEOPLE_AT_MOST, View, views_of
from starter.web.desk.devices import DevicePages
from starter.web.desk.documents import OwnDocuments
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.responses import PeopleNames, RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.rights import ReaderRole, requesters_seen
from starter.web.screens.rendering import Tab
from starter.web.screens.screens import NO_FILES, OfferedFiles, OfferShows, PersonRow
from starter.web.screens.status import STATES, Chip, StateOwner, problems_of, status_chip
from workflows.kinds import Kind, kinds, named
from workflows.model.subject import Status
from workflows.model.views import CampaignShow, Shown
from workflows.onboarding.state import DECISION

OPEN: Final = "open"
ANY: Final = "any"
FindName = Callable[[str, str | None], Awaitable[str]]
"""Also finds people of a workflow's file."""
EnrichRow = Callable[["ListRow", RequestLine, Shown], Awaitable["ListRow"]]
Label = Callable[[str, Language], Awaitable[str]]
"""Name of a kind in a language."""
CSV_HEADINGS: Final = (
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
BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""The byte order mark, for spreadsheets."""
PAGE_SIZE: Final = 50
FILTERED_FROM: Final = 10
"""Rows of a list that is offered a filter."""
SEARCH_AT_MOST: Final = 200
"""Characters of a search."""
CAMPAIGNS_AT_ONCE: Final = 10
_SO_FAR_SECONDS: Final = 4.0
CSV_AT_MOST: Final = 50_000
"""Rows of one file."""
FindOverview = Callable[[Visitor, ReaderRole], Awaitable[object]]
"""What stands above what waits for a visitor, on the first page after signing in (overview.py)."""
_WAITED_FOR: Final = {
    View.PEOPLE: phrase("Asked by your people"),
    View.TEAMS: phrase("Asked by your teams"),
}
"""Views grouped by whom of theirs it waits for, and the heading of the rest."""
_HEADS: Final = {
    lists.ListOrder.TITLE: phrase("Document or task"),
    lists.ListOrder.REQUESTER: phrase("Asked by"),
    lists.ListOrder.SINCE: phrase("Waiting for"),
    lists.ListOrder.DUE: phrase("Due"),
}


@dataclass(frozen=True)
class Filters:
    """Filters in a list's address; `status` is `open`, `any` or one status. A search begins with all."""

    status: str = OPEN
    workflow_kind: Kind | None = None
    catalogue_kind: str = ""
    person: str = ""
    overdue: bool = False
    search: str = ""
    sort: str = ""
    """A `lists.Order`, `-` before it for the other direction; empty for the usual one."""

    @classmethod
    def from_query(cls, query: Mapping[str, str], view: View) -> "Filters":
        """Ignores nonsense."""
        search = query.get("search", "").strip()[:SEARCH_AT_MOST]
        usual = ANY if view in (View.ATTENTION, View.MINE) or search else OPEN
        status = query.get("status", usual)
        statuses, type_name = (OPEN, ANY, *Status), query.get("what", "")
        return cls(
            status if status in statuses else usual,
            Kind(type_name) if type_name in kinds() else None,
            query.get("kind", "").strip(),
            query.get("person", "").strip(),
            query.get("overdue") == "1",
            search,
            sort if (sort := query.get("sort", "")).removeprefix("-") in list(lists.ListOrder) else "",
        )

    def query(self, **changes: str) -> str:
        """As a query string."""
        parameters = {
            "status": self.status,
            "what": self.workflow_kind or "",
            "kind": self.catalogue_kind,
            "person": self.person,
            "overdue": "1" if self.overdue else "",
            "search": self.search,
            "sort": self.sort,
        }
        return urlencode({name: value for name, value in {**parameters, **changes}.items() if value})

    @property
    def narrows(self) -> bool:
        return bool(
            self.workflow_kind or self.catalogue_kind or self.person or self.overdue or self.status not in (OPEN, ANY)
        )

    @property
    def sorting(self) -> lists.Sorting:
        order = self.sort.removeprefix("-")
        return lists.Sorting(lists.ListOrder(order), self.sort != order) if order else lists.BY_URGENCY

    def build_sort_query(self, order: str) -> str:
        """As a query string, sorted by a head: the other way if it is already."""
        return self.query(sort=f"-{order}" if self.sort == order else order)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Empty for all."""
        if self.status == ANY:
            return ()
        return LIVING if self.status == OPEN else (Status(self.status),)


def build_list_filter(
    view: View, visitor: Visitor, role: ReaderRole, filters: Filters, named_kinds: tuple[str, ...] = ()
) -> ListFilter:
    """The query of a view; `Refusal` for a bad id. `named_kinds` are those whose titles anybody may know.

    A campaign is one row for its owner, not all its requests, unless they filter by kind or person.
    """
    base = ListFilter(
        statuses=filters.statuses,
        kind=filters.catalogue_kind or None,
        overdue=filters.overdue,
        person=filters.person or None,
        types=tuple(kind.spec.prefix for kind in kinds() if filters.workflow_kind in (None, kind)),
        of_campaigns=view in (View.WAITING, View.MINE)
        or bool(filters.catalogue_kind or filters.person or filters.search),
        search=filters.search,
        named_kinds=named_kinds,
    )
    if view in (View.WAITING, View.MINE) and base.person not in (None, visitor.id):
        raise Refusal(phrase("Here everything waits for you: there is nobody else to look for."))
    refuse_impossible_ids(base)
    return replace(base, **_narrowing(view, visitor, role))


@dataclass(frozen=True)
class ListRow:
    """`path` is empty without a page."""

    path: str
    title: str
    kind: str
    asked_by: str
    status: Chip
    waiting_for: str
    since: str
    due: Deadline | None
    """Without relative words when it has ended."""
    overdue: bool
    problems: tuple[str, ...]
    open: bool = False
    stage: str = ""
    """Of an onboarding."""
    so_far: SoFar | None = None
    """Of a campaign."""
    opens: str = ""
    """Of a campaign that has not begun."""
    own_part: PersonRow | None = None
    """What the visitor did with it, in the list of their documents."""
    files: OfferedFiles = NO_FILES
    """Of these documents."""
    group: str = ""
    """Heading of a group of rows."""


@dataclass(frozen=True)
class RowFormatter:
    reader: Reader
    find_name: FindName
    find_label: Label
    now: datetime

    async def row(self, line: RequestLine, *, titled: bool = True) -> ListRow:
        """Without `titled` the title is hidden."""
        language, name = self.reader.language, named(line.workflow_id)
        untitled, kind = (
            KIND_PAGES[name.kind if name else Kind.REQUEST].untitled,
            await self.find_label(line.kind, language),
        )
        return ListRow(
            path=at_desk(name) if name else "",
            title=(line.document or line.id) if titled else language.say(untitled, kind=kind),
            kind=kind,
            asked_by=await self._asker(line),
            status=status_chip(line.status, language, name.kind if name else None),
            waiting_for=await self._name_waiting_people(line, titled=titled) if line.open else "",
            since=self._since_text(line.since) if line.since and line.open and line.waiting_for else "",
            due=self._due(line),
            overdue=line.overdue,
            problems=problems_of(language, line.problem, line.attention, line.trouble),
            open=line.open and line.stage != SETTLED,
            stage=line.stage if line.open else "",
        )

    async def _asker(self, line: RequestLine) -> str:
        """An onboarding's decision is asked by Countersign."""
        if line.kind == DECISION:
            return SYSTEMS["countersign"]
        return await self.find_name(line.requester, None) if line.requester else ""

    def _due(self, line: RequestLine) -> Deadline | None:
        if line.last_day:
            deadline = Deadline.of_day(line.last_day, self.reader, self.now)
        elif line.due_at:
            deadline = Deadline.from_due_at(line.due_at, self.reader, self.now)
        else:
            return None
        return deadline if line.open and line.stage != SETTLED else replace(deadline, relative_text="")

    def _since_text(self, instant: datetime) -> str:
        """Never in the future: a request's clock may be moved."""
        return self.reader.language.say("since {when}", when=self.reader.shortly(min(instant, self.now), self.now))

    async def _name_waiting_people(self, line: RequestLine, *, titled: bool) -> str:
        """People of a file are named only with `titled`."""
        if line.asked_group:
            return await self.find_name(line.asked_group, None)
        others_text, workflow_id = self.reader.language.say("others"), line.workflow_id if titled else None
        return self.reader.language.enumerate(
            [others_text if id == MORE else await self.find_name(id, workflow_id) for id in line.waiting_for]
        )


def csv_line(cells: Sequence[str], *, first: bool = False) -> str:
    """One line; titles are untrusted."""
    line = io.StringIO()
    put(line, cells, ())
    return (BYTE_ORDER_MARK if first else "") + line.getvalue()


@dataclass(frozen=True)
class ListPage:
    rows: tuple[ListRow, ...]
    total: int
    next_page_query: str
    sorted: bool
    uncounted: bool = False
    """Whether there are more than `total`."""


class ListRoutes:
    def __init__(
        self, shared: RequestContext, documents: OwnDocuments, overview: FindOverview, devices: DevicePages
    ) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._documents = documents
        self._overview = overview
        self._devices = devices
        self._workflow_slots = asyncio.Semaphore(CAMPAIGNS_AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        visitors = self._responses.visitors
        views = "|".join(View)
        return [
            Route("/desk", visitors(self.list), methods=["GET"]),
            *(Route(f"/desk/{view}", visitors(self.list), methods=["GET"], name=view) for view in views.split("|")),
            *(Route(f"/desk/{view}/csv", visitors(self.csv), methods=["GET"], name=view) for view in View),
        ]

    async def list(self, request: Request, visitor: Visitor) -> Response:
        view, role = _view(request), await self._shared.roles.role_of(visitor.id)
        if view not in views_of(role):
            return await self._responses.inside(NOT_THERE, visitor)
        filters = await self._resolve_person(Filters.from_query(request.query_params, view))
        say = visitor.reader.language.say
        page, refusal = ListPage((), 0, "", sorted=True), ""
        is_landing_page = view is View.WAITING and not request.query_params
        device = await self._devices.offer(visitor, OfferShows.UNTIL_ON) if is_landing_page else None
        try:
            page = await self._read_page(view, visitor, role, filters, request.query_params.get("from"))
        except Refusal as refused:
            refusal = say(str(refused))
        renderer = self._devices.renderer if device else self._responses.renderer
        return renderer.page(
            "list.html",
            visitor.reader.language,
            frame=await self._responses.frame(visitor, view),
            status=400 if refusal else 200,
            view=view.value,
            heading=say(LABELS[view]),
            device=device,
            overview=await self._overview(visitor, role) if is_landing_page else None,
            found=page,
            filters=filters,
            refusal=refusal,
            said=together.news_of(request.query_params, visitor.reader.language),
            together=_list_bulk_actions(view, page, visitor),
            heads=_heads(view, page, filters, visitor),
            sortings=[(order.value, say(text)) for order, text in _HEADS.items()],
            back=f"{view}?{filters.query()}",
            statuses=_statuses(visitor),
            kinds=await self._shared.kinds.choices(visitor.reader.language),
            more_reports=len(role.reports) > PEOPLE_AT_MOST,
            people_at_most=PEOPLE_AT_MOST,
            sorted_at_most=lists.SORTED_AT_MOST,
            filtered_from=FILTERED_FROM,
        )

    async def csv(self, request: Request, visitor: Visitor) -> Response:
        view, role = _view(request), await self._shared.roles.role_of(visitor.id)
        if view not in views_of(role):
            return await self._responses.inside(NOT_THERE, visitor)
        try:
            filters = await self._resolve_person(Filters.from_query(request.query_params, view))
            query = build_list_filter(view, visitor, role, filters, await self._shared.kinds.named())
        except Refusal:
            return self._responses.renderer.to_desk(f"{view}?{request.url.query}")
        # The first page is read before anything is sent: what does not answer is told as a page.
        first = await lists.page(self._shared.context, query, size=lists.SORTED_AT_MOST, now=self._shared.clock())
        name = f"countersign-{view}-{self._shared.clock():%Y-%m-%d}.csv"
        headers = {**self._responses.renderer.headers, "content-disposition": f'attachment; filename="{name}"'}
        body = self._spreadsheet(view, visitor, query, first)
        return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)

    async def tabs(self, visitor: Visitor, current_page: str) -> tuple[Tab, ...]:
        say, views = visitor.reader.language.say, views_of(await self._shared.roles.role_of(visitor.id))
        return tuple(Tab(view, say(LABELS[view]), view == current_page) for view in views)

    async def _resolve_person(self, filters: Filters) -> Filters:
        """With the id of a person whose name or address was typed, if it is the only one."""
        if not filters.person:
            return filters
        person = await self._shared.directory.named(filters.person)
        people = (person,) if person else await self._shared.directory.search(filters.person, 2)
        return replace(filters, person=people[0].id) if len(people) == 1 else filters

    async def _read_page(
        self, view: View, visitor: Visitor, role: ReaderRole, filters: Filters, cursor: str | None
    ) -> ListPage:
        now = self._shared.clock()
        query = build_list_filter(view, visitor, role, filters, await self._shared.kinds.named())
        page = await lists.page(
            self._shared.context, query, size=PAGE_SIZE, cursor=cursor, now=now, sorting=filters.sorting
        )
        formatter = RowFormatter(
            visitor.reader, PeopleNames(self._shared.directory).name_of, self._shared.kinds.label, now
        )
        rows = await _rows(page.lines, formatter, view, query)
        if view in _WAITED_FOR:
            rows = await _grouped(rows, page.lines, formatter, view, role)
        if view is View.CAMPAIGNS:
            rows = await self._enrich_rows(rows, page.lines, partial(self._add_progress, formatter))
        if view is View.MINE:
            rows = await self._enrich_rows(rows, page.lines, partial(self._with_own_part, formatter, role))
        next_query = filters.query(**{"from": page.cursor}) if page.cursor else ""
        return ListPage(rows, page.total, next_query, page.in_order, page.more)

    async def _enrich_rows(
        self, rows: tuple[ListRow, ...], lines: Sequence[RequestLine], look: EnrichRow
    ) -> tuple[ListRow, ...]:
        """Rows with what each of these says itself; without if some do not answer in time."""

        async def look_at_row(row: ListRow, line: RequestLine) -> ListRow:
            async with self._workflow_slots:
                view_of_row = await self._shared.look(line.workflow_id)
                return row if view_of_row is None or view_of_row.partial else await look(row, line, view_of_row)

        try:
            async with asyncio.timeout(_SO_FAR_SECONDS):
                return tuple(await asyncio.gather(*map(look_at_row, rows, lines)))
        except TimeoutError:
            return rows

    async def _add_progress(self, telling: RowFormatter, row: ListRow, line: RequestLine, view: Shown) -> ListRow:
        campaign = of_type(CampaignShow, view)
        opens = telling.reader.instant(campaign.opens_at) if campaign.frozen is None and line.open else ""
        return replace(row, so_far=await so_far(self._shared.context.client, campaign), opens=opens)

    async def _with_own_part(
        self, telling: RowFormatter, role: ReaderRole, row: ListRow, line: RequestLine, view: Shown
    ) -> ListRow:
        part = self._documents.part_of(view, role.person, telling.reader, telling.now)
        return replace(row, own_part=part, files=await self._documents.files_of(view, role, telling.reader.language))

    async def _spreadsheet(
        self, view: View, visitor: Visitor, list_filter: ListFilter, page: lists.LinesPage
    ) -> AsyncIterator[str]:
        names, remaining = PeopleNames(self._shared.directory).name_of, CSV_AT_MOST
        telling = RowFormatter(visitor.reader, names, self._shared.kinds.label, self._shared.clock())
        yield csv_line([visitor.reader.language.say(title) for title in CSV_HEADINGS], first=True)
        while True:
            lines = page.lines[:remaining]
            for batch in (lines[start : start + PAGE_SIZE] for start in range(0, len(lines), PAGE_SIZE)):
                for line, row in zip(batch, await _rows(batch, telling, view, list_filter), strict=True):
                    cells = (row.title, row.kind, row.status.text, row.asked_by, row.waiting_for)
                    problems = " ".join(row.problems)
                    yield csv_line([_reference(line), *cells, _instant(line.since), _due(line), problems])
            remaining -= len(page.lines)
            if page.cursor is None or remaining <= 0:
                return
            page = await lists.page(self._shared.context, list_filter, size=lists.SORTED_AT_MOST, cursor=page.cursor)


def _narrowing(view: View, visitor: Visitor, role: ReaderRole) -> dict[str, Any]:
    """What makes a view of all there is."""
    known_as = (visitor.id, *sorted(role.teams))
    requesters = (requesters_seen(role) or ())[:PEOPLE_AT_MOST]
    involved_ids = () if role.operator else known_as[:PEOPLE_AT_MOST]
    unnamed = () if role.operator else role.reports
    narrowing: dict[View, dict[str, Any]] = {
        View.WAITING: {"person": visitor.id},
        View.ASKED: {"requester": visitor.id},
        View.MINE: {"person": visitor.id, "includes_asked": True},
        View.TEAMS: {"people": tuple(sorted(role.teams))[:PEOPLE_AT_MOST], "by_person": True},
        View.PEOPLE: {"people": role.reports[:PEOPLE_AT_MOST], "by_person": True, "unnamed": unnamed},
        View.SHARED: {"kinds": tuple(sorted(role.visible))},
        View.ATTENTION: {"attention": True},
        View.ONBOARDINGS: {
            "people": requesters,
            "teams": involved_ids,
            "unnamed": unnamed,
            "types": (Kind.ONBOARDING.spec.prefix,),
        },
        View.CAMPAIGNS: {"people": requesters, "unnamed": unnamed, "types": (Kind.CAMPAIGN.spec.prefix,)},
    }
    return narrowing[view]


async def _rows(
    lines: Sequence[RequestLine], formatter: RowFormatter, view: View, list_filter: ListFilter
) -> tuple[ListRow, ...]:
    """With the titles that the visitor may know."""
    rows = []
    for line in lines:
        # What has ended stands among onboardings for its owner or its teams: nobody is asked by it any more.
        has_ended = view is View.ONBOARDINGS and line.recorded
        titled = has_ended or list_filter.names_title(line.kind, line.requester, line.waiting_for, line.teams)
        rows.append(formatter.row(line, titled=titled))
    return tuple(await asyncio.gather(*rows))


async def _grouped(
    rows: tuple[ListRow, ...], lines: Sequence[RequestLine], telling: RowFormatter, view: View, role: ReaderRole
) -> tuple[ListRow, ...]:
    """Rows grouped by the visitor's people or teams."""
    groups: dict[str, list[ListRow]] = {}
    for row, line in zip(rows, lines, strict=True):
        grouped_row = await _set_group_heading(row, line, telling, view, role)
        groups.setdefault(grouped_row.group, []).append(grouped_row)
    return tuple(row for group in groups.values() for row in group)


async def _set_group_heading(
    row: ListRow, line: RequestLine, telling: RowFormatter, view: View, role: ReaderRole
) -> ListRow:
    theirs = role.subordinates if view is View.PEOPLE else role.teams
    if line.open and (group_or_person := waits_for((line.asked_group, *line.waiting_for), theirs)):
        return replace(row, group=await telling.find_name(group_or_person, None))
    return replace(row, group=telling.reader.language.say(_WAITED_FOR[view]))


def _list_bulk_actions(view: View, page: ListPage, visitor: Visitor) -> list[tuple[str, str]]:
    """What can be done with ticked rows, by action; nothing where others ask."""
    if view in (View.WAITING, View.MINE, View.SHARED) or not any(row.open for row in page.rows):
        return []
    return [(action, visitor.reader.language.say(label)) for action, label in together.LABELS.items()]


def _heads(view: View, page: ListPage, filters: Filters, visitor: Visitor) -> list[tuple[str, str, str]]:
    """Each with its words, the list sorted by it where it can be, and how it is sorted now."""
    say, labels = visitor.reader.language.say, dict(_HEADS)
    if view is View.ONBOARDINGS:
        labels[lists.ListOrder.TITLE] = phrase("Onboarding")
    if view is View.ASKED:
        del labels[lists.ListOrder.REQUESTER]
    if view is View.WAITING:
        labels[lists.ListOrder.SINCE] = phrase("Since")
    if view is View.MINE:
        labels[lists.ListOrder.SINCE] = phrase("Your part")
    if view is View.CAMPAIGNS:
        labels |= {lists.ListOrder.TITLE: phrase("Document"), lists.ListOrder.SINCE: phrase("Done")}
    now = {filters.sort.removeprefix("-"): "descending" if filters.sort.startswith("-") else "ascending"}
    fixed = {lists.ListOrder.SINCE} if view in (View.CAMPAIGNS, View.MINE) else set()
    return [
        (say(text), filters.build_sort_query(order) if page.sorted and order not in fixed else "", now.get(order, ""))
        for order, text in labels.items()
    ]


def _view(request: Request) -> View:
    return View(request.url.path.removesuffix("/csv").rpartition("/")[2].replace("desk", View.WAITING))


def _statuses(visitor: Visitor) -> list[tuple[str, str]]:
    say = visitor.reader.language.say
    choices = [(status, say(label)) for status, (label, _) in STATES[StateOwner.FOLLOW_UP].items() if status != OPEN]
    return [(OPEN, say("open")), (ANY, say("all")), *choices]


def _reference(line: RequestLine) -> str:
    name = named(line.workflow_id)
    return name.reference if name else line.id


def _due(line: RequestLine) -> str:
    return line.last_day.isoformat() if line.last_day else _instant(line.due_at)


def _instant(instant: datetime | None) -> str:
    return instant.isoformat(timespec="minutes") if instant else ""
