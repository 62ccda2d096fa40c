"""Workflow inputs shared by all kinds, and the planner's input."""

from abc import abstractmethod
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from workflows.follow_up.notification_types import reminder_number
from workflows.follow_up.state import FollowUpState
from workflows.model.base import Model
from workflows.model.commands import StopKind
from workflows.model.notifications import NotificationBudget
from workflows.model.policy import Policy
from workflows.model.schedule import EscalationReason, LastReminder, OpenQuestion, PlanningInput
from workflows.model.subject import Subject


class FollowUpInput(Model):
    """Base of the inputs; each kind adds its subject, and the carried state."""

    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    fingerprint: str = ""
    subscribers: tuple[str, ...] = ()
    quiet: NotificationBudget | None = None
    """The notification budget that an onboarding gives its customer's people."""
    told_together: bool = False
    """Whether a campaign notifies its requester for all requests."""

    @property
    @abstractmethod
    def subject(self) -> Subject: ...

    @property
    def people(self) -> tuple[str, ...]:
        """Who is asked, as it is searched by them."""
        return tuple(participant.person for participant in self.subject.people)

    @property
    def first_status(self) -> str:
        """`CsStatus` at the start."""
        return self.subject.type.spec.begins

    @property
    def first_stage(self) -> str:
        """`CsStage` at the start."""
        return self.subject.type.spec.stage

    @property
    def first_asked(self) -> tuple[str, ...]:
        """`CsWaitingFor` at the start, if known."""
        return ()

    @property
    def teams(self) -> tuple[str, ...]:
        """`CsTeams`: who may look at it from its start on, people and groups."""
        return ()

    @property
    def first_turn(self) -> tuple[str, ...]:
        """Who is asked first, unless absent by then."""
        return ()


def planning_of(request: FollowUpInput, subject: Subject, state: FollowUpState, now: datetime) -> PlanningInput:
    """The planner's input at `now`; `subject` has the present participants."""
    planning = PlanningInput(
        subject=subject,
        policy=request.policy,
        due=state.plan.due or request.due,
        window_from=state.plan.window_from or state.lifecycle.started_at,
        turns=tuple(turn.replace(heard_at=_heard_at(state, turn.person)) for turn in state.slots.turns),
        now=now,
        revision=state.plan.revision,
        snoozes=state.plan.snoozes,
        acted=tuple(signer.person for signer in state.slots.everyone if signer.acted),
        reminded=_reminded(state),
        escalated=sum(entry.reason is EscalationReason.ESCALATION for entry in state.present_escalations),
        not_handed_over=state.escalations.refused,
        unheard=state.notifications.failed_alerts,
        question=_open_question(state),
    )
    return state.adapted(planning)


def _heard_at(state: FollowUpState, person: str) -> datetime | None:
    lines = (line for line in state.notifications.remembered if line.reached)
    return max((line.at for line in lines if line.person == person), default=None)


def _open_question(state: FollowUpState) -> OpenQuestion | None:
    question = state.questions.open(state.slots)
    if question is None:
        return None
    stops_clocks = state.clock.stop(StopKind.QUESTION) is not None
    return OpenQuestion(number=question.number, person=question.holder, at=question.at, stops_clocks=stops_clocks)


def _reminded(state: FollowUpState) -> tuple[LastReminder, ...]:
    """Number of the last logged reminder of each pending person."""
    numbers: dict[str, int] = {}
    for line in state.notifications.remembered:
        if number := reminder_number(line.stage, state.plan.revision):
            numbers[line.person] = max(number, numbers.get(line.person, 0))
    people = [signer.person for signer in state.slots.pending]
    return tuple(LastReminder(person=person, number=numbers[person]) for person in people if person in numbers)
