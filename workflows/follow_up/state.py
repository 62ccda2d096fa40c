"""The state of a follow-up, and what plans, people and time do to it. One frozen value, shared by continue-as-new and
queries; each kind adds fields. Commands are in commands.py.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Self, TypeVar

from pydantic import AwareDatetime

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.command_log import CommandLog
from workflows.follow_up.notification_log import (
    LINES_AT_MOST,
    NotificationLog,
    PendingDevice,
    PendingDevices,
    explained,
    key_of,
    left_open,
    suppressed,
)
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import Outbox
from workflows.follow_up.pause_clock import CallerState
from workflows.follow_up.plan import Plan, WakeUp, WakeUpKind
from workflows.follow_up.slots import Escalations, Questions, Slot, Slots
from workflows.model.absence import AbsenceNews
from workflows.model.base import Model
from workflows.model.commands import Ending, Problem, StopKind
from workflows.model.hand_off import HandoffResult
from workflows.model.messages import Message
from workflows.model.notifications import (
    Delivery,
    DeliveryReport,
    DeliveryResult,
    HeldBack,
    LogPage,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
    PostponedNotification,
)
from workflows.model.policy import Target
from workflows.model.rejections import Rejection
from workflows.model.schedule import ActionType, PlanningInput, Reason, Schedule, ScheduledAction
from workflows.model.subject import Code, Status, group_of
from workflows.model.timeline import EscalationEntry, EventType, Reassignment
from workflows.model.views import Attention, AttentionCode
from workflows.names import DELEGATE, EXTEND, REMIND

_PAGE_AT_MOST: Final = LINES_AT_MOST
"""Lines of one page, which travels with a delivery."""
_PLANNED_ONCE_AT_MOST: Final = 700
"""The most actions of a plan."""
_OF_QUESTIONS: Final = (NotificationType.QUESTION, NotificationType.BLOCKED, NotificationType.UNANSWERED)
_WITH_WORDS: Final = (Status.DONE, Status.WAIVED)
"""Endings that may have a person's note, answer or reason."""
_NEXT_TURN: Final = Rejection.NEXT_TURN.to_message()
_DOUBT_LASTS: Final = timedelta(minutes=15)
"""Age after which a plan on an outdated people file is made anew."""


@dataclass(frozen=True)
class FollowUpWords:
    """A kind's nouns for messages: subject, person, action."""

    subject: str
    awaited: str
    awaited_action: str
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


class Lifecycle(Model):
    """The id, status and ending; `recorded` once the settled record is stored."""

    id: str
    started_at: AwareDatetime
    status: Status
    ending: Ending | None = None
    """The ending that is asked for."""
    settled_at: AwareDatetime | None = None
    ended_by: str | None = None
    recorded: bool = False
    taken_by: str | None = None
    """Who of the group that asks sees to it."""
    times_taken: int = 0


class LifecycleState(CallerState):
    lifecycle: Lifecycle
    notifications: NotificationLog = NotificationLog()
    commands: CommandLog = CommandLog()
    outbox: Outbox = Outbox()

    @property
    @abstractmethod
    def vocabulary(self) -> FollowUpWords: ...

    @property
    def id(self) -> str:
        return self.lifecycle.id

    @property
    def notice_id(self) -> str:
        """The first part of the keys of its notices."""
        return self.id

    @property
    def status(self) -> Status:
        return self.lifecycle.status

    @property
    def current_status(self) -> Status:
        """The status as displayed."""
        return self.status

    @property
    @abstractmethod
    def phase(self) -> str:
        """The stage word for lists while it is open."""

    @property
    def document_id(self) -> str | None:
        """The document to read before a nudge; None for kinds without a source."""
        return None

    @property
    def due_at(self) -> datetime | None:
        return None

    @property
    def closes_at(self) -> datetime | None:
        return None

    def is_overdue(self, now: datetime) -> bool:
        return not self.status.has_ended and self.due_at is not None and now >= self.due_at

    @property
    def escalated(self) -> tuple[EscalationEntry, ...]:
        return ()

    @property
    def present_escalations(self) -> tuple[EscalationEntry, ...]:
        """Of those whose turn it is or may be."""
        return ()

    def attention(self) -> Iterator[Attention]:
        """Reasons for attention while it is open."""
        yield from ()

    def concerned(self) -> tuple[str, ...]:
        """Who hears of the ending besides the requester."""
        return ()

    def hears_of_success(self, person: str) -> bool:
        """Whether a success is news to this person; else their notifications are only withdrawn."""
        return True

    @property
    def is_extended_later(self) -> bool:
        """Whether an accepted extension is still to be carried out."""
        return True

    @property
    def page(self) -> LogPage | None:
        """The next page of lines for the store, None when nothing leaves."""
        lines = self.notifications.leaving[:_PAGE_AT_MOST]
        entries = self.timeline.leaving[:_PAGE_AT_MOST]
        number = self.notifications.pages + 1
        return LogPage(number=number, lines=lines, timeline=entries) if lines or entries else None

    def paged(self, page: LogPage | None) -> Self:
        if page is None:
            return self
        return self.replace(
            timeline=self.timeline.stored(len(page.timeline)),
            notifications=self.notifications.paged_out(page.number, len(page.lines)),
        )

    def record_results(self, lines: tuple[DeliveryResult, ...], now: datetime) -> Self:
        """Log these results."""
        return self.replace(notifications=self.notifications.with_lines(lines, now))

    def held_back(self, notices: tuple[HeldBack, ...], now: datetime) -> Self:
        """Record held-back notifications, with one timeline entry each."""
        held_keys = {notification.key for notification in self.notifications.held}
        updated = self.replace(notifications=self.notifications.with_held(notices))
        for notice in notices:
            if notice.key not in held_keys:
                updated = updated.note(now, EventType.HELD_BACK, notice.person, notice.says, about_id=notice.stage)
        return updated

    def delivered(
        self, delivery: Delivery, report: DeliveryReport, attempts: tuple[PendingDevice, ...], now: datetime
    ) -> Self:
        """Record the results of a delivery, and the devices to retry."""
        lines = report.final_lines
        updated = self.forget_sent(frozenset(notice.key for notice in report.put_off)).paged(delivery.page)
        updated = updated.postpone(report.put_off, now).record_results(lines, now).held_back(report.held, now)
        if report.mailed:
            updated = updated.update_part("notifications", mailed_at=now)
        return updated.record_attempts(attempts, lines, tuple(left_open(attempts, report, now)))

    def record_attempts(
        self,
        attempts: tuple[PendingDevice, ...],
        lines: tuple[DeliveryResult, ...],
        still_open: tuple[PendingDevice, ...],
    ) -> Self:
        return self.with_devices(self.notifications.devices.record_attempts(attempts, lines, still_open))

    def with_devices(self, devices: PendingDevices) -> Self:
        return self.update_part("notifications", devices=devices)

    def without_devices(self, is_dropped: Callable[[PendingDevice], bool]) -> Self:
        return self.with_devices(self.notifications.devices.drop(is_dropped))

    def retries(self, now: datetime) -> tuple[PendingDevice, ...]:
        return self.notifications.devices.due(now)

    def forget_sent(self, keys: frozenset[str]) -> Self:
        """Give up retries of these keys; failed ones lose their line, so that they are sent again."""
        updated = self.without_devices(lambda device: device.key in keys)
        return updated.replace(notifications=updated.notifications.drop_keys(keys))

    def postpone(self, notices: tuple[PostponedNotification, ...], now: datetime) -> Self:
        """Record that planned notifications were not sent because their recipients are unavailable."""
        return self

    def missed_hours(self, moments: tuple[ScheduledAction, ...], now: datetime) -> Self:
        """Record that the hours have ended in which these could be sent."""
        return self

    def carried_over(self) -> Self:
        return self.replace(outbox=self.outbox.skipping())

    def close(self, ending: Ending, now: datetime) -> Self:
        """Request this ending; the first request counts. Kinds without a provider end at once."""
        return self if self.lifecycle.ending or self.status.has_ended else self.update_part("lifecycle", ending=ending)

    def end(self, status: Status, now: datetime, decided_by: str, problem: Problem | None = None) -> Self:
        """End with this status: open commands are done or too late."""
        ending = self.lifecycle.ending
        updated = self.replace(
            lifecycle=self.lifecycle.replace(status=status, settled_at=now, ended_by=decided_by),
            problems=self.problems.replace(current=problem, broken_off=None, probe_at=None),
            clock=self.clock.replace(stops=(), stopped_at=None),
            notifications=self.notifications.replace(held=(), devices=PendingDevices()),
            commands=self.commands.end(status, self.vocabulary.subject),
        )
        if ending and ending.outcome is status:
            is_quote = status is Status.CANCELLED or (status in _WITH_WORDS and bool(ending.why))
            return updated.note(now, EventType(status), ending.who, ending.why, is_quote=is_quote)
        return updated.note(now, EventType(status), decided_by, problem.code if problem else None)

    def fail(self, code: Code, explanation: str, now: datetime) -> Self:
        """End because of a failure that cannot be fixed; an ended state is unchanged."""
        if self.status.has_ended:
            return self
        return self.end(
            Status.FAILED,
            now,
            decided_by=self.vocabulary.decides,
            problem=Problem(code=code, since=now, says=explanation),
        )

    def at_settlement(self) -> Self:
        """As the settled record shows it: what comes after the end is told by what is written then."""
        return self.replace(outbox=Outbox())

    def open_outbox(
        self,
        targets: tuple[Target, ...],
        notices: tuple[Target, ...],
        quiet: frozenset[str] = frozenset(),
        reference: str = "",
    ) -> Self:
        """Open the outbox at the settlement; idempotent."""
        settled_at = self.lifecycle.settled_at
        if self.outbox.opened or settled_at is None:
            return self
        return self.replace(outbox=self.outbox.ending(Outbox.open(targets, notices, settled_at, quiet, reference)))

    def handed_off(self, results: tuple[HandoffResult, ...], now: datetime) -> Self:
        """Record results of targets, and of notifications among them."""
        lines = tuple(line for result in results for line in result.delivered)
        return self.replace(outbox=self.outbox.record(results, now)).record_results(lines, now)


State = TypeVar("State", bound=LifecycleState)


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
    PLACE = auto()
    """Put in a group's place who has taken it."""


class FollowUpState(LifecycleState):
    """The state of something that people must do by a date."""

    slots: Slots[Slot]
    plan: Plan = Plan()
    escalations: Escalations = Escalations()
    questions: Questions = Questions()

    @abstractmethod
    def action_of(self, person: str) -> NoticeAction:
        """The action that a notification asks of a pending person."""

    @property
    def due_at(self) -> datetime | None:
        return self.plan.due_at

    @property
    def closes_at(self) -> datetime | None:
        return self.plan.closes_at

    @property
    def escalated(self) -> tuple[EscalationEntry, ...]:
        return self.escalations.entries

    @property
    def present_escalations(self) -> tuple[EscalationEntry, ...]:
        return self.escalations.present

    @property
    def is_extended_later(self) -> bool:
        return self.plan.schedule is None and bool(self.plan.window_from or not self.slots.everyone)

    @property
    def preparing(self) -> bool:
        return False

    def acted_late(self, slot: Slot) -> bool:
        return False

    def awaits_place(self, person: str) -> bool:
        """Whether they have taken the place of their group, and are still to be put in it."""
        return False

    def adapted(self, planning: PlanningInput) -> PlanningInput:
        """What the schedule is made from, for the present slots."""
        return planning

    def text_for(self, person: str) -> str | None:
        """What somebody has to say to a person whose turn it is."""
        return None

    @property
    def to_withdraw(self) -> tuple[str, ...]:
        """Whose phones show a notice about slots of before, though it is not their turn."""
        return ()

    def preconditions(self) -> Iterator[Precondition]:
        if self.lifecycle.ending:
            yield Precondition.CLOSE

    def look_at(self, now: datetime) -> datetime | None:
        """When the source is read again without news; None for kinds without a source."""
        return None

    def to_look(self) -> Self:
        """Have the source read, and everything planned again."""
        return self.replan()

    def to_report(self) -> Iterator[tuple[str, str]]:
        """Stages of news for the requester, each with the person it is about, if any."""
        for person in self.plan.schedule.missing if self.plan.schedule else ():
            yield NotificationType.MISSING, person
        pending = {slot.person for slot in self.slots.pending}
        for line in self.notifications.remembered:
            lost = line.outcome is NotificationOutcome.FAILED and not self.notifications.devices.has(line.key)
            if lost and notification_types.is_other_channel(line.stage) and line.person in pending:
                yield NotificationType.UNREACHED, line.person

    def attention(self) -> Iterator[Attention]:
        if question := self.questions.open(self.slots):
            code = AttentionCode.BLOCKED if question.blocks else AttentionCode.QUESTION_OPEN
            yield Attention(code=code, since=question.at, says=question.description)
        if pause := self.clock.stop(StopKind.PAUSE):
            yield Attention(code=AttentionCode.PAUSED, since=pause.since, says=pause.description)
        if (schedule := self.plan.schedule) and any(map(self.slots.find, schedule.missing)):
            yield self._leavers(schedule)

    def _leavers(self, schedule: Schedule) -> Attention:
        proposed = tuple(person for person in schedule.proposed if self.slots.find(person) is None)
        sentence = f"{', '.join(filter(self.slots.find, schedule.missing))} left the directory"
        sentence += f"; could act instead: {', '.join(proposed)}" if proposed else ""
        planned_at = self.plan.planned_at or self.lifecycle.started_at
        return Attention(code=AttentionCode.SIGNER_LEFT, since=planned_at, says=sentence, proposed=proposed)

    @property
    def tells_of_success(self) -> bool:
        """Whether participants are notified of success; else their notifications are only withdrawn."""
        return False

    def hears_of_success(self, person: str) -> bool:
        return self.tells_of_success or self.slots.find(person) is None

    def was_asked(self, slot: Slot) -> bool:
        """Whether this person hears of the ending because it was their turn."""
        return slot.turn_at is not None

    def concerned(self) -> tuple[str, ...]:
        """Everybody who was asked, alerted, or whose phone shows an open question."""
        has_it = self._still_shows if self.status.fulfilled and not self.tells_of_success else self._hears_of_end
        people = [slot.person for slot in self.slots.everyone if (self._still_shows if slot.spared else has_it)(slot)]
        # A new holder counts like any other: perhaps it never was their turn.
        alerted = [entry.to for entry in self.escalated if self.slots.find(entry.to) is None]
        of_teams = {line.stage for line in self.notifications.last_shown if group_of(line.person)}
        unanswered = (
            line.person
            for line in self.notifications.last_shown
            if notification_types.kind_of(line.stage) is NotificationType.UNANSWERED and line.stage not in of_teams
        )
        return (*people, *alerted, *unanswered)

    def _still_shows(self, slot: Slot) -> bool:
        notified_stages = self.notifications.stages
        is_withdrawn = any(
            (stage, slot.person) in notified_stages
            for stage in (NotificationType.WITHDRAWAL, NotificationType.REASSIGNED)
        )
        return slot.acted and (NotificationType.READY, slot.person) in notified_stages and not is_withdrawn

    def _hears_of_end(self, slot: Slot) -> bool:
        """Whether it was their turn; not for a person who was notified of their replacement."""
        notified_stages = self.notifications.stages
        was_asked = self.was_asked(slot) or (NotificationType.READY, slot.person) in notified_stages
        return was_asked and (NotificationType.REASSIGNED, slot.person) not in notified_stages

    def wake_up(self, now: datetime, deadline: datetime | None) -> WakeUp | None:
        """The first wake-up: deadline, or a time to act without news; None when there is none."""
        instants = {
            WakeUpKind.BUDGET: self.notifications.next_held(now),
            WakeUpKind.DEADLINE: deadline,
            WakeUpKind.LOOK: self.look_at(now),
            WakeUpKind.LATE: self.plan.late_at(now),
            WakeUpKind.DEVICES: self.notifications.devices.next_at(now),
        }
        return min((WakeUp(instant, kind) for kind, instant in instants.items() if instant is not None), default=None)

    def is_held(self, notice: NotificationOrder, now: datetime) -> bool:
        """Whether a notification waits for its recipient's budget."""
        held_until = self.notifications.held_until(notice.person, notice.stage)
        return held_until is not None and now < held_until

    @property
    def unsent(self) -> tuple[ScheduledAction, ...]:
        """Planned notifications without a log line."""
        logged_keys = self.notifications.logged_keys
        return tuple(action for action in self.plan.ever_planned if key_of(self.notice_id, action) not in logged_keys)

    def heard_of(self, news: AbsenceNews, requester: str, now: datetime) -> Self:
        """Plan anew if it waits for a person who is away or back; news that come once more are noted once."""
        waited_for = {slot.person for slot in self.slots.pending}
        if self.questions.open(self.slots):
            waited_for.add(requester)
        if self.status.has_ended or news.person not in waited_for:
            return self
        if news.left:
            return self.replan()  # The schedule says who is missing.
        happened = EventType.BACK if news.back else EventType.AWAY
        theirs = (entry for entry in reversed(self.timeline.entries) if entry.who == news.person)
        last = next((entry.happened for entry in theirs if entry.happened in (EventType.AWAY, EventType.BACK)), None)
        planned = self.replan()
        return (
            planned
            if last is happened
            else planned.note(now, happened, news.person, None, sender=news.by, actor=news.actor)
        )

    def replan(self) -> Self:
        """Have everything planned again; planned notifications without a log line are kept."""
        return self.update_part("plan", schedule=None, planned_once=self.unsent[-_PLANNED_ONCE_AT_MOST:])

    def shifted(self, stopped_at: datetime, now: datetime) -> Self:
        slots, plan = self.slots.shift(stopped_at, now), self.plan.shifted(stopped_at, now)
        return self.replace(slots=slots).replan().update_part("plan", window_from=plan.window_from)

    def go_on(self, kind: StopKind, now: datetime) -> Self:
        """See `CallerState`; reminders of a closed question are dropped."""
        updated = super().go_on(kind, now)
        if kind is not StopKind.QUESTION:
            return updated
        return updated.without_devices(lambda device: notification_types.kind_of(device.notice.stage) in _OF_QUESTIONS)

    def carried_over(self) -> Self:
        return super().carried_over().replan()

    def planned(self, schedule: Schedule, now: datetime) -> Self:
        """Adopt a schedule planned for `now`; a doubtful one is a problem that does not stop the clocks."""
        present = {(action.stage, action.person) for action in (*schedule.actions, *schedule.dropped)}
        plan = self.plan.replace(
            schedule=schedule,
            due_at=schedule.due_at,
            closes_at=schedule.over_at if schedule.closes else None,
            planned_at=now,
            planned_once=tuple(action for action in self.unsent if (action.stage, action.person) not in present),
        )
        commands = self.commands.mark_done(EXTEND, f"due {schedule.due_at:%Y-%m-%d %H:%M} UTC")
        updated = self.replace(plan=plan, commands=commands)
        if self.clock.stop(StopKind.PROBLEM):
            return updated
        if schedule.doubt is None:
            return updated.update_part("problems", current=None, probe_at=None)
        present_problem = self.problems.current
        problem = present_problem or Problem(code=Code.DIRECTORY, since=now, says=schedule.doubt)
        doubted = updated.update_part("problems", current=problem, probe_at=now + _DOUBT_LASTS)
        return (
            doubted
            if present_problem
            else doubted.note(now, EventType.PROBLEM, None, schedule.doubt, about_id=problem.code)
        )

    def delivered(
        self, delivery: Delivery, report: DeliveryReport, attempts: tuple[PendingDevice, ...], now: datetime
    ) -> Self:
        """Also records the escalations that reached somebody."""
        moments = tuple(attempt.moment for attempt in attempts if attempt.moment)
        report = report.replace(delivered=explained(report.delivered, moments))
        updated = super().delivered(delivery, report, attempts, now)
        return updated.alerted(updated.alerts_among(moments), now)

    def postpone(self, notices: tuple[PostponedNotification, ...], now: datetime) -> Self:
        """Plan again what was not sent because its recipients are unavailable."""
        if not notices:
            return self
        updated = self.replan()
        updated = updated.replace(plan=updated.plan.without_old_postponed(now))
        for notice in notices:
            if all(postponement.person != notice.person for postponement in updated.plan.postponed):
                updated = updated.note(now, EventType.PUT_OFF, notice.person, notice.why, about_id=notice.stage)
            updated = updated.replace(plan=updated.plan.with_postponed(notice.person, now))
        return updated

    def missed_hours(self, moments: tuple[ScheduledAction, ...], now: datetime) -> Self:
        """Plan again what could not be sent in the recipient's hours: an outage that ends at night wakes nobody."""
        updated, logged = self, {line.key for line in self.notifications.remembered}
        for action in moments:
            if key_of(self.notice_id, action) not in logged:
                updated = updated.replan()
                updated = updated.note(now, EventType.PUT_OFF, action.to, Reason.QUIET_HOURS, about_id=action.stage)
        return updated

    def retries(self, now: datetime) -> tuple[PendingDevice, ...]:
        """While a question waits, of nudges none but its own."""
        devices = self.notifications.devices
        if self.clock.stop(StopKind.QUESTION):
            devices = devices.drop(
                lambda device: device.moment is not None and device.moment.kind is not ActionType.QUESTION
            )
        return devices.due(now)

    def record_attempts(
        self,
        attempts: tuple[PendingDevice, ...],
        lines: tuple[DeliveryResult, ...],
        still_open: tuple[PendingDevice, ...],
    ) -> Self:
        """A failed alert is planned again, for somebody else."""
        updated = super().record_attempts(attempts, lines, still_open)
        alerts = any(attempt.moment and attempt.moment.kind is ActionType.ESCALATE for attempt in attempts)
        return updated.replan() if alerts and updated.notifications.failed_alerts else updated

    def suppress(self, moments: tuple[ScheduledAction, ...], reason: Reason, now: datetime) -> Self:
        return self.record_results(suppressed(self.notice_id, moments, reason), now)

    def left_out(
        self, missed: tuple[ScheduledAction, ...], too_soon: tuple[ScheduledAction, ...], now: datetime
    ) -> Self:
        """Log nudges that are not sent: `missed` in a pause or an outage, or too soon after another."""
        paused = tuple(action for action in missed if self.clock.was_paused(action.at))
        caught_up = tuple(action for action in missed if action not in paused)
        updated = self.suppress(paused, Reason.PAUSED, now).suppress(caught_up, Reason.CAUGHT_UP, now)
        return updated.suppress(too_soon, Reason.TOO_SOON, now)

    def alerts_among(self, moments: tuple[ScheduledAction, ...]) -> tuple[ScheduledAction, ...]:
        """Of these actions the escalations that somebody was alerted of, each once."""
        reached = {line.key for line in self.notifications.remembered if line.reached}
        escalated_people = {entry.from_ for entry in self.present_escalations}
        escalations = (
            action for action in moments if action.kind is ActionType.ESCALATE and action.person not in escalated_people
        )
        return tuple(action for action in escalations if key_of(self.notice_id, action) in reached)

    def alerted(self, moments: tuple[ScheduledAction, ...], now: datetime) -> Self:
        entries = (EscalationEntry(from_=m.person, to=m.to, reason=m.reason, at=now) for m in moments)
        return self.update_part("escalations", entries=(*self.escalated, *entries))

    def to_reassign(self, *reassignments: Reassignment) -> Self:
        return self.update_part("escalations", wanted=self.escalations.wanted + reassignments)

    def hands_over(self, action: ScheduledAction) -> bool:
        """Whether an escalation is to reassign a slot and that is still possible."""
        return action.hands_over and action.person not in self.escalations.refused

    def obstacle(self, reassignment: Reassignment) -> Message | None:
        """Why nobody can take this slot any more: of simultaneous reassignments the first counts."""
        slot = self.slots.find(reassignment.from_)
        if slot is None or slot.acted:
            return Rejection.HAS_HANDED_OVER.to_message(person=reassignment.from_)
        is_taken = self.slots.find(reassignment.to) is not None
        return (
            Rejection.ASKED_ALREADY.to_message(person=reassignment.to, awaited=self.vocabulary.awaited)
            if is_taken
            else None
        )

    def handed_over(self, reassignment: Reassignment, refused: Message | None, now: datetime) -> Self:
        """Record the result of a reassignment: done, or why not."""
        return (
            self.reassigned(reassignment, now) if refused is None else self.not_reassigned(reassignment, refused, now)
        )

    def reassigned(self, reassignment: Reassignment, now: datetime) -> Self:
        """A slot was reassigned: the old person's planned notifications are superseded, the new clock begins."""
        # An escalation that reassigns the slot has happened and was not left out. Reminders of an open question go to
        # the person who is to answer, not to the old holder.
        happened = () if reassignment.by_hand else (ActionType.ESCALATE, ActionType.ESCALATED)
        updated = self.giving_up((reassignment.from_,), Reason.SUPERSEDED, now, (*happened, ActionType.QUESTION))
        updated = updated.replace(
            slots=updated.slots.reassign(reassignment.from_, reassignment.to, now),
            escalations=self.escalations.reassigned(reassignment, now),
            commands=self.commands.mark_done(DELEGATE, f"handed over to {reassignment.to}", reassignment.subject_key),
        )
        updated = updated.replan().note(
            now,
            EventType.HANDED_OVER,
            reassignment.from_,
            reassignment.reason,
            about_id=reassignment.to,
            sender=reassignment.who,
        )
        return updated._with_open_question(reassignment, now)

    def not_reassigned(self, refused: Reassignment, refusal: Message, now: datetime) -> Self:
        """A reassignment failed; after an escalation, an alert is planned instead."""
        updated = self.replace(escalations=self.escalations.drop(refused))
        updated = updated.note(
            now, EventType.NOT_HANDED_OVER, refused.from_, refusal, about_id=refused.to, sender=refused.who
        )
        if refused.by_hand:
            return updated.replace(commands=self.commands.refused(DELEGATE, refusal, refused.subject_key))
        return updated.update_part("escalations", refused=(*self.escalations.refused, refused.from_)).replan()

    def turned_to(self, slots: Slots[Slot], now: datetime) -> Self:
        """The same with other slots. What was planned for those of before is given up, and the lines about them leave
        for the store; the due date stays.
        """
        everyone = tuple(slot.person for slot in self.slots.everyone)
        closed = self.giving_up(everyone, Reason.SUPERSEDED, now).go_on(StopKind.QUESTION, now)
        commands = closed.commands.refused(REMIND, _NEXT_TURN)
        for reassignment in closed.escalations.wanted:
            commands = (
                commands.refused(DELEGATE, _NEXT_TURN, reassignment.subject_key) if reassignment.by_hand else commands
            )
        plan = closed.plan
        return closed.replace(
            slots=slots,
            plan=Plan(window_from=plan.window_from, due=plan.due, revision=plan.revision),
            escalations=closed.escalations.put_away(),
            questions=closed.questions.replace(past=len(closed.questions.entries)),
            notifications=closed.notifications.put_away(),
            commands=commands,
        )

    def reminded(self, result: str) -> Self:
        """The requested reminder was sent; its operation says whom it reached."""
        return self.update_part("plan", reminder=None).replace(commands=self.commands.mark_done(REMIND, result))

    def expire(self, action: ScheduledAction, now: datetime) -> Self:
        """Request the end because the time is over; an earlier request to end keeps its outcome."""
        return self.close(Ending(outcome=Status.EXPIRED, who="countersign", why=action.reason_text), now)

    def end(self, status: Status, now: datetime, decided_by: str, problem: Problem | None = None) -> Self:
        """Also closes planned notifications."""
        everyone = tuple(slot.person for slot in self.slots.everyone)
        closed = self.giving_up(everyone, Reason.SETTLED, now)
        closed = closed.update_part("plan", schedule=None, planned_once=(), reminder=None).update_part(
            "escalations", wanted=()
        )
        return super(FollowUpState, closed).end(status, now, decided_by, problem)

    def answering_themselves(self, person: str, now: datetime) -> Self:
        """Close the open question of a person who acted or was replaced."""
        stop = self.clock.stop(StopKind.QUESTION)
        return self.go_on(StopKind.QUESTION, now) if stop and stop.who == person else self

    def _with_open_question(self, reassignment: Reassignment, now: datetime) -> Self:
        """Move an open question with the slot; a reassignment answers an obstacle."""
        waits = self.questions.waiting_of(reassignment.from_)
        if not waits:
            return self.answering_themselves(reassignment.from_, now)
        updated = self.replace(questions=self.questions.move_to(reassignment.from_, reassignment.to))
        blocks = [question for question in waits if question.blocks]
        for question in blocks:
            updated = updated.note(now, EventType.UNBLOCKED, reassignment.who, None, about_id=question.number)
        if blocks:
            return updated.answering_themselves(reassignment.from_, now)
        stops = (s.replace(who=reassignment.to) if s.kind is StopKind.QUESTION else s for s in updated.clock.stops)
        return updated.update_part("clock", stops=tuple(stops))

    def giving_up(
        self, people: tuple[str, ...], reason: Reason, now: datetime, but: tuple[ActionType, ...] = ()
    ) -> Self:
        """Log lines for planned notifications of these people that will not be sent."""
        unsent = self.unsent
        escalated = {entry.from_ for entry in self.present_escalations}
        handled_types = (ActionType.ESCALATE, *but)
        given_up = tuple(
            action
            for action in unsent
            if action.person in people
            and action.kind not in (handled_types if action.person in escalated else but)
            and (action.suppressed is None or action.at <= now)
        )
        remaining = tuple(action for action in unsent if action.person not in people)
        updated = self.update_part("plan", planned_once=remaining)
        updated = updated.replace(notifications=updated.notifications.without_held(people))
        return updated.without_devices(lambda device: device.concerns(people)).suppress(given_up, reason, now)


Following = TypeVar("Following", bound=FollowUpState)
