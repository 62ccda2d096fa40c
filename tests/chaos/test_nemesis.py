"""Five minutes in which everything fails and everybody is killed, over two hundred requests."""

from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.nemesis import storm
from tests.faults.oracle import judge, repeated_sends
from tests.faults.town import Conditions, start_town

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(1200)]

SPANS_IN_THE_LOG = {"OTEL_TRACES_EXPORTER": "console"}
ROUGH = Conditions(
    sandbox={"SANDBOX_RETRY_UNIT": "1", "SANDBOX_LIST_LAG": "1"},
    own_programs={"COUNTERSIGN_SIGNATURE_LIST_LAG": "2s", **SPANS_IN_THE_LOG},
)
REQUESTS, SECONDS = 200, 300


async def test_five_minutes_of_failures_and_deaths_lose_nothing_and_show_nothing_twice(
    tmp_path: Path, seed: int, note: Note
) -> None:
    """Every start that was acknowledged ends signed, with at most one visible notice per stage, and nobody is named."""
    async with start_town(tmp_path / "data", ROUGH) as town:
        ran = await storm(town, "mortal", requests=REQUESTS, seconds=SECONDS, seed=seed)
    findings = judge(ran.evidence)
    signed = sum(life.view.status == "signed" for life in ran.evidence.lives.values())
    note(
        f"nemesis: {sum(ran.struck.values())} faults, {dict(ran.killed)} killed, {len(ran.evidence.acknowledged)} "
        f"acknowledged starts, {signed} signed, {len(findings)} violations, {repeated_sends(ran.evidence)} invisible "
        f"repeated sends, {ran.seconds:.0f} s"
    )
    assert findings == []
    assert (signed, signed) == (len(ran.evidence.acknowledged), REQUESTS)
