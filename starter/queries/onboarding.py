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
from starter.queries.lookup import complete, look_at, of_type, suggesting
from starter.temporal.connection import Context
from workflows import names
from workflows.follow_up.turn_signal import turn_of
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.base import Model
from workflows.model.onboarding import PartKind, PartSeen
from workflows.model.subject import Status, group_of
from workflows.model.views import (
    Attention,
    Next,
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


@dataclass(frozen=True)
class PartHeard:
    """The state of an open part."""

    status: Status
    due_at: AwareDatetime | None
    turn: PartTurn
    next: Next | None = None
    attention: tuple[Attention, ...] = ()

    @classmethod
    def said(cls, shown: Shown, now: datetime) -> Self:
        """By the part itself."""
        return cls(shown.status, shown.due_at, turn_of(shown, now), shown.next, shown.attention)

    @classmethod
    def listed(cls, line: RequestLine, now: datetime) -> Self:
        """By visibility."""
        since = line.since
        people = (WaitingFor(person=person, since=since) for person in line.waiting_for) if since else ()
        return cls(Status(line.status), line.due_at, PartTurn(id=line.id, at=now, waiting_for=tuple(people)))


async def composed(client: Client, store: Store, id: str) -> OnboardingShow:
    """Everything known of an onboarding; raises `Unknown`. Bounded in parts and time: others stay as the onboarding has
    them.
    """
    shown = of_type(OnboardingShow, await look_at(client, store, WorkflowName(Kind.ONBOARDING, id)))
    if shown.partial and not shown.stages:
        shown = await _without_its_answer(client, store, shown)
    return joined(shown, await _heard(client, store, shown)) if not shown.status.ended else shown


async def show(context: Context, typed: str, *, whole: bool = False) -> OnboardingShow:
    """The same by an id as typed; `Unknown` suggests similar ids."""
    async with suggesting(context.client):
        shown = await composed(context.client, context.store, id_of(Kind.ONBOARDING, typed))
    return await complete(context.store, shown) if whole else shown


async def part_of(context: Context, typed: str, part: str) -> tuple[PartLine, PartKind]:
    """A part by its id, as its onboarding knows it; `Refusal` if there is none."""
    async with suggesting(context.client):
        what = WorkflowName(Kind.ONBOARDING, id_of(Kind.ONBOARDING, typed))
        shown = of_type(OnboardingShow, await look_at(context.client, context.store, what))
    if not shown.stages:
        raise Refusal(f"{shown.id}: {shown.says}")
    parts: dict[str, tuple[PartLine, PartKind]] = {}
    for stage in shown.stages:
        parts |= {one.id: (one, PartKind.AGREEMENT) for one in stage.agreements}
        parts |= {one.id: (one, PartKind.TASK) for one in stage.tasks}
        parts |= {one.id: (one, PartKind.STEP) for one in stage.steps}
    if part not in parts:
        raise Refusal(f"{shown.id} has no part {part}{did_you_mean(part, parts)}")
    return parts[part]


async def _without_its_answer(client: Client, store: Store, shown: OnboardingShow) -> OnboardingShow:
    """With its stages, by its input, the records of ended parts, and visibility of open ones."""
    workflow_id = Kind.ONBOARDING.workflow_id(shown.id)
    try:
        run = await executions.described(client, workflow_id)
        given = await executions.began_with(client, run, OnboardingInput)
    except _NOT_SAID:
        return shown
    query = f"{names.PARENT.name} = '{workflow_id}' AND {executions.OPEN}"
    known = {one.id: _of_open(one) async for one in executions.listed(client, query)}
    rows = await store.ended.page(ListFilter(_PARTS, ids=_runs(given)), PARTS_AT_MOST)
    known |= {row.workflow_id: _of_ended(row) for row in rows if row.workflow_id not in known}
    told = view.show(given, retold(given, shown.stage, known, run.started_at), datetime.now(UTC))
    kept = ("status", "problem", "attention", "next", "due_at", "says", "trouble", "partial")
    return told.replace(**{name: getattr(shown, name) for name in kept})


@dataclass(frozen=True)
class PartKnown:
    """What is known of a part's workflow without its answer; `status` once it has ended."""

    since: datetime
    status: Status | None = None
    at: datetime | None = None
    asked: tuple[str, ...] = ()


def _of_open(run: executions.Run) -> PartKnown:
    people = tuple(id for id in run.known.all_of(names.WAITING_FOR) if id != MORE and group_of(id) is None)
    return PartKnown(run.known.get(names.TURN_AT) or run.started_at, asked=people)


def _of_ended(row: EndedRow) -> PartKnown:
    return PartKnown(row.started_at or row.ended_at, Status(row.status), row.ended_at)


def _runs(given: OnboardingInput) -> tuple[str, ...]:
    """Workflow ids that its parts may have had."""
    journey = given.carried or OnboardingState.begin(given.onboarding, given.stages, datetime.now(UTC))
    runs = ((part.runs_as, one.run) for part in journey.parts for one in _tries(part))
    return tuple(kind.workflow_id(run) for kind, run in runs if kind)


def _tries(part: PartProgress) -> Iterator[PartProgress]:
    """The part as it is after each decision to begin it again, the latest first."""
    return (part.replace(tries=number) for number in range(part.tries + TRIES_AT_MOST, part.tries - 1, -1))


def retold(given: OnboardingInput, stage: str, known: Mapping[str, PartKnown], begun: datetime) -> OnboardingState:
    """The state as far as it follows from the present stage and from what is known of its parts, by workflow id."""
    journey, at = given.carried or OnboardingState.begin(given.onboarding, given.stages, begun), begun
    reached = journey.stages.names.index(stage) if stage in journey.stages.names else journey.stages.current
    for present in given.stages[journey.stages.current : reached + 1]:
        found = [_found(part, known) for _, part in journey.of(present)]
        journey = journey.enter(min((one.since for _, one in found if one), default=at))
        for part, one in found:
            journey = _with_known(journey, part, one, known) if one else journey
        if journey.stages.current < reached:
            at = max((one.at for _, one in found if one and one.at), default=at)
            for plan, part in journey.of(present):
                journey = journey.told_of(part, PartNews.NOTICE, at) if plan.what is PartKind.NOTICE else journey
            journey = journey.leave(at)
    return journey


def _found(part: PartProgress, known: Mapping[str, PartKnown]) -> tuple[PartProgress, PartKnown | None]:
    runs = ((one, known.get(one.runs_as.workflow_id(one.run)) if one.runs_as else None) for one in _tries(part))
    return next(((one, it) for one, it in runs if it), (part, None))


def _with_known(
    journey: OnboardingState, part: PartProgress, one: PartKnown, known: Mapping[str, PartKnown]
) -> OnboardingState:
    told = journey.with_part(part.id, lambda _: part)
    told = told.begun(part, one.since, one.asked) if part.state is PartState.COMING else told
    if one.status is None:
        return told
    told = told.seen(PartSeen(id=part.run, status=one.status, at=one.at), one.at or one.since)
    return told.asked_about(part) if Kind.TASK.workflow_id(part.next_decision) in known else told


def joined(shown: OnboardingShow, heard: dict[str, PartHeard]) -> OnboardingShow:
    """The onboarding with the state of its parts, by id. Pure."""
    stages = tuple(_with_parts(stage, heard) for stage in shown.stages)
    waiting = tuple(_waiting(shown, stages, heard))
    attention = tuple(one.replace(says=f"{part}: {one.says}") for part, said in heard.items() for one in said.attention)
    return shown.replace(
        stages=stages,
        waiting_for=waiting,
        next=_next(shown, heard),
        attention=(*shown.attention, *attention),
    )


def open_parts(shown: OnboardingShow) -> Iterator[PartLine]:
    """In the order of the file."""
    return (part for stage in shown.stages for part in stage.parts if part.state == _OPEN and part.workflow)


async def _heard(client: Client, store: Store, shown: OnboardingShow) -> dict[str, PartHeard]:
    parts = tuple(open_parts(shown))
    found: dict[str, PartHeard] = {}
    try:
        async with asyncio.timeout(_PARTS_SECONDS):
            if not shown.partial:
                await _ask(client, store, parts[:PARTS_ASKED_AT_MOST], found)
            if len(found) < len(parts):
                found |= await _listed(client, shown.id, (part for part in parts if part.id not in found))
    except (TimeoutError, *_NOT_SAID):
        pass  # The onboarding's own state is an answer as well.
    return found


async def _ask(client: Client, store: Store, parts: Iterable[PartLine], found: dict[str, PartHeard]) -> None:
    """Query several at a time; answers go to `found`."""
    waiting = iter(parts)

    async def one_by_one() -> None:
        for part in waiting:
            if (what := named(part.workflow or "")) is None:
                continue
            try:
                said = await look_at(client, store, what, within=_PART_ANSWERS_WITHIN)
                found[part.id] = PartHeard.said(said, datetime.now(UTC))
            except _NOT_SAID:
                continue

    async with asyncio.TaskGroup() as group:
        for _ in range(PARTS_ASKED_AT_ONCE):
            group.create_task(one_by_one())


async def _listed(client: Client, id: str, parts: Iterable[PartLine]) -> dict[str, PartHeard]:
    wanted, now = {part.workflow: part.id for part in parts}, datetime.now(UTC)
    query = f"{names.PARENT.name} = '{Kind.ONBOARDING.workflow_id(id)}' AND {executions.OPEN}"
    return {
        wanted[run.id]: PartHeard.listed(await line_of(run, now), now)
        async for run in executions.listed(client, query)
        if run.id in wanted
    }


def _with_parts(stage: StageLine, heard: dict[str, PartHeard]) -> StageLine:
    def lines(parts: tuple[PartLine, ...]) -> tuple[PartLine, ...]:
        return tuple(_with_heard(part, heard[part.id]) if part.id in heard else part for part in parts)

    return stage.replace(agreements=lines(stage.agreements), tasks=lines(stage.tasks), steps=lines(stage.steps))


def _with_heard(part: PartLine, said: PartHeard) -> PartLine:
    return part.replace(status=said.status, due_at=said.due_at)


def _waiting(shown: OnboardingShow, stages: Iterable[StageLine], heard: dict[str, PartHeard]) -> Iterator[WaitingPart]:
    """Who is waited for, by part: by its own answer, else by the onboarding's."""
    parts = {part.id: part for stage in stages for part in stage.parts}
    for id, known in groupby(shown.waiting_for, key=lambda one: one.part):
        said, part = heard.get(id), parts.get(id)
        if said is None or part is None or part.state != _OPEN:
            yield from known
        elif not said.status.ended:
            yield from tuple(waiting_for(part, said.turn, shown.requester)) or known


def _next(shown: OnboardingShow, heard: dict[str, PartHeard]) -> Next | None:
    """The next time at which a part does something by itself."""
    nearest: tuple[datetime, Next] | None = None
    for id, said in heard.items():
        if said.next and said.next.at and (nearest is None or said.next.at < nearest[0]):
            nearest = said.next.at, said.next.replace(why=f"{id}: {said.next.why}")
    return nearest[1] if nearest and shown.problem is None else shown.next


PREVIEW_FOR: Final = timedelta(minutes=30)
"""Lifetime of a preview link."""


class PageLink(Model):
    """A link to the customer's page of an onboarding; `until` is its expiry."""

    id: str
    person: str
    link: str
    until: AwareDatetime | None = None


async def page_link(
    store: Store, links: SigningLinks, shown: OnboardingShow, person: str | None, *, renew: bool
) -> PageLink:
    """A customer's link; with `renew` a new one, and earlier ones become invalid."""
    who, what = _of_customer(shown, person), WorkflowName(Kind.ONBOARDING, shown.id)
    place = serial_of(what.workflow_id, who)
    if renew:
        await store.one_use.replace_serial(place, secrets.token_hex(8))
    serial = await store.one_use.serial(place) or FIRST_SERIAL
    return PageLink(id=shown.id, person=who, link=links.link(what.reference, who, LinkUse.VIEW, serial))


def preview_link(
    links: SigningLinks, shown: OnboardingShow, person: str | None = None, now: datetime | None = None
) -> PageLink:
    """A short-lived link to the page as the customer sees it, without actions."""
    who, until = _of_customer(shown, person), (now or datetime.now(UTC)).replace(microsecond=0) + PREVIEW_FOR
    reference = WorkflowName(Kind.ONBOARDING, shown.id).reference
    return PageLink(id=shown.id, person=who, link=links.link(reference, who, LinkUse.PREVIEW, until=until), until=until)


def _of_customer(shown: OnboardingShow, person: str | None) -> str:
    if not shown.customer:
        raise Refusal(
            f"{shown.id}: nobody says who its customer is while no worker answers: start `countersign worker`"
        )
    everyone = (shown.customer, *shown.colleagues)
    position = position_of(person or "")
    if position and position <= len(everyone):
        return everyone[position - 1]
    if person is not None and person not in everyone:
        raise Refusal(f"{person} is none of the customer's people: they are {', '.join(everyone)}")
    return person or shown.customer
