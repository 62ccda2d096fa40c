"""From a push to the button of our page to what was asked for, kind by kind: of what has ended and what still waits.

Opened is what the page's button marked: nobody learns of a push that was seen. Who was told by mail alone is no part of
it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from pydantic import ValidationError
from temporalio.client import Client

from activities import runs
from activities.opened import opened_at
from activities.store.home import StoragePrefix
from activities.store.store import Store
from starter import lookup
from workflows import names
from workflows.follow_up.stages import NotificationType, is_other_channel
from workflows.kinds import WorkflowName, named
from workflows.model.base import Model
from workflows.model.notices import Channel, NotificationOutcome
from workflows.model.records import SettledRecord
from workflows.model.views import RequestShow, Shown, TaskShow

ENDED_AT_MOST: Final = 2_000
"""The newest that have ended, of those that Temporal still lists."""
OPEN_AT_MOST: Final = 200
"""The newest that still wait: each is asked itself."""
PEOPLE_AT_MOST: Final = 50_000
"""Of one kind; of more the first that were read count."""
KINDS_AT_MOST: Final = 50
"""Of more those with the most people."""
_AT_ONCE: Final = 20
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
_ACTED: Final = frozenset({"signed", "approved", "done"})
_TYPES: Final = f"WorkflowType IN ('{names.SIGNATURE_REQUEST}', '{names.TASK}')"


class KindStats(Model):
    """The people of one kind to whose phones a first notice went; times are medians."""

    kind: str
    pushed: int
    opened: int
    acted: int
    """Who signed, approved, or did it."""
    other_way: int
    """Who was told by mail or SMS as well."""
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
    """What is known so far; of each person three numbers are kept."""

    def __init__(self) -> None:
        self._kinds: dict[str, _OfKind] = {}
        self._ended = self._waiting = 0

    def add(self, shown: RequestShow | TaskShow, opened: dict[str, datetime]) -> None:
        """One more, and who opened it when."""
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
        """The figures."""
        pushed = sorted(
            ((kind, one) for kind, one in self._kinds.items() if one.pushed), key=lambda of: (-of[1].pushed, of[0])
        )
        kinds = tuple(_stats(kind, one) for kind, one in pushed[:KINDS_AT_MOST])
        more = max(0, len(pushed) - KINDS_AT_MOST)
        return PushStats(ended=self._ended, waiting=self._waiting, kinds=kinds, more_kinds=more)


async def gather_push_stats(client: Client, store: Store, told: Callable[[int], None]) -> PushStats:
    """The figures of what Temporal lists; `told` is given how many more were read."""
    courses = Courses()
    for status, most, read in (("Completed", ENDED_AT_MOST, _recorded), ("Running", OPEN_AT_MOST, _asked)):
        found = [one async for one in _newest_pushes(client, status, most)]
        for begin in range(0, len(found), _AT_ONCE):
            some = found[begin : begin + _AT_ONCE]
            for shown in await asyncio.gather(*(read(client, store, what) for what in some)):
                if isinstance(shown, RequestShow | TaskShow):
                    courses.add(shown, await _opened(store, shown))
            told(len(some))
    return courses.stats


async def _newest_pushes(client: Client, status: str, most: int) -> AsyncIterator[WorkflowName]:
    count = 0
    async for run in runs.listed(client, f"{_TYPES} AND ExecutionStatus = '{status}'"):
        if what := named(run.id):
            if (count := count + 1) > most:
                return
            yield what


async def _recorded(_: Client, store: Store, what: WorkflowName) -> Shown | None:
    content = await store.read_record(StoragePrefix.of(what.workflow_id))
    try:
        return SettledRecord.model_validate_json(content).show if content else None
    except ValidationError:
        return None


async def _asked(client: Client, store: Store, what: WorkflowName) -> Shown | None:
    """What it says itself; one that ended or was forgotten meanwhile does not count."""
    try:
        return await lookup.look_at(client, store, what, within=_ANSWERS_WITHIN)
    except lookup.Unknown:
        return None


async def _opened(store: Store, shown: RequestShow | TaskShow) -> dict[str, datetime]:
    return await opened_at(store, shown.type.workflow_id(shown.id), [one.person for one in shown.lines])


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
    """Clocks differ by a little, and a moved one by a lot: nothing takes less than no time."""
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
