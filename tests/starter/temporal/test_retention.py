"""Retention: its schedule, and a run on the real server."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.evidence.erasure import erase
from activities.records.starts import Start
from activities.records.store import Store
from activities.retention.service import DailyRetention
from starter.cli.doctor.health import PartHealth
from starter.cli.doctor.temporal import retention
from starter.temporal.retention import ensure_retention
from starter.temporal.search_attributes import SetUpResult
from tests.activities.evidence.kept import AT, MSA, keep_signed_request
from tests.faults.town import eventually
from tests.servers import own_namespace
from workflows.model.retention import RetentionOrder
from workflows.names import RETENTION_SCHEDULE
from workflows.retention.workflow import RetentionWorkflow

pytestmark = pytest.mark.real_server


async def test_the_schedule_is_made_once_and_comes_at_a_quarter_past_midnight(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    missing = await retention(client)
    assert (missing.part, missing.state) == ("retention", PartHealth.WRONG)
    assert missing.says.endswith("run `countersign init`")
    assert [(await ensure_retention(client)).made for _ in range(2)] == [SetUpResult.CREATED, SetUpResult.EXISTS]
    described = await client.get_schedule_handle(RETENTION_SCHEDULE).describe()
    times = described.info.next_action_times[:3]
    assert {f"{run_time:%H:%M %Z}" for run_time in times} == {"00:15 UTC"}
    assert times[1] - times[0] == timedelta(days=1)
    assert (await retention(client)).says == "the first run begins within 24 hours"


async def test_doctor_says_when_the_last_run_of_the_schedule_began_and_whether_it_failed(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    await ensure_retention(client)
    handle = client.get_schedule_handle(RETENTION_SCHEDULE)
    await handle.trigger()
    await eventually(lambda: _is_reported(client, "the last began 0 minutes ago"))
    late = await retention(client, datetime.now(UTC) + timedelta(hours=73))
    assert (late.state, late.says) == (PartHealth.WARNING, "the last began 73 hours ago")
    [action] = (await handle.describe()).info.recent_actions
    await client.get_workflow_handle(action.action.workflow_id).terminate()  # type: ignore[attr-defined]
    await eventually(lambda: _is_reported(client, "the last began 0 minutes ago and failed"))
    await handle.pause()
    assert (await retention(client)).says == "paused: temporal schedule toggle --unpause --schedule-id retention"


async def _is_reported(client: Client, prefix: str) -> bool:
    return (await retention(client)).says.startswith(prefix)


async def test_a_run_erases_who_waited_for_the_end_of_a_request(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    with closing(Store(str(tmp_path / "kept"))) as store:
        start = Start("customer-contract", "MSA", ("customer-signer",), "legal-desk", None, AT)
        await store.starts.begin(MSA.workflow_id, start)
        await erase(store, "customer-signer", "desk", "asked for it", AT)
        await keep_signed_request(store)
        activities = DailyRetention(store).activities()
        async with Worker(client, task_queue="days", workflows=[RetentionWorkflow], activities=activities):
            result = await client.execute_workflow(
                RetentionWorkflow.run, RetentionOrder(), id=RETENTION_SCHEDULE, task_queue="days"
            )
        assert (result.erased, result.removed) == (1, 0)
