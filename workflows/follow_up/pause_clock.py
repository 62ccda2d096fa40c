"""The pause clock: why the clocks are stopped, problems, timeline. Outages, pauses and open questions do not count
against a signer: when the last reason ends, everything counted from a past instant moves by that time.
"""

from datetime import datetime
from itertools import takewhile
from typing import Self

from pydantic import AwareDatetime

from workflows.follow_up.notification_log import LINES_AT_MOST
from workflows.model.base import Model
from workflows.model.commands import Problem, Stop, StopKind
from workflows.model.messages import Message
from workflows.model.subject import Code
from workflows.model.timeline import EventType, TimelineEntry


class PauseClock(Model):
    stops: tuple[Stop, ...] = ()
    stopped_at: AwareDatetime | None = None
    paused_at: AwareDatetime | None = None
    resumed_at: AwareDatetime | None = None

    def stop(self, kind: StopKind) -> Stop | None:
        return next((stop for stop in self.stops if stop.kind is kind), None)

    def with_stop(self, stop: Stop) -> Self:
        return self.replace(stops=(*self.stops, stop), stopped_at=self.stopped_at or stop.since)

    def without_stop(self, kind: StopKind, now: datetime) -> Self:
        """Remove one reason; after the last the clocks run."""
        remaining = tuple(stop for stop in self.stops if stop.kind is not kind)
        pause = self.stop(StopKind.PAUSE) if kind is StopKind.PAUSE else None
        updated = self.replace(paused_at=pause.since, resumed_at=now) if pause else self
        return updated.replace(stops=remaining, stopped_at=self.stopped_at if remaining else None)

    def was_paused(self, instant: datetime) -> bool:
        """Whether an instant lies in the last pause."""
        return (
            self.paused_at is not None and self.resumed_at is not None and self.paused_at <= instant <= self.resumed_at
        )


class Problems(Model):
    """The current problem, the instant of the next probe, and how many probes there were.

    `broken_off` is the problem of an interrupted call: the next call shows whether it is over.
    """

    current: Problem | None = None
    broken_off: Problem | None = None
    probe_at: AwareDatetime | None = None
    probes: int = 0


class Timeline(Model):
    """Entries in the state, and those that have left it and are not in the store yet."""

    entries: tuple[TimelineEntry, ...] = ()
    leaving: tuple[TimelineEntry, ...] = ()

    def with_entry(self, entry: TimelineEntry) -> Self:
        """Beyond `LINES_AT_MOST` the older half leaves for the store."""
        entries = (*self.entries, entry)
        if len(entries) <= LINES_AT_MOST:
            return self.replace(entries=entries)
        half = LINES_AT_MOST // 2
        return self.replace(entries=entries[-half:], leaving=self.leaving + entries[:-half])

    def attributed(self, former: Self, actor: str) -> Self:
        """With the actor in each entry that was added after `former`."""
        added = len(list(takewhile(lambda entry: entry not in former.entries, reversed(self.entries))))
        earlier, new = self.entries[: len(self.entries) - added], self.entries[len(self.entries) - added :]
        return self.replace(entries=(*earlier, *(entry.replace(actor=actor) for entry in new)))

    def stored(self, count: int) -> Self:
        """The first entries that have left are in the store."""
        return self.replace(leaving=self.leaving[count:])


class CallerState(Model):
    """The state of a workflow that calls for weeks."""

    clock: PauseClock = PauseClock()
    problems: Problems = Problems()
    timeline: Timeline = Timeline()

    def update_part(self, part: str, **changes: object) -> Self:
        """A copy with `changes` in one of its parts."""
        return self.replace(**{part: getattr(self, part).replace(**changes)})

    def shifted(self, stopped_at: datetime, now: datetime) -> Self:
        """With all that counts from a past instant moved by the time from `stopped_at` to `now`."""
        return self

    def go_on(self, kind: StopKind, now: datetime) -> Self:
        """Remove one reason for which the clocks are stopped."""
        stopped_at, clock = self.clock.stopped_at, self.clock.without_stop(kind, now)
        updated = self.replace(clock=clock)
        return updated.shifted(stopped_at, now) if stopped_at is not None and clock.stopped_at is None else updated

    def waits_to_probe(self, now: datetime) -> bool:
        """Whether a problem stops the clocks and its probe is still ahead."""
        probe_at = self.problems.probe_at
        return self.clock.stop(StopKind.PROBLEM) is not None and probe_at is not None and now < probe_at

    def report_problem(self, code: Code, explanation: str, now: datetime, probe_at: datetime) -> Self:
        """Stop the clocks for a problem until it is resolved. A terminal problem is kept."""
        problems = self.problems
        if problems.current and problems.current.code.terminal:
            return self
        stop = self.clock.stop(StopKind.PROBLEM)
        former_problem = problems.current if stop else problems.broken_off
        started_at = former_problem.since if former_problem else now
        current = Problem(code=code, since=started_at, says=explanation)
        updated = self.replace(problems=problems.replace(current=current, broken_off=None, probe_at=probe_at))
        if stop is None:
            stop = Stop(kind=StopKind.PROBLEM, since=now, who="countersign", says=explanation)
            updated = updated.replace(clock=self.clock.with_stop(stop))
        noted = (
            entry.about
            for entry in self.timeline.entries
            if entry.happened == EventType.PROBLEM and entry.at >= started_at
        )
        # An outage that alternates between codes gets one entry per code.
        if former_problem and code in noted:
            return updated
        return updated.note(now, EventType.PROBLEM, None, explanation, about_id=code)

    def resolve_problem(self, now: datetime) -> Self:
        """The problem is over: clear it, with a line in the timeline."""
        problem = self.problems.current
        if problem is None or self.clock.stop(StopKind.PROBLEM) is None:
            return self
        return self._without_problem(now).note(now, EventType.MENDED, None, problem.code)

    def break_off_problem(self, now: datetime) -> Self:
        """The failing call was interrupted: if it fails again, it is the same outage."""
        updated = self._without_problem(now)
        return updated if updated is self else updated.update_part("problems", broken_off=self.problems.current)

    def forget_broken_off(self, now: datetime) -> Self:
        """Forget an interrupted problem: the call has succeeded since or is no longer needed."""
        problem = self.problems.broken_off
        if problem is None:
            return self
        updated = self.update_part("problems", broken_off=None)
        paused = self.clock.stop(StopKind.PAUSE) is not None
        return updated if paused else updated.note(now, EventType.MENDED, None, problem.code)

    def _without_problem(self, now: datetime) -> Self:
        if self.clock.stop(StopKind.PROBLEM) is None:
            return self
        return self.update_part("problems", current=None, probe_at=None).go_on(StopKind.PROBLEM, now)

    def note(
        self,
        now: datetime,
        happened: EventType,
        person: str | None,
        reason: str | Message | None,
        *,
        about_id: object = "",
        is_quote: bool = False,
        sender: str | None = None,
        actor: str | None = None,
    ) -> Self:
        """Add a timeline entry, with our reason or a person's text (`said`); `by` is the actor, `actor` also says how
        that is known.
        """
        is_quote, refusal = is_quote and reason is not None, reason if isinstance(reason, Message) else None
        reason_text = reason.english if isinstance(reason, Message) else reason
        entry = TimelineEntry(
            at=now, happened=happened, about=str(about_id), who=person, why=reason_text, said=is_quote, by=sender
        )
        entry = entry.replace(refusal=refusal) if refusal else entry
        return self.replace(timeline=self.timeline.with_entry(entry.replace(actor=actor) if actor else entry))
