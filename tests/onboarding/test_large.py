"""An onboarding of a hundred parts; `make chaos` has four hundred."""

import json
from pathlib import Path

import pytest

from activities.files.reading import FileFaults
from activities.tasks.file import PEOPLE_AT_MOST
from tests.onboarding.stage import CUSTOMER, PEOPLE, SET_UP, ZONE, House, a_file, onboarding
from workflows.model.subject import Status

STAGES, EACH = 6, 20


@pytest.mark.long
async def test_a_hundred_parts_are_begun_in_batches_and_joined(tmp_path: Path) -> None:
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


async def test_a_part_that_would_ask_hundreds_is_refused_by_its_field(tmp_path: Path) -> None:
    house, many = House(tmp_path), PEOPLE_AT_MOST * 10
    crowd: list[dict[str, object]] = [
        {"id": f"member-{n}", "name": "Mem Ber", "email": f"m{n}@us.example", "groups": ["crowd"], **ZONE}
        for n in range(many)
    ]
    _settle(tmp_path, crowd)
    with pytest.raises(FileFaults) as refused:
        await house.prepared(a_file(SET_UP, teams={"operations": "crowd"}))
    [fault] = refused.value.faults
    assert fault.path == "teams"
    assert fault.says == f"the group crowd has {many:,} people: at most {PEOPLE_AT_MOST} can be told"


def _settle(folder: Path, more: list[dict[str, object]]) -> None:
    (folder / "people.yaml").write_text(json.dumps({"people": [*PEOPLE, *more]}))
