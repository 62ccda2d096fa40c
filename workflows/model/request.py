"""What only a signature request has: the document, and how its signers stand."""

from datetime import date

from workflows.model.base import Model
from workflows.model.in_words import InWords
from workflows.model.subject import Subject


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
    """The document to sign: bytes of the store by their SHA-256, or a template of Core Signature by its URL."""

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
    """A request as Core Signature is to have it; its title is the name of the document."""

    document: Document
    message: str | None = None
    """What the requester writes to the signers, by its reference: the text is in the store."""
    in_person: bool = False
    """Nobody is asked in somebody's place who is absent when it is sent: they acknowledge for themselves."""

    @property
    def subject(self) -> Subject:
        """Without what only creating the document takes: its message and its bytes."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})
