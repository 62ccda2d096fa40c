"""The database itself: its URL, its schema, what becomes of a statement that cannot be run."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from activities.errors import DatabaseAway, SchemaMismatch, StoreFailure
from activities.records import database as module
from activities.records import schema
from activities.records.database import Database
from activities.records.migrations import upgrade
from activities.records.store import Store
from tests.storage import altered

COUNTS_FOR_EVER = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/it.sqlite3")


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), schema.METADATA))


def test_the_migrations_make_the_schema(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path}/it.sqlite3").connect() as connection:
        upgrade(connection)
        assert _differences(connection) == []
        assert connection.execute(schema.VERSION.select()).scalar() == schema.NEWEST


async def test_a_new_local_file_has_the_schema_at_once_also_for_two_processes(tmp_path: Path) -> None:
    both = [Database(f"sqlite:///{tmp_path}/below/it.sqlite3") for _ in range(2)]
    await asyncio.gather(*(one.check() for one in both))
    assert await both[0].read(_differences) == []


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0000", "the database has schema 0000, this needs .*: `countersign database upgrade` brings it up"),
        ("9999", "the database has schema 9999, this needs .*: start the version that upgraded it"),
    ],
)
async def test_a_schema_of_another_version_is_refused_with_what_helps(tmp_path: Path, version: str, says: str) -> None:
    store = Store(str(tmp_path))
    await store.database.check()
    altered(store, "UPDATE alembic_version SET version_num = ?", version)
    with pytest.raises(SchemaMismatch, match=says):
        await Store(str(tmp_path)).records.read("task:a")


async def test_a_statement_ends_when_its_time_is_over_and_the_connection_lives(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.check()
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 0.05)
    with pytest.raises(DatabaseAway, match="interrupted"):
        await database.first(COUNTS_FOR_EVER)
    monkeypatch.undo()
    assert await database.first(text("SELECT 1")) == (1,)


async def test_a_file_that_another_process_has_locked_is_waited_for_and_then_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 0.1)
    store = Store(str(tmp_path))
    await store.records.write("task:a", b"{}")
    with closing(sqlite3.connect(tmp_path / "countersign.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseAway, match="database is locked"):
            await store.records.write("task:b", b"{}")
        assert await store.records.read("task:a") == b"{}", "readers go on"
        other.execute("COMMIT")
    assert await store.records.write("task:b", b"{}")


async def test_a_folder_that_is_no_folder_is_said_without_statement_or_values(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseAway, match=r"^the database cannot be used: (File exists|Not a directory)$"):
        await Database(f"sqlite:///{tmp_path}/file/it.sqlite3").check()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://user:canary@host/x", "must begin with sqlite:/// or postgresql://"),
        ("canary", "must be a URL such as postgresql://"),
    ],
)
def test_a_url_of_another_kind_of_database_is_refused(url: str, says: str) -> None:
    with pytest.raises(StoreFailure, match=says) as failure:
        Database(url)
    assert "canary" not in str(failure.value)


async def test_a_password_is_in_no_address_and_in_no_error() -> None:
    database = Database("postgresql://ada:canary@127.0.0.1:9/countersign")
    assert database.address == "postgresql+psycopg://127.0.0.1:9/countersign"
    with pytest.raises(DatabaseAway) as failure:
        await database.check()
    assert "canary" not in str(failure.value)
