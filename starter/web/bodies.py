"""Reads the body of a request within a size and a time: the server itself limits neither (docs/faults.md, A13)."""

import asyncio
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NoReturn
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.types import Receive
from temporalio.common import MetricMeter

from starter.web.connections import Places, Room

BODY_SECONDS: Final = 5.0
SMALL: Final = 16 * 1024
"""Bytes of each body that large ones cannot take from it: an ordinary callback is smaller."""
INCOMPLETE_AT_MOST: Final = 2_000
INCOMPLETE_AT_MOST_OF_ONE: Final = 500
"""Of one address. A genuine body is complete in an instant, so that the oldest ones are those that stall."""


class BodyFault(Enum):
    """Why there is no body."""

    TOO_LARGE = "too large"
    STALLED = "stalled"
    CROWDED = "crowded"


class _Body:
    """One that is being read, with so many bytes in memory."""

    def __init__(self, seconds: float) -> None:
        self.size = 0
        self.crowded_out = False
        self.time = asyncio.timeout(seconds)

    @property
    def beyond(self) -> int:
        """What of it is more than small."""
        return max(0, self.size - SMALL)

    def let_go(self) -> None:
        """End the reading."""
        self.crowded_out = True
        if not self.time.expired():
            self.time.reschedule(asyncio.get_running_loop().time())


class Incoming:
    """Bodies that are not complete yet: at most so many, and of one address, since no signature tells them apart; and
    at most so many bytes `altogether`, of which so many `beyond` what is small of each.

    Whoever has been read longest makes room for others, and is asked to call again.
    """

    def __init__(
        self,
        name: str,
        altogether: float = math.inf,
        beyond: float = math.inf,
        room: Room | None = None,
    ) -> None:
        self._places = Places(name, room or Room(INCOMPLETE_AT_MOST, INCOMPLETE_AT_MOST_OF_ONE))
        self._bodies: dict[_Body, None] = {}
        self._left = altogether
        self._left_beyond = beyond

    async def read(self, request: Request, *, limit: int, seconds: float = BODY_SECONDS) -> bytes | BodyFault:
        """The whole body of a request, as `read_body` reads it, if there is room for it."""
        body = _Body(seconds)
        if not self._places.admit(body, request.client.host if request.client else ""):
            return BodyFault.CROWDED
        self._bodies[body] = None
        try:
            return await _read(request.receive, limit, body, self)
        finally:
            self._places.ended(body)
            self._end(body)

    def has_room(self, body: _Body, size: int) -> bool:
        """Whether a body may have `size` bytes now, for which older ones may have been let go; if so, it has."""
        while not self._fits(body, size):
            if (other := self._oldest_in_the_way(body, size)) is None:
                return False
            self._places.take_from(other)
            self._end(other)
        self._resize(body, size)
        return True

    def _fits(self, body: _Body, size: int) -> bool:
        more, beyond = size - body.size, max(0, size - SMALL) - body.beyond
        return more <= 0 or (more <= self._left and beyond <= self._left_beyond)

    def _oldest_in_the_way(self, body: _Body, size: int) -> _Body | None:
        """Whoever gives back what is missing; None when that is `body` itself, or nobody."""
        needs_beyond = max(0, size - SMALL) - body.beyond > self._left_beyond
        oldest = next((one for one in self._bodies if (one.beyond if needs_beyond else one.size)), None)
        return None if oldest is body else oldest

    def _end(self, body: _Body) -> None:
        if body in self._bodies:
            del self._bodies[body]
            self._resize(body, 0)

    def _resize(self, body: _Body, size: int) -> None:
        before, before_beyond = body.size, body.beyond
        body.size = size
        self._left -= size - before
        self._left_beyond -= body.beyond - before_beyond


async def read_body(receive: Receive, *, limit: int, seconds: float = BODY_SECONDS) -> bytes | BodyFault:
    """The whole body, at most `limit` bytes long and complete within `seconds`."""
    return await _read(receive, limit, _Body(seconds), None)


async def _read(receive: Receive, limit: int, held: _Body, incoming: Incoming | None) -> bytes | BodyFault:
    body = bytearray()
    size, fault = 0, None
    try:
        async with held.time:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return BodyFault.STALLED
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    fault = BodyFault.TOO_LARGE
                elif fault is None and incoming and not incoming.has_room(held, size):
                    fault = BodyFault.CROWDED
                # What is too much is read to its end and dropped: closed upon, many a client never sees the answer.
                if fault is None:
                    body += chunk
                elif body:
                    body.clear()
                    if incoming:
                        incoming.has_room(held, 0)
                if not message.get("more_body", False):
                    return fault or bytes(body)
                del message, chunk  # Nobody holds this piece while the next one is waited for.
    except TimeoutError:
        if held.crowded_out:
            return BodyFault.CROWDED
        return BodyFault.TOO_LARGE if fault is BodyFault.TOO_LARGE else BodyFault.STALLED


MOST_DEPTH: Final = 32
MOST_VALUES: Final = 20_000
"""A callback has some hundred values; a megabyte of commas would become a hundred megabytes of objects."""
MOST_QUOTES: Final = 4 * MOST_VALUES
"""Of as many names and texts; a megabyte of quotes would become twenty of pieces while it is looked through."""

# The closing quote may be missing, so that each character is looked at once, however the quotes are placed.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


class NotReadable(ValueError):
    """The body is not JSON that we are willing to parse."""


@dataclass(frozen=True, slots=True)
class NumberText:
    """A number, as the text it was written as: none of a stranger's digits is ever calculated with."""

    text: str


def parse(body: bytes) -> Any:
    """The value in `body`, UTF-8 only; raises `NotReadable` for anything else, also when it is deep or crowded."""
    _refuse_bombs(body)
    try:
        return json.loads(body.decode(), parse_int=NumberText, parse_float=NumberText, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotReadable("not JSON") from None


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The object in `body`; raises `NotReadable` for anything else, too."""
    value = parse(body)
    if not isinstance(value, dict):
        raise NotReadable("not an object")
    return value


def _refuse_bombs(body: bytes) -> None:
    if body.count(b'"') > MOST_QUOTES:
        raise NotReadable("too many texts")
    structure = _STRINGS.sub(b"", body)
    if sum(map(structure.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise NotReadable("too many values")
    depth = 0
    for bracket in _BRACKETS.finditer(structure):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise NotReadable("too deep")


def _refuse(constant: str) -> NoReturn:
    raise NotReadable(f"{constant} is not JSON")


LONGEST: Final = 128 * 1024
"""A text of 10,000 characters, each of them four bytes that are written as `%F0%9F%96%8A`: ten times as many as are
taken, so that whoever writes too much is told so and still has it."""
_MOST_FIELDS: Final = 8
FORMS_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all forms that are being read, large and small."""
_INCOMING: Final = Incoming("forms", FORMS_AT_MOST)


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields of a form, none when it is something else; None when it did not come whole: too large, or too slow."""
    body = await _INCOMING.read(request, limit=LONGEST)
    if isinstance(body, BodyFault):
        return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


class CallOutcome(Enum):
    """Each kind of call has its own; a reason stands in metrics, so it says nothing of the call."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason

    @property
    def accepted(self) -> bool:
        """Whether the caller is told that all is well."""
        return self.status < 300


class CallCounter:
    """Counts calls by what they came to; labels are the reasons and nothing else. `of` is `webhook` for callbacks."""

    def __init__(self, meter: MetricMeter, of: str = "webhook") -> None:
        self._accepted = meter.create_counter(f"countersign_{of}_accepted_total", "Calls answered 2xx, by reason")
        self._rejected = meter.create_counter(f"countersign_{of}_rejected_total", "Calls refused, by reason")

    def count(self, outcome: CallOutcome) -> None:
        """One more of these."""
        counter = self._accepted if outcome.accepted else self._rejected
        counter.add(1, {"reason": outcome.reason})
