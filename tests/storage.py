"""A database behind the store's back, of either engine: rows that are altered, tables that are away."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, event

from activities.records.store import Store


@contextmanager
def take_table_away(store: Store, table: str) -> Iterator[None]:
    """Nothing in this table can be read or written: it has another name meanwhile."""
    _rename_table(store, table, f"{table}_away")
    try:
        yield
    finally:
        _rename_table(store, f"{table}_away", table)


@contextmanager
def writes(store: Store) -> Iterator[list[None]]:
    """An entry for each transaction that changes a local file meanwhile."""
    assert store.database.local
    store.database._make_usable()
    commits: list[None] = []

    def note(connection: Connection) -> None:
        if connection.get_execution_options()["writes"]:
            commits.append(None)

    with listening(store, "commit", note):
        yield commits


@contextmanager
def listening(store: Store, moment: str, listener: Callable[..., None]) -> Iterator[None]:
    """Have the engine of a usable store call the listener at each such moment meanwhile (SQLAlchemy's events)."""
    event.listen(store.database._engine, moment, listener)
    try:
        yield
    finally:
        event.remove(store.database._engine, moment, listener)


def altered(store: Store, statement: str, *values: object) -> int:
    """Change rows behind the store's back; how many. Values stand as `?`."""
    with connected(store) as (connection, sign), connection:
        return int(connection.execute(statement.replace("?", sign), values).rowcount)


def count(store: Store, table: str) -> int:
    """How many rows a table has."""
    with connected(store) as (connection, _):
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  ours


@contextmanager
def connected(store: Store) -> Iterator[tuple[Any, str]]:
    """A connection of our own, and how its engine writes a value."""
    if store.database.local:
        with closing(sqlite3.connect(store.database.address.removeprefix("sqlite:///"))) as connection:
            yield connection, "?"
    else:
        url = store.database._url.set(drivername="postgresql")
        with closing(psycopg.connect(url.render_as_string(hide_password=False))) as connection:
            yield connection, "%s"


def _rename_table(store: Store, old_name: str, new_name: str) -> None:
    store.database._make_usable()
    altered(store, f"ALTER TABLE {old_name} RENAME TO {new_name}")
