"""What a repeated hand-off asks for: only what has not arrived yet."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.follow_up.outbox import RETRY_AFTER, Outbox
from workflows.follow_up.record import hand_off_batch, handed_off, notice_of_call
from workflows.model.hand_off import HandoffResult
from workflows.model.notifications import Channel, DeliveryResult, NotificationOutcome
from workflows.model.policy import Target
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Status
from workflows.names import notice_key
from workflows.signature.state import SignatureState, settled

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
BRIEF = SignatureBrief(
    id="r",
    kind="k",
    title="D",
    document=Document(),
    requester="legal-desk",
    people=(Participant(person="signer", order=1),),
)


def line(person: str, outcome: NotificationOutcome) -> DeliveryResult:
    key = notice_key("r", "settled", person)
    return DeliveryResult(key=key, stage="settled", person=person, channel=Channel.PUSH, outcome=outcome)


def test_a_group_is_called_again_with_those_it_has_reached() -> None:
    targets = (Target(target="board", group="directors"), Target(target="hr", person="hr-desk"))
    ended_state = (
        SignatureState.begin(BRIEF, AT)
        .update_part("lifecycle", status=Status.SIGNED, settled_at=AT)
        .open_outbox(targets, ())
    )
    assert [call.reached for call in hand_off_batch(BRIEF, settled(BRIEF, ended_state), ended_state, AT).calls] == [
        (),
        (),
    ]
    lines = (
        line("chair", NotificationOutcome.ACCEPTED),
        line("treasurer", NotificationOutcome.FAILED),
        line("archive", NotificationOutcome.SUPPRESSED),
    )
    results = (
        HandoffResult(target="board", ok=False, partly=True, delivered=lines),
        HandoffResult(target="hr", ok=False, delivered=(line("hr-desk", NotificationOutcome.FAILED),)),
    )
    tried_state = ended_state.handed_off(results, AT)
    assert tried_state.outbox.next_at is not None
    board, hr = hand_off_batch(BRIEF, settled(BRIEF, tried_state), tried_state, tried_state.outbox.next_at).calls
    assert (board.attempt, board.reached) == (2, ("chair",))
    assert (hr.attempt, hr.reached) == (2, ())


def test_whoever_must_hear_of_a_dead_target_is_told_once_and_not_again_by_a_repetition() -> None:
    targets = (Target(target="erp", url="https://erp.example"), Target(target="crm", url="https://crm.example"))
    ended_state = (
        SignatureState.begin(BRIEF, AT)
        .update_part("lifecycle", status=Status.SIGNED, settled_at=AT)
        .open_outbox(targets, ())
    )
    results = (HandoffResult(target="erp", ok=False, gone=True), HandoffResult(target="crm", ok=False))
    first = handed_off(BRIEF, ended_state, results, AT)
    (alert,) = hand_off_batch(BRIEF, settled(BRIEF, first), first, AT).calls
    assert (alert.target.person, alert.listed) == ("legal-desk", False)
    notice = notice_of_call(alert, BRIEF)
    assert notice is not None and notice.key == "r/undelivered/legal-desk"
    alert_line = line("on-call", NotificationOutcome.ACCEPTED).replace(key="r/undelivered/on-call", stage="undelivered")
    repeated = handed_off(
        BRIEF, first, (HandoffResult(target=alert.target.target, ok=False, delivered=(alert_line,)),), AT
    )
    assert repeated.outbox.next_at is not None
    retried, _ = sorted(
        hand_off_batch(BRIEF, settled(BRIEF, repeated), repeated, repeated.outbox.next_at).calls,
        key=lambda call: call.target.target,
    )
    assert retried.reached == ("on-call",)
    results_of_both = (
        HandoffResult(target="crm", ok=False, gone=True),
        HandoffResult(target=retried.target.target, ok=True),
    )
    second = handed_off(BRIEF, repeated, results_of_both, repeated.outbox.next_at)
    assert second.outbox.next_at is None
    assert [line.target for line in second.outbox.dead] == ["erp", "crm"]


@pytest.mark.parametrize("seconds", [1e9, 999_999_999_999, float("inf")])
def test_no_target_has_its_request_wait_for_years_whatever_is_stored_already(seconds: float) -> None:
    ledger = Outbox.open((Target(target="finance", url="https://erp.example/hooks"),), (), AT)
    for pause in RETRY_AFTER:
        attempt_at = ledger.next_at
        assert attempt_at is not None
        ledger = ledger.record((HandoffResult(target="finance", ok=False, retry_after=seconds),), attempt_at)
        assert ledger.next_at == attempt_at + max(pause, timedelta(hours=1))
