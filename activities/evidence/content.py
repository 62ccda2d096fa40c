"""The content of the evidence of one request, as it is written once, and the lines of its parts (docs/evidence.md).

Each part is text of lines, each line canonical JSON (RFC 8785). `history-N` and `payloads-N` are of run N.
"""

import hashlib
import secrets
from typing import Any, Final

import rfc8785
from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.model.schedule import Schedule

PEOPLE: Final = "people"
"""Erasable: an `IdentityLine` for each person."""
PAYLOADS: Final = "payloads"
"""Erasable: a `PayloadLine` for each payload of a run."""
HISTORY: Final = "history"
"""An `EventLine` for each event of a run."""


class KeptRun(Model):
    """A run of the workflow; `not_kept` says why there is no history of it."""

    run_id: str
    events: int = 0
    history: str | None = None
    """The name of the part."""
    sha256: str | None = None
    """Of the part."""
    payloads: str | None = None
    """The name of the erasable part; its hashes are in the history."""
    decoded: bool = True
    """Whether all payloads could be decoded by the keys that were there."""
    not_kept: str | None = None


class KeptIdentity(Model):
    """A person of the request, and the SHA-256 of their line in the part `people`."""

    person: str
    sha256: str


class EvidenceContent(Model):
    """`request` is the workflow's input with the resolved policy; `at` is when it was asked for, after the last event
    that is kept.
    """

    version: int = 1
    workflow_id: str
    at: AwareDatetime
    fingerprint: str
    file: str | None = None
    """The name of the part with the file as it was sent; None where there was none."""
    adopted: bool = False
    """It was sent at Core Signature by hand: there is no file as sent."""
    request: dict[str, Any]
    schedule: Schedule | None = None
    """The last plan."""
    people: tuple[KeptIdentity, ...] = ()
    runs: tuple[KeptRun, ...] = ()


class EventLine(Model):
    """`payloads` has the SHA-256 of each payload, by its place in the event."""

    id: int
    type: str
    at: AwareDatetime
    ids: dict[str, str | int]
    payloads: dict[str, str]


class PayloadLine(Model):
    """The SHA-256 in the history is of the bytes of `random` (hex) and of `text` or `base64`."""

    event: int
    place: str
    random: str
    encoding: str = ""
    decoded: bool = True
    text: str | None = None
    base64: str | None = None


class IdentityLine(Model):
    """As the directory had it; `known` is false for somebody whom it did not have."""

    person: str
    random: str
    known: bool = True
    name: str | None = None
    email: str | None = None
    department: str | None = None
    manager: str | None = None


def line(model: Model) -> bytes:
    """Canonical JSON, without fields that are unset."""
    return rfc8785.dumps(model.model_dump(mode="json", by_alias=True, exclude_none=True))


def canonical(model: Model) -> bytes:
    return rfc8785.dumps(model.model_dump(mode="json", by_alias=True))


def lines(models: list[bytes]) -> bytes:
    return b"".join(model + b"\n" for model in models)


def salt() -> bytes:
    """Without it whoever has a hash could try out what it is of."""
    return secrets.token_bytes(16)


def salted(random: bytes, content: bytes) -> str:
    return hashlib.sha256(random + content).hexdigest()
