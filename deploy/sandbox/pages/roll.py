"""Who takes part in a request, as the pages list them."""

from deploy.sandbox.records import UNFINISHED, CoreDocument, CoreRequest, CoreSigner
from deploy.sandbox.signing import is_turn


def roll(request: CoreRequest, document: CoreDocument) -> list[dict[str, str]]:
    """`uuid, name, state` of everyone who acts or gets a copy; not of a sender who only sends."""
    listed = [signer for signer in request.signers if _is_listed(signer)]
    return [{"uuid": s.uuid, "name": s.full_name or s.email, "state": _state(s, request, document)} for s in listed]


def _is_listed(signer: CoreSigner) -> bool:
    return signer.forwarded_on is None and not (signer.is_sender and not signer.needs_to_sign)


def _state(signer: CoreSigner, request: CoreRequest, document: CoreDocument) -> str:
    if signer.signed_on is not None:
        return "approved" if signer.approve_only else "signed"
    if signer.declined_on is not None:
        return "declined"
    if not signer.needs_to_sign:
        return "gets a copy"
    if document.status not in UNFINISHED:
        return "not asked any more"
    return "to act now" if is_turn(signer, request) else "later"
