"""Lists page by page: what runs or was broken off by visibility, overdue first; then what has ended by its records,
newest first. Visibility does not sort: up to `SORTED_AT_MOST` are sorted here; more keep the server's order (newest
first), in two queries.

A page goes on behind the keys of the last row of the page before. So what neither begins, ends nor changes its keys
between the pages is on exactly one of them, and anything else on at most two: what ends after the first page was read
is listed by its record alone from then on.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple, Self, TypeAlias

from pydantic import AwareDatetime, Field, ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.records.database import chunks
from activities.records.ended import COUNTED_AT_MOST, EndedRow, ListFilter, PagePosition
from activities.temporal import executions
from activities.temporal.executions import Run, RunStatus
from starter.errors import Refusal
from starter.queries import lookup
from starter.queries.filters import SETTLED, Lateness, among, visibility_query
from starter.temporal.codec import CodecError
from starter.temporal.connection import Context
from starter.temporal.search_attributes import REPORTED
from workflows import names
from workflows.kinds import Kind, named
from workflows.model.base import Model
from workflows.model.campaign import last_day_before
from workflows.model.subject import Code, group_of
from workflows.model.views import AttentionCode

MORE: Final = "+more"
"""In `waiting_for`: there are others."""
_VALUE_AT_MOST: Final = 100
"""Characters of what a list is sorted by: cursors have it."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
SORTED_AT_MOST: Final = 1_000
"""Largest sorted set, the server's limit of a page."""
NAMED_AT_ONCE: Final = 100
"""Workflow ids of one query."""
DESCRIBED_AT_ONCE: Final = 20
"""Broken-off runs that are looked at together."""
_CURSOR_AT_MOST: Final = 4_096
_TOKEN_UNREAD: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNKNOWN)
_NO_CURSOR: Final = "this is not where a page of the list ended: begin at its first page"


class RequestLine(Model):
    """A line of `request list` or `task list`; `status` as in `show`. `trouble` is what the workflow cannot report:
    `terminated`, `failed`, `timed out`, `paused`, or `stuck` if its tasks fail.
    """

    id: str
    kind: str
    status: str
    problem: str | None = None
    attention: str | None = None
    """The most urgent `AttentionCode`, if nothing is broken."""
    due_at: AwareDatetime | None = None
    trouble: str | None = None
    document: str = ""
    """Of a task its title; empty if encrypted with a key that is not set here."""
    requester: str = ""
    stage: str = ""
    """Of an onboarding, the name of its stage."""
    waiting_for: tuple[str, ...] = ()
    """Directory ids of those whose turn it is; at most 20, then `+more`."""
    asked_group: str = Field(default="", exclude=True)
    """The group, as `group:<name>`, for which it waits instead of its people."""
    since: AwareDatetime | None = None
    """Since when it is the first one's turn."""
    overdue: bool = False
    """Someone still has to act, after the due date."""
    open: bool = True
    started_at: AwareDatetime | None = None
    """None if not known any more."""
    workflow_id: str = ""
    teams: tuple[str, ...] = Field(default=(), exclude=True)
    """Of a running onboarding; within the bounds of `waiting_for`."""

    @property
    def recorded(self) -> bool:
        """Whether it has ended, and is known by its record."""
        return not self.open and self.stage == SETTLED

    @property
    def last_day(self) -> date | None:
        """The day that ends at `due_at` everywhere on earth, of a kind that is due by day."""
        workflow = named(self.workflow_id)
        if self.due_at is None or workflow is None or not workflow.kind.spec.due_everywhere:
            return None
        return last_day_before(self.due_at)


async def line_of(run: Run, now: datetime) -> RequestLine:
    attributes, paused = run.search_attributes, run.status is RunStatus.PAUSED
    code, due = attributes.get(names.PROBLEM), attributes.get(names.DUE_AT)
    workflow = named(run.id)
    waiting = attributes.all_of(names.WAITING_FOR)
    teams = attributes.all_of(names.TEAMS)
    group = next((id for id in waiting if id in teams and group_of(id)), "")
    attention = AttentionCode.PAUSED if paused else code if lookup.needs_attention(code) else None
    return RequestLine(
        id=run.id.partition(":")[2] or run.id,
        kind=attributes.get(names.KIND) or "",
        status=attributes.get(names.STATUS) or (workflow.kind if workflow else Kind.REQUEST).spec.begins,
        problem=None if lookup.needs_attention(code) else code,
        attention=attention,
        due_at=due,
        trouble=_trouble(run),
        document=await _document(run),
        requester=attributes.get(names.REQUESTER) or "",
        stage=attributes.get(names.STAGE) or "",
        waiting_for=tuple(id for id in waiting if id != group),
        asked_group=group,
        since=attributes.get(names.TURN_AT),
        overdue=is_overdue(run, now),
        open=run.status.open,
        started_at=run.started_at,
        workflow_id=run.id,
        teams=tuple(teams),
    )


def line_of_ended(row: EndedRow) -> RequestLine:
    workflow = named(row.workflow_id)
    return RequestLine(
        id=workflow.id if workflow else row.workflow_id,
        kind=row.kind,
        status=row.status,
        problem=row.problem or (Code.EVIDENCE if row.missing else None),
        attention=AttentionCode.HANDOFF_DEAD if row.dead else None,
        due_at=row.due_at,
        document=row.title,
        requester=row.requester,
        stage=SETTLED,
        open=False,
        started_at=row.started_at,
        workflow_id=row.workflow_id,
    )


def is_overdue(run: Run, now: datetime) -> bool:
    due, stage = run.search_attributes.get(names.DUE_AT), run.search_attributes.get(names.STAGE)
    return run.status.open and due is not None and due < now and stage not in (None, SETTLED)


class ListOrder(StrEnum):
    """How what runs is sorted, up to `SORTED_AT_MOST`; what has ended follows, newest first."""

    URGENCY = "urgency"
    DUE = "due"
    SINCE = "since"
    TITLE = "title"
    REQUESTER = "requester"


class _RowKeys(NamedTuple):
    """By what a row is sorted: the person waited for, if rows are grouped, then what the list is sorted by, then its
    urgency, which no other row has.
    """

    person: str
    value: str
    urgency: str


@dataclass(frozen=True)
class Sorting:
    by: ListOrder = ListOrder.URGENCY
    descending: bool = False

    def arrange(self, rows: Iterable[_RowKeys], passed: Collection[str], current: str) -> list[_RowKeys]:
        """Grouped by person, the group of the most urgent row first, behind those of the pages before; then by value.
        Those without a person, or a value, come last; equal ones by urgency.
        """
        rows = sorted(rows, key=lambda row: row.urgency)
        rows.sort(key=lambda row: row.value, reverse=self.descending)
        rows.sort(key=lambda row: not row.value)
        people = {person: number for number, person in enumerate(dict.fromkeys(row.person for row in rows))}
        order = {person: (person not in passed, person != current, number) for person, number in people.items()}
        rows.sort(key=lambda row: (not row.person, order[row.person]))
        return rows

    async def value(self, run: Run, list_filter: ListFilter) -> str:
        """What it is sorted by; empty if there is none, and for a title that may not be known."""
        match self.by:
            case ListOrder.URGENCY:
                return ""
            case ListOrder.TITLE if not _is_named(run, list_filter):
                return ""
            case ListOrder.TITLE:
                return (await _document(run) or run.id).casefold()[:_VALUE_AT_MOST]
            case ListOrder.REQUESTER:
                return run.search_attributes.get(names.REQUESTER) or ""
            case ListOrder.SINCE:
                instant = run.search_attributes.get(names.TURN_AT) if run.status.open else None
            case ListOrder.DUE:
                instant = run.search_attributes.get(names.DUE_AT)
        return _sortable(instant) if instant else ""


def _sortable(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


BY_URGENCY: Final = Sorting()


def waits_for(waiting: Iterable[str], people: frozenset[str]) -> str:
    """The first of these people for whom it waits, or empty."""
    return next((person for person in waiting if person in people), "")


class LinesPage(Model):
    """Lines, and the next cursor, None after the last. `in_order` if all that runs is sorted; `total` is exact then,
    unless there are `more`.
    """

    lines: tuple[RequestLine, ...]
    cursor: str | None
    total: int
    more: bool = False
    """Whether they were not all counted."""
    in_order: bool


async def page(
    context: Context,
    list_filter: ListFilter,
    *,
    size: int = 50,
    cursor: str | None = None,
    now: datetime | None = None,
    sorting: Sorting = BY_URGENCY,
) -> LinesPage:
    """Up to `size` lines from the cursor, all pages with the same `sorting`. `Refusal` for an invalid cursor."""
    lines: list[RequestLine] = []
    listing, has_more = await _List.from_filter(context, list_filter, sorting)
    try:
        first = _Cursor.read(cursor) if cursor else await _start(listing, now or datetime.now(UTC))
        following: _Cursor | None = first
        while following is not None and len(lines) < size:
            page_lines, following = await _READ[following.part](
                listing, following, min(size - len(lines), SORTED_AT_MOST)
            )
            lines += page_lines
    except (RPCError, ValueError, OverflowError) as error:
        if cursor and (not isinstance(error, RPCError) or error.status in _TOKEN_UNREAD):
            raise Refusal(_NO_CURSOR) from error
        raise
    return LinesPage(
        lines=tuple(lines),
        cursor=following.written() if following else None,
        total=first.total,
        more=first.more or has_more,
        in_order=first.in_order,
    )


async def everything(
    context: Context, list_filter: ListFilter, *, now: datetime | None = None
) -> AsyncIterator[RequestLine]:
    """All lines, read page by page."""
    cursor = None
    while True:
        lines_page = await page(context, list_filter, size=SORTED_AT_MOST, cursor=cursor, now=now)
        for line in lines_page.lines:
            yield line
        if (cursor := lines_page.cursor) is None:
            return


def _urgency(run: Run, now: datetime) -> str:
    """A key, each another: overdue, the longest first; open, by due date; broken off, newest first. Open ones without
    due date are onboardings: problems first, then the longest waiting.
    """
    if run.status.open:
        due, waiting_since = (
            run.search_attributes.get(names.DUE_AT) or _NEVER,
            run.search_attributes.get(names.TURN_AT) or _NEVER,
        )
        is_calm = run.search_attributes.get(names.PROBLEM) is None
    else:
        due, waiting_since, is_calm = _NEVER, _NEVER - (run.started_at - datetime.min.replace(tzinfo=UTC)), True
    flags = f"{not is_overdue(run, now):d}{not run.status.open:d}"
    return f"{flags} {_sortable(due)} {is_calm:d} {_sortable(waiting_since)} {run.id}"


def _is_named(run: Run, list_filter: ListFilter) -> bool:
    kind, requester = run.search_attributes.get(names.KIND) or "", run.search_attributes.get(names.REQUESTER) or ""
    return list_filter.names_title(
        kind, requester, run.search_attributes.all_of(names.WAITING_FOR), run.search_attributes.all_of(names.TEAMS)
    )


async def _document(run: Run) -> str:
    try:
        return await run.memo(names.MEMO_DOCUMENT)
    except CodecError:
        return ""


def _trouble(run: Run) -> str | None:
    if run.status.broken_off or run.status is RunStatus.PAUSED:
        return run.status
    return "stuck" if run.status is RunStatus.RUNNING and REPORTED in run.search_attributes else None


class _Part(StrEnum):
    SORTED = "sorted"
    OVERDUE = "overdue"
    IN_TIME = "in time"
    ENDED = "ended"


class _Cursor(Model):
    """Where a page ended, as of which instant, so that all parts use one time."""

    at: AwareDatetime
    part: _Part
    in_order: bool
    token: str = ""
    """The server's, in base64."""
    person: str = ""
    value: str = ""
    urgency: str = ""
    """The keys of the last row."""
    passed: tuple[int, ...] = ()
    """The numbers of the people whose groups were on the pages before."""
    ended_at: AwareDatetime | None = None
    ended: str = ""
    """The workflow id of the last record."""
    total: int = 0
    more: bool = False

    def written(self) -> str:
        return base64.urlsafe_b64encode(self.model_dump_json(exclude_defaults=True).encode()).decode()

    @classmethod
    def read(cls, written: str) -> "_Cursor":
        try:
            return cls.model_validate_json(base64.urlsafe_b64decode(written[:_CURSOR_AT_MOST]))
        except (ValidationError, ValueError):
            raise Refusal(_NO_CURSOR) from None


_Read: TypeAlias = tuple[list[RequestLine], _Cursor | None]
"""Lines, and where to go on."""


@dataclass
class _List:
    """What is read for one page: `living` is what runs or was broken off, by its keys, once it has been read."""

    context: Context
    list_filter: ListFilter
    sorting: Sorting
    living: dict[_RowKeys, Run] | None = None

    @classmethod
    async def from_filter(cls, context: Context, list_filter: ListFilter, sorting: Sorting) -> tuple[Self, bool]:
        """With the ids of what its words find, and whether there may be others."""
        if not list_filter.search:
            return cls(context, list_filter, sorting), False
        # Of what everybody was asked only the newest are found: with the words of their id, what was asked of them.
        texts = [
            list_filter.search,
            *([f"{list_filter.search} {list_filter.person}"] if list_filter.includes_asked else []),
        ]
        search = partial(
            context.store.starts.search, types=list_filter.types, kind=list_filter.kind, requester=list_filter.requester
        )
        results = [await search(text) for text in texts]
        ids = tuple(dict.fromkeys(id for result in results for id in result.ids))
        return cls(context, replace(list_filter, ids=ids), sorting), results[-1].has_more

    async def acted_in(self, cursor: _Cursor) -> list[Run]:
        """Of what runs or was broken off, what asks the person, whether or not it waits for them."""
        person, ids = self.list_filter.person, self.list_filter.ids
        if person is None or not self.list_filter.includes_asked:
            return []
        theirs = await self.context.store.starts.running(person, self.list_filter.types)
        query = await visibility_query(self.context.client, replace(self.list_filter, person=None), cursor.at)
        return await _among(
            self.context.client, query, [workflow_id for workflow_id in theirs if ids is None or workflow_id in ids]
        )

    async def keys_of(self, run: Run, cursor: _Cursor) -> _RowKeys:
        people = frozenset(self.list_filter.people if self.list_filter.by_person else ())
        person = waits_for(run.search_attributes.all_of(names.WAITING_FOR), people)
        return _RowKeys(person, await self.sorting.value(run, self.list_filter), _urgency(run, cursor.at))

    async def query(self, cursor: _Cursor) -> str:
        """Of what runs or was broken off, in this part."""
        late = Lateness(cursor.part) if cursor.part in (_Part.OVERDUE, _Part.IN_TIME) else Lateness.ANY
        return await visibility_query(self.context.client, self.list_filter, cursor.at, late)


async def _start(listing: _List, now: datetime) -> _Cursor:
    store, has_records = listing.context.store, listing.list_filter.has_records
    cursor = _Cursor(at=now, part=_Part.SORTED, in_order=True)
    counted, living_count = await asyncio.gather(_recorded(listing), _count_and_read_living(listing, cursor))
    cursor = cursor.replace(total=min(counted, COUNTED_AT_MOST), more=counted > COUNTED_AT_MOST)
    if listing.living is None:
        return cursor.replace(part=_Part.OVERDUE, in_order=False, total=cursor.total + living_count)
    living = listing.living.values()
    recorded = tuple(
        run.id for run in living if run.search_attributes.get(names.STAGE) == SETTLED or run.status.broken_off
    )
    twice = (
        await store.ended_follow_ups.count(replace(listing.list_filter, ids=recorded))
        if has_records and recorded
        else 0
    )
    return cursor.replace(total=cursor.total + len(living) - twice)


async def _recorded(listing: _List) -> int:
    return (
        await listing.context.store.ended_follow_ups.count(listing.list_filter)
        if listing.list_filter.has_records
        else 0
    )


async def _count_and_read_living(listing: _List, cursor: _Cursor) -> int:
    """How many run or were broken off, which are read if they are few enough to be sorted."""
    living_count = await _count_living(listing, cursor)
    if living_count <= SORTED_AT_MOST:
        await _read_living(listing, cursor)
    return living_count


async def _count_living(listing: _List, cursor: _Cursor) -> int:
    """How many run or were broken off, of ids that are named 0: to read more than are sorted takes several times as
    long as to count them.
    """
    if listing.list_filter.ids is not None:
        return 0
    return (await listing.context.client.count_workflows(await listing.query(cursor))).count


async def _read_living(listing: _List, cursor: _Cursor) -> bool:
    """Whether what runs or was broken off is little enough to be sorted; twice as much, once the first page was."""
    if listing.living is not None:
        return True
    query = await listing.query(cursor)
    if listing.list_filter.ids is not None:
        runs, token = await _among(listing.context.client, query, listing.list_filter.ids), b""
    else:
        runs, token = await executions.page_of(listing.context.client, query, size=SORTED_AT_MOST)
    if token and cursor.urgency:
        next_runs, token = await executions.page_of(listing.context.client, query, size=SORTED_AT_MOST, token=token)
        runs += next_runs
    if token:
        return False
    runs = list({run.run_id: run for run in (*runs, *await listing.acted_in(cursor))}.values())
    listing.living = {await listing.keys_of(run, cursor): run for run in await _without_records(listing, runs, cursor)}
    return True


async def _sorted(listing: _List, cursor: _Cursor, size: int) -> _Read:
    if not await _read_living(listing, cursor):
        raise Refusal(_NO_CURSOR)
    living, people = listing.living or {}, listing.list_filter.people
    passed = {people[number] for number in cursor.passed if 0 <= number < len(people)}
    # Sorted among the others, the last row of the page before is where this one begins, wherever that row is now.
    last = _RowKeys(cursor.person, cursor.value, cursor.urgency)
    rows = listing.sorting.arrange({*living, last} if cursor.urgency else living, passed, cursor.person)
    following = rows[rows.index(last) + 1 :] if cursor.urgency else rows
    page = following[:size]
    lines = [await line_of(living[row], cursor.at) for row in page]
    if page == following:
        return lines, _find_ended_start(listing, cursor)
    end = page[-1]
    passed = (passed | {cursor.person} | {row.person for row in page}) - {end.person}
    numbers = tuple(number for number, person in enumerate(people) if person in passed)
    return lines, cursor.replace(passed=numbers, **end._asdict())


async def _of_the_server(listing: _List, cursor: _Cursor, size: int) -> _Read:
    """A page of one part."""
    token = base64.b64decode(cursor.token)
    runs, token = await executions.page_of(listing.context.client, await listing.query(cursor), size=size, token=token)
    lines = [await line_of(run, cursor.at) for run in await _without_records(listing, runs, cursor)]
    if token:
        return lines, cursor.replace(token=base64.b64encode(token).decode())
    if cursor.part is _Part.OVERDUE and not listing.list_filter.overdue:
        return lines, cursor.replace(part=_Part.IN_TIME, token="")
    return lines, _find_ended_start(listing, cursor)


def _find_ended_start(listing: _List, cursor: _Cursor) -> _Cursor | None:
    """Where what has ended begins, None if none of it is wanted."""
    if not listing.list_filter.has_records:
        return None
    return _Cursor(at=cursor.at, part=_Part.ENDED, in_order=cursor.in_order, total=cursor.total, more=cursor.more)


async def _read_records(listing: _List, cursor: _Cursor, size: int) -> _Read:
    """Records; what is listed before them, as it ended before the first page and still tells its targets, is left
    out.
    """
    if not listing.list_filter.has_records:
        return [], None
    last_place = PagePosition(cursor.ended_at, cursor.ended) if cursor.ended_at else None
    rows = await listing.context.store.ended_follow_ups.page(listing.list_filter, size, last_place)
    query = (
        await listing.query(cursor)
        if listing.list_filter.attention or listing.list_filter.includes_asked
        else executions.OPEN
    )
    runs = await _among(listing.context.client, query, [row.workflow_id for row in rows if row.ended_at <= cursor.at])
    earlier_ids = {run.id for run in await _without_records(listing, runs, cursor)}
    lines = [line_of_ended(row) for row in rows if row.workflow_id not in earlier_ids]
    last = rows[-1] if len(rows) == size else None
    return lines, cursor.replace(ended_at=last.ended_at, ended=last.workflow_id) if last else None


_READ: Final = {
    _Part.SORTED: _sorted,
    _Part.OVERDUE: _of_the_server,
    _Part.IN_TIME: _of_the_server,
    _Part.ENDED: _read_records,
}


async def _among(client: Client, query: str, ids: Sequence[str]) -> list[Run]:
    """The runs of a query with these workflow ids."""
    queries = (among(query, tuple(id_chunk)) for id_chunk in chunks(ids, NAMED_AT_ONCE))
    pages = await asyncio.gather(
        *(executions.page_of(client, chunk_query, size=executions.PAGE) for chunk_query in queries)
    )
    return [run for page_runs, _ in pages for run in page_runs]


async def _without_records(listing: _List, runs: list[Run], cursor: _Cursor) -> list[Run]:
    """Without runs that have a record and ended after the first page, and without broken-off runs that were not the
    last, as after a reset, or that have a record: these have ended, unless they are to be looked at because of how they
    were broken off.
    """
    settled = tuple(run.id for run in runs if run.search_attributes.get(names.STAGE) == SETTLED)
    if listing.list_filter.has_records and settled:
        rows = await listing.context.store.ended_follow_ups.page(
            replace(listing.list_filter, ids=settled), len(settled)
        )
        ended_since = {row.workflow_id for row in rows if row.ended_at > cursor.at}
        runs = [run for run in runs if run.id not in ended_since]
    broken = [run for run in runs if run.status.broken_off]
    recorded_ids = (
        set()
        if listing.list_filter.attention
        else await listing.context.store.records.find_recorded([run.id for run in broken])
    )
    broken = [run for run in broken if run.id not in recorded_ids]
    last: set[str] = set()
    for chunk in chunks(broken, DESCRIBED_AT_ONCE):
        answers = await asyncio.gather(*(_is_last_run(listing.context.client, run) for run in chunk))
        last |= {run.run_id for run, is_last in zip(chunk, answers, strict=True) if is_last}
    return [run for run in runs if not run.status.broken_off or run.run_id in last]


async def _is_last_run(client: Client, run: Run) -> bool:
    try:
        return (await executions.described(client, run.id)).run_id == run.run_id
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True  # Its retention is over; the list lags behind.
        raise
