"""The next-step decision, pure: from schedule, state and time to the next move.

Shared by workflow, plan and rehearsal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.notification_log import PendingDevice, key_of
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.state import FollowUpState, Precondition
from workflows.model.commands import Stop, StopKind
from workflows.model.notifications import Channel, Notification, NotificationOrder, NotificationOutcome
from workflows.model.plan_reasons import PlanReason
from workflows.model.schedule import ActionType, EscalationReason, Schedule, ScheduledAction
from workflows.model.timeline import Reassignment

_NUDGES = (ActionType.REMIND, ActionType.WARN, ActionType.OVERDUE)
_LAST_WORDS = (ActionType.WARN, ActionType.OVERDUE)
"""Actions that are done even after the end, which waits for them."""
_LAST_WORD_GRACE = timedelta(hours=24)
"""How long an undelivered last warning delays the expiry."""
HORIZON = timedelta(days=2 * 365)
"""Nothing is planned further ahead."""
APART = timedelta(hours=1)
"""Least time between two nudges of a person, planned or requested."""
_LATE = timedelta(hours=1)
"""An action due for longer was missed in an outage."""


def too_close(instant: datetime, nudges: Iterable[datetime]) -> bool:
    """Whether an instant is within the least time between two nudges."""
    return any(abs(instant - nudge) < APART for nudge in nudges)


@dataclass(frozen=True)
class Remind:
    """`caught_up` are nudges that an outage made pointless, `too_soon` reminders within an hour of another nudge; both
    are only logged.
    """

    actions: tuple[ScheduledAction, ...]
    caught_up: tuple[ScheduledAction, ...] = ()
    too_soon: tuple[ScheduledAction, ...] = ()


@dataclass(frozen=True)
class Escalate:
    actions: tuple[ScheduledAction, ...]


@dataclass(frozen=True)
class AskAgain:
    actions: tuple[ScheduledAction, ...]


@dataclass(frozen=True)
class ResumeClocks:
    """Restart the clocks although the question was not answered."""

    action: ScheduledAction


@dataclass(frozen=True)
class Expire:
    action: ScheduledAction


@dataclass(frozen=True)
class Wait:
    """Nothing is due before `action`; None when nothing is planned."""

    action: ScheduledAction | None


Step = Remind | Escalate | AskAgain | ResumeClocks | Expire | Wait


def next_step(schedule: Schedule, state: FollowUpState, now: datetime) -> Step:
    """What to do at `now`. Total; nothing before its instant. Nudges precede escalation, escalation precedes expiry, so
    that nobody loses a request without a last warning and time to act. A person whose slot is reassigned now is not
    reminded first. While a question stops the clocks, only its own actions count.
    """
    pending = frozenset(signer.person for signer in state.slots.pending)
    escalated = frozenset(entry.from_ for entry in state.present_escalations)
    written = frozenset(
        line.person for line in state.notifications.remembered if line.reached and line.channel is not Channel.PUSH
    )
    logged_keys = state.notifications.logged_keys
    open_actions = [
        _postpone_held(action, schedule, state, now)
        for action in schedule.actions
        if _is_open(action, pending, escalated, written)
        and _is_clock_running(action, state)
        and key_of(state.notice_id, action) not in logged_keys
    ]
    due = [action for action in open_actions if action.at <= now]
    leaving = frozenset(action.person for action in due if state.hands_over(action))
    if nudges := [action for action in due if action.kind in _NUDGES and action.person not in leaving]:
        return _nudge(nudges, open_actions, state, now, is_over=now >= schedule.over_at)
    if due_notices := tuple(action for action in due if action.kind in (ActionType.ESCALATED, ActionType.FALLBACK)):
        return Remind(due_notices)
    if escalations := tuple(action for action in due if action.kind is ActionType.ESCALATE):
        return Escalate(escalations)
    if unanswered := _about_a_question(due):
        return unanswered
    if expiry := next((action for action in due if action.kind is ActionType.EXPIRE), None):
        return Expire(expiry)
    return Wait(min(open_actions, key=lambda action: action.at, default=None))


def needs_more_reminders(schedule: Schedule, state: FollowUpState) -> bool:
    """Whether a pending person's planned reminders are all logged, and more are to be planned."""
    waiting = {unplanned.person for unplanned in schedule.more} & {signer.person for signer in state.slots.pending}
    logged_keys = state.notifications.logged_keys
    unfinished_people = {
        action.person
        for action in schedule.actions
        if action.person in waiting
        and notification_types.reminder_number(action.stage, state.plan.revision)
        and key_of(state.notice_id, action) not in logged_keys
    }
    return bool(waiting - unfinished_people)


def spans_outage(actions: tuple[ScheduledAction, ...], state: FollowUpState, now: datetime) -> bool:
    """Whether an outage lies between plan and now, so that the recipients' hours must be checked again."""
    outage_before, planned_at = now - _LATE, state.plan.planned_at
    return any(action.at < outage_before for action in actions) and (planned_at is None or planned_at < outage_before)


def is_overtaken(step: Step, state: FollowUpState, now: datetime) -> bool:
    """Whether people heard something unplanned, so that the step would come too soon, and planning again is needed."""
    match step:
        case Escalate(moments):
            return any(_heard_since_the_plan(action, state) for action in moments)
        case Remind(too_soon=moments):
            lines = (line for action in moments for line in _heard_since_the_plan(action, state))
            return any(now - line.at < APART for line in lines)
        case _:
            return False


@dataclass(frozen=True)
class ReassignSlot:
    reassignment: Reassignment


@dataclass(frozen=True)
class PlanSchedule:
    pass


@dataclass(frozen=True)
class Pause:
    stop: Stop


@dataclass(frozen=True)
class Announce:
    notices: tuple[NotificationOrder, ...]


@dataclass(frozen=True)
class ImmediateReminder:
    pass


@dataclass(frozen=True)
class RetryDevices:
    devices: tuple[PendingDevice, ...]


Move = Precondition | ReassignSlot | PlanSchedule | Pause | Announce | ImmediateReminder | RetryDevices | Step


def find_next_move(state: FollowUpState, announcement: tuple[NotificationOrder, ...], now: datetime) -> Move:
    """The first move at `now`; total: at least a wait."""
    return next(moves(state, announcement, now))


def moves(state: FollowUpState, announcement: tuple[NotificationOrder, ...], now: datetime) -> Iterator[Move]:
    """All moves due at `now`, in order: act on the known, announce events, follow the schedule, retry devices."""
    due = tuple(order for order in announcement if not state.is_held(order, now))
    for move in before_the_agenda(state, due):
        if not (isinstance(move, ImmediateReminder) and is_reminder_held_back(state, now)):
            yield move
    if state.plan.schedule is not None:
        step = next_step(state.plan.schedule, state, now)
        if isinstance(step, Wait) and (devices := state.retries(now)):
            yield RetryDevices(devices)
        yield step


def list_requested_reminders(state: FollowUpState, now: datetime) -> tuple[ScheduledAction, ...]:
    reminder = state.plan.reminder
    if reminder is None:
        return ()
    stage = notification_types.reminder_by_hand(reminder.number)
    reasons = (PlanReason.REQUESTED.to_message(person=reminder.who),)
    return tuple(
        ScheduledAction(
            at=now, kind=ActionType.REMIND, stage=stage, person=signer.person, to=signer.person, reasons=reasons
        )
        for signer in state.slots.pending
        if (stage, signer.person) not in state.notifications.stages
    )


def select_sendable_reminders(state: FollowUpState, now: datetime) -> tuple[ScheduledAction, ...]:
    """Those of the requested reminders that no recent mail holds back."""
    return tuple(
        action
        for action in list_requested_reminders(state, now)
        if not state.notifications.waits_for_mail(action.to, now)
    )


def is_reminder_held_back(state: FollowUpState, now: datetime) -> bool:
    """Whether a recent mail holds back all requested reminders that are left."""
    return bool(list_requested_reminders(state, now)) and not select_sendable_reminders(state, now)


def before_the_agenda(state: FollowUpState, announcement: tuple[NotificationOrder, ...] = ()) -> Iterator[Move]:
    """The moves that precede the schedule; none waits for an instant."""
    yield from state.preconditions()
    yield from map(ReassignSlot, state.escalations.wanted)
    if state.plan.schedule is None or needs_more_reminders(state.plan.schedule, state):
        yield PlanSchedule()
    if stop := state.clock.stop(StopKind.PAUSE):
        yield Pause(stop)
    if announcement:
        yield Announce(announcement)
    if state.plan.reminder:
        yield ImmediateReminder()


def find_next_noticed_action(state: FollowUpState, now: datetime) -> ScheduledAction | None:
    """The next scheduled action that people notice; None when nothing more is planned."""
    if state.plan.schedule is None:
        return None
    match next_step(state.plan.schedule, state, now):
        case Wait(action) | Expire(action) | ResumeClocks(action):
            return action
        case Remind((), caught_up, too_soon):
            # This step notifies nobody: look at the one after it.
            return find_next_noticed_action(state.left_out(caught_up, too_soon, now), now)
        case Remind(moments) | Escalate(moments) | AskAgain(moments):
            return min(moments, key=lambda action: action.at)


def _heard_since_the_plan(action: ScheduledAction, state: FollowUpState) -> list[Notification]:
    """Nudges of a silent person that were unplanned or came at another time."""
    schedule, planned_at = state.plan.schedule, state.plan.planned_at
    if schedule is None or planned_at is None or action.reason is EscalationReason.ABSENCE:
        return []
    planned = {(action.stage, action.to): action.at for action in schedule.actions}
    lines = [line for line in _nudges_of(action.person, state) if line.at > planned_at]
    return [line for line in lines if line.at - planned.get((line.stage, line.person), planned_at) >= APART]


def _about_a_question(due: list[ScheduledAction]) -> AskAgain | ResumeClocks | None:
    if reminders := tuple(action for action in due if action.kind is ActionType.QUESTION):
        return AskAgain(reminders)
    return next((ResumeClocks(action) for action in due if action.kind is ActionType.GO_ON), None)


def _is_clock_running(action: ScheduledAction, state: FollowUpState) -> bool:
    """Whether the clocks run for this action; a question's stop has its own end, and its reminders never repeat."""
    is_question_open = state.clock.stop(StopKind.QUESTION) is not None
    if action.kind is ActionType.QUESTION:
        return all(line.stage != action.stage for line in state.notifications.remembered)
    return is_question_open is (action.kind is ActionType.GO_ON)


def _is_open(
    action: ScheduledAction, pending: frozenset[str], escalated: frozenset[str], reached_in_writing: frozenset[str]
) -> bool:
    """Whether the action still has a reason; `written` are people reached by mail or SMS."""
    match action.kind:
        case ActionType.FALLBACK:
            return action.person in pending and action.person not in reached_in_writing
        case ActionType.EXPIRE:
            return True
        case ActionType.ESCALATE:
            return action.person in pending and action.person not in escalated
        case ActionType.ESCALATED:
            return action.person in pending and action.person in escalated
        case _:
            return action.person in pending


def _postpone_held(action: ScheduledAction, schedule: Schedule, state: FollowUpState, now: datetime) -> ScheduledAction:
    if action.kind is ActionType.EXPIRE:
        return _waiting_for_the_last_word(action, schedule, state)
    retry_instants = [postponement.until for postponement in state.plan.postponed if postponement.person == action.to]
    mail_held_until = state.notifications.held_until(action.to, action.stage)
    held_action = action.replace(
        at=max(action.at, action.held_until or action.at, mail_held_until or action.at, *retry_instants)
    )
    return _space_after_nudge(held_action, schedule, state, now) if action.kind is ActionType.ESCALATED else held_action


def _space_after_nudge(
    notice: ScheduledAction, schedule: Schedule, state: FollowUpState, now: datetime
) -> ScheduledAction:
    """Moved to an hour after a coinciding nudge, if still within the person's hours."""
    earliest_at = max(notice.at, now)
    planned = [action.at for action in schedule.actions if action.person == notice.person and action.kind in _NUDGES]
    nudged = [line.at for line in _nudges_of(notice.person, state)]
    later = max(
        (nudged_at + APART for nudged_at in (*planned, *nudged) if nudged_at < earliest_at + APART), default=earliest_at
    )
    return (
        notice.replace(at=later)
        if earliest_at < later and (not notice.open_until or later < notice.open_until)
        else notice
    )


def _waiting_for_the_last_word(expiry: ScheduledAction, schedule: Schedule, state: FollowUpState) -> ScheduledAction:
    planned = {(action.stage, action.to): action.at for action in schedule.actions if action.kind in _LAST_WORDS}
    heeded = [
        line.at + _time_to_heed(line, planned.get((line.stage, line.person)), expiry.at)
        for line in state.notifications.remembered
        if notification_types.is_last_word(line.stage)
    ]
    held_until = [
        notification.until
        for notification in state.notifications.held
        if notification_types.is_last_word(notification.stage)
    ]
    return expiry.replace(at=max([expiry.at, *heeded, *held_until]))


def _time_to_heed(warning: Notification, planned_at: datetime | None, over_at: datetime) -> timedelta:
    """How long nothing expires after this last warning: a late one leaves as much time as planned, at most a day."""
    if warning.outcome is NotificationOutcome.FAILED:
        return _LAST_WORD_GRACE
    late = warning.reached and planned_at is not None and warning.at - planned_at > APART
    return min(over_at - planned_at, _LAST_WORD_GRACE) if late and planned_at is not None else timedelta()


def _nudge(
    due: list[ScheduledAction],
    open_actions: list[ScheduledAction],
    state: FollowUpState,
    now: datetime,
    *,
    is_over: bool,
) -> Remind:
    soon = [action for action in open_actions if action.kind in _NUDGES and now < action.at < now + APART]
    timely = [action for action in (*due, *soon) if not is_over or action.kind in _LAST_WORDS]
    strongest = {action.person: action for action in sorted(timely, key=_weight)}
    latest_due = tuple(action for action in strongest.values() if action in due)
    too_soon = tuple(
        action
        for action in latest_due
        if any(_says_enough(line, action) and now - line.at < APART for line in _nudges_of(action.person, state))
        or _was_due_before_the_first_word(action, state)
    )
    return Remind(
        actions=tuple(action for action in latest_due if action not in too_soon),
        caught_up=tuple(action for action in due if action not in latest_due),
        too_soon=too_soon,
    )


def _was_due_before_the_first_word(nudge: ScheduledAction, state: FollowUpState) -> bool:
    """Whether it is a reminder that was held back until now."""
    first = [
        line
        for line in state.notifications.remembered
        if line.stage == NotificationType.READY and line.person == nudge.person
    ]
    return nudge.kind is not ActionType.WARN and any(line.reached and nudge.at <= line.at for line in first)


def _weight(nudge: ScheduledAction) -> tuple[int, datetime]:
    return _NUDGES.index(nudge.kind), nudge.at


def _nudges_of(person: str, state: FollowUpState) -> list[Notification]:
    lines = [line for line in state.notifications.remembered if line.person == person and line.reached]
    return [line for line in lines if notification_types.is_nudge(line.stage)]


def _says_enough(line: Notification, nudge: ScheduledAction) -> bool:
    """Whether a nudge would repeat this one: a reminder any other, a last warning one of the same due date."""
    if nudge.kind is not ActionType.WARN:
        return True
    return notification_types.is_warning(line.stage) and notification_types.of_one_due_date(line.stage, nudge.stage)
