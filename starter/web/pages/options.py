"""What somebody may do on the page behind their link: its forms, and the message afterwards."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from activities.calendar.calendar import at_clock
from activities.notifications.words import isolated
from activities.people.language import Language, phrase
from activities.people.person import Person
from activities.people.reader import Reader
from starter.queries.commands import CommandRefused
from starter.web.acting.actions import (
    ACTIONS,
    DECISIONS,
    Action,
    ActionSpec,
    PageRole,
    PostedForm,
    may_answer,
    onboarding_to_decide,
    parse_action,
    possible_actions,
)
from starter.web.acting.forms import FailureReason, FormFailure
from starter.web.acting.kinds import KIND_PAGES, spec_of
from starter.web.pages.visits import StandIns
from starter.web.screens.screens import AnsweredQuestion, OptionButton, PageOption, Screen
from starter.web.screens.status import NO_NAMES, NamesById, answer_of
from workflows.follow_up.next_step import APART
from workflows.model.commands import AnyCommand
from workflows.model.rejections import Rejection, plain
from workflows.model.subject import ToDecide
from workflows.model.timeline import AskedQuestion, EventType
from workflows.model.views import Choices, Shown

_EVENING: Final = time(18)
_MORNING: Final = time(9)
_DAY: Final = timedelta(days=1)
_LOOK_AHEAD: Final = 31
_FROM_ANOTHER: Final = "from another"
"""The value of a form whose reader has seen that another sees to it."""
_PLACED: Final = (Action.DONE, Action.BLOCK)
"""Actions of kinds that have a place of their own among the forms."""
_HAND_OVER_HINT: Final = phrase("Your own link then stops working. This cannot be taken back.")
_FIND_HINT: Final = phrase("You see whom you choose before anything is handed over.")


@dataclass(frozen=True)
class SnoozeTime:
    """A time for a reminder; `name` is English."""

    name: str
    at: datetime


def snooze_times(reader: Reader, now: datetime, latest: datetime | None) -> tuple[SnoozeTime, ...]:
    """Times at least an hour after `now` and not after `latest`, earliest first."""
    return tuple(later for later in _times(reader, now) if now + APART <= later.at <= (latest or later.at))


@dataclass(frozen=True)
class Offers:
    """What the forms of a page may send."""

    may: tuple[Action, ...] = ()
    """Accepted actions; the workflow refuses those not offered any more."""
    snoozes_left: int = 0
    times: tuple[SnoozeTime, ...] = ()
    """Kept when no snooze is left, so that a form sent twice is the same."""
    takers: tuple[Person, ...] = ()
    find: bool = False
    """Whether a colleague is searched by name."""
    nobody: bool = False
    """Whether the search found nobody."""
    ask: bool = False
    answers: bool = False
    """Whether the task has its own field for an answer."""
    decides: ToDecide | None = None
    reviews: bool = False
    """Whether it is theirs to review, not to revise."""
    question: AskedQuestion | None = None
    take: bool = False
    """Whether they are of the group that asks, and may see to it themselves."""
    taken_by: str = ""
    """Who of the group sees to it now."""
    own_specs: Mapping[Action, ActionSpec] = field(default_factory=dict)
    """What its kind offers beside what all offer."""

    def command_of(self, person: str, form: Mapping[str, str]) -> AnyCommand | None:
        """The command of a form, None for nonsense; raises `CommandRefused` for a person or a time not on offer."""
        action, value = parse_action(form.get("act", "")), form.get("value", "")
        if action is Action.TAKE and self.take:
            if not value and self.taken_by:
                raise CommandRefused(Rejection.TAKEN_MEANWHILE.to_message())
            return ACTIONS[action].command(PostedForm(person, form))
        if action not in self.may or (self.question and value != str(self.question.number)):
            return None
        if action is Action.DELEGATE and all(value != taker.id for taker in self.takers):
            raise CommandRefused(Rejection.CANNOT_TAKE.to_message())
        snoozed_until = next((later.at for later in self.times if later.at.isoformat() == value), None)
        part = self.decides.part if self.decides else ""
        return ACTIONS[action].command(
            PostedForm(person, form, part=part, signer=person, to=value, until=snoozed_until)
        )


NOTHING: Final = Offers()


def choices_of(view: Shown, person: str) -> Choices | None:
    """None when it is not their turn, or unknown."""
    return next((choices for choices in view.choices if choices.person == person), None)


def offers_to_awaited(view: Shown, person: str, stand_ins: StandIns, reader: Reader, now: datetime) -> Offers:
    """Options of somebody whose turn it is; `stand_ins` may take over."""
    choices = choices_of(view, person)
    if choices is None:
        return NOTHING
    return Offers(
        may=tuple(_possible(view)),
        snoozes_left=choices.snoozes_left,
        times=snooze_times(reader, now, choices.snooze_until),
        takers=tuple(person for person in stand_ins.people if choices.hand_over and _can_take(view, person, now)),
        find=choices.hand_over and stand_ins.find,
        nobody=choices.hand_over and stand_ins.nobody,
        ask=choices.ask,
        answers=view.given_answer is not None,
        decides=view.to_be_decided,
        reviews=view.unapproved and not view.to_be_revised,
        own_specs={action: spec_of(action, view.type) for action in _own_actions(view)},
    )


def offers_to_onlooker(view: Shown, person: str) -> Offers:
    """They may answer a question that was put to them."""
    question = view.question
    if question is None or not may_answer(view, person):
        return NOTHING
    return Offers(may=(Action.UNBLOCK if question.blocks else Action.ANSWER,), question=question)


def may_be_taken(view: Shown, person: str) -> bool:
    """Whether one of the group that asks may take it on, or over from another; `view` names the group."""
    return view.taken_by != person and Action.TAKE in possible_actions(view, (Action.TAKE,))


def with_taker(screen: Screen, view: Shown, person: str, called: NamesById) -> Screen:
    """The screen for the others of a group that asks: who of them sees to it."""
    if person != view.requester or not view.taken_by or view.taken_by == person or view.notify_all:
        return screen
    taker = isolated(called.get(view.taken_by, view.taken_by))
    return replace(screen, sentences=(*screen.sentences, screen.language.say("{who} sees to it.", who=taker)))


def with_offers(screen: Screen, offers: Offers, reader: Reader) -> Screen:
    return replace(screen, options=tuple(_options(offers, reader)))


def with_wishes_of(screen: Screen, view: Shown, person: str, reader: Reader, called: NamesById = NO_NAMES) -> Screen:
    """The signer's screen with their next reminder and their questions, also those of a former signer."""
    choices = choices_of(view, person)
    reminded_at = choices.reminded_at if choices and screen.banner is None else None
    reminded = (
        (reader.language.say("You will be reminded on {when}.", when=reader.instant(reminded_at)),)
        if reminded_at
        else ()
    )
    return replace(
        screen,
        sentences=(*screen.sentences, *reminded),
        exchanges=_exchanges_of(view, person, screen.language, called),
    )


def with_own_questions(screen: Screen, view: Shown, person: str) -> Screen:
    """The screen of a former signer with their questions."""
    exchanges = _exchanges_of(view, person, screen.language, NO_NAMES)
    if not any(question.answer is None and question.person == person for question in view.questions):
        return replace(screen, exchanges=exchanges)
    goes_along = screen.language.say("Your question went with it. We will tell you when it is answered.")
    return replace(screen, sentences=(*screen.sentences, goes_along), exchanges=exchanges)


def with_refusal(screen: Screen, view: Shown, person: str) -> Screen:
    """The screen with why their last act, to hand it over, was refused afterwards."""
    last = next((entry for entry in reversed(view.timeline) if entry.who == person), None)
    if last is None or last.happened != EventType.NOT_HANDED_OVER or last.by != person or not last.refusal:
        return screen
    return replace(screen, refusal=FormFailure(FailureReason.REFUSED, last.refusal).phrase_in(screen.language))


def with_banner(screen: Screen, confirmation: str, view: Shown, person: str, reader: Reader) -> Screen:
    """The screen with a message about `done`, if that is true."""
    return replace(screen, banner=_confirm(confirmation, view, person, reader))


def with_successor(screen: Screen, view: Shown, person: str, stand_ins: Iterable[Person]) -> Screen:
    """The screen of a former signer; it names the new one only if that is their own stand-in."""
    successor_ids = [escalation.to for escalation in view.escalations if escalation.from_ == person]
    successor = next((person for person in stand_ins if person.id in successor_ids), None)
    if successor is None:
        return screen
    say = screen.language.say
    named = say("{name} is asked instead of you.", name=isolated(successor.name))
    return replace(screen, sentences=(named, say("Nothing is left for you to do here.")))


def with_questions(screen: Screen, view: Shown, person: str, called: NamesById = NO_NAMES) -> Screen:
    """The onlooker's screen with questions: all for who may answer, else their own."""
    if not may_answer(view, person):
        return replace(screen, exchanges=_exchanges_of(view, person, screen.language, called))
    return replace(
        screen,
        exchanges=tuple(
            _exchange(question, screen.language, called.get(question.person, question.person))
            for question in view.questions
        ),
    )


def text_option(
    action: Action, value: str, language: Language, text: str = "", own_spec: ActionSpec | None = None
) -> PageOption:
    """The form of an action with a text area; `own` are the words of a kind."""
    spec, say = own_spec or ACTIONS[action], language.say
    leads = PageRole.ANSWERING in spec.on_page
    button = OptionButton(value, say(spec.button or spec.label))
    title, unfolded = say(spec.title or spec.label), leads
    return PageOption(
        action, title, say(spec.hint), (button,), say(spec.field), text, spec.is_needed, unfolded=unfolded, leads=leads
    )


def show_failure(screen: Screen, failure: FormFailure, form: Mapping[str, str]) -> Screen:
    return replace(restore_form(screen, form), status=failure.status, refusal=failure.phrase_in(screen.language))


def restore_form(screen: Screen, form: Mapping[str, str]) -> Screen:
    """The screen with the sent form unfolded and filled."""
    action = parse_action(form.get("act", ""))
    if action is None or action not in ACTIONS or not ACTIONS[action].field:
        return replace(
            screen, options=tuple(replace(option, unfolded=option.act is action) for option in screen.options)
        )
    text = plain(form.get("text", ""))
    if screen.button and screen.button.act is action and screen.button.field:
        return replace(screen, button=replace(screen.button, text=text))
    written = replace(text_option(action, form.get("value", ""), screen.language, text), unfolded=True)
    return replace(screen, options=(written, *(option for option in screen.options if option.act is not action)))


def _times(reader: Reader, now: datetime) -> Iterator[SnoozeTime]:
    today = reader.day(now)
    yield SnoozeTime(phrase("This evening"), at_clock(today, _EVENING, reader.zone))
    yield SnoozeTime(phrase("Tomorrow morning"), at_clock(today + _DAY, _MORNING, reader.zone))
    working = next((day for day in _days_after(today) if reader.works(day)), None)
    if working is not None and working > today + _DAY:
        yield SnoozeTime(phrase("The next working day"), at_clock(working, _MORNING, reader.zone))


def _days_after(today: date) -> Iterator[date]:
    return (today + step * _DAY for step in range(1, _LOOK_AHEAD))


def _possible(view: Shown) -> Iterator[Action]:
    yield from (Action.LATER, Action.DELEGATE, Action.ASK)
    if view.unapproved:
        yield from (Action.APPROVE, Action.CHANGES)
    if view.to_be_decided:
        yield from DECISIONS
    yield from _own_actions(view)


def _own_actions(view: Shown) -> tuple[Action, ...]:
    return () if onboarding_to_decide(view) else KIND_PAGES[view.type].on_page


def _can_take(view: Shown, person: Person, now: datetime) -> bool:
    concerned = (view.requester, *(line.person for line in view.lines))
    return person.id not in concerned and not person.for_kind(view.kind).absent_at(now)


def _exchanges_of(view: Shown, person: str, language: Language, called: NamesById) -> tuple[AnsweredQuestion, ...]:
    return tuple(
        _exchange(question, language, "" if question.person == person else called.get(question.person, question.person))
        for question in view.questions
        if person in (question.person, question.to)
    )


def _confirm(action: str, view: Shown, person: str, reader: Reader) -> str | None:
    say, choices = reader.language.say, choices_of(view, person)
    match action:
        case Action.LATER if choices and choices.reminded_at:
            return say("Put off. You will be reminded on {when}.", when=reader.instant(choices.reminded_at))
        case Action.ASK if any(question.person == person and question.answer is None for question in view.questions):
            return say("Your question was sent. We will tell you when it is answered.")
        case Action.BLOCK if any(
            question.person == person and question.blocks and question.answer is None for question in view.questions
        ):
            return say("Sent. Whoever asked for this hears why. Reminders are paused.")
        case Action.TAKE if view.taken_by == person:
            return say(ACTIONS[Action.TAKE].confirmation)
        case Action.ANSWER | Action.UNBLOCK if view.answered and may_answer(view, person):
            return say("Your answer was sent.")
    return None


def _options(offers: Offers, reader: Reader) -> Iterator[PageOption]:
    language = reader.language
    if offers.question:
        yield from (text_option(action, str(offers.question.number), language) for action in offers.may)
    if offers.take:
        yield _taking(offers, language)
    if offers.question:
        return
    if Action.DONE in offers.may and not offers.answers:
        yield text_option(Action.DONE, "", language, own_spec=offers.own_specs.get(Action.DONE))
    yield from (
        text_option(action, "", language, own_spec=spec)
        for action, spec in offers.own_specs.items()
        if action not in _PLACED
    )
    if offers.decides:
        yield from (text_option(action, choice, language) for action, choice in DECISIONS.items())
    if Action.CHANGES in offers.may and offers.reviews:
        yield text_option(Action.CHANGES, "", language)
    if offers.times and offers.snoozes_left:
        yield _later(offers, reader)
    yield from _handing_over(offers, language)
    if Action.BLOCK in offers.may and offers.ask:
        yield text_option(Action.BLOCK, "", language)
    if offers.ask:
        yield text_option(Action.ASK, "", language)


def _taking(offers: Offers, language: Language) -> PageOption:
    spec = ACTIONS[Action.TAKE]
    button = OptionButton(_FROM_ANOTHER if offers.taken_by else "", language.say(spec.label))
    return PageOption(Action.TAKE, language.say(spec.label), language.say(spec.hint), (button,))


def _handing_over(offers: Offers, language: Language) -> Iterator[PageOption]:
    """A button for each person, else a search field."""
    say = language.say
    if offers.takers:
        label = phrase("Hand over to {name}")
        choices = tuple(
            OptionButton(taker.id, say(label, name=isolated(taker.name)), taker.department or "" if offers.find else "")
            for taker in offers.takers
        )
        yield PageOption(Action.DELEGATE, say("Hand over"), say(_HAND_OVER_HINT), choices, unfolded=offers.find)
    if offers.find:
        title = say("Look for somebody else") if offers.takers else say("Hand over")
        hint = say("None of your colleagues has this name.") if offers.nobody else say(_FIND_HINT)
        find = (OptionButton("", say("Look for them")),)
        yield PageOption(Action.FIND, title, hint, find, say("Name of your colleague"), lines=1, unfolded=offers.nobody)


def _later(offers: Offers, reader: Reader) -> PageOption:
    say, say_count = reader.language.say, reader.language.say_count
    choices = tuple(
        OptionButton(later.at.isoformat(), say(later.name), reader.instant(later.at)) for later in offers.times
    )
    remaining = say_count(
        "You can put it off {count} more time.", "You can put it off {count} more times.", offers.snoozes_left
    )
    spec = ACTIONS[Action.LATER]
    return PageOption(Action.LATER, say(spec.label), f"{remaining} {say(spec.hint)}", choices)


def _exchange(question: AskedQuestion, language: Language, asker_name: str = "") -> AnsweredQuestion:
    """`asker_name` is empty for the reader."""
    if question.blocks:
        stuck = language.say("{person} cannot go on", person=isolated(asker_name))
        asker = stuck if asker_name else language.say("You cannot go on")
    else:
        asker = asker_name or language.say("You")
    return AnsweredQuestion(asker, question.text, answer_of(question, language))
