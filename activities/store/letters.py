"""Mails and SMS in the store: what is known of each, by a reference that says nothing of whom and what it is about."""

from collections.abc import Sequence
from typing import Final

from activities.store.objects import Objects

_SHELF: Final = 2
"""Characters of a reference, of which each has a folder: of letters there are as many as of notices."""


class OutboundMailFolder:
    """What is known of letters, begun before they are sent."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def read(self, references: Sequence[str]) -> list[bytes | None]:
        """What is known of each of these, None of what nobody has begun."""
        return await self._objects.read_many([_name(one) for one in references])

    async def begin(self, reference: str, content: bytes) -> bool:
        """Keep that a letter is about to be sent; False when somebody else has begun it."""
        return await self._objects.create(_name(reference), content)

    async def note(self, reference: str, content: bytes) -> None:
        """Keep what is known by now of one that was begun."""
        await self._objects.replace(_name(reference), content)


def _name(reference: str) -> str:
    return f"letters/{reference[:_SHELF]}/{reference}.json"
