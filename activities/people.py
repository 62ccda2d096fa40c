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

from activities.files.reading import Fault, FileFaults
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
    "UnusablePeople",
    "device_hash",
]

_Version: TypeAlias = tuple[int, int] | None
_log = structlog.get_logger(__name__)


class DirectoryFailure(Exception):
    """The directory gives no answer; the text says why, without personal data."""


class UnusablePeople(DirectoryFailure):
    """The people file cannot be used, and no earlier state of it is known; `faults` is all that is wrong with it."""

    def __init__(self, faults: FileFaults) -> None:
        super().__init__(faults.in_short)
        self.faults = faults


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
    """The directory in a file (docs/files.md), with what the store knows: dead devices and inline signers."""

    def __init__(self, file: Path, store: Store) -> None:
        self._file = file
        self._store = store
        self._state: _State | None = None
        self._tried: _Version | None = None
        self._reading = asyncio.Lock()
        self._faults: FileFaults | None = None

    @property
    def warning(self) -> str | None:
        """See `Directory`; as of the last look-up."""
        return self._faults.in_short if self._faults else None

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
                self._state = await self._read_again(self._state)
                # Only now: a reading that was cancelled is none.
                self._tried = version
            return self._state

    async def _read_again(self, last_good: _State | None) -> _State:
        try:
            state = await asyncio.to_thread(_read, self._file)
        except FileFaults as faults:
            self._faults = faults
            if last_good is None:
                raise UnusablePeople(faults) from None
            _log.warning("people file is faulty, its last good state stays in use", says=faults.in_short)
            return last_good
        self._faults = None
        return state


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
    """What the file says; whatever keeps it from being read becomes a fault, so that nobody fails to hear of it."""
    try:
        people = PeopleFile.read(path).people
    except FileFaults:
        raise
    except Exception as error:
        # Its text may repeat names and addresses.
        says = f"cannot be read, by a fault of Countersign ({type(error).__name__})"
        raise FileFaults((Fault(str(path), None, "", says),)) from error
    return _State({person.id: person for person in people}, by_group(people))
