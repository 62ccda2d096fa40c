"""Allowances that hold for all processes together: token buckets, one statement for each token."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Double, case, cast, func, literal, select

from activities.records.database import Database, insert_into
from activities.records.schema import ALLOWANCES

_BUCKET: Final = ALLOWANCES.c
_A_HAIR: Final = 0.001
"""Seconds that sums of fractions may be off."""
DROPPED_AT_MOST: Final = 10_000
"""Full buckets dropped by one statement."""


@dataclass(frozen=True)
class Rate:
    """A token bucket: its size and refill."""

    burst: int
    per_second: float

    @property
    def seconds_per_token(self) -> float:
        """Seconds until a token is back."""
        return 1 / self.per_second

    @property
    def full_after(self) -> float:
        """Seconds until an empty bucket is full."""
        return self.burst / self.per_second


@dataclass(frozen=True)
class Allowance:
    """Whether a token was taken: seconds to `wait` until there is one, 0 if it was, and the tokens left."""

    wait: float = 0.0
    remaining: int = 0


class SharedAllowances:
    """A row has the instant from which its bucket is full, under a hash: no name or address. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, rate: Rate, now: datetime) -> Allowance:
        """Take a token of the bucket of this name. A server's clock counts instead of `now`, for machines differ."""
        key, latest = _key(name), rate.full_after + _A_HAIR

        def change(connection: Connection) -> Allowance:
            server_now = _clock(connection, now)
            full_at = case((_BUCKET.full_at > server_now, _BUCKET.full_at), else_=server_now) + rate.seconds_per_token
            taking = insert_into(connection, ALLOWANCES).values(name=key, full_at=server_now + rate.seconds_per_token)
            taking = taking.on_conflict_do_update(
                index_elements=[_BUCKET.name], set_={"full_at": full_at}, where=full_at - server_now <= latest
            )
            if row := connection.execute(taking.returning(_BUCKET.full_at - server_now)).first():
                return Allowance(remaining=int((latest - row[0]) / rate.seconds_per_token))
            empty_for = connection.execute(select(_BUCKET.full_at - server_now).where(_BUCKET.name == key)).scalar_one()
            return Allowance(wait=float(empty_for) + rate.seconds_per_token - rate.full_after)

        return await self._database.write_rows(change)

    async def look(self, name: str, rate: Rate, now: datetime) -> float:
        """The seconds until there is a token, 0 if there is one; takes none."""

        def read(connection: Connection) -> float:
            query = select(_BUCKET.full_at - _clock(connection, now)).where(_BUCKET.name == _key(name))
            empty_for = connection.execute(query).scalar()
            return max(0.0, float(empty_for or 0.0) + rate.seconds_per_token - rate.full_after - _A_HAIR)

        return await self._database.write_rows(read)

    async def refill(self, name: str) -> None:
        await self._database.change(ALLOWANCES.delete().where(_BUCKET.name == _key(name)))

    async def drop_full(self, now: datetime) -> int:
        """Remove rows of full buckets, a limited number; how many there were."""
        full = select(_BUCKET.name).where(_BUCKET.full_at < now.timestamp()).limit(DROPPED_AT_MOST)
        return await self._database.change(ALLOWANCES.delete().where(_BUCKET.name.in_(full)))


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _clock(connection: Connection, now: datetime) -> Any:
    """Seconds since 1970."""
    if connection.dialect.name == "sqlite":  # on this machine
        return literal(now.timestamp(), Double)
    return cast(func.extract("epoch", func.statement_timestamp()), Double)
