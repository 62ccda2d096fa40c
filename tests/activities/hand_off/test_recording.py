"""An ending while its database is held up, and one that two workers settle at once."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from activities.records import database as module
from activities.records.store import DATABASE_FILE, Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.hand_off.test_hand_off import (
    AT,
    House,
    a_worker,
    core,
    directory,
    fcm,
    house,
    links,
    notices,
    nowhere,
    record,
    sandbox,
    signatures,
    store,
)
from tests.activities.hand_off.test_reset import SIGNER, world_of
from tests.activities.notifications.stage import entries
from tests.storage import count
from tests.workflows.stage import a_request, start_story
from workflows.kinds import Kind
from workflows.model.subject import Code, Status

__all__ = ["a_worker", "core", "directory", "fcm", "house", "links", "notices", "sandbox", "signatures", "store"]

MSA = Kind.REQUEST.workflow_id("msa-0042")
_HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    """Another process has begun to write, and does not end."""
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", _HOLDER, file, stdin=PIPE, stdout=PIPE)
    assert holder.stdin and holder.stdout
    try:
        assert await holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.stdin.close()
        await holder.wait()


@pytest.mark.long
async def test_a_database_that_is_locked_for_minutes_is_waited_for_and_nobody_hears_before(
    house: House, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 0.1)
    with closing(Store(str(tmp_path / "held"))) as held_store:
        world = world_of(replace(house, store=held_store), await nowhere())
        await held_store.check()
        async with start_story(world, a_request(SIGNER, handoff=(house.hook("finance"),))) as request_story:
            async with _locked(tmp_path / "held" / DATABASE_FILE):
                world.signatures.status = Status.SIGNED
                await request_story.callback()
                await request_story.days_pass(2 / 1_440)
                problem = (await request_story.read_view()).problem
                assert problem and problem.code is Code.UNREACHABLE
                assert (await held_store.records.read(MSA), entries(sandbox, "downstream")) == (None, [])
            assert (await request_story.handle.result()).outcome is Status.SIGNED
        assert await held_store.records.read(MSA)
        assert len(entries(sandbox, "downstream")) == 1


async def test_of_two_workers_that_settle_it_at_once_one_writes_and_a_target_is_told_under_one_key(
    house: House, sandbox: RunningSandbox, tmp_path: Path, database_url: str
) -> None:
    houses = [replace(house, store=Store(str(tmp_path / name), database_url)) for name in ("one", "other")]
    reports = await asyncio.gather(
        *(
            worker_house.hand_off(house.hook("finance"), record=record(), at=AT)
            for worker_house in houses
            for _ in range(5)
        )
    )
    assert {result.ok for report in reports for result in report.results} == {True}
    store = houses[0].store
    assert (count(store, "records"), count(store, "amendments")) == (1, 1)
    assert len({call["headers"]["webhook-id"] for call in entries(sandbox, "downstream")}) == 1
    for worker_house in houses:
        worker_house.store.close()
