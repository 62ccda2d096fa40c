"""The reminder ledger: every planned notice ends in exactly one line, sent or not, with the reason.

All lines are remembered while there are at most `LINES_AT_MOST`. Of older ones a mark stays, the last of each person
and kind of notice and each time that somebody chose, because decisions rest on them (not on what targets of the
hand-off have heard: their own lines know that); the whole lines leave for pages in the store with the next delivery.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self, TypeAlias

import workflows.follow_up.stages as stages
from workflows.follow_up.stages import MAILED_ALONG, REMINDED_ALONG, NotificationType
from workflows.model.base import Model
from workflows.model.notices import Channel, Delivered, HeldBack, Notification, NotificationOutcome
from workflows.model.planning import ActionType, Reason, ScheduledAction
from workflows.names import alert_key, notice_key

LINES_AT_MOST: Final = 200
"""Lines, and entries of the timeline, that are remembered whole."""
_KEPT: Final = LINES_AT_MOST // 2
"""How many are still whole after others have left, so that they leave by the hundred."""

_Series: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class LogEntry:
    """The keys of notices that have their line: those of whole lines, and up to which number of its kind by the marks.

    Made once for many questions: of a hundred signers each may have a mark and many moments.
    """

    keys: frozenset[str]
    last: Mapping[_Series, int]

    def __contains__(self, key: str) -> bool:
        """Whether the notice with this key has its line."""
        if key in self.keys:
            return True
        series, number = _place_of(key)
        return number <= self.last.get(series, -1)


class NotificationLog(Model):
    """What a request remembers of its notices, and the lines that are on their way to the store."""

    lines: tuple[Notification, ...] = ()
    marks: tuple[Notification, ...] = ()
    """Of the lines that have left, the last of each person and kind of notice; their devices are in the store."""
    leaving: tuple[Notification, ...] = ()
    paged: int = 0
    """How many lines are in the store."""
    held: tuple[HeldBack, ...] = ()
    """The last notice of each person that waits for their budget; no other decision rests on it."""

    @property
    def remembered(self) -> tuple[Notification, ...]:
        """Every line that a decision may rest on, oldest first."""
        return self.marks + self.lines

    @property
    def known(self) -> LogEntry:
        """The notices that have their line, in memory or in the store."""
        last = {_series_of(mark): _place_of(mark.key)[1] for mark in self.marks}
        return LogEntry(frozenset(line.key for line in self.leaving + self.lines), last)

    def with_lines(self, lines: Iterable[Delivered], now: datetime) -> Self:
        """The ledger after these results; a later result for the same key completes the earlier one."""
        by_key = {line.key: line for line in self.lines}
        for line in lines:
            earlier = by_key.pop(line.key, None)
            by_key[line.key] = Notification(**dict(_completed(earlier, line)), at=earlier.at if earlier else now)
        held = tuple(one for one in self.held if one.key not in by_key)
        return self.replace(lines=tuple(by_key.values()), held=held)._bounded()

    def with_held(self, held: Iterable[HeldBack]) -> Self:
        """The ledger after these notices were held back."""
        by_person = {one.person: one for one in (*self.held, *held)}
        return self.replace(held=tuple(by_person.values()))

    def without_held(self, people: Collection[str]) -> Self:
        """The ledger once these people are told nothing more."""
        return self.replace(held=tuple(one for one in self.held if one.person not in people))

    def held_until(self, person: str, stage: str) -> datetime | None:
        """When somebody's budget frees, as far as such a notice waits for it."""
        waits = stages.is_rationed(stage)
        return next((one.until for one in self.held if waits and one.person == person), None)

    def without(self, keys: frozenset[str]) -> Self:
        """The ledger without what failed of these: nobody was reached, and they are sent anew."""
        return self.replace(
            lines=tuple(
                line for line in self.lines if line.key not in keys or line.outcome is not NotificationOutcome.FAILED
            )
        )

    def paged_out(self, count: int) -> Self:
        """The ledger once so many of those that leave are in the store."""
        return self.replace(leaving=self.leaving[count:], paged=self.paged + count)

    def _bounded(self) -> Self:
        if len(self.lines) <= LINES_AT_MOST:
            return self
        gone, lines = self.lines[:-_KEPT], self.lines[-_KEPT:]
        rested_on = (one.replace(devices=()) for one in gone if not stages.is_handed_off(one.stage))
        marks = {_series_of(line): line for line in (*self.marks, *rested_on)}
        return self.replace(lines=lines, marks=tuple(marks.values()), leaving=self.leaving + gone)


def _series_of(line: Notification) -> _Series:
    """What a line is one of, if there are several: the reminders of a person, the alerts of one about another."""
    series, _ = _place_of(line.key)
    along = line.stage in (MAILED_ALONG, REMINDED_ALONG)
    return (line.stage, line.person, "") if along else series


def _place_of(key: str) -> tuple[_Series, int]:
    _, stage, person, *about = key.split("/")
    # Of the times that somebody chose a later one may have its line first: each is one of its own.
    series, number = (stage, 1) if stages.kind_of(stage) is NotificationType.SNOOZE else stages.numbered(stage)
    return (series, person, about[0] if about else ""), number


def suppressed(request: str, moments: Iterable[ScheduledAction], why: Reason) -> tuple[Delivered, ...]:
    """Lines for planned notices that are not sent; a reason set by the planner takes precedence over `why`."""
    return tuple(
        Delivered(
            key=key_of(request, moment),
            stage=moment.stage,
            person=moment.to,
            channel=Channel.PUSH,
            outcome=NotificationOutcome.SUPPRESSED,
            why=moment.suppressed or why,
        )
        for moment in moments
        if moment.kind.tells
    )


def key_of(request: str, moment: ScheduledAction) -> str:
    """The key of the notice that a moment plans."""
    if moment.kind is ActionType.ESCALATE:
        return alert_key(request, moment.stage, moment.to, moment.person)
    return notice_key(request, moment.stage, moment.to)


def _completed(earlier: Delivered | None, later: Delivered) -> Delivered:
    if earlier is None:
        return later
    devices = {one.device: one for one in (*earlier.devices, *later.devices)}
    better = earlier if earlier.outcome is NotificationOutcome.ACCEPTED else later
    return later.replace(
        outcome=better.outcome, why=better.why, channel=better.channel, devices=tuple(devices.values())
    )
