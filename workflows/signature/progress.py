"""How far one request has come: the state that is carried over, and what the provider and the clock do to it.

One frozen value is the workflow's whole memory: continue-as-new, the query's answer and the tests share its shape.
What people do to it is in operations.py.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from workflows.follow_up.handoff import HandoffLedger
from workflows.follow_up.noted import Noted
from workflows.follow_up.operation_ledger import OperationLedger
from workflows.model.entries import AskedQuestion, AskedReminder, EscalationEntry, Reassignment, TimelineEntry
from workflows.model.planning import Agenda, EscalationReason, Moment, MomentKind, Reason, Snooze
from workflows.model.policy import Target
from workflows.model.provider import DocumentSeen, ProviderEvent
from workflows.model.request import Brief, Code, SignerState, Status
from workflows.model.settlement import HandoffResult
from workflows.model.wishes import Ending, Problem, StopKind
from workflows.names import DELEGATE, EXTEND, REMIND
from workflows.signature.signatures import Signatures

_EVENTS_REMEMBERED = 100
"""Enough to recognise a repeated callback; one that is older is read again and changes nothing."""
_NEVER_SENT = (Status.CONVERTING, Status.FAILED, Status.CANCELLED)
"""What a document that was converting until now has not passed through sending for: nobody was asked yet."""
_DOUBT_LASTS = timedelta(minutes=15)
"""A plan on the last good state of a faulty people file is made anew after this time."""
_WITHOUT_EFFECT = ("converted", "downloaded", "signer_downloaded", "signer_viewed_email", "signrequest_received")
"""Events that change nothing here (docs/core-signature.md, Events); each that is read costs two billable actions."""


class Progress(Noted):
    """The memory of one request."""

    started_at: AwareDatetime
    status: Status = Status.CONVERTING
    raw: str | None = None
    document: str | None = None
    sent_at: AwareDatetime | None = None
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    revision: int = 0
    due_at: AwareDatetime | None = None
    planned_at: AwareDatetime | None = None
    ending: Ending | None = None
    settled_at: AwareDatetime | None = None
    reassigning: tuple[Reassignment, ...] = ()
    not_handed_over: tuple[str, ...] = ()
    """Silent signers whose place could not be handed over: about them somebody is alerted instead."""
    snoozes: tuple[Snooze, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    reminders_asked: int = 0
    reminder: AskedReminder | None = None
    escalations: tuple[EscalationEntry, ...] = ()
    handoff: HandoffLedger = HandoffLedger()
    read_at: AwareDatetime | None = None
    events_seen: tuple[str, ...] = ()
    operations: OperationLedger = OperationLedger()
    unread: bool = False
    recorded: bool = False

    @classmethod
    def begin(cls, brief: Brief, now: datetime) -> Self:
        """A request nobody has been asked about yet."""
        return cls(
            request=brief.id,
            started_at=now,
            signatures=Signatures.expect(brief.signers),
            timeline=(TimelineEntry(at=now, what="started", who=brief.requester),),
        )

    def notify_of(self, event: ProviderEvent) -> Self:
        """Remember a callback: a hint that the document should be read; a repeated one changes nothing."""
        if event.id in self.events_seen or self.recorded or event.type in _WITHOUT_EFFECT:
            return self
        return self.replace(events_seen=(*self.events_seen, event.id)[-_EVENTS_REMEMBERED:], unread=True)

    def observe(self, seen: DocumentSeen, now: datetime) -> Self:
        """What the provider's document says, believed; never backwards, and an ending stays."""
        read = self.replace(document=seen.document, read_at=now)
        if self.status.ended:
            return read
        status = _status(self, seen)
        cast = read._substituted(seen, now)
        sent = cast._sent(now) if status not in _NEVER_SENT else cast
        known = sent._with_signers(seen, now)._noting_unknown(seen, now)
        if status.ended:
            return known._end(status, now, seen.code)
        return known.replace(status=status)

    def would_change(self, seen: DocumentSeen) -> bool:
        """Whether believing this document would change where the request or a signer stands."""
        after = self.observe(seen, self.started_at)
        return (after.status, _states(after)) != (self.status, _states(self))

    def fail(self, code: Code, says: str, now: datetime) -> Self:
        """End without the provider: nothing that anybody could mend. What has ended stays as it ended."""
        if self.status.ended:
            return self
        return self.replace(problem=Problem(code=code, since=now, says=says))._end(Status.FAILED, now, code)

    def end_unseen(self, now: datetime) -> Self:
        """End with the outcome that was asked for, because the provider never had the request."""
        if self.ending is None:
            raise ValueError("nobody asked for an ending")
        return self._end(self.ending.outcome, now, None)

    def expire(self, moment: Moment) -> Self:
        """Remember that the time is over; a wish that came before keeps its outcome."""
        if self.ending:
            return self
        return self.replace(ending=Ending(outcome=Status.EXPIRED, who="countersign", why=moment.why))

    def planned(self, agenda: Agenda, now: datetime) -> Self:
        """Follow this agenda, planned for `now`; a doubtful one is a problem, but a typo stops nobody's clock."""
        known = self.replace(agenda=agenda, due_at=agenda.due_at, planned_at=now)
        planned = self.operations.done(EXTEND, f"due {agenda.due_at:%Y-%m-%d %H:%M} UTC")
        known = known.replace(planned_once=self.no_longer_planned(agenda), operations=planned)
        if self.stop(StopKind.PROBLEM):
            return known
        if agenda.doubt is None:
            return known.replace(problem=None, probe_at=None)
        problem = self.problem or Problem(code=Code.DIRECTORY, since=now, says=agenda.doubt)
        doubted = known.replace(problem=problem, probe_at=now + _DOUBT_LASTS)
        return doubted if self.problem else doubted.note(now, f"problem {problem.code}", None, agenda.doubt)

    def escalated(self, moments: tuple[Moment, ...], now: datetime) -> Self:
        """Record who was alerted about whom."""
        entries = tuple(EscalationEntry(from_=m.person, to=m.to, reason=m.reason, at=now) for m in moments)
        return self.replace(escalations=self.escalations + entries)

    def to_reassign(self, *wanted: Reassignment) -> Self:
        """Remember places that are to be handed over."""
        return self.replace(reassigning=self.reassigning + wanted)

    def reassigned(self, done: Reassignment, now: datetime) -> Self:
        """A place was handed over: the old signer's planned notices are superseded, the new one's clock begins."""
        entry = EscalationEntry(from_=done.from_, to=done.to, reason=done.reason, at=now)
        left = tuple(one for one in self.reassigning if one != done and (one.by_hand or one.to != done.to))
        # An escalation that hands the place over has happened: it is no notice that was left out.
        happened = () if done.by_hand else (MomentKind.ESCALATE, MomentKind.ESCALATED)
        known = self._giving_up((done.from_,), Reason.SUPERSEDED, now, happened).replace(
            reassigning=left,
            signatures=self.signatures.reassign(done.from_, done.to, now),
            escalations=(*self.escalations, entry),
            operations=self.operations.done(DELEGATE, f"handed over to {done.to}", done.about),
        )
        answered = known.replan()._answering_themselves(done.from_, now)
        return answered.note(now, f"handed over to {done.to}", done.from_, f"{done.reason}, by {done.who}")

    def not_reassigned(self, refused: Reassignment, why: str, now: datetime) -> Self:
        """A place was not handed over; where that was an escalation, it is planned anew whom to alert at least."""
        left = tuple(one for one in self.reassigning if one != refused)
        known = self.replace(reassigning=left).note(now, f"not handed over to {refused.to}", refused.from_, why)
        if refused.by_hand:
            return known.replace(operations=self.operations.refused(DELEGATE, why, refused.about))
        return known.replace(not_handed_over=(*self.not_handed_over, refused.from_)).replan()

    def reminded(self, says: str) -> Self:
        """The reminder that was asked for has been tried for everyone whose turn it is; whom it reached in words."""
        return self.replace(reminder=None, operations=self.operations.done(REMIND, says))

    def hand_off(
        self, targets: tuple[Target, ...], notices: tuple[Target, ...], quiet: frozenset[str] = frozenset()
    ) -> Self:
        """Open the fan-out ledger at the instant of settlement; repeated, it changes nothing."""
        if self.handoff.entries or self.settled_at is None:
            return self
        return self.replace(handoff=HandoffLedger.open(targets, notices, self.settled_at, quiet))

    def handed_off(self, results: tuple[HandoffResult, ...], now: datetime) -> Self:
        """Write down what became of targets, and of the notices among them."""
        lines = tuple(line for result in results for line in result.delivered)
        return self.replace(handoff=self.handoff.record(results, now)).told(lines, now)

    def _substituted(self, seen: DocumentSeen, now: datetime) -> Self:
        known = self
        for one in seen.substituted:
            if known.signatures.of(one.to) is None:
                absence = EscalationReason.ABSENCE
                done = Reassignment(from_=one.from_, to=one.to, reason=absence, who="countersign")
                known = known.reassigned(done, now)
        return known

    def _sent(self, now: datetime) -> Self:
        if self.sent_at is not None:
            return self
        begun = self.replace(probe_at=None, sent_at=now, window_from=now, signatures=self.signatures.begin(now))
        return begun.note(now, "sent", "core-signature", None)

    def _with_signers(self, seen: DocumentSeen, now: datetime) -> Self:
        signatures = self.signatures.record(seen.signers, now, seen.turn)
        if signatures == self.signatures:
            return self
        known = self
        for before, after in zip(self.signatures.signers, signatures.signers, strict=True):
            if after.state is not before.state and after.state not in (SignerState.WAITING, SignerState.TURN):
                known = known.note(now, after.state, after.person, after.reason)
            if after.acted and not before.acted:
                known = known._giving_up((after.person,), Reason.SIGNED, now)
        turns_changed = signatures.turns != self.signatures.turns
        known = known.replace(signatures=signatures)
        known = known.replan() if turns_changed else known
        # Last, because it may move the clocks of those who have not acted.
        for signer in signatures.signers:
            known = known._answering_themselves(signer.person, now) if signer.acted else known
        return known

    def _answering_themselves(self, person: str, now: datetime) -> Self:
        """Whoever has acted, or was replaced, no longer needs an answer."""
        stop = self.stop(StopKind.QUESTION)
        return self.go_on(StopKind.QUESTION, now) if stop and stop.who == person else self

    def _giving_up(self, people: tuple[str, ...], why: Reason, now: datetime, but: tuple[MomentKind, ...] = ()) -> Self:
        """The ledger's lines for what was planned for these people and will not be sent."""
        theirs = tuple(moment for moment in self.unsent if moment.person in people)
        escalated = {entry.from_ for entry in self.escalations}
        done = (MomentKind.ESCALATE, *but)
        given_up = tuple(
            one
            for one in theirs
            if one.kind not in (done if one.person in escalated else but) and (one.suppressed is None or one.at <= now)
        )
        left = tuple(moment for moment in self.unsent if moment not in theirs)
        return self.replace(planned_once=left).suppress(given_up, why, now)

    def _noting_unknown(self, seen: DocumentSeen, now: datetime) -> Self:
        if seen.status is not None or seen.raw == self.raw:
            return self
        return self.replace(raw=seen.raw).note(now, f"unknown status {seen.raw}", "core-signature", None)

    def _end(self, status: Status, now: datetime, code: Code | None) -> Self:
        meant = self.ending if self.ending and self.ending.outcome is status else None
        problem = self.problem if self.problem and self.problem.code is code else None
        if code is not None and problem is None:
            problem = Problem(code=code, since=now, says=f"Core Signature reports {code}")
        everyone = tuple(signer.person for signer in self.signatures.signers)
        given_up = self._giving_up(everyone, Reason.SETTLED, now)
        ended = given_up.replace(
            status=status, settled_at=now, agenda=None, planned_once=(), problem=problem, probe_at=None
        )
        ended = ended.replace(reassigning=(), reminder=None, operations=self.operations.end(status))
        who = meant.who if meant else "core-signature"
        return ended.note(now, status, who, meant.why if meant else code)


def _states(progress: Progress) -> tuple[SignerState, ...]:
    return tuple(signer.state for signer in progress.signatures.signers)


def _status(progress: Progress, seen: DocumentSeen) -> Status:
    if seen.status is None or seen.status.rank < progress.status.rank:
        return progress.status
    if seen.status is Status.CANCELLED and progress.ending:
        return progress.ending.outcome
    return seen.status
