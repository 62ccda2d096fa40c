"""The answer of `request show`, and the facts of a settled request."""

from datetime import datetime

from workflows.follow_up.show import facts
from workflows.model.request import Brief
from workflows.model.settlement import Settled, SettledSigner
from workflows.model.views import RequestShow, SignerLine
from workflows.signature.inputs import SignatureRequest
from workflows.signature.progress import Progress


def show(request: SignatureRequest, progress: Progress, now: datetime) -> RequestShow:
    """Everything there is to know of a request at `now`; `request` has the signers of now."""
    lines = (
        SignerLine(person=s.person, order=s.order, role=s.role, state=s.state, at=s.at, late=progress.acted_late(s))
        for s in progress.signatures.signers
    )
    known = dict(facts(request.subject, request.policy, progress, now))
    return RequestShow(**known, document=request.brief.title, signers=tuple(lines))


def settled(brief: Brief, progress: Progress) -> Settled:
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
