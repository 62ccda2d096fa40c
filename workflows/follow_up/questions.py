"""A question of somebody whose turn it is, or what blocks them: asked, answered, and until then in the way. Pure."""

from datetime import datetime
from typing import Final

from workflows.follow_up.memory import FollowUpState, State
from workflows.follow_up.operations import living_refusal, not_their_turn, unfit
from workflows.model.entries import AskedQuestion
from workflows.model.happened import EventType
from workflows.model.objections import Rejection
from workflows.model.planning import ActionType, Reason
from workflows.model.texts import reason_fault, text_fault
from workflows.model.wishes import Answer, Question, Stop, StopKind

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
