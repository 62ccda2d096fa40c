"""Reads request bodies within a size and a time (docs/faults.md, A13)."""

import asyncio
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import parse_qs

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from activities.metrics import Counter
from starter.web.serving import Capacity, Occupancy

BODY_SECONDS: Final = 5.0
SMALL: Final = 16 * 1024
"""Bytes of each body that large ones cannot take."""
INCOMPLETE_AT_MOST: Final = 2_000
INCOMPLETE_AT_MOST_OF_ONE: Final = 500
"""Of one address. Genuine bodies complete at once, so the oldest ones stall."""


class BodyFault(Enum):
    TOO_LARGE = "too large"
    STALLED = "stalled"
    CROWDED = "crowded"


class _Body:
    """A body being read; `size` is in memory."""

    def __init__(self, seconds: float, holder: str = "") -> None:
        self.size = 0
        self.holder = holder
        self.crowded_out = False
        self.time = asyncio.timeout(seconds)

    @property
    def beyond(self) -> int:
        """The part over `SMALL`."""
        return max(0, self.size - SMALL)

    def let_go(self) -> None:
        self.crowded_out = True
        if not self.time.expired():
            self.time.reschedule(asyncio.get_running_loop().time())


class IncomingBodies:
    """Incomplete bodies: limits their number and that of one holder, bytes `altogether` and `of_one` holder, and bytes
    `beyond` small ones. A holder is a caller, or an address where the caller is not known yet.

    The oldest, or that of the same holder, makes room and is asked to call again.
    """

    def __init__(
        self,
        name: str,
        altogether: float = math.inf,
        beyond: float = math.inf,
        room: Capacity | None = None,
        of_one: float = math.inf,
    ) -> None:
        self._places = Occupancy(name, room or Capacity(INCOMPLETE_AT_MOST, INCOMPLETE_AT_MOST_OF_ONE))
        self._bodies: dict[_Body, None] = {}
        self._left = altogether
        self._left_beyond = beyond
        self._of_one = of_one

    async def read(
        self, request: Request, *, limit: int, seconds: float = BODY_SECONDS, holder: str = ""
    ) -> bytes | BodyFault:
        """The body, if there is room."""
        body = _Body(seconds, holder or (request.client.host if request.client else ""))
        if not self._places.admit(body, body.holder):
            return BodyFault.CROWDED
        self._bodies[body] = None
        try:
            return await _read(request.receive, limit, body, self)
        finally:
            self._places.ended(body)
            self._end(body)

    def has_room(self, body: _Body, size: int) -> bool:
        """Reserve `size` bytes for a body, if need be by dropping older ones."""
        while not self._fits(body, size):
            if (other := self._oldest_in_the_way(body, size)) is None:
                return False
            self._places.take_from(other)
            self._end(other)
        self._resize(body, size)
        return True

    def _fits(self, body: _Body, size: int) -> bool:
        more, beyond = size - body.size, max(0, size - SMALL) - body.beyond
        is_within = more <= self._left and beyond <= self._left_beyond and not self._exceeds_share(body, size)
        return more <= 0 or is_within

    def _exceeds_share(self, body: _Body, size: int) -> bool:
        if self._of_one == math.inf:
            return False
        others = (other.size for other in self._bodies if other.holder == body.holder and other is not body)
        return sum(others) + size > self._of_one

    def _oldest_in_the_way(self, body: _Body, size: int) -> _Body | None:
        """The oldest that frees what is missing; None for `body` itself."""
        needs_beyond = max(0, size - SMALL) - body.beyond > self._left_beyond
        holders = {body.holder} if self._exceeds_share(body, size) else {other.holder for other in self._bodies}
        bodies = (other for other in self._bodies if other.holder in holders)
        oldest = next((other for other in bodies if (other.beyond if needs_beyond else other.size)), None)
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
    """At most `limit` bytes within `seconds`."""
    return await _read(receive, limit, _Body(seconds), None)


async def _read(receive: Receive, limit: int, held: _Body, incoming: IncomingBodies | None) -> bytes | BodyFault:
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
"""A callback has hundreds; more cost memory."""
MOST_KEYS: Final = 5_000
"""Each unknown one is a fault with a sentence."""
MOST_QUOTES: Final = 4 * MOST_VALUES
"""Of names and texts."""

# The closing quote may be missing, so that each character is looked at once, however the quotes are placed.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


class NotReadable(ValueError):
    """The body is not JSON that we are willing to parse."""


@dataclass(frozen=True, slots=True)
class NumberText:
    """A number kept as text: untrusted digits are never computed with."""

    text: str


def parse(body: bytes) -> Any:
    """UTF-8 JSON; raises `NotReadable`, also for deep or crowded values."""
    refuse_bombs(body)
    try:
        return json.loads(body.decode(), parse_int=NumberText, parse_float=NumberText, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotReadable("not JSON") from None


def parse_object(body: bytes) -> Mapping[str, Any]:
    """Raises `NotReadable`."""
    value = parse(body)
    if not isinstance(value, dict):
        raise NotReadable("not an object")
    return value


def refuse_bombs(body: bytes) -> None:
    """Raises `NotReadable` for JSON that is deep or crowded, before anything of it is built."""
    if body.count(b'"') > MOST_QUOTES:
        raise NotReadable("too many texts")
    structure = _STRINGS.sub(b"", body)
    if sum(map(structure.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise NotReadable("too many values")
    if structure.count(b":") > MOST_KEYS:
        raise NotReadable("too many keys")
    depth = 0
    for bracket in _BRACKETS.finditer(structure):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise NotReadable("too deep")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, as `object_pairs_hook`; raises `NotReadable` for a key that it has twice."""
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise NotReadable(f'"{key[:40]}" is given twice')
        value[key] = item
    return value


def refuse_doubled_keys(body: bytes) -> None:
    """Raises `NotReadable`; what else is wrong with the JSON, its reader says."""
    try:
        json.loads(body, object_pairs_hook=unique_keys, parse_int=str)
    except NotReadable:
        raise
    except (ValueError, RecursionError):
        return


def _refuse(constant: str) -> NoReturn:
    raise NotReadable(f"{constant} is not JSON")


LONGEST: Final = 128 * 1024
"""Ten times the longest text, escaped, so that too long ones are answered in words."""
_MOST_FIELDS: Final = 8
FORMS_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all forms being read."""
_INCOMING: Final = IncomingBodies("forms", FORMS_AT_MOST)


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields; empty for other content, None when it was cut off."""
    body = await _INCOMING.read(request, limit=LONGEST)
    if isinstance(body, BodyFault):
        return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


FIELDS_AT_MOST: Final = 2_000
"""Of a form with documents: a hundred signers have some each."""
FILES_AT_MOST: Final = 5
"""Of one form; a document is one."""


class PostedFile(NamedTuple):
    name: str
    content: bytes


class PostedDocuments(NamedTuple):
    """A form with its files, by the names of their fields; a field without a file is left out."""

    fields: Mapping[str, str]
    files: Mapping[str, PostedFile]


async def read_documents(
    request: Request, incoming: IncomingBodies, *, limit: int, seconds: float
) -> PostedDocuments | BodyFault:
    """A form as `multipart/form-data`; without fields for other content."""
    body = await incoming.read(request, limit=limit, seconds=seconds)
    if isinstance(body, BodyFault):
        return body
    again = Request(request.scope, replayed(body, request.receive))
    try:
        async with again.form(max_files=FILES_AT_MOST, max_fields=FIELDS_AT_MOST) as form:
            items = form.multi_items()
            fields = {name: value for name, value in items if isinstance(value, str)}
            found = [(name, value) for name, value in items if isinstance(value, UploadFile) and value.filename]
            files = {name: PostedFile(value.filename or "", await value.read()) for name, value in found}
    except HTTPException:
        return PostedDocuments({}, {})
    return PostedDocuments(fields, files)


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then what else comes."""
    read = False

    async def again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class CallOutcome(Enum):
    """A reason counted in metrics."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason

    @property
    def accepted(self) -> bool:
        return self.status < 300


class CallCounter:
    """Counts calls by their answers, of which all are exported at 0."""

    def __init__(self, metric: Counter, answers: type[CallOutcome]) -> None:
        self._metric = metric
        for answer in answers:
            metric.add(0, answer=answer.reason)

    def count(self, outcome: CallOutcome) -> None:
        self._metric.add(answer=outcome.reason)
