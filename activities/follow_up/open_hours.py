"""When somebody may be told something: their working hours on their working days, without holidays and absences.

All instants are in UTC; the hours are those on the clocks of the person's zone, whatever these do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from activities.calendars.public_holidays import public_holidays
from activities.calendars.wall_clock import at_clock, start_of_day
from activities.calendars.working_time import clock_hours
from activities.person import Person
from workflows.model.policy import Policy

_DAY: Final = timedelta(days=1)
_EVERY_DAY: Final = frozenset(range(7))
ANY: Final = "any"
WORKING: Final = "working"


@dataclass(frozen=True)
class Slot:
    """A stretch of time without a break."""

    opens: datetime
    closes: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.opens <= at < self.closes

    def without(self, gap: "Slot") -> Iterator["Slot"]:
        """What is left of it outside of the gap."""
        for part in (Slot(self.opens, min(self.closes, gap.opens)), Slot(max(self.opens, gap.closes), self.closes)):
            if part.opens < part.closes:
                yield part


@dataclass(frozen=True)
class OpenHours:
    """The hours of one person; without `clock` they are round the clock."""

    zone: ZoneInfo
    clock: tuple[time, time] | None = None
    days: frozenset[int] = _EVERY_DAY
    calendar: str | None = None
    absences: tuple[Slot, ...] = ()

    @classmethod
    def working(cls, person: Person, hours: str = WORKING) -> Self:
        """Somebody's working time; `hours` such as `09:00-18:00` replace their own on their working days."""
        clock = person.working_hours if hours == WORKING else clock_hours(hours)
        absences = tuple(Slot(*absence) for absence in person.absences)
        return cls(person.tz, clock, person.weekdays, person.calendar, absences)

    @classmethod
    def of(cls, person: Person, policy: Policy) -> Self:
        """When the policy lets somebody be told something. An urgent one knows no quiet hours, yet absences."""
        if policy.urgent or policy.hours == ANY:
            return cls(person.tz, absences=tuple(Slot(*absence) for absence in person.absences))
        return cls.working(person, policy.hours)

    def slots(self, day: date) -> tuple[Slot, ...]:
        """The open stretches of a day, none on a day off."""
        if day.weekday() not in self.days or self._holiday(day) is not None:
            return ()
        whole = self._whole(day)
        slots: Iterable[Slot] = (whole,) if whole.opens < whole.closes else ()
        for absence in self.absences:
            slots = [part for slot in slots for part in slot.without(absence)]
        return tuple(slots)

    def within(self, span: Slot) -> Iterator[Slot]:
        """The open stretches within a span of time."""
        day, last = self.local_day(span.opens), self.local_day(span.closes)
        while day <= last:
            for slot in self.slots(day):
                part = Slot(max(slot.opens, span.opens), min(slot.closes, span.closes))
                if part.opens < part.closes:
                    yield part
            day += _DAY

    def open_at(self, at: datetime) -> bool:
        """Whether somebody may be told something at that very instant."""
        return any(at in slot for slot in self.slots(self.local_day(at)))

    def next_slot(self, at: datetime, before: datetime) -> Slot | None:
        """The stretch that is open at an instant, else the next one that opens `before` another."""
        day, last = self.local_day(at), self.local_day(before)
        while day <= last:
            for slot in self.slots(day):
                if slot.closes > at:
                    return slot if max(slot.opens, at) < before else None
            day += _DAY
        return None

    def last_day(self, before: date, since: datetime) -> Slot | None:
        """The first open stretch of the last working day before a day, if it opens after `since`."""
        day, first = before - _DAY, self.local_day(since)
        while day >= first:
            if slots := self.slots(day):
                return slots[0] if slots[0].opens > since else None
            day -= _DAY
        return None

    def last_slot(self, before: datetime, since: datetime) -> Slot | None:
        """The last stretch that is open at some time between two instants."""
        day, first = self.local_day(before), self.local_day(since)
        while day >= first:
            if slots := [slot for slot in self.slots(day) if slot.opens < before and slot.closes > since]:
                return slots[-1]
            day -= _DAY
        return None

    def local_day(self, at: datetime) -> date:
        """The day it is there at an instant."""
        return at.astimezone(self.zone).date()

    def absent_at(self, at: datetime) -> bool:
        """Whether the person is absent then."""
        return any(at in absence for absence in self.absences)

    def absence_matters(self, at: datetime, before: datetime) -> bool:
        """Whether it is an absence, not only the clock, that keeps them from being told at the next occasion."""
        there = replace(self, absences=()).next_slot(at, before)
        return self.absent_at(at if there is None else max(at, there.opens))

    def why_closed(self, at: datetime) -> str:
        """What keeps somebody from being told something at a closed instant, in words."""
        day = self.local_day(at)
        if self.absent_at(at):
            return "they are absent"
        if holiday := self._holiday(day):
            return f"a public holiday ({holiday})"
        if day.weekday() not in self.days:
            return "not a working day"
        opens, closes = self.clock or (time(), time())
        return f"outside {opens:%H:%M}-{closes:%H:%M}"

    def _whole(self, day: date) -> Slot:
        if self.clock is None:
            return Slot(start_of_day(day, self.zone), start_of_day(day + _DAY, self.zone))
        return Slot(at_clock(day, self.clock[0], self.zone), at_clock(day, self.clock[1], self.zone))

    def _holiday(self, day: date) -> str | None:
        return public_holidays(self.calendar, day.year).get(day) if self.calendar and self.clock else None
