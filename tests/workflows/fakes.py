"""Recording fakes of the ports, with gates: the world of a story, told what to answer and asked what it saw."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.notifications.teams import TeamDelivery
from activities.people.directory import Directory
from activities.schedule.planner import nearest
from workflows.follow_up.record import complete_record, notice_of_call
from workflows.model.evidence import EvidenceOrder, KeptFile, KeptFiles
from workflows.model.hand_off import HandoffReport, HandoffResult
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
from workflows.model.policy import EscalationAction
from workflows.model.records import Amendment, HandoffBatch, RecordedHandOff, ReplayOrder
from workflows.model.rejections import Rejection
from workflows.model.schedule import (
    ActionType,
    PlanningInput,
    Reason,
    Schedule,
    ScheduledAction,
    Snooze,
    StandIn,
    StandInReport,
)
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    ForwardOrder,
    ForwardReport,
    Observation,
    ReportedDocument,
    ReportedSigner,
    SignerState,
    Substitution,
)
from workflows.model.subject import Code, Roster, Status
from workflows.names import alert_key
from workflows.ports import EvidenceService, Handoff, Planner, PushService, SignatureService, StandInFinder

DOCUMENT = "d0c0ffee"


@dataclass
class FakeSignatureService(SignatureService):
    """A provider whose document the story moves by hand."""

    status: Status = Status.SENT
    signers: list[ReportedSigner] = field(default_factory=list)
    code: Code | None = None
    substituted: dict[str, str] = field(default_factory=dict)
    mails_endings: bool = True
    created: list[CreateOrder] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    forwarded: list[ForwardOrder] = field(default_factory=list)
    forward_refusals: list[Message] = field(default_factory=list)
    cancelled: list[CancelOrder] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    observing: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None
    creating: asyncio.Event = field(default_factory=asyncio.Event)
    create_gate: asyncio.Event | None = None
    never_had_it: bool = False

    def sees(self, roster: Roster) -> ReportedDocument:
        """The document as a read would find it now: of signers only those whom the request names can be told."""
        named = {signer.person for signer in roster.people}
        signers = tuple(signer for signer in self.signers if signer.person in named)
        return ReportedDocument(
            document=DOCUMENT,
            status=self.status,
            raw=self.status[:2],
            signers=signers,
            code=self.code,
            mails_endings=self.mails_endings,
        )

    def sign(self, person: str, state: SignerState = SignerState.SIGNED) -> None:
        """Let a signer act."""
        self.signers.append(ReportedSigner(person=person, state=state))

    async def create(self, order: CreateOrder) -> ReportedDocument:
        self.created.append(order)
        self.creating.set()
        if self.create_gate is not None:
            await self.create_gate.wait()
        self._fail()
        stand_ins = tuple(Substitution(from_=absent, to=delegate) for absent, delegate in self.substituted.items())
        return self.sees(order.brief).replace(substituted=stand_ins)

    async def observe(self, observation: Observation) -> ReportedDocument:
        self.observations.append(observation)
        self.observing.set()
        if self.gate is not None:
            await self.gate.wait()
        self._fail()
        return self.sees(observation.roster)

    async def cancel(self, order: CancelOrder) -> ReportedDocument | None:
        self.cancelled.append(order)
        self._fail()
        if self.never_had_it:
            return None
        if not self.status.has_ended:
            self.status = Status.CANCELLED
        return self.sees(order.subject)

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        self.forwarded.append(order)
        self._fail()
        if self.forward_refusals:
            return ForwardReport(seen=self.sees(order.subject), refused=self.forward_refusals.pop(0))
        if not self.status.has_ended:
            self.sign(order.from_, SignerState.REASSIGNED)
        return ForwardReport(seen=self.sees(order.subject))

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class Sent:
    """One notice as the fake push service saw it; `at` is the workflow's time carried by the planner's moments."""

    stage: str
    person: str
    action: NoticeAction


@dataclass
class FakePushService(PushService):
    """Phones that take everything, unless told otherwise."""

    signatures: FakeSignatureService
    sent: list[Sent] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    open_once: list[str] = field(default_factory=list)
    deaf_once: list[str] = field(default_factory=list)
    """Persons whose one phone does not take the next notice."""
    not_found: list[str] = field(default_factory=list)
    """Persons who cannot be looked up by one call, once for each time they are named."""
    without_phone: list[str] = field(default_factory=list)
    fails: dict[str, str] = field(default_factory=dict)
    """Stages that reach nobody, each with the reason."""
    by_mail: list[str] = field(default_factory=list)
    """Stages that go by mail."""
    asks_to_wait: float = 0
    at_most: int = 1_000
    """Recipients of one call who are told before its time is over."""
    delivering: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None
    directory: Directory | None = None
    """Whose groups are told member by member."""

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        if self.directory is None:
            return await self._deliver(delivery)
        to_each = await TeamDelivery.from_delivery(delivery, self.directory)
        return to_each.gathered(await self._deliver(to_each.delivery))

    async def _deliver(self, delivery: Delivery) -> DeliveryReport:
        self.deliveries.append(delivery)
        self.delivering.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        now, later = delivery.notices[: self.at_most], delivery.notices[self.at_most :]
        missed = [notice for notice in now if notice.person in self.not_found]
        for notice in missed:
            self.not_found.remove(notice.person)
        if missed and len(missed) == len(now):
            raise refusal(Code.UNREACHABLE)
        delivery = delivery.replace(notices=tuple(notice for notice in now if notice not in missed))
        document = self.signatures.sees(delivery.subject) if delivery.document else None
        acted = (
            {signer.person for signer in document.signers if signer.state is not SignerState.VIEWED}
            if document
            else set()
        )
        pushed_notices = [
            notice for notice in delivery.notices if not (document and document.status and document.status.has_ended)
        ]
        pushed_notices = [notice for notice in pushed_notices if (notice.about or notice.person) not in acted]
        pushed_notices = [notice for notice in pushed_notices if notice.person not in self.without_phone]
        self.sent += [
            Sent(notice.stage, notice.person, notice.action)
            for notice in pushed_notices
            if notice.person not in self.deaf_once
        ]
        deaf, self.deaf_once = self.deaf_once, []
        left_open, self.open_once = (*self.open_once, *deaf), []
        return DeliveryReport(
            delivered=tuple(
                DeliveryResult(
                    key=notice.key,
                    stage=notice.stage,
                    person=notice.person,
                    outcome=NotificationOutcome.FAILED,
                    why=reason,
                )
                if (reason := self.fails.get(notice.stage))
                else DeliveryResult(
                    key=notice.key,
                    stage=notice.stage,
                    person=notice.person,
                    channel=Channel.MAIL if notice.stage in self.by_mail else Channel.PUSH,
                    outcome=_outcome(notice, deaf) if notice in pushed_notices else NotificationOutcome.SUPPRESSED,
                    why=None
                    if notice in pushed_notices
                    else "no_device"
                    if notice.person in self.without_phone
                    else "signed",
                    devices=_devices(notice.person, left_open, deaf),
                )
                for notice in delivery.notices
            )
            + tuple(_make_missed(notice) for notice in missed),
            open_devices=left_open,
            open_notices=tuple(notice.key for notice in (*later, *missed)),
            retry_after=self.asks_to_wait,
            seen=document,
        )

    def stages(self) -> list[tuple[str, str]]:
        """What was sent to whom, in order."""
        return [(notice.stage, notice.person) for notice in self.sent]


@dataclass
class FakePlanner(Planner, StandInFinder):
    """Offsets from somebody's turn, in order of stages; no calendar but `absent_people`."""

    reminders: tuple[timedelta, ...] = (timedelta(days=3), timedelta(days=6), timedelta(days=9))
    warnings: tuple[timedelta, ...] = (timedelta(days=2), timedelta(days=1))
    escalate_after: timedelta | None = timedelta(days=12)
    window: timedelta = timedelta(days=30)
    alternate: str = "chair"
    action: EscalationAction = EscalationAction.NOTIFY
    doubt: str | None = None
    overdue: timedelta | None = None
    fallback: timedelta | None = None
    absent_people: set[str] = field(default_factory=set)
    planned: list[PlanningInput] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def plan(self, planning: PlanningInput) -> Schedule:
        self.planned.append(planning)
        if self.failures:
            raise self.failures.pop(0)
        due_at = planning.due if isinstance(planning.due, datetime) else planning.window_from + self.window
        moments = [self._expiry(planning, due_at)] if planning.policy.expires else []
        for turn in planning.turns:
            for number, offset in enumerate(self.reminders, 1):
                moments.append(_make_action(turn.since + offset, ActionType.REMIND, f"reminder-{number}", turn.person))
            for warned_ahead in self.warnings:
                moments.append(
                    _make_action(due_at - warned_ahead, ActionType.WARN, f"warning-{warned_ahead.days}d", turn.person)
                )
            if self.fallback:
                moments.append(_make_action(turn.since + self.fallback, ActionType.FALLBACK, "fallback", turn.person))
            if self.escalate_after:
                escalate_at = turn.since + self.escalate_after
                lost = alert_key(planning.subject.id, "escalation", self.alternate, turn.person) in planning.unheard
                recipient = planning.subject.requester if lost else self.alternate
                escalation = _make_action(
                    escalate_at, ActionType.ESCALATE, "escalation", turn.person, recipient=recipient
                )
                action = EscalationAction.NOTIFY if turn.person in planning.not_handed_over else self.action
                moments.append(escalation.replace(action=action))
                if action is EscalationAction.NOTIFY:
                    moments.append(_make_action(escalate_at, ActionType.ESCALATED, "escalated", turn.person))
            if self.overdue:
                moments += [
                    _make_action(due_at + number * self.overdue, ActionType.OVERDUE, f"overdue-{number}", turn.person)
                    for number in range(1, 4)
                ]
            moments = _snooze_actions(moments, [snooze for snooze in planning.snoozes if snooze.person == turn.person])
        moments.sort(key=lambda action: action.at)
        closes = planning.policy.expires
        closes_at = None if closes else due_at + timedelta(days=730)
        return Schedule(due_at=due_at, closes_at=closes_at, closes=closes, actions=tuple(moments), doubt=self.doubt)

    async def check(self, stand_in: StandIn) -> StandInReport:
        is_away = stand_in.person in self.absent_people and not stand_in.force
        return StandInReport(
            refused=Rejection.AWAY_UNLESS_FORCED.to_message(person=stand_in.person) if is_away else None
        )

    def _expiry(self, planning: PlanningInput, due_at: datetime) -> ScheduledAction:
        return _make_action(due_at, ActionType.EXPIRE, "expiry", planning.subject.requester)


class ManyReminders(FakePlanner):
    """Cuts its plans as the real one does: of many reminders to the next ones."""

    async def plan(self, planning: PlanningInput) -> Schedule:
        return nearest(await super().plan(planning), planning)


@dataclass
class FakeHandoff(Handoff):
    """Targets that answer; those in `down` do not, until taken out of it. A `gate` holds them up."""

    down: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    failures: list[Exception] = field(default_factory=list)
    closed_targets: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    batches: list[HandoffBatch] = field(default_factory=list)
    record: RecordedHandOff = field(default_factory=RecordedHandOff)
    """What the store knows of something that has ended."""
    store_failures: int = 0
    """So many times the store takes nothing of what became of a batch."""
    made_up: list[Amendment] = field(default_factory=list)
    """What came to the store with a later batch."""

    @property
    def notices(self) -> list[NotificationOrder]:
        """What the people among the targets were told."""
        pairs = ((call, batch.subject) for batch in self.batches for call in batch.calls)
        return [notice for call, subject in pairs if (notice := notice_of_call(call, subject))]

    async def read(self, order: ReplayOrder) -> RecordedHandOff:
        if self.failures:
            raise self.failures.pop(0)
        return self.record

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        batch = complete_record(batch)
        if batch.unrecorded is not None:
            if not self._takes():
                raise refusal(Code.UNREACHABLE)
            self.made_up.append(batch.unrecorded)
        self.batches.append(batch)
        if batch.settled is None and self.failures:
            raise self.failures.pop(0)
        if self.gate:
            await self.gate.wait()
        results = tuple(self._result(call.target.target) for call in batch.calls)
        return HandoffReport(results=results, recorded=not results or self._takes())

    def _takes(self) -> bool:
        self.store_failures -= 1
        return self.store_failures < 0

    def _result(self, target: str) -> HandoffResult:
        self.calls[target] += 1
        if target in self.closed_targets:
            return HandoffResult(target=target, ok=False, gone=True, why="workflow_closed")
        if target in self.down:
            return HandoffResult(target=target, ok=False, why="no answer")
        return HandoffResult(target=target, ok=True)


SIGNED_PDF = KeptFile(sha256="5a" * 32, bytes=20_000)
SIGNING_LOG = KeptFile(sha256="10" * 32, bytes=900)


@dataclass
class FakeEvidence(EvidenceService):
    """Files that are there, unless it fails; with what is there all the same. A `gate` holds it up."""

    failures: list[Exception] = field(default_factory=list)
    orders: list[EvidenceOrder] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def keep(self, order: EvidenceOrder) -> KeptFiles:
        self.orders.append(order)
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if order.document is None:
            return KeptFiles()
        return KeptFiles(document=None if order.log_only else SIGNED_PDF, signing_log=SIGNING_LOG)


@dataclass
class World:
    """Everything a request asks, in one place."""

    signatures: FakeSignatureService = field(default_factory=FakeSignatureService)
    planner: FakePlanner = field(default_factory=FakePlanner)
    handoff: FakeHandoff = field(default_factory=FakeHandoff)
    evidence: FakeEvidence = field(default_factory=FakeEvidence)

    def __post_init__(self) -> None:
        self.push = FakePushService(self.signatures)


def refusal(
    code: Code, *, retryable: bool = False, wait: timedelta | None = None, bound: bool = False
) -> ApplicationError:
    """A failure as `activities/temporal/failures.py` makes them; `wait` is when the service wants to be asked again."""
    category = ApplicationErrorCategory.BENIGN if bound else ApplicationErrorCategory.UNSPECIFIED
    message, final = f"the service says {code}", not retryable
    return ApplicationError(message, type=code, non_retryable=final, next_retry_delay=wait, category=category)


def _outcome(notice: NotificationOrder, deaf: Collection[str]) -> NotificationOutcome:
    if notice.person in deaf:
        return NotificationOutcome.FAILED
    return NotificationOutcome.WITHDRAWN if notice.action is NoticeAction.WITHDRAW else NotificationOutcome.ACCEPTED


def _make_missed(notice: NotificationOrder) -> DeliveryResult:
    reason = Reason.UNREACHABLE
    return DeliveryResult(
        key=notice.key, stage=notice.stage, person=notice.person, outcome=NotificationOutcome.FAILED, why=reason
    )


def _devices(person: str, left_open: Collection[str], deaf: Collection[str]) -> tuple[DeviceOutcome, ...]:
    """A phone of their own, and the ones left open, unless it is somebody else's only one."""
    open_ = [device for device in left_open if device == person or device not in deaf]
    own_devices = [] if person in deaf else [DeviceOutcome(device="a1b2c3", outcome=NotificationOutcome.ACCEPTED)]
    return (*own_devices, *(DeviceOutcome(device=device, outcome=NotificationOutcome.FAILED) for device in open_))


def _snooze_actions(moments: list[ScheduledAction], snoozes: list[Snooze]) -> list[ScheduledAction]:
    for snooze in snoozes:
        reminders = [m for m in moments if m.kind is ActionType.REMIND and m.person == snooze.person]
        moments = [m for m in moments if m not in reminders or m.at >= snooze.until]
        moments.append(_make_action(snooze.until, ActionType.REMIND, f"snooze-{snooze.number}", snooze.person))
    return moments


def _make_action(
    action_at: datetime, kind: ActionType, stage: str, person: str, recipient: str | None = None
) -> ScheduledAction:
    reasons = (Message(code=f"planned as {stage}"),)
    return ScheduledAction(at=action_at, kind=kind, stage=stage, person=person, to=recipient or person, reasons=reasons)
