"""What somebody may do on their page beside signing, as far as request or task, policy and directory allow it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.language import phrase
from activities.person import Person
from activities.reader import Reader
from starter.page.not_now import SnoozeTime, times
from starter.page.screens import FormAction
from starter.page.who_asks import StandIns
from starter.wishes import CommandRefused
from workflows.follow_up.stages import NotificationType, kind_of
from workflows.kinds import Kind, WorkflowName
from workflows.model.entries import AskedQuestion
from workflows.model.lines import Choices
from workflows.model.task import ToDecide
from workflows.model.texts import plain
from workflows.model.views import Shown, TaskShow
from workflows.model.wishes import (
    Answer,
    AnyCommand,
    Block,
    Decision,
    Delegation,
    Done,
    NotNow,
    PartOutcome,
    Question,
    Unblock,
)
from workflows.onboarding.part import DECISION, decided_onboarding

DECISIONS: Final = {
    FormAction.AGAIN: PartOutcome.RESEND,
    FormAction.GO_ON: PartOutcome.WAIVE,
    FormAction.STOP: PartOutcome.STOP,
}
"""What is decided on the page of a task to decide; a replacement needs a file, so it is for the command."""
CANNOT_TAKE: Final = phrase("it cannot be handed over to this person any more")
CANNOT_WAIT: Final = phrase("it cannot be put off until then any more")


@dataclass(frozen=True)
class Offers:
    """What the forms of one page may wish; by default nothing."""

    turn: bool = False
    """Whether they may wish for something: what is not on offer any more is then refused in words."""
    snoozes_left: int = 0
    times: tuple[SnoozeTime, ...] = ()
    """Until when it may be put off; also when nothing is left, so that a form that is sent twice is the same wish."""
    takers: tuple[Person, ...] = ()
    """To whom they may hand over."""
    find: bool = False
    """Whether there are more colleagues than are named, of whom one is looked for by name."""
    nobody: bool = False
    """Whether nobody has the name that was looked for."""
    ask: bool = False
    does: bool = False
    """Whether it is a task, that they may say is done, or stuck."""
    answers: bool = False
    """Whether it is done by an answer, for which the page has its own field."""
    decides: ToDecide | None = None
    """The part of an onboarding about which they decide."""
    question: AskedQuestion | None = None
    """The one to answer."""

    def wish(self, person: str, form: Mapping[str, str]) -> AnyCommand | None:
        """What `person` wishes by this form, None when they may wish for nothing, or nothing that can be read.

        Raises `CommandRefused` when their place cannot be handed over to whom the form says, or when it is to be put
        off until a time that is not on offer; of everything else the request itself knows what stands in its way.
        """
        return self._decision(person, form) or self._other(person, form)

    def _decision(self, person: str, form: Mapping[str, str]) -> Decision | None:
        act = as_decision(form.get("act", ""))
        if self.decides is None or act is None:
            return None
        reason = plain(form.get("text", "")).strip()
        return Decision(actor=person, part=self.decides.part, choice=DECISIONS[act], reason=reason)

    def _other(self, person: str, form: Mapping[str, str]) -> AnyCommand | None:
        value, text = form.get("value", ""), plain(form.get("text", ""))
        match form.get("act"):
            case FormAction.LATER if self.turn:
                return self._putting_off(person, value)
            case FormAction.HAND_OVER if self.turn:
                return self._handing_over(person, value)
            case FormAction.ASK if self.turn:
                return Question(person=person, text=text)
            case (FormAction.DONE | FormAction.BLOCK) as act if self.does:
                return Done(actor=person, note=text) if act == FormAction.DONE else Block(person=person, because=text)
            case FormAction.ANSWER | FormAction.UNBLOCK if self.question and value == str(self.question.number):
                return (Unblock if self.question.blocks else Answer)(actor=person, text=text)
        return None

    def _putting_off(self, person: str, until: str) -> NotNow:
        at = next((later.at for later in self.times if later.at.isoformat() == until), None)
        if at is None:
            raise CommandRefused(CANNOT_WAIT)
        return NotNow(person=person, until=at)

    def _handing_over(self, person: str, to: str) -> Delegation:
        if all(to != taker.id for taker in self.takers):
            raise CommandRefused(CANNOT_TAKE)
        return Delegation(actor=person, signer=person, to=to)


NOTHING: Final = Offers()


def to_decide(shown: Shown) -> WorkflowName | None:
    """The onboarding on whose page is decided what a task asks to decide: to say that it is done decides nothing."""
    about = decided_onboarding(shown.id) if shown.type is Kind.TASK and shown.kind == DECISION else None
    return WorkflowName(Kind.ONBOARDING, about) if about else None


def as_decision(act: str) -> FormAction | None:
    """The act of a form that decides; None for any other."""
    return next((one for one in DECISIONS if one == act), None)


def choices_of(shown: Shown, person: str) -> Choices | None:
    """What it lets somebody choose who was asked; None when it is not their turn, or when nobody knows."""
    return next((one for one in shown.choices if one.person == person), None)


def to_awaited(shown: Shown, person: str, stand_ins: StandIns, reader: Reader, now: datetime) -> Offers:
    """What somebody whose turn it is may do; `stand_ins` are those to whom they might hand over."""
    choices = choices_of(shown, person)
    if choices is None:
        return NOTHING
    return Offers(
        turn=True,
        snoozes_left=choices.snoozes_left,
        times=times(reader, now, choices.snooze_until),
        takers=tuple(one for one in stand_ins.people if choices.hand_over and _can_take(shown, one, now)),
        find=choices.hand_over and stand_ins.find,
        nobody=choices.hand_over and stand_ins.nobody,
        ask=choices.ask,
        does=shown.type is Kind.TASK and to_decide(shown) is None,
        answers=isinstance(shown, TaskShow) and shown.answer is not None,
        decides=shown.decides if isinstance(shown, TaskShow) else None,
    )


def to_onlooker(shown: Shown, person: str) -> Offers:
    """What an onlooker may do: answer the question that is open, if it was put to them."""
    return Offers(question=shown.question) if may_answer(shown, person) else NOTHING


def may_answer(shown: Shown, person: str) -> bool:
    """Whether questions are for somebody to read and answer: the requester, and who was told that one is unanswered."""
    told = (line.person for line in shown.notifications if kind_of(line.stage) is NotificationType.UNANSWERED)
    return person == shown.requester or person in told


def _can_take(shown: Shown, person: Person, now: datetime) -> bool:
    concerned = (shown.requester, *(line.person for line in shown.lines))
    return person.id not in concerned and not person.absent_at(now)
