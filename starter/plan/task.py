"""The calendar of a task before anybody is asked, as long as nobody does it."""

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from activities.launch.task_file import PreparedTask
from activities.people.directory import Directory
from activities.schedule.planner import PolicyPlanner
from starter.plan.calendar import PlanLine, PlannedDirectory, line_of
from starter.plan.rehearsal import Happening
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


async def plan(prepared: PreparedTask, directory: Directory, at: datetime) -> TaskPlan:
    """`FileFaults` for a task that is overdue by `at`."""
    if prepared.overdue is not None:
        raise prepared.overdue
    given, task = prepared.given, prepared.given.task
    known = PlannedDirectory(directory, prepared.people)
    planning = planning_of(given, given.subject, TaskState.begin(task, at), at)
    schedule = await PolicyPlanner(known).calendar(planning)
    theirs = (PlanReason.THEIR_TURN.to_message(),)
    asked = [Happening(at, NotificationType.READY, one.person, one.person, theirs) for one in task.people]
    planned = [Happening.planned(one) for one in (*schedule.actions, *schedule.dropped) if one.at >= at]
    happened = sorted([*asked, *planned], key=lambda one: one.at)[:LINES_AT_MOST]
    lines = [line_of(one, (await known.person(one.to, task.workflow_id)).tz) for one in happened]
    return TaskPlan(id=task.id, kind=task.kind, title=task.title, at=at, due_at=schedule.due_at, lines=tuple(lines))
