"""Small objects in a row: whoever is first has the next number, so that many can count together without a lock."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from activities.documents.objects import Objects
from workflows.kinds import Kind


class NumberedRow:
    """The row of one folder, numbered from 1 without a gap, and notes of those who wait for a place in it."""

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects = objects
        self._folder: Final = folder

    async def last(self) -> int:
        """The number of the last, 0 when there is none; looks at few of many."""
        beyond = 1
        while await self._is_there(beyond):
            beyond *= 2
        found = beyond // 2
        while beyond - found > 1:
            middle = (found + beyond) // 2
            found, beyond = (middle, beyond) if await self._is_there(middle) else (found, middle)
        return found

    async def append(self, number: int, content: bytes) -> bool:
        """Put something in this place, unless somebody was first; whether it was put there."""
        return await self._objects.create(self._name(number), content)

    async def read(self, first: int, last: int) -> dict[int, bytes]:
        """What is in these places."""
        numbers = range(max(first, 1), last + 1)
        found = await asyncio.gather(*(self._objects.read(self._name(number)) for number in numbers))
        return {number: content for number, content in zip(numbers, found, strict=True) if content is not None}

    async def mark(self, number: int) -> None:
        """Keep, for good, that what is in this place was told."""
        await self._objects.create(self._mark(number), b"{}")

    async def is_marked(self, number: int) -> bool:
        """Whether that was kept."""
        return await self._objects.read(self._mark(number)) is not None

    async def note(self, who: str, content: bytes) -> None:
        """Say what somebody waits for, in the place of what they waited for before."""
        await self._objects.replace(f"{self._folder}/waiting/{who}.json", content)

    async def notes(self, at_most: int) -> list[bytes]:
        """What those have said who wait, or have waited once; of more than `at_most` only so many."""
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
    """The place of one workflow: `<shelf>/<kind>/<owner>/<id>`, the same on every shelf (`records`, `claims`, …).

    `owner` is the onboarding or campaign it belongs to, so that one folder lists all of it: what stands before the
    first dot of its id, for neither of them has a dot in its own. What belongs to nobody is spread over 256 folders by
    its id. Two kinds of one id never meet.
    """

    kind: str
    owner: str
    id: str

    @classmethod
    def of_request(cls, id: str) -> "StoragePrefix":
        """The place of a signature request."""
        return cls.of(Kind.REQUEST.workflow_id(id))

    @classmethod
    def of(cls, workflow_id: str) -> "StoragePrefix":
        """The place of the workflow with this id, `<kind>:<id>`."""
        kind, _, id = workflow_id.partition(":")
        return cls(kind, owner_in(id) or hashlib.sha256(id.encode()).hexdigest()[:2], id)

    def on(self, shelf: str) -> str:
        """Its folder on a shelf, for what there are several of."""
        return f"{shelf}/{self.kind}/{self.owner}/{self.id}"

    def beside(self, name: str) -> str:
        """Where something of this name is that can be erased, beside the people whom it concerns."""
        return f"{self.on('people')}/{name}"

    def file(self, shelf: str) -> str:
        """Its one file on a shelf."""
        return f"{self.on(shelf)}.json"


def owner_in(id: str) -> str | None:
    """The onboarding or campaign that an id names, None when it names none."""
    owner, dot, rest = id.partition(".")
    return owner if owner and dot and rest else None
