"""The state of an onboarding, joined with that of its open parts, by query as far as they answer in time, else by
visibility. Ended parts have reported.
"""

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final, Self

from pydantic import AwareDatetime
from temporalio.client import Client
from temporalio.service import RPCError

from activities.errors import StoreFailure, did_you_mean
from activities.notifications.links import FIRST_SERIAL, LinkUse, SigningLinks, serial_of
from activities.people.ids import position_of
from activities.records.ended import EndedRow, ListFilter
from activities.records.store import Store
from activities.temporal import executions
from starter.errors import Refusal
from starter.queries.filters import id_of
from starter.queries.lists import MORE, RequestLine, line_of
from starter.queries.lookup import find_best_view, load_earlier_entries, of_type, suggesting
from starter.temporal.connection import Context
from workflows import names
from workflows.follow_up.turn_signal import turn_of
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.base import Model
from workflows.model.onboarding import PartKind, PartSnapshot
from workflows.model.subject import Status, group_of
from workflows.model.views import (
    Attention,
    NextAction,
    OnboardingShow,
    PartLine,
    PartTurn,
    Shown,
    StageLine,
    WaitingFor,
    WaitingPart,
)
from workflows.onboarding import view
from workflows.onboarding.state import OnboardingInput, OnboardingState, PartNews, PartProgress, PartState
from workflows.onboarding.view import waiting_for

PARTS_ASKED_AT_MOST: Final = 60
"""Open parts that are queried; the others come from visibility."""
PARTS_ASKED_AT_ONCE: Final = 20
FRESH_SECONDS: Final = 2.0
"""How long one answer is cached for all readers."""
_PART_ANSWERS_WITHIN: Final = timedelta(seconds=1.5)
_PARTS_SECONDS: Final = 4.0
"""For all of them together."""
_OPEN: Final = "open"
_PARTS: Final = (Kind.REQUEST.spec.prefix, Kind.TASK.spec.prefix)
TRIES_AT_MOST: Final = 9
"""How often a part is looked for under the id of a later try."""
PARTS_AT_MOST: Final = 1_000
"""Records of its parts that are read."""
_NOT_SAID: Final = (Refusal, RPCError, StoreFailure, ValueError)
PREVIEW_FOR: Final = timedelta(minutes=30)
"""Lifetime of a preview link."""


@dataclass(frozen=True)
class PartHeard:
    """The state of an open part."""

    status: Status
    due_at: AwareDatetime | None
    turn: PartTurn
    next: NextAction | None = None
    attention: tuple[Attention, ...] = ()

    @classmethod
    def from_view(cls, view_of_part: Shown, now: datetime) -> Self:
        """By the part itself."""
        return cls(
            view_of_part.status,
            view_of_part.due_at,
            turn_of(view_of_part, now),
            view_of_part.next,
            view_of_part.attention,
        )

    @classmethod
    def listed(cls, line: RequestLine, now: datetime) -> Self:
        """By visibility."""
        waiting_since = line.since
        people = (
            (WaitingFor(person=person, since=waiting_since) for person in line.waiting_for) if waiting_since else ()
        )
        return cls(Status(line.status), line.due_at, PartTurn(id=line.id, at=now, waiting_for=tuple(people)))


async def composed(client: Client, store: Store, id: str) -> OnboardingShow:
    """Everything known of an onboarding; raises `Unknown`. Bounded in parts and time: others stay as the onboarding has
    them.
    """
    onboarding = of_type(OnboardingShow, await find_best_view(client, store, WorkflowName(Kind.ONBOARDING, id)))
    if onboarding.partial and not onboarding.stages:
        onboarding = await _without_its_answer(client, store, onboarding)
    return (
        joined(onboarding, await _heard(client, store, onboarding)) if not onboarding.status.has_ended else onboarding
    )


async def show(context: Context, typed: str, *, in_full: bool = False) -> OnboardingShow:
    """The same by an id as typed; `Unknown` suggests similar ids."""
    async with suggesting(context.client):
        onboarding = await composed(context.client, context.store, id_of(Kind.ONBOARDING, typed))
    return await load_earlier_entries(context.store, onboarding) if in_full else onboarding


async def part_of(context: Context, typed: str, part: str) -> tuple[PartLine, PartKind]:
    """A part by its id, as its onboarding knows it; `Refusal` if there is none."""
    async with suggesting(context.client):
        workflow = WorkflowName(Kind.ONBOARDING, id_of(Kind.ONBOARDING, typed))
        onboarding = of_type(OnboardingShow, await find_best_view(context.client, context.store, workflow))
    if not onboarding.stages:
        raise Refusal(f"{onboarding.id}: {onboarding.says}")
    parts: dict[str, tuple[PartLine, PartKind]] = {}
    for stage in onboarding.stages:
        parts |= {line.id: (line, PartKind.AGREEMENT) for line in stage.agreements}
        parts |= {line.id: (line, PartKind.TASK) for line in stage.tasks}
        parts |= {line.id: (line, PartKind.STEP) for line in stage.steps}
    if part not in parts:
        raise Refusal(f"{onboarding.id} has no part {part}{did_you_mean(part, parts)}")
    return parts[part]


@dataclass(frozen=True)
class KnownPart:
    """What is known of a part's workflow without its answer; `status` once it has ended."""

    since: datetime
    status: Status | None = None
    at: datetime | None = None
    first_people: tuple[str, ...] = ()


def retold(
    request: OnboardingInput, stage: str, known_parts: Mapping[str, KnownPart], begun_at: datetime
) -> OnboardingState:
    """The state as far as it follows from the present stage and from what is known of its parts, by workflow id."""
    journey, entered_at = (
        request.carried or OnboardingState.begin(request.onboarding, request.stages, begun_at),
        begun_at,
    )
    reached = journey.stages.names.index(stage) if stage in journey.stages.names else journey.stages.current
    for present in request.stages[journey.stages.current : reached + 1]:
        stage_parts = [_find_known_part(part, known_parts) for _, part in journey.parts_of_stage(present)]
        journey = journey.enter(
            min((known_part.since for _, known_part in stage_parts if known_part), default=entered_at)
        )
        for part, known_part in stage_parts:
            journey = _with_known(journey, part, known_part, known_parts) if known_part else journey
        if journey.stages.current < reached:
            entered_at = max(
                (known_part.at for _, known_part in stage_parts if known_part and known_part.at), default=entered_at
            )
            for plan, part in journey.parts_of_stage(present):
                journey = (
                    journey.told_of(part, PartNews.NOTICE, entered_at) if plan.what is PartKind.NOTICE else journey
                )
            journey = journey.leave(entered_at)
    return journey


def joined(onboarding: OnboardingShow, heard: dict[str, PartHeard]) -> OnboardingShow:
    """The onboarding with the state of its parts, by id. Pure."""
    stages = tuple(_with_parts(stage, heard) for stage in onboarding.stages)
    waiting = tuple(_waiting(onboarding, stages, heard))
    attention = tuple(
        reason.replace(says=f"{part}: {reason.says}") for part, report in heard.items() for reason in report.attention
    )
    return onboarding.replace(
        stages=stages,
        waiting_for=waiting,
        next=_next(onboarding, heard),
        attention=(*onboarding.attention, *attention),
    )


def open_parts(onboarding: OnboardingShow) -> Iterator[PartLine]:
    """In the order of the file."""
    return (part for stage in onboarding.stages for part in stage.parts if part.state == _OPEN and part.workflow)


class PageLink(Model):
    """A link to the customer's page of an onboarding; `until` is its expiry."""

    id: str
    person: str
    link: str
    until: AwareDatetime | None = None


async def page_link(
    store: Store, links: SigningLinks, onboarding: OnboardingShow, person: str | None, *, renew: bool
) -> PageLink:
    """A customer's link; with `renew` a new one, and earlier ones become invalid."""
    member, workflow = _of_customer(onboarding, person), WorkflowName(Kind.ONBOARDING, onboarding.id)
    serial_key = serial_of(workflow.workflow_id, member)
    if renew:
        await store.one_use.replace_serial(serial_key, secrets.token_hex(8))
        await store.link_subscriptions.forget_person(workflow.workflow_id, member)
    serial = await store.one_use.serial(serial_key) or FIRST_SERIAL
    return PageLink(id=onboarding.id, person=member, link=links.link(workflow.reference, member, LinkUse.VIEW, serial))


def preview_link(
    links: SigningLinks, onboarding: OnboardingShow, person: str | None = None, now: datetime | None = None
) -> PageLink:
    """A short-lived link to the page as the customer sees it, without actions."""
    member, expires_at = (
        _of_customer(onboarding, person),
        (now or datetime.now(UTC)).replace(microsecond=0) + PREVIEW_FOR,
    )
    reference = WorkflowName(Kind.ONBOARDING, onboarding.id).reference
    return PageLink(
        id=onboarding.id,
        person=member,
        link=links.link(reference, member, LinkUse.PREVIEW, expires_at=expires_at),
        until=expires_at,
    )


async def _without_its_answer(client: Client, store: Store, onboarding: OnboardingShow) -> OnboardingShow:
    """With its stages, by its input, the records of ended parts, and visibility of open ones."""
    workflow_id = Kind.ONBOARDING.workflow_id(onboarding.id)
    try:
        run = await executions.described(client, workflow_id)
        request = await executions.began_with(client, run, OnboardingInput)
    except _NOT_SAID:
        return onboarding
    query = f"{names.PARENT.name} = '{workflow_id}' AND {executions.OPEN}"
    known_parts = {part_run.id: _of_open(part_run) async for part_run in executions.listed(client, query)}
    rows = await store.ended_follow_ups.page(ListFilter(_PARTS, ids=_runs(request)), PARTS_AT_MOST)
    known_parts |= {row.workflow_id: _of_ended(row) for row in rows if row.workflow_id not in known_parts}
    retold_view = view.show(request, retold(request, onboarding.stage, known_parts, run.started_at), datetime.now(UTC))
    kept_fields = ("status", "problem", "attention", "next", "due_at", "says", "trouble", "partial")
    return retold_view.replace(**{name: getattr(onboarding, name) for name in kept_fields})


def _of_open(run: executions.Run) -> KnownPart:
    people = tuple(id for id in run.search_attributes.all_of(names.WAITING_FOR) if id != MORE and group_of(id) is None)
    return KnownPart(run.search_attributes.get(names.TURN_AT) or run.started_at, first_people=people)


def _of_ended(row: EndedRow) -> KnownPart:
    return KnownPart(row.started_at or row.ended_at, Status(row.status), row.ended_at)


def _runs(request: OnboardingInput) -> tuple[str, ...]:
    """Workflow ids that its parts may have had."""
    journey = request.carried or OnboardingState.begin(request.onboarding, request.stages, datetime.now(UTC))
    runs = ((part.runs_as, attempt.run) for part in journey.parts for attempt in _tries(part))
    return tuple(kind.workflow_id(run) for kind, run in runs if kind)


def _tries(part: PartProgress) -> Iterator[PartProgress]:
    """The part as it is after each decision to begin it again, the latest first."""
    return (part.replace(tries=number) for number in range(part.tries + TRIES_AT_MOST, part.tries - 1, -1))


def _find_known_part(part: PartProgress, known_parts: Mapping[str, KnownPart]) -> tuple[PartProgress, KnownPart | None]:
    runs = (
        (attempt, known_parts.get(attempt.runs_as.workflow_id(attempt.run)) if attempt.runs_as else None)
        for attempt in _tries(part)
    )
    return next(((attempt, known_part) for attempt, known_part in runs if known_part), (part, None))


def _with_known(
    journey: OnboardingState, part: PartProgress, known_part: KnownPart, known_parts: Mapping[str, KnownPart]
) -> OnboardingState:
    updated = journey.with_part(part.id, lambda _: part)
    updated = (
        updated.begin_part(part, known_part.since, known_part.first_people)
        if part.state is PartState.COMING
        else updated
    )
    if known_part.status is None:
        return updated
    updated = updated.merge_report(
        PartSnapshot(id=part.run, status=known_part.status, at=known_part.at), known_part.at or known_part.since
    )
    return updated.asked_about(part) if Kind.TASK.workflow_id(part.next_decision) in known_parts else updated


async def _heard(client: Client, store: Store, onboarding: OnboardingShow) -> dict[str, PartHeard]:
    parts = tuple(open_parts(onboarding))
    report_by_part: dict[str, PartHeard] = {}
    try:
        async with asyncio.timeout(_PARTS_SECONDS):
            if not onboarding.partial:
                await _ask(client, store, parts[:PARTS_ASKED_AT_MOST], report_by_part)
            if len(report_by_part) < len(parts):
                report_by_part |= await _listed(
                    client, onboarding.id, (part for part in parts if part.id not in report_by_part)
                )
    except (TimeoutError, *_NOT_SAID):
        pass  # The onboarding's own state is an answer as well.
    return report_by_part


async def _ask(client: Client, store: Store, parts: Iterable[PartLine], report_by_part: dict[str, PartHeard]) -> None:
    """Query several at a time; answers go to `report_by_part`."""
    waiting = iter(parts)

    async def one_by_one() -> None:
        for part in waiting:
            if (workflow := named(part.workflow or "")) is None:
                continue
            try:
                part_view = await find_best_view(client, store, workflow, time_limit=_PART_ANSWERS_WITHIN)
                report_by_part[part.id] = PartHeard.from_view(part_view, datetime.now(UTC))
            except _NOT_SAID:
                continue

    async with asyncio.TaskGroup() as group:
        for _ in range(PARTS_ASKED_AT_ONCE):
            group.create_task(one_by_one())


async def _listed(client: Client, id: str, parts: Iterable[PartLine]) -> dict[str, PartHeard]:
    part_by_workflow, now = {part.workflow: part.id for part in parts}, datetime.now(UTC)
    query = f"{names.PARENT.name} = '{Kind.ONBOARDING.workflow_id(id)}' AND {executions.OPEN}"
    return {
        part_by_workflow[run.id]: PartHeard.listed(await line_of(run, now), now)
        async for run in executions.listed(client, query)
        if run.id in part_by_workflow
    }


def _with_parts(stage: StageLine, heard: dict[str, PartHeard]) -> StageLine:
    def lines(parts: tuple[PartLine, ...]) -> tuple[PartLine, ...]:
        return tuple(_with_heard(part, heard[part.id]) if part.id in heard else part for part in parts)

    return stage.replace(agreements=lines(stage.agreements), tasks=lines(stage.tasks), steps=lines(stage.steps))


def _with_heard(part: PartLine, report: PartHeard) -> PartLine:
    return part.replace(status=report.status, due_at=report.due_at)


def _waiting(
    onboarding: OnboardingShow, stages: Iterable[StageLine], heard: dict[str, PartHeard]
) -> Iterator[WaitingPart]:
    """Who is waited for, by part: by its own answer, else by the onboarding's."""
    parts = {part.id: part for stage in stages for part in stage.parts}
    for id, waiting_parts in groupby(onboarding.waiting_for, key=lambda waiting_part: waiting_part.part):
        report, part = heard.get(id), parts.get(id)
        if report is None or part is None or part.state != _OPEN:
            yield from waiting_parts
        elif not report.status.has_ended:
            yield from tuple(waiting_for(part, report.turn, onboarding.requester)) or waiting_parts


def _next(onboarding: OnboardingShow, heard: dict[str, PartHeard]) -> NextAction | None:
    """The next time at which a part does something by itself."""
    nearest: tuple[datetime, NextAction] | None = None
    for id, report in heard.items():
        if report.next and report.next.at and (nearest is None or report.next.at < nearest[0]):
            nearest = report.next.at, report.next.replace(why=f"{id}: {report.next.why}")
    return nearest[1] if nearest and onboarding.problem is None else onboarding.next


def _of_customer(onboarding: OnboardingShow, person: str | None) -> str:
    if not onboarding.customer:
        raise Refusal(
            f"{onboarding.id}: nobody says who its customer is while no worker answers: start `countersign worker`"
        )
    everyone = (onboarding.customer, *onboarding.colleagues)
    position = position_of(person or "")
    if position and position <= len(everyone):
        return everyone[position - 1]
    if person is not None and person not in everyone:
        raise Refusal(f"{person} is none of the customer's people: they are {', '.join(everyone)}")
    return person or onboarding.customer
