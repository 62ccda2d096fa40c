"""Which entry of the provider's document is whose: told by what was sent, never by an index or by today's directory.

Pure. By the address that was sent, else by the user a signing page was asked for, else by order if only one can be
meant: the provider may have corrected an address, and the sender may stand first.
"""

from collections.abc import Mapping, Sequence

from activities.core_signature.asked import SignerSnapshot
from activities.core_signature.wire import WireSigner
from workflows.model.subject import Participant, Role

Entries = Mapping[str, WireSigner | None]
"""The provider's entry of each of our signers."""


def match(signers: Sequence[Participant], places: Sequence[SignerSnapshot], said: Sequence[WireSigner]) -> Entries:
    """The provider's entry of each of ours, None where it cannot be told."""
    # A sender who also signs stands there twice: the entry that has to sign comes last and wins.
    entries = sorted(said, key=lambda one: one.needs_to_sign)
    found = {signer.person: _as_sent(signer, places, entries) for signer in signers}
    claimed = [one for one in found.values() if one is not None]
    # The sender whom the provider adds has no order.
    strangers = [one for one in entries if one.order > 0 and not any(one is other for other in claimed)]
    lost = missing(signers, places, found)
    return {signer.person: found[signer.person] or _by_order(signer, lost, strangers) for signer in signers}


def missing(
    signers: Sequence[Participant], places: Sequence[SignerSnapshot], found: Entries
) -> tuple[Participant, ...]:
    """The signers without an entry who should have one: somebody else stands there for who was replaced."""
    known = {signer.person for signer in signers}
    replaced = {place.instead_of for place in places if place.person in known}
    return tuple(one for one in signers if found[one.person] is None and one.person not in replaced)


def folded(email: str) -> str:
    """An address as it is compared."""
    return email.strip().casefold()


def _as_sent(signer: Participant, places: Sequence[SignerSnapshot], entries: Sequence[WireSigner]) -> WireSigner | None:
    theirs = [place for place in places if place.person == signer.person]
    addresses = {folded(place.email) for place in theirs}
    users = {place.embed_user for place in theirs if place.embed_user}
    by_address = [one for one in entries if folded(one.email) in addresses]
    by_user = [one for one in entries if one.embed_url_user_id in users]
    # Who was replaced back and forth stands there twice as well, and last as it is now.
    return next(reversed(by_address or by_user), None)


def _by_order(signer: Participant, lost: Sequence[Participant], strangers: Sequence[WireSigner]) -> WireSigner | None:
    signs = signer.role is not Role.COPY
    here = [one for one in lost if (one.order, one.role is not Role.COPY) == (signer.order, signs)]
    candidates = [one for one in strangers if (one.order, one.needs_to_sign) == (signer.order, signs)]
    return candidates[0] if here == [signer] and len(candidates) == 1 else None
