"""What happened to a request or a task, in words and in the order in which it did: events and notices as one. Pure.

The timeline says it in English for people who run the system (workflows/follow_up/show.py); here each of its lines is a
sentence in the reader's language. A line that this code does not know stands as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from activities.language import phrase
from activities.reader import Reader
from starter.desk.rows import Name
from workflows.follow_up.stages import Stage, kind_of
from workflows.model.entries import TimelineEntry
from workflows.model.planning import EscalationReason, Reason
from workflows.model.request import SignerState
from workflows.model.subject import Status
from workflows.model.views import Shown

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


_HAPPENED: Final = {
    "started": phrase("{who} asked for it"),
    Status.SENT.value: phrase("The document was sent"),
    Status.CANCELLED.value: phrase("It was cancelled ({who})"),
    Status.EXPIRED.value: phrase("It expired"),
    Status.FAILED.value: phrase("It failed"),
    Status.DECLINED.value: phrase("{who} declined"),
    Status.SIGNED.value: phrase("{who} signed"),
    Status.DONE.value: phrase("{who} has done it"),
    Status.WAIVED.value: phrase("{who} waived it"),
    SignerState.VIEWED.value: phrase("{who} opened it"),
    SignerState.APPROVED.value: phrase("{who} approved"),
    SignerState.BOUNCED.value: phrase("The mail to {who} came back"),
    SignerState.COPIED.value: phrase("{who} got a copy"),
    "cancellation asked for": phrase("{who} asked to cancel it"),
    "reminder asked for": phrase("{who} asked for a reminder"),
    "link asked for": phrase("{who} asked for a new link"),
    "paused": phrase("{who} paused it"),
    "resumed": phrase("{who} let it go on"),
    "blocked": phrase("{who} cannot go on"),
    "unblocked": phrase("{who} cleared the way"),
    "the clocks go on": phrase("The clocks go on"),
    "problem mended": phrase("What was in the way is mended"),
    "notice taken off the phone": phrase("A notice was taken off the phone of {who}"),
    "hand-off done": phrase("{who} was told of the ending"),
    "hand-off failed": phrase("{who} could not be told of the ending yet"),
    "hand-off dead": phrase("{who} could not be told of the ending"),
    "hand-off pending": phrase("{who} is being told of the ending"),
}
_ENDED_WITH_WORDS: Final = (Status.DONE, Status.WAIVED)
"""What stands behind is a note, or a reason, of whoever ended it."""
_SETTLED_BY_ALL: Final = phrase("Everybody has signed")
_PATTERNS: Final = (
    (re.compile(r"to be handed over to (?P<to>\S+)"), phrase("The place of {who} is to be handed over to {to}")),
    (re.compile(r"not handed over to (?P<to>\S+)"), phrase("The place of {who} was not handed over to {to}")),
    (re.compile(r"handed over to (?P<to>\S+)"), phrase("The place of {who} was handed over to {to}")),
    (re.compile(r"escalated to (?P<to>\S+)"), phrase("{to} was asked to see to it, because {who} is silent")),
    (re.compile(r"due date moved to (?P<when>.+)"), phrase("{who} moved the due date to {when}")),
    (re.compile(r"not now, but (?P<when>.+)"), phrase("{who} wants to be reminded on {when}")),
    (re.compile(r"question \d+ asked"), phrase("{who} asked a question")),
    (re.compile(r"question \d+ answered"), phrase("{who} answered the question")),
    (re.compile(r"stage begun: (?P<part>.+)"), phrase("The stage {part} has begun")),
    (re.compile(r"stage done: (?P<part>.+)"), phrase("The stage {part} is done")),
    (re.compile(r"begun: (?P<part>.+)"), phrase("{part} has begun")),
    (re.compile(r"(?:signed|done): (?P<part>.+)"), phrase("{part} is done")),
    (re.compile(r"(?:declined|expired|cancelled|failed|broken off): (?P<part>.+)"), phrase("{part} did not end well")),
    (re.compile(r"waived: (?P<part>.+)"), phrase("{part} was waived")),
    (
        re.compile(r"nobody could be asked: (?P<part>.+)"),
        phrase("Nobody could be asked what is to become of {part}"),
    ),
    (re.compile(r"could not be started: (?P<part>.+)"), phrase("{part} could not be started")),
    (re.compile(r"decided: resend (?P<part>.+)"), phrase("{who} has {part} sent again")),
    (re.compile(r"decided: replace (?P<part>.+)"), phrase("{who} has {part} replaced")),
    (re.compile(r"decided: waive (?P<part>.+)"), phrase("{who} goes on without {part}")),
    (re.compile(r"decided: stop (?P<part>.+)"), phrase("{who} stops it because of {part}")),
    (re.compile(r"audience of (?P<count>\d+) frozen"), phrase("The audience is frozen: {count}")),
    (re.compile(r"start: seen to (?P<count>\d+)"), phrase("Asked: {count}")),
    (re.compile(r"end: seen to (?P<count>\d+)"), phrase("Requests that were ended: {count}")),
    (re.compile(r"extend: seen to (?P<count>\d+)"), phrase("Requests that are open longer: {count}")),
    (re.compile(r"exemption asked for: (?P<whom>\S+)"), phrase("{who} wants {whom} to be exempt")),
    (re.compile(r"later end asked for: (?P<when>.+)"), phrase("{who} wants it to be open until {when}")),
    (re.compile(r"retry asked for"), phrase("{who} wants those asked again who could not be asked")),
    (re.compile(r"(?:exemption|later end|retry) refused"), phrase("A change of the audience was not possible")),
    (re.compile(r"exempt"), phrase("{who} need not acknowledge")),
    (re.compile(r"everybody has until (?P<when>.+)"), phrase("Everybody has until {when}")),
    (re.compile(r"asked again: (?P<count>\d+)"), phrase("Asked again: {count}")),
    (re.compile(r"joined: (?P<count>\d+)"), phrase("Joined: {count}")),
    (re.compile(r"left: (?P<count>\d+)"), phrase("Left: {count}")),
    (re.compile(r"problem (?P<code>\S+)"), phrase("Something is in the way ({code})")),
    (re.compile(r"(?P<stage>\S+) put off"), phrase("A notice to {who} was put off")),
    (re.compile(r"(?P<stage>\S+) held back"), phrase("{who} is told later")),
    (re.compile(r"(?P<stage>\S+) suppressed"), phrase("{who} was not told")),
    (re.compile(r"(?P<stage>\S+) failed"), phrase("{who} could not be told")),
)
_TOLD: Final = {
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
    Stage.BOUNCED: phrase("{who} was told that a mail came back"),
    Stage.MISSING: phrase("{who} was told that somebody is missing in the directory"),
    Stage.UNREACHED: phrase("{who} was told that somebody cannot be reached"),
    Stage.REASSIGNED: phrase("{who} was told that somebody else is asked"),
    Stage.SETTLED: phrase("{who} was told how it ended"),
    Stage.UNDELIVERED: phrase("{who} was told that somebody could not be told"),
    Stage.NEWS: phrase("{who} was told that somebody is silent"),
    Stage.NOTICE: phrase("{who} got the news"),
    Stage.BEGUN: phrase("{who} was told that something was begun for them"),
    Stage.FINISHED: phrase("{who} was told that something was done for them"),
    Stage.LINK: phrase("{who} was sent their link once more"),
    Stage.MAIL: phrase("{who} got a mail of Core Signature"),
}
_REASONS: Final[Mapping[str, str]] = {
    Reason.QUIET_HOURS: phrase("outside their hours"),
    Reason.TOO_SOON: phrase("they had heard of it shortly before"),
    Reason.ABSENT: phrase("they are away"),
    Reason.PAUSED: phrase("it is paused"),
    Reason.SNOOZED: phrase("they wished to be reminded later"),
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
    EscalationReason.MANUAL: phrase("by hand"),
    EscalationReason.ABSENCE: phrase("they are away"),
}
_SYSTEMS: Final = ("core-signature", "countersign")


async def story(shown: Shown, reader: Reader, name: Name) -> tuple[Event, ...]:
    """Everything that happened, the newest first."""
    entries = list(reversed(shown.timeline))[:EVENTS_AT_MOST]
    return tuple([await _event(entry, reader, name) for entry in entries])


async def _event(entry: TimelineEntry, reader: Reader, name: Name) -> Event:
    words, values, notice = _words(entry)
    say = reader.language.say
    people = {key: await name(id) for key, id in values.items() if key in ("who", "to", "whom")}
    if "when" in values:
        values = {**values, "when": _on_their_clock(values["when"], reader)}
    why = entry.why or ""
    if not entry.said and why in _REASONS:
        why = say(_REASONS[why])
    return Event(
        at=reader.moment(entry.at),
        what=say(words, **{**values, **people}) if words else " ".join(filter(None, (entry.what, people.get("who")))),
        why=why,
        said=entry.said or entry.what in _ENDED_WITH_WORDS,
        notice=notice,
    )


def _on_their_clock(when: str, reader: Reader) -> str:
    """A day, or an instant in UTC, as the timeline writes it (`day_words`); what is neither stands as it is."""
    try:
        if when.endswith(" UTC"):
            return reader.moment(datetime.strptime(when, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
        return reader.date(date.fromisoformat(when))
    except ValueError:
        return when


def _words(entry: TimelineEntry) -> tuple[str, dict[str, str], bool]:
    """The sentence of a line, empty for one that this code does not know, and what is put into it."""
    values = {"who": entry.who} if entry.who else {}
    if entry.what == Status.SIGNED and (not entry.who or entry.who in _SYSTEMS):
        return _SETTLED_BY_ALL, {}, False
    if entry.what in _HAPPENED:
        return _complete(_HAPPENED[entry.what], values), values, False
    for pattern, words in _PATTERNS:
        if match := pattern.fullmatch(entry.what):
            told = {**values, **match.groupdict()}
            return _complete(words, told), told, "stage" in told
    stage = kind_of(entry.what)
    return (_complete(_TOLD[stage], values), values, True) if stage in _TOLD else ("", values, False)


def _complete(words: str, values: dict[str, str]) -> str:
    """The sentence if everything is there that it speaks of."""
    wanted = re.findall(r"\{(\w+)\}", words)
    return words if all(one in values for one in wanted) else ""
