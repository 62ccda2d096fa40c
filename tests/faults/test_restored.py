"""A database of two hours ago beside a Temporal of now: what is lost comes back, and nobody hears of it twice."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.records.store import DATABASE_FILE, Store
from activities.records.user_texts import amendments_of
from deploy.sandbox.server import RunningSandbox
from starter.queries import lost_records
from starter.queries.lost_records import recover
from tests.activities.hand_off.test_hand_off import (
    House,
    a_worker,
    core,
    directory,
    fcm,
    house,
    links,
    notices,
    sandbox,
    signatures,
    store,
)
from tests.activities.hand_off.test_reset import SIGNER, world_of
from tests.activities.notifications.stage import arm, entries
from tests.faults.town import eventually
from tests.servers import own_part
from tests.starter.terminal import make_complete_environment, type_
from tests.workflows.stage import Story, a_request, begin, workers
from workflows.kinds import Kind, referred
from workflows.model.base import Model
from workflows.model.policy import Target
from workflows.model.subject import Status
from workflows.names import STAGE

__all__ = ["a_worker", "core", "directory", "fcm", "house", "links", "notices", "sandbox", "signatures", "store"]

pytestmark = [pytest.mark.real_server, pytest.mark.long]
BEFORE, LOST = ("before-1", "before-2"), ("lost-1", "lost-2", "lost-dead")


def _copy(source: Path, target: Path) -> None:
    """As `sqlite3 SOURCE '.backup TO'` does, of a database in use."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def _restore(copy: Path, target: Path) -> None:
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    copy.rename(target)


async def _read_record(store: Store, name: str) -> tuple[Any, Model]:
    """A record and everything after it."""
    id = referred(name).workflow_id
    record = await store.records.read(id)
    return record and json.loads(record), await amendments_of(store, id)


async def test_a_database_of_two_hours_ago_gets_the_records_of_now_and_nobody_is_told_twice(
    house: House, sandbox: RunningSandbox, dev_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_records, "PAGE", 2)
    folder = tmp_path / "kept"
    file, hr = folder / DATABASE_FILE, Target(target="hr", person="hr-desk")
    async with own_part(dev_server) as env:
        client = env.client
        world = world_of(house, client)
        world.signatures.status = Status.SIGNED

        async def started(name: str, *targets: Target) -> Story:
            return await begin(env, world, a_request(SIGNER, name=name, handoff=targets))

        async with workers(client, world):
            for name in BEFORE:
                await (await started(name, house.hook("finance"), hr)).handle.result()
            _copy(file, tmp_path / "copy")
            for name in LOST:
                dead = [Target(target="gone", workflow="no-such-workflow")] if name == "lost-dead" else []
                await (await started(name, house.hook("finance"), hr, *dead)).handle.result()
            arm(sandbox, path="/_sandbox/targets/slow", fault="503", times=None)
            open = await started("lost-open", house.hook("slow"), hr)
            await eventually(lambda: _was_tried(house.store, open.handle.id))
            await eventually(lambda: _is_handing_off(client, open.handle.id))
            world.signatures.status = Status.SENT
            terminated = await started("terminated", hr)
            await terminated.handle.terminate()
            names = (*BEFORE, *LOST, "lost-open")
            records_before = {name: await _read_record(house.store, name) for name in names}
            calls_before, pushed = entries(sandbox, "downstream"), list(world.push.sent)
        house.store.close()
        _restore(tmp_path / "copy", file)

        with closing(Store(str(folder))) as back:
            assert [(await _read_record(back, name))[0] for name in LOST] == [None] * len(LOST)
            report = await _reconcile_records(client, folder)
            lost = {Kind.REQUEST.workflow_id(name) for name in (*LOST, "lost-open")}
            assert (report["written"], set(report["records"]), report["starts"]) == (len(lost), lost, len(names) + 1)
            assert [(missing["id"], missing["why"]) for missing in report["not_found"]] == [
                (Kind.REQUEST.workflow_id("terminated"), "it was terminated")
            ]
            assert {name: await _read_record(back, name) for name in names} == records_before
            assert [hand_off.workflow_id async for hand_off in back.hand_offs.dead()] == [
                Kind.REQUEST.workflow_id("lost-dead")
            ]
            repeated_report = await recover(client, back, lambda *_: None)
            assert (
                repeated_report.written,
                repeated_report.starts,
                repeated_report.missing,
                repeated_report.looked_at,
            ) == (0, 0, 1, len(names) + 1)
            assert (entries(sandbox, "downstream"), world.push.sent) == (calls_before, pushed)

            sandbox.state.faults.clear()
            goes_on = world_of(replace(house, store=back), client)
            async with workers(client, goes_on):
                await open.handle.signal("hand_off_now", {"target": "slow"})
                await open.handle.result()
        assert [call["target"] for call in entries(sandbox, "downstream")[len(calls_before) :]] == ["slow"]
        assert goes_on.push.sent == []


async def _was_tried(store: Store, id: str) -> bool:
    return (await amendments_of(store, id)).number > 0


async def _is_handing_off(client: Client, id: str) -> bool:
    """Whether visibility knows."""
    executions = [execution async for execution in client.list_workflows(f"WorkflowId = '{id}'")]
    return bool(executions) and executions[0].typed_search_attributes.get(STAGE) == "settled"


async def _reconcile_records(client: Client, folder: Path) -> Any:
    """What the command says."""
    environment = {
        **make_complete_environment(folder.parent),
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
        "COUNTERSIGN_STORE": folder.as_uri(),
        "COUNTERSIGN_DATABASE": f"sqlite:///{folder}/{DATABASE_FILE}",
    }
    answer = await asyncio.to_thread(type_, "reconcile", "--records", "--json", **environment)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)
