"""A text of somebody's as it lies in the store: with random bytes, so that nobody can guess it from its hash."""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Final

RANDOM_BYTES: Final = 16


@dataclass(frozen=True)
class Reference:
    """What stands in a record in the place of a text: the name of its object, and the hash over all that is in it."""

    name: str
    sha256: str

    @classmethod
    def read(cls, word: str) -> "Reference | None":
        """The reference that a word is, None for any other word."""
        found = re.fullmatch(r"([a-z0-9-]+)#([0-9a-f]{64})", word)
        return cls(found[1], found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.name}#{self.sha256}"


@dataclass(frozen=True)
class KeptText:
    """A text and its random bytes."""

    text: str
    random: bytes

    @classmethod
    def of(cls, text: str) -> "KeptText":
        """A text that is kept for the first time."""
        return cls(text, secrets.token_bytes(RANDOM_BYTES))

    @classmethod
    def read(cls, content: bytes) -> "KeptText | None":
        """What an object holds, None when it is damaged."""
        try:
            told = json.loads(content)
            return cls(str(told["text"]), bytes.fromhex(told["random"]))
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def content(self) -> bytes:
        """Its object."""
        return json.dumps({"random": self.random.hex(), "text": self.text}, ensure_ascii=False).encode()

    def reference(self, name: str) -> Reference:
        """What a record says of it."""
        return Reference(name, hashlib.sha256(self.random + self.text.encode()).hexdigest())
