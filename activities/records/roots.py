"""Daily roots over the records written since the one before: which records are under which, and the roots."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from activities.errors import DatabaseAway
from activities.records.database import Database, insert_new
from activities.records.schema import RECORDS, ROOTS

RECORDS_AT_ONCE: Final = 2_000
"""Records of one statement."""
ROOTS_AT_ONCE: Final = 100
_IS: Final = RECORDS.c


class Root(NamedTuple):
    """`content` is what was signed, canonical JSON; `envelope` is None where there was no key."""

    number: int
    until: datetime
    size: int
    root: str
    content: bytes
    sha256: str
    envelope: bytes | None = None
    time_stamp: bytes | None = None


_ROW: Final = tuple(ROOTS.c[name] for name in Root._fields)


class Roots:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self) -> Root | None:
        found = await self._database.first(select(*_ROW).order_by(ROOTS.c.number.desc()).limit(1))
        return Root(*found) if found else None

    async def gather(self, number: int) -> None:
        """Put all records that are under no root yet under this one, which is not written yet."""
        some = select(_IS.workflow_id).where(_IS.root.is_(None)).order_by(_IS.workflow_id).limit(RECORDS_AT_ONCE)
        written = select(ROOTS.c.number).where(ROOTS.c.number == number).exists()
        gathering = RECORDS.update().where(_IS.workflow_id.in_(some.correlate(None)), ~written).values(root=number)
        while await self._database.change(gathering):
            pass

    async def leaves(self, number: int) -> AsyncIterator[list[tuple[str, str]]]:
        """Workflow id and SHA-256 of each record under a root, in order."""
        after = ""
        while True:
            asked = select(_IS.workflow_id, _IS.sha256).where(_IS.root == number, _IS.workflow_id > after)
            found = await self._database.rows(asked.order_by(_IS.workflow_id).limit(RECORDS_AT_ONCE))
            if found:
                yield [(row.workflow_id, row.sha256) for row in found]
                after = found[-1].workflow_id
            if len(found) < RECORDS_AT_ONCE:
                return

    async def write(self, root: Root) -> Root:
        """Write a root once; the one that is there. `DatabaseAway` if records came under it meanwhile."""
        counted = select(func.count()).select_from(RECORDS).where(_IS.root == root.number)

        def change(connection: Connection) -> Root:
            if connection.execute(counted).scalar_one() != root.size:
                raise DatabaseAway("another process makes the root of this day")
            insert_new(connection, ROOTS, **root._asdict())
            return Root(*connection.execute(select(*_ROW).where(ROOTS.c.number == root.number)).one())

        return await self._database.write(change)

    async def all(self) -> AsyncIterator[Root]:
        """Oldest first."""
        after = 0
        while True:
            asked = select(*_ROW).where(ROOTS.c.number > after).order_by(ROOTS.c.number).limit(ROOTS_AT_ONCE)
            found = await self._database.rows(asked)
            for row in found:
                yield Root(*row)
            if len(found) < ROOTS_AT_ONCE:
                return
            after = found[-1].number
