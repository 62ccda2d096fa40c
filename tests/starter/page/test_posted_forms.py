"""What a browser posts is read whole, or said not to be there."""

from typing import Any

import pytest
from starlette.requests import Request

from starter.page.posted_forms import LONGEST, read_form

_HERE: dict[str, Any] = {"type": "http.request", "body": b"token=t&act=", "more_body": True}
_REST: dict[str, Any] = {"type": "http.request", "body": b"sign"}
_GONE: dict[str, Any] = {"type": "http.disconnect"}


async def read(*messages: dict[str, Any]) -> dict[str, str] | None:
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    return await read_form(Request({"type": "http"}, receive))


async def test_a_form_that_comes_in_pieces_is_whole() -> None:
    assert await read(_HERE, _REST) == {"token": "t", "act": "sign"}


@pytest.mark.parametrize("end", [_GONE, {"type": "http.request", "body": b"x" * LONGEST}], ids=["broken off", "large"])
async def test_a_form_whose_end_does_not_come_is_none(end: dict[str, Any]) -> None:
    assert await read(_HERE, end) is None


async def test_what_is_no_form_has_no_fields() -> None:
    assert await read({"type": "http.request", "body": "é".encode()}) == {}
