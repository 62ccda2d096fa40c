"""Simulates a request with the workflow's own decisions, without a server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from activities.calendar.calendar import add_duration
from activities.core_signature.signers import CoreStandIns
from activities.people.directory import Directory
from activities.schedule.planner import PolicyPlanner
from workflows.follow_up import next_step
from workflows.follow_up.input import planning_of
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.notifications import alerts, announcement, nudges
from workflows.model.commands import ReviewAnswer
from workflows.model.messages import Message
from workflows.model.notifications import Channel, DeliveryResult, NotificationOrder, NotificationOutcome
from workflows.model.plan_reasons import PlanReason
from workflows.model.schedule import ActionType, Reason, Schedule, ScheduledAction
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState, Substitution
from workflows.model.subject import Role, Status, Subject
from workflows.model.timeline import Reassignment
from workflows.signature.review import review
from workflows.signature.state import SignatureInput, SignatureState

SIGNED: Final = "signed"
APPROVED: Final = "approved"
"""By a reviewer."""
_DOCUMENT: Final = "not sent"
_UNPLANNED: Final[Mapping[str, PlanReason]] = {
    NotificationType.READY: PlanReason.THEIR_TURN,
    NotificationType.FOLLOW: PlanReason.CAN_FOLLOW,
}


@dataclass(frozen=True)
class RehearsedEvent:
    """A simulated event: `stage` as in the notification log, `to` is notified, `person` is the signer or reviewer. For
    a signature or an approval `to` is who acts.
    """

    at: datetime
    stage: str
    person: str
    to: str
    reasons: tuple[Message, ...]
    kind: ActionType | None = None
    suppressed: Reason | None = None

    @classmethod
    def planned(cls, action: ScheduledAction, happens_at: datetime | None = None) -> Self:
        """An action of a schedule, at its own instant or when it happens."""
        reasons, kind = action.reasons, action.kind
        return cls(happens_at or action.at, action.stage, action.person, action.to, reasons, kind, action.suppressed)


class Rehearsal:
    """A request started at an instant, whose signers sign `signing` after their turn. Its reviewers approve it so long
    after theirs, else when their review is due, or do nothing if not `reviewed`. State and decisions are the
    workflow's; every call is answered at once.
    """

    def __init__(
        self,
        request: SignatureInput,
        started_at: datetime,
        directory: Directory,
        signing: Mapping[str, str],
        *,
        reviewed: bool = True,
    ) -> None:
        self._request = request
        self._now = started_at
        self._reviewed = reviewed
        self._directory = directory
        self._signing = signing
        self._progress = SignatureState.begin(request.brief, started_at)
        self._happened: list[RehearsedEvent] = []
        self._handed: dict[str, ScheduledAction] = {}
        self._left_out: dict[tuple[str, str], RehearsedEvent] = {}

    async def play(self) -> tuple[Status, tuple[RehearsedEvent, ...]]:
        """How it ends, and everything until then in the order of time."""
        await self._review()
        if not self._progress.status.has_ended:
            await self._send()
        while not self._progress.status.has_ended:
            await self._follow_up()
        happened = {(happening.stage, happening.person) for happening in self._happened}
        left_out = [happening for notice, happening in self._left_out.items() if notice not in happened]
        return self._progress.status, tuple(sorted([*self._happened, *left_out], key=lambda happening: happening.at))

    async def first_schedule(self) -> Schedule:
        """The schedule right after sending."""
        await self._review()
        await self._send()
        return await self._agenda()

    async def _review(self) -> None:
        while self._progress.round and not self._progress.status.has_ended:
            await self._follow_up()

    async def _send(self) -> None:
        brief = self._request.brief.at_core
        people = {
            participant.person: await self._directory.person(participant.person, brief.workflow_id)
            for participant in brief.people
        }
        cast = await CoreStandIns(self._directory).at_sending(brief, people, self._now)
        for absentee in cast.stand_ins:
            self._note(
                NotificationType.REASSIGNED, absentee, PlanReason.DELEGATE_FROM_THE_START.to_message(person=absentee)
            )
        instead = tuple(Substitution(from_=absentee, to=stand_in.id) for absentee, stand_in in cast.stand_ins.items())
        self._observe(Status.SENT, substituted=instead)

    async def _follow_up(self) -> None:
        """One step, as the workflow would take it."""
        match next_step.find_next_move(
            self._progress, announcement(self._request, self._subject, self._progress), self._now
        ):
            case next_step.ReassignSlot(reassignment):
                self._hand_over(reassignment)
            case next_step.PlanSchedule():
                self._progress = self._progress.planned(await self._agenda(), self._now)
            case next_step.Announce(notices):
                self._announce(notices)
            case next_step.Remind(moments) | next_step.Escalate(moments) if next_step.spans_outage(
                moments, self._progress, self._now
            ):
                self._keep_suppressed(lambda action: action.at < self._now)
                self._progress = self._progress.replan()
            case next_step.Remind(moments, caught_up, too_soon):
                self._progress = self._progress.left_out(caught_up, too_soon, self._now)
                self._notify(moments, nudges(self._progress, moments))
            case next_step.Escalate(moments):
                self._escalate(moments)
            case next_step.Expire(action):
                self._happened.append(RehearsedEvent.planned(action, self._now))
                self._keep_suppressed(lambda _: True)
                self._expire(action)
            case next_step.Wait(action) if action is not None:
                await self._wait_until(action.at)

    async def _wait_until(self, deadline: datetime) -> None:
        signing = await self._signing_next()
        first = min(signing.values(), default=deadline)
        self._now = max(self._now, min(deadline, first))
        if first <= deadline:
            self._keep_suppressed(lambda action: action.at < self._now)
            act = self._approve if self._progress.round else self._sign
            act(tuple(person for person, acts_at in signing.items() if acts_at == first))

    def _approve(self, people: tuple[str, ...]) -> None:
        for person in people:
            if any(person == slot.person for slot in self._progress.slots.pending):
                duration = self._signing.get(person)
                timely = PlanReason.AFTER_THEIR_TURN.to_message(span=duration)
                self._note(APPROVED, person, timely if duration else PlanReason.WHEN_REVIEW_IS_DUE.to_message())
                answer = ReviewAnswer(actor=person, approve=True)
                self._progress = review(self._request, self._progress, answer, self._now)

    def _expire(self, action: ScheduledAction) -> None:
        if self._progress.round:
            self._progress = self._progress.expire(action, self._now).end_unseen(self._now)
        else:
            self._observe(Status.EXPIRED)

    def _sign(self, people: tuple[str, ...]) -> None:
        due_at = self._progress.due_at
        late = [PlanReason.LATE.to_message()] if due_at is not None and self._now > due_at else []
        for person in people:
            if (slot := self._progress.slots.find(person)) and slot.shares_place and not slot.acted:
                self._progress = self._progress.placed(person, self._now)
            self._note(SIGNED, person, PlanReason.AFTER_THEIR_TURN.to_message(span=self._signing[person]), *late)
        signed = tuple(ReportedSigner(person=person, state=self._signature_of(person)) for person in people)
        self._observe(Status.SENT, signers=signed)
        if self._progress.slots.complete:
            self._observe(Status.SIGNED)
            self._note(
                NotificationType.SETTLED, self._request.brief.requester, PlanReason.EVERYBODY_SIGNED.to_message()
            )

    def _note(self, stage: str, person: str, *reasons: Message) -> None:
        self._happened.append(RehearsedEvent(self._now, stage, person, person, reasons))

    def _escalate(self, moments: tuple[ScheduledAction, ...]) -> None:
        handed = tuple(filter(self._progress.hands_over, moments))
        alerted = tuple(action for action in moments if action not in handed)
        self._keep_suppressed(lambda action: action.at < self._now)
        self._handed |= {action.person: action for action in handed}
        reassignments = [Reassignment(from_=m.person, to=m.to, reason=m.reason, who="countersign") for m in handed]
        self._notify(alerted, alerts(self._progress, alerted))
        self._progress = self._progress.to_reassign(*reassignments).alerted(alerted, self._now)

    def _hand_over(self, reassignment: Reassignment) -> None:
        self._happened.append(RehearsedEvent.planned(self._handed[reassignment.from_], self._now))
        self._progress = self._progress.reassigned(reassignment, self._now)

    def _announce(self, notices: tuple[NotificationOrder, ...]) -> None:
        leaving_first = sorted(notices, key=lambda notice: notice.stage != NotificationType.REASSIGNED)
        for notice in leaving_first:
            if notice.stage == NotificationType.REASSIGNED:
                handed_over = PlanReason.HANDED_OVER.to_message(person=self._handed[notice.person].to)
                self._note(notice.stage, notice.person, handed_over)
            elif notice.stage in _UNPLANNED:
                self._note(notice.stage, notice.person, _UNPLANNED[notice.stage].to_message())
        self._deliver(notices)

    def _notify(self, moments: tuple[ScheduledAction, ...], notices: tuple[NotificationOrder, ...]) -> None:
        self._happened += [RehearsedEvent.planned(action, self._now) for action in moments]
        self._deliver(notices)

    def _deliver(self, notices: tuple[NotificationOrder, ...]) -> None:
        lines = (
            DeliveryResult(
                key=n.key, stage=n.stage, person=n.person, channel=Channel.PUSH, outcome=NotificationOutcome.ACCEPTED
            )
            for n in notices
        )
        self._progress = self._progress.record_results(tuple(lines), self._now)

    def _keep_suppressed(self, is_over: Callable[[ScheduledAction], bool]) -> None:
        """Keep suppressed actions that are over, since the next plan no longer has them."""
        for action in self._progress.plan.schedule.dropped if self._progress.plan.schedule else ():
            if is_over(action):
                self._left_out[action.stage, action.person] = RehearsedEvent.planned(action)

    def _observe(self, status: Status, **details: Any) -> None:
        self._progress = self._progress.observe(
            ReportedDocument(document=_DOCUMENT, status=status, raw=status, **details), self._now
        )

    async def _agenda(self) -> Schedule:
        planning = planning_of(self._request, self._subject, self._progress, self._now)
        return await PolicyPlanner(self._directory).calendar(planning)

    async def _signing_next(self) -> dict[str, datetime]:
        """When those sign, or approve, whose turn it is."""
        acts_at_by_person: dict[str, datetime] = {}
        for turn in self._progress.slots.turns:
            if self._progress.round and (not self._reviewed or turn.person not in self._signing):
                due_at = self._progress.due_at
                acts_at_by_person |= {turn.person: max(due_at, self._now)} if self._reviewed and due_at else {}
            elif turn.person in self._signing:
                zone = (await self._directory.person(turn.person, self._request.brief.workflow_id)).tz
                acts_at_by_person[turn.person] = add_duration(turn.since, self._signing[turn.person], zone)
        return acts_at_by_person

    def _signature_of(self, person: str) -> SignerState:
        signer = self._progress.slots.find(person)
        return SignerState.APPROVED if signer is not None and signer.role is Role.APPROVE else SignerState.SIGNED

    @property
    def _subject(self) -> Subject:
        slots, round = self._progress.slots, self._progress.round
        return self._request.brief.subject.replace(people=slots.places, round=round)
