"""The database itself: its URL, its schema, what becomes of a statement that cannot be run."""

import asyncio
import math
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text

from activities.errors import DatabaseAway, SchemaMismatch, StoreFailure
from activities.records import database as module
from activities.records import schema
from activities.records.database import CONNECTIONS_AT_MOST, TOGETHER_AT_MOST, Database, replace
from activities.records.schema import SERIALS
from activities.records.store import Store
from tests.postgresql import PostgreSQL
from tests.storage import altered, connected, count, writes

COUNTS_FOR_EVER = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as opened_database:
        yield opened_database


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path), database_url)) as opened_store:
        yield opened_store


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Statements have a tenth of a second; those of databases that are opened after this."""
    assert "database" not in request.fixturenames[: request.fixturenames.index("briefly")]
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 0.1)


def differences(connection: Connection) -> list[object]:
    """All tables are looked at, which takes a local file longer than a statement may where much else runs."""
    connection.info["until"] = math.inf
    return list(compare_metadata(MigrationContext.configure(connection), schema.METADATA))


async def test_the_migrations_make_the_schema(tmp_path: Path, database: Database) -> None:
    if database.local:  # whose file has the schema by itself
        database = Database(f"sqlite:///{tmp_path}/another.sqlite3")
        await database.upgrade()
    assert await database.read(differences) == []
    assert await database.first(schema.VERSION.select()) == (schema.NEWEST,)
    await database.upgrade()
    await database.check()


async def test_a_server_s_database_is_upgraded_before_it_is_used(postgresql: PostgreSQL) -> None:
    name = postgresql.create()
    with closing(Database(postgresql.url(name))) as database:
        with pytest.raises(SchemaMismatch, match=r"has no schema, .*: `countersign database upgrade` brings it up"):
            await database.check()
        with closing(Database(postgresql.url(name))) as other_database:
            await asyncio.gather(database.upgrade(), other_database.upgrade())
        await database.check()
    postgresql.drop(name)


async def test_a_new_local_file_has_the_schema_at_once_also_for_two_processes(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path}/below/it.sqlite3") for _ in range(2)]
    await asyncio.gather(*(database.check() for database in databases))
    assert await databases[0].read(differences) == []
    for database in databases:
        database.close()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0000", "the database has schema 0000, this needs .*: `countersign database upgrade` brings it up"),
        ("9999", "the database has schema 9999, this needs .*: start the version that upgraded it"),
    ],
)
async def test_a_schema_of_another_version_is_refused_with_what_helps(
    tmp_path: Path, database_url: str, store: Store, version: str, message: str
) -> None:
    await store.database.check()
    altered(store, "UPDATE alembic_version SET version_num = ?", version)
    with closing(Store(str(tmp_path), database_url)) as another, pytest.raises(SchemaMismatch, match=message):
        await another.records.read("task:a")


async def test_a_statement_ends_when_its_time_is_over_and_the_connection_lives(
    briefly: None, database: Database
) -> None:
    await database.check()
    with pytest.raises(DatabaseAway, match=r"^the database cannot be used: (interrupted|QueryCanceled)$"):
        await database.first(COUNTS_FOR_EVER)
    assert await database.first(text("SELECT 1")) == (1,)


async def test_what_another_process_has_locked_is_waited_for_and_then_away(briefly: None, store: Store) -> None:
    await store.records.write("task:a", b"{}")
    lock = "BEGIN IMMEDIATE" if store.database.local else "LOCK TABLE records IN EXCLUSIVE MODE"
    with connected(store) as (other_connection, _):
        other_connection.isolation_level = None
        other_connection.execute(lock)
        with pytest.raises(DatabaseAway, match=r": (database is locked|LockNotAvailable|QueryCanceled)$"):
            await store.records.write("task:b", b"{}")
        assert await store.records.read("task:a") == b"{}", "readers go on"
        other_connection.rollback()
    assert await store.records.write("task:b", b"{}")


async def test_changes_are_made_as_if_one_were_alone(database: Database) -> None:
    """Read, then write what follows from it: of forty at once, each sees what the others have done."""

    def count_on(connection: Connection) -> None:
        serial = connection.execute(select(SERIALS.c.serial).where(SERIALS.c.of == "it")).scalar() or "0"
        replace(connection, SERIALS, {SERIALS.c.of: "it"}, serial=str(int(serial) + 1))

    await asyncio.gather(*(database.write(count_on) for _ in range(40)))
    assert await database.first(select(SERIALS.c.serial)) == ("40",)


async def test_changes_of_one_step_are_one_transaction_of_a_local_file(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path))) as store:
        await store.database.check()
        with writes(store) as store_writes:
            await asyncio.gather(*(store.records.write(f"task:{number}", b"{}") for number in range(TOGETHER_AT_MOST)))
        assert (len(store_writes), count(store, "records")) == (1, TOGETHER_AT_MOST)
        with writes(store) as store_writes:
            repeated_writes = [store.records.write(f"task:{number}", b"{}") for number in range(TOGETHER_AT_MOST + 1)]
            assert await asyncio.gather(*repeated_writes) == [False] * TOGETHER_AT_MOST + [True]
        assert len(store_writes) == 2


async def test_of_changes_that_are_written_together_one_that_fails_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 0.1)
    with closing(Store(str(tmp_path))) as store:
        await store.database.check()
        results = await asyncio.gather(
            store.records.write("task:a", b"{}"),
            store.database.write(lambda connection: connection.execute(COUNTS_FOR_EVER)),
            store.records.write("task:b", b"{}"),
            store.database.write(lambda connection: 1 / 0),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [bool, DatabaseAway, bool, ZeroDivisionError]
        assert count(store, "records") == 2


async def test_a_change_that_nobody_waits_for_any_more_is_not_made(tmp_path: Path) -> None:
    busy = threading.Event()
    with closing(Store(str(tmp_path))) as store:
        store.database._writers.submit(busy.wait)
        tasks = [asyncio.create_task(store.records.write(f"task:{name}", b"{}")) for name in "ab"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        busy.set()
        assert await tasks[1]
        assert await store.records.read("task:a") is None


async def test_the_answer_of_a_server_that_stands_still_is_not_waited_for(
    postgresql: PostgreSQL, upgraded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Database(postgresql.url(upgraded))) as database:
        await database.check()
        with monkeypatch.context() as patches, postgresql.stopped():
            patches.setattr(module, "CALL_SECONDS", 0.2)
            with pytest.raises(DatabaseAway, match="no answer within"):
                await database.first(text("SELECT 1"))
        assert await database.first(text("SELECT 1")) == (1,)


async def test_a_server_that_died_is_used_again_once_it_is_back(postgresql: PostgreSQL, upgraded: str) -> None:
    with closing(Database(postgresql.url(upgraded))) as database:
        await asyncio.gather(*(database.check() for _ in range(CONNECTIONS_AT_MOST)))
        postgresql.kill()
        try:
            with pytest.raises(DatabaseAway, match="Connection refused"):
                await database.check()
        finally:
            postgresql.start()
        await asyncio.gather(*(database.check() for _ in range(CONNECTIONS_AT_MOST)))


async def test_a_server_that_has_no_place_for_us_is_away(postgresql: PostgreSQL, upgraded: str) -> None:
    postgresql.run(f"ALTER DATABASE {upgraded} CONNECTION LIMIT 0")
    try:
        postgresql.run("DROP ROLE IF EXISTS guest")
        postgresql.run("CREATE ROLE guest LOGIN")
        with (
            closing(Database(postgresql.url(upgraded, "guest"))) as database,
            pytest.raises(DatabaseAway, match=r": too many connections for database …$"),
        ):
            await database.check()
    finally:
        postgresql.run(f"ALTER DATABASE {upgraded} CONNECTION LIMIT -1")
        postgresql.run("DROP ROLE guest")


async def test_no_value_of_a_statement_is_in_an_error(database: Database) -> None:
    await database.check()
    with pytest.raises(DatabaseAway) as failure:
        await database.first(text("SELECT CAST(:value AS integer) / 0 FROM nowhere").bindparams(value="canary"))
    assert "canary" not in str(failure.value)


async def test_a_folder_that_is_no_folder_is_said_without_statement_or_values(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseAway, match=r"^the database cannot be used: (File exists|Not a directory)$"):
        await Database(f"sqlite:///{tmp_path}/file/it.sqlite3").check()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://user:canary@host/x", "must begin with sqlite:/// or postgresql://"),
        ("canary", "must be a URL such as postgresql://"),
    ],
)
def test_a_url_of_another_kind_of_database_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreFailure, match=message) as failure:
        Database(url)
    assert "canary" not in str(failure.value)


async def test_a_password_is_in_no_address_and_in_no_error() -> None:
    database = Database("postgresql://ada:canary@127.0.0.1:9/countersign")
    assert database.address == "postgresql+psycopg://127.0.0.1:9/countersign"
    with pytest.raises(DatabaseAway) as failure:
        await database.check()
    assert "canary" not in str(failure.value)
