"""Who is told what: the notices of each stage and the targets of the hand-off, derived from request and progress."""

from datetime import datetime

import workflows.follow_up.stages as stages
from workflows.follow_up.handoff import HandoffEntry
from workflows.follow_up.ledger import key_of
from workflows.follow_up.stages import Stage
from workflows.model.notices import Delivered, Notice, NoticeAction, Notification, Outcome
from workflows.model.planning import Moment, MomentKind
from workflows.model.policy import Target
from workflows.model.records import HandoffBatch
from workflows.model.request import Brief, Role, SignerState, Status
from workflows.model.settlement import HandoffCall, HandoffResult, Settled, SettledSigner
from workflows.names import alert_key, notice_key
from workflows.signature.inputs import SignatureRequest
from workflows.signature.progress import Progress
from workflows.signature.signatures import SignerProgress

_ACTIONS = {Role.SIGN: NoticeAction.SIGN, Role.APPROVE: NoticeAction.APPROVE, Role.COPY: NoticeAction.OPEN}


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


def nudges(brief: Brief, moments: tuple[Moment, ...]) -> tuple[Notice, ...]:
    """What signers hear of their own turn: reminders, warnings, that it was escalated, each with its own stage."""
    roles = {signer.person: signer.role for signer in brief.signers}
    return tuple(_planned(brief, moment, _ACTIONS[roles[moment.person]]) for moment in moments)


def by_hand(brief: Brief, moments: tuple[Moment, ...]) -> tuple[Notice, ...]:
    """A reminder that somebody asked for now: it is sent now or not at all."""
    return tuple(notice.replace(movable=False) for notice in nudges(brief, moments))


def alerts(brief: Brief, moments: tuple[Moment, ...]) -> tuple[Notice, ...]:
    """Escalations: one notice per silent signer to whoever is to act; the signer hears of it in hours of their own."""
    return tuple(_planned(brief, moment, NoticeAction.OPEN).replace(about=moment.person) for moment in moments)


def asked_again(brief: Brief, moments: tuple[Moment, ...]) -> tuple[Notice, ...]:
    """Reminders of an open question, to whoever is to answer; nobody needs one about a signer who has acted."""
    return alerts(brief, moments)


def alerted(progress: Progress, moments: tuple[Moment, ...]) -> tuple[Moment, ...]:
    """The escalations whose alert was delivered, or at least tried."""
    told = {line.key for line in progress.notifications if line.outcome in (Outcome.ACCEPTED, Outcome.FAILED)}
    return tuple(moment for moment in moments if key_of(progress.request, moment) in told)


def asked_for(progress: Progress, now: datetime) -> tuple[Moment, ...]:
    """The reminder that somebody asked for, as moments of now."""
    asked = progress.reminder
    if asked is None:
        return ()
    stage, why = stages.reminder_by_hand(asked.number), f"asked for by {asked.who}"
    return tuple(
        Moment(at=now, kind=MomentKind.REMIND, stage=stage, person=signer.person, to=signer.person, why=why)
        for signer in progress.signatures.pending
        if (stage, signer.person) not in progress.told_stages
    )


def reminded_words(progress: Progress) -> str:
    """Whom the reminder that somebody asked for has reached, and whom it has not."""
    stage = stages.reminder_by_hand(progress.reminders_asked)
    lines = [line for line in progress.notifications if line.stage == stage]
    reached = [line.person for line in lines if line.outcome is Outcome.ACCEPTED]
    missed = [f"{line.person} ({line.why or line.outcome})" for line in lines if line.person not in reached]
    told = f"told {', '.join(reached)}" if reached else "told nobody"
    return f"{told}; not {', '.join(missed)}" if missed else told


def explained(lines: tuple[Delivered, ...], moments: tuple[Moment, ...]) -> tuple[Delivered, ...]:
    """The ledger lines with the plan's reason where the delivery gave none of its own."""
    return tuple(line.replace(why=line.why or _planned_because(line, moments)) for line in lines)


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


def handed_off(brief: Brief, progress: Progress, results: tuple[HandoffResult, ...], now: datetime) -> Progress:
    """What became of targets, written down; the requester is to be told, once, that one is dead."""
    known = progress.handed_off(results, now)
    return known.replace(handoff=known.handoff.alerting(brief.requester, now))


def hand_off_batch(brief: Brief, progress: Progress, now: datetime) -> HandoffBatch:
    """The calls that are due now."""
    calls = tuple(
        HandoffCall(
            target=entry.target,
            notice=_notice_of(entry, brief),
            attempt=entry.attempts + 1,
            missed=entry.missed,
            passing=entry.passing,
            listed=not entry.notice,
            reached=_reached(progress, entry),
        )
        for entry in progress.handoff.due(now)
    )
    return HandoffBatch(
        page=progress.page,
        brief=brief.in_short,
        settled=settled(brief, progress),
        calls=calls,
        document=progress.document,
        number=progress.handoff.batches + 1,
        at=now,
        dead=progress.handoff.dead,
    )


def page_batch(brief: Brief, progress: Progress) -> HandoffBatch:
    """A batch that tells nobody, and brings the next page to the store."""
    return HandoffBatch(brief=brief.in_short, settled=settled(brief, progress), calls=(), page=progress.page)


def _planned_because(line: Delivered, moments: tuple[Moment, ...]) -> str | None:
    request = line.key.partition("/")[0]
    return next((moment.why for moment in moments if key_of(request, moment) == line.key), None)


def _reached(progress: Progress, entry: HandoffEntry) -> tuple[str, ...]:
    """The keys of the notices that have arrived, for an entry that tells several people."""
    if not entry.target.group and not entry.alert:
        return ()
    stage = Stage.UNDELIVERED if entry.alert else Stage.SETTLED
    lines = [line for line in progress.notifications if line.stage == stage]
    return tuple(line.key for line in lines if line.outcome is Outcome.ACCEPTED)


def _ready(brief: Brief, progress: Progress) -> list[Notice]:
    return [_notice(brief, Stage.READY, one.person, _ACTIONS[one.role]) for one in progress.signatures.pending]


def _taken_away(brief: Brief, progress: Progress) -> list[Notice]:
    """Signers who have acted get their notice withdrawn; who was replaced is told so, which replaces it as well."""
    told = progress.told_stages
    acted = [one for one in progress.signatures.signers if one.acted and (Stage.READY, one.person) in told]
    return [
        _notice(brief, Stage.REASSIGNED, one.person, NoticeAction.OPEN)
        if one.state is SignerState.REASSIGNED
        else _notice(brief, Stage.WITHDRAWAL, one.person, NoticeAction.WITHDRAW)
        for one in acted
    ]


def _questions(brief: Brief, progress: Progress) -> list[Notice]:
    """A question goes to the requester, an answer to the asker, as long as the asker has not acted."""
    pending = frozenset(signer.person for signer in progress.signatures.pending)
    return [
        _notice(brief, stages.question(one.number), brief.requester, NoticeAction.OPEN)
        if one.answer is None
        else _notice(brief, stages.answer(one.number), one.person, _ACTIONS[_role(brief, one.person)])
        for one in progress.questions
        if one.person in pending
    ]


def _questions_gone(brief: Brief, progress: Progress) -> list[Notice]:
    """A question that needs no answer any more leaves the phones on which it is what they show of this request."""
    pending = frozenset(signer.person for signer in progress.signatures.pending)
    return [
        _notice(brief, stages.question_gone(question.number), line.person, NoticeAction.WITHDRAW)
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
    notice = _notice(brief, stage, brief.requester, NoticeAction.OPEN)
    return notice.replace(key=alert_key(brief.id, stage, brief.requester, person), about=person)


def _planned(brief: Brief, moment: Moment, action: NoticeAction) -> Notice:
    return Notice(
        key=key_of(brief.id, moment),
        stage=moment.stage,
        person=moment.to,
        action=action,
        movable=True,
        wakes_others=moment.wakes_others,
    )


def _role(brief: Brief, person: str) -> Role:
    return next(signer.role for signer in brief.signers if signer.person == person)


def _notice(brief: Brief, stage: str, person: str, action: NoticeAction) -> Notice:
    return Notice(key=notice_key(brief.id, stage, person), stage=stage, person=person, action=action)


def _still_shown(signer: SignerProgress, progress: Progress) -> bool:
    told = progress.told_stages
    gone = any((stage, signer.person) in told for stage in (Stage.WITHDRAWAL, Stage.REASSIGNED))
    return signer.acted and (Stage.READY, signer.person) in told and not gone


def _notice_of(entry: HandoffEntry, brief: Brief) -> Notice | None:
    if entry.target.person is None:
        return None
    if entry.alert:
        return _notice(brief, Stage.UNDELIVERED, entry.target.person, NoticeAction.OPEN)
    stage, action = (Stage.WITHDRAWAL, NoticeAction.WITHDRAW) if entry.quiet else (Stage.SETTLED, NoticeAction.OPEN)
    return _notice(brief, stage, entry.target.person, action)


def _is_no_news(request: SignatureRequest, progress: Progress, person: str) -> bool:
    """Whether it is enough that somebody's phone loses what it shows: signers know, some requesters do not want to."""
    if progress.status is not Status.SIGNED:
        return False
    if person == request.brief.requester:
        return not request.policy.tell_requester.signed
    return progress.signatures.of(person) is not None


def _concerned(request: SignatureRequest, progress: Progress) -> tuple[str, ...]:
    """Who hears of the ending: the requester, and of the others those who were ever asked or alerted.

    So does whoever's phone still says that a question is unanswered; a requester to whom it is no news only if their
    phone shows anything.
    """
    requester, shown = request.brief.requester, _shown(progress)
    concerned = _still_shown if progress.status is Status.SIGNED else _asked
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
    """Whether it was their turn at some time; who was told that somebody else was asked instead is done with it."""
    told = progress.told_stages
    was_asked = signer.turn_at is not None or (Stage.READY, signer.person) in told
    return was_asked and (Stage.REASSIGNED, signer.person) not in told


def _shown(progress: Progress) -> list[Notification]:
    """What phones show of the request: the last notice that each person's took, unless it was withdrawn."""
    done = (Outcome.ACCEPTED, Outcome.WITHDRAWN)
    last = {line.person: line for line in progress.notifications if line.outcome in done}
    return [line for line in last.values() if line.outcome is Outcome.ACCEPTED]
