"""kill -9 of worker and server under load, again and again."""

from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.chaos.nemesis import kill_under_load
from tests.faults.oracle import judge, repeated_sends
from tests.faults.town import Conditions, town

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(1200)]


async def test_ten_dead_workers_and_three_dead_servers_lose_nothing_and_show_nothing_twice(
    tmp_path: Path, seed: int, note: Note
) -> None:
    """D1, D2, D3, D6: every start that was acknowledged ends signed, with at most one visible notice per stage."""
    async with town(tmp_path / "data", Conditions(sandbox={"SANDBOX_RETRY_UNIT": "1"})) as it:
        ran = await kill_under_load(it, "mortal", workers=10, servers=3, seed=seed)
    findings = judge(ran.evidence)
    signed = sum(life.shown.status == "signed" for life in ran.evidence.lives.values())
    note(
        f"deaths: {ran.killed} killed, {len(ran.evidence.acknowledged)} acknowledged starts, {signed} signed, "
        f"{len(findings)} violations, {repeated_sends(ran.evidence)} invisible repeated sends, {ran.seconds:.0f} s"
    )
    assert findings == []
    assert signed == len(ran.evidence.acknowledged)
