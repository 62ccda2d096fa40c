"""The world of one life: a provider, phones and a people file that may be away, and a record of what reached whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from temporalio.exceptions import ApplicationError

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book
from workflows.follow_up.record import notice_of_call
from workflows.model.hand_off import HandoffReport, HandoffResult
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
from workflows.model.records import HandoffBatch
from workflows.model.rejections import Rejection
from workflows.model.schedule import PlanningInput, Schedule
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
from workflows.model.subject import Code, Roster, Status

OPEN = (SignerState.WAITING, SignerState.TURN, SignerState.VIEWED)
_NEEDLESS = {SignerState.REASSIGNED: "reassigned", SignerState.DECLINED: "settled"}


@dataclass
class Sent:
    """A notice that a phone took."""

    at: datetime
    stage: str
    person: str
    about_person: str | None
    device: str


@dataclass
class World:
    """Everything the workflow asks, by the names of its activities."""

    random: Random
    book: Book
    now: Callable[[], datetime]
    callback: Callable[[], None]
    later: Callable[[Callable[[], None]], None]
    is_away: Callable[[str], bool]
    """Whether `core`, `push` or `people` is away now."""
    phones: dict[str, int]
    deafness: float = 0.0
    system: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - the same again for the same seed
    """Whether a system takes a hand-off: every other one."""
    told_systems: list[str] = field(default_factory=list)
    status: Status | None = None
    signers: dict[str, tuple[SignerState, int]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    acted_at: dict[str, datetime] = field(default_factory=dict)
    agendas: list[tuple[datetime, Schedule]] = field(default_factory=list)

    def act(self, person: str, state: SignerState) -> None:
        """Let a signer do something, if it is their turn."""
        if self.status not in (Status.SENT, Status.VIEWED) or self.signers.get(person, ("", 0))[0] not in OPEN:
            return
        order = self.signers[person][1]
        if order > min(order for state, order in self.signers.values() if state in OPEN):
            return
        self.signers[person] = (state, order)
        if state not in OPEN:
            self.acted_at[person] = self.now()
        if state is SignerState.DECLINED:
            self.status = Status.DECLINED
        elif not any(state in OPEN for state, _ in self.signers.values()):
            self.status = Status.SIGNED
        self.callback()

    def converted(self) -> None:
        """The document has been converted and sent."""
        self.status = Status.SENT if self.status is Status.CONVERTING else self.status
        self.callback()

    async def plan(self, planning: PlanningInput) -> Schedule:
        self._reach("people", Code.DIRECTORY)
        agenda = await PolicyPlanner(self.book).plan(planning)
        assert agenda == await PolicyPlanner(self.book).plan(planning)
        self.agendas.append((self.now(), agenda))
        return agenda

    async def create(self, order: CreateOrder) -> ReportedDocument:
        self._reach("core")
        if self.status is None:
            self.status = self.random.choice([Status.SENT, Status.CONVERTING])
            self.later(self.converted)
        return self._read_document(order.brief)

    async def observe(self, observation: Observation) -> ReportedDocument:
        self._reach("core")
        return self._read_document(observation.roster)

    async def cancel(self, order: CancelOrder) -> ReportedDocument | None:
        self._reach("core")
        if self.status is None:
            return None
        self.status = self.status if self.status.has_ended else Status.CANCELLED
        return self._read_document(order.subject)

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        self._reach("core")
        state, number = self.signers[order.from_]
        if self._has_ended or state not in OPEN or order.to in self.signers or self.random.random() < 0.1:
            return ForwardReport(
                seen=self._read_document(order.subject),
                refused=Rejection.REFUSED_THERE.to_message(says="not like this"),
            )
        self.signers |= {order.from_: (SignerState.REASSIGNED, number), order.to: (SignerState.TURN, number)}
        self.acted_at[order.from_] = self.now()
        return ForwardReport(seen=self._read_document(order.subject))

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        if delivery.document:
            self._reach("core")
        tried_lines = [self._tell(notice, delivery) for notice in delivery.notices]
        lines = tuple(line for line in tried_lines if line is not None)
        open_ = tuple(
            device.device for line in lines for device in line.devices if device.outcome is NotificationOutcome.FAILED
        )
        reached = any(line.outcome in (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN) for line in lines)
        if open_ and not reached and delivery.devices is None:
            raise ApplicationError("no phone", type=Code.UNREACHABLE)
        document = self._read_document(delivery.subject) if delivery.document else None
        return DeliveryReport(delivered=lines, open_devices=open_, seen=document)

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        notices = {call.target.target: notice_of_call(call, batch.subject) for call in batch.calls}
        lines = {target: (_line(notice, NotificationOutcome.ACCEPTED),) for target, notice in notices.items() if notice}
        self.told_systems += [target for target, notice in notices.items() if not notice]
        return HandoffReport(
            results=tuple(
                HandoffResult(
                    target=target, ok=bool(notice) or self.system.random() < 0.5, delivered=lines.get(target, ())
                )
                for target, notice in notices.items()
            )
        )

    def _reach(self, service: str, code: Code = Code.UNREACHABLE) -> None:
        if self.is_away(service):
            raise ApplicationError(f"{service} is away", type=code)

    @property
    def _has_ended(self) -> bool:
        return self.status is not None and self.status.has_ended

    def _read_document(self, roster: Roster) -> ReportedDocument:
        asked_people = [signer.person for signer in roster.people if signer.person in self.signers]
        signers = tuple(ReportedSigner(person=person, state=self.signers[person][0]) for person in asked_people)
        turn = min((order for state, order in self.signers.values() if state in OPEN), default=None)
        return ReportedDocument(
            document="d", status=self.status, raw="x", signers=signers, turn=None if self._has_ended else turn
        )

    def _tell(self, notice: NotificationOrder, delivery: Delivery) -> DeliveryResult | None:
        if delivery.document and (reason := self._needless(notice)):
            return _line(notice, NotificationOutcome.SUPPRESSED, reason)
        devices = [f"{notice.person}~{number}" for number in range(self.phones.get(notice.person, 1))]
        if delivery.devices is not None:
            devices = [device for device in devices if device in delivery.devices]
            if not devices:
                return None
        if not devices:
            return _line(notice, NotificationOutcome.SUPPRESSED, "no_device")
        sent_outcome = (
            NotificationOutcome.WITHDRAWN if notice.action is NoticeAction.WITHDRAW else NotificationOutcome.ACCEPTED
        )
        outcomes = {device: NotificationOutcome.FAILED if self._is_deaf() else sent_outcome for device in devices}
        reached_devices = [device for device, outcome in outcomes.items() if outcome is sent_outcome]
        self.sent += [Sent(self.now(), notice.stage, notice.person, notice.about, device) for device in reached_devices]
        return _line(notice, sent_outcome if reached_devices else NotificationOutcome.FAILED, devices=outcomes.items())

    def _needless(self, notice: NotificationOrder) -> str | None:
        is_to_act = notice.action in (NoticeAction.SIGN, NoticeAction.APPROVE)
        state = self.signers.get(notice.about or (notice.person if is_to_act else ""), (SignerState.TURN, 0))[0]
        return None if state in OPEN and not self._has_ended else _NEEDLESS.get(state, "signed")

    def _is_deaf(self) -> bool:
        return self.is_away("push") or self.random.random() < self.deafness


def _line(
    notice: NotificationOrder,
    outcome: NotificationOutcome,
    reason: str | None = None,
    devices: Iterable[tuple[str, NotificationOutcome]] = (),
) -> DeliveryResult:
    return DeliveryResult(
        key=notice.key,
        stage=notice.stage,
        person=notice.person,
        channel=Channel.PUSH,
        outcome=outcome,
        why=reason,
        devices=tuple(DeviceOutcome(device=device, outcome=became) for device, became in devices),
    )
