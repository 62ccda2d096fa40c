"""Signature requests: the signers, the state, what reading the provider's document changes, view and end. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final, Self

from pydantic import AwareDatetime

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.notification_log import PendingDevice
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.options import LOOK_AGAIN, LOOK_AGAIN_IN_DOUBT, LOOK_AGAIN_UNSENT
from workflows.follow_up.plan import Plan
from workflows.follow_up.slots import Slot, Slots
from workflows.follow_up.state import FollowUpState, FollowUpWords, Lifecycle, Precondition
from workflows.follow_up.view import follow_up_facts
from workflows.model.base import Model
from workflows.model.commands import Problem, StopKind
from workflows.model.evidence import KeptFiles
from workflows.model.hand_off import SettledRequest, SettledSigner
from workflows.model.messages import Message
from workflows.model.notifications import DeliveryResult, NoticeAction
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import WHEN_DUE, Overdue
from workflows.model.rejections import Rejection
from workflows.model.schedule import ActionType, EscalationReason, PlanningInput, Reason, ScheduledAction
from workflows.model.signature import (
    SENT,
    SIGNER_SIGNED,
    Document,
    DocumentVersion,
    ProviderEvent,
    ReportedDocument,
    ReportedSigner,
    Reviewer,
    SignatureBrief,
    SignerState,
)
from workflows.model.subject import Code, Identity, Participant, Role, Status, Subject, Verify
from workflows.model.timeline import EventType, Reassignment
from workflows.model.views import Attention, AttentionCode, Choices, RequestShow, ReviewLine, SignerLine
from workflows.names import TAKE_PLACE, noticed_as

_RANK = {
    SignerState.WAITING: 0,
    SignerState.TURN: 1,
    SignerState.BOUNCED: 2,
    SignerState.VIEWED: 3,
    SignerState.SIGNED: 4,
    SignerState.APPROVED: 4,
    SignerState.DECLINED: 4,
    SignerState.REASSIGNED: 4,
    SignerState.COPIED: 4,
    SignerState.CHANGES: 4,
    SignerState.SPARED: 4,
    SignerState.EXEMPT: 4,
    SignerState.REVISED: 4,
}
_ACTED = 4
_SIGNED = (SignerState.SIGNED, SignerState.APPROVED)
_LOOKS_OF_AN_HOUR = 8
"""Reads of a document in conversion after `probe_pause`s, which takes more than an hour only by a failure."""
_HEARD_AFTER = (timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""Time after creation when the requester is told that it is unsent."""
_MADE_WITHIN = timedelta(minutes=15)
"""Usual time from start to creation."""
BELIEVED_WITHIN: Final = timedelta(minutes=1)
"""Age of a callback `sent` that is believed without reading the document."""
EVENTS_REMEMBERED = 100
"""Enough to recognise a repeated callback; an older one causes a read without effect."""
ID_AT_MOST = 64
"""Characters of an event's id; of a longer one its digest is remembered."""
_NEVER_SENT = (Status.CONVERTING, Status.FAILED, Status.CANCELLED)
"""States that a document cannot have passed without being sent."""
_NO_NEWS = (SignerState.WAITING, SignerState.TURN, SignerState.REASSIGNED, SignerState.SPARED)
"""Signer states without a timeline entry; a reassignment and a place that is taken have their own."""
_ACTIONS = {
    Role.SIGN: NoticeAction.SIGN,
    Role.APPROVE: NoticeAction.APPROVE,
    Role.COPY: NoticeAction.OPEN,
    Role.REVIEW: NoticeAction.REVIEW,
    Role.REVISE: NoticeAction.REVISE,
}
_WORDS: Final = FollowUpWords(
    subject="request",
    awaited="signer",
    awaited_action="a signature",
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
_REVIEW_WORDS: Final = FollowUpWords(
    subject="request",
    awaited="reviewer",
    awaited_action="a review",
    not_the_owner="the review and cannot give it",
    cancelling="end it",
)


class SignerSlot(Slot):
    order: int
    role: Role
    state: SignerState = SignerState.WAITING
    at: AwareDatetime | None = None
    reason: str | None = None
    signed_at: AwareDatetime | None = None
    """When they signed or approved, for what is due: not before they were known not to have."""
    team: str = ""
    """Of a team one suffices."""
    verify: Verify | None = None
    beside: bool = False
    """Whether Core Signature asks another of their group."""
    taken_at: AwareDatetime | None = None
    """When they took the place of their group."""

    @property
    def shares_place(self) -> bool:
        return self.team != "" and self.role is not Role.REVIEW

    @property
    def participant(self) -> Participant:
        return Participant(**{name: getattr(self, name) for name in Participant.model_fields})

    @property
    def spared(self) -> bool:
        return self.state is SignerState.SPARED

    @property
    def acted(self) -> bool:
        """Whether nothing more is expected of them."""
        return _RANK[self.state] == _ACTED

    @property
    def replaced(self) -> bool:
        return self.state is SignerState.REASSIGNED

    @property
    def pending(self) -> bool:
        """Whether it is their turn, the request waits for them, and they have not acted."""
        return self.expected and super().pending

    @property
    def is_verified(self) -> bool:
        return self.verify is not None

    @property
    def expected(self) -> bool:
        """Whether the request ever waits for them; never for a copy."""
        return self.role is not Role.COPY


class SignerSlots(Slots[SignerSlot]):
    """In the order of the request file: the signers, or before them the reviewers."""

    signers: tuple[SignerSlot, ...]

    @property
    def everyone(self) -> tuple[SignerSlot, ...]:
        return self.signers

    @property
    def acted(self) -> tuple[str, ...]:
        return tuple(signer.person for signer in self.signers if signer.acted)

    @classmethod
    def expect(cls, signers: tuple[Participant, ...]) -> Self:
        """Before sending: nobody's turn."""
        return cls(signers=tuple(SignerSlot(**dict(signer)) for signer in signers))

    @classmethod
    def review(cls, reviewers: tuple[Reviewer, ...], now: datetime) -> Self:
        """A round of review: the first in order are asked at once."""
        slots = (
            SignerSlot(person=reviewer.person, order=reviewer.order, role=reviewer.role, team=reviewer.team)
            for reviewer in reviewers
        )
        return cls(signers=tuple(slots))._advance(now)

    def reviewed(self, person: str, state: SignerState, now: datetime, reason: str | None = None) -> Self:
        """A reviewer has acted: of their team nobody else needs to, and of a document to be changed nobody does."""
        reviewer_slot = self.find(person)
        team, changes = reviewer_slot.team if reviewer_slot else "", state is SignerState.CHANGES

        def update_slot(slot: SignerSlot) -> SignerSlot:
            if slot.person == person:
                return slot.replace(state=state, at=now, reason=reason)
            spared = changes or (state is SignerState.APPROVED and slot.team != "" and slot.team == team)
            return slot.replace(state=SignerState.SPARED, at=now) if spared and not slot.acted else slot

        return self.replace(signers=tuple(map(update_slot, self.signers)))._advance(now)

    def revise(self, person: str, now: datetime) -> Self:
        """It is the turn of the requester, who is to give a new version."""
        slot = SignerSlot(person=person, order=0, role=Role.REVISE, state=SignerState.TURN, turn_at=now, clock_from=now)
        return self.replace(signers=(*self.signers, slot))

    def revised(self, now: datetime, changes: str | None) -> Self:
        """They have given it; `changes` are their words about it."""

        def revise_slot(slot: SignerSlot) -> SignerSlot:
            has_revised = slot.role is Role.REVISE and slot.pending
            return slot.replace(state=SignerState.REVISED, at=now, reason=changes) if has_revised else slot

        return self.replace(signers=tuple(map(revise_slot, self.signers)))

    @property
    def reviewers(self) -> tuple[Reviewer, ...]:
        """Of the next round: who has them now, without those who are exempt."""
        excluded_states = (SignerState.REASSIGNED, SignerState.EXEMPT)
        return tuple(
            Reviewer(person=slot.person, order=slot.order, team=slot.team)
            for slot in self.signers
            if slot.role is Role.REVIEW and slot.state not in excluded_states
        )

    def begin(self, now: datetime) -> Self:
        """Give the turn to the first in order; idempotent."""
        return self._advance(now)

    def record(
        self,
        provider_signers: tuple[ReportedSigner, ...],
        now: datetime,
        turn: int | None = None,
        known_since: datetime | None = None,
    ) -> Self:
        """Merge the provider's signers, in any order and repeated; states never go back. A person who acts now had not
        acted at `known_since`. `turn` is the lowest open order there, also of foreign signers. Before `begin` it is
        nobody's turn.
        """
        by_person = {signer.person: signer for signer in provider_signers}
        signers = tuple(_recorded(signer, by_person.get(signer.person), now, known_since) for signer in self.signers)
        recorded = self.replace(signers=signers)._spare_groups(now)
        return recorded._advance(now, turn) if any(signer.turn_at for signer in signers) else recorded

    def reassign(self, person: str, successor: str, now: datetime) -> Self:
        """With its turn; idempotent."""
        former_slot = self.find(person)
        if former_slot is None or self.find(successor) is not None:
            return self
        turn_at = now if former_slot.turn_at else None
        state = SignerState.TURN if former_slot.turn_at else SignerState.WAITING
        new = SignerSlot(
            person=successor,
            order=former_slot.order,
            role=former_slot.role,
            state=state,
            turn_at=turn_at,
            clock_from=turn_at,
            team=former_slot.team,
            verify=former_slot.verify,
            taken_at=former_slot.taken_at,
        )
        replaced_slot = former_slot.replace(state=SignerState.REASSIGNED, at=now)
        return self.replace(
            signers=tuple(
                signer for s in self.signers for signer in ((replaced_slot, new) if s is former_slot else (s,))
            )
        )

    def holder_of(self, person: str) -> SignerSlot | None:
        """Whom Core Signature asks in the place of this person: themselves, or another of their group."""
        slot = self.find(person)
        if slot is None or not slot.beside:
            return slot
        return next(
            (member for member in self.signers if member.team == slot.team and not (member.beside or member.replaced)),
            None,
        )

    def taker_of(self, team: str) -> SignerSlot | None:
        """Who has taken the place of this group, or has acted in it."""
        members = [slot for slot in self.signers if slot.team == team and not (slot.replaced or slot.spared)]
        return next((slot for slot in members if slot.taken_at or slot.acted), None)

    def take(self, person: str, taken_at: datetime | None) -> Self:
        """Only they are now to sign for their group, or, with None, anybody again."""
        return self.replace(
            signers=tuple(slot.replace(taken_at=taken_at) if slot.person == person else slot for slot in self.signers)
        )

    def settle_place(self, person: str, now: datetime) -> Self:
        """Core Signature asks this person for their group, and nobody else of it needs to act."""
        taker_slot = self.find(person)
        team = taker_slot.team if taker_slot else ""

        def update_slot(slot: SignerSlot) -> SignerSlot:
            if slot.person == person:
                return slot.replace(beside=False, taken_at=slot.taken_at or now)
            if slot.team != team or not slot.shares_place or slot.acted:
                return slot
            return slot.replace(state=SignerState.SPARED, at=now, beside=True, taken_at=None)

        return self.replace(signers=tuple(map(update_slot, self.signers)))

    def _spare_groups(self, now: datetime) -> Self:
        """Who was asked at Core Signature has acted: of their group nobody else needs to."""
        filled = {slot.team for slot in self.signers if slot.shares_place and slot.acted and not slot.beside}
        filled -= {slot.team for slot in self.signers if not (slot.acted or slot.beside)}

        def spare_slot(slot: SignerSlot) -> SignerSlot:
            is_released = slot.beside and not slot.acted and slot.team in filled
            return slot.replace(state=SignerState.SPARED, at=now) if is_released else slot

        return self.replace(signers=tuple(map(spare_slot, self.signers)))

    def shift(self, stopped_at: datetime, now: datetime) -> Self:
        return self.replace(signers=tuple(signer.shifted(stopped_at, now) for signer in self.signers))

    @property
    def places(self) -> tuple[Participant, ...]:
        """The signers for the request's view: a replacement directly behind the replaced."""
        return tuple(signer.participant for signer in self.signers)

    @property
    def complete(self) -> bool:
        fulfilled_states = (*_SIGNED, SignerState.REASSIGNED, SignerState.SPARED)
        return all(signer.state in fulfilled_states for signer in self.signers if signer.expected)

    def _advance(self, now: datetime, provider_turn: int | None = None) -> Self:
        turn = min((signer.order for signer in self.signers if signer.expected and not signer.acted), default=None)
        declined = any(signer.state is SignerState.DECLINED for signer in self.signers)
        if declined or turn is None or (provider_turn is not None and provider_turn < turn):
            return self
        return self.replace(signers=tuple(_with_turn(s, now) if s.order == turn else s for s in self.signers))


class UnconfirmedSignature(Model):
    """Whether callbacks have `told` of a signature since the last reading, and whether that reading showed none
    (`in_doubt`), so that the document is read once more.
    """

    told: bool = False
    in_doubt: bool = False

    def hinted(self, event: ProviderEvent) -> Self:
        return self.replace(told=True) if event.type == SIGNER_SIGNED else self

    def read(self, *, had_callbacks: bool, shows: bool) -> Self:
        """After a reading; `told` says whether it was for callbacks of a signature."""
        return self.replace(in_doubt=had_callbacks and not shows)


class EvidenceState(Model):
    """`files` are kept; `in_time` were so before the hand-off began, which tells each target the same at each attempt.

    `problem` says what is missing; `over` once nothing more is tried.
    """

    files: KeptFiles = KeptFiles()
    in_time: KeptFiles | None = None
    problem: Problem | None = None
    over: bool = False

    def with_kept_files(self, files: KeptFiles) -> Self:
        """All that was wanted is there."""
        return self.replace(files=files, in_time=self.in_time or files, problem=None, over=True)

    def missing(self, files: KeptFiles, explanation: str, now: datetime, *, is_final: bool) -> Self:
        """Only these files are there."""
        began_at = self.problem.since if self.problem else now
        problem = Problem(code=Code.EVIDENCE, since=began_at, says=explanation)
        return self.replace(files=files, in_time=self.in_time or files, problem=problem, over=is_final)


class Review(Model):
    """The review before it is sent: its versions, one for each round, and the reviews of earlier rounds."""

    versions: tuple[DocumentVersion, ...] = ()
    earlier: tuple[ReviewLine, ...] = ()
    approved: bool = False
    to_withdraw: tuple[str, ...] = ()
    """Whose phones show a notice of an earlier round."""

    @property
    def round(self) -> int:
        """0 without a review, and after it."""
        return 0 if self.approved else len(self.versions)

    @property
    def people(self) -> tuple[str, ...]:
        """Who reviewed or gave earlier versions."""
        return (*(line.person for line in self.earlier), *(line.by for line in self.versions))

    def with_version(self, document: Document, editor: str, now: datetime) -> Self:
        """With the version of the next round."""
        version = DocumentVersion(**dict(document), number=len(self.versions) + 1, at=now, by=editor)
        return self.replace(versions=(*self.versions, version))


class DocumentState(Model):
    """The document and its review; at Core Signature: its id, when it was made, read and sent, and what callbacks have
    told of it.
    """

    id: str | None = None
    raw: str | None = None
    """An unknown status, as read."""
    made_at: AwareDatetime | None = None
    read_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    known_since: AwareDatetime | None = None
    """The document was read after this instant: who had not acted there, acts later, whatever its clock says."""
    events_seen: tuple[str, ...] = ()
    unread: bool = False
    """Whether it is to be read."""
    said_sent: bool = False
    """A callback has said that the document was sent, since it was read last."""
    unconfirmed: UnconfirmedSignature = UnconfirmedSignature()
    mails_endings: bool = True
    evidence: EvidenceState = EvidenceState()
    review: Review = Review()

    @property
    def unsent_for(self) -> timedelta:
        """Time from creation to the last reading."""
        return self.read_at - self.made_at if self.read_at and self.made_at else timedelta()

    def told_by(self, event: ProviderEvent, *, sent: bool) -> Self:
        """Record a callback as a hint to read the document; a repeated event changes nothing."""
        event_keys = dict.fromkeys(map(_known_as, event.ids[:EVENTS_REMEMBERED]))
        new = [id for id in event_keys if id not in self.events_seen]
        if not new:
            return self
        return self.replace(
            unconfirmed=self.unconfirmed.hinted(event),
            unread=self.unread or not sent,
            said_sent=self.said_sent or sent,
            events_seen=(*self.events_seen, *new)[-EVENTS_REMEMBERED:],
        )

    def merge_document(self, document: ReportedDocument, now: datetime, asked_at: datetime | None) -> Self:
        """The document was read; `asked_at` is when the reading began."""
        return self.replace(
            id=document.document,
            made_at=self.made_at or now,
            read_at=now,
            known_since=asked_at or self.known_since,
            mails_endings=document.mails_endings,
        )


def _with_turn(signer: SignerSlot, now: datetime) -> SignerSlot:
    if not signer.expected or signer.acted or signer.turn_at:
        return signer
    state = SignerState.TURN if signer.state is SignerState.WAITING else signer.state
    return signer.replace(state=state, turn_at=now, clock_from=now)


def _recorded(
    signer: SignerSlot, provider_signer: ReportedSigner | None, now: datetime, known_since: datetime | None
) -> SignerSlot:
    if provider_signer is None or signer.acted or _RANK[provider_signer.state] <= _RANK[signer.state]:
        return signer
    acted_at = provider_signer.at or now
    signed_at = max(acted_at, known_since or acted_at) if provider_signer.state in _SIGNED else None
    return signer.replace(state=provider_signer.state, at=acted_at, reason=provider_signer.reason, signed_at=signed_at)


class SignatureState(FollowUpState):
    """The state of one request."""

    @property
    def vocabulary(self) -> FollowUpWords:
        return _REVIEW_WORDS if self.round else _WORDS

    slots: SignerSlots
    document: DocumentState = DocumentState()

    @classmethod
    def begin(cls, brief: SignatureBrief, now: datetime) -> Self:
        """The state of a new request."""
        if brief.reviewers:
            lifecycle = Lifecycle(id=brief.id, started_at=now, status=Status.REVIEW)
            slots, plan = SignerSlots.review(brief.reviewers, now), Plan(window_from=now)
            document = DocumentState(review=Review().with_version(brief.document, brief.requester, now))
            new = cls(lifecycle=lifecycle, slots=slots, plan=plan, document=document)
        else:
            lifecycle = Lifecycle(id=brief.id, started_at=now, status=Status.CONVERTING)
            new = cls(lifecycle=lifecycle, slots=SignerSlots.expect(brief.people))
        return new.note(now, EventType.STARTED, brief.requester, None)

    @property
    def review(self) -> Review:
        return self.document.review

    @property
    def round(self) -> int:
        """Of the review in which it is, or has ended; then its slots are the reviewers'."""
        return self.review.round

    @property
    def notice_id(self) -> str:
        return noticed_as(self.id, self.round)

    @property
    def document_id(self) -> str | None:
        return self.document.id

    @property
    def preparing(self) -> bool:
        """Whether the document was not sent yet."""
        return self.status is Status.CONVERTING

    @property
    def stuck(self) -> bool:
        """Whether it is unsent after a reasonable time; it is then followed up as far as possible."""
        return self.preparing and self.problems.probes >= _LOOKS_OF_AN_HOUR

    @property
    def is_to_be_made(self) -> bool:
        """Whether the document is still to be created."""
        return not (self.round or self.document.id or self.lifecycle.ending or self.status.has_ended)

    def is_late_to_be_made(self, now: datetime) -> bool:
        """Whether its creation is overdue because of an outage or a pause."""
        return now - self.lifecycle.started_at >= _MADE_WITHIN

    def expiry_by(self, now: datetime) -> ScheduledAction | None:
        """The instant at which it expired, if that has passed by now."""
        return next(
            (action for action in self.plan.actions if action.kind is ActionType.EXPIRE and action.at <= now), None
        )

    @property
    def phase(self) -> str:
        """`reviewing`, then `sending` until the signers are asked, then `signing`."""
        if self.round:
            return "reviewing"
        return "signing" if self.document.sent_at else "sending"

    @property
    def current_status(self) -> Status:
        """`opened` only while a pending signer has opened it: the document keeps it for ever.

        Before anybody acted the document's status is used, because some signers' opening shows only there.
        """
        if self.status is not Status.VIEWED:
            return self.status
        opened = any(slot.state is SignerState.VIEWED for slot in self.slots.pending)
        return Status.VIEWED if opened or not self.slots.acted else Status.SENT

    def action_of(self, person: str) -> NoticeAction:
        """The action of a signer's role."""
        signer = self.slots.find(person)
        return _ACTIONS[signer.role] if signer else NoticeAction.OPEN

    def text_for(self, person: str) -> str | None:
        """For the requester what is to be changed, for reviewers of a later version what has changed."""
        slot = self.slots.find(person)
        if slot and slot.role is Role.REVISE:
            return next((row.reason for row in self.slots.signers if row.state is SignerState.CHANGES), None)
        if slot and slot.role is Role.REVIEW:
            last_round = (row for row in self.review.earlier if row.round == self.round - 1)
            return next((row.reason for row in last_round if row.state is SignerState.REVISED), None)
        return None

    @property
    def to_withdraw(self) -> tuple[str, ...]:
        pending = {slot.person for slot in self.slots.pending}
        return tuple(person for person in self.review.to_withdraw if person not in pending)

    def adapted(self, planning: PlanningInput) -> PlanningInput:
        """Reviews are due earlier than the request, and are asked for until that is due."""
        if not self.round:
            return planning
        policy = planning.policy
        rhythm = policy.reminders
        overdue = policy.overdue or (Overdue(every=rhythm.every) if rhythm else None)
        policy = policy.replace(overdue=overdue, grace=WHEN_DUE)
        return planning.replace(policy=policy, within=policy.review.within)

    def hands_over(self, action: ScheduledAction) -> bool:
        """A new version is the requester's to give, whatever the policy says of signers."""
        slot = self.slots.find(action.person)
        return super().hands_over(action) and (slot is None or slot.role is not Role.REVISE)

    def record_results(self, lines: tuple[DeliveryResult, ...], now: datetime) -> Self:
        """Results of a round that was over meanwhile go to the store."""
        late = tuple(line for line in lines if not self._is_of_now(line.key))
        updated = super().record_results(tuple(line for line in lines if line not in late), now)
        return updated.replace(notifications=updated.notifications.leaving_with(late, now)) if late else updated

    def record_attempts(
        self,
        attempts: tuple[PendingDevice, ...],
        lines: tuple[DeliveryResult, ...],
        still_open: tuple[PendingDevice, ...],
    ) -> Self:
        """Of a round that was over meanwhile nothing is tried again."""
        return super().record_attempts(
            attempts, lines, tuple(device for device in still_open if self._is_of_now(device.key))
        )

    def _is_of_now(self, key: str) -> bool:
        return key.partition("/")[0] in (self.id, self.notice_id)

    def preconditions(self) -> Iterator[Precondition]:
        """Read after a callback, end, create the document and await its conversion."""
        document, ending = self.document, self.lifecycle.ending
        if document.unread and document.id:
            yield Precondition.LOOK
        elif document.said_sent and document.id and self.preparing and not ending:
            yield Precondition.BEGIN
        yield from super().preconditions()
        paused = self.is_to_be_made and self.clock.stop(StopKind.PAUSE)
        if self.preparing and not self.stuck and not paused:
            yield Precondition.PREPARE
        if self.to_be_placed and not ending:
            yield Precondition.PLACE

    @property
    def to_be_placed(self) -> tuple[str, ...]:
        """Who have taken the places of their groups, in which Core Signature still has others."""
        return tuple(slot.person for slot in self.slots.pending if slot.taken_at and slot.beside)

    def awaits_place(self, person: str) -> bool:
        return person in self.to_be_placed

    def placed(self, person: str, now: datetime) -> Self:
        """They sign for their group; what was planned for the others is given up."""
        slots = self.slots.settle_place(person, now)
        released = [slot.person for slot in slots.signers if slot.spared and not self._is_spared(slot.person)]
        updated = self.giving_up(tuple(released), Reason.PLACE_TAKEN, now).replace(slots=slots).replan()
        for member in released:
            updated = updated.answering_themselves(member, now)
        return updated.replace(commands=updated.commands.mark_done(TAKE_PLACE, f"{person} signs", person))

    def not_placed(self, person: str, refusal: Message, now: datetime) -> Self:
        """Core Signature did not take them: anybody of the group may sign again."""
        slot = self.slots.find(person)
        updated = self.replace(
            slots=self.slots.take(person, None), commands=self.commands.refused(TAKE_PLACE, refusal, person)
        )
        return updated.note(now, EventType.PLACE_GIVEN_BACK, person, refusal, about_id=slot.team if slot else None)

    def reassigned(self, reassignment: Reassignment, now: datetime) -> Self:
        """The place of a group is then the successor's alone."""
        slot, updated = self.slots.find(reassignment.from_), super().reassigned(reassignment, now)
        return updated.placed(reassignment.to, now) if slot and slot.shares_place else updated

    def hand_over_refusal(self, signer: str, identity: Identity) -> Message | None:
        """Of a place that Core Signature would forward without the verification of its signer."""
        slot = self.slots.find(signer)
        is_verified = slot is not None and not self.round and (slot.is_verified or identity is not Identity.LINK)
        return Rejection.VERIFIED_PLACE.to_message(person=signer) if is_verified else None

    def _is_spared(self, person: str) -> bool:
        slot = self.slots.find(person)
        return slot is not None and slot.spared

    def to_report(self) -> Iterator[tuple[str, str]]:
        """Also bounced mail, for only the requester can know the right address, and an unsent document."""
        for signer in self.slots.pending:
            if signer.state is SignerState.BOUNCED:
                yield NotificationType.BOUNCED, signer.person
        if self.stuck and (rung := sum(pause <= self.document.unsent_for for pause in _HEARD_AFTER)):
            yield notification_types.not_sent(rung), ""
        yield from super().to_report()

    def attention(self) -> Iterator[Attention]:
        """Also bounced mail, and an unsent document."""
        yield from super().attention()
        started_at = self.lifecycle.started_at
        if self.stuck:
            sentence = f"{self.vocabulary.preparing}, and nobody is asked before it has"
            yield Attention(code=AttentionCode.NOT_ASKED, since=self.document.made_at or started_at, says=sentence)
        bounced = [signer for signer in self.slots.pending if signer.state is SignerState.BOUNCED]
        if bounced:
            yield Attention(
                code=AttentionCode.MAIL_BOUNCED,
                since=min(signer.at or started_at for signer in bounced),
                says=f"Core Signature's mail to {', '.join(signer.person for signer in bounced)} came back",
            )

    @property
    def tells_of_success(self) -> bool:
        """Core Signature mails the signers a copy, unless that is switched off."""
        return not self.document.mails_endings

    def was_asked(self, slot: Slot) -> bool:
        """Copies were not asked, but hear of a signed document."""
        signer = self.slots.find(slot.person)
        is_copied = signer is not None and signer.role is Role.COPY and self.status is Status.SIGNED
        return super().was_asked(slot) or is_copied

    def acted_late(self, slot: Slot) -> bool:
        signer = self.slots.find(slot.person)
        if signer is None or signer.signed_at is None or self.due_at is None:
            return False
        return signer.signed_at > self.due_at

    def look_at(self, now: datetime) -> datetime:
        """A week after the last reading; an hour while stuck, a minute in doubt."""
        unstuck = LOOK_AGAIN_IN_DOUBT if self.document.unconfirmed.in_doubt else LOOK_AGAIN
        return (self.document.read_at or now) + (LOOK_AGAIN_UNSENT if self.stuck else unstuck)

    def to_look(self) -> Self:
        """Have the document read; before anybody was asked no new plan is needed."""
        return (self if self.stuck else super().to_look()).update_part("document", unread=True)

    def carried_over(self) -> Self:
        """The next run reads the document first: a callback between runs may be lost."""
        unread = self.document.id is not None and not self.lifecycle.recorded
        return super().carried_over().update_part("document", unread=unread)

    def expire(self, action: ScheduledAction, now: datetime) -> Self:
        """The reason says that nobody was asked."""
        unmade = PlanReason.NEVER_MADE if self.is_to_be_made else None
        unsent = unmade or (PlanReason.NEVER_SENT if self.preparing else None)
        unasked = PlanReason.NEVER_REVIEWED if self.round else unsent
        reasons = (*action.reasons, unasked.to_message()) if unasked else action.reasons
        return super().expire(action.replace(reasons=reasons), now)

    def notify_of(self, event: ProviderEvent, now: datetime) -> Self:
        """Record a callback as a hint to read the document; a repeated event changes nothing. That it was sent is
        believed unread if nothing can have happened since: the callback is young and comes alone.
        """
        is_young = now - event.at <= BELIEVED_WITHIN
        sent = event.type == SENT and is_young and not event.also and self.preparing
        document = self.document if self.lifecycle.recorded else self.document.told_by(event, sent=sent)
        return self if document is self.document else self.replace(document=document)

    def begin_review(self, now: datetime) -> Self:
        """The signers are asked, by what a callback has said."""
        return self.update_part("document", said_sent=False).update_part("lifecycle", status=Status.SENT)._sent(now)

    def observe(self, provider_document: ReportedDocument, now: datetime, asked_at: datetime | None = None) -> Self:
        """Merge the document as read; states never go back and an ending stays.

        `asked_at` is when the reading began.
        """
        read = self.replace(document=self.document.merge_document(provider_document, now, asked_at))
        if self.status.has_ended:
            return read
        status = _status(self, provider_document)
        substituted = read._substituted(provider_document, now)
        # A request that we let expire is cancelled at the provider.
        sent = substituted._sent(now) if (provider_document.status or status) not in _NEVER_SENT else substituted
        updated = sent._with_signers(provider_document, now, self.document.known_since)._noting_unknown(
            provider_document, now
        )
        if status.has_ended:
            return updated._end(status, now, provider_document.code)
        return updated.update_part("lifecycle", status=status)

    def would_change(self, provider_document: ReportedDocument) -> bool:
        """Whether merging this document changes a status of request or signer."""
        merged = self.observe(provider_document, self.lifecycle.started_at)
        return (merged.status, _states(merged)) != (self.status, _states(self))

    def approved(self, people: tuple[Participant, ...], now: datetime) -> Self:
        """Its reviewers have approved it: it is now to be sent to these signers."""
        number = self.round
        turned = self.turned_to(SignerSlots.expect(people), now)
        review = self._put_away().replace(approved=True)
        sending = turned.update_part("lifecycle", status=Status.CONVERTING).update_part("document", review=review)
        return sending.update_part("plan", window_from=now).note(now, EventType.REVIEWED, None, None, about_id=number)

    def revised(self, document: Document, editor: str, now: datetime, changes: str | None) -> Self:
        """A new version was given, with `changes` as against the last: the next round begins."""
        turned = self.turned_to(SignerSlots.review(self.slots.reviewers, now), now)
        updated = self.replace(slots=self.slots.revised(now, changes))
        review = updated._put_away().with_version(document, editor, now)
        next_round = turned.update_part("document", review=review)
        return next_round.note(now, EventType.REVISED, editor, changes, about_id=review.round, is_quote=True)

    def _put_away(self) -> Review:
        """The review with what was done in this round, and whose phones still show its notices."""
        earlier = (*self.review.earlier, *present_reviews(self))
        stage = notification_types.WITHDRAWAL_OF_BEFORE
        withdrawn_people = {line.person for line in self.notifications.remembered if line.stage == stage}
        notified_people = (
            line.person for line in self.notifications.last_shown if line.stage != NotificationType.REASSIGNED
        )
        to_withdraw = dict.fromkeys(
            (*(person for person in self.review.to_withdraw if person not in withdrawn_people), *notified_people)
        )
        return self.review.replace(earlier=earlier, to_withdraw=tuple(to_withdraw))

    def end_unseen(self, now: datetime) -> Self:
        """End as requested, because the provider never had the request."""
        ending = self.lifecycle.ending
        if ending is None:
            raise ValueError("nobody asked for an ending")
        return self._end(ending.outcome, now, None)

    def at_settlement(self) -> Self:
        """A file that comes later is told by what is kept, and so is one that is missing."""
        return super().at_settlement().update_part("document", evidence=self.document.evidence.replace(problem=None))

    def _substituted(self, provider_document: ReportedDocument, now: datetime) -> Self:
        updated = self
        for substitution in provider_document.substituted:
            if updated.slots.find(substitution.to) is None:
                absence = EscalationReason.ABSENCE
                reassignment = Reassignment(
                    from_=substitution.from_, to=substitution.to, reason=absence, who="countersign"
                )
                updated = updated.reassigned(reassignment, now)
        return updated

    def _sent(self, now: datetime) -> Self:
        if self.document.sent_at is not None:
            return self
        updated = (
            self.update_part("problems", probe_at=None)
            .update_part("document", sent_at=now)
            .update_part("plan", window_from=now)
        )
        updated = updated.replace(slots=self.slots.begin(now)).replan()
        return updated.note(now, EventType.SENT, "core-signature", None)

    def _with_signers(self, provider_document: ReportedDocument, now: datetime, known_since: datetime | None) -> Self:
        slots = self.slots.record(provider_document.signers, now, provider_document.turn, known_since)
        if slots == self.slots:
            return self
        updated = self
        for former_signer, updated_signer in zip(self.slots.signers, slots.signers, strict=True):
            if updated_signer.state is not former_signer.state and updated_signer.state not in _NO_NEWS:
                updated = updated.note(
                    now, EventType(updated_signer.state), updated_signer.person, updated_signer.reason, is_quote=True
                )
            if updated_signer.acted and not former_signer.acted:
                updated = updated._released(updated_signer, now)
        turns_changed = slots.turns != self.slots.turns
        updated = updated.replace(slots=slots)
        updated = updated.replan() if turns_changed else updated
        # Last, because it may move the clocks of those who have not acted.
        for signer in slots.signers:
            updated = updated.answering_themselves(signer.person, now) if signer.acted else updated
        return updated

    def _released(self, signer: SignerSlot, now: datetime) -> Self:
        """Nothing more is asked of a signer who has acted, or whose place another has filled."""
        if not signer.spared:
            return self.giving_up((signer.person,), Reason.SIGNED, now)
        updated = self.giving_up((signer.person,), Reason.PLACE_TAKEN, now)
        holder = self.slots.holder_of(signer.person)
        refusal = Rejection.PLACE_TAKEN.to_message(person=holder.person if holder else signer.team)
        return updated.replace(commands=updated.commands.refused(TAKE_PLACE, refusal, signer.person))

    def _end(self, status: Status, now: datetime, code: Code | None) -> Self:
        current = self.problems.current
        problem = current if current and current.code is code else None
        if code is not None and problem is None:
            problem = Problem(code=code, since=now, says=f"Core Signature reports {code}")
        return self.end(status, now, decided_by=self.vocabulary.decides, problem=problem)

    def _noting_unknown(self, provider_document: ReportedDocument, now: datetime) -> Self:
        if provider_document.status is not None or provider_document.raw == self.document.raw:
            return self
        updated = self.update_part("document", raw=provider_document.raw)
        return updated.note(now, EventType.UNKNOWN_STATUS, "core-signature", None, about_id=provider_document.raw)


def _known_as(id: str) -> str:
    return id if len(id) <= ID_AT_MOST else sha256(id.encode(errors="surrogatepass")).hexdigest()


def _states(state: SignatureState) -> tuple[SignerState, ...]:
    return tuple(signer.state for signer in state.slots.signers)


def _status(state: SignatureState, provider_document: ReportedDocument) -> Status:
    if provider_document.status is None or provider_document.status.rank < state.status.rank:
        return state.status
    if provider_document.status is Status.CANCELLED and state.lifecycle.ending:
        return state.lifecycle.ending.outcome
    return provider_document.status


class SignatureInput(FollowUpInput):
    """Input; `carried` is set by continue-as-new only."""

    brief: SignatureBrief
    carried: SignatureState | None = None

    @property
    def subject(self) -> Subject:
        return self.brief.subject

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*super().people, *(reviewer.person for reviewer in self.brief.reviewers))))

    @property
    def first_status(self) -> str:
        return Status.REVIEW if self.brief.reviewers else super().first_status

    @property
    def first_stage(self) -> str:
        return "reviewing" if self.brief.reviewers else super().first_stage

    @property
    def first_turn(self) -> tuple[str, ...]:
        """The signers of the lowest order, or before them the reviewers."""
        signers = self.brief.reviewers or [
            participant for participant in self.brief.people if participant.role is not Role.COPY
        ]
        first = min((signer.order for signer in signers), default=0)
        return tuple(signer.person for signer in signers if signer.order == first)


def show(request: SignatureInput, state: SignatureState, now: datetime) -> RequestShow:
    """The view at `now`; `request` has the present signers."""
    facts = dict(follow_up_facts(request.subject, request.policy, state, now))
    facts["choices"] = tuple(map(partial(_within_group, state), facts["choices"]))
    signers = SignerSlots.expect(request.brief.people) if state.round else state.slots
    lines = tuple(_line(state, signer) for signer in signers.signers)
    view = RequestShow(
        **facts,
        document=request.brief.title,
        signers=lines,
        identity=request.brief.identity,
        versions=state.review.versions,
        reviews=(*state.review.earlier, *present_reviews(state)),
    )
    return view.with_files(state.document.evidence.files, state.document.evidence.problem)


def present_reviews(state: SignatureState) -> tuple[ReviewLine, ...]:
    """Of the round that it is in."""
    if not state.round:
        return ()
    return tuple(
        ReviewLine(
            round=state.round,
            person=slot.person,
            order=slot.order,
            role=slot.role,
            state=slot.state,
            at=slot.at,
            reason=slot.reason,
            team=slot.team,
        )
        for slot in state.slots.signers
    )


def kept_in_words(files: KeptFiles) -> str:
    """What is kept, for the Web UI."""
    file_by_name = {"document": files.document, "signing log": files.signing_log}
    lines = [f"- {name} · {file.bytes:,} bytes · SHA-256 {file.sha256}" for name, file in file_by_name.items() if file]
    return "\n".join(["\n", "**Kept**", "", *lines]) if lines else ""


def settled(brief: SignatureBrief, state: SignatureState) -> SettledRequest:
    """The facts to hand off."""
    if state.lifecycle.settled_at is None:
        raise ValueError("the request has not ended")
    files = state.document.evidence.in_time or KeptFiles()
    signers = SignerSlots.expect(brief.people) if state.round else state.slots
    return SettledRequest(
        request=brief.id,
        kind=brief.kind,
        outcome=state.status,
        at=state.lifecycle.settled_at,
        external_id=brief.id,
        document_sha256=brief.document.sha256,
        document=files.document,
        signing_log=files.signing_log,
        signers=tuple(
            SettledSigner(person=s.person, state=s.state, at=s.at)
            for s in signers.signers
            if not (s.spared or s.beside)
        ),
        late=any(map(state.acted_late, signers.signers)),
    )


def _within_group(state: SignatureState, choices: Choices) -> Choices:
    """Who need not sign for their group has nothing to hand over."""
    slot = state.slots.find(choices.person)
    is_open = slot is not None and slot.shares_place and slot.taken_at is None
    return choices.replace(hand_over=False) if is_open else choices


def _line(state: SignatureState, signer: SignerSlot) -> SignerLine:
    return SignerLine(
        person=signer.person,
        order=signer.order,
        role=signer.role,
        state=signer.state,
        at=signer.at,
        late=state.acted_late(signer),
        reason=signer.reason,
        verify=signer.verify,
        team=signer.team,
        taken_at=signer.taken_at,
    )
