"""What happened, as pages say it: each line of a timeline is a sentence in its reader's language."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from activities.people.language import LANGUAGES, Language
from activities.people.reader import Reader
from starter.queries.lookup import OUTCOMES as TOLD_ONCE
from starter.web.desk.follow_up_text import (
    EVENT_TEXTS,
    NOTIFICATION_TEXTS,
    OUTCOME_TEXTS,
    REASON_TEXTS,
    TimelineLine,
    by_day,
    timeline_lines,
)
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.view import told_entry
from workflows.model.commands import KnownBy
from workflows.model.notifications import AppEvent, AppEventType, DeviceOutcome, Notification
from workflows.model.rejections import Rejection
from workflows.model.schedule import EscalationReason, Reason
from workflows.model.subject import Code, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import RequestShow

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
UNTOLD = {
    *(
        NotificationType.WITHDRAWAL,
        NotificationType.DIGEST,
        NotificationType.PROGRESS,
        NotificationType.CONTENT,
        NotificationType.UNOPENED,
        NotificationType.UNCALLED,
        NotificationType.CALLED,
    ),
    *(
        NotificationType.HANDOFF_FAILING,
        NotificationType.HANDOFF_DEAD,
        NotificationType.HANDOFF_RECOVERED,
        NotificationType.PUSH_REFUSED,
        NotificationType.PUSH_RECOVERED,
        NotificationType.PROBLEM_LASTS,
        NotificationType.PROBLEM_OVER,
    ),
    NotificationType.CLOCK_BEHIND,
}
"""They stand in no timeline: who is told so is told of many at once, or of what has no page."""


async def named(id: str) -> str:
    return {"chair": "the chair", "board": "the board"}.get(id, id)


async def render_lines(*entries: TimelineEntry, language: Language | None = None) -> list[TimelineLine]:
    view = RequestShow(id="msa", kind="nda", status=Status.SENT, timeline=entries)
    return list(await timeline_lines(view, Reader.unknown(language or Language.english()), named))


def test_whatever_can_happen_is_said_in_words() -> None:
    assert set(EVENT_TEXTS) == set(EventType)
    assert set(OUTCOME_TEXTS) == set(TOLD_ONCE)


def test_whatever_people_are_told_is_said_in_words() -> None:
    assert set(NOTIFICATION_TEXTS) == set(NotificationType) - UNTOLD


async def test_no_line_stands_as_the_timeline_has_it_for_people_who_run_the_system() -> None:
    for entry in (
        TimelineEntry(at=NOW, happened=event_type, about="2026-12-24", who="chair") for event_type in EventType
    ):
        [event] = await render_lines(entry, language=Language.from_tag("de"))
        assert event.what not in (f"{entry.what} the chair", EVENT_TEXTS[entry.happened]), entry.happened


@pytest.mark.parametrize("event_type", EventType)
async def test_a_sentence_has_what_it_speaks_of(event_type: EventType) -> None:
    placeholders = {name for _, name, _, _ in Formatter().parse(EVENT_TEXTS[event_type]) if name}
    [event] = await render_lines(TimelineEntry(at=NOW, happened=event_type, about="board", who="chair"))
    assert ("the chair" in event.what) == ("who" in placeholders)
    assert ("the board" in event.what) == bool(placeholders & {"to", "whom"})


async def test_what_newer_code_has_noted_stands_in_its_own_words() -> None:
    newer = {"at": NOW, "happened": "eclipsed", "about": "5", "what": "eclipsed 5 times", "who": "chair"}
    [event] = await render_lines(TimelineEntry.model_validate(newer))
    assert event.what == "eclipsed 5 times the chair"
    [event] = await render_lines(TimelineEntry(at=NOW, happened=EventType.TOLD, about="horoscope-1", who="chair"))
    assert (event.what, event.notice) == ("the chair was told", True)


async def test_a_line_of_nobody_needs_nobody() -> None:
    [event] = await render_lines(TimelineEntry(at=NOW, happened=EventType.SIGNED, who="core-signature"))
    assert event.what == "Everybody has signed"
    [event] = await render_lines(TimelineEntry(at=NOW, happened=EventType.PAUSED))
    assert event.what == "paused"


async def test_lines_stand_under_their_day_and_several_of_the_machine_are_folded() -> None:
    def line(hours: int, happened: EventType, person: str = "chair", subject: str = "") -> TimelineEntry:
        return TimelineEntry(at=NOW + timedelta(hours=hours), happened=happened, who=person, about=subject)

    entries = (
        line(-30, EventType.STARTED),
        line(-10, EventType.TOLD, subject="follow"),
        line(-9, EventType.SENT),
        line(-8, EventType.TOLD, subject="ready"),
        line(14, EventType.SIGNED),
        line(15, EventType.HAND_OFF_PENDING, "crm"),
        line(16, EventType.HAND_OFF_DONE, "crm"),
    )
    view = RequestShow(id="msa", kind="nda", status=Status.SIGNED, timeline=entries)
    tokyo = Reader.unknown(Language.english())
    tokyo = replace(tokyo, zone=ZoneInfo("Asia/Tokyo"))
    days = await by_day(view, tokyo, named, NOW + timedelta(hours=16))
    assert [(day.name, [(len(line.events), line.folded) for line in day.lines]) for day in days] == [
        ("Today · Tue, 24 Nov 2026", [(2, True), (1, False)]),
        ("Yesterday · Mon, 23 Nov 2026", [(2, False), (1, False)]),
        ("Sun, 22 Nov 2026", [(1, False)]),
    ]
    assert [event.at for event in days[0].lines[0].events] == ["10:00", "09:00"]


@pytest.mark.parametrize("known_by", KnownBy)
async def test_a_line_says_how_its_actor_is_known(known_by: KnownBy) -> None:
    actor = known_by.actor("chair", "root@build-7")
    entry = TimelineEntry(at=NOW, happened=EventType.PAUSED, who="chair", actor=actor)
    [english], [german] = await render_lines(entry), await render_lines(entry, language=Language.from_tag("de"))
    assert english.known_by_text and english.known_by_text != german.known_by_text
    assert ("root@build-7" in english.known_by_text) == (known_by is KnownBy.CLAIMED)
    [claimed_line] = await render_lines(entry.replace(actor=KnownBy.CLAIMED.actor("root@build-7", "root@build-7")))
    assert "root@build-7" in claimed_line.known_by_text
    [unnamed_line] = await render_lines(entry.replace(actor=None))
    assert unnamed_line.known_by_text == ""


def test_whatever_keeps_a_notice_back_is_said_in_words() -> None:
    assert {*Reason, *EscalationReason} <= set(REASON_TEXTS)


ENGLISH = "question 1 was not answered within 2d"
AWAY = Rejection.AWAY.to_message(person="board")
REASONED = (
    TimelineEntry(at=NOW, happened=EventType.HANDED_OVER, about="board", who="chair", why="manual", by="board"),
    TimelineEntry(at=NOW, happened=EventType.HAND_OVER_ASKED, about="board", who="chair", by="board"),
    TimelineEntry(
        at=NOW, happened=EventType.NOT_HANDED_OVER, about="board", who="chair", why="board is away", refusal=AWAY
    ),
    TimelineEntry(at=NOW, happened=EventType.SUPPRESSED, about="reminder-1", who="chair", why=Reason.TOO_SOON),
    TimelineEntry(at=NOW, happened=EventType.SUPPRESSED, about="ready", who="chair", why="joined into msa/ready/chair"),
    TimelineEntry(at=NOW, happened=EventType.HELD_BACK, about="reminder-1", who="chair", why="3 notices in a day"),
    TimelineEntry(at=NOW, happened=EventType.PROBLEM, about=Code.REFUSED, why="HTTP 403: look at SCOPE"),
    TimelineEntry(at=NOW, happened=EventType.MENDED, why=Code.REFUSED),
    TimelineEntry(at=NOW, happened=EventType.WENT_ON, why=ENGLISH),
    TimelineEntry(at=NOW, happened=EventType.EXPIRED, who="countersign", why="the due date has passed"),
    TimelineEntry(at=NOW, happened=EventType.HAND_OFF_DEAD, who="crm", why="HTTP 503 from the target"),
    TimelineEntry(at=NOW, happened=EventType.PART_DECLINED, about="msa", by="chair"),
    TimelineEntry(at=NOW, happened=EventType.CANCELLED, who="countersign", why="the campaign was closed", said=True),
)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
async def test_reasons_are_said_in_the_readers_language_and_with_names(code: str) -> None:
    language = Language.from_tag(code)
    events, english = await render_lines(*REASONED, language=language), await render_lines(*REASONED)
    assert [bool(event.why) for event in events] == [bool(english_event.why) for english_event in english]
    assert {bool(event.why) for event in events} == {True, False}
    for event, english_event in zip(events, english, strict=True):
        assert event.what != english_event.what
        assert (event.why != english_event.why) is bool(event.why)
        assert not any(raw in event.why for raw in ("HTTP", "403", Code.REFUSED, "2d", "away", "countersign"))
    by_text = language.say("by {who}", who="the board")
    assert events[-1].why == f"{language.say('by hand')}, {by_text}"
    assert events[-2].why == by_text
    assert events[-3].why == language.say("the new person is away")


async def test_what_somebody_said_stands_as_it_is_also_where_it_reads_like_a_word_of_ours() -> None:
    entry = TimelineEntry(at=NOW, happened=EventType.CANCELLED, who="chair", why="absent", said=True)
    note = TimelineEntry(at=NOW, happened=EventType.DONE, who="chair", why="no question is open")
    assert [event.why for event in await render_lines(entry, note, language=Language.from_tag("de"))] == [
        note.why,
        "absent",
    ]


@pytest.mark.parametrize("system", ["countersign", "core-signature", "temporal"])
async def test_no_system_has_done_what_people_do(system: str) -> None:
    entries = [TimelineEntry(at=NOW, happened=EventType(status), who=system) for status in Status if status.has_ended]
    for event in await render_lines(*entries):
        assert system not in event.what
        assert not event.what.startswith(("Countersign", "Core Signature", "Temporal"))


async def test_what_the_app_reported_of_a_notification_stands_beside_it() -> None:
    notifications = []
    for number, reports in enumerate(([], ["received"], ["received", "tapped"], ["received", "dismissed"])):
        events = tuple(
            AppEvent(type=AppEventType(type), at=NOW + timedelta(minutes=minute)) for minute, type in enumerate(reports)
        )
        devices = (DeviceOutcome(device="d1", events=events), DeviceOutcome(device="d2"))
        notifications.append(
            Notification(
                at=NOW, key=f"k{number}", stage="ready", person=f"chair-{number}", channel="push", devices=devices
            )
        )
    view = RequestShow(
        id="msa",
        kind="nda",
        status=Status.SENT,
        notifications=tuple(notifications),
        timeline=tuple(map(told_entry, notifications)),
    )
    lines = await timeline_lines(view, Reader.unknown(Language.english()), named)
    assert [line.app_text for line in reversed(lines)] == [
        *("", "arrived on a device", "opened on a device", "dismissed on a device")
    ]
