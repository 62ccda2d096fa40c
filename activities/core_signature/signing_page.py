"""A signer's current signing page, read live from Core Signature and never stored or logged."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import structlog

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.documents import STATUSES, clean, has_ended
from activities.core_signature.signers import SignerSnapshot, match
from activities.core_signature.wire import WireDocument, WireRequest, WireSigner
from workflows.model.signature import ReportedSigner, SignerState
from workflows.model.subject import Participant, Status

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PLAIN_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?#][^\x00-\x20\x7f\\]*)?",
    re.IGNORECASE | re.ASCII,
)
r"""URLs in which every parser finds the same host: browsers take `\\` for `/`, drop tabs and line breaks and fold wide
letters; `urlsplit` does only some of it.
"""
_log = structlog.get_logger(__name__)
FindPlaces: TypeAlias = Callable[[Sequence[WireSigner]], Sequence[SignerSnapshot]]
"""The signers as we know them, among those whom Core Signature lists."""


class SigningState(StrEnum):
    """What a signer finds behind their link."""

    PREPARING = "preparing"
    EARLY = "early"
    OPEN = "open"
    BY_MAIL = "by mail"
    ACTED = "acted"
    HANDED_OVER = "handed over"
    PLACE_TAKEN = "place taken"
    """Another of their group signs."""
    ENDED = "ended"
    STRANGER = "stranger"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SigningPage:
    """The state, the document's name if known, and the page's URL only if it is open."""

    state: SigningState
    document: str | None = None
    url: str | None = None
    request: str | None = None
    """The provider's uuid of the request, to resend the mail; only if nobody else would get that mail."""
    approves: bool = False
    outcome: Status | None = None
    """How the request ended; None while open."""
    act: ReportedSigner | None = None
    """What this signer did, if they have acted."""
    alone: bool = False
    """Whether there is no other signer."""


async def signing_page(client: CoreSignatureClient, request: str, person: str, places: FindPlaces) -> SigningPage:
    """The page on which `person` signs `request` (our ids); raises `ServiceFailure`."""
    documents = [document for document in await client.documents_of(request) if document.is_of(request)]
    living = [document for document in documents if not has_ended(document)]
    if len(living) == 1:
        return _page(living[0], person, places, client.config.url)
    if documents and not living:
        return _ended_page(documents[0], person, places)
    return SigningPage(SigningState.UNKNOWN)


def _page(document: WireDocument, person: str, places: FindPlaces, provider: str) -> SigningPage:
    if document.request is None or STATUSES.get(document.status) is Status.CONVERTING:
        return SigningPage(SigningState.PREPARING, document.name)
    signer = _signer(document.request, person, places)
    if signer is None:
        return SigningPage(SigningState.STRANGER, document.name)
    state = _state(signer, document.request, provider)
    url = signer.embed_url if state is SigningState.OPEN else None
    mailed = document.request.uuid if _mail_reaches_only(signer, document.request) else None
    return SigningPage(
        state,
        document.name,
        url,
        mailed,
        signer.approve_only,
        act=_act_seen(signer, person),
        alone=_has_single_signer(document.request),
    )


def _ended_page(document: WireDocument, person: str, places: FindPlaces) -> SigningPage:
    request, outcome = document.request, STATUSES[document.status]
    signer = _signer(request, person, places) if request else None
    if request is None or signer is None:
        return SigningPage(SigningState.ENDED, document.name, outcome=outcome)
    act, alone = _act_seen(signer, person), _has_single_signer(request)
    return SigningPage(SigningState.ENDED, document.name, outcome=outcome, act=act, alone=alone)


def _act_seen(signer: WireSigner, person: str) -> ReportedSigner | None:
    if signer.signed:
        state = SignerState.APPROVED if signer.approve_only else SignerState.SIGNED
        return ReportedSigner(person=person, state=state, at=signer.signed_on)
    if signer.declined:
        reason = clean(signer.message)
        return ReportedSigner(person=person, state=SignerState.DECLINED, at=signer.declined_on, reason=reason)
    return None


def _has_single_signer(request: WireRequest) -> bool:
    return sum(signer.needs_to_sign and not signer.forwarded for signer in request.signers) == 1


def _signer(request: WireRequest, person: str, places: FindPlaces) -> WireSigner | None:
    snapshots = places(request.signers)
    participants = {
        snapshot.person: Participant(person=snapshot.person, order=snapshot.order, role=snapshot.role)
        for snapshot in snapshots
    }
    signer = match(tuple(participants.values()), snapshots, request.signers).get(person)
    return signer if signer and signer.needs_to_sign else None


def _mail_reaches_only(signer: WireSigner, request: WireRequest) -> bool:
    """Whether a resent mail reaches this signer only: it goes to everyone whose turn it is."""
    return [entry for entry in request.signers if entry.open and entry.order <= signer.order] == [signer]


def _state(signer: WireSigner, request: WireRequest, provider: str) -> SigningState:
    if signer.forwarded:
        return SigningState.HANDED_OVER
    if signer.signed or signer.declined:
        return SigningState.ACTED
    if any(entry.open and entry.order < signer.order for entry in request.signers):
        return SigningState.EARLY
    return SigningState.OPEN if _trusted(signer.embed_url, provider) else SigningState.BY_MAIL


def _trusted(url: str | None, provider: str) -> bool:
    """Browsers are sent only to the provider's host or its subdomains, by https (http on loopback)."""
    if url is None:
        return False
    parts = _PLAIN_URL.fullmatch(url)
    host = parts["host"].lower().strip("[]") if parts else ""
    if parts and _is_ours(host, provider) and (parts["scheme"].lower() == "https" or host in _LOOPBACK):
        return True
    _log.error("core signature names a signing page on a host that is not its own", host=host)
    return False


def _is_ours(host: str, provider: str) -> bool:
    provider_host = urlsplit(provider).hostname
    return host == provider_host or host.endswith(f".{provider_host}")
