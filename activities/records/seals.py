"""Signatures of evidence packs, by the SHA-256 of their manifest: made once, given again."""

from typing import Final

from sqlalchemy import Connection, select

from activities.records.database import Database, insert_new
from activities.records.schema import SEALS

_SEAL: Final = SEALS.c


class Seals:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, sha256: str) -> bytes | None:
        """The DSSE envelope; None if there is none."""
        row = await self._database.first(select(_SEAL.envelope).where(_SEAL.manifest_sha256 == sha256))
        return row.envelope if row else None

    async def keep(self, sha256: str, envelope: bytes) -> bytes:
        """Store an envelope, unless there is one; returns the stored one."""

        def change(connection: Connection) -> bytes:
            insert_new(connection, SEALS, manifest_sha256=sha256, envelope=envelope)
            stored = select(_SEAL.envelope).where(_SEAL.manifest_sha256 == sha256)
            return bytes(connection.execute(stored).scalar_one())

        return await self._database.write(change)
