"""The calendar of a task before anybody is asked, as long as nobody does it."""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from activities.launch.task_file import PreparedTask
from activities.people.directory import Directory
from activities.schedule.planner import PolicyPlanner
from starter.plan.calendar import PlanLine, PlannedDirectory, line_of
from starter.plan.rehearsal import RehearsedEvent
from workflows.follow_up.input import planning_of
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model
from workflows.model.plan_reasons import PlanReason
from workflows.task.state import TaskState

LINES_AT_MOST: Final = 500
"""The first ones: a task may stay open, and its reminders go on, for ever."""


class TaskPlan(Model):
    id: str
    kind: str
    title: str
    at: AwareDatetime
    due_at: AwareDatetime
    lines: tuple[PlanLine, ...]


async def plan(prepared: PreparedTask, directory: Directory, starts_at: datetime) -> TaskPlan:
    """`FileFaults` for a task that is overdue by `starts_at`."""
    if prepared.overdue is not None:
        raise prepared.overdue
    request, task = prepared.workflow_input, prepared.workflow_input.task
    planned_directory = PlannedDirectory(directory, prepared.people)
    planning = planning_of(request, request.subject, TaskState.begin(task, starts_at), starts_at)
    schedule = await PolicyPlanner(planned_directory).calendar(planning)
    theirs = (PlanReason.THEIR_TURN.to_message(),)
    ready_notices = [
        RehearsedEvent(starts_at, NotificationType.READY, assignee.person, assignee.person, theirs)
        for assignee in task.people
    ]
    planned = [
        RehearsedEvent.planned(action) for action in (*schedule.actions, *schedule.dropped) if action.at >= starts_at
    ]
    happened = sorted([*ready_notices, *planned], key=lambda happening: happening.at)[:LINES_AT_MOST]
    lines = [
        line_of(happening, (await planned_directory.person(happening.to, task.workflow_id)).tz)
        for happening in happened
    ]
    return TaskPlan(
        id=task.id, kind=task.kind, title=task.title, at=starts_at, due_at=schedule.due_at, lines=tuple(lines)
    )
