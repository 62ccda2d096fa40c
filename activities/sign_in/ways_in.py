"""The two ways in that one message has: a link for wherever it is tapped, a code for the browser that asked.

Both are made from the order alone and our secret, so that every attempt sends the same, and nothing is kept of them.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from pydantic import SecretStr

from activities.sealing import BadSeal, Seal
from workflows.model.sign_in import VALID_FOR, SignInOrder

_CONTEXT: Final = b"countersign/sign-in/v1"
_DIGITS: Final = 6
_ASK_LENGTH: Final = 32


class BadWayIn(ValueError):
    """Not made by us, or not any more."""


@dataclass(frozen=True)
class WayIn:
    """What a genuine link says: `person` may come in until then, once; `ask` tells apart what was asked for when."""

    person: str
    ask: str
    until: datetime

    @classmethod
    def of(cls, order: SignInOrder) -> Self:
        """The one that an order is about."""
        return cls(order.person, order.ask, order.until.astimezone(UTC).replace(microsecond=0))

    @property
    def asked_at(self) -> datetime:
        """When it was asked for."""
        return self.until - VALID_FOR


def ask_of(nonce: str) -> str:
    """By what an order names the browser that asked, which alone has the `nonce`: 32 hex digits."""
    return hashlib.sha256(nonce.encode()).hexdigest()[:_ASK_LENGTH]


class WaysIn:
    """Makes and opens them below `base` (the public `LINK_BASE`)."""

    def __init__(self, base: str, secret: SecretStr) -> None:
        self._base = base.rstrip("/")
        self._seal = Seal(secret, _CONTEXT)

    def link(self, way: WayIn) -> str:
        """The address of the page with the button that lets somebody in: `LINK_BASE/desk/in/<ref>`."""
        return f"{self._base}/desk/in/{self._seal.seal(_text(way))}"

    def open(self, ref: str, now: datetime) -> WayIn:
        """What `ref` lets in; raises `BadWayIn` unless we made it, and for it is over."""
        try:
            person, ask, until = self._seal.open(ref).split("\n")
            way = WayIn(person, ask, datetime.fromtimestamp(int(until), UTC))
        except (BadSeal, ValueError):
            raise BadWayIn("not a link of ours") from None
        if way.until <= now:
            raise BadWayIn("its time is over")
        return way

    def code(self, way: WayIn) -> str:
        """Six digits for the browser that asked."""
        number = int.from_bytes(self._seal.digest(f"code\n{_text(way)}".encode())[:8])
        return f"{number % 10**_DIGITS:0{_DIGITS}}"


def _text(way: WayIn) -> str:
    return f"{way.person}\n{way.ask}\n{int(way.until.timestamp())}"
