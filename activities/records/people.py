"""People described in full, what was sent to the provider, and the index of the people file; all erasable."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection, literal, select, tuple_

from activities.records.database import Database, insert_new, replace
from activities.records.schema import PEOPLE_ASKED, PEOPLE_IN_FULL, PEOPLE_INDEX

OF_A_START: Final = 16
"""Hex digits of a start's fingerprint: a request has few."""
STARTS_AT_MOST: Final = 1_000
"""Starts of one follow-up that are read."""
UNCHOSEN_AT_ONCE: Final = 500
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
        """Store a start of this fingerprint, with the people described in full; of equal starts the first counts."""
        await self._database.write(partial(keep_start, workflow_id, fingerprint, content))

    async def choose(self, workflow_id: str, fingerprint: str) -> None:
        """Note that the start of this fingerprint is the one that runs."""
        of_it = _IN_FULL.workflow_id == workflow_id
        same_start = _IN_FULL.fingerprint == fingerprint[:OF_A_START]

        def change(connection: Connection) -> None:
            if connection.execute(select(_IN_FULL.chosen).where(of_it, same_start)).scalar() is False:
                connection.execute(PEOPLE_IN_FULL.update().where(of_it).values(chosen=same_start))

        await self._database.write(change)

    async def read(self, workflow_id: str) -> bytes | None:
        """People described in full, None if none. Before the choice those of an only start."""
        statement = select(_IN_FULL.content, _IN_FULL.chosen).where(_IN_FULL.workflow_id == workflow_id)
        rows = await self._database.rows(statement.order_by(_IN_FULL.chosen.desc()).limit(2))
        return rows[0].content if rows and (rows[0].chosen or len(rows) == 1) else None

    async def has_any_in_full(self) -> bool:
        """Whether a start ever described people in full, also of those who were erased."""
        query = select(_IN_FULL.workflow_id).where(_IN_FULL.content.is_not(None)).limit(1)
        return await self._database.first(query) is not None

    async def refused(self, workflow_id: str) -> tuple[str, ...]:
        """The starts beside the one that runs, by the beginnings of their fingerprints; none while that is unknown."""
        query = select(_IN_FULL.fingerprint, _IN_FULL.chosen).where(_IN_FULL.workflow_id == workflow_id)
        rows = await self._database.rows(query.order_by(_IN_FULL.chosen.desc()).limit(STARTS_AT_MOST))
        return tuple(row.fingerprint for row in rows if not row.chosen) if any(row.chosen for row in rows) else ()

    async def unchosen(self, stored_before: datetime, position: tuple[str, str]) -> list[tuple[str, str]]:
        """Up to `UNCHOSEN_AT_ONCE` starts that were stored before an instant and are not chosen, after this key: the
        workflow id and the beginning of the fingerprint of each.
        """
        key_columns = tuple_(_IN_FULL.workflow_id, _IN_FULL.fingerprint)
        query = select(_IN_FULL.workflow_id, _IN_FULL.fingerprint).order_by(_IN_FULL.workflow_id, _IN_FULL.fingerprint)
        query = query.where(_IN_FULL.chosen.is_(False), _IN_FULL.stored_at < stored_before)
        behind = key_columns > tuple_(*map(literal, position))
        return [tuple(row) for row in await self._database.rows(query.where(behind).limit(UNCHOSEN_AT_ONCE))]

    async def add_asked(self, workflow_id: str, content: bytes) -> None:
        """Append what is sent to the provider; equal content once."""
        sha256 = hashlib.sha256(content).hexdigest()
        await self._database.insert(PEOPLE_ASKED, workflow_id=workflow_id, sha256=sha256, content=content)

    async def list_asked(self, workflow_id: str) -> tuple[bytes, ...]:
        """All ever sent, unordered."""
        statement = select(PEOPLE_ASKED.c.content).where(PEOPLE_ASKED.c.workflow_id == workflow_id)
        return tuple(row.content for row in await self._database.rows(statement.limit(ASKED_AT_MOST)))

    async def keep_index(self, location: str, name: str, content: bytes) -> None:
        """Replace the index of the people file at this place, without former addresses; `name` is the file's content.
        Those of other places go after a day: a machine that is still there makes its own again.
        """
        now = datetime.now(UTC)
        old_indexes = PEOPLE_INDEX.delete().where(
            PEOPLE_INDEX.c.place != location, PEOPLE_INDEX.c.at < now - INDEX_KEPT
        )

        def change(connection: Connection) -> None:
            replace(connection, PEOPLE_INDEX, {PEOPLE_INDEX.c.place: location}, name=name, content=content, at=now)
            connection.execute(old_indexes)

        await self._database.write(change)

    async def index(self, name: str) -> bytes | None:
        """The index of this content, by whichever machine; or None."""
        row = await self._database.first(select(PEOPLE_INDEX.c.content).where(PEOPLE_INDEX.c.name == name))
        return row.content if row else None


def keep_start(workflow_id: str, fingerprint: str, content: bytes | None, connection: Connection) -> None:
    key = {"workflow_id": workflow_id, "fingerprint": fingerprint[:OF_A_START]}
    now = datetime.now(UTC)
    if not insert_new(connection, PEOPLE_IN_FULL, **key, content=content, stored_at=now):
        conditions = (_IN_FULL[name] == value for name, value in key.items())
        connection.execute(PEOPLE_IN_FULL.update().where(*conditions).values(stored_at=now))
