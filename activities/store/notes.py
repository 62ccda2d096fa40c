"""What processes note for one another: of each kind one object, and what is noted now takes the place of what was."""

from typing import Final

from activities.store.objects import Objects

_CLOCK: Final = "receiver/clock.json"
_WORKER_CLOCK: Final = "workers/clock.json"
_SWEEP: Final = "sweeps/core-signature.json"


class ProcessNotes:
    """The notes of the receiver, of sweeps and of pushes; None of what was never noted."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def clock(self) -> bytes | None:
        """By how much the receiver's clock is behind."""
        return await self._objects.read(_CLOCK)

    async def note_clock(self, content: bytes) -> None:
        """Note that it is."""
        await self._objects.replace(_CLOCK, content)

    async def worker_clock(self) -> bytes | None:
        """How far the clock of a worker is off."""
        return await self._objects.read(_WORKER_CLOCK)

    async def note_worker_clock(self, content: bytes) -> None:
        """Note that it is."""
        await self._objects.replace(_WORKER_CLOCK, content)

    async def sweep_mark(self) -> bytes | None:
        """How far Core Signature's events were looked at."""
        return await self._objects.read(_SWEEP)

    async def note_sweep_mark(self, content: bytes) -> None:
        """Note how far they were."""
        await self._objects.replace(_SWEEP, content)

    async def push_standing(self, credential: str) -> bytes | None:
        """Whether one of our credentials for pushes is refused, None of one that was always taken."""
        return await self._objects.read(_standing(credential))

    async def note_push_standing(self, credential: str, content: bytes) -> None:
        """Note that it is, or is not any more."""
        await self._objects.replace(_standing(credential), content)


def _standing(credential: str) -> str:
    return f"push/{credential}.json"
