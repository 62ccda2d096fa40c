"""What a workflow may ask of the world: abstract activities, implemented in `activities/`.

Failures are `ApplicationError`s whose `type` is a `Code` (activities/temporal/failures.py); every method may be
repeated.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio import activity

from workflows.model.campaign import (
    Batch,
    BatchResult,
    CampaignOrder,
    ChangeOrder,
    ChangeResult,
    DailyCheck,
    DailyCheckResult,
    FrozenAudience,
    OutcomeCounts,
    SettleOrder,
    YearGivenUp,
    YearSeen,
    YearToOpen,
)
from workflows.model.hand_off import HandoffReport
from workflows.model.notifications import Delivery, DeliveryReport
from workflows.model.onboarding import PartsSeen, PartsToEnd, PartsToLookAt, PartsToStart
from workflows.model.reconciliation import ReconciliationOrder, ReconciliationResult
from workflows.model.records import HandoffBatch, RecordedHandOff, ReplayOrder
from workflows.model.schedule import PlanningInput, Schedule, StandIn, StandInReport
from workflows.model.sign_in import SignInOrder, SignInReport
from workflows.model.signature import CancelOrder, CreateOrder, DocumentSeen, ForwardOrder, ForwardReport, Observation

Method = TypeVar("Method", bound=Callable[..., Any])

_NAME = "__port_activity_name__"


def asks(name: str) -> Callable[[Method], Method]:
    """Declare an abstract method as the activity `name`; implementations take the name over by overriding it."""

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
    found: dict[str, str] = {}
    for base in cls.__mro__:
        for method_name, method in vars(base).items():
            if hasattr(method, _NAME):
                found.setdefault(method_name, getattr(method, _NAME))
    return found


class SignatureService(Port):
    """Core Signature: the documents and their signature requests (docs/core-signature.md)."""

    @asks("create_signature_request")
    @abstractmethod
    async def create(self, order: CreateOrder) -> DocumentSeen:
        """Make document and request, or take over what an earlier attempt made; looks up `external_id` first.

        Fails with `id_used_before` when the id belongs to a foreign or ended document.
        """

    @asks("observe_document")
    @abstractmethod
    async def observe(self, observation: Observation) -> DocumentSeen:
        """Read the document as it is now."""

    @asks("cancel_signature_request")
    @abstractmethod
    async def cancel(self, order: CancelOrder) -> DocumentSeen | None:
        """Cancel at the provider and read again; None when the provider never had it. Signed stays signed."""

    @asks("forward_signer")
    @abstractmethod
    async def forward(self, order: ForwardOrder) -> ForwardReport:
        """Hand a signer's place to somebody else, or find that it was handed to them already.

        What the document says before and after decides, not the answer. What makes no sense (they have signed, a
        stranger, the requester) is refused in words and changes nothing; only what a repetition may mend is raised.
        """


class PushService(Port):
    """Notices on people's phones, and Core Signature's own mail for those without a device."""

    @asks("deliver_notices")
    @abstractmethod
    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """Write the page that comes along, then send one stage to all its recipients; a result per device.

        Raises only when nothing at all could be delivered, so that a retry repeats no success.
        """


class Planner(Port):
    """Turns policy, people and calendars into instants."""

    @asks("plan_agenda")
    @abstractmethod
    async def plan(self, planning: PlanningInput) -> Schedule:
        """The agenda of those whose turn it is, past instants included, from this input and the directory alone."""


class StandInFinder(Port):
    """Those who could be asked instead of somebody else."""

    @asks("look_at_stand_in")
    @abstractmethod
    async def look_at(self, stand_in: StandIn) -> StandInReport:
        """Whether somebody can be asked: whoever is not in the directory, or away then, is refused in words."""


class Handoff(Port):
    """Everyone downstream of a settled request."""

    @asks("hand_off")
    @abstractmethod
    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        """Write the page and the settled record that come along, then tell every target; each has its own result.

        Raises only when these could not be written, and then nobody was told. The record is the input's, so that a
        repetition is equal to the byte.
        """

    @asks("recall_hand_off")
    @abstractmethod
    async def recall(self, ended: ReplayOrder) -> RecordedHandOff:
        """What the store knows of the hand-off of something that has ended; nothing when it has no record of it."""


class SignInService(Port):
    """The ways in to the desk."""

    @asks("send_sign_in")
    @abstractmethod
    async def send(self, order: SignInOrder) -> SignInReport:
        """Make link and code and send them to the person's own devices, else by mail; equal on every attempt.

        Raises when nobody could be reached. What is over, or for somebody who left, is sent to nobody.
        """

    @asks("withdraw_sign_in")
    @abstractmethod
    async def withdraw(self, order: SignInOrder) -> SignInReport:
        """Take the message of a used way in off the person's devices; the same as often as it is asked for.

        Never raises because of a device: one that is not reached shows a number that opens nothing.
        """


class OnboardingParts(Port):
    """The signature requests and tasks that an onboarding is made of."""

    @asks("start_parts")
    @abstractmethod
    async def start(self, order: PartsToStart) -> PartsSeen:
        """Start each or recognise the one that was started from the same content, and have it tell the onboarding.

        What cannot be started is said in words and starts nothing. What a repetition may mend is raised when it is all
        of them, and where others were started it is only named.
        """

    @asks("look_at_parts")
    @abstractmethod
    async def look_at(self, parts: PartsToLookAt) -> PartsSeen:
        """How they stand, by Temporal and by their records; those that still live are left out."""

    @asks("end_parts")
    @abstractmethod
    async def end(self, parts: PartsToEnd) -> None:
        """Have them ended by whoever wants it; those that have ended, or were never started, stay as they are."""


class CampaignPeople(Port):
    """The audience of a campaign; nothing of this may hold all of it in a history."""

    @asks("freeze_audience")
    @abstractmethod
    async def freeze(self, order: CampaignOrder) -> FrozenAudience:
        """Resolve the audience, once: whoever cannot be asked is a row with its reason, and holds up no other."""

    @asks("walk_audience")
    @abstractmethod
    async def walk(self, walk: Batch) -> BatchResult:
        """See to one member after the other for some minutes, at the provider's pace; what is done stays done.

        May be repeated from any earlier place: nobody has two requests, and what has ended stays as it ended.
        """

    @asks("change_audience")
    @abstractmethod
    async def change(self, changing: ChangeOrder) -> ChangeResult:
        """Write a change down under its number; what makes no sense is refused in words and changes nothing."""

    @asks("look_at_audience")
    @abstractmethod
    async def look(self, look: DailyCheck) -> DailyCheckResult:
        """Find who joined and who left since, and tell managers and the owner what they are to hear today, once."""

    @asks("settle_audience")
    @abstractmethod
    async def settle(self, settle: SettleOrder) -> OutcomeCounts:
        """Say by the settled records how everybody stands, and write the list once nobody is open.

        Fails with `unbalanced` when the audience is not the one that the campaign knows of.
        """


class CampaignYears(Port):
    """The campaigns that open each year with content of their own."""

    @asks("open_year")
    @abstractmethod
    async def open(self, asked: YearToOpen) -> YearSeen:
        """Say when the next of them opens, by its owner's clock, and whether the store has its content.

        On its day start it by the one start path, or recognise it; what cannot be started is said in words.
        """

    @asks("forget_year")
    @abstractmethod
    async def forget(self, given_up: YearGivenUp) -> None:
        """Keep nothing of what was given for a year; may be repeated."""


class EventReconciliation(Port):
    """The events of Core Signature, as a list of what callbacks should have told."""

    @asks("sweep_events")
    @abstractmethod
    async def sweep(self, order: ReconciliationOrder) -> ReconciliationResult:
        """Look at the next pages, tell open requests what they may not have heard, and remember the place.

        May be repeated: a request knows an event again, and what was looked at before the place was remembered is
        looked at once more.
        """
