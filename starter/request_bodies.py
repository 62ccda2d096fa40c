"""Reads the body of a request within a size and a time: the server itself limits neither (docs/faults.md, A13)."""

import asyncio
import math
from collections.abc import Callable
from enum import Enum
from typing import Final

from starlette.types import Receive

BODY_SECONDS: Final = 5.0
SMALL: Final = 16 * 1024
"""Bytes of each body that large ones cannot take from it: an ordinary callback is smaller."""


class BodyFault(Enum):
    """Why there is no body."""

    TOO_LARGE = "too large"
    STALLED = "stalled"
    CROWDED = "crowded"


class Held:
    """What all bodies together have in memory while they are read: at most so many bytes `altogether`, of which so many
    `beyond` what is small of each."""

    def __init__(self, altogether: float = math.inf, beyond: float = math.inf) -> None:
        self._left = altogether
        self._left_beyond = beyond

    def has_room(self, before: int, size: int) -> bool:
        """Whether a body of so many bytes `before` may have `size` now; if so, it has. A smaller one always may."""
        more, beyond = size - before, max(0, size - SMALL) - max(0, before - SMALL)
        if more > 0 and (more > self._left or beyond > self._left_beyond):
            return False
        self._left -= more
        self._left_beyond -= beyond
        return True


async def read_body(
    receive: Receive, *, limit: int, seconds: float = BODY_SECONDS, held: Held | None = None
) -> bytes | BodyFault:
    """The whole body, at most `limit` bytes long and complete within `seconds`, if there is room for it among those
    that are `held`."""
    ours, held = [0], held or Held()

    def has_room(size: int) -> bool:
        if not held.has_room(ours[0], size):
            return False
        ours[0] = size
        return True

    try:
        return await _read(receive, limit, seconds, has_room)
    finally:
        held.has_room(ours[0], 0)


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
                del message, chunk  # Nobody holds this piece while the next one is waited for.
    except TimeoutError:
        return BodyFault.TOO_LARGE if fault is BodyFault.TOO_LARGE else BodyFault.STALLED
