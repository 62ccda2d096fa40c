"""`make bench BENCH=sweep [WAITING=2000]`: what a sweep costs while so many are open, quiet and after a long silence.

A list of events that is computed page by page stands for Core Signature: what is measured is ours, and Temporal's.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from pydantic import SecretStr
from rich.text import Text
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import ActivityEnvironment

from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.http.oauth import Credentials
from activities.reconciliation.service import ReconciliationService
from activities.records.store import Store
from starter.temporal.codec import data_converter
from tests.bench import memory
from tests.servers import real_server
from workflows import names
from workflows.kinds import Kind
from workflows.model.reconciliation import PARTS_AT_MOST, ReconciliationOrder, ReconciliationResult
from workflows.model.subject import Status

NAME: Final = "sweep"
OPEN: Final = 2_000
EVENTS: Final = 200_000
_WITHIN: Final = 60.0
_QUIET_FOR_ONE_CALL: Final = 50
_WEEK: Final = timedelta(days=7)
_AT_ONCE: Final = 20


@dataclass
class Listed:
    """A provider that lists so many events of these requests, one after the other over `span`, newest first."""

    requests: int
    events: int
    span: timedelta
    newest: datetime
    delivered: bool
    calls: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """A token, or a page."""
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        self.calls += 1
        page, size = int(request.url.params["page"]), int(request.url.params["limit"])
        first, last = (page - 1) * size, min(page * size, self.events)
        next_page = "more" if last < self.events else None
        return httpx.Response(
            200, json={"results": [self._event(number) for number in range(first, last)], "next": next_page}
        )

    def _event(self, number: int) -> dict[str, Any]:
        happened_at = self.newest - self.span * (number / self.events)
        document = {"uuid": f"{number % self.requests:032x}", "external_id": _id(number % self.requests)}
        return {
            "uuid": f"{number:032x}",
            "event_type": "signer_viewed",
            "timestamp": happened_at.isoformat(),
            "delivered": self.delivered,
            "document": document,
        }


@dataclass(frozen=True)
class Course:
    """What it took to look at all of it: seconds, calls of Core Signature, sweeps, and how much memory grew."""

    seconds: float
    calls: int
    told_count: int
    sweeps: int
    grown_mb: float


@dataclass(frozen=True)
class SweepFigures:
    """A quiet sweep, one in which every request has missed something, and a week without callbacks."""

    waiting: int
    quiet: Course
    missed: Course
    week: Course

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        courses = {"quiet": self.quiet, "missed": self.missed, "week": self.week}
        return {f"{NAME}.{name}": vars(course) for name, course in courses.items()}

    def in_words(self) -> Text:
        """A line a course, green when it does as it should."""
        allowed = self.waiting / _QUIET_FOR_ONE_CALL
        lines = Text()
        for label, course, is_met in (
            (f"{self.waiting:,} open, quiet", self.quiet, self.quiet.calls <= allowed),
            (f"{self.waiting:,} open, each missed one event", self.missed, self.missed.told_count == self.waiting),
            (f"{EVENTS:,} events after a week without callbacks", self.week, self.week.told_count == self.waiting),
        ):
            took = f"{course.seconds:.1f} s, {course.calls:,} calls, {course.told_count:,} told, {course.sweeps} sweeps"
            right = is_met and (course is self.week or course.seconds < _WITHIN)
            lines.append(f"{label}: {took}, +{course.grown_mb:.0f} MB\n", style="green" if right else "red")
        return lines


async def measure(waiting: int = OPEN) -> SweepFigures:
    """Some minutes on a fresh server."""
    quiet = ("--output", "none", "--log-level", "never")
    async with real_server(*quiet, converter=data_converter(())) as env:
        await _begin(env.client, waiting)
        now = datetime.now(UTC)
        minutes = timedelta(minutes=5)

        def listed(events: int, span: timedelta, *, delivered: bool) -> Listed:
            return Listed(waiting, events, span, now - timedelta(minutes=1), delivered)

        heard = await _sweep_all(env.client, listed(waiting, _WEEK, delivered=True), since_instant=now - minutes)
        missed = await _sweep_all(
            env.client, listed(waiting, minutes, delivered=False), since_instant=now - 2 * minutes
        )
        week = await _sweep_all(env.client, listed(EVENTS, _WEEK, delivered=False), since_instant=now - _WEEK - minutes)
        return SweepFigures(waiting, heard, missed, week)


async def _begin(client: Client, waiting: int) -> None:
    """Requests that go on, and that nobody works on: what they do with what they are told is not measured."""
    semaphore = asyncio.Semaphore(_AT_ONCE)
    sent = TypedSearchAttributes([SearchAttributePair(names.STATUS, Status.SENT.value)])

    async def begin(number: int) -> None:
        async with semaphore:
            await client.start_workflow(
                names.SIGNATURE_REQUEST,
                id=Kind.REQUEST.workflow_id(_id(number)),
                task_queue="nobody",
                search_attributes=sent,
            )

    await asyncio.gather(*map(begin, range(waiting)))
    query = f"WorkflowType = '{names.SIGNATURE_REQUEST}'"
    while (await client.count_workflows(query)).count < waiting:  # noqa: ASYNC110  visibility lags
        await asyncio.sleep(0.2)


async def _sweep_all(client: Client, provider: Listed, since_instant: datetime) -> Course:
    """Part after part as the workflow asks for them, until all events after an instant were looked at."""
    async with AsyncExitStack() as stack:
        store = Store(stack.enter_context(TemporaryDirectory()))
        await store.notes.note_sweep_mark(
            f'{{"until": "{(since_instant + timedelta(minutes=10)).isoformat()}"}}'.encode()
        )
        transport = httpx.MockTransport(provider.answer)
        credentials = Credentials(
            token_url="https://core.test/token", client_id="bench", client_secret=SecretStr("bench")
        )
        config = CoreSignatureConfig(url="https://core.test", credentials=credentials)
        signature = await stack.enter_async_context(aclosing(CoreSignatureClient(config, transport=transport)))
        sweep = ReconciliationService(signature, client, store)
        look: Callable[[ReconciliationOrder], Any] = sweep.reconcile
        memory_before, began, parts, all_of_it = memory.peak_mb(), time.perf_counter(), 0, ReconciliationResult()
        while not all_of_it.over:
            part: ReconciliationResult = await ActivityEnvironment().run(
                look, ReconciliationOrder(now=datetime.now(UTC))
            )
            all_of_it, parts = all_of_it.followed_by(part), parts + 1
        took = time.perf_counter() - began
        grown_mb = memory.peak_mb() - memory_before
        return Course(took, provider.calls, all_of_it.told, -(-parts // PARTS_AT_MOST), grown_mb)


def _id(number: int) -> str:
    return f"customer-contract-{number:06}"
