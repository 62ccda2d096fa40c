"""A worker for each pool of queues, as a cluster has them: who works on what, and what their probes say meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import httpx
import pytest
import pytest_asyncio

from activities.records.processes import ProcessRole
from deploy.local.processes import RunningProgram, answers
from starter.cli.doctor.temporal import rate
from starter.temporal.pollers import FRESH, asking
from tests.faults.campaigning import Watch, act, begin, cancel_campaign, crowd
from tests.faults.evidence import gather_campaign
from tests.faults.oracle import judge_campaign
from tests.faults.population import colleague
from tests.faults.test_campaigns import WRONG
from tests.faults.town import READY_WITHIN, TEMPORAL, WORKER, Conditions, Town, eventually, start_town
from tests.servers import free_ports
from workflows.kinds import Kind
from workflows.names import CAMPAIGN_QUEUE, WORKFLOW_QUEUE

pytestmark = [pytest.mark.long, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

REQUESTS: Final = "requests"
OTHERS: Final = {
    "calls-1": "core-signature",
    "calls-2": "core-signature",
    "campaigns": "campaigns,reconciliation",
}


@dataclass
class Split:
    """A town whose requests have a worker of their own, which is probed, and the other workers."""

    town: Town
    probes: str
    other_workers: dict[str, RunningProgram]

    async def answered(self, client: httpx.AsyncClient) -> tuple[int, int]:
        """What `/healthz` and `/readyz` of the worker on requests say."""
        return await self._status(client, "healthz"), await self._status(client, "readyz")

    async def _status(self, client: httpx.AsyncClient, page: str) -> int:
        return (await client.get(f"{self.probes}/{page}")).status_code


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def split(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Split]:
    """Four workers: one on requests, two on the calls, one on the rest."""
    [port] = free_ports(1)
    worker = {"COUNTERSIGN_HEALTH_BIND": f"127.0.0.1:{port}"}
    conditions = Conditions(worker=worker, worker_words=("--queues", REQUESTS))
    async with AsyncExitStack() as closing:
        town = await closing.enter_async_context(start_town(tmp_path_factory.mktemp("split") / "data", conditions))
        other_workers = {name: await start_worker(town, name, queues, closing) for name, queues in OTHERS.items()}
        await asyncio.gather(*(worker.until_ready(READY_WITHIN) for worker in other_workers.values()))
        yield Split(town, f"http://127.0.0.1:{port}", other_workers)


async def start_worker(town: Town, name: str, queues: str, closing: AsyncExitStack) -> RunningProgram:
    """One more worker, on these queues; its probes say when it is ready."""
    [port] = free_ports(1)
    program = town.program(WORKER)
    arguments = program.command[: program.command.index("--ready-file")]
    running = await RunningProgram.start(
        replace(
            program,
            name=name,
            command=(*arguments, "--queues", queues),
            environment={**program.environment, "COUNTERSIGN_HEALTH_BIND": f"127.0.0.1:{port}"},
            ready=answers(f"http://127.0.0.1:{port}/readyz"),
            ready_file=None,
        ),
        town.folder.logs,
    )
    closing.push_async_callback(running.ended)
    closing.callback(running.kill)
    return running


async def test_a_campaign_is_worked_on_by_its_own_pool_and_by_no_worker_on_requests(split: Split) -> None:
    town = split.town
    people = crowd(town, 12, "pooled", "pool")
    await begin(town, "pools", {"group": "pool"})
    await town.ask("beside-a-campaign", colleague(1))
    await town.until_shown("beside-a-campaign", lambda view: view.notifications)
    await Watch(town).until_told("pools", len(people), timeout_seconds=120)
    await act(town, "pools", people[::2])
    await cancel_campaign(town, "pools", WRONG)
    assert judge_campaign(await gather_campaign(town, "pools")) == []
    theirs, own_workers = await pollers(town, WORKFLOW_QUEUE), await pollers(town, CAMPAIGN_QUEUE)
    assert (len(theirs), len(own_workers), theirs & own_workers) == (1, 1, set())
    worked = {worker for person in people for worker in await workers_of(town, f"pools.{person}")}
    worked |= await workers_of(town, "pools", Kind.CAMPAIGN)
    assert worked & theirs == set()
    assert own_workers < worked
    assert theirs < await workers_of(town, "beside-a-campaign")
    assert await town.context.store.processes.count() == {
        ProcessRole.WORKER: 2,
        ProcessRole.POOL: 2,
        ProcessRole.WEB: 1,
    }
    part = await rate(town.context.client, 5, town.context.store)
    assert "2 workers share eight tenths, 2 workers on other queues share a tenth, one web process has" in part.says


async def pollers(town: Town, queue: str) -> set[str]:
    return await asking(town.context.client, queue, datetime.now(UTC) - FRESH)


async def workers_of(town: Town, id: str, kind: Kind = Kind.REQUEST) -> set[str]:
    """Who worked on the tasks and activities of a workflow."""
    history = await town.context.client.get_workflow_handle(kind.workflow_id(id)).fetch_history()
    started = [
        *(event.workflow_task_started_event_attributes.identity for event in history.events),
        *(event.activity_task_started_event_attributes.identity for event in history.events),
    ]
    return {identity for identity in started if identity}


async def test_while_the_server_is_gone_a_worker_is_healthy_and_not_ready(split: Split) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:

        async def are(healthy: int, ready: int) -> bool:
            return await split.answered(client) == (healthy, ready)

        await eventually(lambda: are(200, 200))
        async with split.town.outage(TEMPORAL):
            await eventually(lambda: are(200, 503), timeout_seconds=30)
            assert split.town.running[WORKER].exit_code is None
        await eventually(lambda: are(200, 200), timeout_seconds=60)
    await split.town.ask("after-the-outage", colleague(2))
    await split.town.until_shown("after-the-outage", lambda view: view.notifications, timeout_seconds=60)
