"""Which open follow-ups hear of an absence, on a real server; and what is left for the sweep."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType as HistoryEvent
from temporalio.testing import ActivityEnvironment

from activities.absence import service
from activities.absence.service import AbsenceNewsTeller, announce_leavers, begin_overdue
from activities.people.pushed import derive
from activities.records.absences import AbsenceRow
from activities.records.directory import MANY_LEAVE, ImportedPeople
from activities.temporal import executions
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import desk_at
from tests.starter.queries.test_listing import open_request
from workflows import names
from workflows.kinds import Kind
from workflows.model.absence import AbsenceOrder, AbsenceReport
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

NOW: Final = datetime.now(UTC)
DAY: Final = timedelta(days=1)
OPEN: Final[dict[str, dict[str, Any]]] = {
    "waits": {"person": ("ada", "ben")},
    "crowd": {"person": ("cleo", "+more")},
    "task": {"person": ("ada",), "follow_up_kind": Kind.TASK, "status": Status.OPEN},
    "others": {"person": ("ben",), "requester": "ada"},
    "onboarding": {"person": ("ada",), "follow_up_kind": Kind.ONBOARDING, "status": Status.OPEN},
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Context]:
    context = await desk_at(dev_server, tmp_path_factory.mktemp("absences"))
    for name, arguments in OPEN.items():
        await open_request(context, name, **arguments)

    async def all_are_visible() -> bool:
        return (await context.client.count_workflows(executions.OPEN)).count == len(OPEN)

    assert await eventually(all_are_visible)
    yield context


async def enter_absence(desk: Context, id: str, person: str = "ada") -> AbsenceRow:
    row = AbsenceRow(id, person, NOW - DAY, NOW + 5 * DAY, None, (), NOW - DAY, "mia")
    return (await desk.store.absences.enter(row, lambda other_absences: None)).row


async def tell(desk: Context, order: AbsenceOrder) -> AbsenceReport:
    return await ActivityEnvironment().run(AbsenceNewsTeller(desk.client, desk.store).tell, order)


async def signals(desk: Context, workflow_id: str) -> int:
    history = await desk.client.get_workflow_handle(workflow_id).fetch_history()
    signalled = HistoryEvent.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    return sum(event.event_type == signalled for event in history.events)


async def count_signals(desk: Context) -> Counter[str]:
    """The signals of each follow-up so far: other tests of this module send some as well, in any order."""
    ids = {name: arguments.get("follow_up_kind", Kind.REQUEST).workflow_id(name) for name, arguments in OPEN.items()}
    return Counter({name: await signals(desk, id) for name, id in ids.items()})


async def test_those_hear_of_it_that_wait_for_the_person(desk: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    counts_before = await count_signals(desk)
    row = await enter_absence(desk, "a1")
    assert await tell(desk, AbsenceOrder(id="a1")) == AbsenceReport(told=3)
    assert await count_signals(desk) - counts_before == Counter(waits=1, crowd=1, task=1)
    absence = await desk.store.absences.read(row.id)
    assert absence is not None
    assert (absence.told, absence.told_at is not None) == (3, True)


async def test_one_that_was_ended_meanwhile_is_told_by_its_end_alone(desk: Context) -> None:
    await enter_absence(desk, "c1", "cleo")
    await desk.store.absences.end("cleo", "cleo", NOW)
    assert await tell(desk, AbsenceOrder(id="c1")) == AbsenceReport()
    assert await tell(desk, AbsenceOrder(id="c1", back=True)) == AbsenceReport(told=1)
    assert await tell(desk, AbsenceOrder(id="nothing")) == AbsenceReport()


async def test_the_sweep_begins_what_nobody_was_told_of_once(desk: Context) -> None:
    await enter_absence(desk, "d1", "dan")
    for _ in range(2):
        assert await begin_overdue(desk.client, desk.store, NOW) == 1
    description = await executions.described(desk.client, names.absence_workflow_id("d1", back=False))
    assert (description.type, description.status.open) == (names.ABSENCE_TOLD, True)
    await desk.store.absences.end("dan", "dan", NOW)


async def keep_people(desk: Context, *ids: str) -> None:
    entries = {id: {"name": id, "email": f"{id}@company.example", "zone": "UTC"} for id in ids}
    await desk.store.directory.keep_imported(ImportedPeople(entries), derive, NOW)


async def announce(desk: Context, seconds: float = 60) -> int:
    """How many are held."""
    return (await ActivityEnvironment().run(announce_leavers, desk.client, desk.store, NOW, seconds)).held


async def test_open_follow_ups_hear_that_somebody_left_or_came_back_once(
    desk: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SEEN_WITHIN", timedelta())
    await keep_people(desk, "ada", "ben")
    await announce(desk)  # whom another test has emptied the directory of comes back
    await keep_people(desk, "ben")
    counts_before = await count_signals(desk)
    assert await announce(desk, seconds=0) == 0
    assert await count_signals(desk) == counts_before, "a sweep out of time leaves it to the next one"
    for _ in range(2):
        assert await announce(desk) == 0
    assert await count_signals(desk) - counts_before == Counter(waits=1, crowd=1, task=1)
    await keep_people(desk, "ada", "ben")
    await announce(desk)
    assert await count_signals(desk) - counts_before == Counter(waits=2, crowd=2, task=2)


async def test_of_an_emptied_source_nobody_hears_until_it_is_confirmed(
    desk: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SEEN_WITHIN", timedelta())
    others = [f"p{number}" for number in range(MANY_LEAVE)]
    await keep_people(desk, "ben", *others)
    await announce(desk)
    counts_before = await count_signals(desk)
    await keep_people(desk)
    assert await announce(desk) >= MANY_LEAVE + 1
    assert await count_signals(desk) == counts_before
    await desk.store.directory.confirm_exodus()
    assert await announce(desk) == 0
    assert (await count_signals(desk) - counts_before)["others"] == 1
