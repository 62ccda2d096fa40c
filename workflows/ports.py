"""What a workflow may ask of the world: abstract activities, implemented in `activities/`.

Failures are `ApplicationError`s whose `type` is a `Code` (activities/failures.py); every method may be repeated.
"""

from abc import abstractmethod

from workflows.inputs import Observation
from workflows.model import (
    Agenda,
    CancelOrder,
    CreateOrder,
    Delivery,
    DeliveryReport,
    DocumentSeen,
    ForwardOrder,
    ForwardReport,
    HandoffBatch,
    HandoffReport,
    Planning,
)
from workflows.port import Port, asks


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
        """Read the document; when it has ended, or there is none to wait for, write the settled record.

        The record is made of the observation alone and the document, so that a repetition is equal to the byte.
        """

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
        """Send one stage to all devices of all its recipients; a result per device.

        Raises only when nothing at all could be delivered, so that a retry repeats no success.
        """


class Planner(Port):
    """Turns policy, people and calendars into instants."""

    @asks("plan_agenda")
    @abstractmethod
    async def plan(self, planning: Planning) -> Agenda:
        """The agenda of those whose turn it is, past instants included, from this input and the directory alone."""


class Handoff(Port):
    """Everyone downstream of a settled request."""

    @asks("hand_off")
    @abstractmethod
    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        """Tell every target of the batch; never raises for a target, each has its own result."""
