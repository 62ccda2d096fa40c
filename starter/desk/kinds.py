"""The kinds of the catalogue, as the desk needs them: what they are called, and whose titles a manager may read."""

import asyncio
from functools import partial
from pathlib import Path

import structlog

from activities.files.reading import FileFaults
from activities.language import Language
from activities.policies.catalogue import Catalogue, UnknownKind
from workflows.model.subject import LockScreen

_KINDS_LOGGER = structlog.get_logger("countersign.desk")


class Kinds:
    """Reads the catalogue again when its file has changed; of one that cannot be read nothing is known."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: float | None = None
        self._catalogue = Catalogue({})

    async def labels(self, language: Language) -> tuple[tuple[str, str], ...]:
        """The ids of all kinds, each with what it is called in a language, in the order of the alphabet."""
        catalogue = await self._read()
        labels = ((kind, catalogue.label(kind, language)) for kind in catalogue.kinds)
        return tuple(sorted(labels, key=lambda one: one[1].casefold()))

    async def label(self, kind: str, language: Language) -> str:
        """What a kind is called, also one that is not in the catalogue any more."""
        return (await self._read()).label(kind, language)

    async def lets_titles_be_read(self, kind: str) -> bool:
        """Whether a document of this kind may be named to others than those it concerns (`lock_screen: full`)."""
        try:
            policy = (await self._read()).resolve(kind).policy
        except UnknownKind:
            return False
        return policy.lock_screen is LockScreen.FULL

    async def _read(self) -> Catalogue:
        version = await asyncio.to_thread(partial(_version, self._file))
        if version != self._version:
            self._catalogue = await asyncio.to_thread(self._read_again)
            self._version = version
        return self._catalogue

    def _read_again(self) -> Catalogue:
        try:
            return Catalogue.read(self._file)
        except FileFaults as faults:
            _KINDS_LOGGER.warning("the desk cannot read the catalogue", says=faults.in_short)
            return Catalogue({})


def _version(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0
