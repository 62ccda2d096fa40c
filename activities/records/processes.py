"""Workers and web processes that run now: each renews a row with what it runs with. They share the rate of calls."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, DateTime, func, select

from activities.records.database import Database, replace
from activities.records.schema import PROCESSES

LEASE: Final = timedelta(seconds=15)
"""How long a process counts that does not renew its row."""
KEPT: Final = timedelta(days=1)
"""How long the row of a process stays that was killed."""
RUNNING_AT_MOST: Final = 1_000
"""Processes that are read."""
_ROW: Final = PROCESSES.c


class ProcessRole(StrEnum):
    WORKER = "worker"
    """Works on the calls to Core Signature."""
    POOL = "pool worker"
    """A worker on other queues alone, which calls now and then: for reconciliation, or a mail."""
    WEB = "web"


@dataclass(frozen=True)
class Process:
    """A process and what it runs with: its version, and the hashes of its files, empty for one that it lacks."""

    identity: str
    role: ProcessRole
    host: str
    version: str
    people: str = ""
    catalogue: str = ""
    mappings: str = ""


class Processes:
    """By a server's clock, as machines differ. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def renew(self, process: Process) -> None:
        """Have its row say that it still runs."""
        values = asdict(process)
        key = {_ROW.identity: values.pop("identity")}
        await self._database.write_rows(
            lambda connection: replace(connection, PROCESSES, key, **values, seen_at=_ago(connection))
        )

    async def leave(self, identity: str) -> None:
        """The others have its share from now on."""
        await self._database.change(PROCESSES.delete().where(_ROW.identity == identity))

    async def count(self) -> Counter[ProcessRole]:
        """How many of each role run."""

        def ask(connection: Connection) -> Counter[ProcessRole]:
            running = select(_ROW.role, func.count()).where(_ROW.seen_at > _ago(connection, LEASE))
            return Counter(
                {ProcessRole(role): count for role, count in connection.execute(running.group_by(_ROW.role))}
            )

        return await self._database.read(ask)

    async def running(self) -> Sequence[Process]:
        """Those that run, by role and host."""

        def ask(connection: Connection) -> Sequence[Process]:
            running = select(*_FIELDS).where(_ROW.seen_at > _ago(connection, LEASE))
            result = connection.execute(running.order_by(_ROW.role, _ROW.host, _ROW.identity).limit(RUNNING_AT_MOST))
            return [Process(**{**row, "role": ProcessRole(row["role"])}) for row in result.mappings()]

        return await self._database.read(ask)

    async def drop(self, now: datetime) -> int:
        """Remove rows of processes that have not run for a day; how many."""
        return await self._database.change(PROCESSES.delete().where(_ROW.seen_at < now - KEPT))


_FIELDS: Final = [_ROW[field.name] for field in fields(Process)]


def _ago(connection: Connection, span: timedelta = timedelta()) -> Any:
    """An instant so long ago."""
    if connection.dialect.name == "sqlite":  # on this machine
        return datetime.now(UTC) - span
    return func.statement_timestamp(type_=DateTime(timezone=True)) - span
