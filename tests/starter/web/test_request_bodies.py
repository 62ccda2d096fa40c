"""Bodies that are not complete yet: those of one address take no place of those of another."""

import asyncio

from starter.web.bodies import BodyFault, IncomingBodies
from starter.web.serving import Capacity
from tests.starter.web.receiving import Stalling


async def test_of_one_address_the_oldest_body_makes_room_and_those_of_others_stay() -> None:
    incoming = IncomingBodies("bodies", room=Capacity(100, 2))
    stranger, other = Stalling({}, host="127.0.0.9"), Stalling({}, host="127.0.0.8")
    theirs = asyncio.create_task(incoming.read(other.begun(b"x"), limit=9, seconds=60))
    await other.silent(1)
    calls = []
    for number in range(20):
        calls.append(asyncio.create_task(incoming.read(stranger.begun(b"x"), limit=9, seconds=60)))
        await stranger.silent(1)
        if number > 1:
            await asyncio.wait([calls[number - 2]])
        assert [call.done() for call in calls] == [True] * (number - 1) + [False] * min(2, number + 1)
    assert not theirs.done()
    assert await incoming.read(stranger.whole(b"whole"), limit=9) == b"whole"
    stranger.gate.set()
    other.gate.set()
    assert await theirs == b"x"
    assert await asyncio.gather(*calls) == [BodyFault.CROWDED] * 19 + [b"x"]


async def test_in_all_the_oldest_makes_room_whoever_it_is_of() -> None:
    incoming = IncomingBodies("bodies", room=Capacity(10, 2))
    strangers = [Stalling({}, host=f"127.0.0.{number}") for number in range(2, 102)]
    calls = []
    for one in strangers:
        calls.append(asyncio.create_task(incoming.read(one.begun(b""), limit=9, seconds=60)))
        await one.silent(1)
    assert await incoming.read(strangers[0].whole(b"whole"), limit=9) == b"whole"
    for one in strangers:
        one.gate.set()
    assert await asyncio.gather(*calls) == [BodyFault.CROWDED] * 91 + [b""] * 9


async def test_who_needs_more_than_all_have_is_turned_away_and_takes_nothing_with_it() -> None:
    incoming = IncomingBodies("bodies", altogether=10)
    crowd = Stalling({})
    assert await incoming.read(crowd.whole(bytes(11)), limit=99) is BodyFault.CROWDED
    assert await incoming.read(crowd.whole(bytes(10)), limit=99) == bytes(10)
    held = asyncio.create_task(incoming.read(crowd.begun(bytes(9)), limit=99, seconds=60))
    await crowd.silent(1)
    assert await incoming.read(crowd.whole(bytes(2)), limit=99) == bytes(2)
    assert await held is BodyFault.CROWDED
    assert await incoming.read(crowd.whole(bytes(10)), limit=99) == bytes(10)


async def test_beyond_the_bytes_of_one_holder_its_own_oldest_body_makes_room() -> None:
    incoming = IncomingBodies("bodies", altogether=100, of_one=10)
    stranger, other = Stalling({}, host="127.0.0.9"), Stalling({}, host="127.0.0.9")
    older = asyncio.create_task(incoming.read(other.begun(bytes(9)), limit=99, seconds=60, holder="token:crm"))
    await other.silent(1)
    first = asyncio.create_task(incoming.read(stranger.begun(bytes(9)), limit=99, seconds=60, holder="token:erp"))
    await stranger.silent(1)
    assert await incoming.read(stranger.whole(bytes(2)), limit=99, holder="token:erp") == bytes(2)
    assert await first is BodyFault.CROWDED and not older.done()
    assert await incoming.read(stranger.whole(bytes(11)), limit=99, holder="token:erp") is BodyFault.CROWDED
    other.gate.set()
    assert await older == bytes(9)
