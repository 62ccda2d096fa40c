"""One answer everywhere: waiting for whom, since when, until when, what happens next and why.

The query, the Web UI's details, `request show`, the settled record (record.py) and the page all speak from `show`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from workflows.follow_up.moves import next_moment
from workflows.follow_up.operations import latest_snoozes, open_question, reminded_at, snoozes_left
from workflows.model.entries import TimelineEntry
from workflows.model.notices import Delivered, Notification, Outcome
from workflows.model.planning import MomentKind, Reason
from workflows.model.policy import Policy
from workflows.model.request import SignerState
from workflows.model.settlement import HandoffLine, HandoffState
from workflows.model.subject import Code, Status
from workflows.model.views import Choices, Next, NextStep, RequestShow, SignerLine, WaitingFor
from workflows.model.wishes import Stop, StopKind
from workflows.signature.attention import attention_of
from workflows.signature.inputs import SignatureRequest
from workflows.signature.progress import Progress


def show(request: SignatureRequest, progress: Progress, now: datetime) -> RequestShow:
    """Everything there is to know of a request at `now`."""
    brief = request.brief
    following = _next(progress, now)
    return RequestShow(
        id=brief.id,
        kind=brief.kind,
        document=brief.title,
        requester=brief.requester,
        status=progress.status,
        problem=progress.problem,
        attention=attention_of(progress),
        waiting_for=() if progress.status.ended else _waiting_for(progress),
        next=following,
        due_at=progress.due_at,
        closes_at=progress.closes_at,
        late=progress.is_overdue(now) or any(map(progress.is_late, progress.signatures.signers)),
        signers=tuple(
            SignerLine(person=s.person, order=s.order, role=s.role, state=s.state, at=s.at, late=progress.is_late(s))
            for s in progress.signatures.signers
        ),
        notifications=progress.ledger.leaving + progress.ledger.lines,
        earlier=progress.ledger.paged,
        escalations=progress.escalations,
        handoffs=progress.handoff.lines,
        timeline=_timeline(progress),
        question=open_question(progress),
        answered=tuple(question for question in progress.questions if question.answer is not None),
        choices=_choices(request.policy, progress, now),
        says=_sentence(progress, following, now),
    )


def details(shown: RequestShow) -> str:
    """The Web UI's live details in Markdown."""
    lines = [f"### {shown.says}", ""]
    lines += [f"- waiting for **{w.person}** since {stamp(w.since)}" for w in shown.waiting_for]
    lines += [f"- {what} {stamp(at)}" for what, at in deadlines(shown)]
    if shown.next:
        lines.append(f"- next: **{shown.next.what}** {stamp(shown.next.at)} – {shown.next.why}")
    if shown.notifications:
        # No tables: the Web UI lets their cells touch.
        lines += ["", "**Told**", ""]
        lines += [
            f"- {n.at:%d %b %H:%M} · {n.stage} · **{n.person}** · {n.channel} · {outcome_words(n)}"
            for n in [line for line in shown.notifications if not is_needless(line)][-20:]
        ]
    if shown.handoffs:
        lines += ["", "**Handed off**", ""]
        lines += [f"- {h.target} · {h.state} · {h.attempts} attempts" for h in shown.handoffs]
    return "\n".join(lines)


def deadlines(shown: RequestShow) -> Iterator[tuple[str, datetime]]:
    """What is said of the due date, and of the closing where that is another."""
    if shown.due_at:
        yield "overdue since" if shown.overdue else "due", shown.due_at
    if shown.closes_at and shown.closes_at != shown.due_at:
        yield "closes", shown.closes_at


def stamp(instant: datetime | None) -> str:
    """An instant for people who run the system: UTC, to the minute."""
    return instant.strftime("%a %d %b %Y %H:%M UTC") if instant else ""


def outcome_words(line: Delivered) -> str:
    """What became of a notice, with the reason when it was not simply accepted."""
    devices = f" on {len(line.devices)} device{'s' if len(line.devices) > 1 else ''}" if line.devices else ""
    return f"{line.outcome}{devices}" + (f" ({line.why})" if line.why else "")


def is_needless(line: Delivered) -> bool:
    """Whether a planned notice was left out because its purpose was reached: the ledger has it, nobody looks for it."""
    return line.outcome is Outcome.SUPPRESSED and line.why in (Reason.SIGNED, Reason.SETTLED, Reason.SUPERSEDED)


def _waiting_for(progress: Progress) -> tuple[WaitingFor, ...]:
    return tuple(WaitingFor(person=s.person, since=s.turn_at) for s in progress.signatures.pending if s.turn_at)


def _people(progress: Progress) -> str:
    return ", ".join(one.person for one in _waiting_for(progress)) or "nobody of the directory"


def _next(progress: Progress, now: datetime) -> Next | None:
    if progress.status.ended:
        return _next_handoff(progress)
    if (standstill := _standstill(progress)) and not standstill.for_a_question:
        return standstill.next
    if progress.agenda is None:
        return Next(what=NextStep.WAIT, at=None, why="the next steps are being planned")
    moment = next_moment(progress, now)
    if moment is None:
        return Next(what=NextStep.WAIT, at=None, why="nothing more is planned")
    return Next(what=_NEXT_STEPS[moment.kind], at=moment.at, why=moment.why)


@dataclass(frozen=True)
class _Standstill:
    """Why no step of the agenda is next, as the sentence says it and as `next` does."""

    says: str
    why: str
    at: datetime | None = None
    for_a_question: bool = False
    """The agenda has what is done about that."""

    @property
    def next(self) -> Next:
        return Next(what=NextStep.WAIT, at=self.at, why=self.why)


def _standstill(progress: Progress) -> _Standstill | None:
    if (problem := progress.problem) and progress.stop(StopKind.PROBLEM):
        says = f"Problem {problem.code} since {stamp(problem.since)}: {problem.says}"
        return _Standstill(says, f"trying again: {problem.says}", progress.probe_at)
    if progress.ending:
        says = f"Being {progress.ending.outcome} at Core Signature"
        return _Standstill(says, says)
    if progress.status is Status.CONVERTING:
        says = "Core Signature is preparing the document"
        return _Standstill(says, says, progress.probe_at)
    if stop := progress.stop(StopKind.PAUSE) or progress.stop(StopKind.QUESTION):
        says = f"Waiting for {_people(progress)}; the clocks stand{_until(progress, stop)}: {stop.words}"
        return _Standstill(says, stop.words, for_a_question=stop.kind is StopKind.QUESTION)
    return None


def _until(progress: Progress, stop: Stop) -> str:
    moments = progress.agenda.moments if progress.agenda and stop.kind is StopKind.QUESTION else ()
    return next((f" until {stamp(moment.at)}" for moment in moments if moment.kind is MomentKind.GO_ON), "")


def _choices(policy: Policy, progress: Progress, now: datetime) -> tuple[Choices, ...]:
    if progress.status.ended or progress.ending:
        return ()
    latest = latest_snoozes(progress, now)
    return tuple(
        Choices(
            person=signer.person,
            snoozes_left=snoozes_left(progress, policy, signer.person),
            snooze_until=latest[signer.person],
            hand_over=policy.self_delegate,
            ask=open_question(progress) is None,
            reminded_at=reminded_at(progress, signer.person, now),
        )
        for signer in progress.signatures.pending
    )


def _next_handoff(progress: Progress) -> Next | None:
    at = progress.handoff.next_at
    if at is None:
        return None
    open_targets = [e.target.person if e.notice else e.target.target for e in progress.handoff.entries if e.due_at]
    return Next(what=NextStep.HAND_OFF, at=at, why=f"telling {', '.join(filter(None, open_targets))}")


def _timeline(progress: Progress) -> tuple[TimelineEntry, ...]:
    told = [told_entry(line) for line in progress.ledger.leaving + progress.ledger.lines if not is_needless(line)]
    handed_over = tuple(s.person for s in progress.signatures.signers if s.state is SignerState.REASSIGNED)
    escalated = [
        TimelineEntry(at=entry.at, what=f"escalated to {entry.to}", who=entry.from_, why=entry.reason)
        for entry in progress.escalations
        if entry.from_ not in handed_over
    ]
    handed = [handed_off_entry(line) for line in progress.handoff.lines if line.attempts]
    return tuple(sorted([*progress.past, *progress.timeline, *told, *escalated, *handed], key=lambda entry: entry.at))


def told_entry(line: Notification) -> TimelineEntry:
    """A line of the reminder ledger as the timeline shows it."""
    words = {Outcome.ACCEPTED: line.stage, Outcome.WITHDRAWN: "notice taken off the phone"}
    what = words.get(line.outcome, f"{line.stage} {line.outcome}")
    return TimelineEntry(at=line.at, what=what, who=line.person, why=line.why)


def handed_off_entry(line: HandoffLine) -> TimelineEntry:
    """A line of the hand-off as the timeline shows it."""
    return TimelineEntry(at=line.at, what=f"hand-off {line.state}", who=line.target, why=line.why)


_NEXT_STEPS = {
    MomentKind.REMIND: NextStep.REMIND,
    MomentKind.WARN: NextStep.WARN,
    MomentKind.OVERDUE: NextStep.REMIND,
    MomentKind.ESCALATE: NextStep.ESCALATE,
    # To the signer it is one more nudge; `why` says who was alerted.
    MomentKind.ESCALATED: NextStep.REMIND,
    MomentKind.QUESTION: NextStep.REMIND,
    MomentKind.GO_ON: NextStep.WAIT,
    MomentKind.EXPIRE: NextStep.EXPIRE,
}
_NEXT_WORDS = {
    NextStep.REMIND: "a reminder follows",
    NextStep.WARN: "a last warning follows",
    NextStep.ESCALATE: "it is escalated",
    NextStep.EXPIRE: "it expires",
}


def _sentence(progress: Progress, following: Next | None, now: datetime) -> str:
    if progress.status.ended:
        return _ended_sentence(progress, following)
    if standstill := _standstill(progress):
        return standstill.says
    until = f" until {stamp(progress.due_at)}" if progress.due_at else ""
    if progress.is_overdue(now):
        until = f", overdue since {stamp(progress.due_at)}"
    then = ""
    if following and following.at and following.what in _NEXT_WORDS:
        then = f"; {_NEXT_WORDS[following.what]} {stamp(following.at)}"
    return f"Waiting for {_people(progress)}{until}{then}"


def _ended_sentence(progress: Progress, following: Next | None) -> str:
    ending = f"{progress.status.capitalize()} {stamp(progress.settled_at)}"
    if progress.status is Status.FAILED and progress.problem:
        ending += f": {_FAILED_WORDS.get(progress.problem.code, progress.problem.says)}"
    if following:
        return f"{ending}; {following.why}"
    return with_dead_targets(ending, progress.handoff.lines)


def with_dead_targets(ending: str, lines: Iterable[HandoffLine]) -> str:
    """The sentence about an ending, with the targets that will never hear of it."""
    dead = [line.target for line in lines if line.state is HandoffState.DEAD]
    return f"{ending}; could not tell {', '.join(dead)}" if dead else ending


_FAILED_WORDS = {
    Code.ID_USED_BEFORE: "the id was used before at Core Signature",
    Code.DOCUMENT_DELETED: "the document was deleted at Core Signature",
    Code.CONVERT_ERROR: "Core Signature could not convert the document",
    Code.SENDING_ERROR: "Core Signature could not send the document",
}
