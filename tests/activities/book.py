"""A directory in memory, and plans made from it, for the tests of planner and chain."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from activities.people.devices import KnownDevice
from activities.people.directory import DirectoryFailure, UnknownPerson
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from activities.people.person import Person, Platform, PushDevice
from activities.schedule.planner import PolicyPlanner
from workflows.model.policy import Policy
from workflows.model.schedule import PlanningInput, Schedule, Turn
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, group_of

AMSTERDAM: Final = "Europe/Amsterdam"
NEW_YORK: Final = "America/New_York"
SINCE: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""09:00 in Amsterdam on a Monday."""
DEFAULT: Final = Policy()


class Book:
    """A directory in memory."""

    warning: str | None = None
    secret: SecretStr | None = None
    substitutes: MailboxSubstitutes = NO_SUBSTITUTES

    def __init__(self, *people: Person, proposed: Mapping[str, str] | None = None) -> None:
        self._people = {person.id: person for person in people}
        self._proposed = proposed or {}
        """For those who left."""

    def now(self, *people: Person) -> None:
        """Put these in place of those of the same ids."""
        self._people |= {person.id: person for person in people}

    async def person(self, id: str, beside: str | None = None) -> Person:
        if group := group_of(id):
            id, group_id = next(iter(await self.group(group)), id), id
            return (
                self._people[id].for_team(group_id) if id in self._people else await self.person(f"nobody of {group}")
            )
        if id not in self._people:
            raise UnknownPerson(id)
        return self._people[id]

    async def group(self, name: str) -> tuple[str, ...]:
        return tuple(id for id, person in self._people.items() if name in person.groups)

    async def substitute_of(self, leaver: str) -> str | None:
        return self._proposed.get(leaver)

    async def devices(self, person: Person) -> tuple[PushDevice, ...]:
        return person.devices

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        return tuple(KnownDevice(device) for device in person.devices)

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        raise DirectoryFailure("a planner marks nobody's device")


def make_person(id: str, zone: str = AMSTERDAM, **overrides: Any) -> Person:
    """Somebody with this id and zone, and a phone."""
    phone = PushDevice(token=id, platform=Platform.IOS)
    return Person(
        **{"id": id, "name": "N", "email": f"{id}@example.com", "zone": zone, "devices": (phone,), **overrides}
    )


BOOK: Final = Book(
    make_person("requester"),
    make_person("signer", manager="manager"),
    make_person("second", NEW_YORK, manager="signer"),
    make_person("manager", manager="director"),
    make_person("director", manager="requester"),
    make_person("alternate"),
    make_person("fallback"),
    make_person("early-bird", hours="07:00-15:30"),
)


def planning(
    policy: Policy = DEFAULT,
    *,
    signers: tuple[str, ...] = ("signer",),
    turns: Mapping[str, datetime] | None = None,
    due: datetime | date | None = None,
    requester: str = "requester",
) -> PlanningInput:
    """What the workflow asks the planner when the first signer's turn came at `SINCE`."""
    brief = SignatureBrief(
        id="r",
        kind="k",
        title="D",
        document=Document(),
        requester=requester,
        people=tuple(Participant(person=person, order=1) for person in signers),
    )
    turn_starts = {signers[0]: SINCE} if turns is None else turns
    return PlanningInput(
        subject=brief,
        policy=policy,
        due=due,
        window_from=SINCE,
        turns=tuple(Turn(person=person, since=starts_at) for person, starts_at in turn_starts.items()),
        now=SINCE,
    )


async def plan(policy: Policy = DEFAULT, book: Book = BOOK, **overrides: Any) -> Schedule:
    """The agenda of `planning` with this directory."""
    return await PolicyPlanner(book).plan(planning(policy, **overrides))


def lines(agenda: Schedule, zone: str = AMSTERDAM) -> list[str]:
    """`Thu 11-05 09:12 reminder-1 signer`, in the order of the agenda."""
    return [
        f"{action.at.astimezone(ZoneInfo(zone)):%a %m-%d %H:%M} {action.stage} {action.to}" for action in agenda.actions
    ]


def describe_dropped(agenda: Schedule) -> list[str]:
    """`reminder-2 too_soon`, in the order of the stages."""
    return sorted(f"{action.stage} {action.suppressed}" for action in agenda.dropped)
