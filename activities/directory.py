"""What is asked of a directory: who a person is, how they are reached, where they stand; and why it may not answer."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from activities.device import PushDevice
from activities.devices import KnownDevice
from activities.files.reading import FileFaults
from activities.people_index import CompanyPosition
from activities.person import Person
from activities.store.failures import StoreAway, StoreFailure


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

    async def person(self, id: str, beside: str | None = None) -> Person:
        """The person of this id; `signer-<position>` are those who stand in full in the file of the workflow
        `beside` which they are kept."""
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
