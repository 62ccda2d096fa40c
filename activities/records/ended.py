"""Lists of what has ended, newest first, page by page.

A list is read facet by facet (`settled.Facet`). Leaps from one facet to the next find those that it has, and the newest
of each; only those that can be on the page are read, a page of each at most. So a page takes as long however much the
list has, and however much of it is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    JSON,
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from activities.records.database import Database
from activities.records.schema import FOLLOW_UPS, HAND_OFFS, RECORD_LISTS, RECORDS, SIGNED_DOCUMENTS
from activities.records.settled import OF_CAMPAIGN, Facet, ListOf
from workflows.model.subject import Status
from workflows.names import REQUEST_PREFIX

COUNTED_AT_MOST: Final = 10_000
"""Records that are counted for a list."""
ENDINGS: Final = tuple(status for status in Status if status.has_ended)
_IS: Final = RECORDS.c
_DEAD: Final = select(HAND_OFFS.c.workflow_id).where(HAND_OFFS.c.target == HAND_OFFS.c.name)
_MISSING: Final = select(SIGNED_DOCUMENTS.c.workflow_id).where(SIGNED_DOCUMENTS.c.why.is_not(None))


class PagePosition(NamedTuple):
    """Where a page ended."""

    ended_at: datetime
    workflow_id: str


@dataclass(frozen=True)
class ListFilter:
    """Filters of a list, each of which narrows, for Temporal's visibility and for records. `person` has to act, or was
    asked if it has ended; `requester` asked; one of `people` either, or one of `teams`, if any, may look at it;
    `attention` needs an operator. Without `of_campaigns` their requests are left out, unless one of `people` has to
    act: there may be 10,000.
    """

    types: tuple[str, ...] = (REQUEST_PREFIX,)
    """What stands before the colon of a workflow id."""
    statuses: tuple[Status, ...] = ()
    kind: str | None = None
    kinds: tuple[str, ...] = ()
    """Any of these."""
    person: str | None = None
    requester: str | None = None
    overdue: bool = False
    attention: bool = False
    """Of what has ended: whether a target of the ending was given up, or a signed document is missing."""
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    of_campaigns: bool = True
    includes_asked: bool = False
    """Also what runs and waits for others, if `person` was asked from its start on."""
    unnamed: tuple[str, ...] = ()
    """Those of `people` whose turn says nothing of a title, unless its kind is of `named_kinds`."""
    named_kinds: tuple[str, ...] = ()
    by_person: bool = False
    """Whether to group by which of `people` is waited for, as far as the set is sorted."""
    search: str = ""
    """Words; those whose id, title or people have words that begin with each of them."""
    ids: tuple[str, ...] | None = None
    """Workflow ids: what a search has found, a bounded number."""

    @property
    def narrows(self) -> bool:
        """Whether there is any filter but attention."""
        return self != ListFilter(attention=self.attention, types=self.types, of_campaigns=self.of_campaigns)

    @property
    def has_records(self) -> bool:
        """Whether something that has ended may be in the list."""
        return not self.overdue and (not self.statuses or any(status.has_ended for status in self.statuses))

    def names_title(self, kind: str, requester: str, waiting: Iterable[str], teams: Iterable[str]) -> bool:
        """Whether the title of one in this list may be shown, searched and sorted by."""
        people = set(self.people)
        return (
            not self.unnamed
            or kind in self.named_kinds
            or requester in people
            or not (people - set(self.unnamed)).isdisjoint(waiting)
            or not set(self.teams).isdisjoint(teams)
        )

    @property
    def few(self) -> bool:
        """Whether a list is not needed to find them."""
        return self.ids is not None or self.attention

    @property
    def lists(self) -> tuple[tuple[ListOf, str], ...]:
        """Those that together have all of them; of people, some may be in several."""
        if self.few:
            return ((ListOf.ALL, ""),)
        if self.person is not None:
            return ((ListOf.ASKED, self.person),)
        if self.people:
            of_teams = product((ListOf.TEAM,), self.teams)
            return (*product((ListOf.ASKED, ListOf.REQUESTED), self.people), *of_teams)
        return ((ListOf.ALL, ""),) if self.requester is None else ((ListOf.REQUESTED, self.requester),)

    def has(self, list_type: ListOf, facet: Facet) -> bool:
        """Whether some of this facet in such a list may be wanted."""
        is_asked_list = list_type is ListOf.ASKED or (list_type is ListOf.ALL and bool(self.person or self.people))
        return (
            facet.type in self.types
            and facet.status in (self.statuses or ENDINGS)
            and self.kind in (None, facet.kind)
            and (not self.kinds or facet.kind in self.kinds)
            and (self.of_campaigns or is_asked_list or not facet.of_campaign)
        )

    def narrowing(self, columns: Any) -> Iterator[ColumnElement[bool]]:
        """What the lists above do not see to, of a record or its entry in one of them."""
        by_list = not self.few
        if self.person is not None and not by_list:
            yield _is_in(columns, ListOf.ASKED, self.person)
        if self.requester is not None and not (by_list and self.person is None and not self.people):
            yield _is_in(columns, ListOf.REQUESTED, self.requester)
        if self.people and not (by_list and self.person is None):
            asked_for = _is_in(columns, ListOf.REQUESTED, *self.people)
            alone = true() if self.of_campaigns else ~columns.facet.startswith(f"{OF_CAMPAIGN} ")
            of_teams = [_is_in(columns, ListOf.TEAM, *self.teams)] if self.teams else []
            yield or_(*self._list_asked_conditions(columns), and_(asked_for, alone), *of_teams)

    def _list_asked_conditions(self, columns: Any) -> Iterator[ColumnElement[bool]]:
        # A search must not say which titles have its words.
        unnamed = self.unnamed if self.search else ()
        yield _is_in(columns, ListOf.ASKED, *(person for person in self.people if person not in unnamed))
        for kind in self.named_kinds if unnamed else ():
            of_kind = columns.facet.endswith(f" {kind}", autoescape=True)
            yield and_(_is_in(columns, ListOf.ASKED, *unnamed), of_kind)


class EndedRow(NamedTuple):
    """What a list says of one; `started_at` is None if its start is not known, `dead` if a target of its ending was
    given up, `missing` if its signed document or log is not kept yet.
    """

    workflow_id: str
    kind: str
    status: str
    problem: str | None
    title: str
    requester: str
    due_at: datetime | None
    ended_at: datetime
    started_at: datetime | None
    dead: bool
    missing: bool

    @property
    def page_position(self) -> PagePosition:
        return PagePosition(self.ended_at, self.workflow_id)


class EndedFollowUps:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, list_filter: ListFilter, size: int, position: PagePosition | None = None) -> list[EndedRow]:
        """Up to `size` rows behind `position`, newest first; fewer only at the end."""

        def ask(connection: Connection) -> list[EndedRow]:
            page = _newest(connection, list_filter, size, position).subquery()
            query = (
                select(*_ROW)
                .select_from(page.join(RECORDS, _IS.workflow_id == page.c.workflow_id))
                .outerjoin(FOLLOW_UPS, FOLLOW_UPS.c.workflow_id == _IS.workflow_id)
                .order_by(_IS.ended_at.desc(), _IS.workflow_id.desc())
            )
            return [EndedRow(*row) for row in connection.execute(query)]

        return await self._database.read(ask)

    async def count(self, list_filter: ListFilter) -> int:
        """How many, at most `COUNTED_AT_MOST` and one."""

        def ask(connection: Connection) -> int:
            if list_filter.few:
                matching = _among(connection, list_filter)
            else:
                part, entry = _parts(connection, list_filter).subquery(), RECORD_LISTS.c
                entries = part.outerjoin(RECORD_LISTS, and_(*_are(entry, part.c)))  # outer: see `_newest`
                matching = select(entry.workflow_id).select_from(entries).where(*list_filter.narrowing(entry))
            matching = matching.distinct() if len(list_filter.lists) > 1 else matching
            counted = select(func.count()).select_from(matching.limit(COUNTED_AT_MOST + 1).subquery())
            return int(connection.execute(counted).scalar_one())

        return await self._database.read(ask)


_ROW: Final = (
    *(_IS[name] for name in EndedRow._fields[:-3]),
    FOLLOW_UPS.c.started_at,
    _DEAD.where(HAND_OFFS.c.workflow_id == _IS.workflow_id).correlate(RECORDS).exists().label("dead"),
    _MISSING.where(SIGNED_DOCUMENTS.c.workflow_id == _IS.workflow_id).correlate(RECORDS).exists().label("missing"),
)


def _newest(connection: Connection, list_filter: ListFilter, size: int, position: PagePosition | None) -> Select[Any]:
    """The places of up to `size` behind `position`, newest first."""
    if list_filter.few:
        return _page_of(_among(connection, list_filter), size, position)
    listed, part = RECORD_LISTS.alias(), _parts(connection, list_filter)
    narrowing = list(list_filter.narrowing(listed.c))
    parts = (part if narrowing else _with_newest(part, size, position)).subquery()
    of_each = select(listed.c.ended_at, listed.c.workflow_id).where(*_are(listed.c, parts.c), *narrowing)
    of_each = _page_of(of_each, size, position)
    if connection.dialect.name == "sqlite":  # has no lateral joins
        entry = RECORD_LISTS.c
        position_columns = tuple_(entry.ended_at, entry.workflow_id)
        # An outer join, since SQLite begins with its left side: without statistics it would read the whole table. An
        # empty place of a part that has nothing comes last, and is no record's.
        entries = parts.outerjoin(RECORD_LISTS, and_(*_are(entry, parts.c), position_columns.in_(of_each)))
        places = select(*position_columns.clauses).select_from(entries)
    else:
        newest_of_part = of_each.lateral()
        places = select(newest_of_part.c.ended_at, newest_of_part.c.workflow_id).select_from(
            parts.join(newest_of_part, true())
        )
    return _page_of(places.distinct(), size)


def _parts(connection: Connection, list_filter: ListFilter) -> Select[Any]:
    """List and facet of what is wanted, as far as a list has the facet."""
    leaps, facets = _leaps(connection, list_filter.lists).c, _facets(connection)
    of_each = {
        list_type: [facet.written for facet in facets if list_filter.has(list_type, facet)]
        for list_type in dict.fromkeys(list_type for list_type, _ in list_filter.lists)
    }
    wanted_in = (
        and_(leaps.of == list_type, leaps.facet.in_(facet_names)) for list_type, facet_names in of_each.items()
    )
    return select(leaps.of, leaps.person, leaps.facet).where(or_(*wanted_in))


def _facets(connection: Connection) -> list[Facet]:
    """All that there are."""
    facet_column = _leaps(connection, ((ListOf.ALL, ""),)).c.facet
    return [Facet.read(row.facet) for row in connection.execute(select(facet_column).where(facet_column.is_not(None)))]


def _leaps(connection: Connection, lists: Sequence[tuple[ListOf, str]]) -> CTE:
    """The facets of each of these lists, by leaps from one to the next; None behind the last."""
    array_elements = func.json_each if connection.dialect.name == "sqlite" else func.json_array_elements
    wanted_lists = array_elements(literal([list(pair) for pair in lists], JSON)).table_valued("value", name="given")
    text, entry = wanted_lists.c.value.op("->>", return_type=RECORD_LISTS.c.facet.type), RECORD_LISTS.alias().c
    list_type, person = text(literal_column("0")), text(literal_column("1"))
    first = select(func.min(entry.facet)).where(entry.of == list_type, entry.person == person).scalar_subquery()
    first_facets = select(list_type.label("of"), person.label("person"), first.label("facet")).select_from(wanted_lists)
    leaps = first_facets.cte("known", recursive=True)
    behind = entry.of == leaps.c.of, entry.person == leaps.c.person, entry.facet > leaps.c.facet
    following = select(func.min(entry.facet)).where(*behind).scalar_subquery()
    return leaps.union_all(select(leaps.c.of, leaps.c.person, following).where(leaps.c.facet.is_not(None)))


def _with_newest(part: Select[Any], size: int, position: PagePosition | None) -> Select[Any]:
    """Those of the parts that can be on a page: as many instants are newer than what they have, each of another record.
    Not as many parts: one record may be the newest of several. The instant of `position` is not of the page.
    """
    entry, part_columns = RECORD_LISTS.alias().c, part.selected_columns
    behind = () if position is None else (entry.ended_at <= position.ended_at,)
    newest = select(func.max(entry.ended_at)).where(*_are(entry, part_columns), *behind).scalar_subquery()
    newest_parts = part.add_columns(newest.label("newest")).subquery()
    rank = func.dense_rank().over(order_by=newest_parts.c.newest.desc().nulls_last()).label("nth")
    ranked = select(newest_parts, rank).subquery()
    return select(ranked).where(ranked.c.nth <= size + (position is not None))


def _among(connection: Connection, list_filter: ListFilter) -> Select[Any]:
    """The places of few."""
    facets = [facet.written for facet in _facets(connection) if list_filter.has(ListOf.ALL, facet)]
    places = select(_IS.ended_at, _IS.workflow_id).where(_IS.facet.in_(facets))
    places = places if list_filter.ids is None else places.where(_IS.workflow_id.in_(list_filter.ids))
    places = places.where(_IS.workflow_id.in_(_DEAD.union_all(_MISSING))) if list_filter.attention else places
    return places.where(*list_filter.narrowing(_IS))


def _are(entry: Any, part: Any) -> list[ColumnElement[bool]]:
    """The entries of a part."""
    return [entry.of == part.of, entry.person == part.person, entry.facet == part.facet]


def _page_of(places: Select[Any], size: int, position: PagePosition | None = None) -> Select[Any]:
    columns = list(places.selected_columns)
    if position is not None:
        places = places.where(tuple_(*columns) < tuple_(*position, types=[column.type for column in columns]))
    return places.order_by(*(column.desc() for column in columns)).limit(size)


def _is_in(record: Any, list_type: ListOf, *people: str) -> ColumnElement[bool]:
    """Whether a record is in such a list of one of these people as well."""
    entry = RECORD_LISTS.alias().c
    same_record = (entry[column.name] == column for column in (record.facet, record.ended_at, record.workflow_id))
    return exists().where(entry.of == list_type, entry.person.in_(people), *same_record)
