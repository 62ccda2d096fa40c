"""What happened to a request or a task, in words and in the order in which it did: events and notices as one. Pure.

The timeline says it in English for people who run the system (workflows/model/happened.py); here each of its lines is a
sentence in the reader's language (starter/desk/sentences.py). A line that this code does not know stands as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Final

from activities.language import phrase
from activities.reader import Reader
from starter.desk.rows import Name
from starter.desk.sentences import OUTCOMES, REASONS, SAID, TOLD
from starter.page.form_answers import objected
from starter.page.problems import problems_of
from starter.told_once import SYSTEMS, is_outcome, told_once
from workflows.follow_up.stages import NotificationType, kind_of
from workflows.model.entries import TimelineEntry
from workflows.model.happened import EventType
from workflows.model.planning import Reason
from workflows.model.views import OnboardingShow, Shown

EVENTS_AT_MOST: Final = 500
"""Lines of one page: the newest; the whole is what `request show --all` has."""


@dataclass(frozen=True)
class TimelineLine:
    """One line: when, what, and why; `said` are somebody's own words, `notice` is one that told somebody something.

    `machine` is what the system did by itself, which nobody needs to know who asks how far it is.
    """

    day: date
    at: str
    what: str
    why: str = ""
    said: bool = False
    notice: bool = False
    machine: bool = False


@dataclass(frozen=True)
class Lines:
    """Lines that follow each other; those of the machine are `folded` away when there are several."""

    events: tuple[TimelineLine, ...]
    folded: bool


@dataclass(frozen=True)
class Day:
    """What happened on one day, the newest first, and what the day is called."""

    name: str
    lines: tuple[Lines, ...]


_ENDED_WITH_WORDS: Final = (EventType.DONE, EventType.WAIVED)
"""What stands behind is a note, or a reason, of whoever ended it."""
_OF_NOTICES: Final = (
    EventType.TOLD,
    EventType.PUT_OFF,
    EventType.HELD_BACK,
    EventType.SUPPRESSED,
    EventType.NOT_TOLD,
)
_OF_SOMEBODY_ELSE: Final = (
    EventType.HAND_OVER_WISHED,
    EventType.HANDED_OVER,
    EventType.NOT_HANDED_OVER,
    EventType.ESCALATED,
    EventType.EXEMPTION_WISHED,
)
"""`about` is a person."""
_OF_STAGES: Final = (EventType.STAGE_BEGUN, EventType.STAGE_DONE)
"""`about` is the name of a stage, which a part may have as its id."""
_OF_THE_MACHINE: Final = (
    EventType.PUT_OFF,
    EventType.HELD_BACK,
    EventType.SUPPRESSED,
    EventType.TAKEN_OFF,
    EventType.SUBSCRIBED,
    EventType.UNSUBSCRIBED,
    EventType.HAND_OFF_PENDING,
    EventType.HAND_OFF_DONE,
    EventType.HAND_OFF_FAILED,
    EventType.REPLAY_PENDING,
    EventType.REPLAY_DONE,
    EventType.REPLAY_FAILED,
)
_TOLD_BY_THE_MACHINE: Final = (NotificationType.FOLLOW, NotificationType.SETTLED, NotificationType.NOTICE)
"""Of what somebody is told, that which changes nothing: the ending itself is a line of its own."""
_NEAR_DAYS: Final = {0: phrase("Today"), 1: phrase("Yesterday")}
"""What days are called, by how long ago they were."""
_ALWAYS: Final[Mapping[str, str]] = {EventType.HELD_BACK: Reason.QUIET}
"""What has but one reason, which the timeline tells at more length."""


async def by_day(shown: Shown, reader: Reader, name: Name, now: datetime) -> tuple[Day, ...]:
    """Everything that happened, day by day in the reader's zone, the newest first."""
    days = groupby(await story(shown, reader, name), key=lambda event: event.day)
    return tuple(Day(_day_name(day, reader, now), tuple(_lines(events))) for day, events in days)


def _lines(events: Iterable[TimelineLine]) -> Iterator[Lines]:
    for machine, some in groupby(events, key=lambda event: event.machine):
        found = tuple(some)
        yield Lines(found, folded=machine and len(found) > 1)


def _day_name(day: date, reader: Reader, now: datetime) -> str:
    written, near = reader.date(day), _NEAR_DAYS.get((reader.day(now) - day).days)
    return f"{reader.language.say(near)} · {written}" if near else written


async def story(shown: Shown, reader: Reader, name: Name) -> tuple[TimelineLine, ...]:
    """Everything that happened, the newest first."""
    titles = _titles(shown)
    entries = told_once(shown.timeline)[: -EVENTS_AT_MOST - 1 : -1]
    return tuple([await _event(entry, titles, reader, name) for entry in entries])


def _titles(shown: Shown) -> Mapping[str, str]:
    """What the parts of an onboarding are called, by the ids that its lines have."""
    stages = shown.stages if isinstance(shown, OnboardingShow) else ()
    return {part.id: part.title for stage in stages for part in stage.parts}


async def _event(entry: TimelineEntry, titles: Mapping[str, str], reader: Reader, name: Name) -> TimelineLine:
    say = reader.language.say
    values, words = await _values(entry, titles, reader, name), _words(entry)
    return TimelineLine(
        day=reader.day(entry.at),
        at=reader.clock(entry.at),
        what=say(words, **values) if words else " ".join(filter(None, (entry.what, values.get("who")))),
        why=await _why(entry, reader, name),
        said=entry.said or entry.happened in _ENDED_WITH_WORDS,
        notice=entry.happened in _OF_NOTICES,
        machine=_is_of_the_machine(entry),
    )


def _is_of_the_machine(entry: TimelineEntry) -> bool:
    told = entry.happened == EventType.TOLD and kind_of(entry.about) in _TOLD_BY_THE_MACHINE
    return told or entry.happened in _OF_THE_MACHINE


async def _why(entry: TimelineEntry, reader: Reader, name: Name) -> str:
    """What stands in brackets: somebody's own words, else a reason that pages have words for, and who wanted it.

    What a service answered and what a rule of the planner says is for people who run the system, and left to them.
    """
    why, theirs = entry.why or "", entry.said or entry.happened in _ENDED_WITH_WORDS
    if entry.happened not in SAID or (theirs and entry.who not in SYSTEMS):
        return why
    language = reader.language
    if entry.happened == EventType.PROBLEM:
        [words] = problems_of(language, entry.about, None, None)
    else:
        reason = REASONS.get(_ALWAYS.get(entry.happened, why))
        words = language.say(reason) if reason else objected(language, why)
    by = language.say("by {who}", who=await name(entry.by)) if entry.by and entry.by not in SYSTEMS else ""
    return ", ".join(filter(None, (words, by)))


def _words(entry: TimelineEntry) -> str:
    """The sentence of a line; empty for one that this code does not know, or of nobody where it needs somebody."""
    if is_outcome(entry):
        return OUTCOMES[entry.happened]
    words = SAID.get(entry.happened, "")
    if entry.happened == EventType.TOLD:
        words = TOLD.get(kind_of(entry.about) or "", words)
    return words if entry.who or "{who}" not in words else ""


async def _values(entry: TimelineEntry, titles: Mapping[str, str], reader: Reader, name: Name) -> dict[str, str]:
    """What is put into a sentence; each says what `about` is to it."""
    about = entry.about
    named = about if entry.happened in _OF_STAGES else titles.get(about, about)
    values = {"part": named, "count": about, "code": about, "when": _on_their_clock(about, reader)}
    if entry.happened in _OF_SOMEBODY_ELSE:
        values |= dict.fromkeys(("to", "whom"), await name(about))
    return values | ({"who": SYSTEMS.get(entry.who) or await name(entry.who)} if entry.who else {})


def _on_their_clock(when: str, reader: Reader) -> str:
    """A day, or an instant in UTC, as the timeline writes it (`day_words`); what is neither stands as it is."""
    try:
        if when.endswith(" UTC"):
            return reader.moment(datetime.strptime(when, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
        return reader.date(date.fromisoformat(when))
    except ValueError:
        return when
