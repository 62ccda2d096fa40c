"""Figures: from push to the page's button to the act, by kind; waiting times of onboardings. People notified by mail
only are left out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from pydantic import ValidationError
from temporalio.client import Client

from activities.records.ended import EndedFilter
from activities.records.store import Store
from activities.temporal import executions
from starter.queries import lookup
from workflows.follow_up.notification_types import NotificationType, is_other_channel
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.base import Model
from workflows.model.notifications import Channel, NotificationOutcome
from workflows.model.records import SettledRecord
from workflows.model.views import FollowUpShow, OnboardingShow, PartLine, Shown, StageLine

ENDED_AT_MOST: Final = 2_000
"""Those that ended last."""
READ_AT_ONCE: Final = 100
"""Records in memory."""
OPEN_AT_MOST: Final = 200
"""The newest open ones, each queried."""
PEOPLE_AT_MOST: Final = 50_000
"""Of one kind; the first read count."""
KINDS_AT_MOST: Final = 50
"""Those with the most people."""
_ASKED_AT_ONCE: Final = 20
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
_ACTED: Final = frozenset({"signed", "approved", "done"})


class KindStats(Model):
    """People of one kind who got a first push; times are medians."""

    kind: str
    pushed: int
    opened: int
    acted: int
    """Who signed, approved, or did it."""
    other_way: int
    """Who was also notified by mail or SMS."""
    to_open_seconds: float | None
    opened_to_acted_seconds: float | None
    to_acted_seconds: float | None


class PushStats(Model):
    """The answer of `stats --push`; the kind with the most people first."""

    ended: int
    waiting: int
    kinds: tuple[KindStats, ...]
    more_kinds: int = 0


@dataclass
class _OfKind:
    pushed: int = 0
    opened: int = 0
    acted: int = 0
    other_way: int = 0
    to_open: list[float] = field(default_factory=list)
    opened_to_acted: list[float] = field(default_factory=list)
    to_acted: list[float] = field(default_factory=list)


class Courses:
    """Collected figures: three numbers for each person."""

    def __init__(self) -> None:
        self._kinds: dict[str, _OfKind] = {}
        self._ended = self._waiting = 0

    def add(self, shown: FollowUpShow, opened: Mapping[str, datetime]) -> None:
        """One more, with who opened it when."""
        self._ended += shown.status.ended
        self._waiting += not shown.status.ended
        known = self._kinds.setdefault(shown.kind, _OfKind())
        acted = {one.person: one.at for one in shown.lines if one.at and str(one.state) in _ACTED}
        written = {one.person for one in shown.notifications if is_other_channel(one.stage) and one.reached}
        for line in shown.notifications:
            first = (
                line.stage == NotificationType.READY
                and line.channel is Channel.PUSH
                and line.outcome is NotificationOutcome.ACCEPTED
            )
            if first and known.pushed < PEOPLE_AT_MOST:
                known.other_way += line.person in written
                _count(known, line.at, opened.get(line.person), acted.get(line.person))

    @property
    def stats(self) -> PushStats:
        pushed = sorted(
            ((kind, one) for kind, one in self._kinds.items() if one.pushed), key=lambda of: (-of[1].pushed, of[0])
        )
        kinds = tuple(_stats(kind, one) for kind, one in pushed[:KINDS_AT_MOST])
        more = max(0, len(pushed) - KINDS_AT_MOST)
        return PushStats(ended=self._ended, waiting=self._waiting, kinds=kinds, more_kinds=more)


async def gather_push_stats(client: Client, store: Store, told: Callable[[int], None]) -> PushStats:
    """The figures of what ended last, by the database, and of what runs, by Temporal; `told` gets the number read."""
    courses = Courses()
    asking = tuple(kind for kind in kinds() if not kind.spec.has_parts)
    async for some in _ended(store, [kind.spec.prefix for kind in asking], ENDED_AT_MOST):
        await _add(courses, store, some)
        told(len(some))
    waiting = [one async for one in _newest_open(client, asking, OPEN_AT_MOST)]
    for begin in range(0, len(waiting), _ASKED_AT_ONCE):
        some_of_them = waiting[begin : begin + _ASKED_AT_ONCE]
        shown = await asyncio.gather(*(_asked(client, store, what) for what in some_of_them))
        await _add(courses, store, [one for one in shown if one is not None])
        told(len(some_of_them))
    return courses.stats


async def _ended(store: Store, types: Iterable[str], most: int) -> AsyncIterator[list[Shown]]:
    """The records of these kinds that ended last, some at a time."""
    wanted, after = EndedFilter(tuple(types)), None
    while most > 0 and (rows := await store.ended.page(wanted, min(most, READ_AT_ONCE), after)):
        contents = await store.records.read_many([row.workflow_id for row in rows])
        yield [shown for content in contents if (shown := _shown(content)) is not None]
        after, most = rows[-1].place, most - len(rows)


def _shown(content: bytes | None) -> Shown | None:
    try:
        return SettledRecord.model_validate_json(content).show if content else None
    except ValidationError:
        return None


async def _newest_open(client: Client, of: Iterable[Kind], most: int) -> AsyncIterator[WorkflowName]:
    types = ", ".join(repr(kind.spec.workflow) for kind in of)
    found, _ = await executions.page_of(client, f"WorkflowType IN ({types}) AND ExecutionStatus = 'Running'", size=most)
    for run in found:
        if what := named(run.id):
            yield what


async def _asked(client: Client, store: Store, what: WorkflowName) -> Shown | None:
    """Its own answer; None if it ended or was forgotten meanwhile."""
    try:
        return await lookup.look_at(client, store, what, within=_ANSWERS_WITHIN)
    except lookup.Unknown:
        return None


async def _add(courses: Courses, store: Store, some: Sequence[Shown]) -> None:
    opened = await store.log_pages.opened_of([shown.type.workflow_id(shown.id) for shown in some])
    for shown in some:
        courses.add(shown, opened.get(shown.type.workflow_id(shown.id), {}))


def _count(known: _OfKind, pushed: datetime, opened: datetime | None, acted: datetime | None) -> None:
    known.pushed += 1
    known.opened += opened is not None
    known.acted += acted is not None
    if opened:
        known.to_open.append(_seconds(pushed, opened))
    if acted:
        known.to_acted.append(_seconds(pushed, acted))
    if opened and acted:
        known.opened_to_acted.append(_seconds(opened, acted))


def _seconds(since: datetime, until: datetime) -> float:
    """Never negative: clocks differ."""
    return max(0.0, (until - since).total_seconds())


def _stats(kind: str, one: _OfKind) -> KindStats:
    return KindStats(
        kind=kind,
        pushed=one.pushed,
        opened=one.opened,
        acted=one.acted,
        other_way=one.other_way,
        to_open_seconds=_median(one.to_open),
        opened_to_acted_seconds=_median(one.opened_to_acted),
        to_acted_seconds=_median(one.to_acted),
    )


def _median(seconds: list[float]) -> float | None:
    return round(median(seconds), 1) if seconds else None


ONBOARDINGS_AT_MOST: Final = 2_000
"""Those that ended last."""
CUSTOMER: Final = "customer"
US: Final = "us"
_DONE: Final = "done"


class Lost(Model):
    """Time waited for the customer, a team, or us."""

    who: str
    seconds: float
    share: float
    """Of the stage's time, from 0 to 1."""


class StageStats(Model):
    """A stage by name, over all onboardings that passed it."""

    name: str
    onboardings: int
    median_seconds: float
    lost: tuple[Lost, ...]


class OnboardingStats(Model):
    """The answer of `stats --onboarding`; stages in their order."""

    onboardings: int
    stages: tuple[StageStats, ...]


async def gather_onboarding_stats(store: Store, told: Callable[[int], None]) -> list[OnboardingShow]:
    """Records of ended onboardings, newest first; `told` gets the number read."""
    found: list[OnboardingShow] = []
    async for some in _ended(store, [Kind.ONBOARDING.spec.prefix], ONBOARDINGS_AT_MOST):
        found += [lookup.of_type(OnboardingShow, one) for one in some]
        told(len(some))
    return found


def stats(ended: Sequence[OnboardingShow]) -> OnboardingStats:
    passed: dict[str, list[_Passed]] = {}
    for shown in ended:
        for stage in shown.stages:
            if stage.state == _DONE and stage.since and stage.at:
                one = _Passed(stage, frozenset((shown.customer, *shown.colleagues)))
                passed.setdefault(stage.name, []).append(one)
    return OnboardingStats(onboardings=len(ended), stages=tuple(_stage(name, lines) for name, lines in passed.items()))


@dataclass(frozen=True)
class _Passed:
    """A stage of one onboarding; `customers` are the ids of the customer's people."""

    line: StageLine
    customers: frozenset[str]


def _stage(name: str, passed: list[_Passed]) -> StageStats:
    lost: dict[str, timedelta] = {}
    lines = [one.line for one in passed]
    for one in passed:
        for who, time in _waited(one.line, one.customers):
            lost[who] = lost.get(who, timedelta()) + time
    whole = sum(lost.values(), timedelta()).total_seconds() or 1.0
    # The customer first and we last; the teams between them by time.
    order = sorted(lost, key=lambda who: (who != CUSTOMER, who == US, -lost[who]))
    return StageStats(
        name=name,
        onboardings=len(lines),
        median_seconds=median((line.at - line.since).total_seconds() for line in lines if line.at and line.since),
        lost=tuple(
            Lost(who=who, seconds=lost[who].total_seconds(), share=round(lost[who].total_seconds() / whole, 4))
            for who in order
        ),
    )


def _waited(stage: StageLine, customers: Collection[str]) -> Iterator[tuple[str, timedelta]]:
    """Whom a stage waited for, between any two changes."""
    if stage.since is None or stage.at is None:
        return
    asked = [one for part in stage.parts for one in _spans(part, stage, customers)]
    instants = sorted({stage.since, stage.at, *(at for _, *both in asked for at in both if _within(stage, at))})
    for begins, ends in pairwise(instants):
        who = {one for one, since, at in asked if since <= begins and at >= ends} or {US}
        for one in sorted(who):
            yield one, (ends - begins) / len(who)


def _spans(part: PartLine, stage: StageLine, customers: Collection[str]) -> Iterator[tuple[str, datetime, datetime]]:
    """Whom a part waited for from when to when; turn by turn, if recorded."""
    if part.since is None or part.at is None:
        return
    if not part.turns:
        yield _who(part, stage), part.since, part.at
    ends = [*(turn.since for turn in part.turns[1:]), part.at]
    for turn, at in zip(part.turns, ends, strict=True) if part.turns else ():
        for one in {_who_of(person, part, stage, customers) for person in turn.people}:
            yield one, turn.since, at


def _within(stage: StageLine, at: datetime) -> bool:
    return stage.since is not None and stage.at is not None and stage.since < at < stage.at


def _who_of(person: str, part: PartLine, stage: StageLine, customers: Collection[str]) -> str:
    """Of one signer in turn: the customer, a team, or us."""
    if person in customers or (part.team == CUSTOMER and person in part.members):
        return CUSTOMER
    return part.team if part.team and part in stage.tasks and person in part.members else US


def _who(part: PartLine, stage: StageLine) -> str:
    """The customer, or a team by name; our own first signers are us."""
    if part.team == CUSTOMER:
        return CUSTOMER
    return part.team or US if part in stage.tasks else US
