"""The words of what somebody may do beside signing, or of a task, and of what came of it. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, Self

from activities.calendar.wall_clock import at_clock
from activities.notifications.words import isolated
from activities.people.language import Language, phrase
from activities.people.person import Person
from activities.people.reader import Reader
from starter.queries.commands import CommandRefused
from starter.web.screens import Exchange, FormAction, OptionButton, PageOption, Screen, StandIns
from starter.web.status import UNNAMED, Called
from workflows.follow_up.next_step import APART
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import (
    Answer,
    AnyCommand,
    Block,
    Cancellation,
    Command,
    Decision,
    Delegation,
    Done,
    Extension,
    NotNow,
    PartOutcome,
    PauseCommand,
    Question,
    ReminderNow,
    Resumption,
    Unblock,
    Waiver,
)
from workflows.model.rejections import plain
from workflows.model.signature import SignerState
from workflows.model.subject import ToDecide
from workflows.model.timeline import AskedQuestion
from workflows.model.views import AttentionCode, Choices, OnboardingShow, Shown, TaskShow
from workflows.onboarding.state import DECISION, decided_onboarding
from workflows.task.state import AssigneeState

_EVENING: Final = time(18)
_MORNING: Final = time(9)
_DAY: Final = timedelta(days=1)
_LOOK_AHEAD: Final = 31


@dataclass(frozen=True)
class SnoozeTime:
    """A time at which somebody may be reminded; `name` is in English."""

    name: str
    at: datetime


def times(reader: Reader, now: datetime, latest: datetime | None) -> tuple[SnoozeTime, ...]:
    """The times that lie on the reader's clock at least an hour after `now` and not after `latest`; earliest first."""
    return tuple(later for later in _times(reader, now) if now + APART <= later.at <= (latest or later.at))


def _times(reader: Reader, now: datetime) -> Iterator[SnoozeTime]:
    today = reader.day(now)
    yield SnoozeTime(phrase("This evening"), at_clock(today, _EVENING, reader.zone))
    yield SnoozeTime(phrase("Tomorrow morning"), at_clock(today + _DAY, _MORNING, reader.zone))
    working = next((day for day in _days_after(today) if reader.works(day)), None)
    if working is not None and working > today + _DAY:
        yield SnoozeTime(phrase("The next working day"), at_clock(working, _MORNING, reader.zone))


def _days_after(today: date) -> Iterator[date]:
    return (today + step * _DAY for step in range(1, _LOOK_AHEAD))


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


_CALENDAR_HINT: Final = phrase("The due date stays as it is.")
_HAND_OVER_HINT: Final = phrase("Your own link then stops working. This cannot be taken back.")
_FIND_HINT: Final = phrase("You see whom you choose before anything is handed over.")
_ASK_HINT: Final = phrase(
    "Whoever asked for this gets your question. Reminders wait for the answer, for a limited time."
)
ANSWER_HINT: Final = phrase("Whoever asked gets your answer, and reminders go on.")
UNBLOCK_HINT: Final = phrase("Whoever could not go on gets your words, and reminders go on.")
DONE_HINT: Final = phrase("It is then done for everybody who was asked. This cannot be taken back.")
AGAIN_HINT: Final = phrase("It begins once more as it was, and whoever is asked hears of it.")
GO_ON_HINT: Final = phrase("The stage no longer waits for it.")
STOP_HINT: Final = phrase("Its open parts end for good, no more begin, and everybody concerned is told.")
WRITING: Final = {
    FormAction.ASK: (
        phrase("Ask a question"),
        phrase("What would you like to know?"),
        phrase("Send the question"),
        _ASK_HINT,
    ),
    FormAction.ANSWER: (phrase("Answer the question"), phrase("Your answer"), phrase("Send the answer"), ANSWER_HINT),
    FormAction.DONE: (phrase("Mark as done, with a note"), phrase("Your note"), phrase("Mark as done"), DONE_HINT),
    FormAction.BLOCK: (
        phrase("I cannot go on, because …"),
        phrase("What is stopping you?"),
        phrase("Send this"),
        phrase("Whoever asked for this hears why. Reminders wait until the way is clear, for a limited time."),
    ),
    FormAction.UNBLOCK: (
        phrase("Clear the way"),
        phrase("How can it go on?"),
        phrase("It can go on"),
        UNBLOCK_HINT,
    ),
    FormAction.AGAIN: (phrase("Send again"), phrase("Why"), phrase("Send again"), AGAIN_HINT),
    FormAction.GO_ON: (phrase("Go on without it"), phrase("Why"), phrase("Go on without it"), GO_ON_HINT),
    FormAction.STOP: (phrase("Stop the onboarding"), phrase("Why"), phrase("Stop the onboarding"), STOP_HINT),
}
"""What a form with a text says: its title, the text's label, the button and the hint."""
_TO_BE_ANSWERED: Final = (FormAction.ANSWER, FormAction.UNBLOCK)


def with_offers(screen: Screen, offers: Offers, reader: Reader) -> Screen:
    """The screen with a form for each thing that is on offer."""
    return replace(screen, options=tuple(_options(offers, reader)))


def with_wishes_of(screen: Screen, shown: Shown, person: str, reader: Reader, called: Called = UNNAMED) -> Screen:
    """The signer's screen with what they have wished so far: when they are reminded, and what they asked.

    A question that came with the place of somebody else is theirs as well.
    """
    choices = choices_of(shown, person)
    at = choices.reminded_at if choices and screen.banner is None else None
    reminded = (reader.language.say("You will be reminded on {when}.", when=reader.instant(at)),) if at else ()
    return replace(
        screen,
        sentences=(*screen.sentences, *reminded),
        exchanges=_exchanges_of(shown, person, screen.language, called),
    )


def with_own_questions(screen: Screen, shown: Shown, person: str) -> Screen:
    """The screen of somebody whose place was given away: what they asked, for the answer was promised to them."""
    exchanges = _exchanges_of(shown, person, screen.language, UNNAMED)
    if not any(one.answer is None and one.person == person for one in shown.questions):
        return replace(screen, exchanges=exchanges)
    goes_along = screen.language.say("Your question went with it. We will tell you when it is answered.")
    return replace(screen, sentences=(*screen.sentences, goes_along), exchanges=exchanges)


def _exchanges_of(shown: Shown, person: str, language: Language, called: Called) -> tuple[Exchange, ...]:
    return tuple(
        _exchange(one, language, "" if one.person == person else called.get(one.person, one.person))
        for one in shown.questions
        if person in (one.person, one.to)
    )


def with_banner(screen: Screen, done: str, shown: Shown, person: str, reader: Reader) -> Screen:
    """The screen with a line about what was just done there, by its act; an address that says so is no proof."""
    return replace(screen, banner=_done(done, shown, person, reader))


def with_successor(screen: Screen, shown: Shown, person: str, stand_ins: Iterable[Person]) -> Screen:
    """The screen of somebody whose place was given away: of whoever is asked now only their own stand-in is named."""
    given = [one.to for one in shown.escalations if one.from_ == person]
    successor = next((one for one in stand_ins if one.id in given), None)
    if successor is None:
        return screen
    say = screen.language.say
    named = say("{name} is asked instead of you.", name=isolated(successor.name))
    return replace(screen, sentences=(named, say("Nothing is left for you to do here.")))


def _done(done: str, shown: Shown, person: str, reader: Reader) -> str | None:
    say, choices = reader.language.say, choices_of(shown, person)
    match done:
        case FormAction.LATER if choices and choices.reminded_at:
            return say("Put off. You will be reminded on {when}.", when=reader.instant(choices.reminded_at))
        case FormAction.ASK if any(one.person == person and one.answer is None for one in shown.questions):
            return say("Your question was sent. We will tell you when it is answered.")
        case FormAction.BLOCK if any(
            one.person == person and one.blocks and one.answer is None for one in shown.questions
        ):
            return say("Sent. Whoever asked for this hears why. Reminders are paused.")
        case FormAction.ANSWER | FormAction.UNBLOCK if shown.answered and may_answer(shown, person):
            return say("Your answer was sent.")
    return None


def with_questions(screen: Screen, shown: Shown, person: str, called: Called = UNNAMED) -> Screen:
    """The onlooker's screen with what signers have asked: for whoever is to answer; of others, what they asked."""
    if not may_answer(shown, person):
        return replace(screen, exchanges=_exchanges_of(shown, person, screen.language, called))
    return replace(
        screen,
        exchanges=tuple(_exchange(one, screen.language, called.get(one.person, one.person)) for one in shown.questions),
    )


def writing(act: FormAction, value: str, language: Language) -> PageOption:
    """The form of a question or an answer; raises `KeyError` for an act without a text."""
    title, field, label, hint = (language.say(text) for text in WRITING[act])
    needed = act not in (FormAction.DONE, FormAction.AGAIN)
    leads = act in _TO_BE_ANSWERED
    return PageOption(
        act, title, hint, (OptionButton(value, label),), field, needed=needed, unfolded=leads, leads=leads
    )


def _options(offers: Offers, reader: Reader) -> Iterator[PageOption]:
    language = reader.language
    if offers.question:
        act = FormAction.UNBLOCK if offers.question.blocks else FormAction.ANSWER
        yield writing(act, str(offers.question.number), language)
    if offers.does and not offers.answers:
        yield writing(FormAction.DONE, "", language)
    if offers.decides:
        yield from (writing(act, choice, language) for act, choice in DECISIONS.items())
    if offers.times and offers.snoozes_left:
        yield _later(offers, reader)
    yield from _handing_over(offers, language)
    if offers.does and offers.ask:
        yield writing(FormAction.BLOCK, "", language)
    if offers.ask:
        yield writing(FormAction.ASK, "", language)


def _handing_over(offers: Offers, language: Language) -> Iterator[PageOption]:
    """One button for each who may take it; where they are many, first a field for the name."""
    say = language.say
    if offers.takers:
        label = phrase("Hand over to {name}")
        choices = tuple(
            OptionButton(one.id, say(label, name=isolated(one.name)), one.department or "" if offers.find else "")
            for one in offers.takers
        )
        yield PageOption(FormAction.HAND_OVER, say("Hand over"), say(_HAND_OVER_HINT), choices, unfolded=offers.find)
    if offers.find:
        title = say("Look for somebody else") if offers.takers else say("Hand over")
        hint = say("None of your colleagues has this name.") if offers.nobody else say(_FIND_HINT)
        find = (OptionButton("", say("Look for them")),)
        yield PageOption(
            FormAction.FIND, title, hint, find, say("Name of your colleague"), lines=1, unfolded=offers.nobody
        )


def _later(offers: Offers, reader: Reader) -> PageOption:
    say, say_count = reader.language.say, reader.language.say_count
    choices = tuple(
        OptionButton(later.at.isoformat(), say(later.name), reader.instant(later.at)) for later in offers.times
    )
    left = say_count(
        "You can put it off {count} more time.", "You can put it off {count} more times.", offers.snoozes_left
    )
    return PageOption(FormAction.LATER, say("Not now"), f"{left} {say(_CALENDAR_HINT)}", choices)


def _exchange(question: AskedQuestion, language: Language, by: str = "") -> Exchange:
    """`by` is what whoever asked is called, empty for the reader."""
    if question.blocks:
        stuck = language.say("{person} cannot go on", person=isolated(by))
        asker = stuck if by else language.say("You cannot go on")
    else:
        asker = by or language.say("You")
    return Exchange(asker, question.text, answer_of(question, language))


def answer_of(question: AskedQuestion, language: Language) -> str:
    """What was answered; what somebody cleared, or handed over, may have no words."""
    if question.answer is None:
        return language.say("Not answered yet.")
    return question.answer or language.say("The way is clear.")


class Action(StrEnum):
    """What is done; a name is the last part of its page's address."""

    REMIND = "remind"
    EXTEND = "extend"
    DELEGATE = "delegate"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    ANSWER = "answer"
    UNBLOCK = "unblock"
    DONE = "done"
    WAIVE = "waive"


@dataclass(frozen=True)
class ConfirmationPage:
    """The page that asks whether it is meant: what it is called, what it does, and what else must be said."""

    label: str
    hint: str
    done: str
    force: str = ""
    grave: bool = False


_ASKING: Final[Mapping[Action, ConfirmationPage]] = {
    Action.REMIND: ConfirmationPage(
        phrase("Remind now"),
        phrase("Everybody whose turn it is gets a reminder at once."),
        phrase("A reminder is on its way."),
        force=phrase("Even if they were told within the hour"),
    ),
    Action.EXTEND: ConfirmationPage(
        phrase("Move the due date"),
        phrase("It is due at the end of that working day. Warnings and reminders are planned anew."),
        phrase("The due date was moved."),
    ),
    Action.DELEGATE: ConfirmationPage(
        phrase("Hand over"),
        phrase("Somebody else is asked instead, at Core Signature too: the old link dies."),
        phrase("It was handed over."),
        force=phrase("Even if they are away"),
    ),
    Action.PAUSE: ConfirmationPage(
        phrase("Pause"),
        phrase("Nobody is told anything and reminders are paused until somebody resumes it."),
        phrase("It is paused."),
    ),
    Action.RESUME: ConfirmationPage(
        phrase("Resume"), phrase("Reminders are planned anew."), phrase("It has been resumed.")
    ),
    Action.CANCEL: ConfirmationPage(
        phrase("Cancel the request"),
        phrase(
            "It ends for good, at Core Signature too, and everybody concerned is told. What is signed stays signed."
        ),
        phrase("It is being cancelled."),
        grave=True,
    ),
    Action.ANSWER: ConfirmationPage(
        phrase("Answer the question"),
        ANSWER_HINT,
        phrase("The answer is on its way."),
    ),
    Action.UNBLOCK: ConfirmationPage(phrase("Clear the way"), UNBLOCK_HINT, phrase("The way is clear.")),
    Action.DONE: ConfirmationPage(phrase("Mark as done"), DONE_HINT, phrase("It is done.")),
    Action.WAIVE: ConfirmationPage(
        phrase("Waive the task"),
        phrase("It ends undone: nobody needs to do it any more, and everybody concerned is told."),
        phrase("It is waived."),
        grave=True,
    ),
}
_ASKING_OF_TASKS: Final[Mapping[Action, ConfirmationPage]] = {
    Action.DELEGATE: replace(
        _ASKING[Action.DELEGATE], hint=phrase("Somebody else is asked instead: the old link dies.")
    ),
    Action.CANCEL: replace(
        _ASKING[Action.CANCEL],
        label=phrase("Cancel the task"),
        hint=phrase("It ends for good, and everybody concerned is told."),
        done=phrase("It was cancelled."),
    ),
}
"""Where Core Signature has no part in it."""
_WHY: Final = {Action.PAUSE: "may", Action.CANCEL: "must", Action.WAIVE: "must"}
"""Where whoever does it may, or must, say why."""


@dataclass(frozen=True)
class ActionForm:
    """What somebody is about to do: a deed, or what is to become of a `part` of an onboarding.

    `path` is the end of its page's address; `why` says whether a reason may, or must, be given.
    """

    path: str
    asked: ConfirmationPage
    why: str = ""
    deed: Action | None = None
    choice: PartOutcome | None = None
    part: str = ""

    @classmethod
    def of_deed(cls, deed: Action, kind: Kind) -> Self:
        """Something that is done to what has this kind."""
        return cls(deed.value, asking(deed, kind), _WHY.get(deed, ""), deed)

    @classmethod
    def of_choice(cls, choice: PartOutcome, part: str) -> Self:
        """What an owner decides about a part."""
        why = "may" if choice.again else "must"
        return cls(f"{part}/{choice}", DECIDING[choice], why, choice=choice, part=part)

    def wish(self, actor: str, form: Mapping[str, str], to: str | None) -> Command:
        """What somebody wishes by a form; `to` is who takes over, if there is somebody. `CommandRefused` for
        nonsense.
        """
        if self.choice:
            return Decision(actor=actor, part=self.part, choice=self.choice, reason=_text(form))
        return _WISHES[self.deed or Action.CANCEL](actor, form, to)


_THEIR_TURN: Final = (SignerState.TURN, SignerState.VIEWED, SignerState.BOUNCED, AssigneeState.ASKED)
_ASKING_OF_ONBOARDINGS: Final = {
    Action.CANCEL: replace(
        _ASKING[Action.CANCEL],
        label=phrase("Stop the onboarding"),
        hint=STOP_HINT,
        done=phrase("It is being stopped."),
    ),
}
_ASKING_OF_CAMPAIGNS: Final = {
    Action.CANCEL: replace(
        _ASKING[Action.CANCEL],
        label=phrase("Stop the campaign"),
        hint=phrase("Nobody more is asked, and what is open ends for good. The record says how everybody stands."),
        done=phrase("It is being stopped."),
    ),
}
_ASKING_OF: Final = {
    Kind.REQUEST: _ASKING,
    Kind.TASK: _ASKING_OF_TASKS,
    Kind.ONBOARDING: _ASKING_OF_ONBOARDINGS,
    Kind.CAMPAIGN: _ASKING_OF_CAMPAIGNS,
}
DECIDING: Final[Mapping[PartOutcome, ConfirmationPage]] = {
    PartOutcome.RESEND: ConfirmationPage(
        phrase("Send again"),
        AGAIN_HINT,
        phrase("It begins once more."),
    ),
    PartOutcome.WAIVE: ConfirmationPage(
        phrase("Go on without it"),
        GO_ON_HINT,
        phrase("The onboarding goes on without it."),
        grave=True,
    ),
    PartOutcome.STOP: _ASKING_OF_ONBOARDINGS[Action.CANCEL],
}
"""What the owner of an onboarding decides here about a part; a replacement needs a file, so it is for the command."""
_UNDECIDED: Final = "undecided"
OF_MANAGERS: Final = (Action.REMIND, Action.DELEGATE)
"""What somebody may do about what waits for their own people."""
NOBODY_OF_THAT_NAME: Final = phrase("nobody in the directory has this id or address")
NO_DATE: Final = phrase("a date such as 2026-12-11 is needed")


def asking(deed: Action, kind: Kind) -> ConfirmationPage:
    """How it is asked whether it is meant."""
    return _ASKING_OF[kind].get(deed, _ASKING[deed])


def possible(shown: Shown) -> tuple[Action, ...]:
    """What can be done now, as far as what is shown says it; while no worker answers, nothing."""
    if shown.partial or shown.trouble or shown.status.ended:
        return ()
    if shown.type in (Kind.ONBOARDING, Kind.CAMPAIGN):
        return (Action.CANCEL,)
    paused = any(one.code is AttentionCode.PAUSED for one in shown.attention)
    decision = to_decide(shown) is not None
    task = shown.type is Kind.TASK and not decision
    deeds = [Action.DONE] if task else []
    if shown.question:
        deeds += [Action.UNBLOCK if shown.question.blocks else Action.ANSWER]
    deeds += [Action.RESUME] if paused else [Action.REMIND] if shown.waiting_for else []
    deeds += [Action.EXTEND] if shown.due_at else []
    deeds += [Action.DELEGATE] if takers(shown) else []
    deeds += [] if paused else [Action.PAUSE]
    deeds += [Action.WAIVE] if task else []
    # A task to decide that ends without a decision is asked again.
    return tuple(deeds) if decision else (*deeds, Action.CANCEL)


def takers(shown: Shown) -> tuple[str, ...]:
    """Whose place can be handed over: those whose turn it is."""
    return tuple(line.person for line in shown.lines if line.state in _THEIR_TURN)


def colleagues(shown: Shown) -> tuple[str, ...]:
    """Whom it names as those who may take over, and the directory may not know."""
    return shown.colleagues if isinstance(shown, TaskShow) else ()


def steps(shown: Shown) -> tuple[ActionForm, ...]:
    """Everything that can be done now, with what an owner may decide about each part that waits for a decision."""
    deeds = possible(shown)
    undecided = (
        [one.id for stage in shown.stages for one in stage.parts if one.state == _UNDECIDED]
        if (deeds and isinstance(shown, OnboardingShow))
        else []
    )
    choices = (ActionForm.of_choice(choice, part) for part in undecided for choice in DECIDING)
    return (*(ActionForm.of_deed(deed, shown.type) for deed in deeds), *choices)


def steps_for(shown: Shown, people: frozenset[str]) -> tuple[ActionForm, ...]:
    """What the manager of some of those whose turn it is can do for them."""
    theirs = any(person in people for person in takers(shown))
    deeds = [deed for deed in possible(shown) if deed in OF_MANAGERS] if theirs else []
    return tuple(ActionForm.of_deed(deed, shown.type) for deed in deeds)


def _remind(actor: str, form: Mapping[str, str], _: str | None) -> Command:
    return ReminderNow(actor=actor, force=_force(form))


def _extend(actor: str, form: Mapping[str, str], _: str | None) -> Command:
    try:
        return Extension(actor=actor, due=date.fromisoformat(form.get("due", "")))
    except ValueError:
        raise CommandRefused(NO_DATE) from None


def _delegate(actor: str, form: Mapping[str, str], to: str | None) -> Command:
    if to is None:
        raise CommandRefused(NOBODY_OF_THAT_NAME)
    return Delegation(actor=actor, signer=form.get("signer", ""), to=to, force=_force(form))


def _text(form: Mapping[str, str]) -> str:
    return plain(form.get("text", "")).strip()


def _force(form: Mapping[str, str]) -> bool:
    return form.get("force") == "1"


_WISHES: Final[Mapping[Action, Callable[[str, Mapping[str, str], str | None], Command]]] = {
    Action.REMIND: _remind,
    Action.EXTEND: _extend,
    Action.DELEGATE: _delegate,
    Action.PAUSE: lambda actor, form, _: PauseCommand(actor=actor, reason=_text(form)),
    Action.RESUME: lambda actor, _, __: Resumption(actor=actor),
    Action.CANCEL: lambda actor, form, _: Cancellation(actor=actor, reason=_text(form)),
    Action.ANSWER: lambda actor, form, _: Answer(actor=actor, text=_text(form)),
    Action.UNBLOCK: lambda actor, form, _: Unblock(actor=actor, text=_text(form)),
    Action.DONE: lambda actor, form, _: Done(actor=actor, note=_text(form)),
    Action.WAIVE: lambda actor, form, _: Waiver(actor=actor, reason=_text(form)),
}
