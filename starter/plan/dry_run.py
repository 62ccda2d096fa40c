"""What would happen, and when, if a request were sent: the planner's own agendas played out without any server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from activities.calendars.wall_clock import after, in_words
from activities.core_signature.stand_ins import StandIns
from activities.people import Directory
from activities.planner import PolicyPlanner
from workflows.inputs import SignatureRequest
from workflows.model import (
    Agenda,
    Brief,
    EscalationAction,
    EscalationReason,
    Moment,
    MomentKind,
    Planning,
    Reason,
    Role,
    Signer,
    SignerSeen,
    SignerState,
    Status,
)
from workflows.signatures import Signatures
from workflows.stages import Stage

SIGNED = "signed"


@dataclass(frozen=True)
class Happening:
    """Something that would happen: `stage` names it as the ledger will, `to` hears of it, `about` is the signer."""

    at: datetime
    stage: str
    about: str
    to: str
    why: str
    kind: MomentKind | None = None
    suppressed: Reason | None = None

    @classmethod
    def planned(cls, moment: Moment) -> Self:
        """A moment of an agenda."""
        return cls(moment.at, moment.stage, moment.person, moment.to, moment.why, moment.kind, moment.suppressed)


class DryRun:
    """One request, sent at an instant, whose signers do what `signing` says: sign so long after their turn came."""

    def __init__(
        self, request: SignatureRequest, sent_at: datetime, directory: Directory, signing: Mapping[str, str]
    ) -> None:
        self._request = request
        self._sent_at = self._now = sent_at
        self._directory = directory
        self._signing = signing
        self._signatures = Signatures.expect(request.brief.signers)
        self._escalated = 0
        self._told: dict[tuple[str, str, str], Happening] = {}

    async def play(self) -> tuple[Status, tuple[Happening, ...]]:
        """How it ends, and everything until then in the order of time."""
        await self._send()
        ended: Status | None = None
        while ended is None:
            ended = await self._until_the_plan_changes()
        return ended, tuple(sorted(self._told.values(), key=lambda one: one.at))

    async def due_at(self) -> datetime:
        """When it expires if nobody acts."""
        return (await self._agenda()).due_at

    async def _send(self) -> None:
        brief = self._request.brief
        people = {one.person: await self._directory.person(one.person, brief.id) for one in brief.signers}
        absent = await StandIns(self._directory).at_sending(brief, people, self._now)
        for who, other in absent.stand_ins.items():
            self._reassign(who, other.id, f"{who} is absent, so the delegate is asked from the start")
        self._signatures = self._signatures.begin(self._now)
        self._announce()

    async def _until_the_plan_changes(self) -> Status | None:
        agenda = await self._agenda()
        signing = await self._next_signatures()
        handing_over = [moment for moment in agenda.moments if _hands_over(moment)]
        signed_at = min(signing.values(), default=agenda.due_at)
        until = min([signed_at, agenda.due_at, *(moment.at for moment in handing_over)])
        self._tell_until(until, agenda)
        self._now = max(self._now, until)
        if until == agenda.due_at:
            return Status.EXPIRED
        if until == signed_at:
            return self._sign(tuple(who for who, at in signing.items() if at == until))
        for moment in handing_over:
            if moment.at == until:
                self._tell(Happening.planned(moment))
                self._escalated += moment.reason is EscalationReason.ESCALATION
                self._reassign(moment.person, moment.to, f"handed over to {moment.to}")
        self._announce()
        return None

    async def _agenda(self) -> Agenda:
        return await PolicyPlanner(self._directory).plan(
            Planning(
                brief=self._brief,
                policy=self._request.policy,
                due=self._request.due,
                window_from=self._sent_at,
                turns=self._signatures.turns,
                now=self._now,
                acted=tuple(signer.person for signer in self._signatures.signers if signer.acted),
                escalated=self._escalated,
            )
        )

    @property
    def _brief(self) -> Brief:
        signers = tuple(Signer(person=s.person, order=s.order, role=s.role) for s in self._signatures.signers)
        return self._request.brief.having(signers=signers)

    async def _next_signatures(self) -> dict[str, datetime]:
        found = {}
        for turn in self._signatures.turns:
            if turn.person in self._signing:
                zone = (await self._directory.person(turn.person, self._request.brief.id)).tz
                found[turn.person] = after(turn.since, self._signing[turn.person], zone)
        return found

    def _sign(self, people: tuple[str, ...]) -> Status | None:
        for person in people:
            signer = self._signatures.of(person)
            approves = signer is not None and signer.role is Role.APPROVE
            state = SignerState.APPROVED if approves else SignerState.SIGNED
            self._signatures = self._signatures.record((SignerSeen(person=person, state=state),), self._now)
            why = f"{in_words(self._signing[person])} after their turn came"
            self._tell(Happening(self._now, SIGNED, person, self._request.brief.requester, why))
        if self._signatures.complete:
            requester = self._request.brief.requester
            self._tell(Happening(self._now, Stage.SETTLED, requester, requester, "everybody has signed"))
            return Status.SIGNED
        self._announce()
        return None

    def _reassign(self, person: str, to: str, why: str) -> None:
        self._signatures = self._signatures.reassign(person, to, self._now)
        self._tell(Happening(self._now, Stage.REASSIGNED, person, person, why))

    def _announce(self) -> None:
        for turn in self._signatures.turns:
            self._tell(Happening(turn.since, Stage.READY, turn.person, turn.person, "it is their turn"))

    def _tell_until(self, until: datetime, agenda: Agenda) -> None:
        """What the agenda says up to an instant at which it is replaced by another one, or over."""
        over = until == agenda.due_at
        for moment in (*agenda.moments, *agenda.dropped):
            if (over or moment.at < until) and not _hands_over(moment):
                self._tell(Happening.planned(moment))
                escalates = moment.kind is MomentKind.ESCALATE and moment.reason is EscalationReason.ESCALATION
                self._escalated += escalates and moment.suppressed is None

    def _tell(self, happening: Happening) -> None:
        self._told.setdefault((happening.stage, happening.about, happening.to), happening)


def _hands_over(moment: Moment) -> bool:
    reassigns = moment.kind is MomentKind.ESCALATE and moment.action is EscalationAction.REASSIGN
    return reassigns and moment.suppressed is None
