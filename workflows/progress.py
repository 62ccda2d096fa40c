"""How far one request has come: the state that is carried over, and its pure transitions.

One frozen value is the workflow's whole memory: continue-as-new, the query's answer and the tests share its shape.
"""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from workflows.handoff import HandoffLedger
from workflows.model import (
    Agenda,
    Brief,
    Cancellation,
    Channel,
    Code,
    Delivered,
    DocumentSeen,
    Ending,
    HandoffResult,
    Model,
    Moment,
    Outcome,
    Policy,
    Problem,
    ProviderEvent,
    SignerState,
    Status,
    Target,
)
from workflows.names import notice_key
from workflows.signatures import Signatures

_EVENTS_REMEMBERED = 500
"""Enough to recognise a repeated callback; one that is older is read again and changes nothing."""


_WITHOUT_EFFECT = ("converted", "downloaded", "signer_downloaded", "signer_viewed_email", "signrequest_received")
"""Events that change nothing we know of (contracts 3.3); each that is read costs two billable actions."""


class Notification(Delivered):
    """A line of the reminder ledger with its instant."""

    at: AwareDatetime


class EscalationEntry(Model):
    """Who was asked to act instead of whom; `from_` is the silent signer."""

    from_: str = Field(alias="from")
    to: str
    reason: str
    at: AwareDatetime


class TimelineEntry(Model):
    """Something that happened: what, to or by whom, and why."""

    at: AwareDatetime
    what: str
    who: str | None = None
    why: str | None = None


class Progress(Model):
    """The memory of one request."""

    started_at: AwareDatetime
    signatures: Signatures
    status: Status = Status.CONVERTING
    raw: str | None = None
    document: str | None = None
    sent_at: AwareDatetime | None = None
    window_from: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    agenda: Agenda | None = None
    problem: Problem | None = None
    probe_at: AwareDatetime | None = None
    probes: int = 0
    ending: Ending | None = None
    settled_at: AwareDatetime | None = None
    notifications: tuple[Notification, ...] = ()
    escalations: tuple[EscalationEntry, ...] = ()
    handoff: HandoffLedger = HandoffLedger()
    timeline: tuple[TimelineEntry, ...] = ()
    events_seen: tuple[str, ...] = ()
    unread: bool = False
    recorded: bool = False

    @classmethod
    def begin(cls, brief: Brief, now: datetime) -> Self:
        """A request nobody has been asked about yet."""
        return cls(
            started_at=now,
            signatures=Signatures.expect(brief.signers),
            timeline=(TimelineEntry(at=now, what="started", who=brief.requester),),
        )

    @property
    def told_stages(self) -> frozenset[tuple[str, str]]:
        """The stages and persons the ledger has a line for, whatever became of it."""
        return frozenset((line.stage, line.person) for line in self.notifications)

    def notify_of(self, event: ProviderEvent) -> Self:
        """Remember a callback: a hint that the document should be read; a repeated one changes nothing."""
        if event.id in self.events_seen or self.recorded or event.type in _WITHOUT_EFFECT:
            return self
        return self.having(events_seen=(*self.events_seen, event.id)[-_EVENTS_REMEMBERED:], unread=True)

    def observe(self, seen: DocumentSeen, now: datetime) -> Self:
        """What the provider's document says, believed; never backwards, and an ending stays."""
        read = self.having(document=seen.document, unread=False)
        if self.status.ended:
            return read
        status = _status(self, seen)
        sent = read._sent(now) if status is not Status.CONVERTING else read
        known = sent._with_signers(seen, now)._noting_unknown(seen, now)
        if status.ended:
            return known._end(status, now, seen.code)
        return known.having(status=status)

    def would_change(self, seen: DocumentSeen) -> bool:
        """Whether believing this document would change where the request or a signer stands."""
        after = self.observe(seen, self.started_at)
        return (after.status, _states(after)) != (self.status, _states(self))

    def fail(self, code: Code, says: str, now: datetime) -> Self:
        """End without the provider: nothing that anybody could mend."""
        return self.having(problem=Problem(code=code, since=now, says=says))._end(Status.FAILED, now, code)

    def end_unseen(self, now: datetime) -> Self:
        """End as we meant to: the provider never had the request."""
        if self.ending is None:
            raise ValueError("nobody asked for an ending")
        return self._end(self.ending.outcome, now, None)

    def wish_to_cancel(self, wish: Cancellation, now: datetime) -> Self:
        """Remember who wants the request ended; the first wish counts."""
        if self.ending or self.status.ended:
            return self
        ending = Ending(outcome=Status.CANCELLED, who=wish.actor, why=wish.reason)
        return self.having(ending=ending)._note(now, "cancellation asked for", wish.actor, wish.reason)

    def expire(self, moment: Moment) -> Self:
        """Remember that the time is over; a wish that came before keeps its outcome."""
        if self.ending:
            return self
        return self.having(ending=Ending(outcome=Status.EXPIRED, who="countersign", why=moment.why))

    def planned(self, agenda: Agenda) -> Self:
        """Follow this agenda from now on."""
        return self.having(agenda=agenda, due_at=agenda.due_at)

    def told(self, lines: tuple[Delivered, ...], now: datetime) -> Self:
        """Write what became of notices into the ledger; a later result for the same key completes the earlier one."""
        ledger = {line.key: line for line in self.notifications}
        for line in lines:
            earlier = ledger.pop(line.key, None)
            ledger[line.key] = Notification(**dict(_completed(earlier, line)), at=earlier.at if earlier else now)
        return self.having(notifications=tuple(ledger.values()))

    def suppress(self, request: str, moments: tuple[Moment, ...], why: str, now: datetime) -> Self:
        """Write planned nudges into the ledger that will not be sent, with the reason."""
        lines = tuple(
            Delivered(
                key=notice_key(request, moment.stage, moment.person),
                stage=moment.stage,
                person=moment.person,
                channel=Channel.PUSH,
                outcome=Outcome.SUPPRESSED,
                why=why,
            )
            for moment in moments
        )
        return self.told(lines, now)

    def escalated(self, moments: tuple[Moment, ...], now: datetime) -> Self:
        """Write down whom the silent signers' request was escalated to."""
        entries = tuple(
            EscalationEntry(from_=moment.person, to=moment.to, reason="escalation", at=now) for moment in moments
        )
        return self.having(escalations=self.escalations + entries)

    def trouble(self, code: Code, says: str, now: datetime, probe_at: datetime) -> Self:
        """Something of ours is wrong: the clocks stand from now on until `mended`."""
        since = self.problem.since if self.problem else now
        problem = Problem(code=code, since=since, says=says)
        known = self.having(problem=problem, probe_at=probe_at)
        return known if self.problem and self.problem.code is code else known._note(now, f"problem {code}", None, says)

    def mended(self, now: datetime) -> Self:
        """The trouble is over: every offset that counts from a past instant moves by the time it took."""
        if self.problem is None or (self.status.ended and self.problem.code.terminal):
            return self
        pause = now - self.problem.since
        moved = self.having(
            problem=None,
            probe_at=None,
            agenda=None,
            signatures=self.signatures.shift(pause),
            window_from=self.window_from + pause if self.window_from else None,
        )
        return moved._note(now, "problem mended", None, self.problem.code)

    def hand_off(self, targets: tuple[Target, ...], notices: tuple[Target, ...]) -> Self:
        """Open the fan-out ledger at the instant of settlement; repeated, it changes nothing."""
        if self.handoff.entries or self.settled_at is None:
            return self
        return self.having(handoff=HandoffLedger.open(targets, notices, self.settled_at))

    def handed_off(self, results: tuple[HandoffResult, ...], now: datetime) -> Self:
        """Write down what became of targets, and of the notices among them."""
        lines = tuple(line for result in results for line in result.delivered)
        return self.having(handoff=self.handoff.record(results, now)).told(lines, now)

    def _sent(self, now: datetime) -> Self:
        if self.sent_at is not None:
            return self
        begun = self.having(sent_at=now, window_from=now, signatures=self.signatures.begin(now))
        return begun._note(now, "sent", "core-signature", None)

    def _with_signers(self, seen: DocumentSeen, now: datetime) -> Self:
        signatures = self.signatures.record(seen.signers, now)
        if signatures == self.signatures:
            return self
        known = self.having(signatures=signatures)
        if signatures.turns != self.signatures.turns:
            known = known.having(agenda=None)
        for before, after in zip(self.signatures.signers, signatures.signers, strict=True):
            if after.state is not before.state and after.state not in (SignerState.WAITING, SignerState.TURN):
                known = known._note(now, after.state, after.person, after.reason)
        return known

    def _noting_unknown(self, seen: DocumentSeen, now: datetime) -> Self:
        if seen.status is not None or seen.raw == self.raw:
            return self
        return self.having(raw=seen.raw)._note(now, f"unknown status {seen.raw}", "core-signature", None)

    def _end(self, status: Status, now: datetime, code: Code | None) -> Self:
        meant = self.ending if self.ending and self.ending.outcome is status else None
        problem = self.problem if self.problem and self.problem.code is code else None
        if code is not None and problem is None:
            problem = Problem(code=code, since=now, says=f"Core Signature reports {code}")
        ended = self.having(status=status, settled_at=now, agenda=None, problem=problem, probe_at=None)
        return ended._note(now, status, meant.who if meant else None, meant.why if meant else code)

    def _note(self, now: datetime, what: str, who: str | None, why: str | None) -> Self:
        return self.having(timeline=(*self.timeline, TimelineEntry(at=now, what=what, who=who, why=why)))


def _completed(earlier: Delivered | None, later: Delivered) -> Delivered:
    if earlier is None:
        return later
    devices = {one.device: one for one in (*earlier.devices, *later.devices)}
    better = earlier if earlier.outcome is Outcome.ACCEPTED else later
    return later.having(outcome=better.outcome, why=better.why, channel=better.channel, devices=tuple(devices.values()))


def _states(progress: Progress) -> tuple[SignerState, ...]:
    return tuple(signer.state for signer in progress.signatures.signers)


def _status(progress: Progress, seen: DocumentSeen) -> Status:
    if seen.status is None or seen.status.rank < progress.status.rank:
        return progress.status
    if seen.status is Status.CANCELLED and progress.ending:
        return progress.ending.outcome
    return seen.status


class SignatureRequest(Model):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    brief: Brief
    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    fingerprint: str = ""
    subscribers: tuple[str, ...] = ()
    carried: Progress | None = None


class Observation(Model):
    """Read the document, and what is needed to write the settled record if it has ended.

    `document` is None when there is nothing to read: the record is then written from `progress` alone.
    """

    request: SignatureRequest
    progress: Progress
    document: str | None
    run_id: str
    now: AwareDatetime
