"""The state of a signature request, and what reading the provider's document changes. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Self

from pydantic import AwareDatetime

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.options import LOOK_AGAIN, LOOK_AGAIN_IN_DOUBT, LOOK_AGAIN_UNSENT
from workflows.follow_up.slots import Slot
from workflows.follow_up.state import FollowUpState, FollowUpWords, Precondition
from workflows.model.base import Model, Packed
from workflows.model.commands import Problem, StopKind
from workflows.model.notifications import NoticeAction
from workflows.model.schedule import ActionType, EscalationReason, Reason, ScheduledAction
from workflows.model.signature import SENT, SIGNER_SIGNED, DocumentSeen, ProviderEvent, SignatureBrief, SignerState
from workflows.model.subject import Code, Role, Status, Subject
from workflows.model.timeline import EventType, Reassignment, TimelineEntry
from workflows.model.views import Attention, AttentionCode
from workflows.signature.signers import SignerSlots

_LOOKS_OF_AN_HOUR = 8
"""Reads of a document in conversion after `probe_pause`s, which takes more than an hour only by a failure."""
_HEARD_AFTER = (timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""Time after creation when the requester is told that it is unsent."""
_MADE_WITHIN = timedelta(minutes=15)
"""Usual time from start to creation."""
_UNMADE = "it was never made at Core Signature"
_UNSENT = "it was never sent: Core Signature was still preparing the document"


class SendingState(FollowUpState):
    """Sending of the document, in the state."""

    status: Status = Status.CONVERTING
    made_at: AwareDatetime | None = None
    read_at: AwareDatetime | None = None

    @property
    def preparing(self) -> bool:
        return self.status is Status.CONVERTING

    @property
    def stuck(self) -> bool:
        """Whether it is unsent after a reasonable time; it is then followed up as far as possible."""
        return self.preparing and self.probes >= _LOOKS_OF_AN_HOUR

    @property
    def is_to_be_made(self) -> bool:
        return not (self.document or self.ending or self.status.ended)

    def is_late_to_be_made(self, now: datetime) -> bool:
        """Whether its creation is overdue because of an outage or a pause."""
        return now - self.started_at >= _MADE_WITHIN

    def expiry_by(self, now: datetime) -> ScheduledAction | None:
        """The instant at which it expired, if that has passed by now."""
        moments = self.agenda.moments if self.agenda else ()
        return next((one for one in moments if one.kind is ActionType.EXPIRE and one.at <= now), None)

    @property
    def _unsent_for(self) -> timedelta:
        return self.read_at - self.made_at if self.read_at and self.made_at else timedelta()

    def firsts(self) -> Iterator[Precondition]:
        """See `FollowUpState`; last the document is created and its conversion awaited."""
        yield from super().firsts()
        if self.preparing and not (self.stuck or (self.is_to_be_made and self.stop(StopKind.PAUSE))):
            yield Precondition.PREPARE

    def to_report(self) -> Iterator[tuple[str, str]]:
        """See `FollowUpState`; also of a document that is not sent."""
        if self.stuck and (rung := sum(pause <= self._unsent_for for pause in _HEARD_AFTER)):
            yield notification_types.not_sent(rung), ""
        yield from super().to_report()

    def attention(self) -> Iterator[Attention]:
        if self.stuck:
            says = f"{self.words.preparing}, and nobody is asked before it has"
            yield Attention(code=AttentionCode.NOT_ASKED, since=self.made_at or self.started_at, says=says)

    def expire(self, moment: ScheduledAction, now: datetime) -> Self:
        """See `FollowUpState`; the reason says that nobody was asked."""
        unasked = _UNMADE if self.is_to_be_made else _UNSENT if self.preparing else None
        return super().expire(moment.replace(why=f"{moment.why}; {unasked}") if unasked else moment, now)


class UnconfirmedSignature(Model):
    """Whether callbacks have `told` of a signature since the last reading, and whether that reading showed none
    (`in_doubt`), so that the document is read once more.
    """

    told: bool = False
    in_doubt: bool = False

    def hinted(self, event: ProviderEvent) -> Self:
        return self.replace(told=True) if event.type == SIGNER_SIGNED else self

    def read(self, *, told: bool, shows: bool) -> Self:
        """After a reading; `told` says whether it was for callbacks of a signature."""
        return self.replace(in_doubt=told and not shows)


EVENTS_REMEMBERED = 100
"""Enough to recognise a repeated callback; an older one causes a read without effect."""
ID_AT_MOST = 64
"""Characters of an event's id; of a longer one its digest is remembered."""
_NEVER_SENT = (Status.CONVERTING, Status.FAILED, Status.CANCELLED)
"""States that a document cannot have passed without being sent."""
_NO_NEWS = (SignerState.WAITING, SignerState.TURN, SignerState.REASSIGNED)
"""Signer states without a timeline entry; a reassignment has its own."""
_ACTIONS = {Role.SIGN: NoticeAction.SIGN, Role.APPROVE: NoticeAction.APPROVE, Role.COPY: NoticeAction.OPEN}


class SignatureState(SendingState):
    words = FollowUpWords(
        subject="request",
        awaited="signer",
        wanted="a signature",
        not_the_owner="the signature and cannot give it",
        cancelling="cancel it at Core Signature",
        closing=" at Core Signature",
        decides="core-signature",
        preparing="Core Signature is preparing the document",
        failures={
            Code.ID_USED_BEFORE: "the id was used before at Core Signature",
            Code.DOCUMENT_DELETED: "the document was deleted at Core Signature",
            Code.CONVERT_ERROR: "Core Signature could not convert the document",
            Code.SENDING_ERROR: "Core Signature could not send the document",
        },
    )

    signatures: SignerSlots
    raw: str | None = None
    sent_at: AwareDatetime | None = None
    known_since: AwareDatetime | None = None
    """The last read began after this instant: whoever had not acted acted later, whatever their timestamps."""
    events_seen: tuple[str, ...] = ()
    unread: bool = False
    said_sent: bool = False
    """A callback since the last read said that the document was sent."""
    early: UnconfirmedSignature = UnconfirmedSignature()
    mails_endings: bool = True

    @property
    def awaited(self) -> SignerSlots:
        return self.signatures

    def action_of(self, person: str) -> NoticeAction:
        signer = self.signatures.of(person)
        return _ACTIONS[signer.role] if signer else NoticeAction.OPEN

    @property
    def current_status(self) -> Status:
        """`opened` only while a pending signer has opened it: the document keeps it for ever.

        Before anybody acted the document's status is used, because some signers' opening shows only there.
        """
        if self.status is not Status.VIEWED:
            return self.status
        opened = any(one.state is SignerState.VIEWED for one in self.signatures.pending)
        return Status.VIEWED if opened or not self.signatures.acted else Status.SENT

    @property
    def phase(self) -> str:
        """`sending` until the signers are asked, then `signing`."""
        return "signing" if self.sent_at else "sending"

    def firsts(self) -> Iterator[Precondition]:
        """Preconditions: read after a callback, end, await the conversion."""
        if self.unread and self.document:
            yield Precondition.LOOK
        elif self.said_sent and self.document and self.preparing and not self.ending:
            yield Precondition.BEGIN
        yield from super().firsts()

    def to_report(self) -> Iterator[tuple[str, str]]:
        """Also signers whose mail bounced: only the requester can know the right address."""
        for signer in self.signatures.pending:
            if signer.state is SignerState.BOUNCED:
                yield NotificationType.BOUNCED, signer.person
        yield from super().to_report()

    def attention(self) -> Iterator[Attention]:
        yield from super().attention()
        bounced = [signer for signer in self.signatures.pending if signer.state is SignerState.BOUNCED]
        if bounced:
            yield Attention(
                code=AttentionCode.MAIL_BOUNCED,
                since=min(signer.at or self.started_at for signer in bounced),
                says=f"Core Signature's mail to {', '.join(signer.person for signer in bounced)} came back",
            )

    @property
    def tells_of_success(self) -> bool:
        """Core Signature mails the signers a copy, unless that is switched off."""
        return not self.mails_endings

    def was_asked(self, place: Slot) -> bool:
        """Copies were not asked, but hear of a signed document."""
        signer = self.signatures.of(place.person)
        is_copied = signer is not None and signer.role is Role.COPY and self.status is Status.SIGNED
        return super().was_asked(place) or is_copied

    def look_at(self, now: datetime) -> datetime:
        """A week after the last reading; an hour while stuck, a minute in doubt."""
        unstuck = LOOK_AGAIN_IN_DOUBT if self.early.in_doubt else LOOK_AGAIN
        return (self.read_at or now) + (LOOK_AGAIN_UNSENT if self.stuck else unstuck)

    def to_look(self) -> Self:
        """Have the document read; before anybody was asked no new plan is needed."""
        return (self if self.stuck else super().to_look()).replace(unread=True)

    def carried_over(self) -> Self:
        """The next run reads the document first: a callback between runs may be lost."""
        return super().carried_over().replace(unread=self.document is not None and not self.recorded)

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        return self.replace(signatures=self.signatures.reassign(person, to, now))

    def shift_turns(self, since: datetime, now: datetime) -> Self:
        return self.replace(signatures=self.signatures.shift(since, now))

    @classmethod
    def begin(cls, brief: SignatureBrief, now: datetime) -> Self:
        return cls(
            request=brief.id,
            started_at=now,
            signatures=SignerSlots.expect(brief.people),
            timeline=(TimelineEntry(at=now, happened=EventType.STARTED, who=brief.requester),),
        )

    def notify_of(self, event: ProviderEvent) -> Self:
        """Record a callback as a hint to read the document; a repeated event changes nothing."""
        told = dict.fromkeys(map(_known_as, event.ids[:EVENTS_REMEMBERED]))
        new = [id for id in told if id not in self.events_seen]
        if not new or self.recorded:
            return self
        sent = event.type == SENT and not event.also and self.preparing
        updated = self.replace(
            early=self.early.hinted(event), unread=self.unread or not sent, said_sent=self.said_sent or sent
        )
        return updated.replace(events_seen=(*self.events_seen, *new)[-EVENTS_REMEMBERED:])

    def begun(self, now: datetime) -> Self:
        """The signers are asked, as a callback said."""
        return self.replace(status=Status.SENT, said_sent=False)._sent(now)

    def acted_late(self, place: Slot) -> bool:
        signer = self.signatures.of(place.person)
        if signer is None or signer.signed_at is None or self.due_at is None:
            return False
        return signer.signed_at > self.due_at

    def observe(self, seen: DocumentSeen, now: datetime, asked_at: datetime | None = None) -> Self:
        """Merge the document as read; states never go back and an ending stays.

        `asked_at` is when the reading began.
        """
        read = self.replace(
            document=seen.document,
            made_at=self.made_at or now,
            read_at=now,
            known_since=asked_at or self.known_since,
            mails_endings=seen.mails_endings,
        )
        if self.status.ended:
            return read
        status = _status(self, seen)
        cast = read._substituted(seen, now)
        # A request that we let expire is cancelled at the provider.
        sent = cast._sent(now) if (seen.status or status) not in _NEVER_SENT else cast
        updated = sent._with_signers(seen, now, self.known_since)._noting_unknown(seen, now)
        if status.ended:
            return updated._end(status, now, seen.code)
        return updated.replace(status=status)

    def would_change(self, seen: DocumentSeen) -> bool:
        """Whether merging this document changes a status of request or signer."""
        after = self.observe(seen, self.started_at)
        return (after.status, _states(after)) != (self.status, _states(self))

    def end_unseen(self, now: datetime) -> Self:
        """End as requested, because the provider never had the request."""
        if self.ending is None:
            raise ValueError("nobody asked for an ending")
        return self._end(self.ending.outcome, now, None)

    def _substituted(self, seen: DocumentSeen, now: datetime) -> Self:
        updated = self
        for one in seen.substituted:
            if updated.signatures.of(one.to) is None:
                absence = EscalationReason.ABSENCE
                done = Reassignment(from_=one.from_, to=one.to, reason=absence, who="countersign")
                updated = updated.reassigned(done, now)
        return updated

    def _sent(self, now: datetime) -> Self:
        if self.sent_at is not None:
            return self
        signatures = self.signatures.begin(now)
        begun = self.replace(probe_at=None, sent_at=now, window_from=now, signatures=signatures).replan()
        return begun.note(now, EventType.SENT, "core-signature", None)

    def _with_signers(self, seen: DocumentSeen, now: datetime, known_since: datetime | None) -> Self:
        signatures = self.signatures.record(seen.signers, now, seen.turn, known_since)
        if signatures == self.signatures:
            return self
        updated = self
        for before, after in zip(self.signatures.signers, signatures.signers, strict=True):
            if after.state is not before.state and after.state not in _NO_NEWS:
                updated = updated.note(now, EventType(after.state), after.person, after.reason, said=True)
            if after.acted and not before.acted:
                updated = updated.giving_up((after.person,), Reason.SIGNED, now)
        turns_changed = signatures.turns != self.signatures.turns
        updated = updated.replace(signatures=signatures)
        updated = updated.replan() if turns_changed else updated
        # Last, because it may move the clocks of those who have not acted.
        for signer in signatures.signers:
            updated = updated.answering_themselves(signer.person, now) if signer.acted else updated
        return updated

    def _end(self, status: Status, now: datetime, code: Code | None) -> Self:
        problem = self.problem if self.problem and self.problem.code is code else None
        if code is not None and problem is None:
            problem = Problem(code=code, since=now, says=f"Core Signature reports {code}")
        return self.end(status, now, by=self.words.decides, problem=problem)

    def _noting_unknown(self, seen: DocumentSeen, now: datetime) -> Self:
        if seen.status is not None or seen.raw == self.raw:
            return self
        return self.replace(raw=seen.raw).note(now, EventType.UNKNOWN_STATUS, "core-signature", None, about=seen.raw)


def _known_as(id: str) -> str:
    return id if len(id) <= ID_AT_MOST else sha256(id.encode(errors="surrogatepass")).hexdigest()


def _states(state: SignatureState) -> tuple[SignerState, ...]:
    return tuple(signer.state for signer in state.signatures.signers)


def _status(state: SignatureState, seen: DocumentSeen) -> Status:
    if seen.status is None or seen.status.rank < state.status.rank:
        return state.status
    if seen.status is Status.CANCELLED and state.ending:
        return state.ending.outcome
    return seen.status


class SignatureInput(FollowUpInput):
    """Input; `carried` is set by continue-as-new only."""

    brief: SignatureBrief
    carried: Packed[SignatureState | None] = None

    @property
    def subject(self) -> Subject:
        return self.brief.subject

    @property
    def first_turn(self) -> tuple[str, ...]:
        """The signers of the lowest order."""
        signers = [one for one in self.brief.people if one.role is not Role.COPY]
        first = min((one.order for one in signers), default=0)
        return tuple(one.person for one in signers if one.order == first)
