"""The plan of a follow-up: due date, schedule, what was planned and not sent, snoozes. A part of the state."""

from datetime import date, datetime, timedelta
from enum import IntEnum, auto
from typing import Annotated, Final, NamedTuple, Self

from pydantic import AwareDatetime, Field

from workflows.model.base import Model
from workflows.model.schedule import Schedule, ScheduledAction, Snooze
from workflows.model.timeline import AskedReminder, PostponedPerson

LOOKED_AT_AGAIN: Final = timedelta(minutes=15)
"""Before somebody is tried again whom a plan and a delivery see differently, as while a people file is rolled out."""


class WakeUpKind(IntEnum):
    """What a wake-up is for; at the same instant the first of these counts."""

    BUDGET = auto()
    """Somebody who has heard enough may hear more."""
    DEADLINE = auto()
    """What is waited for."""
    LOOK = auto()
    """The source was not read for long."""
    LATE = auto()
    """It is overdue from here on, which is news by itself: a query knows the time of the last task, not its own."""
    DEVICES = auto()
    """Devices that were left open are tried again."""


class WakeUp(NamedTuple):
    """When a wait ends without news, and what for."""

    at: datetime
    rings_for: WakeUpKind


class Plan(Model):
    """`due` is the date that people moved, `revision` counts that; `due_at` and `closes_at` are of the last schedule.

    Durations of the policy count from `window_from`. `planned_once` are actions of earlier schedules without a log
    line. `postponed` are people who could not be notified as planned.
    """

    schedule: Schedule | None = None
    planned_at: AwareDatetime | None = None
    planned_once: tuple[ScheduledAction, ...] = ()
    window_from: AwareDatetime | None = None
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    revision: int = 0
    due_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    postponed: tuple[PostponedPerson, ...] = ()
    snoozes: tuple[Snooze, ...] = ()
    reminders_asked: int = 0
    reminder: AskedReminder | None = None

    @property
    def actions(self) -> tuple[ScheduledAction, ...]:
        return self.schedule.actions if self.schedule else ()

    @property
    def ever_planned(self) -> tuple[ScheduledAction, ...]:
        """Each notification that was planned, by the latest schedule that had it."""
        present = (*self.schedule.actions, *self.schedule.dropped) if self.schedule else ()
        latest = {(action.stage, action.person): action for action in (*self.planned_once, *present)}
        return tuple(action for action in latest.values() if action.kind.tells)

    def shifted(self, stopped_at: datetime, now: datetime) -> Self:
        """With the window moved by the time from `stopped_at` to `now`."""
        if self.window_from is None:
            return self
        return self.replace(window_from=self.window_from + (now - max(stopped_at, self.window_from)))

    def late_at(self, now: datetime) -> datetime | None:
        """When it will be overdue; None if it is already, or closes when due."""
        due_at = self.due_at
        return due_at if due_at and now < due_at and due_at != self.closes_at else None

    def with_postponed(self, person: str, now: datetime) -> Self:
        """The person is not tried again for a while."""
        remaining = tuple(postponement for postponement in self.postponed if postponement.person != person)
        return self.replace(postponed=(*remaining, PostponedPerson(person=person, until=now + LOOKED_AT_AGAIN)))

    def without_old_postponed(self, now: datetime) -> Self:
        return self.replace(
            postponed=tuple(
                postponement for postponement in self.postponed if postponement.until > now - LOOKED_AT_AGAIN
            )
        )
