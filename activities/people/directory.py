"""The directory: interfaces to look up persons, groups, devices, managers and colleagues; the index of a people
file.
"""

import hashlib
import json
import unicodedata
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

from activities.errors import StoreAway, StoreFailure
from activities.files.reading import Fault, FileFaults, FileText
from activities.people.devices import KnownDevice
from activities.people.mailbox import MailboxSubstitutes
from activities.people.person import PeopleFile, Person, PushDevice, by_group
from activities.records.devices import InvalidMark, device_hash
from workflows.model.file_faults import FileFault
from workflows.model.rejections import Rejection
from workflows.model.subject import group_of

PEOPLE_FILE_AT_MOST: Final = 32 * 1024 * 1024
"""Bytes of a people file, more than 50,000 people; a larger one is refused."""
READ_AT_ONCE_AT_MOST: Final = 256 * 1024
"""Bytes read in a thread, in a quarter of a second; a larger file is read in its own process."""
_FORM: Final = 1
"""Version of the stored index."""
TEAM_AT_MOST: Final = 100
"""Of a group that asks for something, the members who are told: a larger group is refused at the start, of one that
grows the first of the people file are told."""
COLLEAGUES_AT_MOST: Final = 20
"""Colleagues listed on a page; larger numbers are searched by name."""


class CompanyPosition(NamedTuple):
    department: str = ""
    manager: str = ""
    joined: date | None = None
    phone_alone: str = ""
    """The number of somebody without a mailbox."""

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Self:
        joined = entry.get("joined")
        return cls(
            entry.get("department") or "",
            entry.get("manager") or "",
            date.fromisoformat(joined) if isinstance(joined, str) else joined,
            "" if entry.get("email") else entry.get("phone") or "",
        )


@dataclass(frozen=True)
class PeopleIndex:
    """A validated people file. Persons are built when looked up, since most are never needed."""

    entries: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_people(cls, people: tuple[Person, ...]) -> Self:
        plain = {person.id: person.model_dump(mode="json", by_alias=True, exclude_defaults=True) for person in people}
        return cls(plain, by_group(people))

    def dumped(self) -> bytes:
        return json.dumps({"entries": self.entries, "groups": self.groups}, separators=(",", ":")).encode()

    def person(self, id: str) -> Person | None:
        """None if unknown."""
        entry = self.entries.get(id)
        try:
            return Person.model_validate(entry) if entry is not None else None
        except ValidationError:
            # Its text would repeat names and addresses.
            raise ValueError("the kept people cannot be read") from None

    @cached_property
    def ids_by_address(self) -> Mapping[str, str | None]:
        """Person ids by lower-case address; None for a shared one."""
        id_by_address: dict[str, str | None] = {}
        for id, entry in self.entries.items():
            if not (address := str(entry.get("email", "")).casefold()):
                continue
            id_by_address[address] = None if address in id_by_address else id
        return id_by_address

    @cached_property
    def searched(self) -> tuple[tuple[str, str], ...]:
        """Each person's id, with their name, id and address as `foldable` text."""
        texts = ((id, f"{entry['name']} {id} {entry.get('email', '')}") for id, entry in self.entries.items())
        return tuple((id, foldable(text)) for id, text in texts)

    @cached_property
    def addresses(self) -> frozenset[str]:
        devices = (device for entry in self.entries.values() for device in entry.get("devices") or ())
        return frozenset(address for device in devices if (address := device.get("token") or device.get("fid")))

    def colleagues(self, id: str) -> tuple[str, ...]:
        """Same manager or department first, then a common group."""
        own_entry = self.entries.get(id)
        if own_entry is None:
            return ()
        manager, department, groups = (
            own_entry.get("manager"),
            own_entry.get("department"),
            own_entry.get("groups") or (),
        )
        close_ids = [
            other_id
            for other_id, entry in self.entries.items()
            if (manager and manager in (entry.get("manager"), other_id))
            or (department and entry.get("department") == department)
            or entry.get("manager") == id
        ]
        colleague_ids = dict.fromkeys(
            (*close_ids, *(member for group in groups for member in self.groups.get(group, ())))
        )
        return tuple(colleague_id for colleague_id in colleague_ids if colleague_id != id)

    @cached_property
    def reports(self) -> Mapping[str, tuple[str, ...]]:
        """Direct reports by manager, in the order of the file."""
        reports_by_manager: dict[str, list[str]] = {}
        for id, entry in self.entries.items():
            if manager := entry.get("manager"):
                reports_by_manager.setdefault(manager, []).append(id)
        return {manager: tuple(reports) for manager, reports in reports_by_manager.items()}


def foldable(text: str) -> str:
    """As people type it in a hurry: without accents, in lower case."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character)).casefold()


class PersonReach(NamedTuple):
    """Whether somebody has a living device; their department is empty if they have none."""

    id: str
    department: str
    has_device: bool


def has_living_device(entry: Mapping[str, Any], marks: Mapping[str, InvalidMark]) -> bool:
    """Whether the people file has a device of this person that is not marked invalid, by short name."""
    for written in entry.get("devices") or ():
        mark = marks.get(device_hash(written.get("token") or written.get("fid") or "")) if marks else None
        if mark is None or not mark.holds(PushDevice.model_validate(written).registered):
            return True
    return False


def loaded(dumped: bytes) -> PeopleIndex:
    """From `dumped` bytes; raises `ValueError`."""
    try:
        index = json.loads(dumped)
        return PeopleIndex(index["entries"], {name: tuple(members) for name, members in index["groups"].items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not an index of people") from error


def name_of(content: bytes) -> str:
    """The stored index's name for this content."""
    return f"{hashlib.sha256(content).hexdigest()}-{_FORM}"


def read(path: Path, content: bytes) -> PeopleIndex:
    """The index of a people file; raises `FileFaults`."""
    try:
        written = FileText.from_bytes(path, content, at_most=PEOPLE_FILE_AT_MOST)
        return PeopleIndex.from_people(PeopleFile.from_plain_file(written.parse()).people)
    except FileFaults:
        raise
    except Exception as error:
        # Its text may repeat names and addresses.
        raise _convert_error(path, error) from error


def read_apart(path: Path, content: bytes) -> bytes:
    """`read`, dumped, in its own process; blocks."""
    try:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as apart:
            index_bytes = apart.submit(_read_there, path, content).result()
    except BrokenProcessPool as error:
        raise _convert_error(path, error) from error
    if isinstance(index_bytes, bytes):
        return index_bytes
    raise FileFaults(index_bytes)


class DirectoryFailure(Exception):
    """The directory is unusable; the text has no personal data."""


class DirectoryAway(DirectoryFailure):
    """A temporary failure of the store."""


@contextmanager
def asking_the_store() -> Iterator[None]:
    """Converts store errors to `DirectoryFailure`, temporary ones to `DirectoryAway`."""
    try:
        yield
    except StoreAway as failure:
        raise DirectoryAway(str(failure)) from failure
    except StoreFailure as failure:
        raise DirectoryFailure(str(failure)) from failure


class UnusablePeople(DirectoryFailure):
    """The people file is faulty, without an earlier good state."""

    def __init__(self, faults: FileFaults) -> None:
        super().__init__(faults.in_short)
        self.faults = faults


class UnknownPerson(DirectoryFailure):
    def __init__(self, id: str, hint: str = "", source: str = "the directory") -> None:
        self.message = Rejection.NOT_IN_DIRECTORY.to_message(person=id, where=source, hint=hint)
        super().__init__(self.message.english)
        self.id = id


class UnknownGroup(DirectoryFailure):
    def __init__(self, name: str, hint: str = "", source: str = "the directory") -> None:
        self.message = FileFault.NO_GROUP_THERE.to_message(group=name, where=source, hint=hint)
        super().__init__(self.message.english)
        self.name = name


class Directory(Protocol):
    """Looks people up; every method may raise `DirectoryFailure`."""

    @property
    def warning(self) -> str | None:
        """Why an older state is in use, None if current."""
        ...

    @property
    def secret(self) -> SecretStr | None: ...

    @property
    def substitutes(self) -> MailboxSubstitutes:
        """What there is beside a mailbox."""
        ...

    async def person(self, id: str, workflow_id: str | None = None) -> Person:
        """`signer-<position>` are described in the file of the workflow `workflow_id`."""
        ...

    async def group(self, name: str) -> tuple[str, ...]: ...

    async def substitute_of(self, leaver: str) -> str | None:
        """The id of who could act for somebody who left."""
        ...

    async def devices(self, person: Person) -> tuple[PushDevice, ...]: ...

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]: ...

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        """Mark the device invalid until it is registered again."""
        ...


async def askers(directory: Directory, asker: str) -> frozenset[str]:
    """Who asks: a person, or everybody of a group by now."""
    group = group_of(asker)
    if group is None:
        return frozenset({asker})
    with suppress(UnknownGroup):
        return frozenset(await directory.group(group))
    return frozenset()


class Company(Directory, Protocol):
    async def places(self, ids: Iterable[str]) -> Mapping[str, CompanyPosition]:
        """Positions of these people, without unknown ones."""
        ...

    async def registered(self) -> frozenset[str]:
        """Ids of people with a device ever registered, in one query."""
        ...

    async def up_to_date(self) -> None:
        """Wait for the current state; `DirectoryFailure` if only an older one is available."""
        ...


@dataclass(frozen=True)
class Colleagues:
    people: tuple[Person, ...] = ()
    total: int = 0


class Office(Directory, Protocol):
    async def colleagues(self, id: str, name_query: str = "", also: str = "") -> Colleagues:
        """Colleagues with all words of `name_query`, and the one with id `also`. Without words all, if few."""
        ...


def _read_there(path: Path, content: bytes) -> bytes | tuple[Fault, ...]:
    # Returns faults: exceptions would lose them between processes.
    try:
        return read(path, content).dumped()
    except FileFaults as faults:
        return faults.faults


def _convert_error(path: Path, error: Exception) -> FileFaults:
    message = FileFault.READ_BADLY.to_message(error=type(error).__name__)
    return FileFaults((Fault(str(path), None, "", message),))
