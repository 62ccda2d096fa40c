"""A process that writes into a database until it is killed, each kind of write into each table; and what must be there
afterwards.
"""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, Date, Double, Integer, LargeBinary, Table, select

from activities.records import schema
from activities.records.database import Database, insert_new
from activities.records.schema import METADATA, InstantType
from activities.records.store import Store

TABLES: Final = [table for table in METADATA.sorted_tables if table is not schema.VERSION]
BEGUN: Final = -1
_BYTES_AT_MOST: Final = 12_000
"""Some pages of SQLite, so that a write is more than one."""


@dataclass(frozen=True)
class Row:
    """A row of a table and those it refers to, written at once. All values follow from `number` and `version`."""

    table: str
    number: int

    @property
    def tables(self) -> list[Table]:
        return [*_referred(METADATA.tables[self.table]), METADATA.tables[self.table]]

    def values(self, table: Table, version: int) -> dict[str, Any]:
        return {column.name: _value(column, self.number, version) for column in table.columns}

    def key(self, table: Table) -> dict[Column[Any], Any]:
        return {column: _value(column, self.number, 0) for column in table.primary_key.columns}


def _referred(table: Table) -> list[Table]:
    direct = {key.column.table for key in table.foreign_keys} - {table}
    return [table for table in METADATA.sorted_tables if table in direct.union(*map(_referred, direct))]


def _value(column: Column[Any], number: int, version: int) -> Any:
    while column.foreign_keys:
        [key] = column.foreign_keys
        column = key.column
    if column.primary_key:
        version = 0
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number, microseconds=version)
    dice = random.Random(f"{column.name}/{number}/{version}")  # noqa: S311  no secret
    match column.type:
        case InstantType():
            return instant
        case Date():
            return instant.date()
        case Boolean():
            return bool(version)
        case Integer() | Double():
            return number * len(STEPS) + version
        case LargeBinary():
            return dice.randbytes(dice.randrange(_BYTES_AT_MOST))
    return f"{number}-{dice.randbytes(20).hex()}"


Done = tuple[Row, int]
"""A row and the index of the step that was acknowledged; `BEGUN` before the first."""


def write(folder: str, url: str, seed: int, acknowledged: Pipe) -> None:
    """Write until killed; each acknowledged step is sent to `acknowledged`."""
    asyncio.run(_write(Store(folder, url), random.Random(seed), seed, acknowledged))  # noqa: S311  no secret


async def _write(store: Store, dice: random.Random, seed: int, acknowledged: Pipe) -> None:
    for count in range(1_000_000):
        row = Row(TABLES[(seed + count) % len(TABLES)].name, seed * 1_000 + count)
        acknowledged.send((row, BEGUN))
        for number, step in enumerate(STEPS[: dice.randint(1, len(STEPS))]):
            await step(store.database, row)
            acknowledged.send((row, number))
        acknowledged.send(await store.files.put(dice.randbytes(_BYTES_AT_MOST)))


async def _insert_row(database: Database, row: Row) -> None:
    def insert(connection: Connection) -> None:
        for table in row.tables:
            assert insert_new(connection, table, **row.values(table, 0))

    await database.write(insert)


async def _replace_row(database: Database, row: Row) -> None:
    table = METADATA.tables[row.table]
    key = row.key(table)
    names = {column.name for column in key}
    if values := {name: value for name, value in row.values(table, 1).items() if name not in names}:
        await database.replace(table, key, **values)
    else:
        await database.insert(table, **row.values(table, 1))


async def _remove_row(database: Database, row: Row) -> None:
    table = METADATA.tables[row.table]
    await database.change(table.delete().where(*(column == value for column, value in row.key(table).items())))


STEPS: Final = (_insert_row, _replace_row, _remove_row)
"""What becomes of a row, one after the other."""


def wrong(connection: Connection, writes: Iterable[Done]) -> list[str]:
    """What is not as the acknowledged steps left it, or half of one more: a line each."""
    last = dict(writes)
    return [line for row, step in last.items() for line in _wrong(connection, row, step)]


def _wrong(connection: Connection, row: Row, step: int) -> Iterable[str]:
    table = METADATA.tables[row.table]
    stored_row = _read_row(connection, row, table)
    # The next step may have been done as well, without word of it.
    may_be = [_expected_row(row, table, written_step) for written_step in (step, step + 1) if written_step < len(STEPS)]
    if stored_row not in may_be:
        yield f"{row} after {step}: {'half' if stored_row else 'lost'}"
    for referred_table in row.tables[:-1]:
        whole_row = row.values(referred_table, 0)
        referred_row = _read_row(connection, row, referred_table)
        if referred_row != whole_row and (referred_row or step >= 0 or stored_row):
            yield f"{row}: of {referred_table.name} {'half' if referred_row else 'nothing'}"


def _expected_row(row: Row, table: Table, step: int) -> dict[str, Any] | None:
    return row.values(table, step) if 0 <= step < len(STEPS) - 1 else None


def _read_row(connection: Connection, row: Row, table: Table) -> dict[str, Any] | None:
    key = (column == value for column, value in row.key(table).items())
    stored_row = connection.execute(select(table).where(*key)).mappings().one_or_none()
    return dict(stored_row) if stored_row else None
