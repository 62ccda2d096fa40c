"""Races in the numbers of the fault catalogue."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.races import (
    cancelled_during_escalation,
    falls_due,
    has_fired,
    in_order,
    is_cancelled,
    nearly_due,
    nobody_works,
    signer_signs,
    wait_for_ends,
    waiting,
)
from tests.faults.town import start_town
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]


async def test_a_hundred_times_signed_in_the_instant_of_the_escalation(tmp_path: Path, note: Note) -> None:
    """F1: fifty times the timer first, fifty times the signal."""
    async with start_town(tmp_path / "data") as town:
        timer_first, signal_first = await waiting(town, "timer-first", 50), await waiting(town, "signal-first", 50)
        await nearly_due(town, timer_first + signal_first, time_left=timedelta(seconds=45))
        async with nobody_works(town):
            assert not any([await has_fired(town, name) for name in timer_first + signal_first]), "too slow a machine"
            await in_order(town, signal_first, signer_signs, falls_due)
            await in_order(town, timer_first, falls_due, signer_signs)
        views = await wait_for_ends(town, timer_first + signal_first)
        findings = judge(await gather(town, {}, "timer-first")) + judge(await gather(town, {}, "signal-first"))
    signed = [view for view in views if view.status is Status.SIGNED and not view.escalations]
    note(f"signed at the escalation: {len(signed)} of {len(views)} signed, nobody asked needlessly")
    assert len(signed) == len(views) == 100
    assert findings == []


async def test_a_hundred_times_signed_and_cancelled_while_nobody_works(tmp_path: Path, note: Note) -> None:
    """F4: fifty times signed first, fifty times cancelled first."""
    async with start_town(tmp_path / "data") as town:
        signed_first, cancelled_first = await waiting(town, "signed-first", 50), await waiting(town, "cancel-first", 50)
        async with nobody_works(town):
            await in_order(town, signed_first, signer_signs, is_cancelled)
            await in_order(town, cancelled_first, is_cancelled, signer_signs)
        views = await wait_for_ends(town, signed_first + cancelled_first)
        findings = judge(await gather(town, {}, "signed-first")) + judge(await gather(town, {}, "cancel-first"))
    signed = [view for view in views if view.status is Status.SIGNED and view.handoffs[0].state == "done"]
    note(f"signed and cancelled: {len(signed)} of {len(views)} signed and handed off")
    assert len(signed) == len(views) == 100
    assert findings == []


async def test_twenty_times_cancelled_at_any_point_of_an_escalation(tmp_path: Path, seed: int, note: Note) -> None:
    """F3: at random offsets."""
    dice = random.Random(seed)  # noqa: S311  chaos that can be repeated, no secret
    async with start_town(tmp_path / "data") as town:
        names = await waiting(town, "escalating", 20)
        await asyncio.gather(*(cancelled_during_escalation(town, name, dice) for name in names))
        views = await wait_for_ends(town, names)
        provider = [document["status"] for document in await town.vendor.documents()]
        findings = judge(await gather(town, {}, "escalating"))
    alerted = sum(bool(view.escalations) for view in views)
    note(
        f"cancelled during escalation: {provider.count('ca')} of 20 at the provider, {alerted} after the alert was out"
    )
    assert provider == ["ca"] * 20
    assert findings == []
