"""What the planner is asked: the facts of a request from which every agenda is made."""

from datetime import datetime

from workflows.inputs import SignatureRequest
from workflows.model import EscalationReason, Planning
from workflows.progress import Progress


def planning_of(request: SignatureRequest, progress: Progress, now: datetime) -> Planning:
    """The planner's input at `now`; `request` has the signers of now."""
    return Planning(
        brief=request.brief,
        policy=request.policy,
        due=progress.due or request.due,
        window_from=progress.window_from or now,
        turns=progress.signatures.turns,
        now=now,
        revision=progress.revision,
        snoozes=progress.snoozes,
        acted=tuple(signer.person for signer in progress.signatures.signers if signer.acted),
        escalated=sum(entry.reason is EscalationReason.ESCALATION for entry in progress.escalations),
        not_handed_over=progress.not_handed_over,
    )
