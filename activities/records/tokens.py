"""Tokens by which programs call the API: each has a name and rights, and is stored as its hash."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from activities.records.database import Database, replace
from activities.records.schema import TOKENS

TOKENS_AT_MOST: Final = 1_000
"""Names, revoked ones included."""
PREFIX: Final = "cst_"
"""Every token begins with it, so that one in a file can be found."""
_BYTES: Final = 32
_ROW: Final = TOKENS.c


class TokenRow(NamedTuple):
    """`may` are the rights as they were written; `used_at` is at most some minutes old."""

    name: str
    may: tuple[str, ...]
    made_at: datetime
    made_by: str
    used_at: datetime | None
    revoked_at: datetime | None


class NameTaken(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is a token {name} already: revoke it first, or choose another name")


class TooManyTokens(Exception):
    def __init__(self) -> None:
        super().__init__(f"there are {TOKENS_AT_MOST:,} tokens already: give one that was revoked its name again")


class Tokens:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, name: str, may: Sequence[str], actor: str, now: datetime) -> str:
        """A new token, which nobody can read again. A name that was revoked may be given anew. Raises `NameTaken`,
        `TooManyTokens`.
        """
        token = PREFIX + secrets.token_urlsafe(_BYTES)
        values = {"may": list(may), "made_at": now, "made_by": actor, "used_at": None, "revoked_at": None}

        def change(connection: Connection) -> str:
            former_row = connection.execute(select(TOKENS).where(_ROW.name == name)).first()
            if former_row and former_row.token_sha256:
                raise NameTaken(name)
            if not former_row and (connection.scalar(select(func.count()).select_from(TOKENS)) or 0) >= TOKENS_AT_MOST:
                raise TooManyTokens
            replace(connection, TOKENS, {_ROW.name: name}, token_sha256=sha256_of(token), **values)
            return token

        return await self._database.write(change)

    async def find(self, token: str) -> TokenRow | None:
        """The row of a living token."""
        return await self.find_hashed(sha256_of(token))

    async def find_hashed(self, sha256: str) -> TokenRow | None:
        """The row of a living token with this hash (`sha256_of`)."""
        row = await self._database.first(select(TOKENS).where(_ROW.token_sha256 == sha256))
        return _row(row) if row else None

    async def used(self, name: str, now: datetime) -> None:
        await self._database.change(TOKENS.update().where(_ROW.name == name).values(used_at=now))

    async def revoke(self, name: str, now: datetime) -> bool:
        """It counts no more from now on; False if there is no living one of this name."""
        living = _ROW.name == name, _ROW.token_sha256.is_not(None)
        revocation = TOKENS.update().where(*living).values(token_sha256=None, revoked_at=now)
        return await self._database.change(revocation) > 0

    async def all(self) -> tuple[TokenRow, ...]:
        """By name, revoked ones included."""
        rows = await self._database.rows(select(TOKENS).order_by(_ROW.name).limit(TOKENS_AT_MOST))
        return tuple(map(_row, rows))


def sha256_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _row(row: Any) -> TokenRow:
    return TokenRow(row.name, tuple(row.may), row.made_at, row.made_by, row.used_at, row.revoked_at)
