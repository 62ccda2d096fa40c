"""Who gets Core Signature's mail for a signer as well: it goes to everybody whose turn it is, by day or by night."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self
from zoneinfo import ZoneInfo

from activities.calendars.working_time import clock_hours
from activities.follow_up.open_hours import OpenHours, OpenSlot
from activities.person import Person
from workflows.model.policy import Policy

DAYTIME: Final = "07:00-22:00"
"""When a mail that is meant for somebody else wakes nobody, on any day, at home or away."""

NAMED_AT_MOST: Final = 3
"""In the reason of a moment: a crowd's plan has thousands of them."""


def by_day(zone: ZoneInfo) -> OpenHours:
    """When people of a zone are awake."""
    return OpenHours(zone, clock_hours(DAYTIME))


@dataclass(frozen=True)
class Others:
    """The other signers whom a mail for one reaches; nobody, when that one has a phone or it may come at any hour."""

    names: tuple[str, ...] = ()
    awake: tuple[OpenHours, ...] = ()
    open: tuple[OpenHours, ...] = ()
    """Their hours by the policy; a mail wakes nobody who is absent."""

    @classmethod
    def of(cls, people: Iterable[Person], policy: Policy) -> Self:
        """These people, on a request of this policy."""
        found = tuple(people)
        # Each clock once: of a hundred signers most live by the same few.
        hours = dict.fromkeys(replace(OpenHours.of(person, policy), absences=()) for person in found)
        awake = dict.fromkeys(by_day(person.tz) for person in found)
        return cls(tuple(person.id for person in found), tuple(awake), tuple(hours))

    def __str__(self) -> str:
        named, more = self.names[:NAMED_AT_MOST], len(self.names) - NAMED_AT_MOST
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")

    def awake_at(self, at: datetime) -> bool:
        """Whether it is day for all of them."""
        return all(hours.open_at(at) for hours in self.awake)

    def best(self, own: Iterable[OpenSlot], own_day: OpenHours) -> list[OpenSlot]:
        """Of the signer's own hours those in which everybody else has theirs and all are awake.

        Where there are none, those in which everybody is awake, else those in which it is day for the others.
        """
        others_awake = list(_common(own, self.awake))
        all_awake = list(_common(others_awake, (own_day,)))
        return list(_common(all_awake, self.open)) or all_awake or others_awake


NOBODY: Final = Others()


def _common(slots: Iterable[OpenSlot], others: Iterable[OpenHours]) -> Iterator[OpenSlot]:
    parts = list(slots)
    for hours in others:
        parts = [common for part in parts for common in hours.within(part)]
    yield from parts
