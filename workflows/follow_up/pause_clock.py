"""The pause clock: reasons why the clocks are stopped, problems, timeline. Outages, pauses and open questions do not
count against a signer: when the last reason ends, everything counted from a past instant moves by the time it took.
"""

from datetime import datetime, timedelta
from enum import IntEnum, auto
from typing import NamedTuple, Self

from pydantic import AwareDatetime

from workflows.follow_up.notification_log import LINES_AT_MOST
from workflows.model.base import Model
from workflows.model.commands import Problem, Stop, StopKind
from workflows.model.notifications import PostponedNotification
from workflows.model.schedule import Schedule
from workflows.model.subject import Code
from workflows.model.timeline import EventType, HeldNotification, TimelineEntry

_LOOKED_AT_AGAIN = timedelta(minutes=15)
"""Pause before a person is tried again whom plan and delivery see differently, as while a people file is rolled out."""


class WakeUpKind(IntEnum):
    """At the same instant the first of these counts."""

    BUDGET = auto()
    """A budget frees."""
    DEADLINE = auto()
    """What is waited for."""
    LOOK = auto()
    """The source was not read for long."""
    LATE = auto()
    """It becomes overdue: a query knows the time of the last task, not its own."""
    STRAGGLERS = auto()
    """Open devices are retried."""


class WakeUp(NamedTuple):
    """When a wait ends without news, and what for."""

    at: datetime
    rings_for: WakeUpKind


class PauseClock(Model):
    """Stopped clocks, problems and timeline in the state."""

    window_from: AwareDatetime | None = None
    agenda: Schedule | None = None
    problem: Problem | None = None
    broken_off: Problem | None = None
    """The problem of an interrupted call; the next one shows whether it is over."""
    probe_at: AwareDatetime | None = None
    probes: int = 0
    stops: tuple[Stop, ...] = ()
    stopped_at: AwareDatetime | None = None
    paused_at: AwareDatetime | None = None
    resumed_at: AwareDatetime | None = None
    held: tuple[HeldNotification, ...] = ()
    """People who were not as planned: nothing planned is sent before they are looked up again."""
    timeline: tuple[TimelineEntry, ...] = ()
    past: tuple[TimelineEntry, ...] = ()
    """Timeline entries on their way to the store."""

    def shift_turns(self, since: datetime, now: datetime) -> Self:
        """Move the clocks of pending people by the time since."""
        return self

    def stop(self, kind: StopKind) -> Stop | None:
        return next((stop for stop in self.stops if stop.kind is kind), None)

    def stand(self, stop: Stop) -> Self:
        return self.replace(stops=(*self.stops, stop), stopped_at=self.stopped_at or stop.since)

    def go_on(self, kind: StopKind, now: datetime) -> Self:
        """Remove one reason; after the last, what counts from a past instant moves by the time it took."""
        left = tuple(stop for stop in self.stops if stop.kind is not kind)
        pause = self.stop(StopKind.PAUSE) if kind is StopKind.PAUSE else None
        updated = self.replace(paused_at=pause.since, resumed_at=now) if pause else self
        if left or self.stopped_at is None:
            return updated.replace(stops=left)
        return updated.replace(stops=(), stopped_at=None)._shift(self.stopped_at, now)

    def waits_to_probe(self, now: datetime) -> bool:
        """Whether a problem stops the clocks and its probe is still ahead."""
        return self.stop(StopKind.PROBLEM) is not None and self.probe_at is not None and now < self.probe_at

    def was_paused(self, at: datetime) -> bool:
        """Whether an instant lies in the last pause."""
        return self.paused_at is not None and self.resumed_at is not None and self.paused_at <= at <= self.resumed_at

    def trouble(self, code: Code, says: str, now: datetime, probe_at: datetime) -> Self:
        """Stop the clocks for a problem until `mended`. A terminal problem is kept."""
        if self.problem and self.problem.code.terminal:
            return self
        standing = self.stop(StopKind.PROBLEM)
        before = self.problem if standing else self.broken_off
        since = before.since if before else now
        problem = Problem(code=code, since=since, says=says)
        updated = self.replace(problem=problem, broken_off=None, probe_at=probe_at)
        if standing is None:
            updated = updated.stand(Stop(kind=StopKind.PROBLEM, since=now, who="countersign", says=says))
        told = (one.about for one in self.timeline if one.happened == EventType.PROBLEM and one.at >= since)
        # An outage that alternates between codes gets one entry per code.
        if before and code in told:
            return updated
        return updated.note(now, EventType.PROBLEM, None, says, about=code)

    def mended(self, now: datetime) -> Self:
        """Clear the problem, with a timeline entry."""
        if self.problem is None or self.stop(StopKind.PROBLEM) is None:
            return self
        return self.untroubled(now).note(now, EventType.MENDED, None, self.problem.code)

    def untroubled(self, now: datetime) -> Self:
        """Let the clocks go on, whether or not the problem was fixed."""
        if self.stop(StopKind.PROBLEM) is None:
            return self
        return self.replace(problem=None, probe_at=None).go_on(StopKind.PROBLEM, now)

    def left_off(self, now: datetime) -> Self:
        """The failing call was interrupted: if it fails again, it is the same outage."""
        updated = self.untroubled(now)
        return updated if updated is self else updated.replace(broken_off=self.problem)

    def at_rest(self, now: datetime) -> Self:
        """Forget an interrupted problem: the call has succeeded since or is no longer needed."""
        if self.broken_off is None:
            return self
        updated = self.replace(broken_off=None)
        paused = self.stop(StopKind.PAUSE) is not None
        return updated if paused else updated.note(now, EventType.MENDED, None, self.broken_off.code)

    def put_off(self, notices: tuple[PostponedNotification, ...], now: datetime) -> Self:
        """Plan again what was not sent because the recipient is unavailable."""
        if not notices:
            return self
        updated = self.replan().replace(held=tuple(one for one in self.held if one.until > now - _LOOKED_AT_AGAIN))
        for one in notices:
            if all(before.person != one.person for before in updated.held):
                updated = updated.note(now, EventType.PUT_OFF, one.person, one.why, about=one.stage)
            others = tuple(before for before in updated.held if before.person != one.person)
            updated = updated.replace(held=(*others, HeldNotification(person=one.person, until=now + _LOOKED_AT_AGAIN)))
        return updated

    def note(
        self,
        now: datetime,
        happened: EventType,
        who: str | None,
        why: str | None,
        *,
        about: object = "",
        said: bool = False,
        by: str | None = None,
    ) -> Self:
        """Add a timeline entry, with our reason or a person's text (`said`); `by` is the actor.

        Beyond `LINES_AT_MOST` the older half leaves for the store.
        """
        said = said and why is not None
        entry = TimelineEntry(at=now, happened=happened, about=str(about), who=who, why=why, said=said, by=by)
        timeline = (*self.timeline, entry)
        if len(timeline) <= LINES_AT_MOST:
            return self.replace(timeline=timeline)
        gone, kept = timeline[: -LINES_AT_MOST // 2], timeline[-LINES_AT_MOST // 2 :]
        return self.replace(timeline=kept, past=self.past + gone)

    def replan(self) -> Self:
        return self.replace(agenda=None)

    def _shift(self, since: datetime, now: datetime) -> Self:
        window_from = self.window_from + (now - max(since, self.window_from)) if self.window_from else None
        return self.shift_turns(since, now).replan().replace(window_from=window_from)
