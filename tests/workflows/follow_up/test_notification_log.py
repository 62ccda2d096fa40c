"""The ledger: whatever was planned has one line in the end, also when the plan is gone by then."""

from datetime import UTC, datetime, timedelta

from tests.workflows.stage import PARALLEL, a_request
from workflows.follow_up.commands import extend
from workflows.follow_up.notification_log import PendingDevice, explained, left_open
from workflows.model.commands import Extension
from workflows.model.messages import Message
from workflows.model.notifications import (
    Channel,
    DeliveryReport,
    DeliveryResult,
    DeviceOutcome,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.policy import EscalationAction
from workflows.model.rejections import Rejection
from workflows.model.schedule import ActionType, EscalationReason, Reason, Schedule, ScheduledAction
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Status
from workflows.model.timeline import Reassignment
from workflows.signature.state import SignatureState

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
FIRST, SECOND = (signer.person for signer in PARALLEL)
BRIEF = a_request(*PARALLEL).brief
SENT = SignatureState.begin(BRIEF, START).observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), START)
DUE = START + timedelta(days=30)


def make_action(kind: ActionType, stage: str, person: str, recipient: str | None = None) -> ScheduledAction:
    return ScheduledAction(
        at=START + timedelta(days=3),
        kind=kind,
        stage=stage,
        person=person,
        to=recipient or person,
        reasons=(Message(code=stage),),
    )


REMINDERS = tuple(make_action(ActionType.REMIND, "reminder-1", person) for person in (FIRST, SECOND))
WARNING = make_action(ActionType.WARN, "warning-2d", FIRST)
DROPPED = make_action(ActionType.WARN, "warning-1w", FIRST).replace(at=START, suppressed=Reason.NOT_THEIR_TURN)
ALERT = make_action(ActionType.ESCALATE, "escalation", FIRST, "chair")
PLANNED = SENT.planned(Schedule(due_at=DUE, actions=(*REMINDERS, WARNING, ALERT), dropped=(DROPPED,)), START)


def make_document(status: Status, **states: SignerState) -> ReportedDocument:
    signers = tuple(ReportedSigner(person=person.replace("_", "-"), state=state) for person, state in states.items())
    return ReportedDocument(document="d", status=status, raw="x", signers=signers)


def lines(progress: SignatureState) -> dict[tuple[str, str], str | None]:
    return {(line.stage, line.person): line.why for line in progress.notifications.remembered}


def test_one_declines_and_the_plan_of_the_other_is_not_forgotten() -> None:
    declined = PLANNED.observe(make_document(Status.DECLINED, customer_signer=SignerState.DECLINED), START)
    assert lines(declined) == {
        ("reminder-1", FIRST): Reason.SIGNED,
        ("warning-2d", FIRST): Reason.SIGNED,
        ("escalation", "chair"): Reason.SIGNED,
        ("warning-1w", FIRST): Reason.NOT_THEIR_TURN,
        ("reminder-1", SECOND): Reason.SETTLED,
    }


def test_an_extension_supersedes_the_warnings_that_were_dropped_or_not_planned_anew_yet_as_well() -> None:
    command = Extension(actor="a", due=DUE + timedelta(days=9))
    for first_state in (PLANNED, PLANNED.replan()):
        extended = extend(first_state, command, START)
        assert lines(extended) == {
            ("warning-2d", FIRST): Reason.SUPERSEDED,
            ("warning-1w", FIRST): Reason.NOT_THEIR_TURN,
        }
        signed = extended.observe(make_document(Status.SENT, customer_signer=SignerState.SIGNED), START)
        assert lines(signed)["warning-2d", FIRST] == Reason.SUPERSEDED


def test_what_a_later_plan_leaves_out_has_its_line_in_the_end() -> None:
    anew = PLANNED.planned(Schedule(due_at=DUE, actions=REMINDERS), START)
    assert {action.stage for action in anew.unsent} == {"reminder-1", "warning-2d", "warning-1w", "escalation"}
    signed = anew.observe(make_document(Status.SENT, customer_signer=SignerState.SIGNED), START)
    assert lines(signed)["escalation", "chair"] == Reason.SIGNED


def test_an_escalation_that_went_to_somebody_else_in_the_end_leaves_no_second_line() -> None:
    elsewhere = PLANNED.planned(Schedule(due_at=DUE, actions=(ALERT.replace(to="deputy"),)), START)
    alerted = elsewhere.alerted((ALERT.replace(to="deputy"),), START)
    signed = alerted.observe(make_document(Status.SENT, customer_signer=SignerState.SIGNED), START)
    assert not {person for stage, person in lines(signed) if stage == "escalation"}


def test_a_second_place_for_the_same_alternate_is_planned_anew_instead_of_being_refused() -> None:
    reassignments = tuple(
        Reassignment(from_=signer, to="chair", reason=EscalationReason.ESCALATION, who="x")
        for signer in (FIRST, SECOND)
    )
    by_hand = reassignments[1].replace(reason=EscalationReason.MANUAL)
    assert PLANNED.to_reassign(*reassignments).reassigned(reassignments[0], START).escalations.wanted == ()
    assert PLANNED.to_reassign(reassignments[0], by_hand).reassigned(reassignments[0], START).escalations.wanted == (
        by_hand,
    )


def test_a_place_that_could_not_be_handed_over_is_planned_anew_as_an_alert() -> None:
    reassignment = Reassignment(from_=FIRST, to="chair", reason=EscalationReason.ESCALATION, who="x")
    refused = PLANNED.to_reassign(reassignment).not_reassigned(
        reassignment, Rejection.REFUSED_THERE.to_message(says="forwarding is off"), START
    )
    assert (refused.escalations.refused, refused.plan.schedule, refused.escalations.entries) == ((FIRST,), None, ())


def test_each_alert_to_one_person_has_the_reason_of_its_own_signer() -> None:
    alerts = tuple(
        make_action(ActionType.ESCALATE, "escalation", signer, "chair").replace(reasons=(Message(code=signer),))
        for signer in (FIRST, SECOND)
    )
    delivered = tuple(
        _make_delivered(f"{BRIEF.id}/escalation/chair/{alert.person}", NotificationOutcome.ACCEPTED) for alert in alerts
    )
    assert [line.why for line in explained(delivered, alerts)] == [FIRST, SECOND]
    assert alerts[0].action is EscalationAction.NOTIFY


def test_a_phone_that_took_one_of_two_notices_is_given_the_other_alone() -> None:
    accepted, refused = (
        _make_delivered(key, outcome)
        for key, outcome in (("a", NotificationOutcome.ACCEPTED), ("b", NotificationOutcome.FAILED))
    )
    notices = tuple(
        NotificationOrder(key=key, stage="escalation", person="chair", action=NoticeAction.OPEN) for key in ("a", "b")
    )
    report = DeliveryReport(delivered=(accepted, refused), open_devices=("phone",))
    [pending_device] = left_open([PendingDevice(notice=notice, at=START) for notice in notices], report, START)
    assert (pending_device.key, pending_device.devices, pending_device.tries) == ("b", ("phone",), 1)


def _make_delivered(key: str, outcome: NotificationOutcome) -> DeliveryResult:
    return DeliveryResult(
        key=key,
        stage="escalation",
        person="chair",
        channel=Channel.PUSH,
        outcome=outcome,
        devices=(DeviceOutcome(device="phone", outcome=outcome),),
    )
