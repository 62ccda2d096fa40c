"""No statement of an erasure, an amendment, a retention or a hold reads a whole table: their number grows for ever."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from activities.evidence.erasure import erase, erase_due, remove_due
from activities.records.starts import Start
from activities.records.store import Store
from tests.activities.evidence.kept import AT, CONDUCT, MSA, keep_evidence, keep_signed_request, told_later
from tests.storage import listening
from workflows.kinds import Kind

GROWS: Final = ("record_lists", "records", "erasures", "signed_documents", "follow_ups", "start_words", "stand_ins")
DAY: Final = AT + timedelta(days=1)


@contextmanager
def note_statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """Each statement that is made meanwhile, with its values."""
    noted_statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            noted_statements.append((statement, values))

    with listening(store, "before_cursor_execute", note):
        yield noted_statements


def whole_tables(connection: Connection, statement: str, values: Any) -> list[str]:
    """The tables that a statement reads from end to end, whatever its engine would rather do while they are small."""
    if isinstance(values, list):
        values = values[0]
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        scanned = [row.detail.split() for row in plan if row.detail.startswith("SCAN ")]
        return [plan_words[1] for plan_words in scanned if plan_words[1] in GROWS]
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    plan_json = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    [plan] = json.loads(plan_json) if isinstance(plan_json, str) else plan_json
    return [node["Relation Name"] for node in _nodes(plan["Plan"]) if _reads_all(node)]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child_plan in plan.get("Plans", ()):
        yield from _nodes(child_plan)


def _reads_all(node: dict[str, Any]) -> bool:
    scans = node["Node Type"] == "Seq Scan" or ("Index" in node["Node Type"] and "Index Cond" not in node)
    return scans and node.get("Relation Name") in GROWS


async def test_each_is_led_to_its_rows_by_an_index(tmp_path: Path, database_url: str) -> None:
    start = Start("customer-contract", "MSA", ("customer-signer",), "legal-desk", CONDUCT.workflow_id, AT)
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await store.starts.begin(Kind.REQUEST.workflow_id("open"), start)
        await store.starts.came_in(Kind.REQUEST.workflow_id("open"), ["chair"])
        await keep_signed_request(store)
        await keep_evidence(store)
        await store.holds.place_hold(CONDUCT.workflow_id, "matter 7", "legal", AT)
        with note_statements(store) as noted_statements:
            await told_later(store, MSA.workflow_id, 2)
            await erase(store, "chair", "desk", "asked for it", DAY)
            await erase_due(store, DAY)
            await remove_due(store, DAY)
            await store.evidence.nobodys(["0" * 64])
            await store.evidence.are_removed([MSA.workflow_id])
            await store.holds.list_holds(MSA.workflow_id)
        statements = list(noted_statements)
        tables_by_statement = await store.database.read(
            lambda connection: {
                statement: tables
                for statement, values in statements
                if (tables := whole_tables(connection, statement, values))
            }
        )
    assert len(statements) > 20
    assert tables_by_statement == {}
