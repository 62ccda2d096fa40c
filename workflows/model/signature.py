"""Models of a signature request: document, signers as the provider reports them, orders to the provider."""

from datetime import date
from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import InWords, Model
from workflows.model.subject import Code, Roster, Status, Subject


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


class Document(Model):
    """The document to sign: bytes in the store by their SHA-256, or a Core Signature template by its URL."""

    sha256: str | None = None
    size: int = 0
    file_name: str = "document.pdf"
    template: str | None = None
    version: str = ""
    effective: date | None = None
    """Since when, or from when on, it is in force."""
    approver: str | None = None
    """Who has approved this version."""


class SignatureBrief(Subject):
    """A request for Core Signature; its title is the document's name."""

    document: Document
    message: str | None = None
    """What the requester writes to the signers, by its reference: the text is in the store."""
    in_person: bool = False
    """Nobody is asked in somebody's place who is absent when it is sent: they acknowledge for themselves."""

    @property
    def subject(self) -> Subject:
        """The request without message and bytes, which only the creation needs."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


class SignerSeen(Model):
    """One signer as the provider reports them, matched to our person."""

    person: str
    state: SignerState
    at: AwareDatetime | None = None
    reason: str | None = None


class Substitution(Model):
    """A signer's replacement: absent at sending, delegated by hand, or escalated."""

    from_: str
    to: str


class DocumentSeen(Model):
    """The document as read from the API: the only trusted source of a status (docs/core-signature.md, Callbacks).

    `status` is None for an unknown code: the previous one is kept and `raw` goes into the timeline.
    """

    document: str
    status: Status | None
    raw: str
    signers: tuple[SignerSeen, ...] = ()
    turn: int | None = None
    """The lowest order at which somebody still has to act: perhaps a stranger, if a signer forwarded it themselves."""
    code: Code | None = None
    substituted: tuple[Substitution, ...] = ()
    """Creation: signers who are absent, and the delegates who were asked from the start."""
    mails_endings: bool = True
    """Whether Core Signature itself mails everybody of the ending, with the copy."""


WITHOUT_EFFECT: Final = ("converted", "downloaded", "signer_downloaded", "signer_viewed_email", "signrequest_received")
"""Events that change nothing here (docs/core-signature.md, Events); each that is read costs two billable actions."""
SENT: Final = "sent"
SIGNER_SIGNED: Final = "signer_signed"
FINAL: Final = ("signed", "declined", "cancelled", "expired", "convert_error", "sending_error")
"""Events after which nothing more happens to the document."""


class ProviderEvent(Model):
    """Signal `provider_event`: a hint; `id` is the event's uuid, `type` the provider's word."""

    id: str
    type: str
    at: AwareDatetime
    also: tuple[str, ...] = ()
    """Of others that came while the request was being signalled, and are told with this one."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all merged events."""
        return (self.id, *self.also)


class CreateOrder(Model):
    """Create the document and its request, or adopt what an earlier attempt made (docs/faults.md, B1)."""

    brief: SignatureBrief
    now: AwareDatetime | None = None
    fingerprint: str = ""
    """Of the start that this is: signers that stand in full were kept under it."""


class Observation(Model):
    """Read the document for these signers."""

    roster: Roster
    document: str


class CancelOrder(Model):
    """Cancel at the provider; `document` is None when the creation is in doubt."""

    subject: Subject
    document: str | None
    fingerprint: str = ""
    """Of the start that this is: what was made of other content is not its to cancel."""


class ForwardOrder(Model):
    """Forward a signer's slot at the provider; the old link becomes invalid.

    Refused when `to` is away at this instant; None skips that check.
    """

    subject: Subject
    document: str
    from_: str
    to: str
    reason: str
    present_at: AwareDatetime | None = None


class ForwardReport(Model):
    """The document after the forwarding; `refused` says in words why nothing was changed.

    A refusal carries the document as well when it was read: the signer may have acted meanwhile.
    """

    seen: DocumentSeen | None = None
    refused: str | None = None
