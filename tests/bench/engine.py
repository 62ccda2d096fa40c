"""The databases that a bench can have its records in."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests import postgresql
from tests.bench.history import NotAsAsked

_DURABLE: Final = ("fsync=on", "full_page_writes=on")


class Engine(StrEnum):
    """Each has its name in figures."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


@contextmanager
def empty_database(engine: Engine, folder: Path) -> Iterator[str]:
    """The URL of one: a file in `folder`, or a database of a server of our own that keeps what it has committed."""
    if engine is Engine.SQLITE:
        yield f"sqlite:///{folder}/records.sqlite3"
        return
    if postgresql.program("postgres") is None:
        raise NotAsAsked(postgresql.HOW_TO_HAVE_IT)
    with postgresql.postgresql(*_DURABLE) as server:
        yield server.url(server.create())
