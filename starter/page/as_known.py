"""What a signer's page shows before its button is pressed: their part of the request as our own side knows it. Pure."""

from activities.core_signature.signing_page import SigningPage, SigningState
from workflows.model.request import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import RequestShow, SignerLine

_STATES = {
    SignerState.WAITING: SigningState.EARLY,
    SignerState.SIGNED: SigningState.ACTED,
    SignerState.APPROVED: SigningState.ACTED,
    SignerState.DECLINED: SigningState.ACTED,
    SignerState.COPIED: SigningState.ACTED,
    SignerState.REASSIGNED: SigningState.HANDED_OVER,
}
"""Everybody else may try: the provider, which is asked then, is the truth."""


def page_as_known(shown: RequestShow | None, person: str) -> SigningPage:
    """The page of a genuine link; while nobody says where the request stands, there is the button all the same."""
    if shown is None:
        return SigningPage(SigningState.OPEN)
    if shown.status.ended:
        return SigningPage(SigningState.ENDED, outcome=shown.status)
    line = _line(shown, person)
    approves = line is not None and line.role is Role.APPROVE
    return SigningPage(_state(shown, line), shown.document or None, approves=approves)


def _state(shown: RequestShow, line: SignerLine | None) -> SigningState:
    if shown.partial or shown.status is Status.CONVERTING:
        # Who has a link was asked, so Core Signature may be further than we know.
        return SigningState.OPEN
    return _STATES.get(line.state, SigningState.OPEN) if line else SigningState.STRANGER


def _line(shown: RequestShow, person: str) -> SignerLine | None:
    mine = [line for line in shown.signers if line.person == person]
    return next((line for line in mine if line.state is not SignerState.REASSIGNED), mine[0] if mine else None)
