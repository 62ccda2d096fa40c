"""How far one request has come: what the provider's document says and does to the memory of a follow-up."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Self

from pydantic import AwareDatetime

from workflows.follow_up.awaited import Slot
from workflows.follow_up.options import LOOK_AGAIN, LOOK_AGAIN_IN_DOUBT, LOOK_AGAIN_UNSENT
from workflows.follow_up.stages import NotificationType
from workflows.follow_up.words import FollowUpWords, Precondition
from workflows.model.attention import Attention, AttentionCode
from workflows.model.entries import Reassignment, TimelineEntry
from workflows.model.happened import EventType
from workflows.model.notices import NoticeAction
from workflows.model.planning import EscalationReason, Reason
from workflows.model.provider import DocumentSeen, ProviderEvent
from workflows.model.request import SignatureBrief, SignerState
from workflows.model.subject import Code, Role, Status
from workflows.model.wishes import Problem
from workflows.signature.early import UnconfirmedSignature
from workflows.signature.sending import SendingState
from workflows.signature.signatures import SignerSlots

EVENTS_REMEMBERED = 100
"""Enough to recognise a repeated callback; one that is older is read again and changes nothing."""
ID_AT_MOST = 64
"""Characters of an event's id, which is a uuid or a digest; of a longer one its digest is remembered."""
_NEVER_SENT = (Status.CONVERTING, Status.FAILED, Status.CANCELLED)
"""What a document that was converting until now has not passed through sending for: nobody was asked yet."""
_NO_NEWS = (SignerState.WAITING, SignerState.TURN, SignerState.REASSIGNED)
"""States of a signer that the timeline does not tell of: a hand-over has a line of its own."""
_ACTIONS = {Role.SIGN: NoticeAction.SIGN, Role.APPROVE: NoticeAction.APPROVE, Role.COPY: NoticeAction.OPEN}


class SignatureState(SendingState):
    """The memory of one request."""

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
    """The document was read after this instant: who had not acted there, acts later, whatever its clock says."""
    events_seen: tuple[str, ...] = ()
    unread: bool = False
    early: UnconfirmedSignature = UnconfirmedSignature()
    mails_endings: bool = True

    @property
    def awaited(self) -> SignerSlots:
        """The signers."""
        return self.signatures

    def action_of(self, person: str) -> NoticeAction:
        """What their role asks of a signer."""
        signer = self.signatures.of(person)
        return _ACTIONS[signer.role] if signer else NoticeAction.OPEN

    @property
    def current_status(self) -> Status:
        """Opened only while somebody whose turn it is has opened it: the document remembers whoever ever did.

        Before anybody has acted the document is believed, for only it says of some that they have opened it.
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
        """Act on what is known already: read what a callback has hinted at, end, await the conversion."""
        if self.unread and self.document:
            yield Precondition.LOOK
        yield from super().firsts()

    def to_report(self) -> Iterator[tuple[str, str]]:
        """Of a signer whose mail came back as well, whose right address nobody else can know."""
        for signer in self.signatures.pending:
            if signer.state is SignerState.BOUNCED:
                yield NotificationType.BOUNCED, signer.person
        yield from super().to_report()

    def attention(self) -> Iterator[Attention]:
        """Mail of Core Signature that came back, a document that it does not send."""
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
        """Core Signature mails signers of it, with the copy, unless that is switched off."""
        return not self.mails_endings

    def was_asked(self, place: Slot) -> bool:
        """Whoever only gets a copy is asked nothing, and hears of what was signed."""
        signer = self.signatures.of(place.person)
        is_copied = signer is not None and signer.role is Role.COPY and self.status is Status.SIGNED
        return super().was_asked(place) or is_copied

    def look_at(self, now: datetime) -> datetime:
        """A week after the document was read much may be unknown; an hour while it is stuck, a minute in doubt."""
        unstuck = LOOK_AGAIN_IN_DOUBT if self.early.in_doubt else LOOK_AGAIN
        return (self.read_at or now) + (LOOK_AGAIN_UNSENT if self.stuck else unstuck)

    def to_look(self) -> Self:
        """Have the document read; what is planned while nobody was asked needs no other plan."""
        return (self if self.stuck else super().to_look()).replace(unread=True)

    def carried_over(self) -> Self:
        """A callback that came between two runs may be lost: the next one reads the document first."""
        return super().carried_over().replace(unread=self.document is not None and not self.recorded)

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        """Ask `to` to sign instead of `person`."""
        return self.replace(signatures=self.signatures.reassign(person, to, now))

    def shift_turns(self, since: datetime, now: datetime) -> Self:
        """Move the clocks of the signers whose turn it is."""
        return self.replace(signatures=self.signatures.shift(since, now))

    @classmethod
    def begin(cls, brief: SignatureBrief, now: datetime) -> Self:
        """A request nobody has been asked about yet."""
        return cls(
            request=brief.id,
            started_at=now,
            signatures=SignerSlots.expect(brief.people),
            timeline=(TimelineEntry(at=now, happened=EventType.STARTED, who=brief.requester),),
        )

    def notify_of(self, event: ProviderEvent) -> Self:
        """Remember a callback: a hint that the document should be read; a repeated one changes nothing."""
        told = dict.fromkeys(map(_known_as, event.ids[:EVENTS_REMEMBERED]))
        new = [id for id in told if id not in self.events_seen]
        if not new or self.recorded:
            return self
        known = self.replace(early=self.early.hinted(event), unread=True)
        return known.replace(events_seen=(*self.events_seen, *new)[-EVENTS_REMEMBERED:])

    def acted_late(self, place: Slot) -> bool:
        """Whether somebody signed, and did so after the due date."""
        signer = self.signatures.of(place.person)
        if signer is None or signer.signed_at is None or self.due_at is None:
            return False
        return signer.signed_at > self.due_at

    def observe(self, seen: DocumentSeen, now: datetime, asked_at: datetime | None = None) -> Self:
        """What the provider's document says, believed; never backwards, and an ending stays.

        `asked_at` is when it was asked for.
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
        # One that we let expire is cancelled there.
        sent = cast._sent(now) if (seen.status or status) not in _NEVER_SENT else cast
        known = sent._with_signers(seen, now, self.known_since)._noting_unknown(seen, now)
        if status.ended:
            return known._end(status, now, seen.code)
        return known.replace(status=status)

    def would_change(self, seen: DocumentSeen) -> bool:
        """Whether believing this document would change where the request or a signer stands."""
        after = self.observe(seen, self.started_at)
        return (after.status, _states(after)) != (self.status, _states(self))

    def end_unseen(self, now: datetime) -> Self:
        """End with the outcome that was asked for, because the provider never had the request."""
        if self.ending is None:
            raise ValueError("nobody asked for an ending")
        return self._end(self.ending.outcome, now, None)

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
        signatures = self.signatures.begin(now)
        begun = self.replace(probe_at=None, sent_at=now, window_from=now, signatures=signatures).replan()
        return begun.note(now, EventType.SENT, "core-signature", None)

    def _with_signers(self, seen: DocumentSeen, now: datetime, known_since: datetime | None) -> Self:
        signatures = self.signatures.record(seen.signers, now, seen.turn, known_since)
        if signatures == self.signatures:
            return self
        known = self
        for before, after in zip(self.signatures.signers, signatures.signers, strict=True):
            if after.state is not before.state and after.state not in _NO_NEWS:
                known = known.note(now, EventType(after.state), after.person, after.reason, said=True)
            if after.acted and not before.acted:
                known = known.giving_up((after.person,), Reason.SIGNED, now)
        turns_changed = signatures.turns != self.signatures.turns
        known = known.replace(signatures=signatures)
        known = known.replan() if turns_changed else known
        # Last, because it may move the clocks of those who have not acted.
        for signer in signatures.signers:
            known = known.answering_themselves(signer.person, now) if signer.acted else known
        return known

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


def _states(progress: SignatureState) -> tuple[SignerState, ...]:
    return tuple(signer.state for signer in progress.signatures.signers)


def _status(progress: SignatureState, seen: DocumentSeen) -> Status:
    if seen.status is None or seen.status.rank < progress.status.rank:
        return progress.status
    if seen.status is Status.CANCELLED and progress.ending:
        return progress.ending.outcome
    return seen.status
