"""The world of the measured request: every call is answered at once, with what the real services would say."""

from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from workflows.follow_up.record import notice_of_call
from workflows.model.hand_off import HandoffCall, HandoffReport, HandoffResult
from workflows.model.messages import Message
from workflows.model.notifications import (
    Channel,
    Delivery,
    DeliveryReport,
    DeliveryResult,
    DeviceOutcome,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.records import HandoffBatch, RecordedHandOff, ReplayOrder
from workflows.model.schedule import ActionType, PlanningInput, Schedule, ScheduledAction, Turn
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    ForwardOrder,
    ForwardReport,
    Observation,
    ReportedDocument,
    ReportedSigner,
    SignerState,
)
from workflows.model.subject import Participant, Status, Subject
from workflows.ports import Handoff, Planner, PushService, SignatureService

_REMINDERS: Final = 3
_APART: Final = timedelta(days=3)
REMINDED_AFTER: Final = _APART * _REMINDERS + timedelta(days=1)
"""When the last reminder has been sent and the escalation is not due yet."""
_DOCUMENT: Final = "0c1f7a52-7d0f-4d55-9f0a-2c3a5b1e8d94"
_RAW: Final = {Status.SENT: "se", Status.SIGNED: "si"}


class PromptSignatureService(SignatureService):
    """A provider whose document is sent as soon as it is made, and signed when somebody reads it."""

    async def create(self, order: CreateOrder) -> ReportedDocument:
        """Made and sent."""
        return _document(order.brief.people)

    async def observe(self, observation: Observation) -> ReportedDocument:
        """Signed by everyone."""
        return _document(observation.roster.people, signed_at=activity.info().scheduled_time)

    async def cancel(self, order: CancelOrder) -> ReportedDocument | None:
        """Nobody cancels the measured request."""
        raise AssertionError(f"{order.subject.id} was cancelled")

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        """Nobody hands their place over in the measured request."""
        raise AssertionError(f"{order.subject.id} was forwarded")


class PromptPushService(PushService):
    """Two phones each, which take everything."""

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """Accepted by every phone."""
        return DeliveryReport(
            delivered=tuple(_delivered(notice) for notice in delivery.notices),
            seen=_document(delivery.subject.people) if delivery.document else None,
        )


class PromptPlanner(Planner):
    """The default policy in calendar days: three reminders, an escalation after them, two warnings, the due date."""

    async def plan(self, planning: PlanningInput) -> Schedule:
        """Counted from `planning.now`."""
        due_at = planning.now + timedelta(days=30)
        actions = [action for turn in planning.turns for action in _plan_turn(turn, planning.now, due_at)]
        requester = planning.subject.requester
        expiry = _make_action(due_at, ActionType.EXPIRE, "expiry", requester, requester, "the due date has passed")
        return Schedule(due_at=due_at, actions=(*sorted(actions, key=lambda action: action.at), expiry))


class PromptHandoff(Handoff):
    """Targets that answer at once; people among them are told on their phones."""

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        """All done."""
        return HandoffReport(results=tuple(_handed_off(call, batch.subject) for call in batch.calls))

    async def read(self, replay_order: ReplayOrder) -> RecordedHandOff:
        """Nothing is kept."""
        return RecordedHandOff()


def _document(signers: tuple[Participant, ...], signed_at: datetime | None = None) -> ReportedDocument:
    status, state = (Status.SIGNED, SignerState.SIGNED) if signed_at else (Status.SENT, SignerState.TURN)
    signers_seen = tuple(ReportedSigner(person=signer.person, state=state, at=signed_at) for signer in signers)
    return ReportedDocument(document=_DOCUMENT, status=status, raw=_RAW[status], signers=signers_seen)


def _delivered(notice: NotificationOrder) -> DeliveryResult:
    outcome = NotificationOutcome.WITHDRAWN if notice.action is NoticeAction.WITHDRAW else NotificationOutcome.ACCEPTED
    devices = tuple(DeviceOutcome(device=device, outcome=outcome) for device in ("5f1c09ab37de", "c2708e41d96b"))
    return DeliveryResult(
        key=notice.key,
        stage=notice.stage,
        person=notice.person,
        channel=Channel.PUSH,
        outcome=outcome,
        devices=devices,
    )


def _handed_off(call: HandoffCall, subject: Subject) -> HandoffResult:
    notice = notice_of_call(call, subject)
    delivered = (_delivered(notice),) if notice else ()
    return HandoffResult(target=call.target.target, ok=True, delivered=delivered)


def _plan_turn(turn: Turn, now: datetime, due_at: datetime) -> list[ScheduledAction]:
    person = turn.person
    reminders = [
        _make_action(now + _APART * number, ActionType.REMIND, f"reminder-{number}", person, person, _rhythm(number))
        for number in range(1, _REMINDERS + 1)
    ]
    warnings = [
        _make_action(due_at - timedelta(days=days), ActionType.WARN, f"warning-{days}d", person, person, _ahead(days))
        for days in (2, 1)
    ]
    reason = f"all {_REMINDERS} reminders are used up: {person}'s alternate"
    escalates_at = now + _APART * (_REMINDERS + 1)
    return [
        *reminders,
        *warnings,
        _make_action(escalates_at, ActionType.ESCALATE, "escalation", person, "legal-lead", reason),
    ]


def _make_action(
    due_at: datetime, kind: ActionType, stage: str, person: str, recipient: str, reason: str
) -> ScheduledAction:
    reasons = (Message(code=reason),)
    return ScheduledAction(at=due_at, kind=kind, stage=stage, person=person, to=recipient, reasons=reasons)


def _rhythm(number: int) -> str:
    return f"reminder {number} of {_REMINDERS}, " + (
        "3 days after the request arrived" if number == 1 else "every 3 days"
    )


def _ahead(days: int) -> str:
    return f"{days} day{'s' if days > 1 else ''} before the due date"
