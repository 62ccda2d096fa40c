"""The request itself: what is to be signed, by whom, asked by whom, and where it stands."""

from enum import StrEnum
from typing import Self

from workflows.model.base import Model


class Status(StrEnum):
    """Where a request stands; the order of `rank` is never walked backwards (docs/core-signature.md, Statuses)."""

    CONVERTING = "converting"
    SENT = "sent"
    VIEWED = "viewed"
    SIGNED = "signed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether this status is final."""
        return self.rank == len(_LIVING)

    @property
    def rank(self) -> int:
        """Position on the way from `converting` to an ending; all endings rank alike."""
        return _LIVING.index(self) if self in _LIVING else len(_LIVING)


_LIVING = (Status.CONVERTING, Status.SENT, Status.VIEWED)


class Role(StrEnum):
    """What a signer is asked to do; `copy` only receives the result."""

    SIGN = "sign"
    APPROVE = "approve"
    COPY = "copy"


class SignerState(StrEnum):
    """Where one signer stands."""

    WAITING = "waiting"
    TURN = "turn"
    VIEWED = "viewed"
    SIGNED = "signed"
    APPROVED = "approved"
    DECLINED = "declined"
    REASSIGNED = "reassigned"
    BOUNCED = "bounced"
    COPIED = "copied"


class Code(StrEnum):
    """Why a request waits for a person of ours, or why it failed; also the `type` of our `ApplicationError`s."""

    UNAUTHORISED = "unauthorised"
    PROVIDER_UNSURE = "provider_unsure"
    PLANNING = "planning"
    DIRECTORY = "directory"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    PUSH_MISMATCH = "push_mismatch"
    ID_USED_BEFORE = "id_used_before"
    DOCUMENT_DELETED = "document_deleted"
    CONVERT_ERROR = "convert_error"
    SENDING_ERROR = "sending_error"

    @property
    def terminal(self) -> bool:
        """Whether no mending helps: the request ends `failed`."""
        return self in (Code.ID_USED_BEFORE, Code.DOCUMENT_DELETED, Code.CONVERT_ERROR, Code.SENDING_ERROR)


class LockScreen(StrEnum):
    """What a notice says to whoever sees the phone: the document's name, or only what is asked for."""

    FULL = "full"
    GENERIC = "generic"


class Document(Model):
    """The document to sign: bytes of the store by their SHA-256, or a template of Core Signature by its URL."""

    name: str
    sha256: str | None = None
    size: int = 0
    file_name: str = "document.pdf"
    template: str | None = None


class Signer(Model):
    """Somebody who is asked: a directory id, or `signer-<position>` of an inline entry kept beside the request."""

    person: str
    order: int
    role: Role = Role.SIGN


class Roster(Model):
    """Whom a request asks: what reading its document takes."""

    id: str
    signers: tuple[Signer, ...]


class Brief(Roster):
    """What telling people about a request takes."""

    kind: str
    document: Document
    requester: str
    message: str | None = None
    """What the requester writes to the signers, by its reference: the text is in the store."""
    urgent: bool = False
    lock_screen: LockScreen = LockScreen.FULL

    @property
    def in_short(self) -> Self:
        """Without what only creating the document takes: its message and its bytes."""
        return self.replace(message=None, document=Document(name=self.document.name))

    @property
    def roster(self) -> Roster:
        """Whom it asks, without the rest."""
        return Roster(id=self.id, signers=self.signers)
