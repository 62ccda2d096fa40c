"""Hand-offs that were given up. Those of what has ended are joined with its record."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select, tuple_

from activities.records.database import Database, replace
from activities.records.schema import HAND_OFFS, RECORDS
from workflows.follow_up.outbox import policy_name
from workflows.model.hand_off import HandoffLine, HandoffState

READ_AT_ONCE: Final = 500
"""Dead hand-offs in memory."""
COUNTED_AT_MOST: Final = 1_000
"""Targets whose dead hand-offs are counted, most dead first."""
_ROW: Final = HAND_OFFS.c


@dataclass(frozen=True)
class DeadHandOff:
    workflow_id: str
    target: str
    at: datetime


@dataclass(frozen=True)
class DeadCount:
    """How many of a target are dead, and since when."""

    name: str
    dead: int
    since: datetime


def keep_lines(connection: Connection, workflow_id: str, lines: Iterable[HandoffLine]) -> None:
    """Keep those that were given up until another attempt has ended."""
    for line in lines:
        key = {_ROW.workflow_id: workflow_id, _ROW.target: line.target}
        if line.state is HandoffState.DEAD:
            replace(connection, HAND_OFFS, key, name=policy_name(line.target), at=line.at)
        elif line.state is not HandoffState.PENDING:
            connection.execute(HAND_OFFS.delete().where(*(column == value for column, value in key.items())))


class HandOffs:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def dead(self, earliest: datetime | None = None, target: str | None = None) -> AsyncIterator[DeadHandOff]:
        """Those that died since, of this target or policy name; by workflow id."""
        query = self._of_ended(_ROW.workflow_id, _ROW.target, _ROW.at)
        if earliest is not None:
            query = query.where(_ROW.at >= earliest)
        if target is not None:
            query = query.where(or_(_ROW.target == target, _ROW.name == target))
        position = tuple_(_ROW.workflow_id, _ROW.target)
        following = query.order_by(_ROW.workflow_id, _ROW.target).limit(READ_AT_ONCE)
        rows = await self._database.rows(following)
        while rows:
            for row in rows:
                yield DeadHandOff(*row)
            if len(rows) < READ_AT_ONCE:
                return
            rows = await self._database.rows(following.where(position > (rows[-1].workflow_id, rows[-1].target)))

    async def dead_counts(self) -> tuple[DeadCount, ...]:
        """By the policy's name."""
        count = func.count().label("dead")
        query = self._of_ended(_ROW.name, count, func.min(_ROW.at, type_=_ROW.at.type))
        rows = await self._database.rows(query.group_by(_ROW.name).order_by(count.desc()).limit(COUNTED_AT_MOST))
        return tuple(DeadCount(*row) for row in rows)

    async def dead_since(self, instant: datetime) -> int:
        """How many died since."""
        row = await self._database.first(self._of_ended(func.count()).where(_ROW.at >= instant))
        return int(row[0]) if row else 0

    def _of_ended(self, *columns: Any) -> Any:
        ended_hand_offs = HAND_OFFS.join(RECORDS, RECORDS.c.workflow_id == _ROW.workflow_id)
        return select(*columns).select_from(ended_hand_offs)
