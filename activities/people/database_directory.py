"""The directory in the database (`COUNTERSIGN_PEOPLE=database`): people and groups that the company's directory pushes,
with what an imported people file adds. Nothing of it is held but the people who were looked up last.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Final, NamedTuple

from pydantic import SecretStr

from activities.people.company_directory import CompanyDirectory
from activities.people.directory import (
    COLLEAGUES_AT_MOST,
    Colleagues,
    CompanyPosition,
    DirectoryAway,
    DirectoryFailure,
    PersonReach,
    UnknownGroup,
    asking_the_store,
    foldable,
)
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import Person
from activities.people.pushed import merge_entry, person_of
from activities.records.directory import PersonWithGroups
from activities.records.store import Store
from workflows.model.absence import SEEN_WITHIN

REMEMBERED_AT_MOST: Final = 1_000
"""People who were looked up last."""
_PAGE: Final = 2_000
"""People who are read together when all are counted."""


class DatabaseDirectory(CompanyDirectory):
    def __init__(
        self,
        store: Store,
        secret: SecretStr | None = None,
        substitutes: MailboxSubstitutes = NO_SUBSTITUTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store, secret, substitutes)
        self._clock = clock
        self._stored = store.directory
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()

    async def present(self, id: str) -> Person | None:
        with asking_the_store():
            row = await self._stored.person_with_groups(id)
        return _person(row) if row and row.person.active else None

    async def substitute_of(self, leaver: str) -> str | None:
        with asking_the_store():
            substitutes = await self._stored.substitutes_of(leaver)
        for id in substitutes:
            if await self.present(id):
                return id
        return None

    async def file(self) -> Callable[[str], Person | None]:
        return partial(_look_up, self._stored.look_up)

    async def list_first_ids(self, limit: int) -> list[str]:
        with asking_the_store():
            return await self._stored.first_ids(limit)

    async def group(self, name: str) -> tuple[str, ...]:
        with asking_the_store():
            members = await self._stored.group(name)
        if not members:
            raise UnknownGroup(name, source=self.source)
        return members

    async def groups_of(self, id: str) -> frozenset[str]:
        with asking_the_store():
            return await self._stored.groups_of(id)

    async def groups(self) -> Mapping[str, int]:
        with asking_the_store():
            return await self._stored.groups()

    async def places(self, ids: Iterable[str]) -> Mapping[str, CompanyPosition]:
        with asking_the_store():
            rows = await self._stored.people(set(ids))
        entries = ((id, merge_entry(id, row.resource, row.imported)) for id, row in rows.items())
        return {id: CompanyPosition.from_entry(entry) for id, entry in entries}

    async def list_reach(self, people: Collection[str] | None = None) -> list[PersonReach]:
        with asking_the_store():
            living, _ = await self._store.devices.living()
        chosen = None if people is None else frozenset(people)
        reach, after = list[PersonReach](), ""
        while True:
            with asking_the_store():
                page = await self._stored.departments(_PAGE, after)
            reach += [
                PersonReach(id, department, id in living) for id, department in page if chosen is None or id in chosen
            ]
            if len(page) < _PAGE:
                return reach
            after = page[-1][0]

    async def up_to_date(self) -> None:
        """Each look-up is of the current state."""

    async def named(self, query: str) -> Person | None:
        with asking_the_store():
            id = await self._stored.named(query.strip())
        return await self.present(id) if id is not None else None

    async def search(self, query: str, limit: int) -> tuple[Person, ...]:
        words = foldable(query).split()
        if not words:
            return ()
        with asking_the_store():
            ids = await self._stored.search(words, limit)
        return await self._people(tuple(ids))

    async def colleagues(self, id: str, name_query: str = "", also: str = "") -> Colleagues:
        with asking_the_store():
            ids, total = await self._stored.colleagues(id, foldable(name_query).split(), also, COLLEAGUES_AT_MOST)
        return Colleagues(await self._people(tuple(ids)), total)

    async def reports(self, manager: str) -> tuple[str, ...]:
        with asking_the_store():
            return await self._stored.reports(manager)

    async def has_device(self, address: str) -> bool:
        return False

    async def _find(self, id: str) -> Person | None:
        remembered = self._remembered.get(id)
        if remembered and self._clock() < remembered.until:
            return remembered.person
        try:
            with asking_the_store():
                row = await self._stored.person_with_groups(id)
        except DirectoryAway:
            if remembered is None:
                raise
            return remembered.person
        person = _person(row) if row and row.person.counts else None
        self._remembered[id] = _Remembered(person, self._clock() + SEEN_WITHIN.total_seconds())
        self._remembered.move_to_end(id)
        while len(self._remembered) > REMEMBERED_AT_MOST:
            self._remembered.popitem(last=False)
        return person


class _Remembered(NamedTuple):
    person: Person | None
    until: float


def _look_up(look_up: Callable[[str], PersonWithGroups | None], id: str) -> Person | None:
    row = look_up(id)
    return _person(row) if row and row.person.counts else None


def _person(row: PersonWithGroups) -> Person:
    try:
        return person_of(row.person.id, row.person.resource, row.person.imported, row.groups)
    except ValueError as error:
        raise DirectoryFailure(str(error)) from None
