"""How long the stages of onboardings take, and where the time is lost, from the settled records.

Each hour of a stage counts for those whom it waited for then, in equal parts when it waited for several; an hour in
which nobody was asked, such as before the owner has decided, is ours.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from temporalio.client import Client

from activities import runs
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows import names
from workflows.model.base import Model
from workflows.model.lines import PartLine, StageLine
from workflows.model.records import SettledRecord
from workflows.model.views import OnboardingShow

ONBOARDINGS_AT_MOST: Final = 2_000
"""The newest that have ended, of those that Temporal still lists."""
READ_AT_ONCE: Final = 20
CUSTOMER: Final = "customer"
US: Final = "us"
_DONE: Final = "done"
_ENDED: Final = f"WorkflowType = '{names.CUSTOMER_ONBOARDING}' AND ExecutionStatus = 'Completed'"


class Lost(Model):
    """The time that somebody was waited for: the customer, a team, or us."""

    who: str
    seconds: float
    share: float
    """Of all the time of the stage, from 0 to 1."""


class StageStats(Model):
    """A stage by its name, over all onboardings that passed it."""

    name: str
    onboardings: int
    median_seconds: float
    lost: tuple[Lost, ...]


class OnboardingStats(Model):
    """The answer of `stats --onboarding`; stages in the order in which they are passed."""

    onboardings: int
    stages: tuple[StageStats, ...]


async def gather_onboarding_stats(client: Client, store: Store, told: Callable[[int], None]) -> list[OnboardingShow]:
    """What was kept of those that have ended, newest first; `told` is given how many were read."""
    found: list[OnboardingShow] = []
    ids = [run.id async for run in _newest_onboardings(client)]
    for begin in range(0, len(ids), READ_AT_ONCE):
        some = ids[begin : begin + READ_AT_ONCE]
        contents = await asyncio.gather(*(store.read_record(StoragePrefix.of(id)) for id in some))
        shown = [SettledRecord.model_validate_json(one).show for one in contents if one is not None]
        found += [one for one in shown if isinstance(one, OnboardingShow)]
        told(len(some))
    return found


async def _newest_onboardings(client: Client) -> AsyncIterator[runs.Run]:
    count = 0
    async for run in runs.listed(client, _ENDED):
        if (count := count + 1) > ONBOARDINGS_AT_MOST:
            return
        yield run


def stats(ended: Sequence[OnboardingShow]) -> OnboardingStats:
    """The figures of some that have ended. Pure."""
    passed: dict[str, list[_Passed]] = {}
    for shown in ended:
        for stage in shown.stages:
            if stage.state == _DONE and stage.since and stage.at:
                one = _Passed(stage, frozenset((shown.customer, *shown.colleagues)))
                passed.setdefault(stage.name, []).append(one)
    return OnboardingStats(onboardings=len(ended), stages=tuple(_stage(name, lines) for name, lines in passed.items()))


@dataclass(frozen=True)
class _Passed:
    """A stage that an onboarding has passed; `customers` are the ids of the customer's people."""

    line: StageLine
    customers: frozenset[str]


def _stage(name: str, passed: list[_Passed]) -> StageStats:
    lost: dict[str, timedelta] = {}
    lines = [one.line for one in passed]
    for one in passed:
        for who, time in _waited(one.line, one.customers):
            lost[who] = lost.get(who, timedelta()) + time
    whole = sum(lost.values(), timedelta()).total_seconds() or 1.0
    # The customer first and we last, with the teams between them, whoever took the longest first.
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
    """For whom a stage waited, piece by piece between the instants at which anything began, ended or changed hands."""
    if stage.since is None or stage.at is None:
        return
    asked = [one for part in stage.parts for one in _spans(part, stage, customers)]
    instants = sorted({stage.since, stage.at, *(at for _, *both in asked for at in both if _within(stage, at))})
    for begins, ends in pairwise(instants):
        who = {one for one, since, at in asked if since <= begins and at >= ends} or {US}
        for one in sorted(who):
            yield one, (ends - begins) / len(who)


def _spans(part: PartLine, stage: StageLine, customers: Collection[str]) -> Iterator[tuple[str, datetime, datetime]]:
    """For whom a part waited from when to when: turn by turn, where its record has them."""
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
    """The same of one of those who were asked one after the other: somebody of the customer's, a team, or us."""
    if person in customers or (part.team == CUSTOMER and person in part.members):
        return CUSTOMER
    return part.team if part.team and part in stage.tasks and person in part.members else US


def _who(part: PartLine, stage: StageLine) -> str:
    """The customer, or a team of ours by its name; whoever of us signs first is us."""
    if part.team == CUSTOMER:
        return CUSTOMER
    return part.team or US if part in stage.tasks else US
