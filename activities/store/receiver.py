"""What the receiver of callbacks has to tell whoever looks after it."""

from typing import Final

from activities.store.objects import Objects

_CLOCK: Final = "receiver/clock.json"


class ReceiverNotes:
    """One object of each kind: what is noted now takes the place of what was."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def note_clock(self, content: bytes) -> None:
        """Keep by how much its clock is behind."""
        await self._objects.replace(_CLOCK, content)

    async def clock(self) -> bytes | None:
        """The same, None when it never was."""
        return await self._objects.read(_CLOCK)
