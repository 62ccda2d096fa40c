"""The floor of a record's write: the same rows by hand in one transaction, over a driver without anything else.

For a record of three signers and a requester: two statements, six rows (one of `records`, five of `record_lists`: of
all, of each signer, of the requester), 3.3 KB of content and 0.2 KB of each list's row. SQLite syncs as ours does.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

RECORD_COLUMNS: Final = (
    "workflow_id",
    "kind",
    "status",
    "title",
    "requester",
    "ended_at",
    "facet",
    "content",
    "sha256",
)
LIST_COLUMNS: Final = ("of", "person", "facet", "ended_at", "workflow_id")


class Driver(Protocol):
    """A connection of `sqlite3` or `psycopg`."""

    def cursor(self) -> Any:
        """What executes."""

    def commit(self) -> None:
        """Until it is on disk."""

    def close(self) -> None:
        """Without what is not committed."""


def connect(url: str) -> Driver:
    """The same file or database, with the same promise."""
    if not url.startswith("sqlite:///"):
        import psycopg

        return psycopg.connect(url)
    import sqlite3

    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def insert(connection: Driver, mark: str, record: Sequence[Any], lists: Sequence[Sequence[Any]]) -> None:
    """One transaction, with the driver's own `mark` for values."""
    cursor = connection.cursor()
    cursor.execute(_insert_into("records", RECORD_COLUMNS, mark), record)
    cursor.executemany(_insert_into("record_lists", LIST_COLUMNS, mark), lists)
    connection.commit()


def _insert_into(table: str, columns: Sequence[str], mark: str) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608  names of ours
