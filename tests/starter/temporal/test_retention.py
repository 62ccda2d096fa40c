"""Retention: its schedule, and a run on the real server."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.worker import Worker

from activities.evidence.erasure import erase
from activities.records.starts import Start
from activities.records.store import Store
from activities.retention.service import DailyRetention
from starter.temporal.retention import ensure_retention
from starter.temporal.search_attributes import Made
from tests.activities.evidence.kept import AT, MSA, signed
from tests.servers import own_namespace
from workflows.model.retention import RetentionOrder
from workflows.names import RETENTION_SCHEDULE
from workflows.retention.workflow import RetentionWorkflow

pytestmark = pytest.mark.real_server


async def test_the_schedule_is_made_once_and_comes_at_a_quarter_past_midnight(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    assert [(await ensure_retention(client)).made for _ in range(2)] == [Made.CREATED, Made.EXISTS]
    described = await client.get_schedule_handle(RETENTION_SCHEDULE).describe()
    times = described.info.next_action_times[:3]
    assert {f"{at:%H:%M %Z}" for at in times} == {"00:15 UTC"}
    assert times[1] - times[0] == timedelta(days=1)


async def test_a_run_erases_who_waited_for_the_end_of_a_request(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    with closing(Store(str(tmp_path / "kept"))) as store:
        start = Start("customer-contract", "MSA", ("customer-signer",), "legal-desk", None, AT)
        await store.starts.begin(MSA.workflow_id, start)
        await erase(store, "customer-signer", "desk", "asked for it", AT)
        await signed(store)
        retention = DailyRetention(store)
        async with Worker(client, task_queue="days", workflows=[RetentionWorkflow], activities=retention.activities()):
            result = await client.execute_workflow(
                RetentionWorkflow.run, RetentionOrder(), id=RETENTION_SCHEDULE, task_queue="days"
            )
        assert (result.erased, result.removed) == (1, 0)
