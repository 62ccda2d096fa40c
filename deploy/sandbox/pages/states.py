"""What a signing page has to say to whoever opens it, honestly, in each state of things."""

from dataclasses import dataclass
from enum import StrEnum

from deploy.sandbox.records import WAITING_FOR_SIGNERS, CoreDocument, CoreRequest, CoreSigner, CoreStatus
from deploy.sandbox.signing import Case, is_turn


class SignerStanding(StrEnum):
    """How a signer stands to the document."""

    READY = "ready"
    WAITING = "waiting"
    PREPARING = "preparing"
    SIGNED = "signed"
    DECLINED = "declined"
    COPY = "copy"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DECLINED_BY_OTHER = "declined_by_other"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PageText:
    """A heading, a sentence, and the mood they are shown in (`calm`, `good`, `stop`)."""

    heading: str
    text: str
    mood: str = "calm"


WORDS = {
    SignerStanding.READY: PageText("", ""),
    SignerStanding.WAITING: PageText(
        "It is not your turn yet", "Somebody signs before you. You will be told when it is up to you."
    ),
    SignerStanding.PREPARING: PageText(
        "Almost there", "The document is still being prepared. Please look again in a moment."
    ),
    SignerStanding.SIGNED: PageText("You have signed", "Thank you. There is nothing left for you to do.", "good"),
    SignerStanding.DECLINED: PageText("You have declined", "The sender has been told, with your reason.", "stop"),
    SignerStanding.COPY: PageText("Nothing to sign", "You receive a copy of this document for your information."),
    SignerStanding.REPLACED: PageText(
        "This link is no longer valid",
        "Somebody else was asked to sign in your place. You need not do anything.",
        "stop",
    ),
    SignerStanding.CANCELLED: PageText("The request was cancelled", "The sender has withdrawn this document.", "stop"),
    SignerStanding.EXPIRED: PageText("The request has expired", "The time to sign this document is over.", "stop"),
    SignerStanding.DECLINED_BY_OTHER: PageText(
        "Another signer declined", "This document cannot be signed any more.", "stop"
    ),
    SignerStanding.FAILED: PageText("This document cannot be signed", "It could not be converted or sent.", "stop"),
    SignerStanding.UNKNOWN: PageText(
        "This link is no longer valid", "There is no document to sign under this address.", "stop"
    ),
}
APPROVED = PageText("You have approved", "Thank you. There is nothing left for you to do.", "good")
ENDED = {
    CoreStatus.CANCELLED: SignerStanding.CANCELLED,
    CoreStatus.EXPIRED: SignerStanding.EXPIRED,
    CoreStatus.DECLINED: SignerStanding.DECLINED_BY_OTHER,
    CoreStatus.CONVERT_ERROR: SignerStanding.FAILED,
    CoreStatus.SENDING_ERROR: SignerStanding.FAILED,
}
HTTP_STATUS = {SignerStanding.UNKNOWN: 404, SignerStanding.REPLACED: 410}


def standing(case: Case | None) -> SignerStanding:
    """How the owner of a link stands; a link nobody has is `UNKNOWN`."""
    if case is None:
        return SignerStanding.UNKNOWN
    signer, request, document = case
    if signer.forwarded_on is not None:
        return SignerStanding.REPLACED
    if signer.signed_on is not None:
        return SignerStanding.SIGNED
    if signer.declined_on is not None:
        return SignerStanding.DECLINED
    return ENDED.get(document.status) or _while_open(signer, request, document)


def words(case: Case | None) -> PageText:
    """What to tell them."""
    now = standing(case)
    return APPROVED if case and now is SignerStanding.SIGNED and case[0].approve_only else WORDS[now]


def _while_open(signer: CoreSigner, request: CoreRequest, document: CoreDocument) -> SignerStanding:
    if not signer.needs_to_sign:
        return SignerStanding.COPY
    if document.status not in WAITING_FOR_SIGNERS:
        return SignerStanding.PREPARING
    return SignerStanding.READY if is_turn(signer, request) else SignerStanding.WAITING
