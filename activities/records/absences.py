"""Absences that people entered: present, coming, and those that ended lately."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from activities.records.database import Database, in_turn
from activities.records.schema import ABSENCES
from workflows.model.messages import Message
from workflows.model.rejections import Rejection

ABSENCES_AT_MOST: Final = 20_000
"""Present and coming ones of everybody, which each process reads again and again."""
OF_A_PERSON_AT_MOST: Final = 20
UNTOLD_AT_MOST: Final = 500
"""Changes that one look begins to tell."""
KEPT_FOR: Final = timedelta(days=30)
"""How long one that is over is shown in no list, but not dropped yet."""
_IS: Final = ABSENCES.c
_ONE_AFTER_ANOTHER: Final = "absences"


class AbsenceRow(NamedTuple):
    """From `begins_at` until before `ends_at`; `kinds` sorted, empty for all. `told` open follow-ups have heard of the
    last change so far, all of them by `told_at`.
    """

    id: str
    person: str
    begins_at: datetime
    ends_at: datetime
    acts: str | None
    kinds: tuple[str, ...]
    entered_at: datetime
    entered_by: str
    ended_at: datetime | None = None
    ended_by: str | None = None
    told_at: datetime | None = None
    told: int = 0

    @property
    def content_key(self) -> tuple[Any, ...]:
        """What two that say the same have in common."""
        return self.person, self.begins_at, self.ends_at, self.acts, self.kinds

    def overlaps(self, row: "AbsenceRow") -> bool:
        """Whether both are of one instant and one kind."""
        same_time = self.begins_at < row.ends_at and row.begins_at < self.ends_at
        return same_time and (not self.kinds or not row.kinds or not set(self.kinds).isdisjoint(row.kinds))

    def coincides(self, row: "AbsenceRow") -> bool:
        """Whether person, days and kinds are equal."""
        return self._span_and_kinds == row._span_and_kinds

    @property
    def _span_and_kinds(self) -> tuple[Any, ...]:
        return self.person, self.begins_at, self.ends_at, self.kinds


class EnteredRow(NamedTuple):
    """The absence as it is kept now, or why it is not."""

    row: AbsenceRow
    refused: Message | None = None


Judge = Callable[[Sequence[AbsenceRow]], Message | None]
"""Why an absence is refused beside the others of the same time, else None."""


class StoredAbsences:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def coming(self, now: datetime) -> list[AbsenceRow]:
        """All that are not over, in the order in which they were entered; makes no file, for a plan keeps nothing."""
        if self._database.is_unmade:
            return []
        query = select(ABSENCES).where(*_not_over(now)).order_by(_IS.entered_at, _IS.id)
        return [_row(row) for row in await self._database.rows(query.limit(ABSENCES_AT_MOST))]

    async def for_person(self, person: str, now: datetime) -> list[AbsenceRow]:
        """Those of one person that are not over, by their begin."""
        query = select(ABSENCES).where(_IS.person == person, *_not_over(now)).order_by(_IS.begins_at, _IS.id)
        return [_row(row) for row in await self._database.rows(query.limit(OF_A_PERSON_AT_MOST))]

    async def read(self, id: str) -> AbsenceRow | None:
        row = await self._database.first(select(ABSENCES).where(_IS.id == id))
        return _row(row) if row else None

    async def enter(self, absence: AbsenceRow, judge: Judge) -> EnteredRow:
        """Keep it in place of one with the same person, days and kinds, beside others; one that says the same stays.
        One after another, so that no two together are what `judge` refuses.
        """
        now = absence.entered_at

        def change(connection: Connection) -> EnteredRow:
            in_turn(connection, _ONE_AFTER_ANOTHER)
            same_time = _IS.begins_at < absence.ends_at, _IS.ends_at > absence.begins_at
            query = select(ABSENCES).where(*_not_over(now), *same_time).limit(ABSENCES_AT_MOST)
            rows = [_row(row) for row in connection.execute(query)]
            if equal_row := next((row for row in rows if row.content_key == absence.content_key), None):
                return EnteredRow(equal_row)
            replaced = [row for row in rows if row.coincides(absence)]
            if refusal := judge([row for row in rows if row not in replaced]) or _crowded(
                connection, absence, replaced
            ):
                return EnteredRow(absence, refusal)
            # Follow-ups that hear of the new one need not hear of its predecessor.
            _end(connection, replaced, absence.entered_by, now, told_at=now)
            connection.execute(ABSENCES.insert(), {**absence._asdict(), "kinds": list(absence.kinds)})
            return EnteredRow(absence)

        return await self._database.write(change)

    async def end(self, person: str, actor: str, now: datetime, id: str = "") -> list[AbsenceRow]:
        """End all of a person, or one; those that were not over."""
        id_condition = (_IS.id == id,) if id else ()

        def change(connection: Connection) -> list[AbsenceRow]:
            in_turn(connection, _ONE_AFTER_ANOTHER)
            query = (
                select(ABSENCES).where(_IS.person == person, *_not_over(now), *id_condition).limit(OF_A_PERSON_AT_MOST)
            )
            rows = [_row(row) for row in connection.execute(query)]
            _end(connection, rows, actor, now)
            return [row._replace(ended_at=now, ended_by=actor, told_at=None, told=0) for row in rows]

        return await self._database.write(change)

    async def untold(self, instant: datetime) -> list[AbsenceRow]:
        """Changes before an instant of which open follow-ups have not all heard, the oldest first."""
        changed = func.coalesce(_IS.ended_at, _IS.entered_at)
        query = select(ABSENCES).where(_IS.told_at.is_(None), changed < instant).order_by(changed, _IS.id)
        return [_row(row) for row in await self._database.rows(query.limit(UNTOLD_AT_MOST))]

    async def note_told(self, row: AbsenceRow, told_count: int, told_at: datetime | None) -> None:
        """How many have heard of this change so far; with `told_at` it was all of them. Nothing if it was changed
        again.
        """
        unchanged = and_(
            _IS.id == row.id, _IS.ended_at.is_(None) if row.ended_at is None else _IS.ended_at == row.ended_at
        )
        await self._database.change(ABSENCES.update().where(unchanged).values(told=told_count, told_at=told_at))

    async def erase(self, person: str) -> int:
        """Drop all of a person, and their id from those of others; how many were dropped."""

        def change(connection: Connection) -> int:
            for name, value in (("acts", None), ("entered_by", ""), ("ended_by", None)):
                connection.execute(ABSENCES.update().where(_names(_IS[name], person)).values({name: value}))
            return connection.execute(ABSENCES.delete().where(_IS.person == person)).rowcount

        return await self._database.write(change)

    async def drop_over(self, now: datetime) -> int:
        """Drop those that have been over for long; how many."""
        is_over = or_(_IS.ends_at < now - KEPT_FOR, _IS.ended_at < now - KEPT_FOR)
        return await self._database.change(ABSENCES.delete().where(is_over))


def _names(actor: ColumnElement[str], person: str) -> ColumnElement[bool]:
    """Whether it is this person, however they are known (`KnownBy.actor`)."""
    forms = actor.endswith(f":{person}", autoescape=True), actor.contains(f":{person} (", autoescape=True)
    return or_(actor == person, *forms)


def _not_over(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return _IS.ended_at.is_(None), _IS.ends_at > now


def _crowded(connection: Connection, absence: AbsenceRow, replaced: Sequence[AbsenceRow]) -> Message | None:
    limits = (
        (absence.person, OF_A_PERSON_AT_MOST, (_IS.person == absence.person,)),
        ("everybody", ABSENCES_AT_MOST, ()),
    )
    for person, limit, narrowing in limits:
        query = select(func.count()).select_from(ABSENCES).where(*_not_over(absence.entered_at), *narrowing)
        if int(connection.execute(query).scalar_one()) - len(replaced) >= limit:
            return Rejection.TOO_MANY_ABSENCES.to_message(most=limit, whom=person)
    return None


def _end(
    connection: Connection, rows: Sequence[AbsenceRow], actor: str, now: datetime, told_at: datetime | None = None
) -> None:
    values = {"ended_at": now, "ended_by": actor, "told_at": told_at, "told": 0}
    for row in rows:
        connection.execute(ABSENCES.update().where(_IS.id == row.id).values(**values))


def _row(row: Any) -> AbsenceRow:
    values = {name: getattr(row, name) for name in AbsenceRow._fields}
    return AbsenceRow(**{**values, "kinds": tuple(row.kinds)})
