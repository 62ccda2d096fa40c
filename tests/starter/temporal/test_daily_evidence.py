"""The day of evidence: its schedule, and one of its runs on the real server."""

from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.worker import Worker

from activities.evidence.roots import DailyRootsService
from activities.evidence.signing import EvidenceKey
from activities.records.store import Store
from starter.temporal.daily_evidence import ensure_daily_evidence
from starter.temporal.search_attributes import Made
from tests.activities.evidence.kept import key_in, signed
from tests.servers import own_namespace
from workflows.evidence.workflow import DailyEvidenceWorkflow
from workflows.model.daily_evidence import DailyEvidence
from workflows.names import DAILY_EVIDENCE_SCHEDULE

pytestmark = pytest.mark.real_server


async def test_the_schedule_is_made_once_and_comes_at_a_quarter_past_midnight(dev_server: str) -> None:
    client = await own_namespace(dev_server)
    assert [(await ensure_daily_evidence(client)).made for _ in range(2)] == [Made.CREATED, Made.EXISTS]
    described = await client.get_schedule_handle(DAILY_EVIDENCE_SCHEDULE).describe()
    times = described.info.next_action_times[:3]
    assert {f"{at:%H:%M %Z}" for at in times} == {"00:15 UTC"}
    assert times[1] - times[0] == timedelta(days=1)


async def test_a_run_makes_the_root(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    with closing(Store(str(tmp_path / "kept"))) as store:
        await signed(store)
        key_in(tmp_path)
        days = DailyRootsService(store, partial(EvidenceKey.read, tmp_path / "evidence.pem"))
        async with Worker(client, task_queue="days", workflows=[DailyEvidenceWorkflow], activities=days.activities()):
            result = await client.execute_workflow(
                DailyEvidenceWorkflow.run, DailyEvidence(), id=DAILY_EVIDENCE_SCHEDULE, task_queue="days"
            )
    assert (result.number, result.records, result.signed) == (1, 1, True)
