"""What a browser posts is read whole, or said not to be there."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from starter.web.http.bodies import FORMS_AT_MOST, LONGEST, read_form
from tests.starter.web.receiving import StallingRequests

_HERE: dict[str, Any] = {"type": "http.request", "body": b"token=t&act=", "more_body": True}
_REST: dict[str, Any] = {"type": "http.request", "body": b"sign"}
_GONE: dict[str, Any] = {"type": "http.disconnect"}


async def read(*messages: dict[str, Any]) -> dict[str, str] | None:
    remaining_messages = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(remaining_messages)

    return await read_form(Request({"type": "http"}, receive))


async def test_a_form_that_comes_in_pieces_is_whole() -> None:
    assert await read(_HERE, _REST) == {"token": "t", "act": "sign"}


@pytest.mark.parametrize("end", [_GONE, {"type": "http.request", "body": b"x" * LONGEST}], ids=["broken off", "large"])
async def test_a_form_whose_end_does_not_come_is_none(end: dict[str, Any]) -> None:
    assert await read(_HERE, end) is None


async def test_what_is_no_form_has_no_fields() -> None:
    assert await read({"type": "http.request", "body": "é".encode()}) == {}


async def test_forms_that_stall_share_a_bound_and_are_read_again_afterwards() -> None:
    """Ten times as much as all forms have in memory."""
    strangers, own_requests = StallingRequests({}), StallingRequests({})
    held_count = FORMS_AT_MOST // LONGEST
    calls = [
        asyncio.create_task(read_form(strangers.make_stalling_request(bytes(LONGEST)))) for _ in range(10 * held_count)
    ]
    await strangers.wait_until_stalled(10 * held_count)
    assert await read_form(own_requests.make_whole_request(b"who=legal")) is None
    strangers.gate.set()
    assert [fields is None for fields in await asyncio.gather(*calls)].count(True) == 9 * held_count
    assert await read_form(own_requests.make_whole_request(b"who=legal")) == {"who": "legal"}
