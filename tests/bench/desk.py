"""`make bench BENCH=desk [WAITING=20000]`: a page of 50 of the desk out of thousands of open requests.

Beside it stands the bare call of visibility that has the same 50 rows; the workflows are only started, since nobody
has to work for a list.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.text import Text
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.records.ended import ListFilter
from activities.records.store import Store
from activities.temporal import executions as runs
from starter.queries.filters import Lateness, visibility_query
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.servers import real_server
from tests.starter.web.desk.office import REQUESTER, office
from workflows import names
from workflows.kinds import Kind

NAME: Final = "desk"
OPEN: Final = 20_000
AIM_MS: Final = 150.0
AIM_RATIO: Final = 1.5
_LOOKS: Final = 15
_AT_MOST: Final = 120
_STARTS_AT_ONCE: Final = 10
_NEVER: Final = timedelta(days=365)
"""Until then nobody is asked to work, which would keep the server busier than the starts themselves."""
_ALL: Final = f"WorkflowType = '{names.SIGNATURE_REQUEST}'"


@dataclass(frozen=True)
class Page:
    """Medians of milliseconds: a page of the desk, and the calls of visibility alone."""

    open: int
    page_ms: float
    calls_ms: float

    @property
    def ratio(self) -> float:
        """The page as a multiple of the calls."""
        return self.page_ms / self.calls_ms

    @property
    def is_met(self) -> bool:
        """Whether the aims were met."""
        return self.page_ms < AIM_MS and self.ratio <= AIM_RATIO

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        figures = {"ours": round(self.page_ms, 1), "floor": round(self.calls_ms, 1), "ratio": round(self.ratio, 2)}
        return {f"{NAME}.page_ms": figures | {"open": self.open}}

    def in_words(self) -> Text:
        """One line, green when the aims were met."""
        sentence = f"{self.open:,} open: a page of 50 in {self.page_ms:.0f} ms, its calls alone {self.calls_ms:.0f} ms"
        aims = f"{self.ratio:.1f} × (aims: < {AIM_MS:.0f} ms, ≤ {AIM_RATIO:g} ×)"
        return Text(f"{sentence}, {aims}", "green" if self.is_met else "red")


async def measure(open_: int = OPEN) -> Page:
    """Fill a server, then look at the first page again and again, both ways in turns."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            real_server("--log-level", "error") as env,
            office(Path(folder), context=_context(env.client, folder)) as desk,
        ):
            await fill(env.client, open_)
            browser = await desk.come_in(REQUESTER)
            context = _context(env.client, folder)

            async def page() -> None:
                answer = await browser.get("/desk/asked")
                assert answer.status_code == 200, answer.text
                desk.pass_(seconds=10)

            took = [(await _ms(page), await _ms(lambda: _calls(context))) for _ in range(_LOOKS)]
    return Page(open_, median(page_ms for page_ms, _ in took), median(calls_ms for _, calls_ms in took))


def _context(client: Client, folder: str) -> Context:
    return Context(client, Store(Path(folder).as_uri()))


async def _calls(context: Context) -> None:
    """What visibility is asked for one page of so many: how many there are, and the first 50 of what is overdue."""
    list_filter, now = ListFilter(requester=REQUESTER), datetime.now(UTC)
    await context.client.count_workflows(await visibility_query(context.client, list_filter, now))
    await runs.page_of(
        context.client, await visibility_query(context.client, list_filter, now, Lateness.OVERDUE), size=50
    )


async def _ms(look: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await look()
    return 1000 * (time.perf_counter() - began)


async def fill(client: Client, open_: int) -> None:
    places, due = asyncio.Semaphore(_STARTS_AT_ONCE), datetime(2026, 11, 20, tzinfo=UTC)

    async def start(number: int) -> None:
        async with places:
            await eventually(lambda: _started(client, number, due + timedelta(hours=number % 1_000)), _AT_MOST)

    await asyncio.gather(*map(start, range(open_)))

    async def all_are_visible() -> bool:
        return (await client.count_workflows(_ALL)).count >= open_

    assert await eventually(all_are_visible), "visibility has not heard of all of them"


async def _started(client: Client, number: int, due: datetime) -> bool:
    """Whether it was; a server that is filled in minutes now and then does not answer, or knows no namespace."""
    try:
        await client.start_workflow(
            names.SIGNATURE_REQUEST,
            id=Kind.REQUEST.workflow_id(f"bench-{number}"),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_delay=_NEVER,
            memo={names.MEMO_DOCUMENT: f"Framework agreement {number}"},
            search_attributes=_make_attributes(due),
        )
    except RPCError:
        return False
    return True


def _make_attributes(due: datetime) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.STATUS, "sent"),
        SearchAttributePair(names.KIND, "customer-contract"),
        SearchAttributePair(names.STAGE, "signing"),
        SearchAttributePair(names.REQUESTER, REQUESTER),
        SearchAttributePair(names.WAITING_FOR, ["chair"]),
        SearchAttributePair(names.TURN_AT, due - timedelta(days=7)),
        SearchAttributePair(names.DUE_AT, due),
    ]
    return TypedSearchAttributes(pairs)
