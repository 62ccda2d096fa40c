"""`make bench BENCH=records [N=1000000] [ENGINE=PostgreSQL]`: lists and records of what has ended, out of so many.

A list is the whole page of 50 as the command asks for it, the calls of visibility with it; `show` is all that is read.
The write of a settled record stands beside the same rows by hand (`records_floor`); SQL statements are counted. A
sign-in is allowed beside 200,000 others.
"""

import asyncio
import hashlib
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from rich.text import Text
from sqlalchemy import text
from temporalio.client import Client

from activities.records.allowances import Rate
from activities.records.database import chunks
from activities.records.ended import ListFilter
from activities.records.schema import RECORD_LISTS, RECORDS
from activities.records.settled import Facet, ListOf
from activities.records.store import Store
from starter.queries import lists, lookup
from starter.temporal.connection import Context
from starter.web.desk.access import PEOPLE_AT_MOST
from tests.bench import records_floor
from tests.bench.engine import Engine, empty_database
from tests.servers import real_server
from tests.storage import listening
from workflows.kinds import Kind, WorkflowName, kinds
from workflows.model.hand_off import SettledRequest
from workflows.model.records import SettledRecord
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import TimelineEntry
from workflows.model.views import RequestShow, SignerLine

NAME: Final = "records"
ROWS: Final = 1_000_000
AIM_RATIO: Final = 1.5
AIM_LIST_MS: Final = 50.0
AIM_SHOW_MS: Final = 20.0
AIM_ALLOWANCE_MS: Final = 2.0
ALLOWANCES: Final = 200_000
_AT_ONCE: Final = 2_000
_LOOKS: Final = 200
_BEGAN: Final = datetime(2024, 1, 1, tzinfo=UTC)
_KINDS: Final = ("customer-contract", "nda", "offer-letter")
_REQUESTERS: Final = 200
_PEOPLE: Final = 20_000


@dataclass(frozen=True)
class Figures:
    """Of one engine, in milliseconds."""

    engine: Engine
    rows: int
    write_ms: float
    floor_ms: float
    write_statements: int
    """Of one record."""
    list_ms: float
    """The 95th percentile."""
    list_statements: int
    """The most of one list."""
    show_ms: float
    allowance_ms: float

    @property
    def ratio(self) -> float:
        return self.write_ms / self.floor_ms

    @property
    def is_met(self) -> bool:
        quick = self.list_ms < AIM_LIST_MS and self.show_ms < AIM_SHOW_MS and self.allowance_ms < AIM_ALLOWANCE_MS
        return quick and self.ratio <= AIM_RATIO

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        figures = {
            "rows": self.rows,
            "write_ms": round(self.write_ms, 2),
            "floor_ms": round(self.floor_ms, 2),
            "write_statements": self.write_statements,
            "list_statements": self.list_statements,
            "ratio": round(self.ratio, 2),
            "list_p95_ms": round(self.list_ms, 1),
            "show_ms": round(self.show_ms, 1),
            "allowance_ms": round(self.allowance_ms, 2),
        }
        return {f"{NAME}.{self.engine}": figures}

    def in_words(self) -> Text:
        """One line, green when its aims were met."""
        return Text(
            f"{self.engine}, {self.rows:,} ended: a record in {self.write_ms:.1f} ms, "
            f"{self.ratio:.2f} × the same rows by hand "
            f"(aim ≤ {AIM_RATIO:g}); a list of 50 in {self.list_ms:.0f} ms, p95 (< {AIM_LIST_MS:.0f}); `show` in "
            f"{self.show_ms:.0f} ms (< {AIM_SHOW_MS:.0f}); an allowance in {self.allowance_ms:.1f} ms "
            f"(< {AIM_ALLOWANCE_MS:.0f})",
            "green" if self.is_met else "red",
        )


async def measure(rows: int = ROWS, engine: Engine = Engine.SQLITE) -> Figures:
    """On a Temporal server that has forgotten all of them."""
    with tempfile.TemporaryDirectory() as folder, empty_database(engine, Path(folder)) as url:
        async with real_server("--log-level", "error") as env:
            store = Store(Path(folder).as_uri(), url)
            if engine is Engine.POSTGRESQL:
                await store.database.upgrade()
            figures = await _measure_engine(engine, env.client, store, url, rows)
            store.close()
    return figures


async def _measure_engine(engine: Engine, client: Client, store: Store, url: str, rows: int) -> Figures:
    await _fill(store, rows)
    written, by_hand, write_statements = await _writes(store, url)
    context = Context(client, store)
    list_ms_of_looks, list_statements = [], 0
    for list_filter in _make_filters():
        with _note_statements(store) as statements:
            list_ms_of_looks.append(await _ms(partial(lists.page, context, list_filter)))
        list_statements = max(list_statements, len(statements))
    ids = [WorkflowName(Kind.REQUEST, f"written-{number}") for number in range(_LOOKS)]
    show_ms_of_looks = [
        await _ms(partial(lookup.find_best_view, client, store, workflow_name)) for workflow_name in ids
    ]
    allowed = await _allowances(store, min(rows, ALLOWANCES))
    list_ms = quantiles(list_ms_of_looks, n=20)[-1]
    return Figures(
        engine=engine,
        rows=rows,
        write_ms=median(written),
        floor_ms=median(by_hand),
        write_statements=write_statements,
        list_ms=list_ms,
        list_statements=list_statements,
        show_ms=median(show_ms_of_looks),
        allowance_ms=median(allowed),
    )


def _make_filters() -> Iterator[ListFilter]:
    """Lists as people ask for them, those that have much or leave out much among them."""
    chance = random.Random(1)  # noqa: S311
    everywhere = tuple(kind.spec.prefix for kind in kinds())
    for _ in range(_LOOKS // 8):
        requester, person = f"r{chance.randrange(_REQUESTERS)}", f"p{chance.randrange(_PEOPLE)}"
        team = tuple(f"p{number}" for number in chance.sample(range(_PEOPLE), PEOPLE_AT_MOST))
        yield ListFilter(of_campaigns=False)
        yield ListFilter(requester=requester, of_campaigns=False)
        yield ListFilter(kind=chance.choice(_KINDS), statuses=(Status.DECLINED, Status.EXPIRED))
        yield ListFilter(person=person)
        yield ListFilter(kind=chance.choice(_KINDS), requester=requester)
        yield ListFilter(kind=chance.choice(_KINDS), requester="hr")
        yield ListFilter(types=everywhere, statuses=(Status.DECLINED, Status.CANCELLED), of_campaigns=False)
        yield ListFilter(types=everywhere, people=team, of_campaigns=False, by_person=True)


async def _fill(store: Store, rows: int) -> None:
    """Half of them requests of campaigns, which one person asked for; two minutes apart."""
    chance = random.Random(0)  # noqa: S311
    for first in range(0, rows, _AT_ONCE):
        rows_to_insert = [_row(number, chance) for number in range(first, min(rows, first + _AT_ONCE))]
        entries = [list_entry for row in rows_to_insert for list_entry in _entries(row, chance)]

        def change(connection: Any, rows_to_insert: list[Any] = rows_to_insert, entries: list[Any] = entries) -> None:
            connection.execute(RECORDS.insert(), rows_to_insert)
            connection.execute(RECORD_LISTS.insert(), entries)

        await store.database.write(change)
    if not store.database.local:
        await store.database.write(lambda connection: connection.execute(text("ANALYZE")))


def _row(number: int, chance: random.Random) -> dict[str, Any]:
    of_campaign, ended_at = number % 2 == 0, _BEGAN + timedelta(minutes=2 * number)
    kind = "policy-acknowledgement" if of_campaign else chance.choice(_KINDS)
    status = chance.choices(("signed", "declined", "expired", "cancelled"), (90, 4, 5, 1))[0]
    return {
        "workflow_id": Kind.REQUEST.workflow_id(f"bench-{number:07}"),
        "kind": kind,
        "status": status,
        "title": f"Framework agreement {number}",
        "requester": "hr" if of_campaign else f"r{chance.randrange(_REQUESTERS)}",
        "due_at": ended_at + timedelta(days=7),
        "ended_at": ended_at,
        "facet": Facet(of_campaign, Kind.REQUEST.spec.prefix, status, kind).written,
        "content": b"x" * 300,
        "sha256": "0" * 64,
    }


def _entries(row: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    signer = f"p{chance.randrange(_PEOPLE)}"
    for list_kind, person in ((ListOf.ALL, ""), (ListOf.ASKED, signer), (ListOf.REQUESTED, row["requester"])):
        yield {name: row[name] for name in ("workflow_id", "facet", "ended_at")} | {"of": list_kind, "person": person}


async def _writes(store: Store, url: str) -> tuple[list[float], list[float], int]:
    """A settled record and the same rows by hand, in turns; the most statements of one record."""
    written, by_hand, statement_count = [], [], 0
    mark = "?" if store.database.local else "%s"
    with closing(records_floor.connect(url)) as connection:
        for number in range(_LOOKS):
            workflow_id = Kind.REQUEST.workflow_id(f"written-{number}")
            content = _record(f"written-{number}")
            with _note_statements(store) as statements:
                written.append(await _ms(partial(store.records.write, workflow_id, content)))
            statement_count = max(statement_count, len(statements))
            began = time.perf_counter()
            records_floor.insert(connection, mark, *_rows_by_hand(f"by-hand-{number}", content))
            by_hand.append(1000 * (time.perf_counter() - began))
    return written, by_hand, statement_count


def _rows_by_hand(id: str, content: bytes) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Of `records` and of `record_lists`, as `_record` has them."""
    workflow_id, ended_at = Kind.REQUEST.workflow_id(id), (_BEGAN + timedelta(days=400)).isoformat()
    facet = Facet(False, Kind.REQUEST.spec.prefix, Status.SIGNED, "customer-contract").written
    described = ("customer-contract", Status.SIGNED.value, "Framework agreement", "r1", ended_at, facet)
    record = (workflow_id, *described, content, hashlib.sha256(content).hexdigest())
    asked = [(ListOf.ASKED.value, f"p{number}") for number in range(1, 4)]
    places = [(ListOf.ALL.value, ""), *asked, (ListOf.REQUESTED.value, "r1")]
    return record, [(*place, facet, ended_at, workflow_id) for place in places]


@contextmanager
def _note_statements(store: Store) -> Iterator[list[str]]:
    """Each SQL statement that is made meanwhile but the beginnings of transactions."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    with listening(store, "before_cursor_execute", note):
        yield statements


async def _allowances(store: Store, other_count: int) -> list[float]:
    """One at a time, beside those of so many others."""
    rate, now = Rate(burst=10, per_second=0.01), datetime.now(UTC)
    for chunk in chunks(range(other_count), _AT_ONCE):
        await asyncio.gather(*(store.allowances.take(f"sign-in of {number}", rate, now) for number in chunk))
    return [await _ms(partial(store.allowances.take, f"sign-in {number}", rate, now)) for number in range(_LOOKS)]


def _record(id: str) -> bytes:
    ended_at = _BEGAN + timedelta(days=400)
    signers = tuple(
        SignerLine(person=f"p{number}", order=number, role=Role.SIGN, state=SignerState.SIGNED, at=ended_at)
        for number in range(1, 4)
    )
    view = RequestShow(
        id=id,
        kind="customer-contract",
        document="Framework agreement",
        requester="r1",
        status=Status.SIGNED,
        signers=signers,
        timeline=tuple(
            TimelineEntry(at=ended_at, happened="reminded", who=f"p{number % 3 + 1}") for number in range(12)
        ),
        says="Signed by everybody",
    )
    settled = SettledRequest.from_id(
        id, external_id=id, kind="customer-contract", outcome=Status.SIGNED, at=ended_at, document_sha256="0" * 64
    )
    record = SettledRecord(fingerprint="f" * 64, run_id="r", show=view, settled=settled)
    return record.model_dump_json(by_alias=True).encode()


async def _ms(look: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await look()
    return 1000 * (time.perf_counter() - began)
