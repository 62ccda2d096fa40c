"""Legal holds: while one is not released, nothing of a follow-up and of its parts is removed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select, tuple_

from activities.records.database import Database, chunks, insert_new
from activities.records.schema import FOLLOW_UPS, HOLDS
from activities.records.settled import owner_in
from workflows.kinds import kinds

HOLDS_AT_MOST: Final = 1_000
"""Holds of one follow-up that are read."""
READ_AT_ONCE: Final = 200
"""Follow-ups of one statement; each may have some that it belongs to."""
LISTED_AT_ONCE: Final = 500
_IS: Final = HOLDS.c


class Hold(NamedTuple):
    """Open until it was released; a follow-up may have several, each for its reason."""

    workflow_id: str
    number: int
    reason: str
    by: str
    at: datetime
    released_by: str | None = None
    released_at: datetime | None = None


class Holds:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def place_hold(self, workflow_id: str, reason: str, actor: str, placed_at: datetime) -> bool:
        """Hold it for this reason; False if it is held for that already."""

        def change(connection: Connection) -> bool:
            of_workflow = _IS.workflow_id == workflow_id
            same_hold = of_workflow, _IS.reason == reason, _IS.released_at.is_(None)
            if connection.execute(select(_IS.number).where(*same_hold)).first():
                return False
            number = (connection.execute(select(func.max(_IS.number)).where(of_workflow)).scalar() or 0) + 1
            return insert_new(connection, HOLDS, **Hold(workflow_id, number, reason, actor, placed_at)._asdict())

        return await self._database.write(change)

    async def release(self, workflow_id: str, reason: str, actor: str, released_at: datetime) -> bool:
        """Release its hold for this reason; False if there is none."""
        same_hold = _IS.workflow_id == workflow_id, _IS.reason == reason, _IS.released_at.is_(None)
        changed = await self._database.change(
            HOLDS.update().where(*same_hold).values(released_by=actor, released_at=released_at)
        )
        return changed > 0

    async def list_holds(self, workflow_id: str) -> tuple[Hold, ...]:
        """Its own and those of the onboarding or campaign that it belongs to, in the order of time."""

        def ask(connection: Connection) -> tuple[Hold, ...]:
            query = select(*_ROW).where(
                _IS.workflow_id.in_((workflow_id, *_wholes(connection, [workflow_id])[workflow_id]))
            )
            return tuple(Hold(*row) for row in connection.execute(query.order_by(_IS.at).limit(HOLDS_AT_MOST)))

        return await self._database.read(ask)

    async def find_held(self, workflow_ids: Sequence[str]) -> dict[str, str]:
        """Those that must not lose anything, each with the reason of a hold; the caller bounds their number."""
        return await self._database.read(lambda connection: find_held(connection, workflow_ids))

    async def page(self, position: tuple[str, int] = ("", 0)) -> list[Hold]:
        """Some of all that are open, by workflow id, behind a place."""
        place_columns = tuple_(_IS.workflow_id, _IS.number)
        behind = place_columns > tuple_(*position, types=[_IS.workflow_id.type, _IS.number.type])
        query = select(*_ROW).where(_IS.released_at.is_(None), behind).order_by(_IS.workflow_id, _IS.number)
        return [Hold(*row) for row in await self._database.rows(query.limit(LISTED_AT_ONCE))]


def is_held(workflow_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a hold keeps the rows of a follow-up, for statements that drop many."""
    parents = select(FOLLOW_UPS.c.parent).where(FOLLOW_UPS.c.workflow_id == workflow_id)
    is_of_workflow = or_(_IS.workflow_id == workflow_id, _IS.workflow_id.in_(parents.correlate_except(FOLLOW_UPS)))
    return exists().where(_IS.released_at.is_(None), is_of_workflow)


def find_held(connection: Connection, workflow_ids: Sequence[str]) -> dict[str, str]:
    """As `Holds.held`, within a transaction."""
    reason_by_id: dict[str, str] = {}
    for ids in chunks(workflow_ids, READ_AT_ONCE):
        wholes = _wholes(connection, ids)
        names = {*ids, *(parent for parents in wholes.values() for parent in parents)}
        open_ones = select(_IS.workflow_id, _IS.reason).where(_IS.released_at.is_(None), _IS.workflow_id.in_(names))
        reasons = {row.workflow_id: row.reason for row in connection.execute(open_ones)}
        for workflow_id in ids:
            if reason := next((reasons[name] for name in (workflow_id, *wholes[workflow_id]) if name in reasons), None):
                reason_by_id[workflow_id] = reason
    return reason_by_id


_ROW: Final = tuple(_IS[name] for name in Hold._fields)


def _wholes(connection: Connection, workflow_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The onboarding or campaign that each belongs to. A start that was killed has left no row that says it: then all
    that the id may be a part of.
    """
    query = select(FOLLOW_UPS.c.workflow_id, FOLLOW_UPS.c.parent).where(
        FOLLOW_UPS.c.workflow_id.in_(workflow_ids), FOLLOW_UPS.c.started_at.is_not(None)
    )
    parents = {row.workflow_id: row.parent for row in connection.execute(query)}
    return {
        workflow_id: tuple(filter(None, (parents[workflow_id],)))
        if workflow_id in parents
        else _by_id(workflow_id.partition(":")[2])
        for workflow_id in workflow_ids
    }


def _by_id(id: str) -> tuple[str, ...]:
    owner = owner_in(id)
    return tuple(kind.workflow_id(owner) for kind in kinds()) if owner else ()
