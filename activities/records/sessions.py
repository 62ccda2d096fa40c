"""Browsers that are signed in at the desk. A session is found by the hash of its cookie's nonce, and by what the OpenID
issuer calls it, and is over when its row is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from activities.records.database import Database
from activities.records.schema import DESK_SESSIONS

LONGEST_SESSION: Final = timedelta(hours=12)
"""A day's work; closing the browser ends it sooner."""
SESSIONS_AT_MOST: Final = 20
"""Of one person: the oldest end."""
DROPPED_AT_MOST: Final = 500
"""Sessions that one statement drops."""
_ROW: Final = DESK_SESSIONS.c


@dataclass(frozen=True)
class IssuerSession:
    """What the OpenID issuer says of a session: `sid` is its own name for it, `id_token` is sealed."""

    sid: str | None
    subject: str
    groups: tuple[str, ...] = ()
    id_token: str | None = None


class SessionRow(NamedTuple):
    """`id_token` is the sealed token of the OpenID issuer; None without one."""

    person: str
    signed_in_at: datetime
    id_token: str | None


class DeskSessions:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, nonce_sha256: str, person: str, now: datetime, of_issuer: IssuerSession | None = None
    ) -> None:
        """A new session of a person."""
        values = {"nonce_sha256": nonce_sha256, "person": person, "signed_in_at": now, "groups": []}
        if of_issuer:
            values |= {"sid": of_issuer.sid, "subject": of_issuer.subject, "groups": list(of_issuer.groups)}
            values |= {"id_token": of_issuer.id_token}
        newest_first = select(_ROW.nonce_sha256).where(_ROW.person == person).order_by(_ROW.signed_in_at.desc())

        def change(connection: Connection) -> None:
            former = [row.nonce_sha256 for row in connection.execute(newest_first)]
            superfluous = _ROW.nonce_sha256.in_(former[SESSIONS_AT_MOST - 1 :])
            connection.execute(DESK_SESSIONS.delete().where(superfluous))
            connection.execute(DESK_SESSIONS.insert(), values)

        await self._database.write(change)

    async def find(self, nonce_sha256: str) -> SessionRow | None:
        row = await self._database.first(select(DESK_SESSIONS).where(_ROW.nonce_sha256 == nonce_sha256))
        return _row(row) if row else None

    async def end(self, nonce_sha256: str) -> SessionRow | None:
        """The session that has ended with this; None if it was over before."""

        def change(connection: Connection) -> SessionRow | None:
            row = connection.execute(select(DESK_SESSIONS).where(_ROW.nonce_sha256 == nonce_sha256)).first()
            connection.execute(DESK_SESSIONS.delete().where(_ROW.nonce_sha256 == nonce_sha256))
            return _row(row) if row else None

        return await self._database.write(change)

    async def end_all(self, person: str) -> int:
        """How many of a person have ended with this."""
        return await self._database.change(DESK_SESSIONS.delete().where(_ROW.person == person))

    async def end_of_issuer(self, sid: str | None, subject: str | None) -> int:
        """How many have ended with this: the one that the issuer calls `sid`, or without one all of `subject`."""
        conditions = ([_ROW.sid == sid] if sid else []) + ([_ROW.subject == subject] if subject else [])
        return await self._database.change(DESK_SESSIONS.delete().where(*conditions)) if conditions else 0

    async def groups_of(self, person: str, now: datetime) -> frozenset[str]:
        """The groups that the issuer has named at the last sign-in of a session that lasts."""
        lasting = _ROW.person == person, _ROW.signed_in_at > now - LONGEST_SESSION, _ROW.subject.is_not(None)
        query = select(_ROW.groups).where(*lasting).order_by(_ROW.signed_in_at.desc()).limit(1)
        row = await self._database.first(query)
        return frozenset(row.groups) if row else frozenset()

    async def count(self, person: str) -> int:
        query = select(func.count()).select_from(DESK_SESSIONS).where(_ROW.person == person)
        rows: Sequence[Any] = await self._database.rows(query)
        return int(rows[0][0])

    async def drop(self, now: datetime) -> int:
        """Remove sessions that are over, a limited number; how many there were."""
        old_sessions = select(_ROW.nonce_sha256).where(_ROW.signed_in_at <= now - LONGEST_SESSION)
        return await self._database.drop(DESK_SESSIONS, old_sessions.limit(DROPPED_AT_MOST))


def _row(row: Any) -> SessionRow:
    return SessionRow(row.person, row.signed_in_at, row.id_token)
