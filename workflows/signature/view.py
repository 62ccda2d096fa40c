"""The view of a signature request (`request show`), and the facts of its end."""

from datetime import datetime

from workflows.follow_up.view import follow_up_facts
from workflows.model.hand_off import Settled, SettledSigner
from workflows.model.signature import SignatureBrief
from workflows.model.views import RequestShow, SignerLine
from workflows.signature.signers import SignerSlot
from workflows.signature.state import SignatureInput, SignatureState


def show(request: SignatureInput, state: SignatureState, now: datetime) -> RequestShow:
    """The view at `now`; `request` has the present signers."""
    known = dict(follow_up_facts(request.subject, request.policy, state, now))
    lines = tuple(_line(state, signer) for signer in state.slots.signers)
    return RequestShow(**known, document=request.brief.title, signers=lines)


def _line(state: SignatureState, signer: SignerSlot) -> SignerLine:
    return SignerLine(
        person=signer.person,
        order=signer.order,
        role=signer.role,
        state=signer.state,
        at=signer.at,
        late=state.acted_late(signer),
        reason=signer.reason,
    )


def settled(brief: SignatureBrief, state: SignatureState) -> Settled:
    """The facts to hand off."""
    if state.lifecycle.settled_at is None:
        raise ValueError("the request has not ended")
    return Settled(
        request=brief.id,
        kind=brief.kind,
        outcome=state.status,
        at=state.lifecycle.settled_at,
        external_id=brief.id,
        document_sha256=brief.document.sha256,
        signers=tuple(SettledSigner(person=s.person, state=s.state, at=s.at) for s in state.slots.signers),
        late=any(map(state.acted_late, state.slots.signers)),
    )
