"""What people read of one request or task: the answer first, then who, then what happened as one list, on one screen.

An ordinary request takes at most `SCREEN` lines of 80 columns; what is older is counted. Programs read all of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from rich.console import Group, RenderableType
from rich.text import Text

import starter.campaigns.overview as campaign
from starter.rows import Rows
from starter.terminal import Cell, Facts, Instant, Sentence, ZoneLine
from starter.told_once import is_outcome, told_once
from workflows.follow_up.show import deadlines, handed_off_entry, is_needless, outcome_words, stamp, told_entry
from workflows.follow_up.stages import stage_words
from workflows.model.entries import AskedQuestion, TimelineEntry
from workflows.model.happened import EventType
from workflows.model.lines import AssigneeLine, PartLine, SignerLine
from workflows.model.notices import Notification
from workflows.model.settlement import HandoffLine, HandoffState
from workflows.model.views import (
    CampaignShow,
    FollowUpShow,
    OnboardingShow,
    Shown,
    TaskShow,
    WaitingFor,
    WaitingPart,
)

SCREEN: Final = 25
"""Lines of an ordinary request."""
_NEWEST: Final = 8
"""Lines of what happened that people are shown unless they want them all."""
_NEWEST_OF_MANY: Final = 2
"""The same of a campaign, whose people take the room."""
_SIGNERS: Final = 6
_WAITING: Final = 20
_IDS: Final = ("signer", "asked", "person", "target", "who")
"""Columns in which somebody or something is named by an id."""
_GOOD: Final = ("signed", "approved", "done", "accepted")
_BAD: Final = ("declined", "cancelled", "expired", "failed", "dead", "bounced")
Line = TypeVar("Line", SignerLine, AssigneeLine)
Names: TypeAlias = Mapping[str, str]
"""Of people by their ids."""


def of_shown(shown: Shown, *, whole: bool = True, names: Names = MappingProxyType({})) -> Group:
    """The answer in one sentence, then everything; without `whole` only the newest of what happened.

    `names` are those of people whose ids say nothing, as they stand in full in a file.
    """
    return Group(*_shown(shown, whole, names))


def state_of(state: str, words: str = "") -> Text:
    """A state in its colour, in words where it is none that people say."""
    return Text(words or state, "green" if state in _GOOD else "red" if state in _BAD else "")


def _shown(shown: Shown, whole: bool, names: Names) -> Iterator[RenderableType]:
    yield Sentence(shown.says, "bold")
    yield ZoneLine()
    yield _facts(shown, names)
    yield from _people(shown, whole, names)
    yield from _section(("asked", "person", "question", "answer"), map(_question, shown.questions))
    yield from _section(("target", "state", "attempts", "at", "why"), map(_hand_off, _untold(shown)))
    happened = list(_happened(shown))
    most = _NEWEST_OF_MANY if isinstance(shown, CampaignShow) else _NEWEST
    newest = happened if whole else happened[-most:]
    yield from _section(("at", "what", "who", "why"), newest)
    yield from _left_out(shown, len(happened) - len(newest))


def _people(shown: Shown, whole: bool, names: Names) -> Iterator[RenderableType]:
    if isinstance(shown, TaskShow):
        people = shown.people if whole else _pressing(shown.people)
        yield from _section(("asked", "state", "at"), (_assignee(one, names) for one in people))
        yield from _beyond(len(shown.people) - len(people), "people")
    elif isinstance(shown, CampaignShow):
        for groups in campaign.groups(shown, whole=whole):
            yield from (Text(""), groups)
    elif isinstance(shown, OnboardingShow):
        yield from _section(("stage", "part", "state", "with", "since", "until"), _parts(shown))
    else:
        signers = shown.signers if whole else _pressing(shown.signers)
        yield from _section(("signer", "role", "state", "at"), (_signer(one, names) for one in signers))
        yield from _beyond(len(shown.signers) - len(signers), "signers")


def _beyond(left: int, who: str) -> Iterator[RenderableType]:
    if left:
        yield Text(f"and {left} more {who} (--all has them)", "dim")


def _facts(shown: Shown, names: Names) -> Facts:
    facts = Facts()
    for what, says in _about(shown):
        if says:
            facts.add(what, says)
    for waiting in shown.waiting_for[:_WAITING]:
        facts.add("waiting for", f"{_named(_who(waiting), names)}, since {stamp(waiting.since)}")
    if (more := len(shown.waiting_for) - _WAITING) > 0:
        facts.add("waiting for", f"{more} more (--json has them)")
    if shown.next:
        facts.add("next", " ".join(filter(None, (shown.next.what, stamp(shown.next.at), f"({shown.next.why})"))))
    if not isinstance(shown, CampaignShow):  # Its window says so already.
        for what, at in deadlines(shown):
            facts.add(what, stamp(at))
    if shown.problem:
        facts.add("problem", f"{shown.problem.code}: {shown.problem.says}", "red")
    for one in shown.attention:
        facts.add("attention", f"{one.code}, since {stamp(one.since)}: {one.says}", "yellow")
    return facts


def _about(shown: Shown) -> tuple[tuple[str, str], ...]:
    name = f"{shown.id}  {shown.kind}"
    if isinstance(shown, TaskShow):
        return ("task", name), ("title", shown.title), ("text", shown.text)
    if isinstance(shown, OnboardingShow):
        return ("onboarding", name), ("customer", shown.title)
    if isinstance(shown, CampaignShow):
        return tuple(campaign.facts(shown))
    return ("request", name), ("document", shown.document)


def _parts(shown: OnboardingShow) -> Iterator[tuple[Cell, ...]]:
    """A tree: each stage, and below it its parts with whoever has to act now."""
    waiting = {one.part: one for one in reversed(shown.waiting_for)}
    for stage in shown.stages:
        ended = stage.state == "done"
        yield stage.name, "", state_of(stage.state), "", Instant(stage.since), Instant(stage.at if ended else None)
        for part in stage.parts:
            turn = waiting.get(part.id)
            with_whom, since = (_who(turn, of_part=True), turn.since) if turn else (part.team or "", part.since)
            until = Instant(part.at or part.due_at)
            yield "", f"{part.id}: {part.title}", state_of(_state(part)), with_whom, Instant(since), until
        for news in stage.notices:
            yield "", f"{news.id}: {news.title}", state_of(news.state), news.to, Instant(news.at), ""


def _who(waiting: WaitingFor, *, of_part: bool = False) -> str:
    """Somebody by their id, and as the file calls them."""
    if not isinstance(waiting, WaitingPart):
        return waiting.person
    who = waiting.person if waiting.who == waiting.person else f"{waiting.person} ({waiting.who})"
    return who if of_part else f"{who}: {waiting.what}"


def _named(id: str, names: Names) -> str:
    return f"{id} ({names[id]})" if id in names else id


def _state(part: PartLine) -> str:
    return str(part.status or part.state)


def _pressing(signers: tuple[Line, ...]) -> tuple[Line, ...]:
    """Of a crowd those who have not acted yet come first."""
    if len(signers) <= _SIGNERS:
        return signers
    return tuple(sorted(signers, key=lambda line: line.state in _GOOD)[:_SIGNERS])


def _happened(shown: FollowUpShow) -> Iterator[tuple[Cell, ...]]:
    """Everything that has an instant, as one list, oldest first; what the timeline has of a notice is said with it."""
    notices = [line for line in shown.notifications if not is_needless(line)]
    told = [line for line in shown.handoffs if line.state is HandoffState.DONE]
    said = {*map(told_entry, notices), *map(handed_off_entry, told)}
    entries: list[tuple[datetime, tuple[Cell, ...]]] = [
        *((entry.at, _event(entry)) for entry in told_once(shown.timeline) if entry not in said),
        *((line.at, _notice(line)) for line in notices),
        *((line.at, (Instant(line.at), "told downstream", _target(line), line.key)) for line in told),
    ]
    return (row for _, row in sorted(entries, key=lambda entry: entry[0]))


def _untold(shown: FollowUpShow) -> Iterator[HandoffLine]:
    return (line for line in shown.handoffs if line.state is not HandoffState.DONE)


def _left_out(shown: FollowUpShow, older: int) -> Iterator[RenderableType]:
    if older + shown.earlier > 0:
        yield Text(f"and {older + shown.earlier} earlier (--all has them)", "dim")
    if needless := sum(map(is_needless, shown.notifications)):
        yield Text(f"and {needless} planned ones that were not needed any more (--json has them)", "dim")


def _section(columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Iterator[RenderableType]:
    table = Rows(*columns, whole=_IDS)
    for row in rows:
        table.add(*row)
    if table:
        yield Text("")
        yield table


def _signer(line: SignerLine, names: Names) -> tuple[Cell, ...]:
    return (
        f"{line.order}. {_named(line.person, names)}",
        line.role,
        state_of(line.state, line.state.english),
        Instant(line.at),
    )


def _assignee(line: AssigneeLine, names: Names) -> tuple[Cell, ...]:
    return _named(line.person, names), state_of(line.state), Instant(line.at)


def _notice(line: Notification) -> tuple[Cell, ...]:
    return Instant(line.at), stage_words(line.stage), line.person, f"{line.channel}: {outcome_words(line)}"


def _question(question: AskedQuestion) -> tuple[Cell, ...]:
    return Instant(question.at), question.person, question.text, question.answer or Text("not answered yet", "yellow")


def _hand_off(line: HandoffLine) -> tuple[Cell, ...]:
    again = f"again {stamp(line.due_at)}" if line.due_at and line.attempts else ""
    says = ", ".join(filter(None, (line.why, again, line.key)))
    return _target(line), state_of(line.state), str(line.attempts), Instant(line.at), says


def _target(line: HandoffLine) -> str:
    return f"{line.target} (replay {line.replay})" if line.replay else line.target


def _event(entry: TimelineEntry) -> tuple[Cell, ...]:
    what = "signed by everybody" if entry.happened == EventType.SIGNED and is_outcome(entry) else entry.what
    return Instant(entry.at), what, entry.who or "", entry.because
