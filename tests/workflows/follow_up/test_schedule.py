"""The pure decision, as a table and as properties."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.stage import a_request
from workflows.follow_up.next_step import Escalate, Expire, Remind, Step, Wait, is_overtaken, next_step
from workflows.follow_up.notification_log import NotificationLog, key_of
from workflows.model.messages import Message
from workflows.model.notifications import Channel, DeliveryResult, NotificationOutcome, PostponedNotification
from workflows.model.policy import EscalationAction
from workflows.model.schedule import ActionType, Schedule, ScheduledAction
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Status
from workflows.names import notice_key
from workflows.signature.state import SignatureState

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
BRIEF = a_request().brief
SENT = SignatureState.begin(BRIEF, START).observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), START)
FIRST = "customer-signer"


def make_action(
    day: float, kind: ActionType, stage: str, person: str = FIRST, recipient: str | None = None
) -> ScheduledAction:
    return ScheduledAction(
        at=START + timedelta(days=day),
        kind=kind,
        stage=stage,
        person=person,
        to=recipient or person,
        reasons=(Message(code=stage),),
    )


REMINDERS = [make_action(day, ActionType.REMIND, f"reminder-{number}") for number, day in enumerate((3, 6, 9), 1)]
ESCALATION = make_action(12, ActionType.ESCALATE, "escalation", recipient="chair")
HEARD = make_action(12.5, ActionType.ESCALATED, "escalated")
WARNING = make_action(28, ActionType.WARN, "warning-2d")
EXPIRY = make_action(30, ActionType.EXPIRE, "expiry", "legal-desk")
AGENDA = Schedule(due_at=EXPIRY.at, actions=(*REMINDERS, ESCALATION, HEARD, WARNING, EXPIRY))


def deliver_actions(progress: SignatureState, *moments: ScheduledAction) -> SignatureState:
    lines = [
        DeliveryResult(
            key=notice_key(BRIEF.id, action.stage, action.person),
            stage=action.stage,
            person=action.person,
            channel=Channel.PUSH,
            outcome=NotificationOutcome.ACCEPTED,
        )
        for action in moments
    ]
    return progress.record_results(tuple(lines), START)


def sign_first(progress: SignatureState) -> SignatureState:
    signed = ReportedSigner(person=FIRST, state=SignerState.SIGNED)
    return progress.observe(ReportedDocument(document="d", status=Status.SENT, raw="se", signers=(signed,)), START)


def test_who_was_put_off_is_not_tried_again_within_a_quarter_of_an_hour() -> None:
    now = REMINDERS[0].at
    refused = PostponedNotification(key="k", stage="reminder-1", person=FIRST, why="absent")
    put_off = SENT.postpone((refused,), now)
    assert put_off.plan.schedule is None
    second_step = next_step(AGENDA, put_off, now)
    assert isinstance(second_step, Wait) and second_step.action is not None
    assert (second_step.action.stage, second_step.action.at - now) == ("reminder-1", timedelta(minutes=15))
    once_more = put_off.postpone((refused,), second_step.action.at)
    assert [entry.what for entry in once_more.timeline.entries].count("reminder-1 put off") == 1
    assert len(once_more.plan.postponed) == 1


@pytest.mark.parametrize(("person", "waits"), [(FIRST, False), ("chair", True)])
def test_whoever_was_put_off_keeps_what_they_are_to_hear_waiting_and_nothing_that_somebody_else_is(
    person: str, waits: bool
) -> None:
    now = ESCALATION.at
    refused = PostponedNotification(key="k", stage="escalation", person=person, why="absent")
    put_off = deliver_actions(SENT, *REMINDERS).postpone((refused,), now)
    later = Wait(ESCALATION.replace(at=now + timedelta(minutes=15)))
    assert next_step(AGENDA, put_off, now) == (later if waits else Escalate((ESCALATION,)))


ALL_TOLD = deliver_actions(SENT, *REMINDERS, WARNING)
ALERTED = deliver_actions(SENT, *REMINDERS).alerted((ESCALATION,), START)
ESCALATED = deliver_actions(ALL_TOLD, HEARD).alerted((ESCALATION,), START)


@pytest.mark.parametrize(
    ("day", "progress", "expected"),
    [
        (0, SENT, Wait(REMINDERS[0])),
        (2.9, SENT, Wait(REMINDERS[0])),
        (3, SENT, Remind((REMINDERS[0],))),
        (3, deliver_actions(SENT, REMINDERS[0]), Wait(REMINDERS[1])),
        (6.5, SENT, Remind((REMINDERS[1],), caught_up=(REMINDERS[0],))),
        (12, deliver_actions(SENT, *REMINDERS), Escalate((ESCALATION,))),
        (12, SENT, Remind((REMINDERS[2],), caught_up=(REMINDERS[0], REMINDERS[1]))),
        (13, deliver_actions(SENT, *REMINDERS), Escalate((ESCALATION,))),
        (12, ALERTED, Wait(HEARD)),
        (12.5, ALERTED, Remind((HEARD,))),
        (12.5, deliver_actions(ALERTED, HEARD), Wait(WARNING)),
        (12, sign_first(SENT), Wait(EXPIRY)),
        (31, deliver_actions(SENT, *REMINDERS), Remind((WARNING,))),
        (31, ALL_TOLD, Escalate((ESCALATION,))),
        (31, ESCALATED, Expire(EXPIRY)),
    ],
)
def test_what_is_next(day: float, progress: SignatureState, expected: Step) -> None:
    assert next_step(AGENDA, progress, START + timedelta(days=day)) == expected


def test_a_reminder_within_an_hour_of_another_nudge_is_left_out() -> None:
    by_hand = make_action(6, ActionType.REMIND, "reminder-manual-1")
    nudged = deliver_actions(deliver_actions(SENT, REMINDERS[0]), by_hand).replace(
        notifications=NotificationLog(
            lines=tuple(
                line.replace(at=START + timedelta(days=6, minutes=-20))
                for line in deliver_actions(SENT, REMINDERS[0], by_hand).notifications.remembered
            )
        )
    )
    agenda = Schedule(due_at=EXPIRY.at, actions=(*REMINDERS, WARNING.replace(at=REMINDERS[1].at), EXPIRY))
    assert next_step(AGENDA, nudged, REMINDERS[1].at) == Remind((), too_soon=(REMINDERS[1],))
    step = next_step(agenda, nudged, REMINDERS[1].at)
    assert isinstance(step, Remind)
    assert [action.kind for action in step.actions] == [ActionType.WARN]


def test_what_was_missed_is_made_up_for_when_the_recipients_hours_open() -> None:
    opens = REMINDERS[1].at + timedelta(hours=15)
    held_reminders = [reminder.replace(held_until=opens) for reminder in REMINDERS[:2]]
    agenda = Schedule(due_at=EXPIRY.at, actions=(*held_reminders, REMINDERS[2], EXPIRY))
    waiting = next_step(agenda, SENT, REMINDERS[1].at + timedelta(hours=1))
    assert isinstance(waiting, Wait)
    assert waiting.action is not None
    assert waiting.action.at == opens
    step = next_step(agenda, SENT, opens)
    assert isinstance(step, Remind)
    assert ([m.stage for m in step.actions], [m.stage for m in step.caught_up]) == (["reminder-2"], ["reminder-1"])


def test_a_last_warning_no_phone_took_holds_the_expiry_for_a_day() -> None:
    failed = ESCALATED.replace(
        notifications=NotificationLog(
            lines=tuple(
                line.replace(outcome=NotificationOutcome.FAILED, at=EXPIRY.at - timedelta(hours=1))
                if line.stage == "warning-2d"
                else line
                for line in ESCALATED.notifications.remembered
            )
        )
    )
    waiting = next_step(AGENDA, failed, EXPIRY.at)
    assert isinstance(waiting, Wait)
    assert isinstance(next_step(AGENDA, failed, EXPIRY.at + timedelta(hours=23)), Expire)


@pytest.mark.parametrize(("warned_on", "expires_on"), [(28, 30), (28.04, 30), (29.5, 30.5), (40, 41)])
def test_a_last_warning_that_came_late_leaves_the_time_that_was_planned_at_most_a_day(
    warned_on: float, expires_on: float
) -> None:
    warned = ESCALATED.replace(
        notifications=NotificationLog(
            lines=tuple(
                line.replace(at=START + timedelta(days=warned_on)) if line.stage == "warning-2d" else line
                for line in ESCALATED.notifications.remembered
            )
        )
    )
    step = next_step(AGENDA, warned, START + timedelta(days=29))
    assert step == Wait(EXPIRY.replace(at=START + timedelta(days=expires_on)))
    assert isinstance(next_step(AGENDA, warned, START + timedelta(days=expires_on)), Expire)


def add_line(
    progress: SignatureState,
    action: ScheduledAction,
    told_at: datetime,
    outcome: NotificationOutcome = NotificationOutcome.ACCEPTED,
) -> SignatureState:
    """With a line of this notice in the ledger."""
    line = DeliveryResult(
        key=key_of(BRIEF.id, action), stage=action.stage, person=action.to, channel=Channel.PUSH, outcome=outcome
    )
    return progress.record_results((line,), told_at)


def test_an_alert_that_no_phone_could_take_is_not_sent_again_and_again() -> None:
    unheard = add_line(deliver_actions(SENT, *REMINDERS), ESCALATION, ESCALATION.at, NotificationOutcome.SUPPRESSED)
    assert next_step(AGENDA, unheard, ESCALATION.at) == Wait(WARNING)


def test_a_missed_reminder_gives_way_to_a_warning_within_the_hour() -> None:
    now = WARNING.at - timedelta(minutes=20)
    assert next_step(AGENDA, deliver_actions(SENT, *REMINDERS[:2]), now) == Remind((), caught_up=(REMINDERS[2],))


def test_a_missed_warning_gives_way_to_no_later_reminder() -> None:
    snooze = make_action(28.5, ActionType.REMIND, "snooze-1")
    agenda = Schedule(due_at=EXPIRY.at, actions=(WARNING, snooze, EXPIRY))
    assert next_step(agenda, SENT, START + timedelta(days=29)) == Remind((WARNING,), caught_up=(snooze,))


@pytest.mark.parametrize(("stage", "is_sent"), [("warning-1d", False), ("warning-1d.2", True)])
def test_a_warning_within_the_hour_of_one_of_the_same_due_date_is_left_out(stage: str, is_sent: bool) -> None:
    now = WARNING.at + timedelta(days=1)
    late, last = add_line(SENT, WARNING, now - timedelta(minutes=5)), make_action(29, ActionType.WARN, stage)
    step = next_step(Schedule(due_at=EXPIRY.at, actions=(WARNING, last, EXPIRY)), late, now)
    assert step == (Remind((last,)) if is_sent else Remind((), too_soon=(last,)))


def test_no_reminder_is_sent_once_the_due_date_is_over() -> None:
    agenda = Schedule(due_at=EXPIRY.at, actions=(REMINDERS[0], EXPIRY))
    assert next_step(agenda, SENT, EXPIRY.at) == Remind((), caught_up=(REMINDERS[0],))


def test_the_silent_signer_hears_of_the_alert_an_hour_after_a_nudge_if_their_hours_leave_it() -> None:
    now = HEARD.at
    nudged = add_line(ALERTED, make_action(12.49, ActionType.REMIND, "reminder-manual-1"), now - timedelta(minutes=10))
    later = now + timedelta(minutes=50)
    for closes, expected in ((None, Wait(HEARD.replace(at=later))), (now + timedelta(minutes=30), None)):
        heard = HEARD.replace(open_until=closes)
        agenda = Schedule(due_at=EXPIRY.at, actions=(heard, EXPIRY))
        assert next_step(agenda, nudged, now) == (expected or Remind((heard,)))


@pytest.mark.parametrize("refused", [True, False])
def test_whose_place_is_handed_over_this_instant_is_not_reminded_of_it_first(refused: bool) -> None:
    handing = make_action(3, ActionType.ESCALATE, "escalation", recipient="chair").replace(
        action=EscalationAction.REASSIGN
    )
    agenda = Schedule(due_at=EXPIRY.at, actions=(REMINDERS[0], handing, EXPIRY))
    silent = SENT.update_part("escalations", refused=(FIRST,)) if refused else SENT
    assert next_step(agenda, silent, handing.at) == (Remind((REMINDERS[0],)) if refused else Escalate((handing,)))


def test_an_empty_agenda_waits_for_ever() -> None:
    assert next_step(Schedule(due_at=START), SENT, START) == Wait(None)


def test_parallel_signers_are_told_in_one_step() -> None:
    other_reminder = make_action(3, ActionType.REMIND, "reminder-1", "chief-executive")
    parallel_state = SENT.replace(slots=SENT.slots.replace(signers=tuple(
        signer.replace(order=1, turn_at=START, clock_from=START) for signer in SENT.slots.signers
    )))  # fmt: skip
    agenda = Schedule(due_at=EXPIRY.at, actions=(REMINDERS[0], other_reminder))
    assert next_step(agenda, parallel_state, other_reminder.at) == Remind((REMINDERS[0], other_reminder))


moments = st.lists(
    st.builds(
        make_action,
        st.floats(min_value=0, max_value=60, allow_nan=False),
        st.sampled_from(list(ActionType)),
        st.sampled_from(["reminder-1", "reminder-2", "warning-1d", "escalation", "escalated"]),
        st.sampled_from([FIRST, "chief-executive", "nobody"]),
    ),
    max_size=8,
)


@given(moments, st.floats(min_value=0, max_value=70, allow_nan=False))
def test_the_decision_is_total_and_never_early(planned: list[ScheduledAction], day: float) -> None:
    now = START + timedelta(days=day)
    match next_step(Schedule(due_at=EXPIRY.at, actions=tuple(planned)), SENT, now):
        case Wait(None):
            pass
        case Wait(action) if action is not None:
            assert action.at > now
        case Expire(action):
            assert action.at <= now
        case Remind(actions) | Escalate(actions):
            assert all(action.at <= now and action.person == FIRST for action in actions)
            assert len({action.person for action in actions if action.kind is not ActionType.ESCALATE}) <= 1


@given(moments)
def test_following_the_decision_always_comes_to_an_end(planned: list[ScheduledAction]) -> None:
    agenda, progress, now = Schedule(due_at=EXPIRY.at, actions=tuple(planned)), SENT, START
    for _ in range(3 * len(planned) + 1):
        match next_step(agenda, progress, now):
            case Remind(actions, caught_up, too_soon):
                progress = deliver_actions(progress, *actions, *caught_up, *too_soon)
            case Escalate(actions):
                progress = progress.alerted(actions, now)
            case Wait(action) if action is not None:
                now = action.at
            case _:
                return
    raise AssertionError("the same step was decided again and again")


OVERDUE = [make_action(day, ActionType.OVERDUE, f"overdue-{number}") for number, day in enumerate((33, 36), 1)]
CLOSING = EXPIRY.replace(at=START + timedelta(days=37))
WITH_GRACE = Schedule(
    due_at=EXPIRY.at, closes_at=CLOSING.at, actions=(*REMINDERS, ESCALATION, HEARD, WARNING, *OVERDUE, CLOSING)
)


@pytest.mark.parametrize(
    ("day", "progress", "expected"),
    [
        (30, ESCALATED, Wait(OVERDUE[0])),
        (33, ESCALATED, Remind((OVERDUE[0],))),
        (33, add_line(ESCALATED, OVERDUE[0], OVERDUE[0].at - timedelta(minutes=10)), Wait(OVERDUE[1])),
        (36, ESCALATED, Remind((OVERDUE[1],), caught_up=(OVERDUE[0],))),
        (37, add_line(add_line(ESCALATED, OVERDUE[0], OVERDUE[0].at), OVERDUE[1], OVERDUE[1].at), Expire(CLOSING)),
    ],
)
def test_after_the_due_date_what_is_overdue_comes_until_it_closes(
    day: float, progress: SignatureState, expected: Step
) -> None:
    assert next_step(WITH_GRACE, progress, START + timedelta(days=day)) == expected


def test_after_an_outage_over_all_of_it_the_last_overdue_reminder_is_the_one_that_is_sent() -> None:
    step = next_step(WITH_GRACE, ALERTED, CLOSING.at + timedelta(days=1))
    assert isinstance(step, Remind)
    assert (step.actions, set(step.caught_up)) == ((OVERDUE[1],), {WARNING, OVERDUE[0]})


def test_an_overdue_reminder_within_an_hour_of_another_nudge_is_left_out() -> None:
    by_hand = add_line(
        ESCALATED, make_action(33, ActionType.REMIND, "reminder-manual-1"), OVERDUE[0].at - timedelta(minutes=20)
    )
    assert next_step(WITH_GRACE, by_hand, OVERDUE[0].at) == Remind((), too_soon=(OVERDUE[0],))


def test_an_overdue_reminder_no_phone_took_holds_the_closing_for_a_day() -> None:
    failed = add_line(ESCALATED, OVERDUE[0], OVERDUE[0].at)
    failed = add_line(failed, OVERDUE[1], CLOSING.at - timedelta(hours=1), NotificationOutcome.FAILED)
    assert next_step(WITH_GRACE, failed, CLOSING.at) == Wait(CLOSING.replace(at=CLOSING.at + timedelta(hours=23)))


def by_hand_at(day: float) -> SignatureState:
    """Somebody had the signer reminded, after the plan was made."""
    line = deliver_actions(SENT, make_action(day, ActionType.REMIND, "reminder-manual-1")).notifications.remembered[0]
    state = deliver_actions(SENT, *REMINDERS).planned(AGENDA, START)
    return state.replace(
        notifications=NotificationLog(lines=(*state.notifications.lines, line.replace(at=START + timedelta(days=day))))
    )


def test_a_plan_that_does_not_know_of_a_reminder_is_made_anew_before_somebody_else_is_told() -> None:
    now = START + timedelta(days=12)
    step = next_step(AGENDA, by_hand_at(11.5), now)
    assert isinstance(step, Escalate)
    assert is_overtaken(step, by_hand_at(11.5), now)
    assert not is_overtaken(step, deliver_actions(SENT, *REMINDERS).planned(AGENDA, START), now)
    state = by_hand_at(11.5).planned(AGENDA, now)
    assert not is_overtaken(step, state, now), "what is planned since knows of it"


def test_a_plan_is_made_anew_rather_than_that_a_reminder_is_used_up_by_another() -> None:
    now = REMINDERS[0].at
    agenda = Schedule(due_at=EXPIRY.at, actions=(*REMINDERS, EXPIRY))
    nudged = by_hand_at(2.99)
    replanned = nudged.replace(notifications=NotificationLog(lines=nudged.notifications.lines[-1:])).planned(
        agenda, START
    )
    step = next_step(agenda, replanned, now)
    assert step == Remind((), too_soon=(REMINDERS[0],))
    assert is_overtaken(step, replanned, now)
    assert not is_overtaken(step, replanned.planned(agenda, now), now)
