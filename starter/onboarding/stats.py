"""How long the stages of onboardings take, and where the time is lost, from the settled records.

Each hour of a stage counts for those whom it waited for then, in equal parts when it waited for several; an hour in
which nobody was asked, such as before the owner has decided, is ours.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from temporalio.client import Client

from activities import runs
from activities.store import Home, Store
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


async def gathered(client: Client, store: Store, told: Callable[[int], None]) -> list[OnboardingShow]:
    """What was kept of those that have ended, newest first; `told` is given how many were read."""
    found: list[OnboardingShow] = []
    ids = [run.id async for run in _newest(client)]
    for begin in range(0, len(ids), READ_AT_ONCE):
        some = ids[begin : begin + READ_AT_ONCE]
        contents = await asyncio.gather(*(store.read_record(Home.of(id)) for id in some))
        shown = [SettledRecord.model_validate_json(one).show for one in contents if one is not None]
        found += [one for one in shown if isinstance(one, OnboardingShow)]
        told(len(some))
    return found


async def _newest(client: Client) -> AsyncIterator[runs.Run]:
    count = 0
    async for run in runs.listed(client, _ENDED):
        if (count := count + 1) > ONBOARDINGS_AT_MOST:
            return
        yield run


def stats(ended: Sequence[OnboardingShow]) -> OnboardingStats:
    """The figures of some that have ended. Pure."""
    passed: dict[str, list[StageLine]] = {}
    for shown in ended:
        for stage in shown.stages:
            if stage.state == _DONE and stage.since and stage.at:
                passed.setdefault(stage.name, []).append(stage)
    return OnboardingStats(onboardings=len(ended), stages=tuple(_stage(name, lines) for name, lines in passed.items()))


def _stage(name: str, lines: list[StageLine]) -> StageStats:
    lost: dict[str, timedelta] = {}
    for line in lines:
        for who, time in _waited(line):
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


def _waited(stage: StageLine) -> Iterator[tuple[str, timedelta]]:
    """For whom a stage waited, piece by piece between the instants at which anything began or ended."""
    if stage.since is None or stage.at is None:
        return
    asked = [(_who(part, stage), part.since, part.at) for part in stage.parts if part.since and part.at]
    instants = sorted({stage.since, stage.at, *(at for _, *both in asked for at in both if _within(stage, at))})
    for begins, ends in pairwise(instants):
        who = {one for one, since, at in asked if since <= begins and at >= ends} or {US}
        for one in sorted(who):
            yield one, (ends - begins) / len(who)


def _within(stage: StageLine, at: datetime) -> bool:
    return stage.since is not None and stage.at is not None and stage.since < at < stage.at


def _who(part: PartLine, stage: StageLine) -> str:
    """The customer, or a team of ours by its name; whoever of us signs first is us."""
    if part.team == CUSTOMER:
        return CUSTOMER
    return part.team or US if part in stage.tasks else US
