"""What a signing page has to say to whoever opens it, honestly, in each state of things."""

from dataclasses import dataclass
from enum import StrEnum

from deploy.sandbox.records import WAITING_FOR_SIGNERS, Document, SignatureRequest, Signer, Status
from deploy.sandbox.signing import Case, is_turn


class Standing(StrEnum):
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
class Words:
    """A heading, a sentence, and the mood they are shown in (`calm`, `good`, `stop`)."""

    heading: str
    text: str
    mood: str = "calm"


WORDS = {
    Standing.READY: Words("", ""),
    Standing.WAITING: Words(
        "It is not your turn yet", "Somebody signs before you. You will be told when it is up to you."
    ),
    Standing.PREPARING: Words("Almost there", "The document is still being prepared. Please look again in a moment."),
    Standing.SIGNED: Words("You have signed", "Thank you. There is nothing left for you to do.", "good"),
    Standing.DECLINED: Words("You have declined", "The sender has been told, with your reason.", "stop"),
    Standing.COPY: Words("Nothing to sign", "You receive a copy of this document for your information."),
    Standing.REPLACED: Words(
        "This link is no longer valid",
        "Somebody else was asked to sign in your place. You need not do anything.",
        "stop",
    ),
    Standing.CANCELLED: Words("The request was cancelled", "The sender has withdrawn this document.", "stop"),
    Standing.EXPIRED: Words("The request has expired", "The time to sign this document is over.", "stop"),
    Standing.DECLINED_BY_OTHER: Words("Another signer declined", "This document cannot be signed any more.", "stop"),
    Standing.FAILED: Words("This document cannot be signed", "It could not be converted or sent.", "stop"),
    Standing.UNKNOWN: Words("This link is no longer valid", "There is no document to sign under this address.", "stop"),
}
APPROVED = Words("You have approved", "Thank you. There is nothing left for you to do.", "good")
ENDED = {
    Status.CANCELLED: Standing.CANCELLED,
    Status.EXPIRED: Standing.EXPIRED,
    Status.DECLINED: Standing.DECLINED_BY_OTHER,
    Status.CONVERT_ERROR: Standing.FAILED,
    Status.SENDING_ERROR: Standing.FAILED,
}
HTTP_STATUS = {Standing.UNKNOWN: 404, Standing.REPLACED: 410}


def standing(case: Case | None) -> Standing:
    """How the owner of a link stands; a link nobody has is `UNKNOWN`."""
    if case is None:
        return Standing.UNKNOWN
    signer, request, document = case
    if signer.forwarded_on is not None:
        return Standing.REPLACED
    if signer.signed_on is not None:
        return Standing.SIGNED
    if signer.declined_on is not None:
        return Standing.DECLINED
    return ENDED.get(document.status) or _while_open(signer, request, document)


def words(case: Case | None) -> Words:
    """What to tell them."""
    now = standing(case)
    return APPROVED if case and now is Standing.SIGNED and case[0].approve_only else WORDS[now]


def _while_open(signer: Signer, request: SignatureRequest, document: Document) -> Standing:
    if not signer.needs_to_sign:
        return Standing.COPY
    if document.status not in WAITING_FOR_SIGNERS:
        return Standing.PREPARING
    return Standing.READY if is_turn(signer, request) else Standing.WAITING
