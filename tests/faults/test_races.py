"""What happened in the same instant ends the same way, whichever of it Temporal delivers first.

`make chaos` has a hundred of each.
"""

import asyncio
import random

import pytest

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
from tests.faults.town import Town
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_signed_in_the_instant_of_the_escalation_is_signed_in_either_order(shared: Town) -> None:
    """F1: the worker is down while the timer falls due and the signature comes; nobody is asked needlessly."""
    timer_first, signal_first = await waiting(shared, "timer-first", 2), await waiting(shared, "signal-first", 2)
    await nearly_due(shared, timer_first + signal_first)
    async with nobody_works(shared):
        assert not any([await has_fired(shared, name) for name in timer_first + signal_first]), "too slow a machine"
        await asyncio.gather(
            in_order(shared, timer_first, falls_due, signer_signs),
            in_order(shared, signal_first, signer_signs, falls_due),
        )
    for shown in await ended(shared, timer_first + signal_first):
        assert (shown.status, shown.escalations) == (Status.SIGNED, ())
    assert judge(await gather(shared, {}, "timer-first")) == []
    assert judge(await gather(shared, {}, "signal-first")) == []


async def test_signed_and_cancelled_while_nobody_works_is_signed_and_handed_off(shared: Town) -> None:
    """F4: both in one workflow task, in either order: a signature is a fact, and the fan-out runs."""
    signed_first, cancelled_first = await waiting(shared, "signed-first", 2), await waiting(shared, "cancel-first", 2)
    async with nobody_works(shared):
        await in_order(shared, signed_first, signer_signs, is_cancelled)
        await in_order(shared, cancelled_first, is_cancelled, signer_signs)
    for shown in await ended(shared, signed_first + cancelled_first):
        assert shown.status is Status.SIGNED
        assert [line.state for line in shown.handoffs] == ["done"]
    assert judge(await gather(shared, {}, "signed-first")) == []
    assert judge(await gather(shared, {}, "cancel-first")) == []


async def test_cancelled_at_any_point_of_an_escalation_is_cancelled_at_the_provider(shared: Town) -> None:
    """F3: at random offsets: the provider's document is cancelled every time, and nobody is nudged afterwards."""
    names, dice = await waiting(shared, "escalating", 5), random.Random(3)  # noqa: S311  offsets, no secret
    await asyncio.gather(*(cancelled_during_escalation(shared, name, dice) for name in names))
    for shown in await ended(shared, names):
        assert shown.status is Status.CANCELLED
        assert [document["status"] for document in await shared.vendor.documents(shown.id)] == ["ca"]
    assert judge(await gather(shared, {}, "escalating")) == []
