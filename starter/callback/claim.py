"""What a callback of Core Signature claims, and whether it is listened to (docs/core-signature.md, Callbacks). Pure.

Its hash covers time and type only, so even a genuine one is a hint and never the truth: all that is taken from it is
which request should be read again.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from activities.core_signature.wire import uuid_in
from starter.callback.bounded_json import NotReadable, NumberText, parse_object
from starter.outcomes import CallOutcome
from starter.request_ids import is_request_id
from workflows.model.provider import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.names import adopted_id

MOST_AHEAD: Final = timedelta(minutes=5)
_DIGITS: Final = re.compile(r"[0-9]{1,11}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_EVENT_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_TYPE: Final = 100


class CallbackVerdict(CallOutcome):
    """What becomes of a callback: the answer's status and the reason it is counted under.

    A repeat is promised after a time-out or a 500 only, hence never 429 or 503 (docs/core-signature.md, Callbacks).
    A body that stalls is a stranger's nonsense; what a genuine but slow caller had to tell is found when the document
    is read the next time.
    """

    SIGNALLED = (200, "signalled")
    NOT_OURS = (200, "not_ours")
    UNKNOWN = (200, "unknown")
    CLOSED = (200, "closed")
    WITHOUT_EFFECT = (200, "without_effect")
    TO_ADOPT = (200, "to_adopt")
    TO_LOOK_UP = (200, "to_look_up")
    MALFORMED = (400, "malformed")
    STALLED = (400, "stalled")
    WRONG_SEGMENT = (401, "wrong_segment")
    BAD_HASH = (401, "bad_hash")
    TOO_OLD = (401, "too_old")
    OUTSIDE_WINDOW = (401, "outside_window")
    TOO_LARGE = (413, "too_large")
    CLOCK_BEHIND = (500, "clock_behind")
    NOT_STORED = (500, "not_stored")
    BUSY = (500, "busy")


@dataclass(frozen=True)
class Callback:
    """A callback that may be listened to: the requests it may be about, of which there is at most one, and the hint
    for its workflow; `document` is one that may have to be adopted, or of which only the address was said: then there
    is no request, and a sweep finds out which it is."""

    requests: tuple[str, ...]
    event: ProviderEvent
    document: str | None = None


@dataclass(frozen=True)
class FutureDated:
    """A genuine callback of an event of an instant that is to come, by our clock, which is `behind` at least so far.

    It is not believed sooner for that: who has kept one gains no time. It is asked for again, until it has come.
    """

    behind: timedelta
    at: datetime


@dataclass(frozen=True)
class CallbackRules:
    """What is believed: a hash by one of `secrets`, an age of at most `max_age`.

    `unsigned` is for a tenant that is known to send no usable hash: the segment of the path is then the only secret.
    Where documents that were sent by hand are `adopted`, a callback may be about one of them.
    """

    secrets: tuple[SecretStr, ...]
    max_age: timedelta = timedelta(hours=24)
    unsigned: bool = False
    adopted: bool = False

    def judge(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Callback | FutureDated | CallbackVerdict:
        """The callback, or why it is none; `headers` have lower-case names."""
        claim = _claim(headers, body)
        if claim is None:
            return CallbackVerdict.MALFORMED
        if not self.unsigned and not claim.is_signed_with(self.secrets):
            return CallbackVerdict.BAD_HASH
        age = timedelta(seconds=now.timestamp() - claim.time)
        if not -MOST_AHEAD <= age <= self.max_age:
            return self._outside(claim, age)
        callback = claim.callback(adopted=self.adopted)
        if callback is None:
            return CallbackVerdict.NOT_OURS
        return CallbackVerdict.WITHOUT_EFFECT if claim.event_type in WITHOUT_EFFECT else callback

    def _outside(self, claim: "_Claim", age: timedelta) -> FutureDated | CallbackVerdict:
        """Unsigned, anybody may have written the time."""
        if self.unsigned:
            return CallbackVerdict.OUTSIDE_WINDOW
        if age > self.max_age:
            return CallbackVerdict.TOO_OLD
        return FutureDated(-age, datetime.fromtimestamp(claim.time, UTC))


def event_hash(secret: str, event_time: str, event_type: str) -> str:
    """HMAC-SHA256 over time and type without a separator, in lower-case hex: all that a callback signs."""
    return hmac.digest(secret.encode(), (event_time + event_type).encode(), hashlib.sha256).hex()


@dataclass(frozen=True)
class _Claim:
    event_time: str
    event_type: str
    said: Mapping[str, Any]

    @property
    def time(self) -> int:
        return int(self.event_time)

    def is_signed_with(self, secrets: Iterable[SecretStr]) -> bool:
        given = self.said.get("event_hash")
        if not isinstance(given, str) or not _HASH.fullmatch(given):
            return False
        expected = [event_hash(secret.get_secret_value(), self.event_time, self.event_type) for secret in secrets]
        # All are compared before one counts, so that the time taken does not tell which it was.
        matches = [hmac.compare_digest(one.encode(), given.encode()) for one in expected]
        return any(matches)

    def callback(self, *, adopted: bool) -> Callback | None:
        document = self.said.get("document")
        if address := _address_alone(document):
            return Callback((), self._event({"uuid": uuid_in(address)}), uuid_in(address))
        if not isinstance(document, dict):
            return None
        uuid = document.get("uuid") if adopted else None
        by_hand = adopted_id(uuid) if isinstance(uuid, str) else None
        given = document.get("external_id")
        ours = given if isinstance(given, str) and is_request_id(given) else None
        requests = tuple(id for id in (ours, by_hand) if id)
        if not requests:
            return None
        begins = by_hand and self.event_type not in FINAL
        return Callback(requests, self._event(document), uuid if begins else None)

    def _event(self, document: Mapping[str, Any]) -> ProviderEvent:
        at = datetime.fromtimestamp(self.time, UTC)
        return ProviderEvent(id=self._event_id(document), type=self.event_type, at=at)

    def _event_id(self, document: Mapping[str, Any]) -> str:
        uuid = self.said.get("uuid")
        if isinstance(uuid, str) and _EVENT_ID.fullmatch(uuid):
            return uuid
        text = "\n".join((self.event_type, self.event_time, str(document.get("uuid"))))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _address_alone(document: object) -> str | None:
    """Where a document is of which nothing else is said."""
    about = document if isinstance(document, dict) else {"url": document}
    address = about.get("url")
    if "external_id" in about or not isinstance(address, str) or "/documents/" not in address:
        return None
    return address if uuid_in(address) else None


def _claim(headers: Mapping[str, str], body: bytes) -> _Claim | None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return None
    try:
        said = parse_object(body)
    except NotReadable:
        return None
    event_time, event_type = _decimal(said.get("event_time")), said.get("event_type")
    if event_time is None or not isinstance(event_type, str) or not _is_word(event_type):
        return None
    return _Claim(event_time, event_type, said)


def _decimal(value: object) -> str | None:
    text = value.text if isinstance(value, NumberText) else value
    return text if isinstance(text, str) and _DIGITS.fullmatch(text) else None


def _is_word(event_type: str) -> bool:
    """A type we do not know may be new and is let through; what nobody would call a type is not."""
    return 0 < len(event_type) <= _LONGEST_TYPE and event_type.isprintable()
