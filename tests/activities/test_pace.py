"""How many activities are taken from the queue of those that call Core Signature."""

import asyncio
from typing import cast

import pytest
from temporalio.worker import SlotReleaseContext, SlotReserveContext

from activities.http.pacing import Pacer
from activities.pace import MOST_AT_ONCE, PacedSlots
from tests.activities.http.test_pacing import lived

ANY = cast("SlotReserveContext", None)
DONE = cast("SlotReleaseContext", None)


@pytest.mark.parametrize(("rate", "room"), [(0, 1), (0.2, 1), (5, 15), (1000, MOST_AT_ONCE)])
def test_no_more_is_taken_from_the_queue_than_can_be_served_soon(rate: float, room: int) -> None:
    """Ten times as many want to: a default of a hundred at a time would wait 20 s a call at a rate of 5."""

    async def story() -> None:
        slots = PacedSlots(Pacer(rate))
        wanting = [asyncio.ensure_future(slots.reserve_slot(ANY)) for _ in range(10 * MOST_AT_ONCE)]
        await asyncio.sleep(5)
        assert sum(one.done() for one in wanting) == room
        for one in wanting:
            one.cancel()
        await asyncio.gather(*wanting, return_exceptions=True)

    lived(story())


def test_a_slot_that_is_given_back_is_taken_at_once() -> None:
    async def story() -> None:
        slots = PacedSlots(Pacer(0.2))
        await slots.reserve_slot(ANY)
        next_one = asyncio.ensure_future(slots.reserve_slot(ANY))
        await asyncio.sleep(0.5)
        assert not next_one.done()
        slots.release_slot(DONE)
        await next_one
        assert asyncio.get_running_loop().time() == 0.5

    lived(story())


def test_while_the_tenant_has_had_enough_nothing_is_taken_from_the_queue() -> None:
    """What is taken then would be given back as a failed attempt."""

    async def story() -> float:
        pace = Pacer(5)
        pace.hold(60)
        await PacedSlots(pace).reserve_slot(ANY)
        return asyncio.get_running_loop().time()

    assert 60 <= lived(story()) <= 61
