"""The record in the batch of a hand-off: a history has once what follows from the rest of the batch."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from tests.golden.samples import read, tersely
from workflows.follow_up.outbox import Outbox
from workflows.follow_up.record import complete_record, hand_off_batch, settled_record, with_record
from workflows.model.hand_off import HandoffCall
from workflows.model.notifications import DeliveryResult, NotificationOutcome
from workflows.model.policy import Policy, Target
from workflows.model.records import HandoffBatch, SettledRecord
from workflows.model.schedule import EscalationReason, Reason
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Status
from workflows.model.timeline import EscalationEntry, EventType
from workflows.names import notice_key
from workflows.signature.state import SignatureInput, SignatureState, settled, show

AT = datetime(2027, 1, 4, 9, tzinfo=UTC)
ERP = Target(target="erp", url="https://erp.example/hooks")
HR = Target(target="hr", person="hr-desk")
REQUESTER = Target(target="notice:legal-desk", person="legal-desk")
BRIEF = SignatureBrief(
    id="msa-0042",
    kind="customer-contract",
    title="Agreement",
    requester="legal-desk",
    document=Document(sha256="ab" * 32),
    people=(Participant(person="ada"), Participant(person="grace")),
)
REQUEST = SignatureInput(brief=BRIEF, policy=Policy(handoff=(ERP, HR)))


def make_line(stage: str, person: str, why: str | None = None) -> DeliveryResult:
    outcome = NotificationOutcome.SUPPRESSED if why else NotificationOutcome.ACCEPTED
    key = notice_key(BRIEF.id, stage, person)
    return DeliveryResult(key=key, stage=stage, person=person, outcome=outcome, why=why)


def make_ended_state(lines: Iterable[DeliveryResult], told_at: datetime = AT) -> SignatureState:
    """A request that was escalated and noted something at the instant of its notices, and was signed later."""
    state = SignatureState.begin(BRIEF, AT).record_results(tuple(lines), told_at)
    escalation = EscalationEntry.model_validate(
        {"from": "ada", "to": "legal-lead", "reason": EscalationReason.ESCALATION, "at": told_at}
    )
    state = state.replace(escalations=state.escalations.replace(entries=(escalation,)))
    state = state.note(told_at, EventType.PUT_OFF, "grace", None, about_id="reminder-1")
    return state.end(Status.SIGNED, told_at + timedelta(days=1), decided_by="core-signature")


def make_record(state: SignatureState) -> SettledRecord:
    record = settled_record(REQUEST, state, "run", lambda state, now: show(REQUEST, state, now))
    assert record is not None
    return record


def make_batch(state: SignatureState) -> tuple[HandoffBatch, SettledRecord, Outbox]:
    outbox = Outbox.open((ERP, HR), (REQUESTER,), AT, reference=BRIEF.id)
    record = make_record(state)
    batch = hand_off_batch(REQUEST.subject, settled(BRIEF, state), state.replace(outbox=outbox), AT)
    return with_record(batch, record, outbox, ()), record, outbox


LINES = (
    make_line("ready", "ada"),
    make_line("ready", "grace"),
    make_line("escalation", "legal-lead"),
    make_line("warning-1d", "ada", Reason.SIGNED),
    make_line("reminder-2", "ada", Reason.QUIET_HOURS),
)


@pytest.mark.parametrize("lines", [LINES, LINES[:1], LINES[3:4], ()], ids=["many", "one", "needless", "none"])
def test_the_whole_record_is_restored_from_what_a_history_has(lines: tuple[DeliveryResult, ...]) -> None:
    batch, record, outbox = make_batch(make_ended_state(lines))
    assert batch.record is not None
    assert not {entry.happened for entry in batch.record.show.timeline} & {EventType.TOLD, EventType.SUPPRESSED}
    assert batch.targets == ()
    read_batch = complete_record(read(tersely(batch), HandoffBatch))
    assert read_batch.record is not None and read_batch.record.hand_off is not None
    assert read_batch.record.show == record.show
    assert read_batch.record.settled == batch.settled
    assert read_batch.record.hand_off.targets == outbox.targets == (ERP, HR)
    assert complete_record(read_batch) == read_batch.replace(targets=())


def test_targets_are_written_where_the_calls_are_others() -> None:
    batch, record, outbox = make_batch(make_ended_state(LINES))
    first_call: tuple[HandoffCall, ...] = batch.calls[:1]
    partial = with_record(batch.replace(calls=first_call), record, outbox, ())
    assert partial.targets == (ERP, HR)
    completed = complete_record(partial).record
    assert completed is not None and completed.hand_off is not None
    assert completed.hand_off.targets == (ERP, HR)
