"""What the workflow is started with, and what it hands to others: the planner's input."""

from abc import abstractmethod
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from workflows.follow_up.commands import open_question
from workflows.follow_up.notification_types import reminder_number
from workflows.follow_up.state import FollowUpState
from workflows.model.base import Model
from workflows.model.commands import StopKind
from workflows.model.notifications import NotificationBudget
from workflows.model.policy import Policy
from workflows.model.schedule import EscalationReason, LastReminder, OpenQuestion, PlanningInput
from workflows.model.subject import Subject


class FollowUpInput(Model):
    """How something is followed up; each kind adds what it is, and the memory that continue-as-new carries over."""

    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")] = None
    fingerprint: str = ""
    subscribers: tuple[str, ...] = ()
    quiet: NotificationBudget | None = None
    """The budget of notices that it shares with other parts of an onboarding."""
    told_together: bool = False
    """Whether its requester hears of it from a campaign, which tells of all together."""

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """What is followed up, as it was asked for."""

    @property
    def first_stage(self) -> str:
        """What lists say of it until it says where it is itself."""
        return self.subject.type.names.stage

    @property
    def first_asked(self) -> tuple[str, ...]:
        """Whom it waits for from the start on, where that is known before."""
        return ()

    @property
    def first_turn(self) -> tuple[str, ...]:
        """Who is to be asked first, unless they are absent by then."""
        return ()


def planning_of(request: FollowUpInput, subject: Subject, progress: FollowUpState, now: datetime) -> PlanningInput:
    """The planner's input at `now`; `subject` has whoever is asked now."""
    return PlanningInput(
        subject=subject,
        policy=request.policy,
        due=progress.due or request.due,
        window_from=progress.window_from or progress.started_at,
        turns=tuple(turn.replace(heard_at=_heard_at(progress, turn.person)) for turn in progress.awaited.turns),
        now=now,
        revision=progress.revision,
        snoozes=progress.snoozes,
        acted=tuple(signer.person for signer in progress.awaited.everyone if signer.acted),
        reminded=_reminded(progress),
        escalated=sum(entry.reason is EscalationReason.ESCALATION for entry in progress.escalations),
        not_handed_over=progress.not_handed_over,
        unheard=progress.unheard,
        question=_open_question(progress),
    )


def _heard_at(progress: FollowUpState, person: str) -> datetime | None:
    lines = (line for line in progress.notifications if line.reached)
    return max((line.at for line in lines if line.person == person), default=None)


def _open_question(progress: FollowUpState) -> OpenQuestion | None:
    question = open_question(progress)
    if question is None:
        return None
    stands = progress.stop(StopKind.QUESTION) is not None
    return OpenQuestion(number=question.number, person=question.holder, at=question.at, stands=stands)


def _reminded(progress: FollowUpState) -> tuple[LastReminder, ...]:
    """How far the reminders of those whose turn it is have come."""
    numbers: dict[str, int] = {}
    for line in progress.notifications:
        if number := reminder_number(line.stage, progress.revision):
            numbers[line.person] = max(number, numbers.get(line.person, 0))
    people = [signer.person for signer in progress.awaited.pending]
    return tuple(LastReminder(person=one, number=numbers[one]) for one in people if one in numbers)
