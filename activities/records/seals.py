"""Signatures and time stamps of evidence packs, by the SHA-256 of their manifest: made once, given again."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from activities.records.database import Database, insert_new
from activities.records.schema import SEALS

_SEAL: Final = SEALS.c


class PackSeal(NamedTuple):
    """A DSSE envelope, and an RFC 3161 time stamp if there is one."""

    envelope: bytes
    time_stamp: bytes | None


class Seals:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, sha256: str) -> PackSeal | None:
        """None if it was never sealed."""
        asked = select(_SEAL.envelope, _SEAL.time_stamp).where(_SEAL.manifest_sha256 == sha256)
        found = await self._database.first(asked)
        return PackSeal(*found) if found else None

    async def keep(self, sha256: str, workflow_id: str, envelope: bytes) -> PackSeal:
        """Store an envelope, unless there is one; the one that is there."""

        def change(connection: Connection) -> PackSeal:
            insert_new(connection, SEALS, manifest_sha256=sha256, workflow_id=workflow_id, envelope=envelope)
            asked = select(_SEAL.envelope, _SEAL.time_stamp).where(_SEAL.manifest_sha256 == sha256)
            return PackSeal(*connection.execute(asked).one())

        return await self._database.write(change)

    async def stamp(self, sha256: str, time_stamp: bytes) -> bytes:
        """Store a time stamp, unless there is one; the one that is there."""
        unstamped = _SEAL.manifest_sha256 == sha256, _SEAL.time_stamp.is_(None)

        def change(connection: Connection) -> bytes:
            connection.execute(SEALS.update().where(*unstamped).values(time_stamp=time_stamp))
            there = select(_SEAL.time_stamp).where(_SEAL.manifest_sha256 == sha256)
            found: bytes = connection.execute(there).scalar_one()
            return found

        return await self._database.write(change)
