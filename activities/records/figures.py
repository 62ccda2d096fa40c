"""Figures of what has ended, counted in the database from its facts."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Integer, Select, case, cast, func, or_, select

from activities.metrics import Brought, Holder
from activities.records.database import Database
from activities.records.schema import FACTS, RECORD_LISTS
from activities.records.settled import ListOf
from workflows.model.subject import Status

GROUPS_AT_MOST: Final = 100
"""Kinds, departments or months of a type; of more those with most that ended, the latest months."""
NOTICES_AT_MOST: Final = 30
PEOPLE_AT_MOST: Final = 5_000
"""Whose figures are asked for together."""
_IS: Final = FACTS.c
GROUPS_READ_AT_MOST: Final = 20_000
"""Groups of all types together."""
_ENDINGS: Final = tuple(status for status in Status if status.has_ended)


class GroupBy(StrEnum):
    KIND = "kind"
    DEPARTMENT = "department"
    MONTH = "month"


class Key(NamedTuple):
    """`type` is what stands before the colon of a workflow id; `group` is None for all of the type."""

    type: str
    group: str | None


@dataclass(frozen=True)
class Scope:
    """What was asked for by these people, and where these were asked; by id."""

    requesters: tuple[str, ...] = ()
    asked_people: tuple[str, ...] = ()


@dataclass(frozen=True)
class FactFilter:
    """What ended from `since` on, before `until`. Each further field narrows; without a scope it is everybody's."""

    since: datetime
    until: datetime
    kind: str | None = None
    department: str | None = None
    scope: Scope | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        conditions = [_IS.ended_at >= self.since, _IS.ended_at < self.until]
        conditions += [_IS.kind == self.kind] if self.kind is not None else []
        conditions += [_IS.department == self.department] if self.department is not None else []
        return [*conditions, *([_in_scope(self.scope)] if self.scope else [])]


@dataclass(frozen=True)
class GroupFigures:
    """Of a type, or one group of it. Times are seconds, None where nothing was fulfilled."""

    ended_count: int = 0
    fulfilled: int = 0
    late: int = 0
    """Of those that were fulfilled."""
    endings: Mapping[Status, int] = field(default_factory=dict)
    median: float | None = None
    p90: float | None = None
    waited: Mapping[Holder, float] = field(default_factory=dict)
    """Sums of seconds."""


@dataclass(frozen=True)
class EscalatedFigures:
    """What came after escalations, and the median time until it was fulfilled then."""

    counts: Mapping[Brought, int]
    median: float | None = None


@dataclass(frozen=True)
class PeriodFigures:
    groups: Mapping[Key, GroupFigures]
    notices: Mapping[str, Mapping[str, int]]
    """By type: what was heard last before it was fulfilled, the most frequent first."""
    escalated: Mapping[str, EscalatedFigures]
    omitted_count_by_type: Mapping[str, int]
    """By type: groups that are left out."""


class EndedFigures:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, fact_filter: FactFilter, group_by: GroupBy) -> PeriodFigures:
        """All of a period, each type by groups. Of a department the times count from the turn of its people."""
        return await self._database.read(lambda connection: _figures(connection, fact_filter, group_by))

    async def has_asked(self, people: Collection[str]) -> bool:
        """Whether something has ended that one of them had asked for."""
        listed = RECORD_LISTS.c
        theirs = select(listed.workflow_id).where(listed.of == ListOf.REQUESTED, listed.person.in_(people))
        return await self._database.first(theirs.limit(1)) is not None


def _figures(connection: Connection, fact_filter: FactFilter, group_by: GroupBy) -> PeriodFigures:
    of_department = group_by is GroupBy.DEPARTMENT or fact_filter.department is not None
    times = _IS.turn_seconds if of_department else _IS.seconds
    groups = _counted(connection, fact_filter, _IS[group_by])
    totals = _add_up(groups)
    figures = {**totals, **_choose_groups(groups, group_by)}
    for column in (None, _IS[group_by]):
        for key, (median, p90) in _quantiles(connection, fact_filter, column, times).items():
            if key in figures:
                figures[key] = replace(figures[key], median=median, p90=p90)
    hidden_counts = {
        key.type: sum(hidden_key.type == key.type for hidden_key in groups.keys() - figures.keys()) for key in totals
    }
    return PeriodFigures(figures, _notices(connection, fact_filter), _escalated(connection, fact_filter), hidden_counts)


def _add_up(groups: Mapping[Key, GroupFigures]) -> dict[Key, GroupFigures]:
    """What all groups of a type have together."""
    totals: dict[Key, GroupFigures] = {}
    for (type_, _), figures in groups.items():
        total = totals.get(Key(type_, None), GroupFigures())
        totals[Key(type_, None)] = GroupFigures(
            total.ended_count + figures.ended_count,
            total.fulfilled + figures.fulfilled,
            total.late + figures.late,
            dict(Counter(total.endings) + Counter(figures.endings)),
            waited={holder: total.waited.get(holder, 0.0) + figures.waited[holder] for holder in Holder},
        )
    return totals


def _choose_groups(groups: Mapping[Key, GroupFigures], group_by: GroupBy) -> dict[Key, GroupFigures]:
    """Of each type as many as are shown, in their order."""
    newest = group_by is GroupBy.MONTH
    order = sorted(groups, key=lambda key: key.group or "", reverse=newest)
    if not newest:
        order.sort(key=lambda key: -groups[key].ended_count)
    keys_by_type: dict[str, list[Key]] = {}
    for key in order:
        keys_by_type.setdefault(key.type, []).append(key)
    return {key: groups[key] for keys in keys_by_type.values() for key in keys[:GROUPS_AT_MOST]}


def _counted(connection: Connection, fact_filter: FactFilter, group: Column[Any]) -> dict[Key, GroupFigures]:
    keys, count = _keys(group), func.count()
    query = (
        select(
            *keys,
            count,
            _number(_IS.fulfilled),
            _number(_IS.late & _IS.fulfilled),
            *(_number(_IS.status == status) for status in _ENDINGS),
            *(func.coalesce(func.sum(_IS[f"{holder}_seconds"]), 0.0) for holder in Holder),
        )
        .where(*fact_filter.conditions)
        .group_by(*keys)
        .order_by(count.desc())
        .limit(GROUPS_READ_AT_MOST)
    )
    figures = {}
    for row in connection.execute(query):
        key, (ended_count, fulfilled, late, *counts) = _key(row, keys), row[len(keys) :]
        endings = dict(zip(_ENDINGS, counts, strict=False))
        waited = dict(zip(Holder, counts[len(_ENDINGS) :], strict=True))
        endings = {status: number for status, number in endings.items() if number}
        figures[key] = GroupFigures(ended_count, fulfilled, late, endings, waited=waited)
    return figures


def _quantiles(
    connection: Connection, fact_filter: FactFilter, group: Column[Any] | None, times: Column[Any]
) -> dict[Key, tuple[float, float]]:
    """Median, and the time within which nine of ten were fulfilled, of each group."""
    keys = _keys(group)
    nth = func.row_number().over(partition_by=keys, order_by=times).label("nth")
    group_size = func.count().over(partition_by=keys).label("many")
    ranked = select(*keys, times.label("value"), nth, group_size).where(
        *fact_filter.conditions, _IS.fulfilled, times.is_not(None)
    )
    row = ranked.subquery().c
    middle = row.nth.in_([(row.many + 1) // 2, (row.many + 2) // 2])
    of_ten = row.nth == (9 * row.many + 9) // 10
    of_key = list(row)[: len(keys)]
    picked = select(*of_key, func.avg(case((middle, row.value))), func.max(case((of_ten, row.value))))
    query = picked.where(or_(middle, of_ten)).group_by(*of_key).limit(GROUPS_READ_AT_MOST)
    return {_key(result, keys): (result[-2], result[-1]) for result in connection.execute(query)}


def _notices(connection: Connection, fact_filter: FactFilter) -> dict[str, dict[str, int]]:
    count = func.count()
    query = select(_IS.type, _IS.notice, count).where(*fact_filter.conditions, _IS.notice.is_not(None))
    query = query.group_by(_IS.type, _IS.notice).order_by(count.desc(), _IS.notice).limit(GROUPS_READ_AT_MOST)
    counts_by_type: dict[str, dict[str, int]] = {}
    for type_, notice, number in connection.execute(query):
        of_type = counts_by_type.setdefault(type_, {})
        if len(of_type) < NOTICES_AT_MOST:
            of_type[notice] = number
    return counts_by_type


def _escalated(connection: Connection, fact_filter: FactFilter) -> dict[str, EscalatedFigures]:
    query = select(_IS.type, _IS.brought, func.count()).where(*fact_filter.conditions, _IS.brought.is_not(None))
    counts_by_type: dict[str, dict[Brought, int]] = {}
    for type_, brought, number in connection.execute(query.group_by(_IS.type, _IS.brought).limit(GROUPS_READ_AT_MOST)):
        counts_by_type.setdefault(type_, {})[Brought(brought)] = number
    times = _quantiles(connection, fact_filter, None, _IS.brought_seconds) if counts_by_type else {}
    return {
        type_: EscalatedFigures(counts, times.get(Key(type_, None), (None, None))[0])
        for type_, counts in counts_by_type.items()
    }


def _keys(group: Column[Any] | None) -> list[Column[Any]]:
    return [_IS.type] if group is None else [_IS.type, group]


def _key(row: Any, keys: Sequence[Column[Any]]) -> Key:
    return Key(row[0], row[1] if len(keys) > 1 else None)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many it holds for."""
    return func.coalesce(func.sum(cast(condition, Integer)), 0)


def _in_scope(scope: Scope) -> ColumnElement[bool]:
    listed = RECORD_LISTS.c
    parts: list[Select[Any]] = [
        select(listed.workflow_id).where(listed.of == list_type, listed.person.in_(people[:PEOPLE_AT_MOST]))
        for list_type, people in ((ListOf.REQUESTED, scope.requesters), (ListOf.ASKED, scope.asked_people))
    ]
    return or_(*(_IS.workflow_id.in_(part) for part in parts))
