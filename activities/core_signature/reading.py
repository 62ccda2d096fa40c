"""From what Core Signature says of a document to what a workflow believes (docs/core-signature.md, Statuses). Pure."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from activities.core_signature.asked import SignerSnapshot
from activities.core_signature.matching import folded, match, missing
from activities.core_signature.wire import WireDocument, WireSigner
from workflows.model.provider import DocumentSeen, SignerSeen
from workflows.model.request import SignerState
from workflows.model.subject import Code, Participant, Role, Roster, Status
from workflows.model.texts import in_one_line

LONGEST_REASON: Final = 500
FORWARDED: Final = "forwarded"
"""The reason of a signer who gave their place at Core Signature to somebody we do not know."""
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})

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


def document_seen(
    document: WireDocument,
    roster: Roster,
    places: Sequence[SignerSnapshot],
    *,
    bounced: AbstractSet[str] = frozenset(),
    replaced: Mapping[str, str] = _NOBODY,
) -> DocumentSeen:
    """The document as a workflow sees it; `places` are what was sent, `bounced` the addresses that failed.

    `replaced` are signers of whom we know that somebody else was asked instead, with the reason.
    """
    status = STATUSES.get(document.status)
    said = signers_of(document)
    found = match(roster.people, places, said)
    roll = _Roll(status, bounced, frozenset(folded(place.email) for place in places), replaced)
    return DocumentSeen(
        document=document.uuid,
        status=status,
        raw=(clean(document.status) or "")[:20],
        signers=tuple(roll.seen(signer, found[signer.person]) for signer in roster.people),
        turn=None if status and status.ended else min((one.order for one in said if one.open), default=None),
        code=_CODES.get(document.status),
    )


def signers_of(document: WireDocument) -> tuple[WireSigner, ...]:
    """The signers of the document's request, the sender perhaps among them; none before there is one."""
    return document.request.signers if document.request else ()


def signers_not_told(document: WireDocument, roster: Roster, places: Sequence[SignerSnapshot]) -> tuple[str, ...]:
    """The signers of a document that has ended of whom it does not tell whether they have acted.

    Of one that could not be sent, or was ended before anybody was asked, there is nothing to tell.
    """
    status = STATUSES.get(document.status)
    if status is None or not status.ended or status is Status.FAILED:
        return ()
    if document.request is None and status is not Status.SIGNED:
        return ()
    lost = missing(roster.people, places, match(roster.people, places, signers_of(document)))
    return tuple(signer.person for signer in lost if signer.role is not Role.COPY)


@dataclass(frozen=True)
class _Roll:
    """What is known of a document beside its signers' entries when one of them is read."""

    status: Status | None
    bounced: AbstractSet[str]
    ours: AbstractSet[str]
    replaced: Mapping[str, str]

    def seen(self, signer: Participant, said: WireSigner | None) -> SignerSeen:
        if signer.role is Role.COPY:
            state = SignerState.COPIED if self.status is Status.SIGNED else SignerState.WAITING
            return SignerSeen(person=signer.person, state=state)
        if said is not None and said.signed:
            state = SignerState.APPROVED if signer.role is Role.APPROVE else SignerState.SIGNED
            return SignerSeen(person=signer.person, state=state, at=said.signed_on)
        if said is not None and said.declined:
            reason = clean(said.message)
            return SignerSeen(person=signer.person, state=SignerState.DECLINED, at=said.declined_on, reason=reason)
        if signer.person in self.replaced or (said is not None and said.forwarded):
            return self._gone(signer, said)
        return SignerSeen(person=signer.person, state=self._open_state(said))

    def _gone(self, signer: Participant, said: WireSigner | None) -> SignerSeen:
        to = said.forwarded_to_email if said else None
        by_themselves = FORWARDED if to and folded(to) not in self.ours else None
        return SignerSeen(
            person=signer.person,
            state=SignerState.REASSIGNED,
            at=said.forwarded_on if said else None,
            reason=self.replaced.get(signer.person, by_themselves),
        )

    def _open_state(self, said: WireSigner | None) -> SignerState:
        if said is None:
            return SignerState.WAITING
        if said.viewed:
            return SignerState.VIEWED
        return SignerState.BOUNCED if folded(said.email) in self.bounced else SignerState.WAITING


def clean(reason: str | None) -> str | None:
    """What a signer wrote, in one line without control or direction characters, at most 500 characters."""
    line = " ".join(in_one_line(reason or "").split())
    return line[:LONGEST_REASON] or None


def mailed_and_silent(document: WireDocument) -> bool:
    """Whether somebody was mailed and has shown no sign since: only then can a mail have bounced unseen."""
    if STATUSES.get(document.status) not in (Status.SENT, Status.VIEWED) or document.request is None:
        return False
    return any(signer.emailed and signer.open and not signer.viewed for signer in document.request.signers)
