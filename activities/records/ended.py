"""Lists of what has ended, newest first, page by page.

A list is read facet by facet (`settled.Facet`). Leaps from one facet to the next find those that it has, and the newest
of each; only those that can be on the page are read, a page of each at most. So a page takes as long however much the
list has, and however much of it is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import (
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
from activities.records.schema import FOLLOW_UPS, HAND_OFFS, RECORD_LISTS, RECORDS
from activities.records.settled import OF_CAMPAIGN, Facet, ListOf
from workflows.model.hand_off import HandoffState
from workflows.model.subject import Status

COUNTED_AT_MOST: Final = 10_000
"""Records that are counted for a list."""
ENDINGS: Final = tuple(status for status in Status if status.ended)
_IS: Final = RECORDS.c
_DEAD: Final = select(HAND_OFFS.c.workflow_id).where(
    HAND_OFFS.c.state == HandoffState.DEAD, HAND_OFFS.c.target == HAND_OFFS.c.name
)


class Place(NamedTuple):
    """Where a page ended."""

    ended_at: datetime
    workflow_id: str


@dataclass(frozen=True)
class EndedFilter:
    """Each field narrows. `person` was asked, one of `people` was asked or asked for it. Without `of_campaigns` their
    requests are left out, unless one of `people` was asked.
    """

    types: tuple[str, ...]
    """What stands before the colon of a workflow id."""
    statuses: tuple[str, ...] = ()
    kind: str | None = None
    person: str | None = None
    requester: str | None = None
    people: tuple[str, ...] = ()
    of_campaigns: bool = True
    ids: tuple[str, ...] | None = None
    """Workflow ids, of which the caller bounds the number."""
    dead: bool = False
    """Whether a target of the ending was given up."""

    @property
    def few(self) -> bool:
        """Whether a list is not needed to find them."""
        return self.ids is not None or self.dead

    @property
    def lists(self) -> tuple[tuple[ListOf, str], ...]:
        """Those that together have all of them; of people, some may be in several."""
        if self.few:
            return ((ListOf.ALL, ""),)
        if self.person is not None:
            return ((ListOf.ASKED, self.person),)
        if self.people:
            return tuple(product((ListOf.ASKED, ListOf.REQUESTED), self.people))
        return ((ListOf.ALL, ""),) if self.requester is None else ((ListOf.REQUESTED, self.requester),)

    def has(self, of: ListOf, facet: Facet) -> bool:
        """Whether some of this facet in such a list may be wanted."""
        asked = of is ListOf.ASKED or (of is ListOf.ALL and bool(self.person or self.people))
        return (
            facet.type in self.types
            and facet.status in (self.statuses or ENDINGS)
            and self.kind in (None, facet.kind)
            and (self.of_campaigns or asked or not facet.of_campaign)
        )

    def narrowing(self, here: Any) -> Iterator[ColumnElement[bool]]:
        """What the lists above do not see to, of a record or its entry in one of them."""
        by_list = not self.few
        if self.person is not None and not by_list:
            yield _is_in(here, ListOf.ASKED, self.person)
        if self.requester is not None and not (by_list and self.person is None and not self.people):
            yield _is_in(here, ListOf.REQUESTED, self.requester)
        if self.people and not (by_list and self.person is None):
            asked_for = _is_in(here, ListOf.REQUESTED, *self.people)
            alone = true() if self.of_campaigns else ~here.facet.startswith(f"{OF_CAMPAIGN} ")
            yield or_(_is_in(here, ListOf.ASKED, *self.people), and_(asked_for, alone))


class EndedRow(NamedTuple):
    """What a list says of one; `started_at` is None if its start is not known, `dead` if a target of its ending was
    given up.
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

    @property
    def place(self) -> Place:
        return Place(self.ended_at, self.workflow_id)


_ROW: Final = (
    *(_IS[name] for name in EndedRow._fields[:-2]),
    FOLLOW_UPS.c.started_at,
    _DEAD.where(HAND_OFFS.c.workflow_id == _IS.workflow_id).correlate(RECORDS).exists().label("dead"),
)


class Ended:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: EndedFilter, size: int, after: Place | None = None) -> list[EndedRow]:
        """Up to `size` rows behind `after`, newest first; fewer only at the end."""

        def ask(connection: Connection) -> list[EndedRow]:
            here = _newest(connection, wanted, size, after).subquery()
            asked = (
                select(*_ROW)
                .select_from(here.join(RECORDS, _IS.workflow_id == here.c.workflow_id))
                .outerjoin(FOLLOW_UPS, FOLLOW_UPS.c.workflow_id == _IS.workflow_id)
                .order_by(_IS.ended_at.desc(), _IS.workflow_id.desc())
            )
            return [EndedRow(*row) for row in connection.execute(asked)]

        return await self._database.read(ask)

    async def count(self, wanted: EndedFilter) -> int:
        """How many, at most `COUNTED_AT_MOST` and one."""

        def ask(connection: Connection) -> int:
            parts = _parts(connection, wanted)
            if wanted.few:
                some = _among(wanted, parts)
            else:
                given, here = _Given(connection, parts), RECORD_LISTS.c
                some = select(here.workflow_id).where(*given.are(here), *wanted.narrowing(here))
            some = some.distinct() if len(wanted.lists) > 1 else some
            counted = select(func.count()).select_from(some.limit(COUNTED_AT_MOST + 1).subquery())
            return int(connection.execute(counted).scalar_one())

        return await self._database.read(ask)


class _Part(NamedTuple):
    """What a list has of a facet, and when the newest of it ended."""

    of: str
    person: str
    facet: str
    newest: datetime


class _Given:
    """Rows of texts that a statement joins with its tables."""

    def __init__(self, connection: Connection, rows: Any) -> None:
        each = func.json_each if connection.dialect.name == "sqlite" else func.json_array_elements
        texts = literal([[str(text) for text in row[:3]] for row in rows], JSON)
        self.rows: Final = each(texts).table_valued("value", name="given")

    def text(self, nth: int) -> ColumnElement[str]:
        return self.rows.c.value.op("->>", return_type=RECORD_LISTS.c.facet.type)(literal_column(str(nth)))

    def are(self, here: Any, many: int = 3) -> list[ColumnElement[bool]]:
        """The entries of given lists, or of given parts of them."""
        return [column == self.text(nth) for nth, column in enumerate((here.of, here.person, here.facet)[:many])]


def _parts(connection: Connection, wanted: EndedFilter, after: Place | None = None) -> list[_Part]:
    """The parts of the lists that may have some of what is wanted, behind `after`."""
    given, here = _Given(connection, wanted.lists), RECORD_LISTS.alias().c
    first = select(func.min(here.facet)).where(*given.are(here, 2)).scalar_subquery()
    leap = select(given.text(0).label("of"), given.text(1).label("person"), first.label("facet"))
    known = leap.select_from(given.rows).cte("known", recursive=True)
    in_list = here.of == known.c.of, here.person == known.c.person
    following = select(func.min(here.facet)).where(*in_list, here.facet > known.c.facet).scalar_subquery()
    known = known.union_all(select(known.c.of, known.c.person, following).where(known.c.facet.is_not(None)))
    in_part = here.of == known.c.of, here.person == known.c.person, here.facet == known.c.facet
    behind = () if after is None else (here.ended_at <= after.ended_at,)
    newest = select(func.max(here.ended_at, type_=here.ended_at.type)).where(*in_part, *behind).scalar_subquery()
    found = connection.execute(select(*known.c, newest).where(known.c.facet.is_not(None)))
    parts = (_Part._make(row) for row in found)
    return [one for one in parts if one.newest and wanted.has(ListOf(one.of), Facet.read(one.facet))]


def _newest(connection: Connection, wanted: EndedFilter, size: int, after: Place | None) -> Select[Any]:
    """The places of up to `size` behind `after`, newest first."""
    parts = _parts(connection, wanted, after)
    if wanted.few:
        return _page_of(_among(wanted, parts), size, after)
    here = RECORD_LISTS.alias()
    narrowing = list(wanted.narrowing(here.c))
    # Instants, not parts: one record may be the newest of several.
    newest = sorted({part.newest for part in parts}, reverse=True)[:size]
    if not narrowing:
        parts = [part for part in parts if part.newest >= newest[-1]]
    given = _Given(connection, parts)
    of_each = _page_of(select(here.c.ended_at, here.c.workflow_id).where(*given.are(here.c), *narrowing), size, after)
    if connection.dialect.name == "sqlite":  # has no lateral joins
        there = RECORD_LISTS.c
        found = select(there.ended_at, there.workflow_id).where(
            *given.are(there), tuple_(there.ended_at, there.workflow_id).in_(of_each)
        )
    else:
        each = of_each.lateral()
        found = select(each.c.ended_at, each.c.workflow_id).select_from(given.rows.join(each, true()))
    return _page_of(found.distinct(), size)


def _among(wanted: EndedFilter, parts: list[_Part]) -> Select[Any]:
    """The places of few."""
    some = select(_IS.ended_at, _IS.workflow_id).where(_IS.facet.in_({part.facet for part in parts}))
    some = some if wanted.ids is None else some.where(_IS.workflow_id.in_(wanted.ids))
    some = some.where(_IS.workflow_id.in_(_DEAD)) if wanted.dead else some
    return some.where(*wanted.narrowing(_IS))


def _page_of(places: Select[Any], size: int, after: Place | None = None) -> Select[Any]:
    place = list(places.selected_columns)
    if after is not None:
        places = places.where(tuple_(*place) < tuple_(*after, types=[column.type for column in place]))
    return places.order_by(*(column.desc() for column in place)).limit(size)


def _is_in(here: Any, of: ListOf, *people: str) -> ColumnElement[bool]:
    """Whether a record is in such a list of one of these people as well."""
    other = RECORD_LISTS.alias().c
    same = (other[column.name] == column for column in (here.facet, here.ended_at, here.workflow_id))
    return exists().where(other.of == of, other.person.in_(people), *same)
