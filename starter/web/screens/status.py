"""Status in words: each state as a coloured chip, and sentences in the reader's language.

The requester is told everything, others the bare facts: a link may be with anybody.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from activities.core_signature.signing_page import SigningPage, SigningState
from activities.notifications.links import LinkUse, use_of
from activities.notifications.words import isolated, words_for
from activities.people.language import Language, phrase
from activities.people.reader import Reader
from activities.records.outcomes import MemberStatus
from starter.web.acting.kinds import KIND_PAGES
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import dead_of
from workflows.kinds import Kind, named
from workflows.model.hand_off import HandoffState
from workflows.model.notifications import NoticeAction
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Role, Status
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import AssigneeLine, AttentionCode, NextStep, RequestShow, Shown, SignerLine
from workflows.task.state import AssigneeState

_PROBLEMS: Final[Mapping[str, str]] = {
    Code.UNAUTHORISED: phrase("A service does not let us in; the operators are needed."),
    Code.PROVIDER_UNSURE: phrase("Core Signature gave no clear answer; we are checking again."),
    Code.PLANNING: phrase("The reminders could not be planned; the operators are needed."),
    Code.DIRECTORY: phrase("Somebody is not in the directory, or it cannot be read."),
    Code.UNREACHABLE: phrase("A service does not answer; it is tried again by itself."),
    Code.REFUSED: phrase("A service refuses what it is asked; the operators are needed."),
    Code.PUSH_MISMATCH: phrase("The phones belong to another push service; the operators are needed."),
    Code.ID_USED_BEFORE: phrase("Its id was used before at Core Signature."),
    Code.DOCUMENT_DELETED: phrase("The document was deleted at Core Signature."),
    Code.CONVERT_ERROR: phrase("Core Signature could not convert the document."),
    Code.SENDING_ERROR: phrase("Core Signature could not send the document."),
    Code.NOT_OPENED: phrase("It did not open in time: nobody was asked."),
    Code.EVIDENCE: phrase("The signed document or its log is not kept yet."),
    AttentionCode.MAIL_BOUNCED: phrase("A signer's email came back."),
    AttentionCode.SIGNER_LEFT: phrase("Somebody who is to act has left. Please hand over their place."),
    AttentionCode.QUESTION_OPEN: phrase("Somebody waits for an answer."),
    AttentionCode.PAUSED: phrase("It is paused."),
    AttentionCode.DECISION: phrase("A part of it waits for a decision."),
    AttentionCode.NOT_ASKED: phrase("Not everyone could be asked."),
    AttentionCode.HANDOFF_DEAD: phrase("Somebody downstream will not hear of its end."),
    "terminated": phrase("Somebody ended its workflow in Temporal."),
    "timed out": phrase("Its workflow ran out of time in Temporal."),
    "stuck": phrase("Its workflow keeps failing; the operators are needed."),
}
_SOMETHING: Final = phrase("Something is in the way; the operators are needed.")
_BROKEN: Final = phrase("Its workflow was broken off in Temporal.")
_OVERRULED: Final = {"failed": _BROKEN, "paused": _PROBLEMS[AttentionCode.PAUSED]}
"""Trouble that the workflow cannot report; `failed` is not the status."""
NamesById = Mapping[str, str]
"""Names of people by id; a missing one is shown by its id."""
FindPerson = Callable[[str], Awaitable[str]]
"""Looks up a person's name: from the directory, else the id."""
NO_NAMES: Final[NamesById] = MappingProxyType({})
_NEXT: Final = {
    NextStep.REMIND: phrase("A reminder follows on {when}."),
    NextStep.WARN: phrase("A last warning follows on {when}."),
    NextStep.ESCALATE: phrase("Somebody else will be told on {when}."),
    NextStep.QUESTION: phrase("{who} will be told again on {when} that a question is open."),
    NextStep.HELD: phrase("{who} has heard enough for now and will hear of it on {when}."),
    NextStep.EXPIRE: phrase("It expires on {when}."),
    NextStep.END: phrase("It is being ended."),
}
_SOMEBODY: Final = {NextStep.QUESTION: phrase("Whoever is to answer"), NextStep.HELD: phrase("Somebody")}
"""The person told, for readers who may not know them."""
_NOT_KNOWN: Final = phrase("When it goes on is not known at the moment.")
_BROKEN_OFF: Final = ("terminated", "failed", "timed out")
"""Trouble after which nobody continues it."""
_NOBODY_FOLLOWS: Final = phrase("Nobody follows this up any more. Please ask {who} before you do anything.")
_NOBODY_FOLLOWS_ANYTHING: Final = phrase(
    "Nobody follows this up any more. Please ask whoever sent it to you before you do anything."
)
_PAGES = {
    SignerState.WAITING: SigningState.EARLY,
    SignerState.SIGNED: SigningState.ACTED,
    SignerState.APPROVED: SigningState.ACTED,
    SignerState.DECLINED: SigningState.ACTED,
    SignerState.COPIED: SigningState.ACTED,
    SignerState.REASSIGNED: SigningState.HANDED_OVER,
    SignerState.SPARED: SigningState.PLACE_TAKEN,
}
"""In other states they may try: Core Signature knows."""


class Look(StrEnum):
    """Colour and icon of a chip; its words say the same."""

    OPEN = "open"
    SEEN = "seen"
    GOOD = "good"
    NEAR = "near"
    BAD = "bad"
    CALM = "calm"


class StateOwner(StrEnum):
    FOLLOW_UP = "follow-up"
    PERSON = "person"
    """Somebody who was asked to sign, or to do something."""
    MEMBER = "member"
    """Somebody of the audience of a campaign."""
    STAGE = "stage"
    PART = "part"
    TARGET = "target"
    """Somebody downstream, who is told of the end."""


_STAGES: Final[Mapping[str, tuple[str, Look]]] = {
    "coming": (phrase("comes later"), Look.CALM),
    "open": (phrase("under way"), Look.OPEN),
    "done": (phrase("done"), Look.GOOD),
    "stopped": (phrase("stopped"), Look.BAD),
}
STATES: Final[Mapping[StateOwner, Mapping[str, tuple[str, Look]]]] = {
    StateOwner.FOLLOW_UP: {
        Status.OPEN: (phrase("to be done"), Look.OPEN),
        Status.REVIEW: (phrase("in review"), Look.OPEN),
        Status.CONVERTING: (phrase("being prepared"), Look.CALM),
        Status.SENT: (phrase("sent"), Look.OPEN),
        Status.VIEWED: (phrase("opened"), Look.SEEN),
        Status.SIGNED: (phrase("signed"), Look.GOOD),
        Status.DONE: (phrase("done"), Look.GOOD),
        Status.DONE_WITH_ERRORS: (phrase("done, with errors"), Look.NEAR),
        Status.WAIVED: (phrase("waived"), Look.CALM),
        Status.DECLINED: (phrase("declined"), Look.BAD),
        Status.CANCELLED: (phrase("cancelled"), Look.CALM),
        Status.EXPIRED: (phrase("expired"), Look.BAD),
        Status.FAILED: (phrase("failed"), Look.BAD),
    },
    StateOwner.PERSON: {
        SignerState.WAITING: (phrase("not asked yet"), Look.CALM),
        SignerState.TURN: (phrase("asked"), Look.OPEN),
        SignerState.VIEWED: (phrase("has opened it"), Look.SEEN),
        SignerState.SIGNED: (phrase("has signed"), Look.GOOD),
        SignerState.APPROVED: (phrase("has approved"), Look.GOOD),
        SignerState.DECLINED: (phrase("has declined"), Look.BAD),
        SignerState.REASSIGNED: (phrase("handed over"), Look.CALM),
        SignerState.BOUNCED: (phrase("email came back"), Look.BAD),
        SignerState.COPIED: (phrase("has a copy"), Look.GOOD),
        SignerState.CHANGES: (phrase("asks for changes"), Look.NEAR),
        SignerState.SPARED: (phrase("need not act"), Look.CALM),
        SignerState.EXEMPT: (phrase("need not review"), Look.CALM),
        SignerState.REVISED: (phrase("has given a new version"), Look.GOOD),
        AssigneeState.ASKED: (phrase("asked"), Look.OPEN),
        AssigneeState.DONE: (phrase("has done it"), Look.GOOD),
    },
    StateOwner.MEMBER: {
        MemberStatus.NOT_TOLD: (phrase("not asked yet"), Look.CALM),
        MemberStatus.TOLD: (phrase("asked"), Look.OPEN),
        MemberStatus.OPENED: (phrase("has opened it"), Look.SEEN),
        MemberStatus.ACKNOWLEDGED: (phrase("has acknowledged"), Look.GOOD),
        MemberStatus.LATE: (phrase("has acknowledged late"), Look.NEAR),
        MemberStatus.DECLINED: (phrase("has declined"), Look.BAD),
        MemberStatus.EXPIRED: (phrase("did not act in time"), Look.BAD),
        MemberStatus.CANCELLED: (phrase("the request was cancelled"), Look.CALM),
        MemberStatus.FAILED: (phrase("could not be asked"), Look.BAD),
        MemberStatus.EXEMPT: (phrase("need not acknowledge"), Look.CALM),
        MemberStatus.DROPPED: (phrase("has left"), Look.CALM),
        MemberStatus.ERROR: (phrase("in a wrong row"), Look.BAD),
        MemberStatus.NOT_STARTED: (phrase("is not asked any more"), Look.CALM),
    },
    StateOwner.STAGE: _STAGES,
    StateOwner.PART: {
        **_STAGES,
        "undecided": (phrase("waits for a decision"), Look.NEAR),
        "waived": (phrase("waived"), Look.CALM),
    },
    StateOwner.TARGET: {
        HandoffState.PENDING: (phrase("to be told"), Look.OPEN),
        HandoffState.DONE: (phrase("told"), Look.GOOD),
        HandoffState.FAILED: (phrase("is tried again"), Look.NEAR),
        HandoffState.DEAD: (phrase("could not be told"), Look.BAD),
    },
}
"""Words and look of each state."""
GOOD: Final = frozenset(state for state, (_, look) in STATES[StateOwner.PERSON].items() if look is Look.GOOD)
"""States of people who have done their part."""


@dataclass(frozen=True)
class Chip:
    """`text` is in the reader's language."""

    text: str
    look: Look


def chip_of(owner: StateOwner, state: str, language: Language, kind: Kind | None = None) -> Chip:
    """The chip of a state; an unknown one is shown as it is, calm."""
    if state not in STATES[owner]:
        return Chip(state, Look.CALM)
    label, look = STATES[owner][state]
    if kind and owner is StateOwner.FOLLOW_UP and state == Status.OPEN:
        label = KIND_PAGES[kind].open
    return Chip(language.say(label), look)


def status_chip(status: str, language: Language, kind: Kind | None = None) -> Chip:
    return chip_of(StateOwner.FOLLOW_UP, status, language, kind)


def problems_of(language: Language, problem: str | None, attention: str | None, trouble: str | None) -> tuple[str, ...]:
    """What needs attention, without duplicates, most urgent first."""
    if (problem, attention) == (Code.DIRECTORY, AttentionCode.SIGNER_LEFT):  # Whoever left is not in the directory.
        problem = None
    texts = [_OVERRULED.get(trouble, _PROBLEMS.get(trouble, _SOMETHING))] if trouble else []
    texts += [_PROBLEMS.get(code, _SOMETHING) for code in (problem, attention) if code]
    return tuple(dict.fromkeys(map(language.say, texts)))


def ending_sentences(
    outcome: Status | None, language: Language, kind: Kind = Kind.REQUEST, *, in_review: bool = False
) -> tuple[str, ...]:
    """The sentence about an end, without the document's name; empty before the end."""
    if outcome is None or not outcome.has_ended:
        return ()
    text = words_for(NotificationType.SETTLED, NoticeAction.OPEN, outcome, subject_kind=kind, in_review=in_review)
    return (language.say(text.body),)


def ending_sentences_of(view: Shown, language: Language, called: NamesById = NO_NAMES) -> tuple[str, ...]:
    """Like `ending_sentences`, with who declined; of a single signer it does not say "everyone"."""
    decliner = next((line.person for line in view.lines if line.state == SignerState.DECLINED), "")
    if view.status is Status.DECLINED and decliner:
        return (language.say("{who} declined it.", who=isolated(called.get(decliner, decliner))),)
    if view.status is Status.SIGNED and view.asked_alone:
        return (language.say("It has been signed."),)
    return ending_sentences(view.status, language, view.type, in_review=view.unapproved)


def status_sentences(view: Shown, person: str, reader: Reader, called: NamesById = NO_NAMES) -> tuple[str, ...]:
    """What `person` is told: the requester more than others."""
    return _to_requester(view, reader, called) if person == view.requester else public_sentences(view, reader, called)


def unknown_sentences(view: Shown, language: Language) -> tuple[str, ...]:
    """What is told when the workflow cannot answer: it hangs in Temporal, or no worker is up."""
    if view.trouble:
        return (language.say("Nobody is told anything until the operators have seen to it."),)
    if view.partial:
        return (language.say("Where it stands is not known at the moment. Please look again later."),)
    return ()


def abandoned_sentences(view: Shown, language: Language, called: NamesById = NO_NAMES) -> tuple[str, ...]:
    """That nobody follows it up any more, and whom to ask."""
    if view.status.has_ended or view.trouble not in _BROKEN_OFF:
        return ()
    if requester := called.get(view.requester):
        return (language.say(_NOBODY_FOLLOWS, who=isolated(requester)),)
    return (language.say(_NOBODY_FOLLOWS_ANYTHING),)


def named_people(view: Shown) -> tuple[str, ...]:
    """People whom the sentences about an open one name."""
    pause, recipient = _pause_of(view), view.next.to if view.next else None
    named = (*(turn.person for turn in view.waiting_for), recipient, pause.who if pause else None, view.requester)
    return tuple(dict.fromkeys(filter(None, named)))


def proposed_people(view: Shown) -> tuple[str, ...]:
    """Who could act for those who have left."""
    return next((remark.proposed for remark in view.attention if remark.code is AttentionCode.SIGNER_LEFT), ())


def open_sentences(view: Shown, reader: Reader, called: NamesById, *, texts: bool = True) -> tuple[str, ...]:
    """Why it hangs, else whom it waits for and what follows, with names; `texts` is the reason of who paused it."""
    if view.problem and _stands_still_until(view):
        sentence = reader.language.say(
            "Since {since} something is in the way:", since=reader.instant(view.problem.since)
        )
        return (sentence, *problems_of(reader.language, view.problem.code, None, None))
    if view.status is Status.CONVERTING:
        return (_preparing(reader.language),)
    follows = tuple(_paused_sentences(view, reader, called, texts=texts)) or next_step_sentences(view, reader, called)
    return (*stage_sentences(view, reader.language), *_waiting(view, reader, called), *follows) or _undecided(reader)


def stage_sentences(view: Shown, language: Language) -> tuple[str, ...]:
    """The current stage of an onboarding."""
    if view.at_stage is None:
        return ()
    number, all, name = view.at_stage
    return (language.say("Stage {number} of {all}: {name}", number=number, all=all, name=isolated(name)),)


def public_sentences(view: Shown, reader: Reader, called: NamesById = NO_NAMES) -> tuple[str, ...]:
    """What anybody may know: no reasons, no people."""
    say = reader.language.say
    if view.status.has_ended:
        return ending_sentences_of(view, reader.language, called)
    if view.problem and _stands_still_until(view):
        since_text = reader.instant(view.problem.since)
        return (say("Since {since} something is in the way. Nothing is lost.", since=since_text),)
    if view.trouble:
        still = (say("It stands still at the moment. Please ask whoever sent it to you."),)
        return abandoned_sentences(view, reader.language, called) or still
    if view.partial:
        return unknown_sentences(view, reader.language)
    if view.status is Status.CONVERTING:
        return (_preparing(reader.language),)
    return _waiting(view, reader, called) + (next_step_sentences(view, reader) or _undecided(reader))


def hand_off_sentences(view: Shown, language: Language, called: NamesById = NO_NAMES) -> tuple[str, ...]:
    """Targets still to be told, else those that could not be."""
    waiting = [
        _target(line.target, language, called)
        for line in view.handoffs
        if line.state in (HandoffState.PENDING, HandoffState.FAILED)
    ]
    dead = [_target(line.target, language, called) for line in dead_of(view.handoffs)]
    if waiting:
        return (language.say("Still to be told: {targets}.", targets=language.enumerate(waiting)),)
    return (language.say("Could not be told: {targets}.", targets=language.enumerate(dead)),) if dead else ()


def workflow_words(id: str, language: Language) -> str:
    """The name of one of our workflows that is told of an end; empty for other ids."""
    name = named(id)
    return language.say(KIND_PAGES[name.kind].called, id=name.id) if name else ""


def next_step_sentences(view: Shown, reader: Reader, called: NamesById | None = None) -> tuple[str, ...]:
    """The next step and its time; who is told, by name if `called` is given."""
    step, say = view.next, reader.language.say
    if step is None or step.what not in _NEXT or (step.at is None and step.what is not NextStep.END):
        return ()
    if step.what is NextStep.HELD and step.at and step.to == reader.id:
        return (say("You will hear of it on {when}.", when=reader.instant(step.at)),)
    recipient = say(_SOMEBODY.get(step.what, ""))
    if called is not None and step.to:
        recipient = isolated(called.get(step.to, step.to))
    return (say(_NEXT[step.what], who=recipient, when=reader.instant(step.at) if step.at else ""),)


def signing_page_of_view(view: RequestShow | None, person: str) -> SigningPage:
    """The page of a link; with a button when the request's state is unknown."""
    if view is None:
        return SigningPage(SigningState.OPEN)
    if view.status.has_ended:
        return SigningPage(SigningState.ENDED, outcome=view.status)
    line = line_of(view, person)
    approves = line is not None and line.role is Role.APPROVE
    return SigningPage(_state(view, line), view.document or None, approves=approves)


def line_of(view: RequestShow, person: str) -> SignerLine | None:
    """The line of a signer; of several the one that is still theirs."""
    lines = [line for line in view.signers if line.person == person]
    return next((line for line in lines if line.state is not SignerState.REASSIGNED), lines[0] if lines else None)


def link_use_of(view: Shown, person: str) -> LinkUse:
    """What the page of somebody whose turn it is is for."""
    if view.status is Status.REVIEW:
        return LinkUse.REVIEW
    return LinkUse.TAKE if view.shares_place(person) else use_of(view.type)


def answer_of(question: AskedQuestion, language: Language) -> str:
    """The answer; it may have no words."""
    if question.answer is None:
        return language.say("Not answered yet.")
    return question.answer or language.say("The way is clear.")


def lines_heading(view: Shown, language: Language) -> str:
    """Of those who are asked."""
    return language.say("Reviewers") if view.status is Status.REVIEW else language.say(KIND_PAGES[view.type].lines)


def listed_lines(view: Shown) -> tuple[SignerLine | AssigneeLine, ...]:
    """Those who are asked; who is to give a new version is no reviewer."""
    return tuple(line for line in view.lines if not (isinstance(line, SignerLine) and line.role is Role.REVISE))


def count_signed(view: Shown) -> tuple[int, int]:
    """How many signers are done, and how many there are; none while others are asked before them."""
    signers = [line for line in view.lines if isinstance(line, SignerLine) and line.role in (Role.SIGN, Role.APPROVE)]
    remaining = [signer for signer in signers if signer.state not in (SignerState.REASSIGNED, SignerState.SPARED)]
    places = {signer.team or signer.person for signer in remaining}
    return sum(signer.state in GOOD for signer in remaining), len(places)


def _to_requester(view: Shown, reader: Reader, called: NamesById) -> tuple[str, ...]:
    language = reader.language
    if view.trouble:
        return (*problems_of(language, None, None, view.trouble), *unknown_sentences(view, language))
    if view.status.has_ended:
        return ending_sentences_of(view, language, called) + hand_off_sentences(view, language, called)
    return unknown_sentences(view, language) or open_sentences(view, reader, called)


def _paused_sentences(view: Shown, reader: Reader, called: NamesById, *, texts: bool) -> Iterator[str]:
    """What its clocks wait for: a resume, or an answer."""
    say, step = reader.language.say, view.next
    if any(incident.code is AttentionCode.PAUSED for incident in view.attention):
        pause = _pause_of(view)
        person = (pause and pause.who) or view.requester
        name = isolated(called.get(person, person))
        yield say("Paused by {who}: nobody is reminded until it is resumed at the desk.", who=name)
        yield from filter(None, [texts and pause and pause.why])
    elif view.question and step and step.what is NextStep.WAIT and step.at:
        wait_end = reader.instant(step.at)
        yield say("Reminders wait until {when} for the answer to a question.", when=wait_end)


def _pause_of(view: Shown) -> TimelineEntry | None:
    return next((entry for entry in reversed(view.timeline) if entry.happened == EventType.PAUSED), None)


def _undecided(reader: Reader) -> tuple[str, ...]:
    return (reader.language.say(_NOT_KNOWN),)


def _preparing(language: Language) -> str:
    return language.say("Core Signature is preparing the document.")


def _stands_still_until(view: Shown) -> bool:
    """Whether something is tried again at a known time; a fault of the people file stops no clock."""
    step = view.next
    return step is not None and step.what is NextStep.WAIT and step.at is not None


def _target(target: str, language: Language, called: NamesById) -> str:
    return workflow_words(target, language) or called.get(target, target)


def _waiting(view: Shown, reader: Reader, called: NamesById) -> tuple[str, ...]:
    """Whom it waits for; nothing when it is about to end."""
    if view.next and view.next.what is NextStep.END:
        return ()
    waiting = [called.get(waiting_for.person, waiting_for.person) for waiting_for in view.waiting_for]
    waiting = [view.asked_group] if waiting and view.asked_group else waiting
    people = reader.language.enumerate(dict.fromkeys(map(isolated, waiting)))
    return (reader.language.say("Waiting for {people}.", people=people),) if people else ()


def _state(view: RequestShow, line: SignerLine | None) -> SigningState:
    if view.partial or view.status is Status.CONVERTING:
        # Who has a link was asked, so Core Signature may be further than we know.
        return SigningState.OPEN
    if line is None:
        return SigningState.STRANGER
    state, taker = _PAGES.get(line.state, SigningState.OPEN), view.signer_for(line.team) if line.team else None
    return SigningState.PLACE_TAKEN if state is SigningState.OPEN and taker not in (None, line) else state
