"""What happened, as pages say it: each line of a timeline is a sentence in its reader's language."""

from datetime import UTC, datetime
from string import Formatter

import pytest

from activities.language import Language
from activities.reader import Reader
from starter.desk.story import SAID, TOLD, Event, story
from workflows.follow_up.stages import Stage
from workflows.model.entries import TimelineEntry
from workflows.model.happened import Happened
from workflows.model.subject import Status
from workflows.model.views import RequestShow

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
UNTOLD = {
    *(Stage.WITHDRAWAL, Stage.DIGEST, Stage.PROGRESS, Stage.CONTENT, Stage.UNOPENED, Stage.UNCALLED, Stage.CALLED),
    *(Stage.HANDOFF_FAILING, Stage.HANDOFF_DEAD, Stage.HANDOFF_RECOVERED, Stage.PUSH_REFUSED, Stage.PUSH_RECOVERED),
}
"""They stand in no timeline: who is told so is told of many at once, or of what has no page."""


async def named(id: str) -> str:
    return {"chair": "the chair", "board": "the board"}.get(id, id)


async def told(*entries: TimelineEntry, language: Language | None = None) -> list[Event]:
    shown = RequestShow(id="msa", kind="nda", status=Status.SENT, timeline=entries)
    return list(await story(shown, Reader.unknown(language or Language.english()), named))


def test_whatever_can_happen_is_said_in_words() -> None:
    assert set(SAID) == set(Happened)


def test_whatever_people_are_told_is_said_in_words() -> None:
    assert set(TOLD) == set(Stage) - UNTOLD


async def test_no_line_stands_as_the_timeline_has_it_for_people_who_run_the_system() -> None:
    entries = [TimelineEntry(at=NOW, happened=one, about="2026-12-24", who="chair") for one in Happened]
    events = await told(*entries, language=Language.of("de"))
    for entry, event in zip(entries, reversed(events), strict=True):
        assert event.what not in (f"{entry.what} the chair", SAID[entry.happened]), entry.happened


@pytest.mark.parametrize("one", Happened)
async def test_a_sentence_has_what_it_speaks_of(one: Happened) -> None:
    wanted = {name for _, name, _, _ in Formatter().parse(SAID[one]) if name}
    [event] = await told(TimelineEntry(at=NOW, happened=one, about="board", who="chair"))
    assert ("the chair" in event.what) == ("who" in wanted)
    assert ("the board" in event.what) == bool(wanted & {"to", "whom"})


async def test_what_newer_code_has_noted_stands_in_its_own_words() -> None:
    newer = {"at": NOW, "happened": "eclipsed", "about": "5", "what": "eclipsed 5 times", "who": "chair"}
    [event] = await told(TimelineEntry.model_validate(newer))
    assert event.what == "eclipsed 5 times the chair"
    [event] = await told(TimelineEntry(at=NOW, happened=Happened.TOLD, about="horoscope-1", who="chair"))
    assert (event.what, event.notice) == ("the chair was told", True)


async def test_a_line_of_nobody_needs_nobody() -> None:
    [event] = await told(TimelineEntry(at=NOW, happened=Happened.SIGNED, who="core-signature"))
    assert event.what == "Everybody has signed"
    [event] = await told(TimelineEntry(at=NOW, happened=Happened.PAUSED))
    assert event.what == "paused"
