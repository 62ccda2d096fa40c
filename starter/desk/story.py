"""What happened to a request or a task, in words and in the order in which it did: events and notices as one. Pure.

The timeline says it in English for people who run the system (workflows/model/happened.py); here each of its lines is a
sentence in the reader's language. A line that this code does not know stands as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from activities.language import phrase
from activities.reader import Reader
from starter.desk.rows import Name
from starter.page.form_answers import objected
from starter.page.problems import problems_of
from workflows.follow_up.stages import Stage, kind_of
from workflows.model.campaign import CLOSED
from workflows.model.entries import TimelineEntry
from workflows.model.happened import Happened
from workflows.model.planning import EscalationReason, Reason
from workflows.model.views import OnboardingShow, Shown

EVENTS_AT_MOST: Final = 500
"""Lines of one page: the newest; the whole is what `request show --all` has."""


@dataclass(frozen=True)
class Event:
    """One line: when, what, and why; `said` are somebody's own words, `notice` is one that told somebody something."""

    at: str
    what: str
    why: str = ""
    said: bool = False
    notice: bool = False


SAID: Final[Mapping[str, str]] = {
    Happened.STARTED: phrase("{who} asked for it"),
    Happened.SENT: phrase("The document was sent"),
    Happened.VIEWED: phrase("{who} opened it"),
    Happened.SIGNED: phrase("{who} signed"),
    Happened.APPROVED: phrase("{who} approved"),
    Happened.COPIED: phrase("{who} got a copy"),
    Happened.BOUNCED: phrase("The email to {who} came back"),
    Happened.DECLINED: phrase("{who} declined"),
    Happened.DONE: phrase("{who} has done it"),
    Happened.DONE_WITH_ERRORS: phrase("It is done, but some could not be asked"),
    Happened.WAIVED: phrase("{who} waived it"),
    Happened.CANCELLED: phrase("It was cancelled ({who})"),
    Happened.EXPIRED: phrase("It expired"),
    Happened.FAILED: phrase("It failed"),
    Happened.UNKNOWN_STATUS: phrase("Core Signature says something unknown ({code})"),
    Happened.CANCELLATION_WISHED: phrase("{who} asked to cancel it"),
    Happened.REMINDER_WISHED: phrase("{who} asked for a reminder"),
    Happened.HAND_OVER_WISHED: phrase("The place of {who} is to be handed over to {to}"),
    Happened.LINK_WISHED: phrase("{who} asked for a new link"),
    Happened.REPLAY_WISHED: phrase("{who} is to be told of the ending once more"),
    Happened.EXEMPTION_WISHED: phrase("{who} wants {whom} to be exempt"),
    Happened.LATER_END_WISHED: phrase("{who} wants it to be open until {when}"),
    Happened.RETRY_WISHED: phrase("{who} wants those asked again who could not be asked"),
    Happened.EXEMPTION_REFUSED: phrase("A change of the audience was not possible"),
    Happened.LATER_END_REFUSED: phrase("A change of the audience was not possible"),
    Happened.RETRY_REFUSED: phrase("A change of the audience was not possible"),
    Happened.HANDED_OVER: phrase("The place of {who} was handed over to {to}"),
    Happened.NOT_HANDED_OVER: phrase("The place of {who} was not handed over to {to}"),
    Happened.ESCALATED: phrase("{to} was asked to see to it, because {who} is silent"),
    Happened.DUE_MOVED: phrase("{who} moved the due date to {when}"),
    Happened.SNOOZED: phrase("{who} wants to be reminded on {when}"),
    Happened.QUESTION_ASKED: phrase("{who} asked a question"),
    Happened.QUESTION_ANSWERED: phrase("{who} answered the question"),
    Happened.BLOCKED: phrase("{who} cannot go on"),
    Happened.UNBLOCKED: phrase("{who} cleared the way"),
    Happened.PAUSED: phrase("{who} paused it"),
    Happened.RESUMED: phrase("{who} resumed it"),
    Happened.WENT_ON: phrase("Reminders go on without an answer"),
    Happened.PROBLEM: phrase("Something is in the way"),
    Happened.MENDED: phrase("What was in the way is mended"),
    Happened.SUBSCRIBED: phrase("{who} is told of the ending as well"),
    Happened.UNSUBSCRIBED: phrase("{who} is not told of the ending any more"),
    Happened.TOLD: phrase("{who} was told"),
    Happened.PUT_OFF: phrase("A notice to {who} was put off"),
    Happened.HELD_BACK: phrase("{who} is told later"),
    Happened.SUPPRESSED: phrase("{who} was not told"),
    Happened.NOT_TOLD: phrase("{who} could not be told"),
    Happened.TAKEN_OFF: phrase("A notice was taken off the phone of {who}"),
    Happened.HAND_OFF_PENDING: phrase("{who} is being told of the ending"),
    Happened.HAND_OFF_DONE: phrase("{who} was told of the ending"),
    Happened.HAND_OFF_FAILED: phrase("{who} could not be told of the ending yet"),
    Happened.HAND_OFF_DEAD: phrase("{who} could not be told of the ending"),
    Happened.REPLAY_PENDING: phrase("{who} is being told of the ending"),
    Happened.REPLAY_DONE: phrase("{who} was told of the ending"),
    Happened.REPLAY_FAILED: phrase("{who} could not be told of the ending yet"),
    Happened.REPLAY_DEAD: phrase("{who} could not be told of the ending"),
    Happened.STAGE_BEGUN: phrase("The stage {part} has begun"),
    Happened.STAGE_DONE: phrase("The stage {part} is done"),
    Happened.PART_BEGUN: phrase("{part} has begun"),
    Happened.PART_NOT_STARTED: phrase("{part} could not be started"),
    Happened.PART_SIGNED: phrase("{part} is done"),
    Happened.PART_DONE: phrase("{part} is done"),
    Happened.PART_WAIVED: phrase("{part} was waived"),
    Happened.PART_DECLINED: phrase("{part} was declined"),
    Happened.PART_EXPIRED: phrase("{part} has expired"),
    Happened.PART_CANCELLED: phrase("{part} was cancelled"),
    Happened.PART_FAILED: phrase("{part} has failed"),
    Happened.PART_BROKEN_OFF: phrase("{part} was broken off"),
    Happened.NOBODY_ASKED: phrase("Nobody could be asked what is to become of {part}"),
    Happened.DECIDED_RESEND: phrase("{who} has {part} sent again"),
    Happened.DECIDED_REPLACE: phrase("{who} has {part} replaced"),
    Happened.DECIDED_WAIVE: phrase("{who} goes on without {part}"),
    Happened.DECIDED_STOP: phrase("{who} stops it because of {part}"),
    Happened.FROZEN: phrase("The audience is frozen: {count}"),
    Happened.WALKED_START: phrase("Asked: {count}"),
    Happened.WALKED_END: phrase("Requests that were ended: {count}"),
    Happened.WALKED_EXTEND: phrase("Requests that are open longer: {count}"),
    Happened.LEFT_START: phrase("Not everybody could be asked before it closed"),
    Happened.LEFT_END: phrase("Not every request could be ended before it closed"),
    Happened.LEFT_EXTEND: phrase("Not every request could be opened longer before it closed"),
    Happened.EXEMPT: phrase("{who} need not acknowledge"),
    Happened.EXTENDED: phrase("Everybody has until {when}"),
    Happened.AGAIN: phrase("Asked again: {count}"),
    Happened.JOINED: phrase("Joined: {count}"),
    Happened.LEFT: phrase("Left: {count}"),
}
_ENDED_WITH_WORDS: Final = (Happened.DONE, Happened.WAIVED)
"""What stands behind is a note, or a reason, of whoever ended it."""
_OF_NOTICES: Final = (
    Happened.TOLD,
    Happened.PUT_OFF,
    Happened.HELD_BACK,
    Happened.SUPPRESSED,
    Happened.NOT_TOLD,
)
_OF_SOMEBODY_ELSE: Final = (
    Happened.HAND_OVER_WISHED,
    Happened.HANDED_OVER,
    Happened.NOT_HANDED_OVER,
    Happened.ESCALATED,
    Happened.EXEMPTION_WISHED,
)
"""`about` is a person."""
_OF_STAGES: Final = (Happened.STAGE_BEGUN, Happened.STAGE_DONE)
"""`about` is the name of a stage, which a part may have as its id."""
_OUTCOMES: Final[Mapping[str, str]] = {
    Happened.SIGNED: phrase("Everybody has signed"),
    Happened.DONE: phrase("It is done"),
    Happened.DECLINED: phrase("It was declined"),
    Happened.WAIVED: phrase("It was waived"),
}
"""How it ended, where nobody stands for it who did so."""
TOLD: Final[Mapping[str, str]] = {
    Stage.READY: phrase("{who} was asked"),
    Stage.FOLLOW: phrase("{who} was told where to follow it"),
    Stage.REMINDER: phrase("{who} was reminded"),
    Stage.SNOOZE: phrase("{who} was reminded at the time they wished"),
    Stage.FALLBACK: phrase("{who} was told by another way"),
    Stage.WARNING: phrase("{who} was warned that it is due soon"),
    Stage.OVERDUE: phrase("{who} was told that it is overdue"),
    Stage.ESCALATION: phrase("{who} was told that somebody is silent"),
    Stage.ESCALATED: phrase("{who} was told that somebody else was asked to see to it"),
    Stage.QUESTION: phrase("{who} was told of a question"),
    Stage.BLOCKED: phrase("{who} was told that somebody cannot go on"),
    Stage.UNANSWERED: phrase("{who} was told that a question is open"),
    Stage.ANSWER: phrase("{who} was told the answer"),
    Stage.BOUNCED: phrase("{who} was told that an email came back"),
    Stage.MISSING: phrase("{who} was told that somebody is not in the directory"),
    Stage.UNREACHED: phrase("{who} was told that somebody cannot be reached"),
    Stage.REASSIGNED: phrase("{who} was told that somebody else is asked"),
    Stage.SETTLED: phrase("{who} was told how it ended"),
    Stage.UNDELIVERED: phrase("{who} was told that somebody could not be told"),
    Stage.NEWS: phrase("{who} was told that somebody is silent"),
    Stage.NOTICE: phrase("{who} got the news"),
    Stage.BEGUN: phrase("{who} was told that something was begun for them"),
    Stage.FINISHED: phrase("{who} was told that something was done for them"),
    Stage.LINK: phrase("{who} was sent their link once more"),
    Stage.MAIL: phrase("{who} got an email from Core Signature"),
}
REASONS: Final[Mapping[str, str]] = {
    Reason.SIGNED: phrase("they have signed"),
    Reason.NOT_THEIR_TURN: phrase("it was not their turn any more"),
    Reason.QUIET_HOURS: phrase("outside their hours"),
    Reason.TOO_SOON: phrase("they had heard of it shortly before"),
    Reason.ABSENT: phrase("they are away"),
    Reason.PAUSED: phrase("it is paused"),
    Reason.SNOOZED: phrase("they wished to be reminded later"),
    Reason.SETTLED: phrase("it had ended"),
    Reason.SUPERSEDED: phrase("it was planned anew"),
    Reason.ANSWERED: phrase("the question was answered"),
    Reason.NO_DEVICE: phrase("they have no device"),
    Reason.CAUGHT_UP: phrase("a later one said the same"),
    Reason.QUIET: phrase("they have heard enough for now"),
    Reason.JOINED: phrase("another notice has said so"),
    Reason.OPENED: phrase("they had opened it"),
    Reason.NO_CHANNEL: phrase("there is no other way to them"),
    Reason.UNDELIVERED: phrase("it did not arrive"),
    Reason.UNCONFIRMED: phrase("nobody knows whether it arrived"),
    Reason.UNKNOWN_PERSON: phrase("they are not in the directory"),
    Reason.DIRECTORY: phrase("the directory gave no answer"),
    Reason.REFUSED: phrase("the service refused it"),
    Reason.UNREACHABLE: phrase("the service did not answer"),
    Reason.UNAUTHORISED: phrase("the service does not let us in"),
    Reason.PUSH_MISMATCH: phrase("the device belongs to another push service"),
    Reason.OTHERS_ASLEEP: phrase("it would have woken others"),
    Reason.WITH_OTHERS: phrase("a mail for others reached them as well"),
    EscalationReason.MANUAL: phrase("by hand"),
    EscalationReason.ABSENCE: phrase("they are away"),
    EscalationReason.ESCALATION: phrase("they are silent"),
    CLOSED: phrase("the campaign was closed"),
}
"""Why, as far as it is known by a word."""
_ALWAYS: Final[Mapping[str, str]] = {Happened.HELD_BACK: Reason.QUIET}
"""What has but one reason, which the timeline tells at more length."""
_SYSTEMS: Final = {"core-signature": "Core Signature", "countersign": "Countersign", "temporal": "Temporal"}
"""Who is nobody: their names, which are the same in every language."""


async def story(shown: Shown, reader: Reader, name: Name) -> tuple[Event, ...]:
    """Everything that happened, the newest first."""
    titles = _titles(shown)
    entries = _told_once(shown.timeline)[: -EVENTS_AT_MOST - 1 : -1]
    return tuple([await _event(entry, titles, reader, name) for entry in entries])


def _told_once(timeline: Sequence[TimelineEntry]) -> Sequence[TimelineEntry]:
    """Without a decline as the outcome where it stands already who declined."""
    declines = [entry for entry in timeline if entry.happened == Happened.DECLINED]
    if all(map(_is_outcome, declines)):
        return timeline
    return [entry for entry in timeline if entry not in declines or not _is_outcome(entry)]


def _is_outcome(entry: TimelineEntry) -> bool:
    """Whether a line says how it ended, not what somebody did."""
    return entry.happened in _OUTCOMES and (not entry.who or entry.who in _SYSTEMS)


def _titles(shown: Shown) -> Mapping[str, str]:
    """What the parts of an onboarding are called, by the ids that its lines have."""
    stages = shown.stages if isinstance(shown, OnboardingShow) else ()
    return {part.id: part.title for stage in stages for part in stage.parts}


async def _event(entry: TimelineEntry, titles: Mapping[str, str], reader: Reader, name: Name) -> Event:
    say = reader.language.say
    values, words = await _values(entry, titles, reader, name), _words(entry)
    return Event(
        at=reader.moment(entry.at),
        what=say(words, **values) if words else " ".join(filter(None, (entry.what, values.get("who")))),
        why=await _why(entry, reader, name),
        said=entry.said or entry.happened in _ENDED_WITH_WORDS,
        notice=entry.happened in _OF_NOTICES,
    )


async def _why(entry: TimelineEntry, reader: Reader, name: Name) -> str:
    """What stands in brackets: somebody's own words, else a reason that pages have words for, and who wanted it.

    What a service answered and what a rule of the planner says is for people who run the system, and left to them.
    """
    why, theirs = entry.why or "", entry.said or entry.happened in _ENDED_WITH_WORDS
    if entry.happened not in SAID or (theirs and entry.who not in _SYSTEMS):
        return why
    language = reader.language
    if entry.happened == Happened.PROBLEM:
        [words] = problems_of(language, entry.about, None, None)
    else:
        reason = REASONS.get(_ALWAYS.get(entry.happened, why))
        words = language.say(reason) if reason else objected(language, why)
    by = language.say("by {who}", who=await name(entry.by)) if entry.by and entry.by not in _SYSTEMS else ""
    return ", ".join(filter(None, (words, by)))


def _words(entry: TimelineEntry) -> str:
    """The sentence of a line; empty for one that this code does not know, or of nobody where it needs somebody."""
    if _is_outcome(entry):
        return _OUTCOMES[entry.happened]
    words = SAID.get(entry.happened, "")
    if entry.happened == Happened.TOLD:
        words = TOLD.get(kind_of(entry.about) or "", words)
    return words if entry.who or "{who}" not in words else ""


async def _values(entry: TimelineEntry, titles: Mapping[str, str], reader: Reader, name: Name) -> dict[str, str]:
    """What is put into a sentence; each says what `about` is to it."""
    about = entry.about
    named = about if entry.happened in _OF_STAGES else titles.get(about, about)
    values = {"part": named, "count": about, "code": about, "when": _on_their_clock(about, reader)}
    if entry.happened in _OF_SOMEBODY_ELSE:
        values |= dict.fromkeys(("to", "whom"), await name(about))
    return values | ({"who": _SYSTEMS.get(entry.who) or await name(entry.who)} if entry.who else {})


def _on_their_clock(when: str, reader: Reader) -> str:
    """A day, or an instant in UTC, as the timeline writes it (`day_words`); what is neither stands as it is."""
    try:
        if when.endswith(" UTC"):
            return reader.moment(datetime.strptime(when, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
        return reader.date(date.fromisoformat(when))
    except ValueError:
        return when
