"""Reads the body of a request within a size and a time: the server itself limits neither (docs/faults.md, A13)."""

import asyncio
import math
from collections.abc import Callable
from enum import Enum
from typing import Final

from starlette.types import Receive

BODY_SECONDS: Final = 5.0
SMALL: Final = 16 * 1024
"""Bytes that each body has, however many are held: an ordinary callback is smaller."""


class BodyFault(Enum):
    """Why there is no body."""

    TOO_LARGE = "too large"
    STALLED = "stalled"
    CROWDED = "crowded"


class Held:
    """What all large bodies together have in memory while they are read: at most so many bytes beyond what is small."""

    def __init__(self, most: float = math.inf) -> None:
        self._left = most

    def take(self, size: int) -> bool:
        """Whether there is room for so much more; if so, it is taken."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """So much is free again."""
        self._left += size


async def read_body(
    receive: Receive, *, limit: int, seconds: float = BODY_SECONDS, held: Held | None = None
) -> bytes | BodyFault:
    """The whole body, at most `limit` bytes long and complete within `seconds`, if there is room for it among those
    that are `held`."""
    ours, held = [0], held or Held()
    try:
        return await _read(receive, limit, seconds, lambda size: _grown(held, ours, size))
    finally:
        held.give_back(ours[0])


def _grown(held: Held, ours: list[int], size: int) -> bool:
    more = max(0, size - SMALL) - ours[0]
    if not held.take(more):
        return False
    ours[0] += more
    return True


async def _read(receive: Receive, limit: int, seconds: float, has_room: Callable[[int], bool]) -> bytes | BodyFault:
    body = bytearray()
    size, fault = 0, None
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return BodyFault.STALLED
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    fault = BodyFault.TOO_LARGE
                elif fault is None and not has_room(size):
                    fault = BodyFault.CROWDED
                # What is too much is read to its end and dropped: closed upon, many a client never sees the answer.
                if fault is None:
                    body += chunk
                elif body:
                    body.clear()
                    has_room(0)
                if not message.get("more_body", False):
                    return fault or bytes(body)
    except TimeoutError:
        return BodyFault.TOO_LARGE if fault is BodyFault.TOO_LARGE else BodyFault.STALLED
