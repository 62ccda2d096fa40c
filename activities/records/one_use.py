"""Links and codes that work once, and the serials by which links are ended."""

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from activities.records.database import Database
from activities.records.schema import ONE_USE, SERIALS

USED_KEPT: Final = timedelta(days=2)
"""One-time entries are valid for half a day at most."""
USED_DROPPED_AT_MOST: Final = 500
"""One-time entries dropped by one statement."""


class OneUse:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use(self, day: date, name: str) -> bool:
        """Use up a one-time entry, stored for two days; False if used before."""
        return await self._database.insert(ONE_USE, day=day, name=name)

    async def was_used(self, day: date, name: str) -> bool:
        query = select(ONE_USE.c.name).where(ONE_USE.c.day == day, ONE_USE.c.name == name)
        return await self._database.first(query) is not None

    async def drop_used(self, now: datetime) -> int:
        """Remove entries of past days, a limited number; how many there were."""
        old_entries = select(ONE_USE.c.day, ONE_USE.c.name).where(ONE_USE.c.day < (now - USED_KEPT).date())
        return await self._database.drop(ONE_USE, old_entries.limit(USED_DROPPED_AT_MOST))

    async def serial(self, holder: str) -> str:
        """The serial that links must have; empty until first renewed."""
        row = await self._database.first(select(SERIALS.c.serial).where(SERIALS.c.of == holder))
        return row.serial if row else ""

    async def replace_serial(self, holder: str, serial: str) -> None:
        await self._database.replace(SERIALS, {SERIALS.c.of: holder}, serial=serial)
