"""Reads the body of a request within a size and a time: the server itself limits neither (docs/faults.md, A13)."""

import asyncio
from enum import Enum
from typing import Final

from starlette.types import Receive

BODY_SECONDS: Final = 5.0


class BodyFault(Enum):
    """Why there is no body."""

    TOO_LARGE = "too large"
    STALLED = "stalled"


async def read_body(receive: Receive, *, limit: int, seconds: float = BODY_SECONDS) -> bytes | BodyFault:
    """The whole body, at most `limit` bytes long and complete within `seconds`."""
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return BodyFault.STALLED
                chunk = message.get("body", b"")
                size += len(chunk)
                # What is too much is read to its end and dropped: closed upon, many a client never sees the answer.
                if size <= limit:
                    body += chunk
                else:
                    body.clear()
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    else:
        return bytes(body) if size <= limit else BodyFault.TOO_LARGE
    return BodyFault.TOO_LARGE if size > limit else BodyFault.STALLED
