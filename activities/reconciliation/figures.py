"""What is open, counted by reconciliation for the metrics: by one worker, and exported by all from the database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from pydantic import AwareDatetime, Field, ValidationError
from temporalio.client import Client
from temporalio.service import RPCError

from activities import metrics
from activities.alerts import (
    CALLBACKS_MISSING,
    CLOCK_BEHIND,
    PUSH_REFUSED,
    TARGET_DEAD,
    TARGET_FAILING,
)
from activities.errors import StoreFailure
from activities.notifications.alerts import IncidentSubject, KeptAlerts, OnCallAlerts
from activities.reconciliation.callback_health import CallbackClockSkew, CallbackHealth
from activities.records.incidents import PROBLEMS, PUSH, TARGETS, About, Incident
from activities.records.store import Store
from activities.temporal.executions import OPEN
from workflows import names
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model
from workflows.model.hand_off import HandoffState
from workflows.model.subject import Code, Status

COUNTED_WITHIN: Final = 20.0
"""Seconds; what takes longer is counted by the next reconciliation."""
EXPORTED_EVERY: Final = 15.0
"""Seconds between two looks of a worker at what was counted."""
LASTS_FROM: Final = timedelta(hours=1)
"""How long a problem is found at each look before on-call is told."""
DEAD_FOR: Final = timedelta(days=1)
"""How long a dead hand-off of what has ended counts."""
_AT_ONCE: Final = 5
"""Counts that Temporal is asked for at a time."""
_SETTLE: Final = timedelta(minutes=1)
"""A start may be written that long after its instant."""
_TARGET_DEAD_FROM: Final = 2
"""Grade of an incident (activities/hand_off/target_health.py)."""
_LASTING: Final = frozenset(code for code in Code if not code.terminal)
"""Problems; other codes only need a person."""
_STAGES: Final = (NotificationType.PROBLEM_OVER, NotificationType.PROBLEM_LASTS)
_LOGGER: Final = structlog.get_logger("countersign.figures")


class CurrentFigures(Model):
    """Counts at one instant: open follow-ups by kind and status, problems by code, hand-offs by state, incidents by
    alert. Starts were counted up to `started_until`.
    """

    at: AwareDatetime
    started_until: AwareDatetime
    open: tuple[tuple[str, str, int], ...] = ()
    problems: Mapping[str, int] = Field(default_factory=dict)
    problems_since: Mapping[str, AwareDatetime] = Field(default_factory=dict)
    """Since when each look found one with this code."""
    hand_offs: Mapping[str, int] = Field(default_factory=dict)
    incidents: Mapping[str, int] = Field(default_factory=dict)

    def export(self) -> None:
        """Set the gauges of this process."""
        metrics.OPEN.set_all({(kind, status): count for kind, status, count in self.open})
        metrics.PROBLEMS.set_all(_by_one(self.problems))
        metrics.HAND_OFFS.set_all(_by_one(self.hand_offs))
        metrics.INCIDENTS.set_all(_by_one(self.incidents))
        metrics.COUNTED_AT.set_all({(): int(self.at.timestamp())})


def _by_one(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(label,): count for label, count in counts.items()}


@dataclass(frozen=True)
class FigureCounter:
    """Counts by Temporal's visibility and the database; `kinds` are those of the catalogue. `on_call` is alerted of
    problems that last.
    """

    client: Client
    store: Store
    kinds: Callable[[], Iterable[str]] = tuple
    on_call: OnCallAlerts | None = None

    async def count(self, silence: CallbackHealth, now: datetime, *, finished: bool = True) -> None:
        """Keep the figures of now: problems for on-call, all of them if this process exports metrics. A failure leaves
        them as they were; a reconciliation that is not `finished` leaves their instant, by which it is missed.
        """
        if not (self.on_call or metrics.exported_here()):
            return
        try:
            async with asyncio.timeout(COUNTED_WITHIN):
                previous = await read_figures(self.store)
                figures = await self._with_problems(previous, now)
                if metrics.exported_here():
                    figures = await self._with_all(figures, silence, now)
                if previous and not finished:
                    figures = figures.replace(at=previous.at)
                await self.store.notes.note_figures(figures.model_dump_json().encode())
            await self._tell(figures, now)
        # A client that has never connected raises the second.
        except (RPCError, RuntimeError, StoreFailure, TimeoutError) as failure:
            _LOGGER.warning("nothing was counted", why=type(failure).__name__)

    async def _with_problems(self, previous: CurrentFigures | None, now: datetime) -> CurrentFigures:
        figures = previous or CurrentFigures(at=now, started_until=now - _SETTLE)
        counts = await self._count_each({code: _is(names.PROBLEM.name, code) for code in metrics.CODES})
        since_by_code = {code: figures.problems_since.get(code, now) for code, count in counts.items() if count}
        return figures.replace(problems=counts, problems_since=since_by_code)

    async def _with_all(self, previous: CurrentFigures, silence: CallbackHealth, now: datetime) -> CurrentFigures:
        started_until = max(previous.started_until, now - _SETTLE)
        for kind, count in (await self.store.starts.counts(previous.started_until, started_until)).items():
            metrics.STARTED.add(count, kind=kind)
        return previous.replace(
            at=now,
            started_until=started_until,
            open=await self._open(),
            hand_offs=await self._hand_offs(now),
            incidents=await self._incidents(silence, now),
        )

    async def _tell(self, figures: CurrentFigures, now: datetime) -> None:
        """Alert on-call once when a problem has lasted, and once when none does any more."""
        if self.on_call is None:
            return
        lasting = {
            code: begun_at
            for code, begun_at in figures.problems_since.items()
            if code in _LASTING and now - begun_at >= LASTS_FROM
        }
        topic, alerts = About(PROBLEMS, "requests"), KeptAlerts(self.store.incidents, self.on_call)
        previous = await alerts.incidents.read(topic)

        def becomes(incident: Incident) -> Incident:
            if not lasting:
                return incident.becomes(0, now)
            return incident.becomes(1, min(lasting.values())).replace(why=", ".join(sorted(lasting)))

        incident = becomes(previous)
        if incident == previous and not previous.has_news(now):
            return
        title = incident.why or "requests"
        await alerts.learn(topic, IncidentSubject("problems", "problem", title, _STAGES), becomes, now)

    async def _open(self) -> tuple[tuple[str, str, int], ...]:
        """Kinds that the catalogue does not have are one, without a name of theirs."""
        rows: list[tuple[str, str, int]] = []
        living = [status for status in Status if not status.has_ended]
        altogether = await self._count_each({status: _is(names.STATUS.name, status) for status in living})
        for status, total in altogether.items():
            kinds = list(self.kinds())[: metrics.KINDS_AT_MOST] if total else []
            by_kind = await self._count_each(
                {kind: f"{_is(names.STATUS.name, status)} AND {_is(names.KIND.name, kind)}" for kind in kinds}
            )
            rows += [(kind, status, count) for kind, count in by_kind.items() if count]
            if uncounted := total - sum(by_kind.values()):
                rows.append((metrics.OTHER, status, max(0, uncounted)))
        return tuple(rows)

    async def _hand_offs(self, now: datetime) -> Mapping[str, int]:
        waits = f"({_is(names.STAGE.name, 'settled')} OR {_is(names.HANDOFF.name, HandoffState.PENDING)})"
        open_ones = await self._count_each(
            {HandoffState.PENDING: waits, HandoffState.DEAD: _is(names.HANDOFF.name, HandoffState.DEAD)}
        )
        dead = await self.store.hand_offs.dead_since(now - DEAD_FOR)
        return dict(Counter(open_ones) + Counter({HandoffState.DEAD: dead}))

    async def _incidents(self, silence: CallbackHealth, now: datetime) -> Mapping[str, int]:
        targets = [incident.grade for _, incident in await self.store.incidents.open(TARGETS)]
        dead = sum(grade >= _TARGET_DEAD_FROM for grade in targets)
        clock = await CallbackClockSkew.latest(self.store)
        return {
            CALLBACKS_MISSING.name: int(silence.incident.grade > 0),
            CLOCK_BEHIND.name: int(clock is not None and clock.holds(now)),
            TARGET_FAILING.name: len(targets) - dead,
            TARGET_DEAD.name: dead,
            PUSH_REFUSED.name: len(await self.store.incidents.open(PUSH)),
        }

    async def _count_each(self, queries: Mapping[str, str]) -> dict[str, int]:
        semaphore = asyncio.Semaphore(_AT_ONCE)

        async def count_open(query: str) -> int:
            async with semaphore:
                return (await self.client.count_workflows(f"{OPEN} AND {query}")).count

        counts: Iterable[Awaitable[int]] = map(count_open, queries.values())
        return dict(zip(queries, await asyncio.gather(*counts), strict=True))


async def read_figures(store: Store) -> CurrentFigures | None:
    """What was counted last, None if nothing was; raises `StoreFailure`."""
    content = await store.notes.figures()
    try:
        return CurrentFigures.model_validate_json(content) if content else None
    except ValidationError:
        return None


@asynccontextmanager
async def exported(store: Store) -> AsyncIterator[None]:
    """Export what was counted last, again and again while the block runs; nothing in a process without metrics."""
    if not metrics.exported_here():
        yield
        return
    exporting = asyncio.create_task(_export(store))
    try:
        yield
    finally:
        exporting.cancel()
        await asyncio.gather(exporting, return_exceptions=True)


def _is(attribute: str, value: str) -> str:
    return f"{attribute} = '{value}'"


async def _export(store: Store) -> None:
    while True:
        try:
            if (figures := await read_figures(store)) is not None:
                figures.export()
        except StoreFailure:
            pass  # It is counted, and waited for, where the database is called.
        await asyncio.sleep(EXPORTED_EVERY)
