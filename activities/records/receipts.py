"""Answers of commands by hand, for whoever repeats one when its workflow has ended or was forgotten."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, tuple_

from activities.records.database import Database
from activities.records.schema import RECEIPTS

DAYS_KEPT: Final = 30
DROPPED_AT_MOST: Final = 10_000
"""Receipts dropped by one statement."""
_ROW: Final = RECEIPTS.c


@dataclass(frozen=True)
class KeptReceipt:
    """The answer of a command, and the fingerprint of its content."""

    fingerprint: str
    answer: str


class Receipts:
    """`op` is the name of a command with its word. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, workflow_id: str, op: str, receipt: KeptReceipt, answered_at: datetime) -> None:
        """Keep an answer for 30 days; a later one replaces it."""
        key = {_ROW.workflow_id: workflow_id, _ROW.op: op}
        await self._database.replace(
            RECEIPTS, key, fingerprint=receipt.fingerprint, answer=receipt.answer, at=answered_at
        )

    async def read(self, workflow_id: str, op: str) -> KeptReceipt | None:
        query = select(_ROW.fingerprint, _ROW.answer).where(_ROW.workflow_id == workflow_id, _ROW.op == op)
        row = await self._database.first(query)
        return KeptReceipt(row.fingerprint, row.answer) if row else None

    async def drop(self, now: datetime) -> int:
        """Remove those of more than 30 days ago, a limited number; how many."""
        key = _ROW.workflow_id, _ROW.op
        old_receipts = select(*key).where(_ROW.at < now - timedelta(days=DAYS_KEPT)).limit(DROPPED_AT_MOST)
        return await self._database.change(RECEIPTS.delete().where(tuple_(*key).in_(old_receipts)))
