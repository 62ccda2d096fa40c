"""The laptop's stack on a PostgreSQL and a bucket: nothing of what ends stays in its folder."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from activities.records.store import Store
from tests.glances import glances
from tests.object_stores import BUCKET, seaweedfs
from tests.postgresql import PostgreSQL
from tests.stack.laptop import countersign, running
from tests.stack.test_stack import signs
from workflows.kinds import Kind

pytestmark = [pytest.mark.real_server, pytest.mark.long]


async def test_a_contract_is_signed_on_a_database_and_a_bucket(tmp_path: Path, postgresql: PostgreSQL) -> None:
    name = postgresql.create()
    database = postgresql.url(name)
    with seaweedfs() as bucket:
        aws, files = dict(bucket.environment), f"s3://{BUCKET}/laptop"
        with running(tmp_path / "data", "--database", database, "--store", files, **aws) as stack:
            started = stack.type("request", "start", str(stack.request("real")), **aws)
            assert started.returncode == 0, started.stderr
            for person in ("customer-signer", "chief-executive"):
                await signs(stack, "real", person)
            with closing(Store((tmp_path / "unused").as_uri(), database)) as store:
                record = Kind.REQUEST.workflow_id("real")
                assert await eventually_read(store, record)
        assert len(bucket.files().find(f"{BUCKET}/laptop/documents")) == 1
    assert not (tmp_path / "data" / "store").exists()
    postgresql.drop(name)


async def eventually_read(store: Store, workflow_id: str) -> bytes:
    for pause in glances(0.1, 20):
        if record := await store.records.read(workflow_id):
            return record
        await asyncio.sleep(pause)
    raise AssertionError("no record")


def test_a_database_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    unreachable_url = "postgresql://ada:canary@127.0.0.1:1/x"
    typed = countersign("dev", "--data", str(tmp_path), "--database", unreachable_url)
    assert (typed.returncode, typed.stdout) == (1, "")
    assert typed.stderr == "countersign dev: the database cannot be used: Connection refused\n"
