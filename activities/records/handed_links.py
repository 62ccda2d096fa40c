"""Links of signers that are handed over: each leads to Core Signature once, within a day."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from activities.records.database import Database
from activities.records.schema import HANDED_LINKS

VALID_FOR: Final = timedelta(days=1)
OF_A_SIGNER_AT_MOST: Final = 20
"""Links of one signer of a request within a day."""
KEPT_AFTER_EXPIRY: Final = timedelta(days=30)
"""As long as the receipt of the command, which would otherwise make a link anew."""
DROPPED_AT_MOST: Final = 500
_LINK: Final = HANDED_LINKS.c


class HandedLink(NamedTuple):
    """`used_at` is the press of its button."""

    serial: str
    workflow_id: str
    person: str
    expires_at: datetime
    used_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.used_at is not None or self.expires_at <= now


class HandedLinks:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, serial: str) -> HandedLink | None:
        row = await self._database.first(select(HANDED_LINKS).where(_LINK.serial == serial))
        return HandedLink(**row._mapping) if row else None

    async def reserve(self, link: HandedLink, now: datetime) -> HandedLink | None:
        """The link of this serial: this one, or the one kept before. None if its signer has so many that nobody may be
        handed one more.
        """
        of_signer = _LINK.workflow_id == link.workflow_id, _LINK.person == link.person, _LINK.expires_at > now
        count = select(func.count()).select_from(HANDED_LINKS).where(*of_signer)

        def change(connection: Connection) -> HandedLink | None:
            row = connection.execute(select(HANDED_LINKS).where(_LINK.serial == link.serial)).first()
            if row:
                return HandedLink(**row._mapping)
            if (connection.scalar(count) or 0) >= OF_A_SIGNER_AT_MOST:
                return None
            connection.execute(HANDED_LINKS.insert(), link._asdict())
            return link

        return await self._database.write(change)

    async def withdraw(self, serial: str) -> None:
        """Nobody was handed it."""
        await self._database.change(HANDED_LINKS.delete().where(_LINK.serial == serial))

    async def use(self, serial: str, now: datetime) -> bool:
        """Use it up; False if it was used before, has expired, or is none."""
        usable = _LINK.serial == serial, _LINK.used_at.is_(None), _LINK.expires_at > now
        return await self._database.change(HANDED_LINKS.update().where(*usable).values(used_at=now)) == 1

    async def drop(self, now: datetime) -> int:
        """Remove some that expired long ago; how many."""
        old = select(_LINK.serial).where(_LINK.expires_at < now - KEPT_AFTER_EXPIRY)
        return await self._database.drop(HANDED_LINKS, old.limit(DROPPED_AT_MOST))
