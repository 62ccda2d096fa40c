"""Hand-offs in the store: how each target is, and an index of who will never hear how something ended.

`handoffs/targets/<name>.json` is of one target, `handoffs/dead/<kind>/<id>.json` of one request, task, onboarding or
campaign: lists of what needs attention would otherwise read every record.
"""

from pathlib import PurePosixPath
from typing import Final

from activities.store.home import Home
from activities.store.objects import Objects

_DEAD: Final = "handoffs/dead"
_TARGETS: Final = "handoffs/targets"


class HandOffFolder:
    """What is kept of hand-offs beside the records; a repetition replaces its own entry."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def note_dead(self, home: Home, content: bytes) -> None:
        """Put into the index that somebody will never hear how this ended; a repetition replaces its own entry."""
        await self._objects.replace(f"{_DEAD}/{home.kind}/{home.id}.json", content)

    async def forget_dead(self, home: Home) -> None:
        """Take an entry out of the index, where the store lets anything be removed."""
        await self._objects.remove(f"{_DEAD}/{home.kind}/{home.id}.json")

    async def read_dead(self, home: Home) -> bytes | None:
        """Its entry in the index of dead hand-offs, None when there is none."""
        return await self._objects.read(f"{_DEAD}/{home.kind}/{home.id}.json")

    async def dead(self, kind: str) -> tuple[str, ...]:
        """The ids in the index of dead hand-offs, in their order."""
        return tuple(sorted(PurePosixPath(name).stem for name in await self._objects.names(f"{_DEAD}/{kind}")))

    async def keep_target(self, name: str, content: bytes) -> None:
        """Keep how a target of the hand-off is, in place of how it was."""
        await self._objects.replace(f"{_TARGETS}/{name}.json", content)

    async def read_target(self, name: str) -> bytes | None:
        """The same, None of one that always worked."""
        return await self._objects.read(f"{_TARGETS}/{name}.json")

    async def targets(self) -> tuple[str, ...]:
        """The names of those that did not always work, in their order."""
        return tuple(sorted(PurePosixPath(name).stem for name in await self._objects.names(_TARGETS)))
