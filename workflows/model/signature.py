"""Models of a signature request: document, signers as the provider reports them, orders to the provider."""

from datetime import date
from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import InWords, Model
from workflows.model.messages import Message
from workflows.model.subject import Code, Participant, Role, Roster, Status, Subject

WITHOUT_EFFECT: Final = ("converted", "downloaded", "signer_downloaded", "signer_viewed_email", "signrequest_received")
"""Events without effect here (docs/core-signature.md, Events); each read costs two billable actions."""
SENT: Final = "sent"
SIGNER_SIGNED: Final = "signer_signed"
FOR_THE_GROUP: Final = "signs for the group"
"""The reason that Core Signature is given when another member of a group takes its place."""
FINAL: Final = ("signed", "declined", "cancelled", "expired", "convert_error", "sending_error")
"""Events after which the document does not change."""


class SignerState(InWords):
    """Where one signer stands."""

    WAITING = "waiting", "not asked yet"
    TURN = "turn", "asked"
    VIEWED = "viewed", "has opened it"
    SIGNED = "signed"
    APPROVED = "approved"
    DECLINED = "declined"
    REASSIGNED = "reassigned", "handed over"
    BOUNCED = "bounced", "email came back"
    COPIED = "copied", "has a copy"
    CHANGES = "changes", "asked for changes"
    """Of reviewers alone, and so are the next ones."""
    SPARED = "spared", "need not act"
    EXEMPT = "exempt", "need not review"
    REVISED = "revised", "has given a new version"


class Document(Model):
    """Bytes in the store by SHA-256, or a Core Signature template by URL."""

    sha256: str | None = None
    size: int = 0
    file_name: str = "document.pdf"
    template: str | None = None
    version: str = ""
    effective: date | None = None
    """Effective date."""
    approver: str | None = None
    """Who has approved this version."""


class DocumentVersion(Document):
    """A version for the reviewers, of round `number` from 1, and who gave it."""

    number: int
    at: AwareDatetime
    by: str

    @property
    def document(self) -> Document:
        return Document(**{name: getattr(self, name) for name in Document.model_fields})


class Reviewer(Participant):
    """Approves the document before it is sent."""

    role: Role = Role.REVIEW


class SignatureBrief(Subject):
    """A request for Core Signature; its title is the document's name."""

    document: Document
    reviewers: tuple[Reviewer, ...] = ()
    """Who approves the document before anything is sent."""
    message: str | None = None
    """Reference of the requester's message."""
    prefill: str | None = None
    """Reference of the values with which fields of the document are filled, in JSON by their ids."""
    in_person: bool = False
    """Absent signers are not replaced: they acknowledge themselves."""

    @property
    def subject(self) -> Subject:
        """Without message and document, which only the creation needs."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


class ReportedSigner(Model):
    """One signer as the provider reports them, matched to our person."""

    person: str
    state: SignerState
    at: AwareDatetime | None = None
    reason: str | None = None


class Substitution(Model):
    """A signer's replacement: absent at sending, delegated, or escalated."""

    from_: str
    to: str


class ReportedDocument(Model):
    """As read from the API, the only trusted source (docs/core-signature.md, Callbacks). `status` None is an unknown
    code: the previous one is kept and `raw` goes into the timeline.
    """

    document: str
    status: Status | None
    raw: str
    signers: tuple[ReportedSigner, ...] = ()
    turn: int | None = None
    """The lowest open order, perhaps of a foreign signer."""
    code: Code | None = None
    substituted: tuple[Substitution, ...] = ()
    """Creation: absent signers, and their delegates."""
    mails_endings: bool = True
    """Whether Core Signature mails everybody the ending."""


class ProviderEvent(Model):
    """Signal `provider_event`: a hint; `id` is the event's uuid, `type` the provider's word."""

    id: str
    type: str
    at: AwareDatetime
    also: tuple[str, ...] = ()
    """Ids of hints merged into this one."""

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.id, *self.also)


class CreateOrder(Model):
    """Create document and request, or adopt those of an earlier attempt (tests/faults/catalogue.toml, B1)."""

    brief: SignatureBrief
    now: AwareDatetime | None = None
    fingerprint: str = ""
    """Of the start, under which signers described in full are stored."""


class Observation(Model):
    """Read the document for these signers."""

    roster: Roster
    document: str


class CancelOrder(Model):
    """`document` is None if the creation is in doubt."""

    subject: Subject
    document: str | None
    fingerprint: str = ""
    """Of the start: documents of other content are not cancelled."""


class ForwardOrder(Model):
    """Forward a signer's slot at the provider. Refused if `to` is away at this instant; None skips that check."""

    subject: Subject
    document: str
    from_: str
    to: str
    reason: str
    present_at: AwareDatetime | None = None


class ForwardReport(Model):
    """The document after the forwarding; `refused` says why nothing was changed, with the document if read."""

    seen: ReportedDocument | None = None
    refused: Message | None = None
