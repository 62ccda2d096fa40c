"""Hand-offs in the store: how each target is, and an index of who will never hear how something ended.

`handoffs/targets/<name>.json` is of one target, `handoffs/dead/<kind>/<id>.json` of one request, task, onboarding or
campaign: lists of what needs attention would otherwise read every record.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from activities.store.home import StoragePrefix
from activities.store.objects import Objects, id_of, listed_name

_DEAD_FOLDER: Final = "handoffs/dead"
_TARGETS: Final = "handoffs/targets"


class HandOffFolder:
    """What is kept of hand-offs beside the records; a repetition replaces its own entry."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def note_dead(self, home: StoragePrefix, content: bytes) -> None:
        """Put into the index that somebody will never hear how this ended; a repetition replaces its own entry."""
        await self._objects.replace(_dead(home), content)

    async def forget_dead(self, home: StoragePrefix) -> None:
        """Take an entry out of the index, where the store lets anything be removed."""
        await self._objects.remove(_dead(home))

    async def read_dead(self, home: StoragePrefix) -> bytes | None:
        """Its entry in the index of dead hand-offs, None when there is none."""
        return await self._objects.read(_dead(home))

    async def dead(self, kind: str) -> tuple[str, ...]:
        """The ids in the index of dead hand-offs, in their order."""
        return _ids(await self._objects.names(f"{_DEAD_FOLDER}/{kind}"))

    async def keep_target(self, name: str, content: bytes) -> None:
        """Keep how a target of the hand-off is, in place of how it was."""
        await self._objects.replace(_target(name), content)

    async def read_target(self, name: str) -> bytes | None:
        """The same, None of one that always worked."""
        return await self._objects.read(_target(name))

    async def targets(self) -> tuple[str, ...]:
        """The names of those that did not always work, in their order."""
        return _ids(await self._objects.names(_TARGETS))


def _dead(home: StoragePrefix) -> str:
    return f"{_DEAD_FOLDER}/{home.kind}/{listed_name(home.id)}.json"


def _target(name: str) -> str:
    return f"{_TARGETS}/{listed_name(name)}.json"


def _ids(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(id_of(PurePosixPath(name).stem) for name in names))
