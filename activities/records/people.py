"""People described in full, what was sent to the provider, and the index of the people file; all erasable."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from activities.records.database import Database, replace
from activities.records.schema import PEOPLE_ASKED, PEOPLE_IN_FULL, PEOPLE_INDEX

OF_A_START: Final = 16
"""Hex digits of a start's fingerprint: a request has few."""
ASKED_AT_MOST: Final = 1_000
"""Versions of the people of one request that are read."""
INDEX_KEPT: Final = timedelta(days=1)
"""An index of another people file."""
_IN_FULL: Final = PEOPLE_IN_FULL.c


class StoredPeople:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, workflow_id: str, fingerprint: str, content: bytes | None) -> None:
        """Store people described in full, if any, for the start of this fingerprint."""
        start = fingerprint[:OF_A_START]
        if content is not None:
            await self._database.insert(PEOPLE_IN_FULL, workflow_id=workflow_id, fingerprint=start, content=content)

    async def choose(self, workflow_id: str, fingerprint: str) -> None:
        """The start of this fingerprint is the one that lives; nothing for one that stored nobody."""
        of_it = _IN_FULL.workflow_id == workflow_id
        this = _IN_FULL.fingerprint == fingerprint[:OF_A_START]

        def change(connection: Connection) -> None:
            if connection.execute(select(_IN_FULL.chosen).where(of_it, this)).scalar() is False:
                connection.execute(PEOPLE_IN_FULL.update().where(of_it).values(chosen=this))

        await self._database.write(change)

    async def read(self, workflow_id: str) -> bytes | None:
        """People described in full, None if none. Before the choice those of an only start."""
        statement = select(_IN_FULL.content, _IN_FULL.chosen).where(_IN_FULL.workflow_id == workflow_id)
        found = await self._database.rows(statement.order_by(_IN_FULL.chosen.desc()).limit(2))
        return found[0].content if found and (found[0].chosen or len(found) == 1) else None

    async def add_asked(self, workflow_id: str, content: bytes) -> None:
        """Append what is sent to the provider; equal content once."""
        sha256 = hashlib.sha256(content).hexdigest()
        await self._database.insert(PEOPLE_ASKED, workflow_id=workflow_id, sha256=sha256, content=content)

    async def asked(self, workflow_id: str) -> tuple[bytes, ...]:
        """All ever sent, unordered."""
        statement = select(PEOPLE_ASKED.c.content).where(PEOPLE_ASKED.c.workflow_id == workflow_id)
        return tuple(row.content for row in await self._database.rows(statement.limit(ASKED_AT_MOST)))

    async def keep_index(self, place: str, name: str, content: bytes) -> None:
        """Replace the index of the people file at this place, without former addresses; `name` is the file's content.
        Those of other places go after a day: a machine that is still there makes its own again.
        """
        now = datetime.now(UTC)
        old = PEOPLE_INDEX.delete().where(PEOPLE_INDEX.c.place != place, PEOPLE_INDEX.c.at < now - INDEX_KEPT)

        def change(connection: Connection) -> None:
            replace(connection, PEOPLE_INDEX, {PEOPLE_INDEX.c.place: place}, name=name, content=content, at=now)
            connection.execute(old)

        await self._database.write(change)

    async def index(self, name: str) -> bytes | None:
        """The index of this content, by whichever machine; or None."""
        found = await self._database.first(select(PEOPLE_INDEX.c.content).where(PEOPLE_INDEX.c.name == name))
        return found.content if found else None
