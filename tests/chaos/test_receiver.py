"""The receiver for a minute at 200 callbacks a second, under a flood, killed at random, and with its secret rotated."""

import asyncio
import random
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.bursts import Burst, Memory, flooding
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.races import wait_for_ends, waiting
from tests.faults.test_receiver import MORE_MB
from tests.faults.test_reconciliation import old_enough
from tests.faults.town import RECEIVER, TEMPORAL, Conditions, Town, eventually, start_town
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]

REPEATS_SOON = Conditions(sandbox={"SANDBOX_RETRY_UNIT": "1"})
AT_THE_USUAL_PACE = Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": "5"})
SECRETS = "COUNTERSIGN_WEBHOOK_SECRETS"


async def test_200_callbacks_a_second_for_a_minute_lose_nothing(tmp_path: Path, note: Note) -> None:
    """A15: whoever is not answered in time is asked to call again; how many, and how soon the others are, is printed.

    On two cores that have nothing else to do nobody should be, and 99 of 100 be answered within a second. Documents are
    read for it at the pace that is the default.
    """
    async with start_town(tmp_path / "data", AT_THE_USUAL_PACE) as town:
        burst = Burst(town, await waiting(town, "burst", 20))
        await burst.run(per_second=200, seconds=60)
        lost = await burst.lost()
    repeat_count = sum(answer.status == 500 for answer in burst.answers.values())
    note(
        f"burst: {len(burst.answers)} at 200/s, p99 {burst.p99_ms():.0f} ms, {repeat_count} to repeat, {len(lost)} lost"
    )
    assert burst.statuses <= {200, 500}
    assert (len(burst.answers), lost) == (12_000, set())


async def test_a_flood_for_a_minute_takes_no_memory_and_genuine_ones_are_answered(tmp_path: Path, note: Note) -> None:
    """A7: all of them are, each with 200; how soon is printed, beside what they take without it."""
    async with start_town(tmp_path / "data") as town:
        burst = Burst(town, await waiting(town, "flooded", 5))
        await burst.run(per_second=10, seconds=20)
        memory_before, calm = Memory.of_receiver(town), burst.p99_ms()
        burst.answers.clear()
        async with flooding(burst, callers=12) as refused:
            await burst.run(per_second=10, seconds=60)
        grown, lost = Memory.of_receiver(town).peak - memory_before.now, await burst.lost()
    note(
        f"flood: {len(refused)} refused, +{grown:.0f} MB, p99 of genuine ones {burst.p99_ms():.0f} ms, else {calm:.0f}"
    )
    assert grown <= MORE_MB
    assert (burst.statuses, lost) == ({200}, set())


async def test_a_receiver_that_is_killed_20_times_loses_nothing(tmp_path: Path, note: Note, seed: int) -> None:
    """A12: two sign around each death; Core Signature repeats what was not answered, and the sweep is the net."""
    dice = random.Random(seed)  # noqa: S311  no secret
    async with start_town(tmp_path / "data", REPEATS_SOON) as town:
        names = await waiting(town, "unmanned", 40)
        for first in range(0, len(names), 2):
            await town.sign(names[first])
            await asyncio.sleep(dice.uniform(0, 0.1))  # the random offset
            async with town.outage(RECEIVER):
                await town.sign(names[first + 1])
        await eventually(lambda: old_enough(town, 0), timeout_seconds=40)
        assert (await town.command("reconcile"))[0] == 0
        views, violations = await wait_for_ends(town, names), judge(await gather(town, {}, "unmanned"))
    note(f"receiver: killed 20 times while {len(names)} requests were signed, {len(violations)} lost")
    assert ({view.status for view in views}, violations) == ({Status.SIGNED}, [])


async def test_temporal_is_away_for_a_minute_while_callbacks_come_and_nothing_is_lost(
    tmp_path: Path, note: Note
) -> None:
    """A11: each is answered 500, which has Core Signature repeat it; no sweep comes."""
    async with start_town(tmp_path / "data", REPEATS_SOON) as town:
        names = await waiting(town, "unanswered", 50)
        last_entry, began = await town.vendor.last(), time.monotonic()
        async with town.outage(TEMPORAL):
            for name in names:
                await town.sign(name)
            await asyncio.sleep(60 - (time.monotonic() - began))  # the length of the outage
            turned_away = await town.vendor.ledger("callback", last_entry)
        views = await wait_for_ends(town, names)
        violations = judge(await gather(town, {}, "unanswered"))
    note(f"temporal: away for a minute, {len(turned_away)} callbacks answered 500, {len(violations)} lost")
    assert {entry["status"] for entry in turned_away} == {500}
    assert ({view.status for view in views}, violations) == ({Status.SIGNED}, [])


async def test_the_secret_is_rotated_under_load_and_no_callback_is_refused(tmp_path: Path, note: Note) -> None:
    """A14: the new secret beside the old one, then Core Signature changes over, then the old one is forgotten."""
    async with start_town(tmp_path / "data") as town:
        burst = Burst(town, await waiting(town, "rotated", 5))
        calling = asyncio.create_task(burst.run(per_second=50, seconds=30))
        await _restart_receiver(town, f"new-one,{town.folder_state.secrets.callback}")
        burst.secret = "new-one"
        signed_before = set(burst.unanswered)
        await eventually(partial(_all_answered, burst, signed_before), timeout_seconds=60)
        await _restart_receiver(town, "new-one")
        await calling
        lost = await burst.lost()
    note(f"rotation: {len(burst.answers)} callbacks, answered {burst.statuses}, {len(lost)} lost")
    assert burst.statuses <= {200, 500}, "what Temporal does not confirm in time is repeated; nothing is refused"
    assert lost == set()


async def _all_answered(burst: Burst, events: set[str]) -> bool:
    return burst.unanswered.isdisjoint(events)


async def _restart_receiver(town: Town, secrets: str) -> None:
    town.conditions = replace(town.conditions, own_programs={**town.conditions.own_programs, SECRETS: secrets})
    await town.end(RECEIVER)
    await town.start(RECEIVER)
