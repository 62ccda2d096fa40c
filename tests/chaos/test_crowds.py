"""A notice to many is one notice to each, however slowly their push service answers."""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.crowds import EVERYBODY, kill_the_worker, sends_to_each, slow_crowd, until_sent
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import SIGNER
from tests.faults.town import Town, eventually, ids
from workflows.model.hand_off import HandoffState

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]
CROWD = list(ids("one-of-many", 100))
THOUSAND = list(ids("one-of-many", 1000))
DEATHS = 2
A_DEATH_COSTS = 25.0
"""Seconds until somebody is told again: heartbeat and retry are 13, the new worker begins in some, under load."""


async def test_a_hundred_signers_whose_push_service_takes_four_seconds_are_told_once_each(
    tmp_path: Path, note: Note
) -> None:
    """Before, 70 of them had six pushes each, 20 had none."""
    async with slow_crowd(tmp_path / "data", CROWD) as town:
        await town.ask("crowd", *CROWD, at_once=True)
        took = await until_sent(town, "crowd", "ready", len(CROWD), timeout_seconds=120)
        await until_all_have_a_line(town, "crowd", len(CROWD))
        sends = await sends_to_each(town, "crowd", "ready")
        findings = judge(await gather(town, {}, "crowd"))
    note(f"crowd of signers: {len(sends)} of {len(CROWD)} told, {sends.total()} pushes, {took:.0f} s")
    assert sends == Counter(CROWD)
    assert findings == []


async def test_a_thousand_recipients_with_slow_answers_are_told_once_each(tmp_path: Path, note: Note) -> None:
    """A group that hears of the end, in calls of a hundred."""
    async with slow_crowd(tmp_path / "data", THOUSAND) as town:
        await town.ask("thousand", SIGNER, group=EVERYBODY)
        await town.sign("thousand", timeout_seconds=60)
        await until_sent(town, "thousand", "settled", len(THOUSAND), timeout_seconds=500)
        await eventually(lambda: group_is_done(town, "thousand"), timeout_seconds=60)
        sends_by_person = await sends_to_each(town, "thousand", "settled")
        findings = judge(await gather(town, {}, "thousand"))
    sends = Counter({person: sends_by_person[person] for person in THOUSAND if sends_by_person[person]})
    note(f"crowd of recipients: {len(sends)} of {len(THOUSAND)} told, {sends.total()} pushes")
    assert sends == Counter(THOUSAND)
    assert findings == []


async def test_a_worker_that_dies_in_the_middle_of_a_crowd_costs_seconds_and_one_push_at_most(
    tmp_path: Path, note: Note
) -> None:
    """What the dead one had sent is sent again under the same key, once a death; nobody is forgotten."""
    async with slow_crowd(tmp_path / "data", CROWD) as town:
        began = time.monotonic()
        await town.ask("mortal", *CROWD, at_once=True)
        pauses = []
        for death in range(DEATHS):
            await until_sent(town, "mortal", "ready", 40 + 80 * death, timeout_seconds=120)
            pauses.append(await kill_the_worker(town, "mortal", "ready"))
        await until_all_have_a_line(town, "mortal", len(CROWD))
        sends = await sends_to_each(town, "mortal", "ready")
        findings = judge(await gather(town, {}, "mortal"))
    worst = max(sends.values())
    note(
        f"crowd and {DEATHS} dead workers: {len(sends)} of {len(CROWD)} told, at most {worst} sends each, "
        f"told again after {max(pauses):.0f} s, {time.monotonic() - began:.0f} s"
    )
    assert set(sends) == set(CROWD)
    assert worst <= 1 + DEATHS
    assert max(pauses) < A_DEATH_COSTS
    assert findings == []


async def until_all_have_a_line(town: Town, request: str, count: int) -> None:
    """The workflow knows of everybody."""
    await town.until_shown(request, lambda view: len(view.notifications) >= count, timeout_seconds=180)


async def group_is_done(town: Town, request: str) -> bool:
    view = await town.read_view(request)
    return any(line.target == EVERYBODY and line.state is HandoffState.DONE for line in view.handoffs)
