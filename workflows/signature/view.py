"""The answer of `request show`, and the facts of a settled request."""

from datetime import datetime

from workflows.follow_up.view import facts
from workflows.model.hand_off import Settled, SettledSigner
from workflows.model.signature import SignatureBrief
from workflows.model.views import RequestShow, SignerLine
from workflows.signature.signers import SignerSlot
from workflows.signature.state import SignatureInput, SignatureState


def show(request: SignatureInput, progress: SignatureState, now: datetime) -> RequestShow:
    """Everything there is to know of a request at `now`; `request` has the signers of now."""
    known = dict(facts(request.subject, request.policy, progress, now))
    lines = tuple(_line(progress, signer) for signer in progress.signatures.signers)
    return RequestShow(**known, document=request.brief.title, signers=lines)


def _line(progress: SignatureState, signer: SignerSlot) -> SignerLine:
    return SignerLine(
        person=signer.person,
        order=signer.order,
        role=signer.role,
        state=signer.state,
        at=signer.at,
        late=progress.acted_late(signer),
        reason=signer.reason,
    )


def settled(brief: SignatureBrief, progress: SignatureState) -> Settled:
    """The facts that are handed off."""
    if progress.settled_at is None:
        raise ValueError("the request has not ended")
    return Settled(
        request=brief.id,
        kind=brief.kind,
        outcome=progress.status,
        at=progress.settled_at,
        external_id=brief.id,
        document_sha256=brief.document.sha256,
        signers=tuple(SettledSigner(person=s.person, state=s.state, at=s.at) for s in progress.signatures.signers),
        late=any(map(progress.acted_late, progress.signatures.signers)),
    )
