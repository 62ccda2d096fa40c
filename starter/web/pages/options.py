"""The words of what somebody may do beside signing, or of a task, and of what came of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from activities.calendar.wall_clock import at_clock
from activities.notifications.words import isolated
from activities.people.language import Language, phrase
from activities.people.person import Person
from activities.people.reader import Reader
from starter.queries.commands import CommandRefused
from starter.web.pages.screens import Exchange, FormAction, OptionButton, PageOption, Screen, StandIns
from starter.web.pages.status import UNNAMED, Called
from workflows.follow_up.next_step import APART
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import (
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
from workflows.model.rejections import plain
from workflows.model.subject import ToDecide
from workflows.model.timeline import AskedQuestion
from workflows.model.views import Choices, Shown, TaskShow
from workflows.onboarding.state import DECISION, decided_onboarding

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
