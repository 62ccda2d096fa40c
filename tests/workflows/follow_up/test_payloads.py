"""The largest values that the files allow, as a history has them: half of what Temporal takes, so none is refused.

What each workflow reads is read by a schema that was made once.
"""

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512
from typing import Any, ClassVar

import pytest
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from activities.hand_off.people import GROUP_AT_MOST
from activities.schedule.planner import REMINDERS_AT_ONCE, nearest
from starter.temporal.codec import TersePayloadConverter, terse_data_converter
from workflows.follow_up.notification_log import (
    LINES_AT_MOST,
    PENDING_DEVICES_AT_MOST,
    PendingDevice,
    PendingDevices,
    key_of,
)
from workflows.follow_up.notifier import narrow_to_retries
from workflows.follow_up.outbox import GROUPS_AT_MOST, GROUPS_AT_ONCE, Outbox
from workflows.follow_up.record import hand_off_batch, page_batch, settled_record
from workflows.model.base import Model
from workflows.model.hand_off import HandoffCall, HandoffResult, HandoffState
from workflows.model.notifications import (
    Channel,
    Delivery,
    DeliveryResult,
    DeviceOutcome,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import Policy, Target
from workflows.model.schedule import ActionType, PlanningInput, Reason, Schedule, ScheduledAction, Turn
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Status
from workflows.model.timeline import EventType
from workflows.model.views import RequestShow
from workflows.names import notice_key
from workflows.signature.state import SignatureInput, SignatureState, settled, show

AT_MOST = 1024 * 1024
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
SIGNERS = tuple(sha256(str(number).encode()).hexdigest()[:64] for number in range(100))
"""A hundred, which is all that a file may have, with names that nothing can shorten."""
WARNINGS = tuple(f"warning-{days}d" for days in range(1, 11))
"""Ten, which is all that a policy may have."""


def test_the_agenda_of_a_hundred_signers_with_every_warning_that_a_policy_may_have() -> None:
    assert _bytes(_agenda()) < AT_MOST


def test_the_memory_of_a_hundred_signers_that_goes_on_in_a_fresh_run() -> None:
    request = SignatureInput(brief=_brief(), policy=Policy())
    state = SignatureState.begin(request.brief, AT).planned(_agenda(), AT)
    for number in range(2 * LINES_AT_MOST // len(SIGNERS)):
        state = state.record_results(tuple(_line(f"reminder-{number}", person) for person in SIGNERS), AT)
    for number in range(LINES_AT_MOST):
        state = state.note(AT, EventType.PUT_OFF, SIGNERS[number % 100], "x" * 160, about_id=f"reminder-{number}")
    assert _bytes(request.replace(carried=state.carried_over())) < AT_MOST


@pytest.mark.long
def test_each_payload_of_a_hundred_signers_with_thirty_reminders_each() -> None:
    """What is planned next, what a run carries over, a page of the log, and the batch with the record."""
    request = SignatureInput(brief=_brief(), policy=Policy())
    agenda = nearest(Schedule(due_at=AT, actions=_moments("reminder", 30)), _planning(request))
    state = SignatureState.begin(request.brief, AT).planned(agenda, AT)
    for number in range(30):
        state = state.record_results(tuple(_line(f"reminder-{number}", person) for person in SIGNERS), AT)
        for person in SIGNERS:
            state = state.note(AT, EventType.PUT_OFF, person, "x" * 160, about_id=f"reminder-{number}")
        assert _bytes(state.page or agenda) < AT_MOST
        assert _bytes(request.replace(carried=state.planned(agenda, AT).carried_over())) < AT_MOST
        state = state.paged(state.page).paged(state.page)
    ended_state = state.end(Status.SIGNED, AT, decided_by="core-signature")
    batch = page_batch(request.subject, settled(request.brief, ended_state), ended_state).replace(
        record=settled_record(request, ended_state, "run", _show(request))
    )
    assert batch.record is not None and len(batch.record.show.notifications) > len(SIGNERS)
    assert [_bytes(value) < AT_MOST for value in (agenda, batch)] == [True, True]


def test_what_the_memory_has_of_phones_left_open_and_the_call_that_tries_them_again() -> None:
    """As many notices as may be, each with as many phones as somebody may have; without any it has nothing."""
    moments = _stage("reminder-1", ActionType.REMIND)
    entries = tuple(
        PendingDevice(
            notice=NotificationOrder(
                key=key_of("r" * 64, action), stage=action.stage, person=action.person, movable=True
            ),
            moment=action,
            devices=tuple(sha256(f"{action.person}{number}".encode()).hexdigest()[:12] for number in range(20)),
            tries=1,
            at=AT,
        )
        for action in moments
    )
    assert len(entries) == PENDING_DEVICES_AT_MOST
    empty_input = SignatureInput(brief=_brief(), policy=Policy(), carried=SignatureState.begin(_brief(), AT))
    crowded = empty_input.replace(
        carried=SignatureState.begin(_brief(), AT).update_part("notifications", devices=PendingDevices(entries=entries))
    )
    assert b"devices" not in empty_input.model_dump_json(exclude_defaults=True).encode()
    assert _bytes(crowded) - _bytes(empty_input) < AT_MOST // 2
    delivery = Delivery(subject=_brief(), notices=(), document="d", now=AT)
    assert _bytes(narrow_to_retries(delivery, entries)) < AT_MOST // 2


def test_the_memory_and_a_batch_while_as_many_groups_have_begun_as_may() -> None:
    """Of each as many have it as can be remembered, by ids that nothing can shorten."""
    groups = tuple(Target(target=f"group-{n}", group=f"group-{n}") for n in range(50))
    ledger = Outbox.open(groups, (), AT)
    begun_calls = tuple(
        entry.replace(attempts=1, reached=tuple(_long_id(f"{entry.target.group}-{n}") for n in range(GROUP_AT_MOST)))
        for entry in ledger.entries[:GROUPS_AT_MOST]
    )
    request = SignatureInput(brief=_brief(), policy=Policy())
    state = SignatureState.begin(request.brief, AT).end(Status.SIGNED, AT, decided_by="board")
    state = state.replace(outbox=ledger.replace(entries=(*begun_calls, *ledger.entries[GROUPS_AT_MOST:])))
    batch = hand_off_batch(request.subject, None, state, AT)
    assert len(batch.calls) == GROUPS_AT_ONCE
    assert _bytes(batch) < AT_MOST
    assert _bytes(request.replace(carried=state)) < AT_MOST


def test_however_many_groups_are_told_so_many_have_begun_and_what_all_have_heard_leaves_the_memory() -> None:
    """Ten times as many as may begin, of each of which one phone never answers."""
    groups = tuple(Target(target=f"group-{n}", group=f"group-{n}") for n in range(10 * GROUPS_AT_MOST))
    request = SignatureInput(brief=_brief(), policy=Policy())
    state, now = SignatureState.begin(request.brief, AT).end(Status.SIGNED, AT, decided_by="board"), AT
    state = state.replace(outbox=Outbox.open(groups, (), AT))
    told_counts: Counter[str] = Counter()
    while due_at := state.outbox.next_at:
        now = max(now, due_at)
        batch = hand_off_batch(request.subject, None, state, now)
        assert 0 < len(batch.calls) <= GROUPS_AT_ONCE
        state = state.handed_off(tuple(_all_but_one(call, told_counts) for call in batch.calls), now).paged(batch.page)
        assert sum(entry.is_begun for entry in state.outbox.entries) <= GROUPS_AT_MOST
        assert len(state.notifications.marks) + len(state.notifications.leaving) <= LINES_AT_MOST
    assert {entry.state for entry in state.outbox.entries} == {HandoffState.DONE}
    assert set(told_counts.values()) == {1} and len(told_counts) == 29 * len(groups)


class Counted(Model):
    """A model that knows how often its schema was made."""

    schema_count: ClassVar[int] = 0
    text: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic."""
        Counted.schema_count += 1
        return handler(source)


def test_the_schema_of_a_model_is_made_once_although_each_workflow_has_a_converter_of_its_own() -> None:
    payload = terse_data_converter.payload_converter.to_payload({"text": "signed"})
    read = [TersePayloadConverter().from_payload(payload, Counted).text for _ in range(10)]
    assert (read, Counted.schema_count) == (["signed"] * 10, 1)


def _all_but_one(call: HandoffCall, told_counts: Counter[str]) -> HandoffResult:
    """What becomes of a group of thirty, of whom the last has a phone that never answers."""
    everyone = [f"{call.target.group}-{n}" for n in range(30)]
    missing = [person for person in everyone if person not in call.reached]
    told_counts.update(missing[:-1])
    lines = tuple(_line("settled", person) for person in missing)
    lines = (*lines[:-1], lines[-1].replace(outcome=NotificationOutcome.FAILED))
    return HandoffResult(target=call.target.target, ok=False, partly=True, why="unreachable", delivered=lines)


def _long_id(person: str) -> str:
    return urlsafe_b64encode(sha512(person.encode()).digest() + sha512(person[::-1].encode()).digest()).decode()[:100]


def _bytes(value: Model) -> int:
    return terse_data_converter.payload_converter.to_payload(value).ByteSize()


def _brief() -> SignatureBrief:
    return SignatureBrief(
        id="r" * 64,
        kind="customer-contract",
        title="n" * 200,
        document=Document(sha256="ab" * 32, size=1),
        requester="legal-desk",
        people=tuple(Participant(person=person, order=1) for person in SIGNERS),
        message="m" * 4_000,
    )


def _planning(request: SignatureInput) -> PlanningInput:
    turns = tuple(Turn(person=person, since=AT) for person in SIGNERS)
    return PlanningInput(subject=request.subject, policy=request.policy, due=None, window_from=AT, turns=turns, now=AT)


def _show(request: SignatureInput) -> Callable[[SignatureState, datetime], RequestShow]:
    return lambda state, instant: show(request, state, instant)


def _agenda() -> Schedule:
    reminders = _moments("reminder", max(2, REMINDERS_AT_ONCE // len(SIGNERS)))
    warnings = tuple(action for stage in WARNINGS for action in _stage(stage, ActionType.WARN))
    alerts = (*_stage("escalation", ActionType.ESCALATE), *_stage("escalated", ActionType.ESCALATED))
    forbidden = tuple(action.replace(suppressed=Reason.ABSENT) for action in (*reminders, *warnings))
    return Schedule(due_at=AT, actions=(*reminders, *warnings, *alerts), dropped=forbidden)


def _moments(series: str, count_each: int) -> tuple[ScheduledAction, ...]:
    return tuple(action for number in range(count_each) for action in _stage(f"{series}-{number}", ActionType.REMIND))


def _stage(stage: str, kind: ActionType) -> tuple[ScheduledAction, ...]:
    """The same of each signer, at an instant of their own."""
    return tuple(
        ScheduledAction(
            at=AT + timedelta(seconds=number),
            kind=kind,
            stage=stage,
            person=person,
            to=person,
            reasons=(PlanReason.NEXT_REMINDER.to_message(number=2, most=9, span="3d"),),
        )
        for number, person in enumerate(SIGNERS)
    )


def _line(stage: str, person: str) -> DeliveryResult:
    devices = tuple(DeviceOutcome(device=f"{number:012}") for number in range(3))
    return DeliveryResult(
        key=notice_key("r" * 64, stage, person),
        stage=stage,
        person=person,
        channel=Channel.PUSH,
        outcome=NotificationOutcome.ACCEPTED,
        why="every 3 days",
        devices=devices,
    )
