"""What is asked of a directory: who a person is, how they are reached, where they stand; and why it may not answer."""

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
    """Where somebody stands in the company: as far as a people file says."""

    department: str = ""
    manager: str = ""
    joined: date | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """By their entry in an index of people."""
        joined = entry.get("joined")
        return cls(
            entry.get("department") or "",
            entry.get("manager") or "",
            date.fromisoformat(joined) if isinstance(joined, str) else joined,
        )


@dataclass(frozen=True)
class PeopleIndex:
    """What a valid people file says. A person is made when they are looked up: most never are."""

    entries: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, people: tuple[Person, ...]) -> Self:
        """The index of validated people."""
        plain = {person.id: person.model_dump(mode="json", by_alias=True, exclude_defaults=True) for person in people}
        return cls(plain, by_group(people))

    def dumped(self) -> bytes:
        """The index as JSON."""
        return json.dumps({"entries": self.entries, "groups": self.groups}, separators=(",", ":")).encode()

    def person(self, id: str) -> Person | None:
        """The person of this id, None when there is none."""
        entry = self.entries.get(id)
        try:
            return Person.model_validate(entry) if entry is not None else None
        except ValidationError:
            # Its text would repeat names and addresses.
            raise ValueError("the kept people cannot be read") from None

    @cached_property
    def ids_by_address(self) -> Mapping[str, str | None]:
        """Whose an e-mail address is, in small letters; None for one that several people share."""
        found: dict[str, str | None] = {}
        for id, entry in self.entries.items():
            address = str(entry["email"]).casefold()
            found[address] = None if address in found else id
        return found

    @cached_property
    def addresses(self) -> frozenset[str]:
        """The addresses of all devices of the file."""
        devices = (one for entry in self.entries.values() for one in entry.get("devices") or ())
        return frozenset(address for one in devices if (address := one.get("token") or one.get("fid")))

    def colleagues(self, id: str) -> tuple[str, ...]:
        """Who works with somebody, as far as the file says it: the same manager or department first, then a group."""
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
        """Whom each manager has right below them, in the order of the file."""
        found: dict[str, list[str]] = {}
        for id, entry in self.entries.items():
            if manager := entry.get("manager"):
                found.setdefault(manager, []).append(id)
        return {manager: tuple(below) for manager, below in found.items()}


def loaded(dumped: bytes) -> PeopleIndex:
    """The index that was dumped; `ValueError` for what is none."""
    try:
        found = json.loads(dumped)
        return PeopleIndex(found["entries"], {name: tuple(members) for name, members in found["groups"].items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not an index of people") from error


def name_of(content: bytes) -> str:
    """What the index of a file with this content is kept under."""
    return f"{hashlib.sha256(content).hexdigest()}-{_FORM}"


def read(path: Path, content: bytes) -> PeopleIndex:
    """The index of a people file; `FileFaults` for whatever keeps it from being read, so that it is heard of."""
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
    """The same, dumped, read in a process of its own; blocks until that has ended."""
    try:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as apart:
            found = apart.submit(_read_there, path, content).result()
    except BrokenProcessPool as error:
        raise _ours(path, error) from error
    if isinstance(found, bytes):
        return found
    raise FileFaults(found)


def _read_there(path: Path, content: bytes) -> bytes | tuple[Fault, ...]:
    """Faults are given back, not raised: an exception would lose them on its way between processes."""
    try:
        return read(path, content).dumped()
    except FileFaults as faults:
        return faults.faults


def _ours(path: Path, error: Exception) -> FileFaults:
    says = f"cannot be read, by a fault of Countersign ({type(error).__name__})"
    return FileFaults((Fault(str(path), None, "", says),))


class DirectoryFailure(Exception):
    """The directory gives no answer; the text says why, without personal data."""


class DirectoryAway(DirectoryFailure):
    """What the store knows of people cannot be had now; it may pass by itself, and nobody has to mend a file."""


@contextmanager
def asking_the_store() -> Iterator[None]:
    """Turn what the store raises in the block into a `DirectoryFailure`: `DirectoryAway` where it may pass."""
    try:
        yield
    except StoreAway as failure:
        raise DirectoryAway(str(failure)) from failure
    except StoreFailure as failure:
        raise DirectoryFailure(str(failure)) from failure


class UnusablePeople(DirectoryFailure):
    """The people file cannot be used, and no earlier state of it is known; `faults` is all that is wrong with it."""

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
    """Where people are looked up; every method may raise `DirectoryFailure`."""

    @property
    def warning(self) -> str | None:
        """Why an older state is in use, None when what is told is as it should be."""
        ...

    @property
    def secret(self) -> SecretStr | None:
        """What the ids of people are made with who stand in full in a file."""
        ...

    async def person(self, id: str, beside: str | None = None) -> Person:
        """The person of this id; `p-<12 hex>` are those who stand in full in the file of the workflow `beside` which
        they are kept."""
        ...

    async def group(self, name: str) -> tuple[str, ...]:
        """The ids of a group's members."""
        ...

    async def devices(self, person: Person) -> tuple[PushDevice, ...]:
        """The person's devices that are not known to be dead."""
        ...

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        """All of them, also those that are given up."""
        ...

    async def bury(self, person: Person, device: PushDevice, reason: str) -> None:
        """Do not give this device out until it is registered again: the push service no longer knows it."""
        ...


class Company(Directory, Protocol):
    """A directory that knows where people stand in the company."""

    async def places(self, ids: Iterable[str]) -> Mapping[str, CompanyPosition]:
        """Where these people stand; those whom the directory does not have are left out."""
        ...

    async def registered(self) -> frozenset[str]:
        """The ids of those for whom an app ever registered a device: many can be asked for at once."""
        ...

    async def up_to_date(self) -> None:
        """Wait until what is told is as of now; `DirectoryFailure` when only an older state can be told."""
        ...


COLLEAGUES_AT_MOST: Final = 20
"""Of whom one can be chosen on a page; of more somebody is looked for by name."""


@dataclass(frozen=True)
class Colleagues:
    """Some who work with somebody, and how many there are in all."""

    people: tuple[Person, ...] = ()
    total: int = 0


class Office(Directory, Protocol):
    """A directory that knows who works with whom."""

    async def colleagues(self, id: str, words: str = "", also: str = "") -> Colleagues:
        """Who works with somebody: those whose name has all `words`, or the one who is `also` asked about.

        Without words all of them where they are few, and nobody where they are more.
        """
        ...
