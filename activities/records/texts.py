"""Stored free texts, with random bytes, so that a hash does not reveal a short text."""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Final

from activities.documents.errors import TextDamaged
from activities.documents.objects import Objects
from activities.records.rows import StoragePrefix

RANDOM_BYTES: Final = 16


@dataclass(frozen=True)
class Reference:
    """A text's reference in a record: its object's name, and the hash of its content."""

    name: str
    sha256: str

    @classmethod
    def read(cls, word: str) -> "Reference | None":
        """None for a word that is no reference."""
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
        """With new random bytes."""
        return cls(text, secrets.token_bytes(RANDOM_BYTES))

    @classmethod
    def read(cls, content: bytes) -> "KeptText | None":
        """From an object; None if damaged."""
        try:
            told = json.loads(content)
            return cls(str(told["text"]), bytes.fromhex(told["random"]))
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def content(self) -> bytes:
        return json.dumps({"random": self.random.hex(), "text": self.text}, ensure_ascii=False).encode()

    def reference(self, name: str) -> Reference:
        return Reference(name, hashlib.sha256(self.random + self.text.encode()).hexdigest())


class TextFolder:
    """Texts beside their owner, each under its own name."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def keep(self, home: StoragePrefix, name: str, text: str) -> Reference:
        """Store a text; equal text under one name is one object."""
        kept, object, number = KeptText.of(text), name, 1
        while not await self._objects.create(_place(home, object), kept.content):
            before = await self._known(home, object)
            if before is not None and before.text == text:
                return before.reference(object)
            number += 1
            object = f"{name}-{number}"
        return kept.reference(object)

    async def read(self, home: StoragePrefix, reference: Reference) -> str | None:
        """The text, None if erased; raises `TextDamaged`."""
        content = await self._objects.read(_place(home, reference.name))
        if content is None:
            return None
        kept = KeptText.read(content)
        if kept is None or kept.reference(reference.name) != reference:
            raise TextDamaged(reference.name)
        return kept.text

    async def _known(self, home: StoragePrefix, name: str) -> KeptText | None:
        content = await self._objects.read(_place(home, name))
        return KeptText.read(content) if content is not None else None


def _place(home: StoragePrefix, name: str) -> str:
    return f"{home.on('texts')}/{name}.json"
