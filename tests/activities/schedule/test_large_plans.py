"""The largest plans that the files allow: counted by the days that are looked at, since a clock says little."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from activities.schedule.open_hours import OpenHours, OpenSlot
from activities.schedule.planner import PolicyPlanner
from tests.activities.book import make_person
from workflows.model.policy import Policy, Reminders
from workflows.model.schedule import PlanningInput, Schedule, Turn
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
LARGEST = Policy(
    window="730d",
    hours="working",
    reminders=Reminders(first="1d", every="1d", most=50),
    warnings=tuple(f"{days}d" for days in range(1, 11)),
)
AWAY = [{"from": "2026-11-01", "until": "2028-12-31"}]


def planner(folder: Path, people: int, absent: list[dict[str, str]]) -> PolicyPlanner:
    """Plans for so many signers without a phone, all absent then."""

    def person(number: int) -> dict[str, Any]:
        location = {"zone": "Europe/Berlin", "calendar": "DE-BY", "absent": absent}
        return {"id": f"person-{number}", "name": "N", "email": f"p{number}@example.test", **location}

    file = folder / "people.json"
    file.write_text(json.dumps({"people": [person(number) for number in range(people + 1)]}))
    return PolicyPlanner(FileDirectory(file, Store(str(folder / "store"))))


def planning(people: int) -> PlanningInput:
    """All of them at once, for two years."""
    signers = tuple(Participant(person=f"person-{number}", order=1) for number in range(1, people + 1))
    return PlanningInput(
        subject=SignatureBrief(
            id="msa", kind="base", title="MSA", document=Document(), requester="person-0", people=signers
        ),
        policy=LARGEST,
        due=None,
        window_from=NOW,
        turns=tuple(Turn(person=signer.person, since=NOW) for signer in signers),
        now=NOW,
    )


async def days_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch, people: int, absent: list[dict[str, str]]
) -> int:
    """How many days of somebody the plan looks at."""
    looked, slots = [0], OpenHours.slots

    def counted(hours: OpenHours, day: date) -> tuple[OpenSlot, ...]:
        looked[0] += 1
        return slots(hours, day)

    plans = planner(folder, people, absent)
    with monkeypatch.context() as patched:
        patched.setattr(OpenHours, "slots", counted)
        await plans.plan(planning(people))
    return looked[0]


@pytest.mark.long
@pytest.mark.parametrize("absent", [[], AWAY])
async def test_a_signer_costs_the_same_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: list[dict[str, str]]
) -> None:
    """Two years of absence were walked through day by day for each of fifty reminders: 45,000 days a signer."""
    days_of_four = await days_looked_at(tmp_path, monkeypatch, 4, absent)
    days_of_forty = await days_looked_at(tmp_path, monkeypatch, 40, absent)
    assert days_of_forty <= 11 * days_of_four
    assert days_of_forty / 40 < 1_000


@pytest.mark.long
async def test_a_crowd_leaves_the_loop_to_others_after_each_signer(tmp_path: Path) -> None:
    """A hundred signers with fifty reminders each held everything up for 9 s."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    crowd_planner = planner(tmp_path, 100, [])
    await crowd_planner.calendar(planning(1))  # The people file is read: others have the loop to themselves meanwhile.
    waiting = asyncio.ensure_future(count_turns())
    plan: Schedule = await crowd_planner.calendar(planning(100))
    waiting.cancel()
    assert len(plan.actions) + len(plan.dropped) > 6_000
    assert turns >= 100


@pytest.mark.parametrize("order", [1, -1])
def test_absences_in_any_order_that_overlap_are_one(order: int) -> None:
    day = timedelta(days=1)
    berlin = ZoneInfo("Europe/Berlin")
    spans = [OpenSlot(NOW, NOW + 3 * day), OpenSlot(NOW + day, NOW + 2 * day), OpenSlot(NOW + 3 * day, NOW + 5 * day)]
    hours = OpenHours(berlin, absences=tuple(spans[::order]))
    assert hours.next_slot(NOW, NOW + 9 * day) == OpenSlot(NOW + 5 * day, datetime(2026, 11, 7, 23, tzinfo=UTC))
    assert hours.last_slot(NOW + 5 * day, NOW - day) == OpenSlot(datetime(2026, 11, 1, 23, tzinfo=UTC), NOW)
    assert hours.next_slot(NOW, NOW + 5 * day) is None


_DAYS = st.integers(0, 40)


@given(st.lists(st.tuples(_DAYS, st.integers(1, 20)), max_size=8), _DAYS, st.integers(0, 30))
def test_what_is_passed_over_is_what_day_by_day_is_closed(
    absences: list[tuple[int, int]], begin: int, length: int
) -> None:
    begins_at, ends_at = NOW + timedelta(days=begin), NOW + timedelta(days=begin + length)
    spans = tuple(OpenSlot(NOW + timedelta(days=first), NOW + timedelta(days=first + days)) for first, days in absences)
    hours = replace(OpenHours.working(make_person("signer")), absences=spans)
    days = [hours.local_day(begins_at) + timedelta(days=number) for number in range(length + 1)]
    slots = [slot for day in days for slot in hours.slots(day)]
    ahead = [slot for slot in slots if slot.closes > begins_at]
    assert hours.next_slot(begins_at, ends_at) == next(
        (slot for slot in ahead[:1] if max(slot.opens, begins_at) < ends_at), None
    )
    behind = [slot for slot in slots if slot.opens < ends_at and slot.closes > begins_at]
    assert hours.last_slot(ends_at, begins_at) == (behind[-1] if behind else None)
