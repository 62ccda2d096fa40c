"""The schedule of the sweeps, and the word that has one made now, before a real server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, ScheduleIntervalSpec, ScheduleUpdate, ScheduleUpdateInput
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from starter.cli.doctor.health import PartHealth
from starter.cli.doctor.temporal import sweeps
from starter.errors import Refusal
from starter.temporal.reconciliation import EVERY, ensure_schedule, sweep_now
from starter.temporal.search_attributes import SetUpResult
from tests.servers import own_namespace
from tests.starter.terminal import type_
from tests.versions.stage import eventually
from workflows.model.reconciliation import CorrectedRequest, ReconciliationOrder, ReconciliationResult
from workflows.model.subject import Code
from workflows.names import RECONCILIATION_SCHEDULE, SWEEP_QUEUE, WORKFLOW_QUEUE
from workflows.ports import EventReconciliation
from workflows.reconciliation.workflow import ReconciliationWorkflow

pytestmark = pytest.mark.real_server

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


class MissedEvents(EventReconciliation):
    """One part with one request that missed something; or a refusal."""

    refuses = False

    async def reconcile(self, order: ReconciliationOrder) -> ReconciliationResult:
        """See `EventReconciliation`."""
        if self.refuses:
            raise ApplicationError("Core Signature answered 403: no", type=Code.UNAUTHORISED, non_retryable=True)
        mended = (CorrectedRequest(request="msa-0042", event="signed", at=NOON),)
        return ReconciliationResult(pages=1, events=7, told=1, mended=mended, until=NOON, reached=NOON, over=True)


def make_workers(client: Client, events: MissedEvents) -> tuple[Worker, Worker]:
    return (
        Worker(client, task_queue=WORKFLOW_QUEUE, workflows=[ReconciliationWorkflow]),
        Worker(client, task_queue=SWEEP_QUEUE, activities=events.activities()),
    )


async def test_the_schedule_is_made_once_mended_and_stays_paused(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    missing = await sweeps(client)
    assert (missing.state, missing.says.endswith("run `countersign init`")) == (PartHealth.WRONG, True)
    assert [(await ensure_schedule(client)).made for _ in range(2)] == [SetUpResult.CREATED, SetUpResult.EXISTS]
    handle = client.get_schedule_handle(RECONCILIATION_SCHEDULE)
    await handle.pause()

    async def spoilt(update_input: ScheduleUpdateInput) -> ScheduleUpdate:
        update_input.description.schedule.spec.intervals = [ScheduleIntervalSpec(every=timedelta(days=1))]
        return ScheduleUpdate(update_input.description.schedule)

    await handle.update(spoilt)
    assert [(await ensure_schedule(client)).made for _ in range(2)] == [SetUpResult.MENDED, SetUpResult.EXISTS]
    schedule = (await handle.describe()).schedule
    assert ([interval.every for interval in schedule.spec.intervals], schedule.state.paused) == ([EVERY], True)
    assert "paused: temporal schedule toggle --unpause" in (await sweeps(client)).says


async def test_a_sweep_that_the_schedule_begins_is_seen_by_doctor_also_when_it_was_given_up(dev_server: str) -> None:
    client, events = await own_namespace(dev_server), MissedEvents()
    await ensure_schedule(client)
    handle = client.get_schedule_handle(RECONCILIATION_SCHEDULE)
    workflow_worker, activity_worker = make_workers(client, events)
    async with workflow_worker, activity_worker:
        await handle.trigger()
        assert await eventually(make_sweep_check(client, "the last began 0 minutes ago"))
        [action] = (await handle.describe()).info.recent_actions
        sweep = client.get_workflow_handle(action.action.workflow_id, result_type=ReconciliationResult)  # type: ignore[attr-defined]
        assert (await sweep.result()).told == 1
        assert await eventually(make_sweep_check(client, "the last began 0 minutes ago and told 1 requests of what"))
        assert sweep.id.startswith("reconciliation-20")
        begun_at = datetime.now(UTC)
        parts = [await sweeps(client, begun_at + times * EVERY) for times in (2, 4)]
        assert [part.state for part in parts] == [PartHealth.OK, PartHealth.WARNING], (
            "late once three should have begun"
        )
        events.refuses = True
        await handle.trigger()
        assert await eventually(make_sweep_check(client, "the last began 0 minutes ago and failed"))
    late = await sweeps(client, datetime.now(UTC) + timedelta(hours=1))
    assert late.state is PartHealth.WARNING


def make_sweep_check(client: Client, prefix: str) -> Callable[[], Awaitable[bool]]:
    async def is_reported() -> bool:
        return (await sweeps(client)).says.startswith(prefix)

    return is_reported


async def test_a_sweep_is_made_now_and_what_refuses_it_is_one_line(dev_server: str) -> None:
    client, events = await own_namespace(dev_server), MissedEvents()
    results: list[ReconciliationResult] = []
    workflow_worker, activity_worker = make_workers(client, events)
    async with workflow_worker, activity_worker:
        swept = await sweep_now(client, results.append)
        assert (swept.told, swept.over) == (1, True)
        events.refuses = True
        with pytest.raises(Refusal, match=r"the sweep was given up: .*answered 403: no; what it has not looked at"):
            await sweep_now(client, results.append)


@pytest.mark.long
async def test_the_word_answers_people_and_programs(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    workflow_worker, activity_worker = make_workers(client, MissedEvents())
    environment = {"TEMPORAL_ADDRESS": dev_server, "TEMPORAL_NAMESPACE": client.namespace}

    def typed(*arguments: str) -> Any:
        return type_("reconcile", *arguments, **environment)

    async with workflow_worker, activity_worker:
        json_process, told_to_people = await asyncio.to_thread(typed, "--json"), await asyncio.to_thread(typed)
    answered = json.loads(json_process.stdout)
    assert (json_process.returncode, answered["told"], answered["over"]) == (0, 1, True)
    assert answered["mended"] == [{"request": "msa-0042", "event": "signed", "at": "2026-11-27T12:00:00Z"}]
    assert "Looked at 7 events; told of what they missed: 1 request" in told_to_people.stdout
    assert "msa-0042" in told_to_people.stdout
