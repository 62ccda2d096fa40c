"""Faults that can be armed by `POST /_sandbox/faults` with an `ArmedFault` as JSON.

`path` is a glob in which `*` also crosses slashes. Faults of callbacks hit what the sandbox sends: their `path` is the
called address without host, or the event type, and their `method` is `POST`, `CALLBACK` or `*`.
"""

import random
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

CALLBACK = "CALLBACK"
CALLBACK_METHODS = frozenset({CALLBACK, "POST", "*"})
Positive = Annotated[int, Field(ge=1)]


class FaultKind(StrEnum):
    REFUSE = "refuse"
    """The connection is reset, the call has no effect."""
    CUT = "cut"
    """The call takes effect, then the connection is reset without an answer."""
    SLOW = "slow"
    """The call takes effect; its answer comes late."""
    DRIP = "drip"
    """The same, byte by byte."""
    TRUNCATE = "truncate"
    """The call takes effect; its answer stops half-way."""
    BAD_REQUEST = "400"
    """This answer instead of the call, or after it, like all until `HUGE`."""
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    GONE = "410"
    TOO_LARGE = "413"
    THROTTLED = "429"
    BROKEN = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    REDIRECT = "302"
    HTML = "html"
    HUGE = "huge"
    """12 MB of JSON."""
    GIANT = "giant"
    """A body of 300 MB, without a length, until the client hangs up."""
    EMPTY = "empty"
    """The call takes effect; its answer has no bytes, like the next three."""
    SHORT = "short"
    """Half of them, with the length that fits."""
    OTHER = "other"
    """As many, of which the last is another."""
    REPLACE = "replace"
    """Others, which the document has from then on: by the download link of a signed document."""
    NO_LOG = "no_log"
    """A document is answered without its signing log."""
    PROCESSING = "processing"
    """It is answered as still being processed."""
    DROP = "drop"
    """The callback never comes."""
    DUPLICATE = "duplicate"
    """It comes twice."""
    REORDER = "reorder"
    """It comes after the next one."""
    DELAY = "delay"
    """It comes later."""
    FORGE = "forge"
    """The callback has a wrong hash."""
    SWAP = "swap"
    """It has a genuine hash over a false body."""


CALLBACK_FAULTS = frozenset(
    {FaultKind.DROP, FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.DELAY, FaultKind.FORGE, FaultKind.SWAP}
)
# These change the answer of a call that took effect; all other faults come before any effect.
CHANGING = frozenset(
    {
        FaultKind.EMPTY,
        FaultKind.SHORT,
        FaultKind.OTHER,
        FaultKind.REPLACE,
        FaultKind.NO_LOG,
        FaultKind.PROCESSING,
    }
)
DOWNLOAD_FAULTS = CHANGING | {FaultKind.GIANT}
"""Those of what is fetched when a document has ended."""
AFTER_EFFECT = CHANGING | {FaultKind.CUT, FaultKind.SLOW, FaultKind.DRIP, FaultKind.TRUNCATE}


def _to_text(value: object) -> object:
    return str(value) if isinstance(value, int) else value


Kind = Annotated[FaultKind, BeforeValidator(_to_text)]


class ArmedFault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "*"
    fault: Kind
    times: Positive | None = 1
    """How many matches it hits; null: all."""
    after: Annotated[int, Field(ge=0)] = 0
    """How many matches pass before."""
    share: Annotated[float, Field(gt=0, le=1)] = 1
    """Share of the matches that it hits, at random."""
    contains: str | None = None
    """Only requests with this text in the body, or callbacks with it in the `external_id`."""
    commit: bool = False
    """The call takes effect before it fails."""
    delay: Annotated[float, Field(ge=0)] | None = None
    """Seconds of `slow`, `delay` and a `Retry-After` date; pause between the bytes of `drip`."""
    retry_after: Positive | Literal["date"] | None = None
    """Seconds, or "date" for an HTTP date `delay` seconds ahead."""
    shape: Literal["drf", "oauth", "fcm", "apigee", "appworks", "html"] | None = None
    """Dialect of the error body, else by path."""
    error_code: str | None = None
    """FCM's code instead of the status' usual one."""
    location: str | None = None
    """Target of `302`."""
    document: str | None = None
    """Uuid that `swap` puts into the callback's body."""
    status: str | None = None
    """Status that `swap` puts into the callback's body."""

    _match_count: int = PrivateAttr(0)
    _hits: int = PrivateAttr(0)

    @model_validator(mode="after")
    def _can_strike(self) -> Self:
        # A fault that can never hit would let a test pass for the wrong reason.
        method = self.method.upper()
        if self.fault in CALLBACK_FAULTS and method not in CALLBACK_METHODS:
            raise ValueError(f"{self.fault} is a fault of callbacks: method has to be POST, CALLBACK or *")
        if self.fault not in CALLBACK_FAULTS and method == CALLBACK:
            raise ValueError(f"{self.fault} is no fault of callbacks: those are {', '.join(sorted(CALLBACK_FAULTS))}")
        return self

    def matches(self, method: str, paths: tuple[str, ...], body: bytes) -> bool:
        """By any of these paths."""
        of_callbacks = self.fault in CALLBACK_FAULTS
        if of_callbacks != (method == CALLBACK) or not any(fnmatchcase(path, self.path) for path in paths):
            return False
        if not of_callbacks and self.method.upper() not in {"*", method}:
            return False
        return self.contains is None or self.contains.encode() in body

    def strikes(self) -> bool:
        """Count a match; True if it is to be hit."""
        if self.times is not None and self._hits >= self.times:
            return False
        self._match_count += 1
        if self._match_count <= self.after or random.random() >= self.share:  # noqa: S311  no secret
            return False
        self._hits += 1
        return True

    def summary(self) -> dict[str, object]:
        """With counts of matches and hits."""
        return {**self.model_dump(mode="json", exclude_defaults=True), "seen": self._match_count, "hits": self._hits}


class FaultBook:
    """The first that strikes counts."""

    def __init__(self) -> None:
        self._faults: list[ArmedFault] = []

    def arm(self, fault: ArmedFault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def armed(self) -> list[ArmedFault]:
        """Including spent ones."""
        return list(self._faults)

    def take(self, method: str, *paths: str, body: bytes = b"") -> ArmedFault | None:
        """A callback matches by event type or address."""
        for fault in self._faults:
            if fault.matches(method, paths, body) and fault.strikes():
                return fault
        return None
