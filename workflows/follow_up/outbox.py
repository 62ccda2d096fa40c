"""The outbox of hand-offs: due, done and dead targets; retries, replays, targets of escalations."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.options import wait_asked_for
from workflows.model.base import Model
from workflows.model.hand_off import HandoffLine, HandoffResult, HandoffState
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import ESCALATED, Target
from workflows.model.records import Amendment
from workflows.names import handoff_key, webhook_id

REPLAYS_AT_MOST: Final = 20
"""Replay lines of one target in a view; all are stored."""
RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Pauses between attempts as Standard Webhooks 1.0.0 recommends: ten attempts in about 75 hours."""
HELD_FOR: Final = timedelta(days=1)
"""Interval of checks whether a disabled target is enabled; these are no attempts."""
AT_MOST: Final = 100
"""Targets of one batch: their results stay far below the limit of a payload."""
GROUPS_AT_ONCE: Final = 2
"""Groups of one batch: each notifies a hundred people, and has two hundred lines."""
GROUPS_AT_MOST: Final = 9
"""Partly notified groups: their reached members are remembered, so no further one begins."""
ESCALATIONS_AT_MOST: Final = 100
"""Waiting lines of escalations: later escalations get theirs when fewer wait. As many finished ones are remembered; all
are stored.
"""


def escalation_of(target: str) -> int:
    """The escalation's number in a target's name; 0 for the ending."""
    number = target.partition(f"/{ESCALATED}-")[2]
    return int(number) if number.isdecimal() else 0


def policy_name(target: str) -> str:
    """The policy's name of a target, also for an escalation; a subscriber has its workflow's id."""
    return target.partition(f"/{ESCALATED}-")[0]


def last_of(lines: Iterable[HandoffLine]) -> tuple[HandoffLine, ...]:
    """The newest line of each target: the last replay, else the original."""
    return tuple({line.target: line for line in lines}.values())


def originals_and_newest(lines: Sequence[HandoffLine]) -> tuple[HandoffLine, ...]:
    """The original line of each target and its newest `REPLAYS_AT_MOST` replays, in order."""
    line_counts, selected = Counter[str](), []
    for line in reversed(lines):
        line_counts[line.target] += 1
        if not line.replay or line_counts[line.target] <= REPLAYS_AT_MOST:
            selected.append(line)
    return tuple(reversed(selected))


def originals_and_last(lines: Sequence[HandoffLine]) -> tuple[HandoffLine, ...]:
    """The original and newest line of each target, as a replay needs them."""
    newest = {line.target: line for line in lines}
    return tuple(line for line in lines if not line.replay or line is newest[line.target])


def dead_of(lines: Iterable[HandoffLine]) -> tuple[HandoffLine, ...]:
    """Dead targets of the ending, by the last finished line of each."""
    return tuple(line for line in dead_lines(lines) if not escalation_of(line.target))


def dead_lines(lines: Iterable[HandoffLine]) -> tuple[HandoffLine, ...]:
    last = {line.target: line for line in lines if line.state is not HandoffState.PENDING}
    return tuple(line for line in last.values() if line.state is HandoffState.DEAD)


class OutboxEntry(Model):
    """`at` is its last change, `due_at` its next attempt while pending. `notice` marks a person notified of the ending;
    `alert` the one notified of a dead target; `quiet` one whose phone only withdraws.
    """

    target: Target
    notice: bool = False
    alert: bool = False
    quiet: bool = False
    replay: int = 0
    """Number of the replay, and who asked; 0 is the original."""
    by: str | None = None
    escalation: int = 0
    """Number of the escalation; 0 is the ending."""
    state: HandoffState = HandoffState.PENDING
    attempts: int = 0
    at: AwareDatetime
    due_at: AwareDatetime | None = None
    why: str | None = None
    missed: tuple[str, ...] = ()
    transient: str | None = None
    reached: tuple[str, ...] = ()
    """While pending: who was notified, so that nobody is twice."""

    @property
    def is_begun(self) -> bool:
        """Whether it is a group of which some people were notified and others not yet."""
        return self.target.group is not None and self.due_at is not None and bool(self.reached or self.missed)


class Outbox(Model):
    """One request's hand-off lines; `of` is its id for outside systems, `escalations` the number with lines.
    `unrecorded` is one batch that the store did not take.
    """

    of: str = ""
    entries: tuple[OutboxEntry, ...] = ()
    batches: int = 0
    escalations: int = 0
    unrecorded: Amendment | None = None
    subscribers: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(entry.target for entry in self.entries if not entry.escalation and not entry.notice)

    @property
    def opened(self) -> bool:
        return any(not entry.escalation for entry in self.entries)

    @classmethod
    def open(
        cls,
        targets: tuple[Target, ...],
        notices: tuple[Target, ...],
        now: datetime,
        quiet: frozenset[str] = frozenset(),
        reference: str = "",
    ) -> Self:
        """Every target is due at once; `notices` are people to notify, the `quiet` among them without sound."""
        lines = [OutboxEntry(target=target, at=now, due_at=now) for target in targets]
        lines += [
            OutboxEntry(target=target, notice=True, quiet=target.person in quiet, at=now, due_at=now)
            for target in notices
        ]
        return cls(of=reference, entries=tuple(lines))

    def ending(self, opened: Self) -> Self:
        """With the lines of the ending beside those of escalations."""
        return self.replace(of=opened.of, entries=(*self.entries, *opened.entries))

    def escalated(self, targets: tuple[Target, ...], now: datetime, reference: str) -> Self:
        """With lines of the next escalation; unchanged while too many wait."""
        if self._waiting + len(targets) > ESCALATIONS_AT_MOST:
            return self
        number = self.escalations + 1
        lines = [
            OutboxEntry(target=target.of_escalation(number), escalation=number, at=now, due_at=now)
            for target in targets
        ]
        return self.replace(of=reference, escalations=number, entries=(*self._remembered, *lines))

    @property
    def _waiting(self) -> int:
        return sum(1 for entry in self.entries if entry.escalation and entry.due_at is not None)

    @property
    def _remembered(self) -> tuple[OutboxEntry, ...]:
        closed = [entry for entry in self.entries if entry.escalation and entry.due_at is None]
        dropped = closed[:-ESCALATIONS_AT_MOST]
        return tuple(entry for entry in self.entries if entry not in dropped) if dropped else self.entries

    def skipping(self) -> Self:
        """The next batch uses a fresh amendment number."""
        return self.replace(batches=self.batches + 1)

    def due(self, now: datetime) -> tuple[OutboxEntry, ...]:
        """The entries to call now, at most `AT_MOST`; the rest are in the next batch."""
        due = [e for e in self._pending if e.due_at is not None and e.due_at <= now]
        groups = islice((e for e in due if e.target.group is not None), GROUPS_AT_ONCE)
        single_calls = (e for e in due if e.target.group is None)
        return tuple(islice(chain(groups, single_calls), AT_MOST))

    @property
    def _pending(self) -> tuple[OutboxEntry, ...]:
        """Without groups that wait for another group."""
        open_ = [e for e in self.entries if e.due_at is not None]
        room = max(0, GROUPS_AT_MOST - sum(1 for e in open_ if e.is_begun))
        fresh = sorted((e.due_at or e.at, n) for n, e in enumerate(open_) if e.target.group and not e.is_begun)
        waiting = {n for _, n in fresh[room:]}
        return tuple(e for n, e in enumerate(open_) if n not in waiting)

    @property
    def lines(self) -> tuple[HandoffLine, ...]:
        return tuple(
            HandoffLine(
                target=e.target.target,
                state=e.state,
                attempts=e.attempts,
                at=e.at,
                why=e.why,
                due_at=e.due_at,
                key=key_of(e.target, self.of),
                replay=e.replay,
                by=e.by,
            )
            for e in self.entries
            if not e.notice
        )

    @property
    def dead(self) -> tuple[HandoffLine, ...]:
        """The dead targets of the ending, by their last line."""
        return dead_of(self.lines)

    def alerting(self, person: str, now: datetime) -> Self:
        """With one notification to `person` that a target is dead; unchanged while none is."""
        if not self.dead or any(entry.alert for entry in self.entries):
            return self
        target = Target(target=f"alert:{person}", person=person)
        entry = OutboxEntry(target=target, notice=True, alert=True, at=now, due_at=now)
        return self.replace(entries=(*self.entries, entry))

    def joined_by(self, target: Target, now: datetime) -> Self:
        return self.replace(entries=(*self.entries, OutboxEntry(target=target, at=now, due_at=now)))

    @property
    def next_at(self) -> datetime | None:
        """When the next attempt is due; None when all are done or dead."""
        return min((e.due_at for e in self._pending if e.due_at is not None), default=None)

    def open_at(self, now: datetime) -> datetime | None:
        """The same after the end, when an unrecorded batch counts as well."""
        return self.next_at or (now if self.unrecorded else None)

    def is_due(self, now: datetime) -> bool:
        """The same, by now."""
        due_at = self.open_at(now)
        return due_at is not None and due_at <= now

    def hurried(self, target: str | None, now: datetime) -> Self:
        """With the attempts of a target, or of all, due now."""
        if not any(_waits(entry, target, now) for entry in self.entries):
            return self
        entries = tuple(entry.replace(due_at=now) if _waits(entry, target, now) else entry for entry in self.entries)
        return self.replace(entries=entries)

    def record(self, results: tuple[HandoffResult, ...], now: datetime) -> Self:
        """After these results; an entry without a result is unchanged."""
        by_target = {result.target: result for result in results}
        entries = tuple(_apply_result(e, by_target.get(e.target.target), now) for e in self.entries)
        return self.replace(entries=entries, batches=self.batches + 1)


def subscriber(workflow_id: str) -> Target:
    return Target(target=workflow_id, workflow=workflow_id)


def is_subscriber(target: Target) -> bool:
    return target.workflow == target.target


def key_of(target: Target, reference: str) -> str:
    """The idempotency key for outside systems: the `webhook-id` of a call."""
    key = handoff_key(reference, target.target)
    return webhook_id(key) if target.url else key


def state_after(result: HandoffResult, attempts: int) -> HandoffState:
    if result.ok:
        return HandoffState.DONE
    if result.more or result.held:
        return HandoffState.PENDING
    if not result.gone and attempts <= len(RETRY_AFTER):
        return HandoffState.PENDING
    return HandoffState.DONE if result.partly else HandoffState.DEAD


def _waits(entry: OutboxEntry, target: str | None, now: datetime) -> bool:
    is_selected = target is None or target in (entry.target.target, entry.target.name)
    return is_selected and entry.due_at is not None and entry.due_at > now


def _apply_result(entry: OutboxEntry, result: HandoffResult | None, now: datetime) -> OutboxEntry:
    if result is None or entry.due_at is None:
        return entry
    if result.held:
        return entry.replace(at=now, why=result.why, due_at=now + (wait_asked_for(result.retry_after) or HELD_FOR))
    arrived = (line.person for line in result.delivered if line.outcome is NotificationOutcome.ACCEPTED)
    reached = (*entry.reached, *arrived)
    if result.more:
        return entry.replace(at=now, why=result.why, missed=result.missed, transient=result.transient, reached=reached)
    attempted = entry.replace(
        attempts=entry.attempts + 1, at=now, due_at=None, why=result.why, missed=(), transient=None, reached=()
    )
    state = state_after(result, attempted.attempts)
    if state is not HandoffState.PENDING:
        return attempted.replace(state=state)
    pause = max(RETRY_AFTER[entry.attempts], wait_asked_for(result.retry_after))
    return attempted.replace(due_at=now + pause, reached=reached)
