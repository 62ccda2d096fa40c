"""The receiver as a process that is flooded, called faster than ever, and killed."""

from functools import partial

import pytest

from tests.faults.bursts import Burst, Memory, flooding, nonsense
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.races import wait_for_ends, waiting
from tests.faults.town import RECEIVER, Town, eventually
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

MORE_MB = 20
"""What a flood may take of memory."""


@pytest.mark.long
async def test_a_flood_of_huge_deep_and_compressed_bodies_takes_no_memory(shared: Town) -> None:
    """A7: whoever sends them even knows the address; genuine callbacks are answered meanwhile, and none is lost."""
    burst = Burst(shared, await waiting(shared, "flooded", 2))
    async with flooding(burst, callers=1) as each_once:
        await eventually(partial(_so_many, each_once))
    memory_before = Memory.of_receiver(shared)
    async with flooding(burst, callers=12) as refused:
        await burst.run(per_second=20, seconds=2)
    memory_after = Memory.of_receiver(shared)
    assert memory_after.peak - memory_before.now <= MORE_MB
    assert {400, 413} <= set(each_once)
    assert set(refused) <= {400, 413, 500}
    assert (burst.statuses, await burst.lost()) == ({200}, set())


@pytest.mark.long
async def test_a_burst_of_callbacks_is_answered_without_5xx_and_none_is_lost(shared: Town) -> None:
    """A15, small: `chaos/test_receiver.py` has 200 a second for a minute."""
    burst = Burst(shared, await waiting(shared, "burst", 3))
    await burst.run(per_second=100, seconds=2)
    assert (len(burst.answers), burst.statuses, await burst.lost()) == (200, {200}, set())


async def test_a_receiver_that_is_killed_loses_nothing(shared: Town) -> None:
    """A12, small: what it did not answer is told again by Core Signature alone; no sweep comes."""
    names = await waiting(shared, "unmanned", 2)
    async with shared.outage(RECEIVER):
        for name in names:
            await shared.sign(name)
    assert {view.status for view in await wait_for_ends(shared, names)} == {Status.SIGNED}
    assert judge(await gather(shared, {}, "unmanned")) == []


async def _so_many(refused: list[int]) -> bool:
    """Whether each kind of nonsense was sent once, so that what is ever loaded is loaded."""
    return len(refused) > len(nonsense())
