"""From what Core Signature says of a document to what a workflow believes (contracts 3.3). Pure."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from activities.core_signature.wire import WireDocument, WireSigner
from workflows.model import Brief, Code, DocumentSeen, Role, Signer, SignerSeen, SignerState, Status

LONGEST_REASON: Final = 500
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")

STATUSES: Final = {
    "co": Status.CONVERTING,
    "ne": Status.CONVERTING,
    "se": Status.SENT,
    "vi": Status.VIEWED,
    "do": Status.VIEWED,
    "si": Status.SIGNED,
    "sd": Status.SIGNED,
    "de": Status.DECLINED,
    "ca": Status.CANCELLED,
    "xp": Status.EXPIRED,
    "ec": Status.FAILED,
    "es": Status.FAILED,
}
_CODES: Final = {"ec": Code.CONVERT_ERROR, "es": Code.SENDING_ERROR}


def seen(
    document: WireDocument, brief: Brief, emails: Mapping[str, str], bounced: AbstractSet[str] = frozenset()
) -> DocumentSeen:
    """The document as a workflow sees it; `emails` are the addresses of our signers, `bounced` those that failed."""
    status = STATUSES.get(document.status)
    found = match(brief.signers, emails, document.request.signers if document.request else ())
    return DocumentSeen(
        document=document.uuid,
        status=status,
        raw=(clean(document.status) or "")[:20],
        signers=tuple(_signer_seen(signer, found[signer.person], status, bounced) for signer in brief.signers),
        code=_CODES.get(document.status),
    )


def match(
    signers: Sequence[Signer], emails: Mapping[str, str], said: Sequence[WireSigner]
) -> dict[str, WireSigner | None]:
    """The provider's signer of each of ours, by e-mail address: the sender may stand first, so an index means nothing.

    Who has another address by now (the directory changed after sending) is found by order, if only one can be meant.
    """
    # A sender who also signs stands there twice: the entry that has to sign comes last and wins.
    by_email = {folded(one.email): one for one in sorted(said, key=lambda one: one.needs_to_sign)}
    found = {signer.person: by_email.get(folded(emails.get(signer.person, ""))) for signer in signers}
    ours = {folded(email) for email in emails.values()}
    strangers = [one for one in said if folded(one.email) not in ours and one.order > 0]
    return {signer.person: found[signer.person] or _by_order(signer, signers, found, strangers) for signer in signers}


def folded(email: str) -> str:
    """An address as it is compared."""
    return email.strip().casefold()


def _by_order(
    signer: Signer, signers: Sequence[Signer], found: Mapping[str, WireSigner | None], strangers: Sequence[WireSigner]
) -> WireSigner | None:
    lost = [one for one in signers if one.order == signer.order and found[one.person] is None]
    candidates = [one for one in strangers if one.order == signer.order]
    return candidates[0] if len(lost) == len(candidates) == 1 else None


def _signer_seen(
    signer: Signer, said: WireSigner | None, status: Status | None, bounced: AbstractSet[str]
) -> SignerSeen:
    if signer.role is Role.COPY:
        copied = status is Status.SIGNED
        return SignerSeen(person=signer.person, state=SignerState.COPIED if copied else SignerState.WAITING)
    if said is None:
        return SignerSeen(person=signer.person, state=SignerState.WAITING)
    if said.signed:
        done = SignerState.APPROVED if signer.role is Role.APPROVE else SignerState.SIGNED
        return SignerSeen(person=signer.person, state=done, at=said.signed_on)
    if said.declined:
        reason = clean(said.message)
        return SignerSeen(person=signer.person, state=SignerState.DECLINED, at=said.declined_on, reason=reason)
    if said.forwarded:
        return SignerSeen(person=signer.person, state=SignerState.REASSIGNED, at=said.forwarded_on)
    return SignerSeen(person=signer.person, state=_open_state(said, bounced))


def _open_state(said: WireSigner, bounced: AbstractSet[str]) -> SignerState:
    if said.viewed:
        return SignerState.VIEWED
    return SignerState.BOUNCED if folded(said.email) in bounced else SignerState.WAITING


def clean(reason: str | None) -> str | None:
    """What a signer wrote, in one line without control or direction characters, at most 500 characters."""
    line = " ".join(_CONTROLS.sub(" ", reason or "").split())
    return line[:LONGEST_REASON] or None


def mailed_and_silent(document: WireDocument) -> bool:
    """Whether somebody was mailed and has shown no sign since: only then can a mail have bounced unseen."""
    if STATUSES.get(document.status) not in (Status.SENT, Status.VIEWED) or document.request is None:
        return False
    return any(
        signer.emailed and signer.needs_to_sign and not (signer.viewed or signer.signed or signer.forwarded)
        for signer in document.request.signers
    )
