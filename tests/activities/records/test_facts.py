"""The facts of what has ended, as a person would tell them who has read its timeline."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.metrics import Brought, Holder
from activities.records.facts import OutcomeFacts, last_to_act
from workflows.kinds import Kind
from workflows.model.notifications import Channel, Notification, NotificationOutcome
from workflows.model.schedule import EscalationReason
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Code, Role, Status
from workflows.model.timeline import EscalationEntry, EventType, TimelineEntry
from workflows.model.views import AssigneeLine, OnboardingShow, RequestShow, ReviewLine, SignerLine, TaskShow
from workflows.task.state import AssigneeState

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def days_later(days: float) -> datetime:
    return NOW + days * DAY


def make_entry(days: float, happened: EventType, person: str | None = None, about_person: str = "") -> TimelineEntry:
    return TimelineEntry(at=days_later(days), happened=happened, who=person, about=about_person)


def make_signed_line(person: str, days: float, order: int = 1) -> SignerLine:
    return SignerLine(person=person, order=order, role=Role.SIGN, state=SignerState.SIGNED, at=days_later(days))


def make_notification(person: str, days: float, stage: str, *, reached: bool = True) -> Notification:
    outcome = NotificationOutcome.ACCEPTED if reached else NotificationOutcome.FAILED
    return Notification(
        key=f"r/{stage}/{person}",
        stage=stage,
        person=person,
        channel=Channel.PUSH,
        outcome=outcome,
        at=days_later(days),
    )


def make_request_view(
    *lines: SignerLine, status: Status = Status.SIGNED, happened: tuple[Any, ...] = (), **fields: Any
) -> RequestShow:
    timeline = (make_entry(0, EventType.STARTED, "ada"), make_entry(0.25, EventType.SENT), *happened)
    return RequestShow(id="r", kind="nda", status=status, signers=lines, timeline=timeline, **fields)


def days(facts: OutcomeFacts) -> dict[str, float]:
    assert facts.waited is not None
    return {holder: round(seconds / 86_400, 3) for holder, seconds in facts.waited.items() if seconds}


def test_a_request_takes_from_its_start_to_the_last_signature() -> None:
    facts = OutcomeFacts.from_view(
        make_request_view(make_signed_line("bob", 2), make_signed_line("eve", 5, order=2)), days_later(5.5), "Legal"
    )
    assert facts.seconds == 5 * 86_400
    assert facts.turn_seconds == 3 * 86_400, "of whoever signed last, since the one before had signed"
    assert days(facts) == {Holder.PROVIDER: 0.25, Holder.SIGNER: 4.75}
    assert (facts.type, facts.kind, facts.department, facts.row["month"]) == (
        "signature-request",
        "nda",
        "Legal",
        "2026-11",
    )


def test_a_turn_that_was_handed_over_begins_then() -> None:
    reassigned = SignerLine(person="bob", order=1, role=Role.SIGN, state=SignerState.REASSIGNED, at=days_later(3))
    facts = OutcomeFacts.from_view(
        make_request_view(
            reassigned, make_signed_line("eve", 4), happened=(make_entry(3, EventType.HANDED_OVER, "bob", "eve"),)
        ),
        days_later(4),
    )
    assert facts.turn_seconds == 86_400


def test_each_hour_is_of_whoever_had_the_ball() -> None:
    happened = (
        make_entry(1, EventType.QUESTION_ASKED, "bob", "1"),
        make_entry(2, EventType.QUESTION_ANSWERED, "ada", "1"),
        make_entry(3, EventType.PAUSED, "ada"),
        make_entry(3.5, EventType.RESUMED, "ada"),
        make_entry(4, EventType.PROBLEM, None, Code.UNREACHABLE),
        make_entry(4.5, EventType.MENDED, None, Code.UNREACHABLE),
        make_entry(5, EventType.PROBLEM, None, Code.PLANNING),
        make_entry(5.25, EventType.MENDED, None, Code.PLANNING),
        make_entry(6, EventType.PROBLEM, None, Code.DIRECTORY),
        make_entry(7, EventType.SIGNED, "bob"),
    )
    facts = OutcomeFacts.from_view(make_request_view(make_signed_line("bob", 7), happened=happened), days_later(7))
    assert days(facts) == {Holder.PROVIDER: 0.75, Holder.REQUESTER: 1, Holder.US: 0.75, Holder.SIGNER: 4.5}
    assert facts.waited and sum(facts.waited.values()) == pytest.approx(facts.seconds)


def test_a_review_is_of_the_reviewers_but_while_the_requester_writes_a_new_version() -> None:
    happened = (
        make_entry(1, EventType.CHANGES_ASKED, "rex"),
        make_entry(3, EventType.REVISED, "ada", "2"),
        make_entry(3.5, EventType.QUESTION_ASKED, "rex", "1"),
        make_entry(4, EventType.QUESTION_ANSWERED, "ada", "1"),
        make_entry(5, EventType.REVIEWED, None, "2"),
        make_entry(5.5, EventType.SENT),
    )
    view = make_request_view(make_signed_line("bob", 7), happened=happened)
    view = view.replace(timeline=tuple(entry for entry in view.timeline if entry.at != days_later(0.25)))
    facts = OutcomeFacts.from_view(view, days_later(7))
    assert days(facts) == {Holder.REVIEWER: 2.5, Holder.REQUESTER: 2.5, Holder.PROVIDER: 0.5, Holder.SIGNER: 1.5}
    assert facts.turn_seconds == 1.5 * 86_400


def test_what_ends_in_its_review_ended_with_no_signer() -> None:
    waits = ReviewLine(person="rex", order=1, role=Role.REVIEW, state=SignerState.TURN, round=1)
    version = DocumentVersion(number=1, sha256="0" * 64, by="ada", at=days_later(0))
    view = make_request_view(status=Status.EXPIRED).replace(reviews=(waits,), versions=(version,))
    view = view.replace(signers=(SignerLine(person="bob", order=1, role=Role.SIGN, state=SignerState.WAITING),))
    view = view.replace(timeline=view.timeline[:1])
    facts = OutcomeFacts.from_view(view, days_later(30))
    assert last_to_act(view) is None and days(facts) == {Holder.REVIEWER: 30}


@pytest.mark.parametrize("closed", [EventType.WENT_ON, EventType.UNBLOCKED, EventType.SIGNED])
def test_a_question_ends_with_its_answer_or_when_it_goes_on_without(closed: EventType) -> None:
    happened = (make_entry(1, EventType.BLOCKED, "bob"), make_entry(2, closed, "bob"))
    facts = OutcomeFacts.from_view(make_request_view(make_signed_line("bob", 3), happened=happened), days_later(3))
    assert days(facts)[Holder.REQUESTER] == 1


@pytest.mark.parametrize(
    ("stages", "notice"),
    [
        ([(0.5, "ready"), (1, "reminder-1"), (2, "reminder-2")], "reminder-2"),
        ([(0.5, "ready"), (1, "reminder-1"), (9, "reminder-2")], "reminder-1"),
        ([(0.5, "ready"), (1, "reminder-manual-3")], "reminder-manual"),
        ([(0.5, "ready"), (1, "warning-2d.3")], "warning-2d"),
        ([(0.5, "ready"), (1, "overdue-4.2"), (1.5, "settled")], "overdue"),
        ([], None),
    ],
)
def test_the_last_notice_before_the_signature_brought_it(stages: list[tuple[float, str]], notice: str | None) -> None:
    lines = tuple(make_notification("bob", days, stage) for days, stage in stages)
    other_notifications = (
        make_notification("eve", 2.5, "reminder-9"),
        make_notification("bob", 2.5, "reminder-8", reached=False),
    )
    assert (
        OutcomeFacts.from_view(
            make_request_view(make_signed_line("bob", 3), notifications=(*lines, *other_notifications)), days_later(3)
        ).notice
        == notice
    )


@pytest.mark.parametrize(
    ("person", "status", "brought", "days"),
    [
        ("alternate", Status.SIGNED, Brought.ALTERNATE, 2),
        ("bob", Status.SIGNED, Brought.SIGNER, 2),
        ("bob", Status.EXPIRED, Brought.NOBODY, None),
    ],
)
def test_what_an_escalation_brought(person: str, status: Status, brought: Brought, days: float | None) -> None:
    escalations = tuple(
        EscalationEntry(from_="bob", to=new_person, reason=reason, at=days_later(days_until))
        for new_person, reason, days_until in (
            ("deputy", EscalationReason.ABSENCE, 1),
            ("alternate", EscalationReason.ESCALATION, 3),
            ("boss", EscalationReason.ESCALATION, 4),
        )
    )
    line = (
        make_signed_line(person, 5)
        if status.fulfilled
        else make_signed_line(person, 5).replace(state=SignerState.VIEWED)
    )
    facts = OutcomeFacts.from_view(make_request_view(line, status=status, escalations=escalations), days_later(5))
    assert facts.brought is brought
    assert facts.brought_seconds == (None if days is None else days * 86_400)


def test_what_ended_otherwise_ended_with_whoever_still_had_to_act() -> None:
    waits = SignerLine(person="eve", order=2, role=Role.SIGN, state=SignerState.TURN, at=None)
    copied = SignerLine(person="zoe", order=1, role=Role.COPY, state=SignerState.WAITING)
    view = make_request_view(copied, make_signed_line("bob", 2), waits, status=Status.EXPIRED)
    last = last_to_act(view)
    assert last is not None and last.person == "eve"
    facts = OutcomeFacts.from_view(view, days_later(30))
    assert (facts.seconds, facts.turn_seconds, facts.notice) == (30 * 86_400, 28 * 86_400, None)


def test_a_task_waits_for_its_assignees_from_the_start() -> None:
    people = (
        AssigneeLine(person="bob", state=AssigneeState.SPARED, at=days_later(1)),
        AssigneeLine(person="eve", state=AssigneeState.DONE, at=days_later(1)),
    )
    timeline = (make_entry(0, EventType.STARTED), make_entry(1, EventType.DONE, "eve"))
    view = TaskShow(id="t", kind="team-task", title="T", status=Status.DONE, people=people, timeline=timeline)
    last = last_to_act(view)
    assert last is not None and last.person == "eve"
    assert days(OutcomeFacts.from_view(view, days_later(1))) == {Holder.SIGNER: 1}


def test_an_onboarding_has_its_time_and_leaves_the_waiting_to_its_parts() -> None:
    view = OnboardingShow(
        id="o", kind="customer", title="O", status=Status.DONE, timeline=(make_entry(0, EventType.STARTED),)
    )
    facts = OutcomeFacts.from_view(view, days_later(20))
    assert (facts.seconds, facts.turn_seconds, facts.waited) == (20 * 86_400, None, None)


def test_a_clock_that_was_moved_makes_no_time_negative() -> None:
    facts = OutcomeFacts.from_view(make_request_view(make_signed_line("bob", -3)), days_later(-3))
    assert facts.seconds == 0 and facts.turn_seconds == 0 and days(facts) == {}


def test_the_row_names_nobody() -> None:
    lines = (make_notification("bob-4711", 1, "ready"),)
    view = make_request_view(make_signed_line("bob-4711", 3), notifications=lines, requester="ada-4711")
    assert "4711" not in str(OutcomeFacts.from_view(view, days_later(3)).row)
    assert Kind.REQUEST.spec.prefix in str(OutcomeFacts.from_view(view, days_later(3)).row)
