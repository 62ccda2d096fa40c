"""The rows of processes that run."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records.processes import KEPT, LEASE, Process, ProcessRole
from activities.records.store import Store
from starter.cli.doctor import own
from starter.cli.doctor.health import PartHealth
from tests.storage import altered, count

WORKER = Process("worker-1", ProcessRole.WORKER, "alpha", "1.0", people="p1", catalogue="c1")
WEB = Process("web-1", ProcessRole.WEB, "beta", "1.0", people="p1", catalogue="c1", mappings="m1")


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path), database_url)) as opened_store:
        yield opened_store


async def test_a_process_counts_while_it_renews_its_row_and_until_it_leaves(store: Store) -> None:
    for process in (WORKER, replace(WORKER, identity="worker-2", host="gamma"), WEB):
        await store.processes.renew(process)
    await store.processes.renew(replace(WORKER, people="p2"))
    assert [(process.identity, process.people) for process in await store.processes.running()] == [
        ("web-1", "p1"),
        ("worker-1", "p2"),
        ("worker-2", "p1"),
    ]
    assert await store.processes.count() == {ProcessRole.WORKER: 2, ProcessRole.WEB: 1}
    await store.processes.leave("worker-2")
    assert await store.processes.count() == {ProcessRole.WORKER: 1, ProcessRole.WEB: 1}
    await _set_seen(store, LEASE)
    assert (await store.processes.count(), await store.processes.running()) == ({}, [])
    await store.processes.renew(WORKER)
    assert await store.processes.count() == {ProcessRole.WORKER: 1}


async def test_the_row_of_one_that_was_killed_is_gone_after_a_day(store: Store) -> None:
    await store.processes.renew(WORKER)
    assert await store.processes.drop(datetime.now(UTC)) == 0
    await _set_seen(store, KEPT + timedelta(minutes=1))
    await store.processes.renew(WEB)
    assert await store.processes.drop(datetime.now(UTC)) == 1
    assert count(store, "processes") == 1


async def test_doctor_says_which_machines_differ_and_in_what(store: Store) -> None:
    for process in (WORKER, WEB):
        await store.processes.renew(process)
    equal_machines = await own.machines(store)
    assert (equal_machines.state, equal_machines.says) == (
        PartHealth.OK,
        "2 processes run, with the same version and files",
    )
    await store.processes.renew(replace(WORKER, identity="worker-2", host="gamma", people="p2", version="1.1"))
    differing_machines = await own.machines(store)
    assert differing_machines.state is PartHealth.WARNING
    assert differing_machines.says == (
        "the version of Countersign differs: web on beta, worker on alpha / worker on gamma; "
        "the people file differs: web on beta, worker on alpha / worker on gamma: give all of them the same"
    )


async def _set_seen(store: Store, age: timedelta) -> None:
    seen_at = datetime.now(UTC) - age
    local = seen_at.isoformat(timespec="microseconds")
    altered(store, "UPDATE processes SET seen_at = ?", local if store.database.local else seen_at)
