"""An onboarding of hundreds of parts."""

from pathlib import Path

from tests.onboarding.stage import CUSTOMER, a_file, onboarding
from workflows.model.subject import Status

STAGES, EACH = 20, 20


async def test_hundreds_of_parts_are_begun_in_batches_and_joined(tmp_path: Path) -> None:
    stages = [
        {"name": f"stage {number}", "notices": [{"to": "customer", "text": f"News {n}."} for n in range(EACH)]}
        for number in range(STAGES - 1)
    ]
    tasks = [{"title": f"Task {n}", "team": "operations"} for n in range(EACH + 5)]
    async with onboarding(tmp_path, a_file(*stages[:-1], {"name": "set-up", "tasks": tasks})) as it:
        for number in range(1, EACH + 6):
            await it.done(f"task-{number}", "operations-desk")
        ended = await it.handle.result()
        described = await it.handle.describe()
    assert ended.outcome is Status.DONE
    assert len(it.told(CUSTOMER)) == EACH * (STAGES - 2)
    assert described.history_length < 6 * (EACH * (STAGES - 2) + EACH + 5)
