"""Who is told what: the notices of each stage and the targets of the hand-off, derived from request and progress."""

from collections.abc import Iterable
from datetime import datetime

from workflows.model import (
    Brief,
    Delivered,
    HandoffBatch,
    HandoffCall,
    Moment,
    Notice,
    NoticeAction,
    Role,
    Settled,
    SettledSigner,
    Status,
    Target,
)
from workflows.names import handoff_key, notice_key
from workflows.progress import Progress, SignatureRequest
from workflows.signatures import SignerProgress

READY = "ready"
WITHDRAWAL = "withdrawal"
SETTLED = "settled"

_ACTIONS = {Role.SIGN: NoticeAction.SIGN, Role.APPROVE: NoticeAction.APPROVE, Role.COPY: NoticeAction.OPEN}


def announcement(brief: Brief, progress: Progress) -> tuple[Notice, ...]:
    """ "Ready" for everyone whose turn has come, and the withdrawal of what those still show who have acted."""
    signers, told = progress.signatures.signers, progress.told_stages
    untold = [signer for signer in progress.signatures.pending if (READY, signer.person) not in told]
    ready = [_notice(brief, READY, signer, _ACTIONS[signer.role]) for signer in untold]
    done = [_notice(brief, WITHDRAWAL, s, NoticeAction.WITHDRAW) for s in signers if _still_shown(s, progress)]
    return tuple(ready + done)


def nudges(brief: Brief, moments: tuple[Moment, ...]) -> tuple[Notice, ...]:
    """Reminders and warnings, each with its own stage."""
    roles = {signer.person: signer.role for signer in brief.signers}
    return tuple(
        Notice(
            key=notice_key(brief.id, m.stage, m.person), stage=m.stage, person=m.to, action=_ACTIONS[roles[m.person]]
        )
        for m in moments
    )


def alerts(brief: Brief, moments: tuple[Moment, ...]) -> tuple[Notice, ...]:
    """Escalations: one notice per silent signer to whoever is to act."""
    return tuple(
        Notice(
            key=f"{notice_key(brief.id, m.stage, m.to)}/{m.person}",
            stage=m.stage,
            person=m.to,
            action=NoticeAction.OPEN,
            about=m.person,
        )
        for m in moments
    )


def explained(lines: tuple[Delivered, ...], moments: tuple[Moment, ...]) -> tuple[Delivered, ...]:
    """The ledger lines with the plan's reason where the delivery gave none of its own."""
    reasons = {(moment.stage, moment.to): moment.why for moment in moments}
    return tuple(line.having(why=line.why or reasons.get((line.stage, line.person))) for line in lines)


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
    )


def open_hand_off(request: SignatureRequest, progress: Progress) -> Progress:
    """The progress with its fan-out ledger open: the policy's targets, the subscribers, everyone who must know."""
    targets = [target for target in request.policy.handoff if progress.status in target.on]
    targets += [Target(target=workflow_id, workflow=workflow_id) for workflow_id in request.subscribers]
    people = [Target(target=f"notice:{person}", person=person) for person in _concerned(request.brief, progress)]
    return progress.hand_off(tuple(targets), tuple(people))


def hand_off_batch(brief: Brief, progress: Progress, now: datetime) -> HandoffBatch:
    """The calls that are due now, each with the key that makes a repetition harmless."""
    calls = tuple(
        HandoffCall(
            target=entry.target,
            key=handoff_key(brief.id, entry.target.target),
            notice=_ending_notice(brief, progress, entry.target) if entry.target.person else None,
            attempt=entry.attempts + 1,
            listed=not entry.notice,
        )
        for entry in progress.handoff.due(now)
    )
    return HandoffBatch(
        brief=brief,
        settled=settled(brief, progress),
        calls=calls,
        document=progress.document,
        number=progress.handoff.batches + 1,
        at=now,
    )


def _notice(brief: Brief, stage: str, signer: SignerProgress, action: NoticeAction) -> Notice:
    return Notice(key=notice_key(brief.id, stage, signer.person), stage=stage, person=signer.person, action=action)


def _still_shown(signer: SignerProgress, progress: Progress) -> bool:
    told = progress.told_stages
    return signer.acted and (READY, signer.person) in told and (WITHDRAWAL, signer.person) not in told


def _ending_notice(brief: Brief, progress: Progress, target: Target) -> Notice:
    person = target.person or ""
    signer = progress.signatures.of(person)
    quiet = progress.status is Status.SIGNED and signer is not None and person != brief.requester
    if quiet:
        stage, action = WITHDRAWAL, NoticeAction.WITHDRAW
    else:
        stage, action = SETTLED, NoticeAction.OPEN
    return Notice(key=notice_key(brief.id, stage, person), stage=stage, person=person, action=action)


def _concerned(brief: Brief, progress: Progress) -> tuple[str, ...]:
    signers = progress.signatures.signers
    if progress.status is Status.SIGNED:
        told = [signer.person for signer in signers if _still_shown(signer, progress)]
    else:
        told = [signer.person for signer in signers if signer.turn_at]
    alerted = [entry.to for entry in progress.escalations]
    return _once([brief.requester, *told, *alerted])


def _once(people: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(people))
