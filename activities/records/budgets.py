"""Notices that count against a person's budget: a numbered row, in which the first writer gets the next number."""

from typing import Final

from sqlalchemy import func, select

from activities.records.database import Database
from activities.records.schema import BUDGET_ENTRIES, BUDGET_WAITING

_ENTRY: Final = BUDGET_ENTRIES.c


class Budgets:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def row(self, of: str, key: str) -> "NumberedRow":
        """The row of a person's notices from all parts of an onboarding."""
        return NumberedRow(self._database, f"{of}/{key}")


class NumberedRow:
    """Numbered from 1 without gaps, and notes of those waiting for a slot."""

    def __init__(self, database: Database, of: str) -> None:
        self._database = database
        self._of: Final = of
        self._own: Final = _ENTRY.of == of

    async def last(self) -> int:
        """The last number, 0 if empty."""
        found = await self._database.first(select(func.max(_ENTRY.number)).where(self._own))
        return (found[0] or 0) if found else 0

    async def append(self, number: int, content: bytes) -> bool:
        """Write at this number; False if another writer was first."""
        return await self._database.insert(BUDGET_ENTRIES, of=self._of, number=number, content=content)

    async def read(self, first: int, last: int) -> dict[int, bytes]:
        asked = select(_ENTRY.number, _ENTRY.content).where(self._own, _ENTRY.number.between(first, last))
        return {row.number: row.content for row in await self._database.rows(asked.order_by(_ENTRY.number))}

    async def mark(self, number: int) -> None:
        """Mark a number as delivered, permanently."""
        await self._database.change(
            BUDGET_ENTRIES.update().where(self._own, _ENTRY.number == number).values(delivered=True)
        )

    async def is_marked(self, number: int) -> bool:
        asked = select(_ENTRY.delivered).where(self._own, _ENTRY.number == number)
        found = await self._database.first(asked)
        return bool(found and found.delivered)

    async def note(self, who: str, content: bytes) -> None:
        """Note what `who` waits for; replaces the former note."""
        key = {BUDGET_WAITING.c.of: self._of, BUDGET_WAITING.c.who: who}
        await self._database.replace(BUDGET_WAITING, key, content=content)

    async def notes(self, at_most: int) -> list[bytes]:
        """At most so many notes, including outdated ones."""
        asked = select(BUDGET_WAITING.c.content).where(BUDGET_WAITING.c.of == self._of).order_by(BUDGET_WAITING.c.who)
        return [row.content for row in await self._database.rows(asked.limit(at_most))]
