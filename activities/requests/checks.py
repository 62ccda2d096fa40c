"""What a request file is checked against: the directory, the catalogue, the clock and the document beside it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from activities.calendars.wall_clock import latest_end_of_day
from activities.calendars.working_time import clock_hours
from activities.files.fields import zones
from activities.files.yaml_lines import FieldPath
from activities.people import Directory, UnknownGroup, UnknownPerson
from activities.person import USUAL_HOURS, Person
from activities.policies.catalogue import Catalogue
from activities.requests.documents import Documents
from workflows.follow_up.agenda import HORIZON
from workflows.model.policy import Policy


@dataclass(frozen=True)
class Found:
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


@dataclass
class RequestChecks:
    """The knowledge behind the fields of one request file, and what was seen of the file so far: its document, whether
    its due date is over, who signs, and the values of the fields that are right."""

    folder: Path
    documents: Documents
    catalogue: Catalogue
    found: Found
    closing: tuple[tuple[ZoneInfo, time], ...]
    now: datetime
    pdf: bytes | None = None
    overdue: bool = False
    signing: set[str] = field(default_factory=set)
    right: dict[str, Any] = field(default_factory=dict)

    def kind(self, kind: str) -> str:
        """The kind, if the catalogue has it."""
        try:
            return self.catalogue.known(kind)
        except LookupError as unknown:
            raise ValueError(str(unknown)) from None

    def person(self, id: str) -> Person:
        """The person, if the directory has them."""
        if id in self.found.unknown:
            raise ValueError(self.found.unknown[id])
        return self.found.persons[id]

    def signs_once(self, identity: str, says: str) -> None:
        """Refuse a second signer of the same id or address: Core Signature could not tell them apart."""
        if identity in self.signing:
            raise ValueError(says)
        self.signing.add(identity)

    def document(self, file: str) -> None:
        """Read the document that is named, keeping its bytes."""
        self.pdf = self.documents.read(self.folder, file)

    def due(self, due: date | datetime) -> None:
        """Refuse a due date too far away to be meant, and remember one that is over.

        That one is no fault yet: a file that was started in time is still the same request.
        """
        day = due.date() if isinstance(due, datetime) else due
        if day > (self.now + HORIZON).date():
            raise ValueError("is more than two years away")
        self.overdue = day < (self.now - timedelta(days=2)).date() or self._instant(due) <= self.now

    def time_until(self, due: date | datetime) -> timedelta:
        """How much time a due date leaves."""
        return self._instant(due) - self.now

    def _instant(self, due: date | datetime) -> datetime:
        return due if isinstance(due, datetime) else latest_end_of_day(due, self.closing)


def persons_named(plain: Any) -> frozenset[str]:
    """Everybody a request file names by id, before anything was validated."""
    if not isinstance(plain, dict):
        return frozenset()
    named = [plain.get("requester"), *(signer.get("person") for signer in _maps(plain, "signers"))]
    return frozenset(id for id in named if isinstance(id, str))


def closing_times(plain: Any, found: Found) -> tuple[tuple[ZoneInfo, time], ...]:
    """When the signers' working days end, as far as they are known before anything was validated."""
    ends = []
    for signer in _maps(plain, "signers"):
        person, zone = found.persons.get(str(signer.get("person"))), signer.get("zone")
        if person is not None:
            ends.append((person.tz, person.working_hours[1]))
        elif isinstance(zone, str) and zone in zones():
            ends.append((ZoneInfo(zone), clock_hours(USUAL_HOURS)[1]))
    return tuple(ends)


async def strangers(policy: Policy, directory: Directory) -> list[tuple[FieldPath, str]]:
    """Fields of a policy that name persons or groups who cannot be found, each with the reason."""
    named = list(_persons(policy))
    unknown = (await Found.look_up(directory, frozenset(id for _, id in named))).unknown
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


def _maps(plain: Any, field: str) -> Iterator[dict[str, Any]]:
    items = plain.get(field) if isinstance(plain, dict) else None
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())
