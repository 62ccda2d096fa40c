"""Reads request bodies within a size and a time."""

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn, Self
from urllib.parse import parse_qs

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from activities import metrics

HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Of answers to programs."""
MOST_BYTES: Final = 1024 * 1024
"""Of a callback, and of a call of a hook."""
HELD_AT_MOST: Final = 4 * 1024 * 1024
"""Bytes of their large bodies; more are refused and repeated."""
ALTOGETHER_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all their bodies, small ones too."""
BODY_SECONDS: Final = 5.0
SMALL: Final = 16 * 1024
"""Bytes of each body that large ones cannot take."""
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
LONGEST: Final = 128 * 1024
"""Ten times the longest text, escaped, so that too long ones are answered in words."""
_MOST_FIELDS: Final = 8
FORMS_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of all forms being read."""
FIELDS_AT_MOST: Final = 2_000
"""Of a form with documents: a hundred signers have some each."""
FILES_AT_MOST: Final = 5
"""Of one form; a document is one."""


class BodyFault(Enum):
    TOO_LARGE = "too large"
    STALLED = "stalled"
    CROWDED = "crowded"


class IncomingBodies:
    """Bodies being read: limits the bytes of all, those beyond `large_bytes`, the bytes of one holder, and how many
    bodies one holder has. A body without room is `CROWDED`: its caller calls again.
    """

    def __init__(
        self,
        altogether: float,
        large_bytes: float = math.inf,
        *,
        of_one: float = math.inf,
        bodies_of_one: float = math.inf,
    ) -> None:
        self._remaining = altogether
        self._left_beyond = large_bytes
        self._of_one = of_one
        self._bodies_of_one = bodies_of_one
        self._bytes_by_holder = Counter[str]()
        self._bodies_by_holder = Counter[str]()

    async def read(
        self, request: Request, *, limit: int, seconds: float = BODY_SECONDS, holder: str = ""
    ) -> bytes | BodyFault:
        """The body, if there is room."""
        if self._bodies_by_holder[holder] >= self._bodies_of_one:
            return BodyFault.CROWDED
        self._bodies_by_holder[holder] += 1
        try:
            resize = partial(self._resize, holder)
            return await read_body(request.receive, limit=limit, seconds=seconds, resize=resize)
        finally:
            self._bodies_by_holder[holder] -= 1
            if not self._bodies_by_holder[holder]:
                del self._bodies_by_holder[holder], self._bytes_by_holder[holder]

    def _resize(self, holder: str, old_size: int, new_size: int) -> bool:
        """Whether a body may grow so much; it may always shrink."""
        growth = new_size - old_size
        large_growth = max(0, new_size - SMALL) - max(0, old_size - SMALL)
        is_within = (
            growth <= self._remaining
            and large_growth <= self._left_beyond
            and self._bytes_by_holder[holder] + growth <= self._of_one
        )
        if growth > 0 and not is_within:
            return False
        self._remaining -= growth
        self._left_beyond -= large_growth
        self._bytes_by_holder[holder] += growth
        return True


async def read_body(
    receive: Receive,
    *,
    limit: int,
    seconds: float = BODY_SECONDS,
    resize: Callable[[int, int], bool] = lambda _old_size, _new_size: True,
) -> bytes | BodyFault:
    """At most `limit` bytes within `seconds`. `resize` is asked whether the bytes that are kept may become so many."""
    body = bytearray()
    fault = None
    size = 0
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
                elif fault is None and not resize(len(body), size):
                    fault = BodyFault.CROWDED
                # What is too much is read to its end and dropped: closed upon, many a client never sees the answer.
                if fault is None:
                    body += chunk
                elif body:
                    resize(len(body), 0)
                    body.clear()
                if not message.get("more_body", False):
                    return fault or bytes(body)
                del message, chunk  # Nobody holds this piece while the next one is waited for.
    except TimeoutError:
        return fault or BodyFault.STALLED
    finally:
        resize(len(body), 0)


class NotReadable(ValueError):
    """The body is not JSON that we are willing to parse."""


@dataclass(frozen=True, slots=True)
class NumberText:
    """A number kept as text: untrusted digits are never computed with."""

    text: str


def is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


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


def refuse_bombs(body: bytes, largeness: int = 1) -> None:
    """Raises `NotReadable` for JSON that is deep or crowded, before anything of it is built; `largeness` times as much
    is not too much.
    """
    if body.count(b'"') > MOST_QUOTES * largeness:
        raise NotReadable("too many texts")
    structure = _STRINGS.sub(b"", body)
    if sum(map(structure.count, (b",", b"[", b"{"))) > MOST_VALUES * largeness:
        raise NotReadable("too many values")
    if structure.count(b":") > MOST_KEYS * largeness:
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
    replay = Request(request.scope, replayed(body, request.receive))
    try:
        async with replay.form(max_files=FILES_AT_MOST, max_fields=FIELDS_AT_MOST) as form:
            items = form.multi_items()
            fields = {name: value for name, value in items if isinstance(value, str)}
            uploads = [(name, value) for name, value in items if isinstance(value, UploadFile) and value.filename]
            files = {name: PostedFile(value.filename or "", await value.read()) for name, value in uploads}
    except HTTPException:
        return PostedDocuments({}, {})
    return PostedDocuments(fields, files)


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then what else comes."""
    read = False

    async def receive_again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class CallOutcome(Enum):
    """A reason counted in metrics; an outcome of bodies has a member STALLED, TOO_LARGE and BUSY."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason

    @classmethod
    def of_fault(cls, fault: BodyFault) -> Self:
        return cls["BUSY" if fault is BodyFault.CROWDED else fault.name]

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def hangs_up(self) -> bool:
        """Whether the connection of a body that does not come is closed."""
        return self.name in ("STALLED", "TOO_LARGE")


class CallCounter:
    """Counts calls by their answers, of which all are exported at 0."""

    def __init__(self, metric: metrics.Counter, answers: type[CallOutcome]) -> None:
        self._metric = metric
        for answer in answers:
            metric.add(0, answer=answer.reason)

    def count(self, outcome: CallOutcome) -> None:
        self._metric.add(answer=outcome.reason)


def _refuse(constant: str) -> NoReturn:
    raise NotReadable(f"{constant} is not JSON")


_INCOMING: Final = IncomingBodies(FORMS_AT_MOST)
