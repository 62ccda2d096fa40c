"""The schema at the start of commands and processes: upgraded when asked, refused when it is of another version."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import worker
from activities.errors import SchemaMismatch
from activities.records.schema import NEWEST
from activities.records.store import Store
from starter.boot import clients, databases
from starter.boot.person_ids import wait_for_database
from starter.config.settings import load
from starter.temporal import connection
from starter.temporal.search_attributes import SetUpResult
from starter.web import app as receiver
from tests.glances import glances
from tests.postgresql import PostgreSQL
from tests.servers import own_namespace
from tests.starter.terminal import make_complete_environment, type_
from tests.storage import altered


@pytest.fixture
def empty(postgresql: PostgreSQL) -> Iterator[str]:
    """A database without any table."""
    name = postgresql.create()
    yield postgresql.url(name)
    postgresql.drop(name)


def test_a_server_s_database_is_upgraded_by_the_word_and_refused_before(empty: str, tmp_path: Path) -> None:
    environment = {**make_complete_environment(tmp_path), "COUNTERSIGN_DATABASE": empty}
    refused = type_("request", "list", **environment)
    message = f"the database has no schema, this needs {NEWEST}: `countersign database upgrade` brings it up\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", message)
    upgraded = [json.loads(type_("database", "upgrade", "--json", **environment).stdout) for _ in range(2)]
    assert [(answer["before"], answer["now"]) for answer in upgraded] == [(None, NEWEST), (NEWEST, NEWEST)]
    assert "countersign@" not in upgraded[0]["database"]
    assert "has schema" in type_("database", "upgrade", **environment).stdout
    listing = type_("request", "list", **environment, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert "no Temporal server" in listing.stderr


def test_a_local_file_is_made_by_the_word_too(tmp_path: Path) -> None:
    upgraded = json.loads(type_("database", "upgrade", "--json", **make_complete_environment(tmp_path)).stdout)
    assert (upgraded["before"], upgraded["now"]) == (None, NEWEST)
    with closing(Store(str(tmp_path / "store"), upgraded["database"])) as store:
        asyncio.run(store.check())


async def test_what_is_set_up_says_how_the_database_is(empty: str, tmp_path: Path) -> None:
    settings = load(environment={**make_complete_environment(tmp_path), "COUNTERSIGN_DATABASE": empty})
    outcomes = [(await databases.ensure_schema(settings)).made for _ in range(2)]
    assert outcomes == [SetUpResult.CREATED, SetUpResult.EXISTS]
    nowhere = {"COUNTERSIGN_DATABASE": "postgresql://a@127.0.0.1:1/b"}
    result = await databases.ensure_schema(load(environment={**make_complete_environment(tmp_path), **nowhere}))
    assert (result.made, result.says) == (SetUpResult.FAILED, "the database cannot be used: Connection refused")


async def test_a_process_waits_for_a_database_that_is_away_and_says_so(
    postgresql: PostgreSQL, upgraded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PAUSES", (0.05,))
    postgresql.kill()
    try:
        database = {"COUNTERSIGN_DATABASE": postgresql.url(upgraded), "COUNTERSIGN_DATA_DIR": str(tmp_path)}
        with closing(clients.store(settings := load(environment=database))) as store, capture_logs() as logs:
            waiting = asyncio.create_task(wait_for_database(settings, store))
            for pause in glances():
                if len(logs) > 1:
                    break
                await asyncio.sleep(pause)
            await asyncio.to_thread(postgresql.start)
            assert await waiting
    finally:
        postgresql.kill()
        postgresql.start()
    assert (logs[0]["event"], logs[0]["why"]) == (
        "waiting for the database",
        "the database cannot be used: Connection refused",
    )


async def test_neither_worker_nor_web_process_starts_on_another_schema(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    environment = {"TEMPORAL_ADDRESS": dev_server, "TEMPORAL_NAMESPACE": client.namespace}
    settings = load(
        environment={**make_complete_environment(tmp_path), **environment, "COUNTERSIGN_WEBHOOK_BIND": "127.0.0.1:0"}
    )
    with closing(Store(settings.store_url, settings.database_url)) as store:
        await store.check()
        altered(store, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match=r"has schema 9999, .*: start the version that upgraded it"):
        async with worker.run_workers(settings, asyncio.Event()):
            pass
    with pytest.raises(SchemaMismatch, match="has schema 9999"):
        await receiver.serve(settings)


async def test_whoever_checks_file_after_file_opens_one_connection_of_a_server(
    postgresql: PostgreSQL, upgraded: str, tmp_path: Path
) -> None:
    settings = load(
        environment={**make_complete_environment(tmp_path), "COUNTERSIGN_DATABASE": postgresql.url(upgraded)}
    )
    for _ in range(20):
        await clients.store(settings).database.check()
    query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{upgraded}'"  # noqa: S608  ours
    assert postgresql.run(query) == [(1,)]
    clients.store(settings).close()
