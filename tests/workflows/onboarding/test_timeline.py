"""Whatever happens has a word of its own and is legible for ever, whoever has written it down."""

from datetime import UTC, datetime
from itertools import chain

from workflows.model.campaign import BatchWork, ChangeKind
from workflows.model.commands import PartOutcome
from workflows.model.hand_off import HandoffState
from workflows.model.onboarding import PartSnapshot
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.onboarding.state import happened

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def test_every_word_that_a_line_is_made_of_has_its_line() -> None:
    """The memory makes them from these words, where one without a line would break a workflow."""
    of_reviews = (SignerState.CHANGES, SignerState.SPARED)
    silent = (SignerState.WAITING, SignerState.TURN, SignerState.REASSIGNED, *of_reviews)
    event_words = chain(
        (status for status in Status if status.has_ended),
        (state for state in SignerState if state not in silent),
        (f"{operation}_{state}" for operation in ("hand_off", "replay") for state in HandoffState),
        (f"{event}_{work}" for event in ("walked", "left") for work in BatchWork),
        (f"decided_{choice}" for choice in PartOutcome),
        ChangeKind,
    )
    assert set(event_words) - set(EventType) == set()


def test_whoever_signals_the_end_of_a_part_may_say_anything() -> None:
    assert happened(PartSnapshot(id="a", status=Status.DECLINED)) is EventType.PART_DECLINED
    assert {happened(PartSnapshot(id="a", status=status)) for status in Status} <= set(EventType)


def test_a_line_says_what_it_is_about_and_is_read_back() -> None:
    line = TimelineEntry(at=AT, happened=EventType.DUE_MOVED, about="2026-12-11", who="legal-desk")
    plain_line = line.model_dump(mode="json")
    assert (plain_line["happened"], plain_line["what"]) == ("due_moved", "due date moved to 2026-12-11")
    assert TimelineEntry.model_validate(plain_line) == line


def test_what_newer_code_has_noted_is_kept_in_its_words() -> None:
    newer = {"at": AT, "happened": "eclipsed", "about": "5", "what": "eclipsed 5 times", "who": "chair"}
    line = TimelineEntry.model_validate(newer)
    assert line.what == "eclipsed 5 times"
    assert TimelineEntry.model_validate_json(line.model_dump_json()) == line


def test_what_was_noted_in_words_alone_is_kept_in_them() -> None:
    assert TimelineEntry.model_validate({"at": AT, "what": "problem refused"}).what == "problem refused"
    assert TimelineEntry.model_validate({"at": AT, "what": "sent"}).happened is EventType.SENT
