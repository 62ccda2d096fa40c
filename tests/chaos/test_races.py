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
    ended,
    falls_due,
    has_fired,
    in_order,
    is_cancelled,
    nearly_due,
    nobody_works,
    signer_signs,
    waiting,
)
from tests.faults.town import town
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]


async def test_a_hundred_times_signed_in_the_instant_of_the_escalation(tmp_path: Path, note: Note) -> None:
    """F1: fifty times the timer first, fifty times the signal."""
    async with town(tmp_path / "data") as it:
        timer_first, signal_first = await waiting(it, "timer-first", 50), await waiting(it, "signal-first", 50)
        await nearly_due(it, timer_first + signal_first, left=timedelta(seconds=45))
        async with nobody_works(it):
            assert not any([await has_fired(it, name) for name in timer_first + signal_first]), "too slow a machine"
            await in_order(it, signal_first, signer_signs, falls_due)
            await in_order(it, timer_first, falls_due, signer_signs)
        shown = await ended(it, timer_first + signal_first)
        findings = judge(await gather(it, {}, "timer-first")) + judge(await gather(it, {}, "signal-first"))
    signed = [one for one in shown if one.status is Status.SIGNED and not one.escalations]
    note(f"signed at the escalation: {len(signed)} of {len(shown)} signed, nobody asked needlessly")
    assert len(signed) == len(shown) == 100
    assert findings == []


async def test_a_hundred_times_signed_and_cancelled_while_nobody_works(tmp_path: Path, note: Note) -> None:
    """F4: fifty times signed first, fifty times cancelled first."""
    async with town(tmp_path / "data") as it:
        signed_first, cancelled_first = await waiting(it, "signed-first", 50), await waiting(it, "cancel-first", 50)
        async with nobody_works(it):
            await in_order(it, signed_first, signer_signs, is_cancelled)
            await in_order(it, cancelled_first, is_cancelled, signer_signs)
        shown = await ended(it, signed_first + cancelled_first)
        findings = judge(await gather(it, {}, "signed-first")) + judge(await gather(it, {}, "cancel-first"))
    signed = [one for one in shown if one.status is Status.SIGNED and one.handoffs[0].state == "done"]
    note(f"signed and cancelled: {len(signed)} of {len(shown)} signed and handed off")
    assert len(signed) == len(shown) == 100
    assert findings == []


async def test_twenty_times_cancelled_at_any_point_of_an_escalation(tmp_path: Path, seed: int, note: Note) -> None:
    """F3: at random offsets."""
    dice = random.Random(seed)  # noqa: S311  chaos that can be repeated, no secret
    async with town(tmp_path / "data") as it:
        names = await waiting(it, "escalating", 20)
        await asyncio.gather(*(cancelled_during_escalation(it, name, dice) for name in names))
        shown = await ended(it, names)
        provider = [document["status"] for document in await it.vendor.documents()]
        findings = judge(await gather(it, {}, "escalating"))
    alerted = sum(bool(one.escalations) for one in shown)
    note(
        f"cancelled during escalation: {provider.count('ca')} of 20 at the provider, {alerted} after the alert was out"
    )
    assert provider == ["ca"] * 20
    assert findings == []
