"""The directory: interfaces to look up persons, groups, devices, managers and colleagues; the index of a people
file.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self

from pydantic import SecretStr, ValidationError

from activities.documents.errors import StoreAway, StoreFailure
from activities.files.quick import quickly
from activities.files.reading import Fault, FileFaults, FileText, PlainFile
from activities.files.yaml_lines import Parsed
from activities.people.devices import KnownDevice
from activities.people.person import PeopleFile, Person, PushDevice, by_group

PEOPLE_FILE_AT_MOST: Final = 32 * 1024 * 1024
"""Bytes of a people file: more than 50,000 people; a larger one is refused."""
READ_AT_ONCE_AT_MOST: Final = 256 * 1024
"""Bytes of a people file that is read in a thread of this process, in about a second; a larger one in its own."""
_FORM: Final = 1
"""Part of what a kept index is called: a new form of it is not mistaken for an old one."""


class CompanyPosition(NamedTuple):
    """A person's department and manager, as far as the people file says."""

    department: str = ""
    manager: str = ""
    joined: date | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        joined = entry.get("joined")
        return cls(
            entry.get("department") or "",
            entry.get("manager") or "",
            date.fromisoformat(joined) if isinstance(joined, str) else joined,
        )


@dataclass(frozen=True)
class PeopleIndex:
    """A validated people file. Persons are built on look-up: most are never needed."""

    entries: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, people: tuple[Person, ...]) -> Self:
        plain = {person.id: person.model_dump(mode="json", by_alias=True, exclude_defaults=True) for person in people}
        return cls(plain, by_group(people))

    def dumped(self) -> bytes:
        return json.dumps({"entries": self.entries, "groups": self.groups}, separators=(",", ":")).encode()

    def person(self, id: str) -> Person | None:
        """The person of this id, None if unknown."""
        entry = self.entries.get(id)
        try:
            return Person.model_validate(entry) if entry is not None else None
        except ValidationError:
            # Its text would repeat names and addresses.
            raise ValueError("the kept people cannot be read") from None

    @cached_property
    def ids_by_address(self) -> Mapping[str, str | None]:
        """Person ids by lower-case email address; None for a shared one."""
        found: dict[str, str | None] = {}
        for id, entry in self.entries.items():
            address = str(entry["email"]).casefold()
            found[address] = None if address in found else id
        return found

    @cached_property
    def addresses(self) -> frozenset[str]:
        devices = (one for entry in self.entries.values() for one in entry.get("devices") or ())
        return frozenset(address for one in devices if (address := one.get("token") or one.get("fid")))

    def colleagues(self, id: str) -> tuple[str, ...]:
        """The person's colleagues: same manager or department first, then a common group."""
        own = self.entries.get(id)
        if own is None:
            return ()
        manager, department, groups = own.get("manager"), own.get("department"), own.get("groups") or ()
        near = [
            other
            for other, entry in self.entries.items()
            if (manager and manager in (entry.get("manager"), other))
            or (department and entry.get("department") == department)
            or entry.get("manager") == id
        ]
        found = dict.fromkeys((*near, *(member for group in groups for member in self.groups.get(group, ()))))
        return tuple(one for one in found if one != id)

    @cached_property
    def reports(self) -> Mapping[str, tuple[str, ...]]:
        """Direct reports by manager, in the order of the file."""
        found: dict[str, list[str]] = {}
        for id, entry in self.entries.items():
            if manager := entry.get("manager"):
                found.setdefault(manager, []).append(id)
        return {manager: tuple(below) for manager, below in found.items()}


def loaded(dumped: bytes) -> PeopleIndex:
    """The index from `dumped` bytes; `ValueError` for other bytes."""
    try:
        found = json.loads(dumped)
        return PeopleIndex(found["entries"], {name: tuple(members) for name, members in found["groups"].items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not an index of people") from error


def name_of(content: bytes) -> str:
    """The store name of the index for this content."""
    return f"{hashlib.sha256(content).hexdigest()}-{_FORM}"


def read(path: Path, content: bytes) -> PeopleIndex:
    """The index of a people file; `FileFaults` if it cannot be read."""
    try:
        written = FileText.of(path, content, at_most=PEOPLE_FILE_AT_MOST)
        with suppress(FileFaults):  # A fault has its line below.
            if quick := quickly(written.text, "people"):
                return PeopleIndex.of(
                    PeopleFile.of(PlainFile(written.name, written.folder, Parsed(quick, {}, ()))).people
                )
        return PeopleIndex.of(PeopleFile.of(written.parse()).people)
    except FileFaults:
        raise
    except Exception as error:
        # Its text may repeat names and addresses.
        raise _ours(path, error) from error


def read_apart(path: Path, content: bytes) -> bytes:
    """`read`, dumped, in a process of its own; blocks until that has ended."""
    try:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as apart:
            found = apart.submit(_read_there, path, content).result()
    except BrokenProcessPool as error:
        raise _ours(path, error) from error
    if isinstance(found, bytes):
        return found
    raise FileFaults(found)


def _read_there(path: Path, content: bytes) -> bytes | tuple[Fault, ...]:
    """Returns faults instead of raising: an exception would lose them between processes."""
    try:
        return read(path, content).dumped()
    except FileFaults as faults:
        return faults.faults


def _ours(path: Path, error: Exception) -> FileFaults:
    says = f"cannot be read, by a fault of Countersign ({type(error).__name__})"
    return FileFaults((Fault(str(path), None, "", says),))


class DirectoryFailure(Exception):
    """The directory is unusable; the text says why, without personal data."""


class DirectoryAway(DirectoryFailure):
    """A temporary failure of the store; no file has to be mended."""


@contextmanager
def asking_the_store() -> Iterator[None]:
    """Turn store errors into `DirectoryFailure`, temporary ones into `DirectoryAway`."""
    try:
        yield
    except StoreAway as failure:
        raise DirectoryAway(str(failure)) from failure
    except StoreFailure as failure:
        raise DirectoryFailure(str(failure)) from failure


class UnusablePeople(DirectoryFailure):
    """The people file is faulty, and there is no earlier good state; `faults` has all faults."""

    def __init__(self, faults: FileFaults) -> None:
        super().__init__(faults.in_short)
        self.faults = faults


class UnknownPerson(DirectoryFailure):
    """Nobody of this id."""

    def __init__(self, id: str, hint: str = "", where: str = "the directory") -> None:
        super().__init__(f'"{id}" is not in {where}{hint}')
        self.id = id


class UnknownGroup(DirectoryFailure):
    """No group of this name."""

    def __init__(self, name: str, hint: str = "", where: str = "the directory") -> None:
        super().__init__(f'the group "{name}" is not in {where}{hint}')
        self.name = name


class Directory(Protocol):
    """Looks people up; every method may raise `DirectoryFailure`."""

    @property
    def warning(self) -> str | None:
        """Why an older state is in use, None if it is current."""
        ...

    @property
    def secret(self) -> SecretStr | None:
        """What the ids of people are made with who stand in full in a file."""
        ...

    async def person(self, id: str, beside: str | None = None) -> Person:
        """The person of this id; `signer-<position>` are given in full in the file of the workflow `beside`."""
        ...

    async def group(self, name: str) -> tuple[str, ...]:
        """The member ids of a group."""
        ...

    async def devices(self, person: Person) -> tuple[PushDevice, ...]:
        """The person's valid devices."""
        ...

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        """All devices, also invalid ones."""
        ...

    async def bury(self, person: Person, device: PushDevice, reason: str) -> None:
        """Mark the device invalid until it is registered again: the push service no longer knows it."""
        ...


class Company(Directory, Protocol):
    """A directory with departments and managers."""

    async def places(self, ids: Iterable[str]) -> Mapping[str, CompanyPosition]:
        """The positions of these people, without unknown ones."""
        ...

    async def registered(self) -> frozenset[str]:
        """The ids of people with a device ever registered, in one query for many."""
        ...

    async def up_to_date(self) -> None:
        """Wait until the state is current; `DirectoryFailure` if only an older one is available."""
        ...


COLLEAGUES_AT_MOST: Final = 20
"""Of whom one can be chosen on a page; of more somebody is looked for by name."""


@dataclass(frozen=True)
class Colleagues:
    """Some colleagues of a person, and their total number."""

    people: tuple[Person, ...] = ()
    total: int = 0


class Office(Directory, Protocol):
    """A directory that knows colleagues."""

    async def colleagues(self, id: str, words: str = "", also: str = "") -> Colleagues:
        """Colleagues whose name has all `words`, and the one with id `also`.

        Without words: all if few, none if many.
        """
        ...
