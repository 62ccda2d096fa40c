"""The words of what somebody may do beside signing, or of a task, and of what came of it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from activities.language import Language, phrase
from activities.person import Person
from activities.push.words import isolated
from activities.reader import Reader
from starter.page.offers import DECISIONS, Offers, choices_of, may_answer
from starter.page.screens import Exchange, FormAction, OptionButton, PageOption, Screen
from starter.page.standing import UNNAMED, Called
from workflows.model.entries import AskedQuestion
from workflows.model.views import Shown

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
