"""Who is told what: the notices of each stage and the targets of the hand-off, derived from request and progress."""

import workflows.follow_up.stages as stages
from workflows.follow_up.notices import notice_to
from workflows.follow_up.stages import Stage
from workflows.model.notices import Notice, NoticeAction, Notification, Outcome
from workflows.model.policy import Target
from workflows.model.request import Brief, SignerState
from workflows.model.settlement import Settled, SettledSigner
from workflows.model.subject import Role, Status
from workflows.names import alert_key
from workflows.signature.inputs import SignatureRequest
from workflows.signature.progress import Progress
from workflows.signature.signatures import SignerProgress


def announcement(brief: Brief, progress: Progress) -> tuple[Notice, ...]:
    """Notices of everything that has happened, to those concerned who have no line of it in the ledger yet."""
    wanted = [
        *_ready(brief, progress),
        *_taken_away(brief, progress),
        *_questions(brief, progress),
        *_questions_gone(brief, progress),
        *_bounced(brief, progress),
        *_missing(brief, progress),
    ]
    known = progress.ledger.known
    return tuple(notice for notice in wanted if notice.key not in known)


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
        late=any(progress.is_late(signer) for signer in progress.signatures.signers),
    )


def open_hand_off(request: SignatureRequest, progress: Progress) -> Progress:
    """The progress with its fan-out ledger open: the policy's targets, the subscribers, everyone who must know."""
    targets = [target for target in request.policy.handoff if progress.status in target.on]
    targets += [Target(target=workflow_id, workflow=workflow_id) for workflow_id in request.subscribers]
    concerned = _concerned(request, progress)
    people = [Target(target=f"notice:{person}", person=person) for person in concerned]
    quiet = frozenset(person for person in concerned if _is_no_news(request, progress, person))
    return progress.hand_off(tuple(targets), tuple(people), quiet)


def _ready(brief: Brief, progress: Progress) -> list[Notice]:
    return [
        notice_to(brief, Stage.READY, one.person, progress.action_of(one.person)) for one in progress.signatures.pending
    ]


def _taken_away(brief: Brief, progress: Progress) -> list[Notice]:
    """Signers who have acted get their notice withdrawn; who was replaced is told so, which replaces it as well."""
    told = progress.told_stages
    acted = [one for one in progress.signatures.signers if one.acted and (Stage.READY, one.person) in told]
    return [
        notice_to(brief, Stage.REASSIGNED, one.person, NoticeAction.OPEN)
        if one.state is SignerState.REASSIGNED
        else notice_to(brief, Stage.WITHDRAWAL, one.person, NoticeAction.WITHDRAW)
        for one in acted
    ]


def _questions(brief: Brief, progress: Progress) -> list[Notice]:
    """A question goes to the requester, an answer to the asker, as long as the asker has not acted."""
    pending = frozenset(signer.person for signer in progress.signatures.pending)
    return [
        notice_to(brief, stages.question(one.number), brief.requester, NoticeAction.OPEN)
        if one.answer is None
        else notice_to(brief, stages.answer(one.number), one.person, progress.action_of(one.person))
        for one in progress.questions
        if one.person in pending
    ]


def _questions_gone(brief: Brief, progress: Progress) -> list[Notice]:
    """A question that needs no answer any more leaves the phones on which it is what they show of this request."""
    pending = frozenset(signer.person for signer in progress.signatures.pending)
    return [
        notice_to(brief, stages.question_gone(question.number), line.person, NoticeAction.WITHDRAW)
        for question in progress.questions
        if question.answer is not None or question.person not in pending
        for line in _shown(progress)
        if line.stage in stages.of_question(question.number)
    ]


def _bounced(brief: Brief, progress: Progress) -> list[Notice]:
    """The requester hears of each signer whose mail came back, once: nobody else can know the right address."""
    bounced = [one.person for one in progress.signatures.pending if one.state is SignerState.BOUNCED]
    return [_about(brief, Stage.BOUNCED, person) for person in bounced]


def _missing(brief: Brief, progress: Progress) -> list[Notice]:
    """The requester hears of each signer who has left the directory, once: it takes somebody to decide who signs."""
    return [_about(brief, Stage.MISSING, person) for person in (progress.agenda.missing if progress.agenda else ())]


def _about(brief: Brief, stage: str, person: str) -> Notice:
    """To the requester, about a signer."""
    notice = notice_to(brief, stage, brief.requester, NoticeAction.OPEN)
    return notice.replace(key=alert_key(brief.id, stage, brief.requester, person), about=person)


def _still_shown(signer: SignerProgress, progress: Progress) -> bool:
    told = progress.told_stages
    gone = any((stage, signer.person) in told for stage in (Stage.WITHDRAWAL, Stage.REASSIGNED))
    return signer.acted and (Stage.READY, signer.person) in told and not gone


def _is_no_news(request: SignatureRequest, progress: Progress, person: str) -> bool:
    """Whether it is enough that somebody's phone loses what it shows.

    Signers read it in Core Signature's mail, unless that is switched off; some requesters do not want to know.
    """
    if progress.status is not Status.SIGNED:
        return False
    if person == request.brief.requester:
        return not request.policy.tell_requester.signed
    return progress.mails_endings and progress.signatures.of(person) is not None


def _concerned(request: SignatureRequest, progress: Progress) -> tuple[str, ...]:
    """Who hears of the ending: the requester, and of the others those who were ever asked or alerted.

    So does whoever's phone still says that a question is unanswered; a requester to whom it is no news only if their
    phone shows anything.
    """
    requester, shown = request.brief.requester, _shown(progress)
    concerned = _still_shown if progress.status is Status.SIGNED and progress.mails_endings else _asked
    told = [signer.person for signer in progress.signatures.signers if concerned(signer, progress)]
    # Whom a place was handed over to is a signer like any other: perhaps it never was their turn.
    alerted = [entry.to for entry in progress.escalations if progress.signatures.of(entry.to) is None]
    unanswered = [line.person for line in shown if stages.kind_of(line.stage) is Stage.UNANSWERED]
    if _is_no_news(request, progress, requester):
        told = [*told, *(line.person for line in shown if line.person == requester)]
    else:
        told = [requester, *told]
    return tuple(dict.fromkeys([*told, *alerted, *unanswered]))


def _asked(signer: SignerProgress, progress: Progress) -> bool:
    """Whether it was their turn at some time; who was told that somebody else was asked instead is done with it.

    Whoever only gets a copy is asked nothing, and hears of what was signed.
    """
    told = progress.told_stages
    was_asked = signer.turn_at is not None or (Stage.READY, signer.person) in told
    was_asked |= signer.role is Role.COPY and progress.status is Status.SIGNED
    return was_asked and (Stage.REASSIGNED, signer.person) not in told


def _shown(progress: Progress) -> list[Notification]:
    """What phones show of the request: the last notice that each person's took, unless it was withdrawn."""
    done = (Outcome.ACCEPTED, Outcome.WITHDRAWN)
    last = {line.person: line for line in progress.notifications if line.outcome in done}
    return [line for line in last.values() if line.outcome is Outcome.ACCEPTED]
