"""The catalogue as the web process knows it: kinds with their labels, and who may begin things of them."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from activities.files.reading import FileFaults
from activities.people.language import Language
from activities.policies.catalogue import Catalogue, UnknownKind
from starter.web.rights import ReaderRole, may_start
from workflows.model.subject import LockScreen

_LOGGER: Final = structlog.get_logger("countersign.desk")


class KindCatalogue:
    """Reads the catalogue again when it changes; empty if unreadable."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: float | None = None
        self._catalogue = Catalogue({})

    async def labels(self, language: Language) -> tuple[tuple[str, str], ...]:
        """All kinds with their labels, sorted by label."""
        catalogue = await self._read()
        labels = ((kind, catalogue.label(kind, language)) for kind in catalogue.kinds)
        return tuple(sorted(labels, key=lambda pair: pair[1].casefold()))

    async def choices(self, language: Language) -> tuple[tuple[str, str], ...]:
        """The kinds that have a label of their own: the others are there to be extended."""
        catalogue = await self._read()
        return tuple([choice for choice in await self.labels(language) if catalogue.has_label(choice[0])])

    async def label(self, kind: str, language: Language) -> str:
        """Also of a removed kind."""
        return (await self._read()).label(kind, language)

    async def startable(self, role: ReaderRole) -> tuple[str, ...]:
        """The kinds of which somebody may begin something without a command."""
        catalogue = await self._read()
        return tuple(kind for kind in catalogue.kinds if may_start(role, catalogue.starters(kind)))

    async def visible_to(self, role: ReaderRole) -> frozenset[str]:
        """The kinds that one of their groups may look at (`visible_to`)."""
        catalogue = await self._read()
        return frozenset(kind for kind in catalogue.kinds if any(map(role.is_in, catalogue.visible_to(kind))))

    async def closes(self, kind: str) -> bool:
        """Whether it is of documents, as far as it is known."""
        catalogue = await self._read()
        return kind in catalogue.kinds and catalogue.closes(kind)

    async def stays_open(self, kind: str) -> bool:
        """Whether it is of tasks, as far as it is known."""
        catalogue = await self._read()
        return kind in catalogue.kinds and not catalogue.resolve(kind).policy.expires

    async def rounds_of_review(self, kind: str) -> int:
        """After how many rounds a request ends; 0 of an unknown kind."""
        try:
            return (await self._read()).resolve(kind).policy.review.most
        except UnknownKind:
            return 0

    async def named(self) -> tuple[str, ...]:
        """The kinds whose documents may be named to others."""
        return tuple([kind for kind in (await self._read()).kinds if await self.lets_titles_be_read(kind)])

    async def lets_titles_be_read(self, kind: str) -> bool:
        """Whether its documents may be named to others (`lock_screen: full`)."""
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
            _LOGGER.warning("the desk cannot read the catalogue", says=faults.in_short)
            return Catalogue({})


def _version(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0
