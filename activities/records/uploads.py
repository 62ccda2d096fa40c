"""Who uploaded a document that a start may name by its hash, for a limited time."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from activities.records.database import Database
from activities.records.schema import UPLOADS

DAYS_KEPT: Final = 7
DROPPED_AT_MOST: Final = 10_000
"""Uploads dropped by one statement."""
_ROW: Final = UPLOADS.c


class Uploads:
    """`caller` is the actor that the API knows them by: `token:crm`, `oidc:ada`. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, caller: str, sha256: str, now: datetime) -> None:
        """Note an upload; a repeated one counts from now on."""
        await self._database.replace(UPLOADS, {_ROW.caller: caller, _ROW.sha256: sha256}, at=now)

    async def has(self, caller: str, sha256: str, now: datetime) -> bool:
        """Whether the caller uploaded it within the last 7 days."""
        oldest = now - timedelta(days=DAYS_KEPT)
        upload = select(_ROW.at).where(_ROW.caller == caller, _ROW.sha256 == sha256, _ROW.at >= oldest)
        return await self._database.first(upload) is not None

    async def drop(self, now: datetime) -> int:
        """Remove those of more than 7 days ago, a limited number; how many."""
        expired = select(*UPLOADS.primary_key.columns).where(_ROW.at < now - timedelta(days=DAYS_KEPT))
        return await self._database.drop(UPLOADS, expired.limit(DROPPED_AT_MOST))
