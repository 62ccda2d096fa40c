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
class Scope:
    """Notices that share a limit: `most` of them in `per`, a duration. One of now counts until `until`."""

    name: str
    most: int
    per: str
    until: datetime


@dataclass(frozen=True)
class SlotRequest:
    """A notice that asks for a slot. One that goes `alone` speaks for no others; one already `told` is never refused;
    nothing is noted of a refusal unless it `waits`.
    """

    workflow_id: str
    key: str
    now: datetime
    alone: bool = False
    told: bool = False
    waits: bool = True


@dataclass(frozen=True)
class Slot:
    """The notice may be sent, and speaks for `others`: those of `joined` scopes."""

    others: int = 0
    joined: tuple[str, ...] = ()


@dataclass(frozen=True)
class Joined:
    """The notice of this key spoke for it."""

    into: str


@dataclass(frozen=True)
class Wait:
    """It asks again at `until`. `into` is a notice that speaks for it, and was not accepted yet."""

    scope: Scope
    until: datetime
    into: str | None = None


class Budgets:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, asked: SlotRequest, scopes: Sequence[Scope]) -> Slot | Joined | Wait:
        """A slot in all scopes, or what the first says that has none. A repeated request has the same slot."""
        return await self._database.write(lambda connection: _answer(connection, asked, scopes))

    async def frees_at(self, scope: Scope, now: datetime) -> datetime | None:
        """When a new notice would get a slot; None if it would get one now. Notes nothing."""
        request = SlotRequest("", "", now)
        refusal = await self._database.read(lambda connection: _Place(connection, request, scope, None).refusal())
        return refusal.until if isinstance(refusal, Wait) else None

    async def accepted(self, asked: SlotRequest, scopes: Sequence[str]) -> None:
        """The notice was delivered: until then those it speaks for do not count as notified."""
        own = _ROW.scope.in_(scopes), _ROW.workflow_id == asked.workflow_id, _ROW.key == asked.key
        await self._database.change(NOTICES.update().where(*own).values(accepted=True))

    async def drop(self, now: datetime) -> int:
        """Remove rows that are of no use any more, so many at once; how many there were."""
        old = select(_ROW.scope, _ROW.workflow_id, _ROW.key).where(_ROW.until < now - KEPT)
        return await self._database.drop(NOTICES, old.limit(DROPPED_AT_ONCE))


def _answer(connection: Connection, asked: SlotRequest, scopes: Sequence[Scope]) -> Slot | Joined | Wait:
    names = [scope.name for scope in scopes]
    in_turn(connection, names)
    here = and_(_ROW.scope.in_(names), _ROW.workflow_id == asked.workflow_id)
    known = connection.execute(select(NOTICES).where(here)).all()
    own = {row.scope: row for row in known if row.key == asked.key}
    places = [_Place(connection, asked, scope, own.get(scope.name)) for scope in scopes]
    refused, refusal = next(((place, one) for place in places if (one := place.refusal())), (None, None))
    if isinstance(refusal, Wait) and not asked.waits:
        return refusal
    if any(row.at is None and row.joined_into is None for row in known):
        # Of one workflow only the newest notice waits, in one scope.
        connection.execute(NOTICES.delete().where(here, _WAITS))
    if refused and isinstance(refusal, Wait):
        refused.put(at=None, until=refusal.until, joined_into=refusal.into)
    if refusal:
        return refusal
    speaks = [place.take() for place in places]
    if not any(speaks):
        return Slot()
    spoken_for = select(_ROW.scope, _ROW.workflow_id, _ROW.key).where(_ROW.scope.in_(names))
    joined = connection.execute(spoken_for.where(_ROW.joined_into == asked.key)).all()
    return Slot(len({(row.workflow_id, row.key) for row in joined}), tuple({row.scope for row in joined}))


class _Place:
    """One notice in one scope."""

    def __init__(self, connection: Connection, asked: SlotRequest, scope: Scope, own: Any | None) -> None:
        self._connection, self._asked, self._scope, self._own = connection, asked, scope, own
        self._here = _ROW.scope == scope.name
        self._key = {_ROW.scope: scope.name, _ROW.workflow_id: asked.workflow_id, _ROW.key: asked.key}

    @property
    def _counts(self) -> bool:
        """Whether an earlier attempt has taken the slot."""
        own = self._own
        return bool(own and own.at and own.at < self._scope.until and own.until > self._asked.now)

    def refusal(self) -> Joined | Wait | None:
        """None if there is a slot."""
        if self._counts:
            return None
        if (into := self._own and self._own.joined_into) and (speaks := self._spoken_for(into)):
            return speaks
        frees = None if self._asked.told else self._frees()
        return Wait(self._scope, frees) if frees else None

    def take(self) -> bool:
        """Whether it may speak for others."""
        if self._counts:
            return True
        asked = self._asked
        self.put(at=asked.now, until=self._scope.until, accepted=False, joined_into=None)
        if asked.alone or asked.told:
            return False
        ended = exists().where(RECORDS.c.workflow_id == _ROW.workflow_id)
        waiting = select(_ROW.workflow_id).where(self._here, _WAITS, _ROW.until > asked.now - KEPT, ~ended)
        others = self._connection.execute(waiting.limit(SPOKEN_FOR_AT_MOST)).scalars().all()
        if others:
            spoken_for = NOTICES.update().where(self._here, _WAITS, _ROW.workflow_id.in_(others))
            self._connection.execute(spoken_for.values(joined_into=asked.key))
        return bool(others) or self._own is not None

    def put(self, **values: Any) -> None:
        replace(self._connection, NOTICES, self._key, **values)

    def _spoken_for(self, into: str) -> Joined | Wait | None:
        """None if the one that was to speak for this notice was not accepted in time."""
        found = select(_ROW.at, _ROW.accepted).where(self._here, _ROW.key == into, _ROW.at.is_not(None))
        speaks = self._first(found.order_by(_ROW.accepted.desc()))
        if speaks and speaks.accepted:
            return Joined(into)
        until = speaks.at + SPEAKING_AT_MOST if speaks else self._asked.now
        return Wait(self._scope, until, into) if self._asked.now < until else None

    def _frees(self) -> datetime | None:
        """When to ask again; None if there is a slot. Notices of a clock far ahead, which was moved, do not count."""
        counts = self._here, _ROW.at < self._scope.until, _ROW.until > self._asked.now
        newest = select(_ROW.until).where(*counts, _ROW.at.is_not(None)).order_by(_ROW.at.desc())
        last = self._first(newest.offset(self._scope.most - 1).limit(1))
        if last is None:
            return None
        frees: datetime = last.until
        line = self._here, _WAITS, _ROW.until > self._asked.now, _ROW.workflow_id != self._asked.workflow_id
        if self._asked.alone:
            return self._in_line(frees, line)
        others = self._first(select(_ROW.key).where(*line, _ROW.until <= frees).limit(1))
        return frees + AFTER_THE_FIRST if others else frees

    def _in_line(self, frees: datetime, line: Sequence[Any]) -> datetime:
        """As many ask at once as there are slots: nobody speaks for those that go alone."""
        ends = select(_ROW.until, func.count().label("number")).where(*line, _ROW.until >= frees)
        last = self._first(ends.group_by(_ROW.until).order_by(_ROW.until.desc()).limit(1))
        if last is None:
            return frees
        end: datetime = last.until
        in_full = last.number >= self._scope.most
        return end + (self._scope.until - self._asked.now) + AFTER_THE_FIRST if in_full else end

    def _first(self, statement: Any) -> Any | None:
        return self._connection.execute(statement).first()
