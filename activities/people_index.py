"""The people of a file by their ids: read once, however many they are.

To read a file that people write, with a line for every fault, costs about a millisecond a person; one without a fault,
in its usual form, a tenth of that. A large one is read in a process of its own, so that nothing else in this one waits
for it, and its people are kept in the store under the file's hash: whoever comes next, a command or another worker,
looks them up there without reading the file again.
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import ValidationError

from activities.files.quick import quickly
from activities.files.reading import Fault, FileFaults, FileText, PlainFile
from activities.files.yaml_lines import Parsed
from activities.person import PeopleFile, Person, by_group

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
