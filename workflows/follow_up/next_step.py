"""The pure decision: given what was planned, what has happened and the time, what is to be done next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.notification_log import PendingDevice, key_of
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.state import FollowUpState, Precondition
from workflows.model.commands import Stop, StopKind
from workflows.model.notifications import Channel, Notification, NotificationOrder, NotificationOutcome
from workflows.model.schedule import ActionType, EscalationReason, Schedule, ScheduledAction
from workflows.model.timeline import Reassignment

_NUDGES = (ActionType.REMIND, ActionType.WARN, ActionType.OVERDUE)
_LAST_WORDS = (ActionType.WARN, ActionType.OVERDUE)
"""What is said even when the time is over, and then holds the ending."""
_LAST_WORD = timedelta(hours=24)
"""A last word that nobody's phone took holds the expiry for this long."""
HORIZON = timedelta(days=2 * 365)
"""Nothing is planned further ahead than two years."""
APART = timedelta(hours=1)
"""Nobody is nudged twice within this time, neither by plan nor by hand."""
_LATE = timedelta(hours=1)
"""What is due for longer was missed in an outage."""


def too_close(at: datetime, nudges: Iterable[datetime]) -> bool:
    """Whether an instant is nearer to one of these than nudges of one person may be."""
    return any(abs(at - nudge) < APART for nudge in nudges)


@dataclass(frozen=True)
class Remind:
    """Tell the signers of `moments`, be it of their own turn or of an escalation.

    `caught_up` are older nudges of theirs that an outage made pointless, `too_soon` reminders that would follow another
    nudge within the hour.
    """

    moments: tuple[ScheduledAction, ...]
    caught_up: tuple[ScheduledAction, ...] = ()
    too_soon: tuple[ScheduledAction, ...] = ()


@dataclass(frozen=True)
class Escalate:
    """Tell the alternates of `moments` who has not acted."""

    moments: tuple[ScheduledAction, ...]


@dataclass(frozen=True)
class AskAgain:
    """Tell those of `moments` that a signer's question still waits for its answer."""

    moments: tuple[ScheduledAction, ...]


@dataclass(frozen=True)
class GoOn:
    """Let the clocks go on, although the question they stand for was not answered."""

    moment: ScheduledAction


@dataclass(frozen=True)
class Expire:
    """End the request: its time is over."""

    moment: ScheduledAction


@dataclass(frozen=True)
class Wait:
    """Nothing is due before `moment`; None when nothing is planned at all."""

    moment: ScheduledAction | None


Step = Remind | Escalate | AskAgain | GoOn | Expire | Wait


def next_step(agenda: Schedule, progress: FollowUpState, now: datetime) -> Step:
    """What to do at `now`. Total: every agenda and progress has an answer; nothing is done before its instant.

    Nudges come before escalation and escalation before expiry, so that nobody loses a request without the last word
    and the time to heed it; but whose place is handed over this instant is not reminded of it first. While the clocks
    stand for a question, only what that one needs is done.
    """
    pending = frozenset(signer.person for signer in progress.awaited.pending)
    escalated = frozenset(entry.from_ for entry in progress.escalations)
    written = frozenset(one.person for one in progress.notifications if one.reached and one.channel is not Channel.PUSH)
    known = progress.ledger.known
    ahead = [
        _held(moment, agenda, progress, now)
        for moment in agenda.moments
        if _is_open(moment, pending, escalated, written)
        and _is_time(moment, progress)
        and key_of(progress.request, moment) not in known
    ]
    due = [moment for moment in ahead if moment.at <= now]
    leaving = frozenset(one.person for one in due if progress.hands_over(one))
    if nudges := [moment for moment in due if moment.kind in _NUDGES and moment.person not in leaving]:
        return _nudge(nudges, ahead, progress, now, is_over=now >= agenda.over_at)
    if heard := tuple(moment for moment in due if moment.kind in (ActionType.ESCALATED, ActionType.FALLBACK)):
        return Remind(heard)
    if escalations := tuple(moment for moment in due if moment.kind is ActionType.ESCALATE):
        return Escalate(escalations)
    if unanswered := _about_a_question(due):
        return unanswered
    if expiry := next((moment for moment in due if moment.kind is ActionType.EXPIRE), None):
        return Expire(expiry)
    return Wait(min(ahead, key=lambda moment: moment.at, default=None))


def is_used_up(agenda: Schedule, progress: FollowUpState) -> bool:
    """Whether all reminders that the plan has of somebody have their line, and more of theirs are to be planned."""
    waiting = {one.person for one in agenda.more} & {signer.person for signer in progress.awaited.pending}
    known = progress.ledger.known
    left = {
        moment.person
        for moment in agenda.moments
        if moment.person in waiting
        and notification_types.reminder_number(moment.stage, progress.revision)
        and key_of(progress.request, moment) not in known
    }
    return bool(waiting - left)


def was_away(moments: tuple[ScheduledAction, ...], progress: FollowUpState, now: datetime) -> bool:
    """Whether an outage separates the plan from now, so that the recipients' hours must be looked at again."""
    late, planned_at = now - _LATE, progress.planned_at
    return any(moment.at < late for moment in moments) and (planned_at is None or planned_at < late)


def is_overtaken(step: Step, progress: FollowUpState, now: datetime) -> bool:
    """Whether people have heard something that the plan does not know of, so that the step would come too soon.

    A plan that knows of it leaves them their time before somebody else is told, and uses up no reminder.
    """
    match step:
        case Escalate(moments):
            return any(_heard_since_the_plan(one, progress) for one in moments)
        case Remind(too_soon=moments):
            lines = (line for one in moments for line in _heard_since_the_plan(one, progress))
            return any(now - line.at < APART for line in lines)
        case _:
            return False


def _heard_since_the_plan(moment: ScheduledAction, progress: FollowUpState) -> list[Notification]:
    """The nudges of a silent person that were not planned, or came at another time."""
    agenda, planned_at = progress.agenda, progress.planned_at
    if agenda is None or planned_at is None or moment.reason is EscalationReason.ABSENCE:
        return []
    planned = {(one.stage, one.to): one.at for one in agenda.moments}
    lines = [line for line in _nudges_of(moment.person, progress) if line.at > planned_at]
    return [line for line in lines if line.at - planned.get((line.stage, line.person), planned_at) >= APART]


def _about_a_question(due: list[ScheduledAction]) -> AskAgain | GoOn | None:
    if asked := tuple(moment for moment in due if moment.kind is ActionType.QUESTION):
        return AskAgain(asked)
    return next((GoOn(moment) for moment in due if moment.kind is ActionType.GO_ON), None)


def _is_time(moment: ScheduledAction, progress: FollowUpState) -> bool:
    """Whether the clocks go on for it; an open question has one of its own, and tells nobody the same again."""
    stands = progress.stop(StopKind.QUESTION) is not None
    if moment.kind is ActionType.QUESTION:
        return all(line.stage != moment.stage for line in progress.notifications)
    return stands is (moment.kind is ActionType.GO_ON)


def _is_open(
    moment: ScheduledAction, pending: frozenset[str], escalated: frozenset[str], written: frozenset[str]
) -> bool:
    """Whether there is still a reason for it; `written` are those whom a mail or an SMS has reached."""
    match moment.kind:
        case ActionType.FALLBACK:
            return moment.person in pending and moment.person not in written
        case ActionType.EXPIRE:
            return True
        case ActionType.ESCALATE:
            return moment.person in pending and moment.person not in escalated
        case ActionType.ESCALATED:
            return moment.person in pending and moment.person in escalated
        case _:
            return moment.person in pending


def _held(moment: ScheduledAction, agenda: Schedule, progress: FollowUpState, now: datetime) -> ScheduledAction:
    if moment.kind is ActionType.EXPIRE:
        return _waiting_for_the_last_word(moment, agenda, progress)
    again = [one.until for one in progress.held if one.person == moment.to]
    enough = progress.ledger.held_until(moment.to, moment.stage)
    held = moment.replace(at=max(moment.at, moment.held_until or moment.at, enough or moment.at, *again))
    return _apart(held, agenda, progress, now) if moment.kind is ActionType.ESCALATED else held


def _apart(heard: ScheduledAction, agenda: Schedule, progress: FollowUpState, now: datetime) -> ScheduledAction:
    """Moved to an hour after any nudge it would coincide with, if that is still within their hours."""
    at = max(heard.at, now)
    planned = [one.at for one in agenda.moments if one.person == heard.person and one.kind in _NUDGES]
    nudged = [line.at for line in _nudges_of(heard.person, progress)]
    later = max((one + APART for one in (*planned, *nudged) if one < at + APART), default=at)
    return heard.replace(at=later) if at < later and (not heard.open_until or later < heard.open_until) else heard


def _waiting_for_the_last_word(expiry: ScheduledAction, agenda: Schedule, progress: FollowUpState) -> ScheduledAction:
    planned = {(moment.stage, moment.to): moment.at for moment in agenda.moments if moment.kind in _LAST_WORDS}
    heeded = [
        line.at + _time_to_heed(line, planned.get((line.stage, line.person)), expiry.at)
        for line in progress.notifications
        if notification_types.is_last_word(line.stage)
    ]
    held = [one.until for one in progress.ledger.held if notification_types.is_last_word(one.stage)]
    return expiry.replace(at=max([expiry.at, *heeded, *held]))


def _time_to_heed(word: Notification, planned_at: datetime | None, over_at: datetime) -> timedelta:
    """How long nothing expires after this last word: a late one leaves as much time as was planned, at most a day."""
    if word.outcome is NotificationOutcome.FAILED:
        return _LAST_WORD
    late = word.reached and planned_at is not None and word.at - planned_at > APART
    return min(over_at - planned_at, _LAST_WORD) if late and planned_at is not None else timedelta()


def _nudge(
    due: list[ScheduledAction], ahead: list[ScheduledAction], progress: FollowUpState, now: datetime, *, is_over: bool
) -> Remind:
    soon = [moment for moment in ahead if moment.kind in _NUDGES and now < moment.at < now + APART]
    timely = [moment for moment in (*due, *soon) if not is_over or moment.kind in _LAST_WORDS]
    latest = {moment.person: moment for moment in sorted(timely, key=_weight)}
    kept = tuple(one for one in latest.values() if one in due)
    too_soon = tuple(
        moment
        for moment in kept
        if any(_says_enough(line, moment) and now - line.at < APART for line in _nudges_of(moment.person, progress))
        or _was_due_before_the_first_word(moment, progress)
    )
    return Remind(
        moments=tuple(moment for moment in kept if moment not in too_soon),
        caught_up=tuple(moment for moment in due if moment not in kept),
        too_soon=too_soon,
    )


def _was_due_before_the_first_word(nudge: ScheduledAction, progress: FollowUpState) -> bool:
    """Whether it reminds somebody of what was held back from them until now."""
    first = [
        line for line in progress.notifications if line.stage == NotificationType.READY and line.person == nudge.person
    ]
    return nudge.kind is not ActionType.WARN and any(line.reached and nudge.at <= line.at for line in first)


def _weight(nudge: ScheduledAction) -> tuple[int, datetime]:
    return _NUDGES.index(nudge.kind), nudge.at


def _nudges_of(person: str, progress: FollowUpState) -> list[Notification]:
    """The nudges that have reached this person."""
    lines = [line for line in progress.notifications if line.person == person and line.reached]
    return [line for line in lines if notification_types.is_nudge(line.stage)]


def _says_enough(line: Notification, nudge: ScheduledAction) -> bool:
    """Whether a nudge would only repeat this one: a reminder any other, a last warning one of the same due date."""
    if nudge.kind is not ActionType.WARN:
        return True
    return notification_types.is_warning(line.stage) and notification_types.of_one_due_date(line.stage, nudge.stage)


@dataclass(frozen=True)
class ReassignSlot:
    """Give somebody's place to somebody else."""

    wanted: Reassignment


@dataclass(frozen=True)
class PlanSchedule:
    """Turn policy, people and now into instants."""


@dataclass(frozen=True)
class Paused:
    """Do nothing: somebody has paused it."""

    stop: Stop


@dataclass(frozen=True)
class Announce:
    """Tell people what has happened."""

    notices: tuple[NotificationOrder, ...]


@dataclass(frozen=True)
class RemindNow:
    """Send the reminder that somebody asked for."""


@dataclass(frozen=True)
class RetryDevices:
    """Try again phones that were left open."""

    stragglers: tuple[PendingDevice, ...]


Move = Precondition | ReassignSlot | PlanSchedule | Paused | Announce | RemindNow | RetryDevices | Step


def next_action(memory: FollowUpState, announcement: tuple[NotificationOrder, ...], now: datetime) -> Move:
    """What to do at `now`; total: there is always something, be it to wait."""
    return next(moves(memory, announcement, now))


def moves(memory: FollowUpState, announcement: tuple[NotificationOrder, ...], now: datetime) -> Iterator[Move]:
    """Everything that wants to be done at `now`, in the one order.

    First what is known already is acted on, then people are told what has happened, then the agenda is followed, as far
    as there is one; phones that were left open come last, for nothing waits for them. `announcement` is what has
    happened and whoever is concerned was not told yet.
    """
    yield from before_the_agenda(memory, tuple(one for one in announcement if not memory.is_held(one, now)))
    if memory.agenda is not None:
        step = next_step(memory.agenda, memory, now)
        if isinstance(step, Wait) and (stragglers := memory.again(now)):
            yield RetryDevices(stragglers)
        yield step


def before_the_agenda(memory: FollowUpState, announcement: tuple[NotificationOrder, ...] = ()) -> Iterator[Move]:
    """The moves that come before any step of the agenda: none of them waits for an instant of it."""
    yield from memory.firsts()
    yield from map(ReassignSlot, memory.reassigning)
    if memory.agenda is None or is_used_up(memory.agenda, memory):
        yield PlanSchedule()
    if stop := memory.stop(StopKind.PAUSE):
        yield Paused(stop)
    if announcement:
        yield Announce(announcement)
    if memory.reminder:
        yield RemindNow()


def next_moment(memory: FollowUpState, now: datetime) -> ScheduledAction | None:
    """The moment of the agenda that comes next for people; None when nothing more is planned."""
    if memory.agenda is None:
        return None
    match next_step(memory.agenda, memory, now):
        case Wait(moment) | Expire(moment) | GoOn(moment):
            return moment
        case Remind((), caught_up, too_soon):
            # Nobody is told anything by this step, so what comes after it is next.
            return next_moment(memory.left_out(caught_up, too_soon, now), now)
        case Remind(moments) | Escalate(moments) | AskAgain(moments):
            return min(moments, key=lambda moment: moment.at)
