"""Commands of people on an open follow-up: cancel, remind, delegate, extend, pause, snooze, ask, answer.

For each a pure check (`refuse_…` returns the reason, else None) and a pure effect on the state; also their receipts.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

from temporalio import workflow

from workflows.command_words import PENDING
from workflows.follow_up.command_log import CommandLog
from workflows.follow_up.next_step import APART, HORIZON
from workflows.follow_up.state import Following, FollowUpState, LifecycleState, State
from workflows.model import receipts
from workflows.model.commands import (
    UPDATES,
    Answer,
    AnyCommand,
    Cancellation,
    Delegation,
    Ending,
    Exemption,
    Extension,
    PauseCommand,
    PlaceTaking,
    Question,
    ReminderCommand,
    Replay,
    Resumption,
    Retry,
    SnoozeCommand,
    Stop,
    StopKind,
    Take,
)
from workflows.model.messages import Message
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Policy
from workflows.model.rejections import NAMES_AT_MOST, Rejection, clipped, name_fault, reason_fault, text_fault
from workflows.model.schedule import ActionType, EscalationReason, Reason, Snooze
from workflows.model.subject import Status, Subject, group_of
from workflows.model.timeline import AskedQuestion, AskedReminder, EventType, Reassignment, handing_over
from workflows.model.views import NextAction
from workflows.names import EXTEND

REASSIGNMENTS_AT_MOST = 10
TAKEN_AT_MOST: Final = 50
"""Times that one of a group takes one request on; of each the others' notices are withdrawn."""
_OF_DUE_DATE = (ActionType.WARN, ActionType.OVERDUE)
"""Notices of one due date, which mean nothing once it is another."""
QUESTIONS_AT_MOST: Final = 50
"""Of one request or task, with what has blocked somebody: all of them are remembered, and shown each time."""
_SENTENCE_AT_MOST: Final = 240
"""Bytes, as the next one."""
_REASON_AT_MOST: Final = 60
_OUTSTANDING_AT_MOST: Final = 3


def refuse_cancel(state: LifecycleState, command: Cancellation) -> Message | None:
    """A repeated cancellation is accepted."""
    if state.status.has_ended and state.status is not Status.CANCELLED:
        return Rejection.TOO_LATE.to_message(subject=state.vocabulary.subject, status=state.status)
    return unfit(command.actor, command.reason) or (
        None if command.reason.strip() else Rejection.NO_REASON.to_message()
    )


def cancel(state: State, command: Cancellation, now: datetime) -> State:
    """The first cancellation counts."""
    if state.lifecycle.ending or state.status.has_ended:
        return state
    noted_state = state.note(now, EventType.CANCELLATION_ASKED, command.actor, command.reason, is_quote=True)
    return noted_state.close(
        Ending(outcome=Status.CANCELLED, who=command.actor, why=command.reason, told=command.told), now
    )


def refuse_take(state: LifecycleState, command: Take, subject: Subject) -> Message | None:
    if refusal := living_refusal(state) or unfit(command.actor) or name_fault(command.person, "--person"):
        return refusal
    if group_of(subject.requester) is None:
        return Rejection.NO_GROUP.to_message()
    if subject.notify_all:
        return Rejection.ALL_HEAR.to_message()
    if state.lifecycle.times_taken >= TAKEN_AT_MOST:
        return Rejection.TAKEN_TOO_OFTEN.to_message(subject=state.vocabulary.subject)
    is_taken = state.lifecycle.taken_by == command.person
    return Rejection.TAKEN_ALREADY.to_message(person=command.person) if is_taken else None


def take(state: State, command: Take, now: datetime) -> State:
    times = state.lifecycle.times_taken + 1
    updated = state.update_part("lifecycle", taken_by=command.person, times_taken=times)
    return updated.note(now, EventType.TAKEN, command.person, None)


def refuse_remind(state: FollowUpState, command: ReminderCommand, now: datetime) -> Message | None:
    if refusal := living_refusal(state) or unfit(command.actor):
        return refusal
    if not state.slots.pending:
        return Rejection.NOBODYS_TURN.to_message()
    if state.clock.stop(StopKind.PAUSE):
        return Rejection.PAUSED.to_message(subject=state.vocabulary.subject)
    people = [signer.person for signer in state.slots.pending]
    notified_at = [
        n.at for n in state.notifications.remembered if n.person in people and n.outcome is NotificationOutcome.ACCEPTED
    ]
    if notified_at and now - max(notified_at) < APART and not command.force:
        return Rejection.JUST_TOLD.to_message()
    return None


def remind(state: Following, command: ReminderCommand, now: datetime) -> Following:
    """Request a reminder for everyone whose turn it is; a pending one serves later requests too."""
    if state.plan.reminder:
        return state
    number = state.plan.reminders_asked + 1
    updated = state.update_part(
        "plan", reminders_asked=number, reminder=AskedReminder(number=number, who=command.actor)
    )
    return updated.note(now, EventType.REMINDER_ASKED, command.actor, None)


def refuse_delegate(state: FollowUpState, command: Delegation, requester: str) -> Message | None:
    """The reason as far as the state knows; Core Signature may still refuse."""
    if refusal := living_refusal(state) or unfit(command.actor) or name_fault(command.to, "--to"):
        return refusal
    return _cannot_give(state, command.signer) or _cannot_take(state, command.to, requester)


def delegate(state: Following, command: Delegation, now: datetime) -> Following:
    """Record the reassignment, which is then carried out at Core Signature."""
    reassignment = Reassignment(
        from_=command.signer, to=command.to, reason=EscalationReason.MANUAL, who=command.actor, force=command.force
    )
    repetitions = tuple(
        candidate
        for candidate in state.escalations.wanted
        if candidate.by_hand and candidate.subject_key == reassignment.subject_key
    )
    if any(repetition.force >= command.force for repetition in repetitions):
        return state
    remaining = tuple(reassignment for reassignment in state.escalations.wanted if reassignment not in repetitions)
    updated = state.update_part("escalations", wanted=(*remaining, reassignment))
    return updated.note(now, EventType.HAND_OVER_ASKED, command.signer, None, about_id=command.to, sender=command.actor)


def refuse_extend(state: LifecycleState, command: Extension, now: datetime) -> Message | None:
    if refusal := living_refusal(state) or unfit(command.actor, command.reason):
        return refusal
    day = command.due.date() if isinstance(command.due, datetime) else command.due
    if day > (now + HORIZON).date():
        return Rejection.TOO_FAR.to_message(day=command.due.isoformat())
    # Only the planner knows when a bare date's working day ends: today's may have ended.
    if isinstance(command.due, datetime):
        return Rejection.PAST.to_message(day=command.due.isoformat()) if command.due <= now else None
    if command.due > now.date():
        return None
    if command.due < now.date() - timedelta(days=1):
        return Rejection.PAST.to_message(day=command.due.isoformat())
    return Rejection.NEARLY_OVER.to_message(day=command.due.isoformat())


def extend(state: Following, command: Extension, now: datetime) -> Following:
    """Move due date and closing; warnings of the old date are superseded, and everything is planned again."""
    if state.plan.due == command.due:
        return state
    open_ = tuple(action for action in state.unsent if action.kind in _OF_DUE_DATE)
    updated = state.suppress(open_, Reason.SUPERSEDED, now)
    updated = updated.without_devices(lambda device: device.moment is not None and device.moment.kind in _OF_DUE_DATE)
    replanned_state = updated.update_part("plan", due=command.due, revision=state.plan.revision + 1).replan()
    reason = command.reason or None
    return replanned_state.note(
        now, EventType.DUE_MOVED, command.actor, reason, about_id=day_words(command.due), is_quote=reason is not None
    )


def refuse_pause(state: FollowUpState, command: PauseCommand) -> Message | None:
    if refusal := living_refusal(state) or unfit(command.actor, command.reason):
        return refusal
    stop = state.clock.stop(StopKind.PAUSE)
    return Rejection.PAUSED_ALREADY.to_message(who=stop.who) if stop else None


def pause(state: Following, command: PauseCommand, now: datetime) -> Following:
    stop = Stop(kind=StopKind.PAUSE, since=now, who=command.actor, says=command.reason)
    paused = state.replace(clock=state.clock.with_stop(stop))
    return paused.note(now, EventType.PAUSED, command.actor, command.reason or None, is_quote=True)


def refuse_resume(state: FollowUpState, command: Resumption) -> Message | None:
    if refusal := living_refusal(state) or unfit(command.actor):
        return refusal
    return None if state.clock.stop(StopKind.PAUSE) else Rejection.NOT_PAUSED.to_message()


def resume(state: Following, command: Resumption, now: datetime) -> Following:
    return state.go_on(StopKind.PAUSE, now).note(now, EventType.RESUMED, command.actor, None)


def snoozes_left(state: FollowUpState, policy: Policy, person: str) -> int:
    """How often this signer may still say "not now"."""
    used = sum(snooze.person == person for snooze in state.plan.snoozes)
    return max(policy.snooze - used, 0)


def latest_snoozes(state: FollowUpState, now: datetime) -> dict[str, datetime | None]:
    """The latest snooze of each pending person: their last warning, else the due date; after that the closing."""
    people = [slot.person for slot in state.slots.pending]
    if state.is_overdue(now):
        return dict.fromkeys(people, state.closes_at)
    warnings = sorted((action.at, action.person) for action in state.plan.actions if action.kind is ActionType.WARN)
    last = {person: warned_at for warned_at, person in warnings}
    return {person: last.get(person, state.due_at) for person in people}


def reminded_at(state: FollowUpState, person: str, now: datetime) -> datetime | None:
    reminder_instants = [snooze.until for snooze in state.plan.snoozes if snooze.person == person]
    return reminder_instants[-1] if reminder_instants and reminder_instants[-1] > now else None


def refuse_snooze(state: FollowUpState, policy: Policy, command: SnoozeCommand, now: datetime) -> Message | None:
    if refusal := not_their_turn(state, command.person):
        return refusal
    if not snoozes_left(state, policy, command.person):
        return Rejection.NO_LATER_REMINDER.to_message()
    if command.until <= now:
        return Rejection.TIME_PAST.to_message()
    # Without a closing there is no `latest`; the last instants of datetime cannot be converted to UTC.
    if command.until > now + HORIZON:
        return Rejection.TOO_FAR.to_message(day=command.until.isoformat())
    latest = latest_snoozes(state, now).get(command.person)
    if latest is None or command.until <= latest:
        return None
    return (Rejection.AFTER_CLOSING if state.is_overdue(now) else Rejection.AFTER_WARNING).to_message()


def snooze(state: Following, command: SnoozeCommand, now: datetime) -> Following:
    """No reminder before then, and one then."""
    number = 1 + sum(snooze.person == command.person for snooze in state.plan.snoozes)
    new_snooze = Snooze(person=command.person, until=command.until, number=number)
    updated = state.update_part("plan", snoozes=(*state.plan.snoozes, new_snooze)).replan()
    return updated.note(now, EventType.SNOOZED, command.person, None, about_id=day_words(command.until))


def living_refusal(state: LifecycleState) -> Message | None:
    if state.status.has_ended:
        return Rejection.TOO_LATE.to_message(subject=state.vocabulary.subject, status=state.status)
    if state.lifecycle.ending is None:
        return None
    return Rejection.TOO_LATE.to_message(
        subject=state.vocabulary.subject, status=f"being {state.lifecycle.ending.outcome}"
    )


def not_their_turn(state: FollowUpState, person: str) -> Message | None:
    """Why this person's commands are not accepted: it has ended, or it is not their turn."""
    if refusal := living_refusal(state):
        return refusal
    pending = any(signer.person == person for signer in state.slots.pending)
    return None if pending else Rejection.NOT_THEIR_TURN.to_message(person=person)


def unfit(actor: str, reason: str = "") -> Message | None:
    """Why names and texts are not accepted: they stay in the state, which is bounded, and are displayed."""
    return name_fault(actor) or reason_fault(reason)


def day_words(due: datetime | date) -> str:
    """An instant to the minute, or a day, in words."""
    return f"{due.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if isinstance(due, datetime) else due.isoformat()


def refuse_ask(state: FollowUpState, command: Question) -> Message | None:
    if refusal := not_their_turn(state, command.person):
        return refusal
    if state.questions.open(state.slots):
        return Rejection.QUESTION_OPEN.to_message()
    return refuse_another(state) or text_fault(command.text, "the question")


def refuse_another(state: FollowUpState) -> Message | None:
    full = len(state.questions.entries) >= QUESTIONS_AT_MOST
    return Rejection.TOO_MANY_QUESTIONS.to_message(most=QUESTIONS_AT_MOST) if full else None


def ask(state: Following, command: Question, now: datetime) -> Following:
    """Stop the clocks until the requester answers or the policy's time for it is over."""
    number = state.questions.next_number
    updated = ask_of(state, command.person, command.text, now)
    return updated.note(now, EventType.QUESTION_ASKED, command.person, None, about_id=number)


def ask_of(state: Following, person: str, text: str, now: datetime, *, blocks: bool = False) -> Following:
    """The state with a question or obstacle of a person, which stops the clocks."""
    number = state.questions.next_number
    question = AskedQuestion(number=number, person=person, text=text.strip(), at=now, blocks=blocks)
    stop = Stop(kind=StopKind.QUESTION, since=now, who=person)
    updated = state.replace(questions=state.questions.add_question(question)).replan()
    return updated.replace(clock=updated.clock.with_stop(stop))


def refuse_answer(state: FollowUpState, command: Answer, *, blocks: bool = False) -> Message | None:
    """Why there is no open question, or none with this `blocks`."""
    if refusal := living_refusal(state) or unfit(command.actor):
        return refusal
    question = state.questions.open(state.slots)
    if question is None or question.blocks is not blocks:
        return (Rejection.NOT_BLOCKED if blocks else Rejection.NO_QUESTION).to_message(subject=state.vocabulary.subject)
    return reason_fault(command.text, "the note") if blocks else text_fault(command.text, "the answer")


def answer(state: Following, command: Answer, now: datetime) -> Following:
    """Answer the open question; the clocks go on, and its reminders are dropped."""
    question = state.questions.open(state.slots)
    if question is None:
        return state
    reminders = tuple(action for action in state.unsent if action.kind is ActionType.QUESTION)
    updated = state.suppress(reminders, Reason.ANSWERED, now)
    updated = updated.replace(questions=state.questions.answered(question.number, command.text.strip())).replan()
    updated = updated.go_on(StopKind.QUESTION, now)
    event_type = EventType.UNBLOCKED if question.blocks else EventType.QUESTION_ANSWERED
    return updated.note(now, event_type, command.actor, None, about_id=question.number)


class ReceiptView(Protocol):
    """What a receipt takes from the view of any kind."""

    @property
    def says(self) -> str:
        """The state in one sentence."""

    @property
    def next(self) -> NextAction | None:
        """What happens next."""


def attributed(state: State, former_state: State, command: AnyCommand) -> State:
    """With the sender in each entry of the timeline that the effect of the command has added."""
    actor = command.attribution
    return state.replace(timeline=state.timeline.attributed(former_state.timeline, actor)) if actor else state


def recorded(state: State, id: str, command: AnyCommand, now: datetime) -> State:
    """The state after the command's effect, with its operation in the log."""
    to_do = _to_do(state, command)
    operation = receipts.Operation(
        id=id,
        what=UPDATES[type(command)],
        digest=receipts.digest_of(command),
        at=now,
        by=command.sender,
        state=receipts.OperationState.OPEN if to_do else receipts.OperationState.DONE,
        says=to_do or _describe_result(state, command),
        about=_read_subject_id(command),
    )
    return state.replace(commands=state.commands.record(operation))


def update_id() -> str:
    """The id of the update that is being handled."""
    info = workflow.current_update_info()
    if info is None:
        raise RuntimeError("commands come by updates only")
    return info.id


def refused(operations: CommandLog, id: str, command: AnyCommand, refusal: Message | None) -> Message | None:
    """Why a command is refused, else None; a repetition of an accepted one passes, unless its content differs."""
    operation = operations.find_operation(id)
    if operation is not None:
        return None if operation.digest == receipts.digest_of(command) else receipts.OTHER_CONTENT
    if fault := refusal or _unfit(command):
        return fault
    return (
        None
        if len(id.encode()) <= receipts.ID_AT_MOST
        else Rejection.OP_TOO_LONG.to_message(op=id[: receipts.ID_AT_MOST])
    )


def receipt(state: LifecycleState, view: ReceiptView, operation: receipts.Operation) -> receipts.Receipt:
    """The receipt of an operation: its state and the request's."""
    waiting = state.commands.open
    return receipts.Receipt(
        id=state.id,
        status=state.current_status,
        op=operation.id.removeprefix(f"{operation.what}-"),
        says=clipped(view.says, _SENTENCE_AT_MOST),
        state=operation.state,
        detail=operation.detail,
        refusal=operation.refusal,
        digest=operation.digest,
        next=_short(view.next) if view.next else None,
        outstanding=tuple(
            receipts.OutstandingCommand(what=operation.what, since=operation.at.replace(microsecond=0))
            for operation in waiting[:_OUTSTANDING_AT_MOST]
        ),
        further=len(waiting[_OUTSTANDING_AT_MOST:]),
    )


def _cannot_give(state: FollowUpState, person: str) -> Message | None:
    signer = state.slots.find(person)
    if signer is None:
        vocabulary = state.vocabulary
        return Rejection.NOT_ASKED.to_message(person=person, awaited=vocabulary.awaited, subject=vocabulary.subject)
    if signer.replaced:
        return Rejection.HAS_HANDED_OVER.to_message(person=person)
    if signer.acted:
        return Rejection.HAS_ACTED.to_message(person=person, state=signer.state)
    return None if signer.turn_at else Rejection.NOT_YET_THEIR_TURN.to_message(person=person)


def _cannot_take(state: FollowUpState, person: str, requester: str) -> Message | None:
    if person == requester:
        return Rejection.ASKED_FOR_IT.to_message(person=person, what=state.vocabulary.not_the_owner)
    if slot := state.slots.find(person):
        rejection = Rejection.ASKED_BEFORE if slot.replaced else Rejection.ASKED_ALREADY
        return rejection.to_message(person=person, awaited=state.vocabulary.awaited)
    handed_over = sum(slot.replaced for slot in state.slots.everyone)
    handed_over += sum(reassignment.by_hand for reassignment in state.escalations.wanted)
    too_often = Rejection.HANDED_OVER_TOO_OFTEN.to_message(subject=state.vocabulary.subject)
    return too_often if handed_over >= REASSIGNMENTS_AT_MOST else None


def _read_subject_id(command: AnyCommand) -> str:
    match command:
        case Delegation():
            return handing_over(command.signer, command.to)
        case Exemption() | Extension() | PlaceTaking() | Retry():
            return command.person
        case Replay():
            return command.target
    return ""


def _to_do(state: LifecycleState, command: AnyCommand) -> str | None:
    match command:
        case Cancellation():
            return None if state.status.has_ended else state.vocabulary.cancelling
        case Exemption() | Retry() if isinstance(state, FollowUpState):
            return None
        case PlaceTaking() if isinstance(state, FollowUpState) and not state.awaits_place(command.person):
            return None
        case Extension():
            pending = PENDING[EXTEND].format(due=day_words(command.due))
            return pending if state.is_extended_later else None
    pending = PENDING.get(UPDATES[type(command)], "")
    return pending.format(about=_read_subject_id(command)) or None


def _describe_result(state: LifecycleState, command: AnyCommand) -> str:
    match command:
        case Cancellation():
            return state.status
        case Extension():
            return f"due {day_words(command.due)}"
    return state.timeline.entries[-1].what


def _unfit(command: AnyCommand) -> Message | None:
    """Checks every text of a command, also of one that nothing else checks: all are stored, so all are bounded."""
    for name, value in vars(command).items():
        if isinstance(value, str) and (fault := reason_fault(value, name)):
            return fault
        if isinstance(value, tuple) and (fault := _unfit_names(value, name)):
            return fault
    return None


def _unfit_names(names: tuple[str, ...], field: str) -> Message | None:
    if len(names) > NAMES_AT_MOST:
        return Rejection.TOO_MANY_NAMES.to_message(what=field, most=NAMES_AT_MOST)
    return next(filter(None, (name_fault(name, field) for name in names)), None)


def _short(following: NextAction) -> NextAction:
    due_at = following.at.replace(microsecond=0) if following.at else None
    return following.replace(at=due_at, why=clipped(following.why, _REASON_AT_MOST))
