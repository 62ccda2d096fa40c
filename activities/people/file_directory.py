"""The directory of a people file (`COUNTERSIGN_PEOPLE`), read again when it changes. Persons are never copied into a
history, so a change counts from the next look-up. A faulty file keeps the last good state, with a `warning`. Absences
that people entered are joined to those of the file.
"""

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import structlog
from pydantic import SecretStr

from activities.errors import StoreFailure, did_you_mean
from activities.files.reading import FileFaults, bytes_of
from activities.people import directory as people_index
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import (
    COLLEAGUES_AT_MOST,
    PEOPLE_FILE_AT_MOST,
    READ_AT_ONCE_AT_MOST,
    Colleagues,
    CompanyPosition,
    DirectoryFailure,
    PeopleIndex,
    PersonReach,
    UnknownGroup,
    UnusablePeople,
    asking_the_store,
    foldable,
    has_living_device,
)
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import Person
from activities.records.store import Store

_Version: TypeAlias = tuple[int, int, int] | None
_PATIENCE: Final = 1.0
"""Seconds a look-up waits for a changed file, before it uses the last good state."""
_log = structlog.get_logger(__name__)


class FileDirectory(CompanyDirectory):
    """The file (docs/files.md)."""

    def __init__(
        self,
        file: Path,
        store: Store,
        secret: SecretStr | None = None,
        substitutes: MailboxSubstitutes = NO_SUBSTITUTES,
    ) -> None:
        super().__init__(store, secret, substitutes)
        self._file = file
        self._location = f"{socket.gethostname()}:{file.absolute()}"
        self._index: PeopleIndex | None = None
        self._version: _Version = None
        self._reading: asyncio.Task[None] | None = None
        self._faults: FileFaults | None = None

    @property
    def warning(self) -> str | None:
        return self._faults.in_short if self._faults else self.absences.warning

    async def file(self) -> Callable[[str], Person | None]:
        return partial(_of_file, await self._current())

    async def list_first_ids(self, limit: int) -> list[str]:
        return list(islice((await self._current()).entries, limit))

    async def group(self, name: str) -> tuple[str, ...]:
        groups = (await self._current()).groups
        if name not in groups:
            raise UnknownGroup(name, did_you_mean(name, groups), self._file.name)
        return groups[name]

    async def groups_of(self, id: str) -> frozenset[str]:
        return frozenset((await self._current()).entries.get(id, {}).get("groups") or ())

    async def places(self, ids: Iterable[str]) -> Mapping[str, CompanyPosition]:
        entries = (await self._current()).entries
        return {id: CompanyPosition.from_entry(entries[id]) for id in ids if id in entries}

    async def list_reach(self, people: Collection[str] | None = None) -> list[PersonReach]:
        with asking_the_store():
            registered, marks = await self._store.devices.living()
        entries = (await self._current()).entries
        return [
            PersonReach(
                id, entry.get("department") or "", id in registered or has_living_device(entry, marks.get(id, {}))
            )
            for id in (entries if people is None else people)
            if (entry := entries.get(id)) is not None
        ]

    async def up_to_date(self) -> None:
        for _ in range(2):  # A read in progress may be of the former file; the next one is not.
            await self._current()
            if reading := self._reading:
                await asyncio.wait({reading})
        if self._faults:
            raise UnusablePeople(self._faults)

    async def named(self, query: str) -> Person | None:
        index, query = await self._current(), query.strip()
        id = query if query in index.entries else index.ids_by_address.get(query.casefold())
        return await self.person(id) if id is not None else None

    async def search(self, query: str, limit: int) -> tuple[Person, ...]:
        index, query_words = await self._current(), foldable(query).split()
        texts = await asyncio.to_thread(lambda: index.searched)
        matching_ids = (id for id, text in texts if all(query_word in text for query_word in query_words))
        return await self._people(tuple(islice(matching_ids, limit))) if query_words else ()

    async def groups(self) -> Mapping[str, int]:
        return {name: len(members) for name, members in (await self._current()).groups.items()}

    async def colleagues(self, id: str, name_query: str = "", also: str = "") -> Colleagues:
        index = await self._current()
        colleague_ids, query_words = index.colleagues(id), name_query.casefold().split()
        if also in colleague_ids:
            return Colleagues(await self._people((also,)), len(colleague_ids))
        named = (
            colleague_id
            for colleague_id in colleague_ids
            if all(query_word in str(index.entries[colleague_id]["name"]).casefold() for query_word in query_words)
        )
        few = len(colleague_ids) <= COLLEAGUES_AT_MOST
        chosen_ids = tuple(islice(named, COLLEAGUES_AT_MOST)) if query_words or few else ()
        return Colleagues(await self._people(chosen_ids), len(colleague_ids))

    async def reports(self, manager: str) -> tuple[str, ...]:
        reports_by_manager = (await self._current()).reports
        report_ids = [*reports_by_manager.get(manager, ())]
        for id in report_ids:  # It grows meanwhile; the file has no circles.
            report_ids += reports_by_manager.get(id, ())
        return tuple(report_ids)

    async def has_device(self, address: str) -> bool:
        return address in (await self._current()).addresses

    async def _find(self, id: str) -> Person | None:
        return _of_file(await self._current(), id)

    async def _suggest(self, id: str) -> str:
        return did_you_mean(id, (await self._current()).entries)

    @property
    def _source_name(self) -> str:
        return self._file.name

    async def _current(self) -> PeopleIndex:
        if self._reading is None and (self._index is None or _version(self._file) != self._version):
            self._reading = asyncio.create_task(self._read_again())
        if reading := self._reading:
            # Not awaited directly: a cancelled look-up must not stop the reading.
            await asyncio.wait({reading}, timeout=None if self._index is None else _PATIENCE)
        if self._index is not None:
            return self._index
        if self._faults is None:
            raise DirectoryFailure("the people file could not be read, by a fault of Countersign: see the log")
        raise UnusablePeople(self._faults)

    async def _read_again(self) -> None:
        version = _version(self._file)
        try:
            self._index = await self._read()
            self._faults = None
        except FileFaults as faults:
            self._faults = faults
            if self._index is not None:
                _log.warning("people file is faulty, its last good state stays in use", says=faults.in_short)
        finally:
            self._version, self._reading = version, None

    async def _read(self) -> PeopleIndex:
        content = await asyncio.to_thread(bytes_of, self._file, at_most=PEOPLE_FILE_AT_MOST)
        if not READ_AT_ONCE_AT_MOST < len(content) <= PEOPLE_FILE_AT_MOST:
            return await asyncio.to_thread(people_index.read, self._file, content)
        name = people_index.name_of(content)
        if stored_index := await self._load_kept_index(name):
            return stored_index
        dumped = await asyncio.to_thread(people_index.read_apart, self._file, content)
        await self._keep(name, dumped)
        return await asyncio.to_thread(people_index.loaded, dumped)

    async def _load_kept_index(self, name: str) -> PeopleIndex | None:
        try:
            content = await self._store.people.index(name)
        except StoreFailure as failure:
            _log.warning("the store gives no people: their file is read instead", says=str(failure))
            return None
        try:
            return await asyncio.to_thread(people_index.loaded, content) if content else None
        except ValueError:
            _log.warning("the people kept in the store are damaged: their file is read instead")
            return None

    async def _keep(self, name: str, dumped: bytes) -> None:
        try:
            await self._store.people.keep_index(self._location, name, dumped)
        except StoreFailure as failure:
            _log.warning("the store keeps no people: their file is read again by others", says=str(failure))


def _of_file(index: PeopleIndex, id: str) -> Person | None:
    try:
        return index.person(id)
    except ValueError as error:
        raise DirectoryFailure(str(error)) from None


def _version(file: Path) -> _Version:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size
