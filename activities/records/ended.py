"""Lists of what has ended, newest first, page by page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Column, ColumnElement, Select, exists, func, select, tuple_, union, union_all

from activities.records.database import Database
from activities.records.schema import FOLLOW_UPS, HAND_OFFS, RECORD_PEOPLE, RECORDS
from workflows.model.hand_off import HandoffState
from workflows.model.subject import Status

COUNTED_AT_MOST: Final = 10_000
"""Records that are counted for a list."""
ENDINGS: Final = tuple(status for status in Status if status.ended)
_IS: Final = RECORDS.c
_OF: Final = RECORD_PEOPLE.c
_INDEXES: Final = (
    (_IS.requester, _IS.of_campaign, _IS.status),
    (_IS.kind, _IS.status),
    (_IS.type, _IS.of_campaign, _IS.status),
)
"""Each goes on by `ended_at` and `workflow_id`; the first of which the list has the leading column is used."""
_LEADS: Final = tuple(index[0] for index in _INDEXES)
_PLACE: Final = select(_IS.ended_at, _IS.workflow_id)
_DEAD: Final = select(HAND_OFFS.c.workflow_id).where(
    HAND_OFFS.c.state == HandoffState.DEAD, HAND_OFFS.c.target == HAND_OFFS.c.name
)
_Wanted: TypeAlias = Mapping[Column[Any], Sequence[Any]]


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

    def parts(self) -> list[Select[Any]]:
        """The set in parts: an index has each in the order of the list. With `people` one may be in several."""
        wanted = self._of_records()
        if self.ids is not None or self.dead:
            some = _PLACE.where(*_beside(wanted), *self._concerned(_IS.workflow_id))
            some = some if self.ids is None else some.where(_IS.workflow_id.in_(self.ids))
            return [some.where(_IS.workflow_id.in_(_DEAD)) if self.dead else some]
        if self.person is None and not self.people:
            return _parts(_PLACE, wanted, next(index for index in _INDEXES if index[0] in wanted))
        theirs = select(_OF.ended_at, _OF.workflow_id)
        if self.requester is not None:
            theirs = theirs.join(RECORDS).where(*_beside({_IS.requester: (self.requester,)}))
        if self.person is not None and self.people:
            theirs = theirs.where(*replace(self, person=None)._concerned(_OF.workflow_id))
        return _parts(theirs, self._of_people(), (_OF.person, _OF.of_campaign))

    def _concerned(self, workflow_id: Column[Any]) -> Iterator[ColumnElement[bool]]:
        other = RECORD_PEOPLE.alias().c
        if self.person is not None:
            yield exists().where(other.workflow_id == workflow_id, other.person == self.person, other.asked)
        if self.people:
            alone = () if self.of_campaigns else (~other.of_campaign,)
            yield exists().where(other.workflow_id == workflow_id, other.person.in_(self.people), *alone)

    def _of_records(self) -> _Wanted:
        wanted: dict[Column[Any], Sequence[Any]] = {_IS.type: self.types, _IS.status: self.statuses or ENDINGS}
        if self.kind is not None:
            wanted[_IS.kind] = (self.kind,)
        if self.requester is not None:
            wanted[_IS.requester] = (self.requester,)
        if self.person is None and not self.people:
            wanted[_IS.of_campaign] = (False, True) if self.of_campaigns else (False,)
        return wanted

    def _of_people(self) -> _Wanted:
        wanted: dict[Column[Any], Sequence[Any]] = {_OF.person: self.people, _OF.type: self.types}
        wanted[_OF.of_campaign] = (False, True) if self.of_campaigns else (False,)
        if self.person is not None:
            wanted |= {_OF.person: (self.person,), _OF.asked: (True,), _OF.of_campaign: (False,)}
        if self.kind is not None:
            wanted[_OF.kind] = (self.kind,)
        if self.statuses:
            wanted[_OF.status] = self.statuses
        return wanted


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
        parts = (_page_of(part, size, after) for part in wanted.parts())
        places = union(*parts).subquery()
        here = select(places).order_by(places.c.ended_at.desc(), places.c.workflow_id.desc()).limit(size).subquery()
        asked = (
            select(*_ROW)
            .select_from(here.join(RECORDS, _IS.workflow_id == here.c.workflow_id))
            .outerjoin(FOLLOW_UPS, FOLLOW_UPS.c.workflow_id == _IS.workflow_id)
            .order_by(_IS.ended_at.desc(), _IS.workflow_id.desc())
        )
        return [EndedRow(*row) for row in await self._database.rows(asked)]

    async def count(self, wanted: EndedFilter) -> int:
        """How many, at most `COUNTED_AT_MOST` and one."""
        parts = [part.limit(COUNTED_AT_MOST + 1).subquery() for part in wanted.parts()]
        ids = (union if wanted.people else union_all)(*(select(part.c.workflow_id) for part in parts)).subquery()
        some = select(ids).limit(COUNTED_AT_MOST + 1).subquery()
        found = await self._database.first(select(func.count()).select_from(some))
        return int(found[0]) if found else 0


def _page_of(part: Select[Any], size: int, after: Place | None) -> Select[Any]:
    place = list(part.selected_columns)
    if after is not None:
        part = part.where(tuple_(*place) < tuple_(*after, types=[column.type for column in place]))
    return select(part.order_by(*(column.desc() for column in place)).limit(size).subquery())


def _parts(part: Select[Any], wanted: _Wanted, lead: Sequence[Column[Any]]) -> list[Select[Any]]:
    beside = part.where(*_beside({column: wanted[column] for column in wanted if column not in lead}))
    return [
        beside.where(*(column == value for column, value in zip(lead, values, strict=True)))
        for values in product(*(wanted[column] for column in lead))
    ]


def _beside(wanted: _Wanted) -> Iterable[ColumnElement[bool]]:
    """The same for rows that another index finds: without statistics SQLite would take any index for the better one."""
    return ((column.concat("") if column in _LEADS else column).in_(values) for column, values in wanted.items())
