"""`make bench BENCH=value [N=100000] [ENGINE=PostgreSQL]`: the figures of so many that have ended, by kind, department
and month, of everybody and of a manager's people.
"""

import random
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.text import Text
from sqlalchemy import text

from activities.metrics import Holder
from activities.records.facts import OutcomeFacts
from activities.records.figures import GroupBy, Scope
from activities.records.schema import FACTS, RECORD_LISTS, RECORDS
from activities.records.settled import Facet, ListOf
from activities.records.store import Store
from starter.queries.figures import FigureQuery, gather_figures
from tests.bench.engine import Engine, empty_database
from workflows.kinds import Kind
from workflows.model.subject import Status

NAME: Final = "value"
ROWS: Final = 100_000
AIM_MS: Final = 1_000.0
_AT_ONCE: Final = 2_000
_LOOKS: Final = 3
_PEOPLE: Final = 20_000
_TEAM: Final = 500
_KINDS: Final = tuple(f"kind-{number}" for number in range(20))
_NOW: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)
_PERIOD: Final = timedelta(days=180)


@dataclass(frozen=True)
class EngineTimes:
    """Of one engine: the slowest of all answers, in milliseconds."""

    engine: Engine
    rows: int
    worst_ms: float
    of_team_ms: float

    @property
    def is_met(self) -> bool:
        return max(self.worst_ms, self.of_team_ms) < AIM_MS

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        figures = {
            "rows": self.rows,
            "worst_ms": round(self.worst_ms, 1),
            "of_team_ms": round(self.of_team_ms, 1),
        }
        return {f"{NAME}.{self.engine}": figures}

    def in_words(self) -> Text:
        """One line, green when its aim was met."""
        return Text(
            f"{self.engine}, {self.rows:,} ended: all figures beside those of the period before in "
            f"{self.worst_ms:.0f} ms, of {_TEAM} people in {self.of_team_ms:.0f} ms (aim < {AIM_MS:.0f})",
            "green" if self.is_met else "red",
        )


async def measure(rows: int = ROWS, engine: Engine = Engine.SQLITE) -> EngineTimes:
    """Half of them in the period, half in the one before."""
    with tempfile.TemporaryDirectory() as folder, empty_database(engine, Path(folder)) as url:
        store = Store(Path(folder).as_uri(), url)
        if engine is Engine.POSTGRESQL:
            await store.database.upgrade()
        await _fill(store, rows)
        team = tuple(f"p{number}" for number in random.Random(1).sample(range(_PEOPLE), _TEAM))  # noqa: S311
        times = EngineTimes(engine, rows, await _worst(store), await _worst(store, Scope((), team)))
        store.close()
    return times


async def _worst(store: Store, scope: Scope | None = None) -> float:
    """The slowest grouping, each at its best of some: another's load is no matter of ours."""
    return max([min([await _ms(store, grouping, scope) for _ in range(_LOOKS)]) for grouping in GroupBy])


async def _ms(store: Store, grouping: GroupBy, scope: Scope | None) -> float:
    period_starts_on = (_NOW - _PERIOD).date() + timedelta(days=1)
    began = time.perf_counter()
    figures_found = await gather_figures(
        store, None, FigureQuery(by=grouping, since=period_starts_on), _NOW, scope=scope
    )
    took = 1000 * (time.perf_counter() - began)
    assert figures_found.types
    return took


async def _fill(store: Store, rows: int) -> None:
    chance = random.Random(0)  # noqa: S311
    for first in range(0, rows, _AT_ONCE):
        row_groups = [_row(number, rows, chance) for number in range(first, min(rows, first + _AT_ONCE))]

        def change(connection: Any, row_groups: list[Any] = row_groups) -> None:
            for table, position in ((RECORDS, 0), (FACTS, 1)):
                connection.execute(table.insert(), [row_group[position] for row_group in row_groups])
            connection.execute(RECORD_LISTS.insert(), [entry for row_group in row_groups for entry in row_group[2]])

        await store.database.write(change)
    if not store.database.local:
        await store.database.write(lambda connection: connection.execute(text("ANALYZE")))


def _row(number: int, rows: int, chance: random.Random) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Its record, its facts, its entries in lists."""
    kind, type_ = chance.choice(_KINDS), chance.choice((Kind.REQUEST, Kind.REQUEST, Kind.TASK))
    fulfilled_status = Status.SIGNED if type_ is not Kind.TASK else Status.DONE
    status = chance.choices((fulfilled_status, Status.DECLINED, Status.EXPIRED), (90, 4, 6))[0]
    facts = OutcomeFacts(
        type=type_.spec.prefix,
        kind=kind,
        status=status,
        ended_at=_NOW - 2 * _PERIOD * (number / rows),
        late=chance.random() < 0.1,
        seconds=chance.expovariate(1 / 400_000),
        department=f"department-{chance.randrange(40)}",
        turn_seconds=chance.expovariate(1 / 200_000),
        notice=chance.choice(("ready", "reminder-1", "reminder-2", "warning-2d"))
        if status is fulfilled_status
        else None,
        waited={holder: chance.expovariate(1 / 100_000) for holder in Holder},
    )
    workflow_id = type_.workflow_id(f"bench-{number:07}")
    facet = Facet(False, facts.type, status, kind).written
    common = {"workflow_id": workflow_id, "facet": facet, "ended_at": facts.ended_at}
    plain = {"kind": kind, "status": status, "title": "", "requester": "", "content": b"", "sha256": ""}
    lists = [{**common, "of": ListOf.ASKED, "person": f"p{chance.randrange(_PEOPLE)}"}]
    return {**common, **plain}, {"workflow_id": workflow_id, **facts.row}, lists
