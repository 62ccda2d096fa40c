"""Bodies that are being read: what one holder has takes no room of another."""

import asyncio

from starter.web.http.bodies import BodyFault, IncomingBodies
from tests.starter.web.receiving import StallingRequests


async def test_beyond_all_bytes_a_body_is_refused_and_takes_nothing_with_it() -> None:
    incoming, callers = IncomingBodies(10), StallingRequests({})
    assert await incoming.read(callers.make_whole_request(bytes(11)), limit=99) is BodyFault.CROWDED
    assert await incoming.read(callers.make_whole_request(bytes(10)), limit=99) == bytes(10)
    reading = asyncio.create_task(incoming.read(callers.make_stalling_request(bytes(9)), limit=99, seconds=60))
    await callers.wait_until_stalled(1)
    assert await incoming.read(callers.make_whole_request(bytes(2)), limit=99) is BodyFault.CROWDED
    assert await incoming.read(callers.make_whole_request(bytes(1)), limit=99) == bytes(1)
    callers.gate.set()
    assert await reading == bytes(9)
    assert await incoming.read(callers.make_whole_request(bytes(10)), limit=99) == bytes(10)


async def test_a_body_that_is_refused_in_the_middle_frees_its_bytes_while_the_rest_is_dropped() -> None:
    incoming, callers = IncomingBodies(10), StallingRequests({})
    refused = asyncio.create_task(incoming.read(callers.make_stalling_request(bytes(9)), limit=8, seconds=60))
    await callers.wait_until_stalled(1)
    assert await incoming.read(callers.make_whole_request(bytes(10)), limit=99) == bytes(10)
    callers.gate.set()
    assert await refused is BodyFault.TOO_LARGE


async def test_one_holder_has_so_many_bytes_and_another_is_read_beside_them() -> None:
    incoming, callers = IncomingBodies(100, of_one=10), StallingRequests({})
    reading = asyncio.create_task(
        incoming.read(callers.make_stalling_request(bytes(9)), limit=99, seconds=60, holder="token:erp")
    )
    await callers.wait_until_stalled(1)
    assert await incoming.read(callers.make_whole_request(bytes(2)), limit=99, holder="token:erp") is BodyFault.CROWDED
    assert await incoming.read(callers.make_whole_request(bytes(10)), limit=99, holder="token:crm") == bytes(10)
    callers.gate.set()
    assert await reading == bytes(9)
    assert await incoming.read(callers.make_whole_request(bytes(10)), limit=99, holder="token:erp") == bytes(10)


async def test_one_holder_has_so_many_bodies_and_another_is_read_beside_them() -> None:
    incoming, callers = IncomingBodies(100, bodies_of_one=5), StallingRequests({})
    calls = [
        asyncio.create_task(incoming.read(callers.make_stalling_request(b""), limit=9, seconds=60, holder="token:erp"))
        for _ in range(50)
    ]
    await callers.wait_until_stalled(5)
    assert await incoming.read(callers.make_whole_request(b"x"), limit=9, holder="token:crm") == b"x"
    callers.gate.set()
    answers = await asyncio.gather(*calls)
    assert (answers.count(b""), answers.count(BodyFault.CROWDED)) == (5, 45)
    assert await incoming.read(callers.make_whole_request(b"x"), limit=9, holder="token:erp") == b"x"
