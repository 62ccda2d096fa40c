"""What campaigns open with each year."""

from typing import Final

from sqlalchemy import select

from activities.records.database import Database
from activities.records.schema import YEARS

SERIES_AT_MOST: Final = 10_000
"""Yearly campaigns that are listed."""


class Campaigns:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep_year(self, workflow_id: str, year: int, content: bytes) -> None:
        """Store, erasable, what a yearly campaign opens with; the last write counts."""
        key = {YEARS.c.workflow_id: workflow_id, YEARS.c.year: year}
        await self._database.replace(YEARS, key, content=content)

    async def year(self, workflow_id: str, year: int) -> bytes | None:
        """None if not given yet."""
        asked = select(YEARS.c.content).where(YEARS.c.workflow_id == workflow_id, YEARS.c.year == year)
        found = await self._database.first(asked)
        return found.content if found else None

    async def series(self) -> tuple[str, ...]:
        """Sorted ids of yearly campaigns with content."""
        asked = select(YEARS.c.workflow_id).distinct().order_by(YEARS.c.workflow_id).limit(SERIES_AT_MOST)
        return tuple(row.workflow_id for row in await self._database.rows(asked))
