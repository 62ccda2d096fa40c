"""Numbered rows of small objects, in which the first writer gets the next number, without a lock; and storage
prefixes.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from activities.documents.objects import Objects
from workflows.kinds import Kind


class NumberedRow:
    """A folder's row, numbered from 1 without gaps, and notes of those waiting for a slot."""

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects = objects
        self._folder: Final = folder

    async def last(self) -> int:
        """The last number, 0 if empty; reads few objects."""
        beyond = 1
        while await self._is_there(beyond):
            beyond *= 2
        found = beyond // 2
        while beyond - found > 1:
            middle = (found + beyond) // 2
            found, beyond = (middle, beyond) if await self._is_there(middle) else (found, middle)
        return found

    async def append(self, number: int, content: bytes) -> bool:
        """Write at this number; False if another writer was first."""
        return await self._objects.create(self._name(number), content)

    async def read(self, first: int, last: int) -> dict[int, bytes]:
        numbers = range(max(first, 1), last + 1)
        found = await asyncio.gather(*(self._objects.read(self._name(number)) for number in numbers))
        return {number: content for number, content in zip(numbers, found, strict=True) if content is not None}

    async def mark(self, number: int) -> None:
        """Mark a number as delivered, permanently."""
        await self._objects.create(self._mark(number), b"{}")

    async def is_marked(self, number: int) -> bool:
        return await self._objects.read(self._mark(number)) is not None

    async def note(self, who: str, content: bytes) -> None:
        """Note what `who` waits for; replaces the former note."""
        await self._objects.replace(f"{self._folder}/waiting/{who}.json", content)

    async def notes(self, at_most: int) -> list[bytes]:
        """At most so many notes, including outdated ones."""
        names = sorted(await self._objects.names(f"{self._folder}/waiting"))[:at_most]
        found = await asyncio.gather(*(self._objects.read(f"{self._folder}/waiting/{name}") for name in names))
        return [content for content in found if content is not None]

    async def _is_there(self, number: int) -> bool:
        return await self._objects.read(self._name(number)) is not None

    def _name(self, number: int) -> str:
        return f"{self._folder}/{number}.json"

    def _mark(self, number: int) -> str:
        return f"{self._folder}/told/{number}.json"


@dataclass(frozen=True)
class StoragePrefix:
    """A workflow's prefix, `<shelf>/<kind>/<owner>/<id>`, equal on all shelves (`records`, `claims`, …). `owner` is the
    onboarding or campaign in the id (before its first dot), so that one listing has all parts; others are spread over
    256 folders.
    """

    kind: str
    owner: str
    id: str

    @classmethod
    def of_request(cls, id: str) -> "StoragePrefix":
        return cls.of(Kind.REQUEST.workflow_id(id))

    @classmethod
    def of(cls, workflow_id: str) -> "StoragePrefix":
        """Of a workflow id, `<kind>:<id>`."""
        kind, _, id = workflow_id.partition(":")
        return cls(kind, owner_in(id) or hashlib.sha256(id.encode()).hexdigest()[:2], id)

    def on(self, shelf: str) -> str:
        return f"{shelf}/{self.kind}/{self.owner}/{self.id}"

    def beside(self, name: str) -> str:
        """The name of an erasable object, beside the people whom it concerns."""
        return f"{self.on('people')}/{name}"

    def file(self, shelf: str) -> str:
        return f"{self.on(shelf)}.json"


def owner_in(id: str) -> str | None:
    """The onboarding or campaign in an id, or None."""
    owner, dot, rest = id.partition(".")
    return owner if owner and dot and rest else None
