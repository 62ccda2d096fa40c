"""A database that is away: what is asked of it fails."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from activities.records.store import Store


@contextmanager
def away(store: Store, table: str) -> Iterator[None]:
    """Nothing in this table of a local database can be read or written: it has another name meanwhile."""
    _renamed(store, table, f"{table}_away")
    try:
        yield
    finally:
        _renamed(store, f"{table}_away", table)


def altered(store: Store, statement: str, *values: object) -> int:
    """Change rows of a local database behind the store's back; how many."""
    with closing(sqlite3.connect(database_of(store))) as connection, connection:
        return connection.execute(statement, values).rowcount


def count(store: Store, table: str) -> int:
    """How many rows a table of a local database has."""
    with closing(sqlite3.connect(database_of(store))) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  ours


def database_of(store: Store) -> str:
    """The file of a local database."""
    return store.database.address.removeprefix("sqlite:///")


def _renamed(store: Store, before: str, after: str) -> None:
    store.database._make_usable()
    altered(store, f"ALTER TABLE {before} RENAME TO {after}")
