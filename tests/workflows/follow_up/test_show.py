"""What is shown of a request: the outside contract's words, whatever was planned and happened."""

import json
from datetime import date, datetime, timedelta, timezone
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.follow_up.test_schedule import (
    AGENDA,
    ALERTED,
    ALL_TOLD,
    ESCALATED,
    EXPIRY,
    FIRST,
    HEARD,
    REMINDERS,
    SENT,
    START,
    WARNING,
    deliver_actions,
    make_action,
    moments,
)
from tests.workflows.stage import a_request
from workflows.follow_up import commands as operations
from workflows.follow_up.commands import recorded
from workflows.follow_up.input import planning_of
from workflows.follow_up.notification_log import NotificationLog
from workflows.follow_up.notifications import open_hand_off
from workflows.follow_up.record import settled_record
from workflows.follow_up.view import PEOPLE_AT_MOST, PEOPLE_BYTES_AT_MOST, details, listed_people, stage_of, stamp
from workflows.model.commands import Extension
from workflows.model.schedule import ActionType, EscalationReason, Schedule, ScheduledAction
from workflows.model.signature import ReportedDocument
from workflows.model.subject import Status
from workflows.model.timeline import Reassignment
from workflows.model.views import NextAction, NextStep
from workflows.signature.state import SignatureState, show

REQUEST = a_request()


def following(progress: SignatureState, agenda: Schedule, now: datetime) -> NextAction | None:
    return show(REQUEST, progress.update_part("plan", schedule=agenda), now).next


@pytest.mark.parametrize(
    ("progress", "now", "next_step_kind", "planned"),
    [
        (SENT, START, NextStep.REMIND, REMINDERS[0]),
        (deliver_actions(SENT, *REMINDERS), REMINDERS[2].at, NextStep.ESCALATE, AGENDA.actions[3]),
        (ALERTED, AGENDA.actions[3].at, NextStep.REMIND, HEARD),
        (ESCALATED.replace(notifications=NotificationLog()), HEARD.at, NextStep.REMIND, REMINDERS[2]),
        (
            deliver_actions(deliver_actions(SENT, *REMINDERS).alerted((AGENDA.actions[3],), START), HEARD),
            HEARD.at,
            NextStep.WARN,
            WARNING,
        ),
        (deliver_actions(ALL_TOLD, HEARD).alerted((AGENDA.actions[3],), START), WARNING.at, NextStep.EXPIRE, EXPIRY),
    ],
)
def test_the_next_step_has_a_word_of_the_contract(
    progress: SignatureState, now: datetime, next_step_kind: NextStep, planned: ScheduledAction
) -> None:
    assert following(progress, AGENDA, now) == NextAction(what=next_step_kind, at=planned.at, why=planned.reason_text)


def test_what_is_only_written_down_is_not_what_comes_next() -> None:
    """An outage made the reminder pointless: nobody is told, and the request expires."""
    agenda = Schedule(due_at=EXPIRY.at, actions=(REMINDERS[0], EXPIRY))
    assert following(SENT, agenda, EXPIRY.at) == NextAction(what=NextStep.EXPIRE, at=EXPIRY.at, why=EXPIRY.reason_text)


@given(moments, st.floats(min_value=0, max_value=70, allow_nan=False), st.sampled_from([SENT, ALERTED, ALL_TOLD]))
def test_there_is_an_answer_to_every_plan_at_every_time(
    planned: list[ScheduledAction], day: float, progress: SignatureState
) -> None:
    agenda = Schedule(due_at=EXPIRY.at, actions=tuple(planned))
    view = show(REQUEST, progress.update_part("plan", schedule=agenda), START + timedelta(days=day))
    assert view.says.startswith(f"Waiting for {FIRST}")
    assert view.next is not None
    assert view.next.what is not NextStep.HAND_OFF


def handed_over(reason: EscalationReason) -> SignatureState:
    return SENT.reassigned(Reassignment(from_=FIRST, to="chair", reason=reason, who="legal-desk"), START)


@pytest.mark.parametrize(
    ("reason", "stage", "steps"),
    [
        (EscalationReason.MANUAL, "signing", 0),
        (EscalationReason.ABSENCE, "signing", 0),
        (EscalationReason.ESCALATION, "escalated", 1),
    ],
)
def test_only_silence_is_an_escalation_to_lists_and_counts_as_a_step_up(
    reason: EscalationReason, stage: str, steps: int
) -> None:
    progress = handed_over(reason)
    assert stage_of(progress) == stage
    assert planning_of(REQUEST, REQUEST.subject, progress, START).escalated == steps


def test_an_alert_about_somebody_absent_says_so() -> None:
    absent = make_action(1, ActionType.ESCALATE, "escalation", recipient="chair").replace(
        reason=EscalationReason.ABSENCE
    )
    assert [entry.reason for entry in SENT.alerted((absent,), START).escalations.entries] == [EscalationReason.ABSENCE]


@pytest.mark.parametrize(
    ("people", "listed"),
    [
        ((), 0),
        (("chief-executive",), 1),
        (tuple(f"person-{number}" for number in range(PEOPLE_AT_MOST)), PEOPLE_AT_MOST),
        (tuple(f"person-{number}" for number in range(10 * PEOPLE_AT_MOST)), PEOPLE_AT_MOST),
        (tuple(f"{number:0100}" for number in range(PEOPLE_AT_MOST)), 14),
    ],
)
def test_a_list_of_people_stays_within_what_a_search_attribute_takes(people: tuple[str, ...], listed: int) -> None:
    listed_names = listed_people(people)
    assert listed_names == [*people[:listed], *(["+more"] if len(people) > listed else [])]
    assert len(json.dumps(listed_names)) <= PEOPLE_BYTES_AT_MOST


def test_the_record_says_how_it_ended_and_never_that_somebody_is_still_being_told() -> None:
    signed = SENT.observe(ReportedDocument(document="d", status=Status.SIGNED, raw="si"), START)
    record = settled_record(REQUEST, open_hand_off(REQUEST, signed), "run", partial(show, REQUEST))
    assert record is not None
    assert (record.show.next, record.show.says) == (None, f"Signed {stamp(START)}")


@pytest.mark.parametrize(
    ("hours", "line"),
    [
        (-1, f"- due {stamp(EXPIRY.at)}"),
        (0, f"- overdue since {stamp(EXPIRY.at)}"),
        (1, f"- overdue since {stamp(EXPIRY.at)}"),
    ],
)
def test_the_details_say_since_when_it_is_overdue_and_when_it_closes(hours: int, line: str) -> None:
    closing = EXPIRY.replace(at=EXPIRY.at + timedelta(days=7))
    agenda = Schedule(due_at=EXPIRY.at, closes_at=closing.at, actions=(closing,))
    view = show(REQUEST, ESCALATED.planned(agenda, START), EXPIRY.at + timedelta(hours=hours))
    detail_lines = details(view).splitlines()
    assert {line, f"- closes {stamp(closing.at)}"} <= set(detail_lines)
    assert (f", overdue since {stamp(EXPIRY.at)}" in view.says) is view.overdue is (hours >= 0)


@pytest.mark.parametrize(
    ("due", "until_text"),
    [
        (date(2026, 12, 24), "Thu 24 Dec 2026"),
        (datetime(2026, 12, 24, 17, tzinfo=timezone(timedelta(hours=1))), "Thu 24 Dec 2026 16:00 UTC"),
    ],
)
def test_a_due_date_that_was_moved_is_told_before_anything_is_planned_for_it(due: date, until_text: str) -> None:
    planned, command = SENT.planned(AGENDA, START), Extension(actor="legal-desk", due=due)
    assert "until" in show(REQUEST, planned, START).says
    extended = recorded(operations.extend(planned, command, START), "extend-1", command, START)
    assert show(REQUEST, extended, START).says == f"Waiting for {SENT.slots.pending[0].person} until {until_text}"
