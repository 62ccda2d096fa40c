"""What every file is checked against that asks for something: the directory, the catalogue, the clock."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, NamedTuple, Self
from zoneinfo import ZoneInfo

from activities.calendars.wall_clock import latest_end_of_day
from activities.calendars.working_time import clock_hours
from activities.directory import Directory, UnknownGroup, UnknownPerson
from activities.files.fields import zones
from activities.files.yaml_lines import FieldPath
from activities.person import USUAL_HOURS, Person
from activities.policies.catalogue import Catalogue
from activities.policies.file import PolicyLayer
from workflows.follow_up.agenda import HORIZON
from workflows.model.policy import Policy


@dataclass(frozen=True)
class KnownPersons:
    """Who of the persons that are named somewhere exists, and why the others do not."""

    persons: Mapping[str, Person]
    unknown: Mapping[str, str]

    @classmethod
    async def look_up(cls, directory: Directory, ids: frozenset[str]) -> Self:
        """Ask the directory for everybody; `DirectoryFailure` when it does not answer at all."""
        answers = await asyncio.gather(*(_person_or_why(directory, id) for id in sorted(ids)))
        return cls(
            {person.id: person for person in answers if isinstance(person, Person)},
            {missing.id: str(missing) for missing in answers if isinstance(missing, UnknownPerson)},
        )


async def _person_or_why(directory: Directory, id: str) -> Person | UnknownPerson:
    try:
        return await directory.person(id)
    except UnknownPerson as missing:
        return missing


class ConcernedPersons(NamedTuple):
    """Who asks for it, and who is asked, as far as the file is right about them."""

    asking: str | None
    asked: frozenset[str]


@dataclass
class FileChecks(ABC):
    """The knowledge behind the fields of one file, and what was seen of it so far: whether its due date is over, who
    is asked, and the values of the fields that are right."""

    made_of: ClassVar[frozenset[str]] = frozenset({"kind", "policy", "due"})
    """The fields that its policy follows from."""
    closes: ClassVar[bool] = True
    """Whether it is over some day, whatever its policy says."""

    catalogue: Catalogue
    found: KnownPersons
    closing: tuple[tuple[ZoneInfo, time], ...]
    now: datetime
    overdue: bool = field(default=False, kw_only=True)
    right: dict[str, Any] = field(default_factory=dict, kw_only=True)
    asked_already: set[str] = field(default_factory=set, kw_only=True)

    @property
    @abstractmethod
    def concerned(self) -> ConcernedPersons:
        """Whom its policy must not contradict."""

    @property
    def layer(self) -> PolicyLayer | None:
        """What the file itself says of the policy."""
        layer: PolicyLayer | None = self.right["policy"]
        return layer

    def kind(self, kind: str) -> str:
        """The kind, if the catalogue has it."""
        try:
            return self.catalogue.known(kind, closes=self.closes)
        except LookupError as unknown:
            raise ValueError(str(unknown)) from None

    def person(self, id: str) -> Person:
        """The person, if the directory has them."""
        if id in self.found.unknown:
            raise ValueError(self.found.unknown[id])
        return self.found.persons[id]

    def once(self, identity: str, says: str) -> None:
        """Refuse a second person of the same id or address among those who are asked."""
        if identity in self.asked_already:
            raise ValueError(says)
        self.asked_already.add(identity)

    def due(self, due: date | datetime) -> None:
        """Refuse a due date too far away to be meant, and remember one that is over.

        That one is no fault yet: a file that was started in time is still the same request.
        """
        day = self.near(due)
        self.overdue = day < (self.now - timedelta(days=2)).date() or self._instant(due) <= self.now

    def near(self, when: date | datetime) -> date:
        """The day of it; refuse one too far away to be meant."""
        day = when.date() if isinstance(when, datetime) else when
        if day > (self.now + HORIZON).date():
            raise ValueError("is more than two years away")
        return day

    def time_until(self, due: date | datetime) -> timedelta:
        """How much time a due date leaves."""
        return self._instant(due) - self.now

    def _instant(self, due: date | datetime) -> datetime:
        return due if isinstance(due, datetime) else latest_end_of_day(due, self.closing)


def maps(plain: Any, field: str) -> Iterator[dict[str, Any]]:
    """The entries of a list of a file, before anything was validated; what cannot be one is left out."""
    items = plain.get(field) if isinstance(plain, dict) else None
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def closing_times(entries: Iterable[Mapping[str, Any]], found: KnownPersons) -> tuple[tuple[ZoneInfo, time], ...]:
    """When the working days of those who are asked end, as far as they are known before anything was validated."""
    ends = []
    for entry in entries:
        person, zone = found.persons.get(str(entry.get("person"))), entry.get("zone")
        if person is not None:
            ends.append((person.tz, person.working_hours[1]))
        elif isinstance(zone, str) and zone in zones():
            ends.append((ZoneInfo(zone), clock_hours(USUAL_HOURS)[1]))
    return tuple(ends)


async def strangers(policy: Policy, directory: Directory) -> list[tuple[FieldPath, str]]:
    """Fields of a policy that name persons or groups who cannot be found, each with the reason."""
    named = list(_persons(policy))
    unknown = (await KnownPersons.look_up(directory, frozenset(id for _, id in named))).unknown
    persons = [(at, unknown[id]) for at, id in named if id in unknown]
    return [*persons, *[group async for group in _unknown_groups(policy, directory)]]


def _persons(policy: Policy) -> Iterator[tuple[FieldPath, str]]:
    if (escalation := policy.escalation) is not None:
        for position, id in enumerate(escalation.alternates):
            yield ("escalation", "alternates", position), id
        if escalation.fallback is not None:
            yield ("escalation", "fallback"), escalation.fallback
    for position, target in enumerate(policy.handoff):
        if target.person is not None:
            yield ("handoff", position, "person"), target.person


async def _unknown_groups(policy: Policy, directory: Directory) -> AsyncIterator[tuple[FieldPath, str]]:
    for position, target in enumerate(policy.handoff):
        try:
            await directory.group(target.group) if target.group is not None else ()
        except UnknownGroup as unknown:
            yield ("handoff", position, "group"), str(unknown)
