"""How many activities are taken from the queue of those that call Core Signature."""

import asyncio
from typing import cast

import pytest
from temporalio.common import Priority
from temporalio.worker import SlotInfo, SlotMarkUsedContext, SlotPermit, SlotReleaseContext, SlotReserveContext

from activities.http.rate_limit import RateLimiter
from activities.temporal.interceptors import MOST_AT_ONCE, PacedSlots
from tests.activities.http.test_pacing import lived
from workflows.follow_up import options

ANY = cast("SlotReserveContext", None)
BEGUN = cast("SlotMarkUsedContext", None)
DONE = SlotReleaseContext(slot_info=cast("SlotInfo", object()), permit=SlotPermit())
UNUSED = SlotReleaseContext(slot_info=None, permit=SlotPermit())


@pytest.mark.parametrize(("rate", "room"), [(0, 0), (0.2, 1), (5, 15), (1000, MOST_AT_ONCE)])
def test_no_more_is_taken_from_the_queue_than_can_be_served_soon(rate: float, room: int) -> None:
    """Ten times as many want to: a default of a hundred at a time would wait 20 s a call at a rate of 5."""

    async def story() -> None:
        slots = PacedSlots(RateLimiter(rate))
        wanting = [asyncio.ensure_future(slots.reserve_slot(ANY)) for _ in range(10 * MOST_AT_ONCE)]
        await asyncio.sleep(5)
        assert sum(reservation.done() for reservation in wanting) == room
        for reservation in wanting:
            reservation.cancel()
        await asyncio.gather(*wanting, return_exceptions=True)

    lived(story())


def test_a_slot_that_is_given_back_is_taken_at_once() -> None:
    async def story() -> None:
        slots = PacedSlots(RateLimiter(0.2))
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
        pace = RateLimiter(5)
        pace.hold(60)
        await PacedSlots(pace).reserve_slot(ANY)
        return asyncio.get_running_loop().time()

    assert 60 <= lived(story()) <= 61


def test_what_is_urgent_waits_for_no_slot_and_takes_room_from_the_rest() -> None:
    """However many others are under way: a server asks the partitions of a queue in turn, whatever waits."""

    async def story() -> None:
        first = PacedSlots(RateLimiter(1))
        ordinary = PacedSlots(RateLimiter(1), first)
        for _ in range(3):
            await ordinary.reserve_slot(ANY)
        await first.reserve_slot(ANY)
        ordinary.release_slot(UNUSED)
        await ordinary.reserve_slot(ANY)  # What only waits for something urgent keeps nobody up.
        first.mark_slot_used(BEGUN)
        ordinary.release_slot(UNUSED)
        waiting_reservation = asyncio.ensure_future(ordinary.reserve_slot(ANY))
        await asyncio.sleep(5)
        assert not waiting_reservation.done()
        first.release_slot(DONE)
        await asyncio.wait_for(waiting_reservation, 2)

    lived(story())


def test_a_queue_may_have_fewer_places_than_its_calls_could_use() -> None:
    async def story() -> None:
        slots = PacedSlots(RateLimiter(1000), places=1)
        await slots.reserve_slot(ANY)
        waiting_reservation = asyncio.ensure_future(slots.reserve_slot(ANY))
        await asyncio.sleep(5)
        assert not waiting_reservation.done()
        slots.release_slot(DONE)
        await asyncio.wait_for(waiting_reservation, 2)

    lived(story())


@pytest.mark.parametrize(
    ("activity_options", "key", "queue"),
    [
        (options.CREATE, 1, "countersign-core-signature-urgent"),
        (options.CREATE, 3, "countersign-core-signature"),
        (options.CREATE, 5, "countersign-core-signature"),
        (options.CREATE, None, "countersign-core-signature"),
        (options.NOTIFY, 1, None),
    ],
)
def test_only_urgent_calls_have_a_queue_to_themselves(
    activity_options: options.ActivityOptions, key: int | None, queue: str | None
) -> None:
    assert options.in_its_queue(activity_options, Priority(priority_key=key)) == {
        **activity_options,
        "task_queue": queue,
    }
