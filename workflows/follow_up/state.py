"""The state of a follow-up, and what plans, people and time do to it. One frozen value, shared by continue-as-new and
queries; each kind adds fields. Commands are in commands.py.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import Annotated, ClassVar, Final, Self, TypeVar

from pydantic import AwareDatetime, Field

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.command_log import CommandState
from workflows.follow_up.notification_log import (
    LINES_AT_MOST,
    NotificationLog,
    PendingDevice,
    PendingDevices,
    key_of,
    suppressed,
)
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import Outbox
from workflows.follow_up.pause_clock import WakeUp, WakeUpKind
from workflows.follow_up.slots import Slot, Slots
from workflows.model.commands import Ending, Problem, StopKind
from workflows.model.hand_off import HandoffResult
from workflows.model.notifications import (
    Delivered,
    HeldBack,
    LogPage,
    NoticeAction,
    Notification,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.policy import Target
from workflows.model.schedule import ActionType, Reason, Schedule, ScheduledAction, Snooze
from workflows.model.subject import Code, Status
from workflows.model.timeline import AskedQuestion, AskedReminder, EscalationEntry, EventType, Reassignment
from workflows.model.views import Attention
from workflows.names import DELEGATE, EXTEND, REMIND

_PAGE_AT_MOST: Final = LINES_AT_MOST
"""Lines of one page, which travels with a delivery."""
_PLANNED_ONCE_AT_MOST: Final = 700
"""The most actions of a plan."""
_OF_QUESTIONS: Final = (NotificationType.QUESTION, NotificationType.BLOCKED, NotificationType.UNANSWERED)


class NotificationState(CommandState):
    """Notifications in the state: planned, logged, and moved to the store."""

    request: str
    planned_once: tuple[ScheduledAction, ...] = ()
    """Actions of earlier plans without a log line."""
    ledger: NotificationLog = NotificationLog()
    stragglers: PendingDevices = PendingDevices()
    pages: int = 0
    """Number of stored pages."""

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Log lines that decisions depend on."""
        return self.ledger.remembered

    @property
    def page(self) -> LogPage | None:
        """The next page of lines for the store, None when nothing leaves."""
        lines, timeline = self.ledger.leaving[:_PAGE_AT_MOST], self.past[:_PAGE_AT_MOST]
        return LogPage(number=self.pages + 1, lines=lines, timeline=timeline) if lines or timeline else None

    def paged(self, page: LogPage | None) -> Self:
        if page is None:
            return self
        updated = self.replace(pages=page.number, past=self.past[len(page.timeline) :])
        return updated.replace(ledger=self.ledger.paged_out(len(page.lines)))

    @property
    def told_stages(self) -> frozenset[tuple[str, str]]:
        """Stage and person of each log line, whatever the outcome."""
        return frozenset((line.stage, line.person) for line in self.notifications)

    @property
    def unsent(self) -> tuple[ScheduledAction, ...]:
        """Planned notifications without a log line, by the latest plan that had them."""
        present = (*self.agenda.moments, *self.agenda.dropped) if self.agenda else ()
        latest = {(moment.stage, moment.person): moment for moment in (*self.planned_once, *present)}
        planned = (moment for moment in latest.values() if moment.kind.tells)
        known = self.ledger.known
        return tuple(moment for moment in planned if key_of(self.request, moment) not in known)

    def told(self, lines: tuple[Delivered, ...], now: datetime) -> Self:
        return self.replace(ledger=self.ledger.with_lines(lines, now))

    def held_back(self, notices: tuple[HeldBack, ...], now: datetime) -> Self:
        """With one timeline entry each."""
        before = {one.key for one in self.ledger.held}
        updated = self.replace(ledger=self.ledger.with_held(notices))
        for one in notices:
            if one.key not in before:
                updated = updated.note(now, EventType.HELD_BACK, one.person, one.says, about=one.stage)
        return updated

    def is_held(self, notice: NotificationOrder, now: datetime) -> bool:
        """Whether a notification waits for its recipient's budget."""
        until = self.ledger.held_until(notice.person, notice.stage)
        return until is not None and now < until

    def held_until(self, now: datetime) -> datetime | None:
        """When the next budget frees, None if none is used up."""
        return min((one.until for one in self.ledger.held if now < one.until), default=None)

    def untold(self, keys: frozenset[str]) -> Self:
        """Give up retries of these keys; failed ones lose their line, so that they are planned again."""
        updated = self.without_stragglers(lambda one: one.key in keys)
        return updated.replace(ledger=self.ledger.without(keys))

    def again(self, now: datetime) -> tuple[PendingDevice, ...]:
        """Devices to retry now; while a question waits, of nudges none but its own."""
        due = self.stragglers
        if self.stop(StopKind.QUESTION):
            due = due.without(lambda one: one.moment is not None and one.moment.kind is not ActionType.QUESTION)
        return due.due(now)

    @property
    def unheard(self) -> tuple[str, ...]:
        """Keys of failed alerts without devices to retry."""
        lost = [
            line.key
            for line in self.notifications
            if notification_types.kind_of(line.stage) is NotificationType.ESCALATION
            and (line.outcome is NotificationOutcome.FAILED or line.why == Reason.NO_DEVICE)
        ]
        return tuple(key for key in lost if not self.stragglers.has(key))

    def tried(
        self, tried: tuple[PendingDevice, ...], lines: tuple[Delivered, ...], left: tuple[PendingDevice, ...]
    ) -> Self:
        """Record devices that are `left`; a failed alert is planned again, for somebody else."""
        updated = self.replace(stragglers=self.stragglers.tried(tried, lines, left))
        alerts = any(one.moment and one.moment.kind is ActionType.ESCALATE for one in tried)
        return updated.replan() if alerts and updated.unheard else updated

    def without_stragglers(self, over: Callable[[PendingDevice], bool]) -> Self:
        """Drop retries for which the predicate is true."""
        return self.replace(stragglers=self.stragglers.without(over))

    def go_on(self, kind: StopKind, now: datetime) -> Self:
        """See `PauseClock`; reminders of a closed question are dropped."""
        updated = super().go_on(kind, now)
        if kind is not StopKind.QUESTION:
            return updated
        return updated.without_stragglers(lambda one: notification_types.kind_of(one.notice.stage) in _OF_QUESTIONS)

    def suppress(self, moments: tuple[ScheduledAction, ...], why: Reason, now: datetime) -> Self:
        """Log planned notifications that will not be sent."""
        return self.told(suppressed(self.request, moments, why), now)

    def left_out(
        self, missed: tuple[ScheduledAction, ...], too_soon: tuple[ScheduledAction, ...], now: datetime
    ) -> Self:
        """Log nudges that are not sent: `missed` in a pause or an outage, or too soon after another."""
        paused = tuple(moment for moment in missed if self.was_paused(moment.at))
        rest = tuple(moment for moment in missed if moment not in paused)
        updated = self.suppress(paused, Reason.PAUSED, now).suppress(rest, Reason.CAUGHT_UP, now)
        return updated.suppress(too_soon, Reason.TOO_SOON, now)

    def replan(self) -> Self:
        """Have everything planned again; planned notifications without a log line are kept."""
        return self.replace(agenda=None, planned_once=self.unsent[-_PLANNED_ONCE_AT_MOST:])

    def no_longer_planned(self, agenda: Schedule) -> tuple[ScheduledAction, ...]:
        """What was planned, has no log line, and is not in this schedule."""
        present = {(moment.stage, moment.person) for moment in (*agenda.moments, *agenda.dropped)}
        return tuple(moment for moment in self.unsent if (moment.stage, moment.person) not in present)


@dataclass(frozen=True)
class FollowUpWords:
    """A kind's nouns for messages: subject, person, action."""

    subject: str
    awaited: str
    wanted: str
    not_the_owner: str
    """Refusal of an action that the requester cannot do."""
    cancelling: str
    """What remains to be done after a cancellation."""
    closing: str = ""
    """Where it is ended, if not by the state alone."""
    preparing: str = ""
    """What is awaited before people can be asked."""
    decides: str = "countersign"
    """Who decides an ending that nobody requested."""
    failures: Mapping[Code, str] = field(default_factory=dict)
    """Failures in words."""


class Precondition(Enum):
    """Moves of a kind before anybody is notified."""

    LOOK = auto()
    """Read the source, for instance the provider's document."""
    BEGIN = auto()
    """Assume that people are asked: all that a read would tell is known."""
    CLOSE = auto()
    """End it as requested."""
    PREPARE = auto()
    """Wait until people can be asked."""


_WITH_WORDS = (Status.DONE, Status.WAIVED)
"""Endings that may have a person's note, answer or reason."""
_DOUBT_LASTS = timedelta(minutes=15)
"""Age after which a plan on an outdated people file is made anew."""


class FollowUpState(NotificationState):
    """The state of something that people must do by a date."""

    words: ClassVar[FollowUpWords]

    started_at: AwareDatetime
    status: Status
    document: str | None = None
    """The document to read before a nudge; None for kinds without a source."""
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    revision: int = 0
    due_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    planned_at: AwareDatetime | None = None
    ending: Ending | None = None
    settled_at: AwareDatetime | None = None
    reassigning: tuple[Reassignment, ...] = ()
    not_handed_over: tuple[str, ...] = ()
    """Silent people whose slot could not be reassigned: an alert is sent instead."""
    snoozes: tuple[Snooze, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    reminders_asked: int = 0
    reminder: AskedReminder | None = None
    escalations: tuple[EscalationEntry, ...] = ()
    subscribers: tuple[str, ...] = ()
    """Workflows subscribed after the start."""
    unsubscribed: tuple[str, ...] = ()
    """Unsubscribed ones of the file."""
    handoff: Outbox = Outbox()
    recorded: bool = False

    @property
    @abstractmethod
    def awaited(self) -> Slots[Slot]: ...

    @abstractmethod
    def action_of(self, person: str) -> NoticeAction:
        """The action that a notification asks of a pending person."""

    @abstractmethod
    def give_place(self, person: str, to: str, now: datetime) -> Self:
        """Reassign a slot; idempotent."""

    @property
    def current_status(self) -> Status:
        """The status for the pending people, as displayed."""
        return self.status

    @property
    @abstractmethod
    def phase(self) -> str:
        """The stage word for lists while it is open."""

    @property
    def preparing(self) -> bool:
        return False

    def acted_late(self, place: Slot) -> bool:
        return False

    def to_report(self) -> Iterator[tuple[str, str]]:
        """Stages of news for the requester, each with the person it is about, if any."""
        for person in self.agenda.missing if self.agenda else ():
            yield NotificationType.MISSING, person
        for line in self.notifications:
            lost = line.outcome is NotificationOutcome.FAILED and not self.stragglers.has(line.key)
            if lost and notification_types.is_other_channel(line.stage) and self._is_pending(line.person):
                yield NotificationType.UNREACHED, line.person

    def _is_pending(self, person: str) -> bool:
        return any(one.person == person for one in self.awaited.pending)

    def attention(self) -> Iterator[Attention]:
        """Reasons for attention that only this kind has."""
        yield from ()

    @property
    def also_told(self) -> tuple[str, ...]:
        """Persons without a slot who hear of the ending."""
        return ()

    @property
    def tells_of_success(self) -> bool:
        """Whether participants are notified of success; else their notifications are only withdrawn."""
        return False

    def was_asked(self, place: Slot) -> bool:
        """Whether this person hears of the ending because it was their turn."""
        return place.turn_at is not None

    def is_overdue(self, now: datetime) -> bool:
        return not self.status.ended and self.due_at is not None and now >= self.due_at

    def late_at(self, now: datetime) -> datetime | None:
        """When it will be overdue; None if it is already, or closes when due."""
        due_at, closes_at = self.due_at, self.closes_at
        return due_at if due_at and now < due_at and due_at != closes_at else None

    def alarm(self, now: datetime, deadline: datetime | None) -> WakeUp | None:
        """The first wake-up: deadline, or a time to act without news; None when there is none."""
        instants = {
            WakeUpKind.BUDGET: self.held_until(now),
            WakeUpKind.DEADLINE: deadline,
            WakeUpKind.LOOK: self.look_at(now),
            WakeUpKind.LATE: self.late_at(now),
            WakeUpKind.STRAGGLERS: self.stragglers.next_at(now),
        }
        return min((WakeUp(at, what) for what, at in instants.items() if at is not None), default=None)

    def firsts(self) -> Iterator[Precondition]:
        """Preconditions, in order."""
        if self.ending:
            yield Precondition.CLOSE

    def look_at(self, now: datetime) -> datetime | None:
        """When the source is read again without news; None for kinds without a source."""
        return None

    def to_look(self) -> Self:
        """Have the source read, and everything planned again."""
        return self.replan()

    def carried_over(self) -> Self:
        return self.replan()

    def planned(self, agenda: Schedule, now: datetime) -> Self:
        """Adopt a schedule planned for `now`; a doubtful one is a problem that does not stop the clocks."""
        updated = self.replace(
            agenda=agenda, due_at=agenda.due_at, closes_at=agenda.over_at if agenda.closes else None, planned_at=now
        )
        planned = self.operations.done(EXTEND, f"due {agenda.due_at:%Y-%m-%d %H:%M} UTC")
        updated = updated.replace(planned_once=self.no_longer_planned(agenda), operations=planned)
        if self.stop(StopKind.PROBLEM):
            return updated
        if agenda.doubt is None:
            return updated.replace(problem=None, probe_at=None)
        problem = self.problem or Problem(code=Code.DIRECTORY, since=now, says=agenda.doubt)
        doubted = updated.replace(problem=problem, probe_at=now + _DOUBT_LASTS)
        return doubted if self.problem else doubted.note(now, EventType.PROBLEM, None, agenda.doubt, about=problem.code)

    def escalated(self, moments: tuple[ScheduledAction, ...], now: datetime) -> Self:
        entries = tuple(EscalationEntry(from_=m.person, to=m.to, reason=m.reason, at=now) for m in moments)
        return self.replace(escalations=self.escalations + entries)

    def to_reassign(self, *wanted: Reassignment) -> Self:
        return self.replace(reassigning=self.reassigning + wanted)

    def handed_over(self, wanted: Reassignment, refused: str | None, now: datetime) -> Self:
        """Record the result of a reassignment: done, or why not."""
        return self.reassigned(wanted, now) if refused is None else self.not_reassigned(wanted, refused, now)

    def reassigned(self, done: Reassignment, now: datetime) -> Self:
        """A slot was reassigned: the old person's planned notifications are superseded, the new clock begins."""
        entry = EscalationEntry(from_=done.from_, to=done.to, reason=done.reason, at=now)
        left = tuple(one for one in self.reassigning if one.about != done.about and (one.by_hand or one.to != done.to))
        # An escalation that reassigns the slot has happened and was not left out. Reminders of an open question go to
        # the person who is to answer, not to the old holder.
        happened = () if done.by_hand else (ActionType.ESCALATE, ActionType.ESCALATED)
        happened = (*happened, ActionType.QUESTION)
        updated = self.giving_up((done.from_,), Reason.SUPERSEDED, now, happened)
        updated = updated.give_place(done.from_, done.to, now).replace(
            reassigning=left,
            escalations=(*self.escalations, entry),
            operations=self.operations.done(DELEGATE, f"handed over to {done.to}", done.about),
        )
        handed = updated.replan().note(now, EventType.HANDED_OVER, done.from_, done.reason, about=done.to, by=done.who)
        return handed._with_open_question(done, now)

    def hands_over(self, moment: ScheduledAction) -> bool:
        """Whether an escalation is to reassign a slot and that is still possible."""
        return moment.hands_over and moment.person not in self.not_handed_over

    def not_reassigned(self, refused: Reassignment, why: str, now: datetime) -> Self:
        """A reassignment failed; after an escalation, an alert is planned instead."""
        left = tuple(one for one in self.reassigning if one != refused)
        updated = self.replace(reassigning=left)
        updated = updated.note(now, EventType.NOT_HANDED_OVER, refused.from_, why, about=refused.to)
        if refused.by_hand:
            return updated.replace(operations=self.operations.refused(DELEGATE, why, refused.about))
        return updated.replace(not_handed_over=(*self.not_handed_over, refused.from_)).replan()

    def reminded(self, says: str) -> Self:
        """The requested reminder was sent; its operation says whom it reached."""
        return self.replace(reminder=None, operations=self.operations.done(REMIND, says))

    def expire(self, moment: ScheduledAction, now: datetime) -> Self:
        """Request the end because the time is over; an earlier request to end keeps its outcome."""
        return self.close(Ending(outcome=Status.EXPIRED, who="countersign", why=moment.why), now)

    def close(self, ending: Ending, now: datetime) -> Self:
        """Request this ending; the first request counts. Kinds without a provider end at once."""
        return self if self.ending or self.status.ended else self.replace(ending=ending)

    def end(self, status: Status, now: datetime, by: str, problem: Problem | None = None) -> Self:
        """End with this status: planned notifications are closed, open commands are done or too late."""
        meant = self.ending if self.ending and self.ending.outcome is status else None
        everyone = tuple(place.person for place in self.awaited.everyone)
        given_up = self.giving_up(everyone, Reason.SETTLED, now)
        ended = given_up.replace(
            status=status, settled_at=now, agenda=None, planned_once=(), problem=problem, probe_at=None
        )
        ended = ended.replace(
            ledger=given_up.ledger.replace(held=()),
            stragglers=PendingDevices(),
            stops=(),
            stopped_at=None,
            broken_off=None,
        )
        ended = ended.replace(reassigning=(), reminder=None, operations=self.operations.end(status, self.words.subject))
        if meant:
            said = status is Status.CANCELLED or (status in _WITH_WORDS and bool(meant.why))
            return ended.note(now, EventType(status), meant.who, meant.why, said=said)
        return ended.note(now, EventType(status), by, problem.code if problem else None)

    def fail(self, code: Code, says: str, now: datetime) -> Self:
        """End because of a failure that cannot be fixed; an ended state is unchanged."""
        if self.status.ended:
            return self
        return self.end(Status.FAILED, now, by=self.words.decides, problem=Problem(code=code, since=now, says=says))

    def hand_off(
        self,
        targets: tuple[Target, ...],
        notices: tuple[Target, ...],
        quiet: frozenset[str] = frozenset(),
        of: str = "",
    ) -> Self:
        """Open the outbox at the settlement; idempotent."""
        if self.handoff.opened or self.settled_at is None:
            return self
        opened = Outbox.open(targets, notices, self.settled_at, quiet, of)
        return self.replace(handoff=self.handoff.ending(opened))

    def handed_off(self, results: tuple[HandoffResult, ...], now: datetime) -> Self:
        """Record results of targets, and of notifications among them."""
        lines = tuple(line for result in results for line in result.delivered)
        return self.replace(handoff=self.handoff.record(results, now)).told(lines, now)

    def answering_themselves(self, person: str, now: datetime) -> Self:
        """Close the open question of a person who acted or was replaced."""
        stop = self.stop(StopKind.QUESTION)
        return self.go_on(StopKind.QUESTION, now) if stop and stop.who == person else self

    def _with_open_question(self, done: Reassignment, now: datetime) -> Self:
        """Move an open question with the slot; a reassignment answers an obstacle."""
        waits = [one for one in self.questions if one.answer is None and one.holder == done.from_]
        if not waits:
            return self.answering_themselves(done.from_, now)
        moved = {one.number: one.replace(answer="") if one.blocks else one.replace(to=done.to) for one in waits}
        updated = self.replace(questions=tuple(moved.get(one.number, one) for one in self.questions))
        for one in waits:
            updated = (
                updated.note(now, EventType.UNBLOCKED, done.who, None, about=one.number) if one.blocks else updated
            )
        if any(one.blocks for one in waits):
            return updated.answering_themselves(done.from_, now)
        stops = (s.replace(who=done.to) if s.kind is StopKind.QUESTION else s for s in updated.stops)
        return updated.replace(stops=tuple(stops))

    def giving_up(self, people: tuple[str, ...], why: Reason, now: datetime, but: tuple[ActionType, ...] = ()) -> Self:
        """Log lines for planned notifications of these people that will not be sent."""
        unsent = self.unsent
        theirs = tuple(moment for moment in unsent if moment.person in people)
        escalated = {entry.from_ for entry in self.escalations}
        done = (ActionType.ESCALATE, *but)
        given_up = tuple(
            one
            for one in theirs
            if one.kind not in (done if one.person in escalated else but) and (one.suppressed is None or one.at <= now)
        )
        left = tuple(moment for moment in unsent if moment.person not in people)
        updated = self.replace(planned_once=left, ledger=self.ledger.without_held(people))
        return updated.without_stragglers(lambda one: one.concerns(people)).suppress(given_up, why, now)


State = TypeVar("State", bound=FollowUpState)


class NoSlots(Slots[Slot]):
    """The slots of a kind that asks nobody itself."""

    @property
    def everyone(self) -> tuple[Slot, ...]:
        return ()


class JoinState(FollowUpState):
    """The state of kinds whose parts follow people up: onboarding, campaign."""

    @property
    def awaited(self) -> NoSlots:
        return NoSlots()

    def action_of(self, person: str) -> NoticeAction:
        return NoticeAction.OPEN

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        return self
