"""Open hours: when a person may be notified, by working hours, holidays and absences in their zone. Instants are in
UTC.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Final, Self
from zoneinfo import ZoneInfo

from activities.calendar.calendar import at_clock, clock_hours, public_holidays, start_of_day
from activities.people.person import Person
from workflows.model.messages import Message
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType, Reason, ScheduledAction

_DAY: Final = timedelta(days=1)
_A_SECOND: Final = timedelta(seconds=1)
_AN_INSTANT: Final = timedelta(microseconds=1)
DAYS_REMEMBERED: Final = 50_000
"""Cached working days: two years of some seventy places."""
_EVERY_DAY: Final = frozenset(range(7))
ANY: Final = "any"
WORKING: Final = "working"


def no_hours(*, late: bool) -> Message:
    """That no open hours are left, before the due date or, if late, before it closes."""
    return (PlanReason.NO_HOURS_BEFORE_CLOSING if late else PlanReason.NO_HOURS_BEFORE_DUE).to_message()


@dataclass(frozen=True)
class OpenSlot:
    opens: datetime
    closes: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.opens <= instant < self.closes

    def subtract(self, gap: "OpenSlot") -> Iterator["OpenSlot"]:
        for part in (
            OpenSlot(self.opens, min(self.closes, gap.opens)),
            OpenSlot(max(self.opens, gap.closes), self.closes),
        ):
            if part.opens < part.closes:
                yield part


@dataclass(frozen=True)
class OpenHours:
    """The hours of one person; without `clock` round the clock."""

    zone: ZoneInfo
    clock: tuple[time, time] | None = None
    days: frozenset[int] = _EVERY_DAY
    calendar: str | None = None
    absences: tuple[OpenSlot, ...] = ()

    @classmethod
    def working(cls, person: Person, hours: str = WORKING) -> Self:
        """A person's working time; `hours` such as `09:00-18:00` replace their own on their working days."""
        clock = person.working_hours if hours == WORKING else clock_hours(hours)
        absences = tuple(OpenSlot(*absence) for absence in person.absences)
        return cls(person.tz, clock, person.weekdays, person.calendar, absences)

    @classmethod
    def for_person(cls, person: Person, policy: Policy) -> Self:
        """When the policy permits notices. Urgent policies ignore quiet hours, but not absences."""
        if policy.urgent or policy.hours == ANY:
            return cls(person.tz, absences=tuple(OpenSlot(*absence) for absence in person.absences))
        return cls.working(person, policy.hours)

    def slots(self, day: date) -> tuple[OpenSlot, ...]:
        """The open stretches of a day, none on a day off."""
        stretch = _stretch(self.zone, self.clock, self.days, self.calendar, day)
        slots: Iterable[OpenSlot] = (stretch,) if stretch else ()
        for absence in self._absences_in(stretch):
            slots = [part for slot in slots for part in slot.subtract(absence)]
        return tuple(slots)

    def find_parts(self, span: OpenSlot) -> Iterator[OpenSlot]:
        day, last = self.local_day(span.opens), self.local_day(span.closes)
        while day <= last:
            for slot in self.slots(day):
                part = OpenSlot(max(slot.opens, span.opens), min(slot.closes, span.closes))
                if part.opens < part.closes:
                    yield part
            day += _DAY

    def open_at(self, instant: datetime) -> bool:
        return any(instant in slot for slot in self.slots(self.local_day(instant)))

    def next_slot(self, instant: datetime, latest_at: datetime) -> OpenSlot | None:
        """The stretch that contains `instant`, else the next that opens before `latest_at`."""
        day, last = self.local_day(instant), self.local_day(latest_at)
        while day <= last:
            for slot in self.slots(day):
                if slot.closes > instant:
                    return slot if max(slot.opens, instant) < latest_at else None
            day = self._day_after(day)
        return None

    def unbroken(self, slot: OpenSlot) -> OpenSlot:
        """The stretch joined with adjacent ones: round the clock it does not end at midnight."""
        following = next(
            (candidate for candidate in self.slots(self.local_day(slot.closes)) if candidate.opens == slot.closes), None
        )
        return OpenSlot(slot.opens, following.closes) if following else slot

    def last_day(self, before_date: date, earliest_at: datetime) -> OpenSlot | None:
        """The first open stretch of the last working day before a day, if it opens after `earliest_at`."""
        day, first = before_date - _DAY, self.local_day(earliest_at)
        while day >= first:
            if slots := self.slots(day):
                return slots[0] if slots[0].opens > earliest_at else None
            day = self._day_before(day)
        return None

    def last_slot(self, latest_at: datetime, earliest_at: datetime) -> OpenSlot | None:
        """The last stretch that is partly between two instants."""
        day, first = self.local_day(latest_at), self.local_day(earliest_at)
        while day >= first:
            if slots := [slot for slot in self.slots(day) if slot.opens < latest_at and slot.closes > earliest_at]:
                return slots[-1]
            day = self._day_before(day)
        return None

    def local_day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def absent_at(self, instant: datetime) -> bool:
        return any(instant in absence for absence in self.absences)

    def absence_matters(self, instant: datetime, latest_at: datetime) -> bool:
        """Whether an absence, not only the hours, prevents the next notice."""
        slot = replace(self, absences=()).next_slot(instant, latest_at)
        return self.absent_at(instant if slot is None else max(instant, slot.opens))

    def why_closed(self, instant: datetime) -> Message:
        """Why the person may not be notified at a closed instant."""
        day = self.local_day(instant)
        if self.absent_at(instant):
            return PlanReason.ABSENT.to_message()
        if holiday := self._holiday(day):
            return PlanReason.HOLIDAY.to_message(holiday=holiday)
        if day.weekday() not in self.days:
            return PlanReason.DAY_OFF.to_message()
        opens, closes = self.clock or (time(), time())
        return PlanReason.OUTSIDE_HOURS.to_message(hours=f"{opens:%H:%M}-{closes:%H:%M}")

    def keep(self, action: ScheduledAction, now: datetime, latest_at: datetime) -> ScheduledAction:
        """Moved into the recipient's hours, if any are left. A missed or failed action waits for them, so that an
        outage that ends at night wakes nobody. Without hours only a last warning is sent.
        """
        # After the end of the wait the hours that are open now are the last.
        slot = self.next_slot(max(action.at, now), max(latest_at, now + _A_SECOND))
        last_word = action.kind is ActionType.WARN
        if slot is None:
            return self.drop(action, now, latest_at) if action.at < now and not last_word else action
        opens_again = not last_word or self.next_slot(slot.closes, latest_at)
        ends = opens_again and not self.open_at(slot.closes)
        return action.replace(
            held_until=slot.opens if action.at < now < slot.opens else None, open_until=slot.closes if ends else None
        )

    def drop(
        self, action: ScheduledAction, instant: datetime, latest_at: datetime, *, late: bool = False
    ) -> ScheduledAction:
        """The action dropped, since there are no open hours between `at` and the end of the wait."""
        reason = Reason.ABSENT if self.absence_matters(instant, latest_at) else Reason.QUIET_HOURS
        return action.dropped(reason, no_hours(late=late))

    @cached_property
    def _merged_absences(self) -> tuple[OpenSlot, ...]:
        merged_absences: list[OpenSlot] = []
        for absence in sorted(self.absences, key=lambda slot: slot.opens):
            if merged_absences and absence.opens <= merged_absences[-1].closes:
                merged_absences[-1] = OpenSlot(
                    merged_absences[-1].opens, max(merged_absences[-1].closes, absence.closes)
                )
            else:
                merged_absences.append(absence)
        return tuple(merged_absences)

    def _absences_in(self, span: OpenSlot | None) -> Iterator[OpenSlot]:
        if span is None:
            return
        for absence in self._merged_absences[
            bisect_right(self._merged_absences, span.opens, key=lambda slot: slot.closes) :
        ]:
            if absence.opens >= span.closes:
                return
            yield absence

    def _day_after(self, day: date) -> date:
        """The next day to check; skips a long absence as a whole."""
        tomorrow = day + _DAY
        absence = self._absence_at(start_of_day(tomorrow, self.zone))
        return max(tomorrow, self.local_day(absence.closes)) if absence else tomorrow

    def _day_before(self, day: date) -> date:
        yesterday = day - _DAY
        absence = self._absence_at(start_of_day(day, self.zone) - _AN_INSTANT)
        return min(yesterday, self.local_day(absence.opens)) if absence else yesterday

    def _absence_at(self, instant: datetime) -> OpenSlot | None:
        return next(self._absences_in(OpenSlot(instant, instant + _AN_INSTANT)), None)

    def _holiday(self, day: date) -> str | None:
        return _holiday(self.calendar, self.clock, day)


@lru_cache(maxsize=DAYS_REMEMBERED)
def _stretch(
    zone: ZoneInfo, clock: tuple[time, time] | None, days: frozenset[int], calendar: str | None, day: date
) -> OpenSlot | None:
    if day.weekday() not in days or _holiday(calendar, clock, day) is not None:
        return None
    opens = start_of_day(day, zone) if clock is None else at_clock(day, clock[0], zone)
    closes = start_of_day(day + _DAY, zone) if clock is None else at_clock(day, clock[1], zone)
    return OpenSlot(opens, closes) if opens < closes else None


def _holiday(calendar: str | None, clock: tuple[time, time] | None, day: date) -> str | None:
    return public_holidays(calendar, day.year).get(day) if calendar and clock else None
