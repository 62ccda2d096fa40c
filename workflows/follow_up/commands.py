"""What people do to a living request: each wish has a refusal, in words for whoever wished it, and an effect. Pure."""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

from temporalio import workflow

from workflows.follow_up.command_log import CommandLog
from workflows.follow_up.next_step import APART, HORIZON
from workflows.follow_up.state import FollowUpState, State
from workflows.model.commands import (
    INSIST,
    UPDATES,
    Answer,
    AnyCommand,
    Cancellation,
    Command,
    Delegation,
    Ending,
    Exemption,
    Extension,
    NotNow,
    PauseCommand,
    Question,
    ReminderNow,
    Replay,
    Resumption,
    Retry,
    Stop,
    StopKind,
)
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Policy
from workflows.model.receipts import (
    ID_AT_MOST,
    OTHER_CONTENT,
    Operation,
    OperationState,
    Outstanding,
    Receipt,
    digest_of,
)
from workflows.model.rejections import NAMES_AT_MOST, Rejection, clipped, name_fault, reason_fault, text_fault
from workflows.model.schedule import ActionType, EscalationReason, Reason, Snooze
from workflows.model.subject import Status
from workflows.model.timeline import AskedQuestion, AskedReminder, EventType, Reassignment, handing_over
from workflows.model.views import Next

REASSIGNMENTS_AT_MOST = 10
_OF_DUE_DATE = (ActionType.WARN, ActionType.OVERDUE)
"""Notices of one due date, which mean nothing once it is another."""


def refuse_cancel(progress: FollowUpState, wish: Cancellation) -> str | None:
    """Why the request cannot be cancelled any more, or not like this; a repeated cancellation is harmless."""
    if progress.status.ended and progress.status is not Status.CANCELLED:
        return Rejection.TOO_LATE.says(subject=progress.words.subject, status=progress.status)
    return unfit(wish.actor, wish.reason) or (None if wish.reason.strip() else Rejection.NO_REASON.says())


def cancel(progress: State, wish: Cancellation, now: datetime) -> State:
    """Remember who wants the request ended; the first wish counts."""
    if progress.ending or progress.status.ended:
        return progress
    asked = progress.note(now, EventType.CANCELLATION_WISHED, wish.actor, wish.reason, said=True)
    return asked.close(Ending(outcome=Status.CANCELLED, who=wish.actor, why=wish.reason, told=wish.told), now)


def refuse_remind(progress: FollowUpState, wish: ReminderNow, now: datetime) -> str | None:
    """Why nobody can be reminded now."""
    if why := living_refusal(progress) or unfit(wish.actor):
        return why
    if not progress.awaited.pending:
        return Rejection.NOBODYS_TURN.says()
    if progress.stop(StopKind.PAUSE):
        return Rejection.PAUSED.says(subject=progress.words.subject)
    people = [signer.person for signer in progress.awaited.pending]
    told = [n.at for n in progress.notifications if n.person in people and n.outcome is NotificationOutcome.ACCEPTED]
    if told and now - max(told) < APART and not wish.force:
        return f"{Rejection.JUST_TOLD.says()}{INSIST}"
    return None


def remind(progress: State, wish: ReminderNow, now: datetime) -> State:
    """Have everyone told whose turn it is; a reminder that is still to be sent serves whoever asks meanwhile."""
    if progress.reminder:
        return progress
    number = progress.reminders_asked + 1
    asked = progress.replace(reminders_asked=number, reminder=AskedReminder(number=number, who=wish.actor))
    return asked.note(now, EventType.REMINDER_WISHED, wish.actor, None)


def refuse_delegate(progress: FollowUpState, wish: Delegation, requester: str) -> str | None:
    """Why `to` cannot be asked instead of `signer`, as far as the request itself knows."""
    if why := living_refusal(progress) or unfit(wish.actor) or name_fault(wish.to, "--to"):
        return why
    return _cannot_give(progress, wish.signer) or _cannot_take(progress, wish.to, requester)


def delegate(progress: State, wish: Delegation, now: datetime) -> State:
    """Remember the hand-over; it is done at Core Signature, which may still refuse it."""
    wanted = Reassignment(
        from_=wish.signer, to=wish.to, reason=EscalationReason.MANUAL, who=wish.actor, force=wish.force
    )
    same = tuple(one for one in progress.reassigning if one.by_hand and one.about == wanted.about)
    if any(one.force >= wish.force for one in same):
        return progress
    others = tuple(one for one in progress.reassigning if one not in same)
    known = progress.replace(reassigning=(*others, wanted))
    return known.note(now, EventType.HAND_OVER_WISHED, wish.signer, None, about=wish.to, by=wish.actor)


def refuse_extend(progress: FollowUpState, wish: Extension, now: datetime) -> str | None:
    """Why the due date cannot be moved there."""
    if why := living_refusal(progress) or unfit(wish.actor, wish.reason):
        return why
    day = wish.due.date() if isinstance(wish.due, datetime) else wish.due
    if day > (now + HORIZON).date():
        return Rejection.TOO_FAR.says(day=wish.due.isoformat())
    # Of a bare date only the planner knows the end of the working day: today may be over already.
    if isinstance(wish.due, datetime):
        return Rejection.PAST.says(day=wish.due.isoformat()) if wish.due <= now else None
    if wish.due > now.date():
        return None
    if wish.due < now.date() - timedelta(days=1):
        return Rejection.PAST.says(day=wish.due.isoformat())
    return Rejection.NEARLY_OVER.says(day=wish.due.isoformat())


def extend(progress: State, wish: Extension, now: datetime) -> State:
    """Move the due date, and the closing with it; its warnings are superseded, and everything is planned anew."""
    if progress.due == wish.due:
        return progress
    open_ = tuple(moment for moment in progress.unsent if moment.kind in _OF_DUE_DATE)
    known = progress.suppress(open_, Reason.SUPERSEDED, now)
    known = known.without_stragglers(lambda one: one.moment is not None and one.moment.kind in _OF_DUE_DATE)
    moved = known.replace(due=wish.due, revision=progress.revision + 1).replan()
    why = wish.reason or None
    return moved.note(now, EventType.DUE_MOVED, wish.actor, why, about=day_words(wish.due), said=why is not None)


def refuse_pause(progress: FollowUpState, wish: PauseCommand) -> str | None:
    """Why the request cannot be paused."""
    if why := living_refusal(progress) or unfit(wish.actor, wish.reason):
        return why
    stop = progress.stop(StopKind.PAUSE)
    return Rejection.PAUSED_ALREADY.says(who=stop.who) if stop else None


def pause(progress: State, wish: PauseCommand, now: datetime) -> State:
    """Let the clocks stand and tell nobody anything until it is resumed."""
    stop = Stop(kind=StopKind.PAUSE, since=now, who=wish.actor, says=wish.reason)
    return progress.stand(stop).note(now, EventType.PAUSED, wish.actor, wish.reason or None, said=True)


def refuse_resume(progress: FollowUpState, wish: Resumption) -> str | None:
    """Why the request cannot be resumed."""
    if why := living_refusal(progress) or unfit(wish.actor):
        return why
    return None if progress.stop(StopKind.PAUSE) else Rejection.NOT_PAUSED.says()


def resume(progress: State, wish: Resumption, now: datetime) -> State:
    """Let the clocks go on."""
    return progress.go_on(StopKind.PAUSE, now).note(now, EventType.RESUMED, wish.actor, None)


def snoozes_left(progress: FollowUpState, policy: Policy, person: str) -> int:
    """How often this signer may still say "not now"."""
    used = sum(snooze.person == person for snooze in progress.snoozes)
    return max(policy.snooze - used, 0)


def latest_snoozes(progress: FollowUpState, now: datetime) -> dict[str, datetime | None]:
    """Until when each whose turn it is may say "not now".

    Their last warning, else the due date; after that the closing.
    """
    people = [one.person for one in progress.awaited.pending]
    if progress.is_overdue(now):
        return dict.fromkeys(people, progress.closes_at)
    moments = progress.agenda.moments if progress.agenda else ()
    warnings = sorted((moment.at, moment.person) for moment in moments if moment.kind is ActionType.WARN)
    last = {person: at for at, person in warnings}
    return {person: last.get(person, progress.due_at) for person in people}


def reminded_at(progress: FollowUpState, person: str, now: datetime) -> datetime | None:
    """When this signer asked to be reminded, if that is still to come."""
    wanted = [snooze.until for snooze in progress.snoozes if snooze.person == person]
    return wanted[-1] if wanted and wanted[-1] > now else None


def refuse_snooze(progress: FollowUpState, policy: Policy, wish: NotNow, now: datetime) -> str | None:
    """Why this signer cannot be reminded at another time."""
    if why := not_their_turn(progress, wish.person):
        return why
    if not snoozes_left(progress, policy, wish.person):
        return Rejection.NO_LATER_REMINDER.says()
    if wish.until <= now:
        return Rejection.TIME_PAST.says()
    # What never closes has no `latest`; the last instants of all are not even to be said in UTC.
    if wish.until > now + HORIZON:
        return Rejection.TOO_FAR.says(day=wish.until.isoformat())
    latest = latest_snoozes(progress, now).get(wish.person)
    if latest is None or wish.until <= latest:
        return None
    return (Rejection.AFTER_CLOSING if progress.is_overdue(now) else Rejection.AFTER_WARNING).says()


def snooze(progress: State, wish: NotNow, now: datetime) -> State:
    """No reminder before then, and one then."""
    number = 1 + sum(one.person == wish.person for one in progress.snoozes)
    one = Snooze(person=wish.person, until=wish.until, number=number)
    known = progress.replace(snoozes=(*progress.snoozes, one)).replan()
    return known.note(now, EventType.SNOOZED, wish.person, None, about=day_words(wish.until))


def living_refusal(progress: FollowUpState) -> str | None:
    """Why nothing can be done to it any more."""
    if progress.status.ended:
        return Rejection.TOO_LATE.says(subject=progress.words.subject, status=progress.status)
    if progress.ending is None:
        return None
    return Rejection.TOO_LATE.says(subject=progress.words.subject, status=f"being {progress.ending.outcome}")


def _cannot_give(progress: FollowUpState, person: str) -> str | None:
    signer = progress.awaited.of(person)
    if signer is None:
        words = progress.words
        return Rejection.NOT_ASKED.says(person=person, awaited=words.awaited, subject=words.subject)
    if signer.replaced:
        return Rejection.HAS_HANDED_OVER.says(person=person)
    if signer.acted:
        return Rejection.HAS_ACTED.says(person=person, state=signer.state)
    return None if signer.turn_at else Rejection.NOT_YET_THEIR_TURN.says(person=person)


def _cannot_take(progress: FollowUpState, person: str, requester: str) -> str | None:
    if person == requester:
        return Rejection.ASKED_FOR_IT.says(person=person, what=progress.words.not_the_owner)
    if known := progress.awaited.of(person):
        before = Rejection.ASKED_BEFORE if known.replaced else Rejection.ASKED_ALREADY
        return before.says(person=person, awaited=progress.words.awaited)
    handed_over = sum(place.replaced for place in progress.awaited.everyone)
    handed_over += sum(wanted.by_hand for wanted in progress.reassigning)
    too_often = Rejection.HANDED_OVER_TOO_OFTEN.says(subject=progress.words.subject)
    return too_often if handed_over >= REASSIGNMENTS_AT_MOST else None


def not_their_turn(progress: FollowUpState, person: str) -> str | None:
    """Why somebody can wish nothing of it: it has ended, or it is not their turn."""
    if why := living_refusal(progress):
        return why
    pending = any(signer.person == person for signer in progress.awaited.pending)
    return None if pending else Rejection.NOT_THEIR_TURN.says(person=person)


def unfit(actor: str, reason: str = "") -> str | None:
    """All of this stays in the memory of the request, which has a limit, and is shown to people as it is."""
    return name_fault(actor) or reason_fault(reason)


def day_words(when: datetime | date) -> str:
    """An instant to the minute, or a day."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if isinstance(when, datetime) else when.isoformat()


QUESTIONS_AT_MOST: Final = 50
"""Of one request or task, with what has blocked somebody: all of them are remembered, and shown each time."""


def refuse_ask(progress: FollowUpState, wish: Question) -> str | None:
    """Why this question cannot be asked."""
    if why := not_their_turn(progress, wish.person):
        return why
    if open_question(progress):
        return Rejection.QUESTION_OPEN.says()
    return refuse_another(progress) or text_fault(wish.text, "the question")


def refuse_another(progress: FollowUpState) -> str | None:
    """Why no further question can be remembered."""
    full = len(progress.questions) >= QUESTIONS_AT_MOST
    return Rejection.TOO_MANY_QUESTIONS.says(most=QUESTIONS_AT_MOST) if full else None


def ask(progress: State, wish: Question, now: datetime) -> State:
    """Let the clocks stand until the requester has answered, or has let the policy's time for it pass."""
    number = len(progress.questions) + 1
    question = AskedQuestion(number=number, person=wish.person, text=wish.text.strip(), at=now)
    stop = Stop(kind=StopKind.QUESTION, since=now, who=wish.person)
    known = progress.replace(questions=(*progress.questions, question)).replan().stand(stop)
    return known.note(now, EventType.QUESTION_ASKED, wish.person, None, about=number)


def open_question(progress: FollowUpState) -> AskedQuestion | None:
    """The question that waits for an answer."""

    def waits(question: AskedQuestion) -> bool:
        asker = progress.awaited.of(question.holder)
        return question.answer is None and asker is not None and not asker.acted

    return next(filter(waits, progress.questions), None)


def question_words(question: AskedQuestion) -> str:
    """What stands in the way, as people read it."""
    if question.blocks:
        return f"blocked by {question.person}"
    return f"question {question.number} of {question.person} waits for an answer"


def refuse_answer(progress: FollowUpState, wish: Answer, *, blocks: bool = False) -> str | None:
    """Why there is nothing to answer, or nothing that `blocks`."""
    if why := living_refusal(progress) or unfit(wish.actor):
        return why
    question = open_question(progress)
    if question is None or question.blocks is not blocks:
        return (Rejection.NOT_BLOCKED if blocks else Rejection.NO_QUESTION).says(subject=progress.words.subject)
    return reason_fault(wish.text, "the note") if blocks else text_fault(wish.text, "the answer")


def answer(progress: State, wish: Answer, now: datetime) -> State:
    """Answer the open question; the clocks go on, and nobody is reminded of it any more."""
    question = open_question(progress)
    if question is None:
        return progress
    answered = tuple(
        one.replace(answer=wish.text.strip()) if one.number == question.number else one for one in progress.questions
    )
    reminders = tuple(moment for moment in progress.unsent if moment.kind is ActionType.QUESTION)
    known = progress.suppress(reminders, Reason.ANSWERED, now).replace(questions=answered).replan()
    known = known.go_on(StopKind.QUESTION, now)
    told = EventType.UNBLOCKED if question.blocks else EventType.QUESTION_ANSWERED
    return known.note(now, told, wish.actor, None, about=question.number)


_SENTENCE_AT_MOST: Final = 240
"""Bytes, as the next one."""
_REASON_AT_MOST: Final = 60
_OUTSTANDING_AT_MOST: Final = 3


class ReceiptView(Protocol):
    """Of whatever a kind of follow-up shows, what a receipt says."""

    @property
    def says(self) -> str:
        """It all in one sentence."""

    @property
    def next(self) -> Next | None:
        """What happens next."""


def recorded(progress: State, id: str, wish: AnyCommand, now: datetime) -> State:
    """The memory once a wish has had its effect: its line says that it is done, or what is still to be done."""
    to_do = _to_do(progress, wish)
    one = Operation(
        id=id,
        what=UPDATES[type(wish)],
        digest=digest_of(wish),
        at=now,
        by=wish.actor if isinstance(wish, Command) else wish.person,
        state=OperationState.OPEN if to_do else OperationState.DONE,
        says=to_do or _done(progress, wish),
        about=_about(wish),
    )
    return progress.replace(operations=progress.operations.record(one))


def _about(wish: AnyCommand) -> str:
    match wish:
        case Delegation():
            return handing_over(wish.signer, wish.to)
        case Exemption():
            return wish.person
        case Replay():
            return wish.target
    return ""


def _to_do(progress: FollowUpState, wish: AnyCommand) -> str | None:
    says: str | None = None
    match wish:
        case Cancellation() if not progress.status.ended:
            says = progress.words.cancelling
        case ReminderNow():
            says = "tell everyone whose turn it is"
        case Replay():
            says = f"hand off to {wish.target} once more"
        case Delegation():
            says = f"hand over from {_about(wish)}"
        case Exemption() | Retry():
            says = "write it down, and see to whom it is about"
        case Extension() if progress.agenda is None and (progress.window_from or not progress.awaited.everyone):
            says = f"plan anew for {day_words(wish.due)}"
    return says


def _done(progress: FollowUpState, wish: AnyCommand) -> str:
    match wish:
        case Cancellation():
            return progress.status
        case Extension():
            return f"due {day_words(wish.due)}"
    return progress.timeline[-1].what


def update_id() -> str:
    """The id under which a wish was sent."""
    info = workflow.current_update_info()
    if info is None:
        raise RuntimeError("wishes are made by updates only")
    return info.id


def refused(operations: CommandLog, id: str, wish: AnyCommand, refusal: str | None) -> str | None:
    """What stands in the way of a wish; repeating what was taken is harmless, unless it is something else."""
    known = operations.of(id)
    if known is not None:
        return None if known.digest == digest_of(wish) else OTHER_CONTENT
    if why := refusal or _unfit(wish):
        return why
    return None if len(id.encode()) <= ID_AT_MOST else f"{id[:ID_AT_MOST]}… is too long a name"


def _unfit(wish: AnyCommand) -> str | None:
    """Of every text of every wish, also of one that nothing else looks at: what is kept has a bound."""
    for name, value in vars(wish).items():
        if isinstance(value, str) and (why := reason_fault(value, name)):
            return why
        if isinstance(value, tuple) and (why := _unfit_names(value, name)):
            return why
    return None


def _unfit_names(names: tuple[str, ...], what: str) -> str | None:
    if len(names) > NAMES_AT_MOST:
        return f"{what} names more than {NAMES_AT_MOST} people"
    return next(filter(None, (name_fault(one, what) for one in names)), None)


def receipt(progress: FollowUpState, shown: ReceiptView, operation: Operation) -> Receipt:
    """How an operation and its request stand."""
    waiting = progress.operations.open
    return Receipt(
        id=progress.request,
        status=progress.current_status,
        op=operation.id.removeprefix(f"{operation.what}-"),
        says=clipped(shown.says, _SENTENCE_AT_MOST),
        state=operation.state,
        detail=operation.says,
        digest=operation.digest,
        next=_short(shown.next) if shown.next else None,
        outstanding=tuple(
            Outstanding(what=one.what, since=one.at.replace(microsecond=0)) for one in waiting[:_OUTSTANDING_AT_MOST]
        ),
        further=len(waiting[_OUTSTANDING_AT_MOST:]),
    )


def _short(following: Next) -> Next:
    at = following.at.replace(microsecond=0) if following.at else None
    return following.replace(at=at, why=clipped(following.why, _REASON_AT_MOST))
