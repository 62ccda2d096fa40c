"""What every directory of a company's people can do, wherever the people are kept: in a file, or in the database."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import ClassVar, Final

from pydantic import SecretStr, ValidationError

from activities.people.absences import KnownAbsences
from activities.people.devices import Devices, KnownDevice
from activities.people.directory import (
    Colleagues,
    CompanyPosition,
    DirectoryFailure,
    PersonReach,
    UnknownGroup,
    UnknownPerson,
    asking_the_store,
)
from activities.people.ids import stands_in_full
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import Person, PushDevice, SignersFile
from activities.records.store import Store
from workflows.model.subject import group_of


class CompanyDirectory(ABC):
    """With stored invalid devices, people described in full, and absences that people entered. Methods raise
    `DirectoryFailure`.
    """

    source: ClassVar[str] = "the directory"
    """Where somebody is missing, as people read it."""

    def __init__(
        self, store: Store, secret: SecretStr | None = None, substitutes: MailboxSubstitutes = NO_SUBSTITUTES
    ) -> None:
        """`secret` derives the ids of people described in full."""
        self.secret = secret
        self.substitutes = substitutes
        self._store = store
        self._devices = Devices(store)
        self.absences: Final = KnownAbsences(store.absences)

    @property
    def warning(self) -> str | None:
        return self.absences.warning

    async def person(self, id: str, workflow_id: str | None = None) -> Person:
        if stands_in_full(id):
            return await self._inline(id, workflow_id)
        if group := group_of(id):
            return await self._team(id, group)
        person = await self._find(id)
        if person is None:
            raise UnknownPerson(id, await self._suggest(id), self._source_name)
        return person.with_absences(await self.absences.find_absences(id))

    async def present(self, id: str) -> Person | None:
        """Who may sign in and act: somebody who has not left. As it is now, not as it was read a moment ago."""
        try:
            return await self.person(id)
        except UnknownPerson:
            return None

    async def substitute_of(self, leaver: str) -> str | None:
        """The id of their delegate, else of their manager, who is there; None without one, or if nobody left."""
        return None

    @abstractmethod
    async def file(self) -> Callable[[str], Person | None]:
        """People without absences that were entered; each call may wait for the database."""

    @abstractmethod
    async def list_first_ids(self, limit: int) -> list[str]:
        """Ids of the first people."""

    @abstractmethod
    async def group(self, name: str) -> tuple[str, ...]: ...

    @abstractmethod
    async def groups_of(self, id: str) -> frozenset[str]:
        """Names; none of an unknown person."""

    @abstractmethod
    async def groups(self) -> Mapping[str, int]:
        """How many people there are in each group, by name."""

    @abstractmethod
    async def places(self, ids: Iterable[str]) -> Mapping[str, CompanyPosition]: ...

    @abstractmethod
    async def list_reach(self, people: Collection[str] | None = None) -> list[PersonReach]:
        """Which of these people, or of all, have a living device."""

    @abstractmethod
    async def up_to_date(self) -> None: ...

    @abstractmethod
    async def named(self, query: str) -> Person | None:
        """Who is present, by id or email address; None for none or several."""

    @abstractmethod
    async def search(self, query: str, limit: int) -> tuple[Person, ...]:
        """The first people whose name, id or address has all the words in it; nobody without words."""

    @abstractmethod
    async def colleagues(self, id: str, name_query: str = "", also: str = "") -> Colleagues: ...

    @abstractmethod
    async def reports(self, manager: str) -> tuple[str, ...]:
        """Ids of all direct and indirect reports, nearest first."""

    @abstractmethod
    async def has_device(self, address: str) -> bool:
        """Whether a people file has this address, for any person."""

    @abstractmethod
    async def _find(self, id: str) -> Person | None: ...

    async def _suggest(self, id: str) -> str:
        """Who may be meant by an unknown id, as the end of a sentence."""
        return ""

    @property
    def _source_name(self) -> str:
        return self.source

    async def registered(self) -> frozenset[str]:
        with asking_the_store():
            return await self._store.devices.people()

    async def devices(self, person: Person) -> tuple[PushDevice, ...]:
        return tuple(entry.device for entry in await self.known_devices(person) if entry.invalid_reason is None)

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        with asking_the_store():
            return await self._devices.list_devices(person)

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        """Stored, so that it outlives this process."""
        with asking_the_store():
            await self._devices.mark_gone(person, device, reason)

    async def _people(self, ids: tuple[str, ...]) -> tuple[Person, ...]:
        return tuple([await self.person(id) for id in ids])

    async def _team(self, team: str, group: str) -> Person:
        try:
            members = await self.group(group)
        except UnknownGroup:
            raise UnknownPerson(team, source=self._source_name) from None
        return (await self.person(members[0])).for_team(team)

    async def _inline(self, id: str, workflow_id: str | None) -> Person:
        if workflow_id is None:
            raise UnknownPerson(id)
        with asking_the_store():
            content = await self._store.people.read(workflow_id)
        person = _signers(content).person(id) if content else None
        if person is None:
            raise UnknownPerson(id)
        return person


def _signers(content: bytes) -> SignersFile:
    try:
        return SignersFile.model_validate_json(content)
    except ValidationError:
        # Its text would repeat names and addresses.
        raise DirectoryFailure("the people who came with the file cannot be read from the store") from None
