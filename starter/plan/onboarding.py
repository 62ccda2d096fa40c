"""`countersign onboard plan`: the calendar of an onboarding by stage, without server or network, if everybody acts a
fixed time after their turn.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from activities.calendar.calendar import add_duration
from activities.launch.request_file import PreparedRequest
from activities.launch.task_file import PreparedTask
from activities.onboarding.intake import PreparedOnboarding
from activities.people.directory import Directory
from activities.schedule.planner import PolicyPlanner
from starter.plan.calendar import PlanLine, PlannedDirectory, line_of
from starter.plan.rehearsal import Rehearsal, RehearsedEvent
from workflows.follow_up.input import planning_of
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model
from workflows.model.messages import duration_words
from workflows.model.onboarding import PartKind, PartPlan, StagePlan
from workflows.model.plan_reasons import PlanReason
from workflows.model.subject import Status
from workflows.task.state import TaskState

_DONE: Final = "done"
_NOTICE: Final = "notice"


class Assumptions(Model):
    """How long after their turn people act."""

    signed_after: str
    done_after: str

    @property
    def describe(self) -> str:
        signed_after, done_after = duration_words(self.signed_after), duration_words(self.done_after)
        return f"everybody signs after {signed_after} and does their part after {done_after}"


class PlannedPart(Model):
    """When a part is due, and when it ends as assumed."""

    id: str
    what: PartKind
    title: str
    due_at: AwareDatetime | None
    ends_at: AwareDatetime
    outcome: Status
    lines: tuple[PlanLine, ...]


class PlannedStage(Model):
    """Begins when the stage before has ended."""

    name: str
    begins_at: AwareDatetime
    ends_at: AwareDatetime
    parts: tuple[PlannedPart, ...]


class OnboardingPlan(Model):
    """The answer of `onboard plan`."""

    id: str
    kind: str
    customer: str
    at: AwareDatetime
    assumed: Assumptions
    ends_at: AwareDatetime
    stages: tuple[PlannedStage, ...]


async def plan(
    prepared: PreparedOnboarding, directory: Directory, starts_at: datetime, assumed: Assumptions, zone: ZoneInfo | None
) -> OnboardingPlan:
    """The calendar of a checked onboarding that starts at `starts_at`; `FileFaults` if a part is over by then."""
    if prepared.overdue is not None:
        raise prepared.overdue
    calendar, stages, now = _Calendar(prepared, directory, assumed, zone), [], starts_at
    for stage in prepared.workflow_input.stages:
        stages.append(await calendar.stage(stage, now))
        now = stages[-1].ends_at
    onboarding = prepared.workflow_input.onboarding
    return OnboardingPlan(
        id=onboarding.id,
        kind=onboarding.kind,
        customer=onboarding.title,
        at=starts_at,
        assumed=assumed,
        ends_at=now,
        stages=tuple(stages),
    )


class _Calendar:
    def __init__(
        self, prepared: PreparedOnboarding, directory: Directory, assumed: Assumptions, zone: ZoneInfo | None
    ) -> None:
        self._prepared = prepared
        self._directory = directory
        self._assumed = assumed
        self._zone = zone

    async def stage(self, stage: StagePlan, begins_at: datetime) -> PlannedStage:
        parts = tuple([await self._part(plan, begins_at) for plan in stage.parts])
        ends_at = max((part.ends_at for part in parts), default=begins_at)
        return PlannedStage(name=stage.name, begins_at=begins_at, ends_at=ends_at, parts=parts)

    async def _part(self, plan: PartPlan, begins_at: datetime) -> PlannedPart:
        match self._prepared.parts.get(plan.id):
            case PreparedRequest() as request:
                return await self._agreement(plan, request, begins_at)
            case PreparedTask() as task:
                return await self._task(plan, task, begins_at)
            case _:
                begins = (PlanReason.STAGE_BEGINS.to_message(),)
                happenings = (RehearsedEvent(begins_at, _NOTICE, person, person, begins) for person in plan.asked)
                planned_directory = PlannedDirectory(self._directory, self._prepared.people)
                lines = await self._lines(
                    happenings, planned_directory, self._prepared.workflow_input.subject.workflow_id
                )
                return _planned(plan, None, begins_at, Status.DONE, lines)

    async def _agreement(self, plan: PartPlan, prepared: PreparedRequest, begins_at: datetime) -> PlannedPart:
        """As `request plan` does it."""
        request, planned_directory = prepared.request, PlannedDirectory(self._directory, prepared.signers)
        signing = {participant.person: self._assumed.signed_after for participant in request.brief.people}
        outcome, happened = await Rehearsal(request, begins_at, planned_directory, signing).play()
        due_at = (await Rehearsal(request, begins_at, planned_directory, {}).first_schedule()).due_at
        ends_at = max((happening.at for happening in happened if happening.suppressed is None), default=begins_at)
        lines = await self._lines(happened, planned_directory, request.brief.workflow_id)
        return _planned(plan, due_at, ends_at, outcome, lines)

    async def _task(self, plan: PartPlan, prepared: PreparedTask, begins_at: datetime) -> PlannedPart:
        request, planned_directory = prepared.workflow_input, PlannedDirectory(self._directory, prepared.people)
        task = request.task
        planning = planning_of(request, request.subject, TaskState.begin(task, begins_at), begins_at)
        schedule = await PolicyPlanner(planned_directory).calendar(planning)
        first = await planned_directory.person(task.people[0].person, task.workflow_id)
        done_at = add_duration(begins_at, self._assumed.done_after, first.tz)
        theirs = (PlanReason.THEIR_TURN.to_message(),)
        happened = [
            RehearsedEvent(begins_at, NotificationType.READY, assignee.person, assignee.person, theirs)
            for assignee in task.people
        ]
        happened += [RehearsedEvent.planned(action) for action in schedule.actions if action.at < done_at]
        later = (PlanReason.DONE_LATER.to_message(span=self._assumed.done_after),)
        happened.append(RehearsedEvent(done_at, _DONE, first.id, task.requester, later))
        lines = await self._lines(happened, planned_directory, task.workflow_id)
        return _planned(plan, schedule.due_at, done_at, Status.DONE, lines)

    async def _lines(
        self, happened: Iterable[RehearsedEvent], directory: Directory, workflow_id: str
    ) -> tuple[PlanLine, ...]:
        return tuple(
            [
                line_of(happening, self._zone or (await directory.person(happening.to, workflow_id)).tz)
                for happening in happened
            ]
        )


def _planned(
    plan: PartPlan, due_at: datetime | None, ends_at: datetime, outcome: Status, lines: tuple[PlanLine, ...]
) -> PlannedPart:
    return PlannedPart(
        id=plan.id, what=plan.what, title=plan.title, due_at=due_at, ends_at=ends_at, outcome=outcome, lines=lines
    )
