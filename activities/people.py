"""The directory: who a person is, how they are reached, who stands above them.

A person is looked up when needed and never copied into a history: a new phone or manager counts from the next look-up.
The file is read again when it changed. One that became faulty keeps the last good state, and `warning` says so.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import structlog
from pydantic import ValidationError

from activities.files.reading import FileFaults
from activities.person import Device, PeopleFile, Person, Platform, SignersFile, by_group, stands_in_full
from activities.spelling import did_you_mean
from activities.store import Store, StoreFailure, device_hash

__all__ = [
    "Device",
    "Directory",
    "DirectoryFailure",
    "FileDirectory",
    "Person",
    "Platform",
    "UnknownGroup",
    "UnknownPerson",
    "device_hash",
]

_Version: TypeAlias = tuple[int, int] | None
_log = structlog.get_logger(__name__)


class DirectoryFailure(Exception):
    """The directory gives no answer; the text says why, without personal data."""


class UnknownPerson(DirectoryFailure):
    """Nobody of this id."""

    def __init__(self, id: str, hint: str = "") -> None:
        super().__init__(f"{id} is not in the directory{hint}")
        self.id = id


class UnknownGroup(DirectoryFailure):
    """No group of this name."""

    def __init__(self, name: str, hint: str = "") -> None:
        super().__init__(f"the group {name} is not in the directory{hint}")
        self.name = name


class Directory(Protocol):
    """Where people are looked up; every method may raise `DirectoryFailure`."""

    @property
    def warning(self) -> str | None:
        """Why an older state is in use, None when what is told is as it should be."""
        ...

    async def person(self, id: str, request: str | None = None) -> Person:
        """The person of this id; `signer-<position>` are the signers standing in full in the file of `request`."""
        ...

    async def group(self, name: str) -> tuple[str, ...]:
        """The ids of a group's members."""
        ...

    async def devices(self, person: Person) -> tuple[Device, ...]:
        """The person's devices that are not known to be dead."""
        ...

    async def mark_dead(self, token: str) -> None:
        """Never give this device out again: the push service no longer knows it."""
        ...


@dataclass(frozen=True)
class _State:
    people: Mapping[str, Person]
    groups: Mapping[str, tuple[str, ...]]


class FileDirectory:
    """The directory in a file (formats.md), with what the store knows: dead devices and inline signers."""

    def __init__(self, file: Path, store: Store) -> None:
        self._file = file
        self._store = store
        self._state: _State | None = None
        self._tried: _Version | None = None
        self._reading = asyncio.Lock()
        self._warning: str | None = None

    @property
    def warning(self) -> str | None:
        """See `Directory`; as of the last look-up."""
        return self._warning

    async def person(self, id: str, request: str | None = None) -> Person:
        """See `Directory`; `UnknownPerson` when there is none."""
        if stands_in_full(id):
            return await self._inline(id, request)
        people = (await self._current()).people
        if id not in people:
            raise UnknownPerson(id, did_you_mean(id, people))
        return people[id]

    async def group(self, name: str) -> tuple[str, ...]:
        """See `Directory`; `UnknownGroup` when there is none."""
        groups = (await self._current()).groups
        if name not in groups:
            raise UnknownGroup(name, did_you_mean(name, groups))
        return groups[name]

    async def devices(self, person: Person) -> tuple[Device, ...]:
        """See `Directory`."""
        try:
            dead = await asyncio.gather(*(self._store.is_dead(device.token) for device in person.devices))
        except StoreFailure as failure:
            raise DirectoryFailure(str(failure)) from failure
        return tuple(device for device, gone in zip(person.devices, dead, strict=True) if not gone)

    async def mark_dead(self, token: str) -> None:
        """See `Directory`; kept in the store, so that it outlives this process."""
        try:
            await self._store.mark_dead(token)
        except StoreFailure as failure:
            raise DirectoryFailure(str(failure)) from failure

    async def _inline(self, id: str, request: str | None) -> Person:
        if request is None:
            raise UnknownPerson(id)
        try:
            content = await self._store.read_signers(request)
        except StoreFailure as failure:
            raise DirectoryFailure(str(failure)) from failure
        person = _signers(content).person(id) if content else None
        if person is None:
            raise UnknownPerson(id)
        return person

    async def _current(self) -> _State:
        async with self._reading:
            version = _version(self._file)
            if version != self._tried or self._state is None:
                self._tried = version
                await self._read_again()
            if self._state is None:
                raise DirectoryFailure(self._warning)
            return self._state

    async def _read_again(self) -> None:
        try:
            self._state = await asyncio.to_thread(_read, self._file)
            self._warning = None
        except FileFaults as faults:
            more = f" (and {len(faults.faults) - 1} more)" if len(faults.faults) > 1 else ""
            self._warning = f"{faults.faults[0]}{more}"
            # Without a last good state everybody who asks is told, by the failure itself.
            if self._state is not None:
                _log.warning("people file is faulty, its last good state stays in use", says=self._warning)


def _signers(content: bytes) -> SignersFile:
    try:
        return SignersFile.model_validate_json(content)
    except ValidationError:
        # Its text would repeat names and addresses.
        raise DirectoryFailure("the signers that came with this request cannot be read from the store") from None


def _version(file: Path) -> _Version:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _read(path: Path) -> _State:
    people = PeopleFile.read(path).people
    return _State({person.id: person for person in people}, by_group(people))
