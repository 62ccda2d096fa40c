"""Ports: abstract activities that workflows call, implemented in `activities/`. Failures are `ApplicationError`s whose
`type` is a `Code`. Every method is idempotent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio import activity

from workflows.model import campaign
from workflows.model.absence import AbsenceOrder, AbsenceReport
from workflows.model.evidence import EvidenceOrder, KeptFiles
from workflows.model.hand_off import HandoffReport
from workflows.model.notifications import Delivery, DeliveryReport, SignInOrder, SignInReport
from workflows.model.onboarding import PartSnapshots, PartsToEnd, PartsToLookAt, PartsToStart
from workflows.model.reconciliation import ReconciliationOrder, ReconciliationResult
from workflows.model.records import HandoffBatch, RecordedHandOff, ReplayOrder
from workflows.model.retention import RetentionOrder, RetentionResult
from workflows.model.schedule import PlanningInput, Schedule, StandIn, StandInReport
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    ForwardOrder,
    ForwardReport,
    Observation,
    ReportedDocument,
)

Method = TypeVar("Method", bound=Callable[..., Any])

_NAME = "__port_activity_name__"


def asks(name: str) -> Callable[[Method], Method]:
    """Declare an abstract method as the activity `name`; the implementation inherits the name by overriding."""

    def declare(method: Method) -> Method:
        setattr(method, _NAME, name)
        return activity.defn(name=name)(method)

    return declare


class Port(ABC):  # noqa: B024 - the ports below it have the abstract methods
    """Base of all ports. `activities` is what a worker registers."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method_name, name in _declared(cls).items():
            method = vars(cls).get(method_name)
            if method is not None and not hasattr(method, _NAME):
                asks(name)(method)

    def activities(self) -> list[Callable[..., Any]]:
        """The implemented activities, bound to this instance."""
        return [getattr(self, method_name) for method_name in _declared(type(self))]


def _declared(cls: type[Port]) -> dict[str, str]:
    declared_names: dict[str, str] = {}
    for base in cls.__mro__:
        for method_name, method in vars(base).items():
            if hasattr(method, _NAME):
                declared_names.setdefault(method_name, getattr(method, _NAME))
    return declared_names


class SignatureService(Port):
    """Core Signature: documents and their signature requests (docs/core-signature.md)."""

    @asks("create_signature_request")
    @abstractmethod
    async def create(self, order: CreateOrder) -> ReportedDocument:
        """Create document and request, or adopt those of an earlier attempt, by `external_id`. Fails with
        `id_used_before` for a foreign or ended document.
        """

    @asks("observe_document")
    @abstractmethod
    async def observe(self, observation: Observation) -> ReportedDocument:
        """Read the document."""

    @asks("cancel_signature_request")
    @abstractmethod
    async def cancel(self, order: CancelOrder) -> ReportedDocument | None:
        """Cancel at the provider and read again; None when the provider never had it. Signed stays signed."""

    @asks("forward_signer")
    @abstractmethod
    async def forward(self, order: ForwardOrder) -> ForwardReport:
        """Forward a signer's slot, or find it forwarded. The document decides, not the answer. Invalid orders are
        refused in words; only what a retry may fix is raised.
        """


class EvidenceService(Port):
    """What is kept of a request when it has ended."""

    @asks("keep_evidence")
    @abstractmethod
    async def keep(self, order: EvidenceOrder) -> KeptFiles:
        """Fetch and keep the provider's files, and what we know of the request, once. Fails with `evidence` while
        something is missing; its details have what is there.
        """


class PushService(Port):
    """Notifications on phones, and Core Signature's mail for people without a device."""

    @asks("deliver_notices")
    @abstractmethod
    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """Store the given page, then send one stage to all its recipients; a result per device. Raises only if nothing
        could be delivered.
        """


class Planner(Port):
    """Turns policy, people and calendars into instants."""

    @asks("plan_schedule")
    @abstractmethod
    async def plan(self, planning: PlanningInput) -> Schedule:
        """The schedule of the pending signers, past instants included, from this input and the directory alone."""


class StandInFinder(Port):
    """Checks replacements."""

    @asks("check_stand_in")
    @abstractmethod
    async def check(self, stand_in: StandIn) -> StandInReport:
        """Whether a person can be asked; refused in words when unknown to the directory or away."""


class Handoff(Port):
    """Hand-off to the targets of a settled request."""

    @asks("hand_off")
    @abstractmethod
    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        """Store the given page and record, then call every target; a result per target. Raises only if the store
        failed, before any call. The record is byte-equal for equal input.
        """

    @asks("read_hand_off")
    @abstractmethod
    async def read(self, ended_order: ReplayOrder) -> RecordedHandOff:
        """The stored hand-off state of an ended workflow; empty without a record."""


class SignInService(Port):
    """Sign-in to the desk."""

    @asks("send_sign_in")
    @abstractmethod
    async def send(self, order: SignInOrder) -> SignInReport:
        """Send link and code, equal on every attempt, to the person's devices, else by mail. Raises if nobody was
        reached. Expired orders, and those of people who left, send nothing.
        """

    @asks("withdraw_sign_in")
    @abstractmethod
    async def withdraw(self, order: SignInOrder) -> SignInReport:
        """Withdraw a used sign-in's notification. Never raises for a device."""


class AbsenceNewsService(Port):
    """Absences that people entered."""

    @asks("notify_of_absence")
    @abstractmethod
    async def tell(self, order: AbsenceOrder) -> AbsenceReport:
        """Signal each open follow-up that waits for the person. May repeat; they recognise it."""


class OnboardingParts(Port):
    """The signature requests and tasks of an onboarding."""

    @asks("start_parts")
    @abstractmethod
    async def start(self, order: PartsToStart) -> PartSnapshots:
        """Start each part, or recognise it, subscribed to by the onboarding. Impossible ones are refused in words.
        Retryable failures are raised if they concern all parts, else reported.
        """

    @asks("read_parts")
    @abstractmethod
    async def read(self, parts: PartsToLookAt) -> PartSnapshots:
        """Status of ended parts by Temporal and their records; open ones are left out."""

    @asks("end_parts")
    @abstractmethod
    async def end(self, parts: PartsToEnd) -> None:
        """End the open parts on behalf of the actor; others are left unchanged."""


class CampaignPeople(Port):
    """The audience of a campaign; no history contains all of it."""

    @asks("freeze_audience")
    @abstractmethod
    async def freeze(self, order: campaign.CampaignOrder) -> campaign.FrozenAudience:
        """Resolve the audience, once; a person who cannot be asked is a row with a reason."""

    @asks("run_batch")
    @abstractmethod
    async def run_batch(self, batch: campaign.Batch) -> campaign.BatchResult:
        """Process members for some minutes at the provider's rate. Idempotent from any earlier member."""

    @asks("change_audience")
    @abstractmethod
    async def change(self, changing: campaign.ChangeOrder) -> campaign.ChangeResult:
        """Store a change under its number; an invalid one is refused in words and changes nothing."""

    @asks("check_audience")
    @abstractmethod
    async def check(self, look: campaign.DailyCheck) -> campaign.DailyCheckResult:
        """Find who joined and left, and send today's notifications to managers and the owner, once."""

    @asks("settle_audience")
    @abstractmethod
    async def settle(self, settle: campaign.SettleOrder) -> campaign.OutcomeCounts:
        """Count outcomes by the settled records, and write the list once nobody is open. Fails with `unbalanced` for
        another audience.
        """


class CampaignYears(Port):
    """Campaigns that open each year with new content."""

    @asks("open_year")
    @abstractmethod
    async def open(self, year: campaign.YearToOpen) -> campaign.YearCheck:
        """Start the year's campaign a day before it opens, or recognise it; if it cannot, say why in words."""


class EventReconciliation(Port):
    """Core Signature's list of events, against what callbacks delivered."""

    @asks("reconcile_events")
    @abstractmethod
    async def reconcile(self, order: ReconciliationOrder) -> ReconciliationResult:
        """Read the next pages, signal open requests what they may have missed, and store the position. May repeat
        events; requests recognise them.
        """


class RetentionService(Port):
    """What is removed each day."""

    @asks("apply_retention")
    @abstractmethod
    async def apply(self, order: RetentionOrder) -> RetentionResult:
        """Erase the people whose erasure is due, remove the files whose retention is over, old drafts, what refused
        starts left, and rows that are used up. Idempotent.
        """
