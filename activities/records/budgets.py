"""Budgets of notices: which count, which wait, and which another notice speaks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, func, select

from activities.records.database import Database, in_turn, replace
from activities.records.schema import NOTICES, RECORDS

KEPT: Final = timedelta(days=7)
"""How long a row is of use after its `until`: a reader's hours may begin days after their budget has freed."""
SPOKEN_FOR_AT_MOST: Final = 100
"""Waiting notices that one notice speaks for."""
SPEAKING_AT_MOST: Final = timedelta(minutes=15)
"""Time for a notice to be accepted, before those it speaks for ask for slots of their own."""
AFTER_THE_FIRST: Final = timedelta(minutes=1)
"""How much later the others ask than the first, which by then speaks for them."""
DROPPED_AT_ONCE: Final = 10_000

_ROW: Final = NOTICES.c
_WAITS: Final = and_(_ROW.at.is_(None), _ROW.joined_into.is_(None))


@dataclass(frozen=True)
class Limit:
    """At most `most` notices to a person count at once. One of now counts until `until`."""

    most: int
    until: datetime


@dataclass(frozen=True)
class SlotRequest:
    """A notice that asks for a slot. One that goes `alone` speaks for no others; one that `is_told` is never refused;
    nothing is noted of a refusal unless it `waits`.
    """

    person: str
    workflow_id: str
    key: str
    now: datetime
    alone: bool = False
    is_told: bool = False
    waits: bool = True


@dataclass(frozen=True)
class SendPermit:
    """The notice may be sent, and speaks for `others`."""

    other_count: int = 0


@dataclass(frozen=True)
class JoinedNotice:
    """The notice of this key spoke for it."""

    into: str


@dataclass(frozen=True)
class BudgetWait:
    """It asks again at `until`. `into` is a notice that speaks for it, and was not accepted yet."""

    until: datetime
    into: str | None = None


class Budgets:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, request: SlotRequest, limit: Limit) -> SendPermit | JoinedNotice | BudgetWait:
        """A slot, or why there is none. A repeated request has the same slot."""
        return await self._database.write_rows(lambda connection: _answer(connection, request, limit))

    async def frees_at(self, person: str, limit: Limit, now: datetime) -> datetime | None:
        """When a new notice would get a slot; None if it would get one now. Notes nothing."""
        request = SlotRequest(person, "", "", now)
        return await self._database.read(lambda connection: _BudgetPlace(connection, request, limit, None).frees_at())

    async def accepted(self, request: SlotRequest) -> None:
        """The notice was delivered: until then those it speaks for do not count as notified."""
        own_notice = _ROW.person == request.person, _ROW.workflow_id == request.workflow_id, _ROW.key == request.key
        await self._database.change(NOTICES.update().where(*own_notice).values(accepted=True))

    async def drop(self, now: datetime) -> int:
        """Remove rows that are of no use any more, so many at once; how many there were."""
        old_notices = select(_ROW.person, _ROW.workflow_id, _ROW.key).where(_ROW.until < now - KEPT)
        return await self._database.drop(NOTICES, old_notices.limit(DROPPED_AT_ONCE))


def _answer(connection: Connection, request: SlotRequest, limit: Limit) -> SendPermit | JoinedNotice | BudgetWait:
    in_turn(connection, f"notices/{request.person}")
    in_workflow = and_(_ROW.person == request.person, _ROW.workflow_id == request.workflow_id)
    rows = connection.execute(select(NOTICES).where(in_workflow)).all()
    slot = _BudgetPlace(connection, request, limit, next((row for row in rows if row.key == request.key), None))
    refusal = slot.refusal()
    if isinstance(refusal, BudgetWait) and not request.waits:
        return refusal
    if any(row.at is None and row.joined_into is None for row in rows):
        # Of one workflow only the newest notice waits.
        connection.execute(NOTICES.delete().where(in_workflow, _WAITS))
    if isinstance(refusal, BudgetWait):
        slot.put(at=None, until=refusal.until, joined_into=refusal.into)
    return refusal or SendPermit(slot.take())


class _BudgetPlace:
    """One notice in its person's budget."""

    def __init__(self, connection: Connection, request: SlotRequest, limit: Limit, row: Any | None) -> None:
        self._connection, self._request, self._limit, self._row = connection, request, limit, row
        self._of_person = _ROW.person == request.person

    @property
    def _counts(self) -> bool:
        """Whether an earlier attempt has taken the slot."""
        row = self._row
        return bool(row and row.at and row.at < self._limit.until and row.until > self._request.now)

    def refusal(self) -> JoinedNotice | BudgetWait | None:
        """None if there is a slot."""
        if self._counts:
            return None
        if (into := self._row and self._row.joined_into) and (speaks := self._spoken_for(into)):
            return speaks
        frees_at = None if self._request.is_told else self.frees_at()
        return BudgetWait(frees_at) if frees_at else None

    def take(self) -> int:
        """For how many others it speaks."""
        request = self._request
        if not self._counts:
            self.put(at=request.now, until=self._limit.until, accepted=False, joined_into=None)
            if request.alone or request.is_told:
                return 0
            self._join_others()
        joined = select(func.count()).where(self._of_person, _ROW.joined_into == request.key)
        return self._connection.execute(joined).scalar_one()

    def put(self, **values: Any) -> None:
        request = self._request
        key = {_ROW.person: request.person, _ROW.workflow_id: request.workflow_id, _ROW.key: request.key}
        replace(self._connection, NOTICES, key, **values)

    def _join_others(self) -> None:
        has_ended = exists().where(RECORDS.c.workflow_id == _ROW.workflow_id)
        waiting = select(_ROW.workflow_id).where(
            self._of_person, _WAITS, _ROW.until > self._request.now - KEPT, ~has_ended
        )
        workflow_ids = self._connection.execute(waiting.limit(SPOKEN_FOR_AT_MOST)).scalars().all()
        if workflow_ids:
            spoken_for = NOTICES.update().where(self._of_person, _WAITS, _ROW.workflow_id.in_(workflow_ids))
            self._connection.execute(spoken_for.values(joined_into=self._request.key))

    def _spoken_for(self, into: str) -> JoinedNotice | BudgetWait | None:
        """None if the one that was to speak for this notice was not accepted in time."""
        named = select(_ROW.at, _ROW.accepted).where(self._of_person, _ROW.key == into, _ROW.at.is_not(None))
        speaks = self._first(named.order_by(_ROW.accepted.desc()))
        if speaks and speaks.accepted:
            return JoinedNotice(into)
        ends_at = speaks.at + SPEAKING_AT_MOST if speaks else self._request.now
        return BudgetWait(ends_at, into) if self._request.now < ends_at else None

    def frees_at(self) -> datetime | None:
        """When to ask again; None if there is a slot. Notices of a clock far ahead, which was moved, do not count."""
        counts = self._of_person, _ROW.at < self._limit.until, _ROW.until > self._request.now
        newest = select(_ROW.until).where(*counts, _ROW.at.is_not(None)).order_by(_ROW.at.desc())
        last = self._first(newest.offset(self._limit.most - 1).limit(1))
        if last is None:
            return None
        frees: datetime = last.until
        line = self._of_person, _WAITS, _ROW.until > self._request.now, _ROW.workflow_id != self._request.workflow_id
        if self._request.alone:
            return self._in_line(frees, line)
        waiting = self._first(select(_ROW.key).where(*line, _ROW.until <= frees).limit(1))
        return frees + AFTER_THE_FIRST if waiting else frees

    def _in_line(self, frees: datetime, line: Sequence[Any]) -> datetime:
        """As many ask at once as there are slots: nobody speaks for those that go alone."""
        ends = select(_ROW.until, func.count().label("number")).where(*line, _ROW.until >= frees)
        last = self._first(ends.group_by(_ROW.until).order_by(_ROW.until.desc()).limit(1))
        if last is None:
            return frees
        end: datetime = last.until
        in_full = last.number >= self._limit.most
        return end + (self._limit.until - self._request.now) + AFTER_THE_FIRST if in_full else end

    def _first(self, statement: Any) -> Any | None:
        return self._connection.execute(statement).first()
