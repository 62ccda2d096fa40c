"""What the app reports of pushes: once each, of pushes that were accepted, within a time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from activities.records import app_pushes as module
from activities.records.app_pushes import (
    PUSHES_KEPT_DAYS,
    REPORTED_WITHIN_DAYS,
    AppPush,
    EventCounts,
    PushOfDevice,
    ReportedEvent,
    week_of,
)
from activities.records.erasures import Erasure
from activities.records.schema import APP_PUSHES
from activities.records.store import Store
from workflows.model.notifications import AppEvent, AppEventType

NOW = datetime(2026, 12, 2, 9, tzinfo=UTC)
LATER, MINUTE = NOW + timedelta(hours=2), timedelta(minutes=1)
KEY, DEVICE, REQUEST = "k" * 22, "0123456789ab", "signature-request:r"
PUSH = AppPush("ada", KEY, "ready", REQUEST, "Legal")


def event(
    type: AppEventType = AppEventType.RECEIVED,
    at: datetime = NOW + MINUTE,
    *,
    key: str = KEY,
    stage: str = "ready",
    device: str = DEVICE,
) -> ReportedEvent:
    return ReportedEvent(type, key, stage, device, at)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    opened = Store(str(tmp_path), database_url)
    yield opened
    opened.close()


async def test_events_are_noted_once_in_order_of_time(store: Store) -> None:
    await store.app_pushes.note(PUSH, [DEVICE, "b" * 12], NOW)
    tapped = event(AppEventType.TAPPED, NOW + 2 * MINUTE)
    assert await store.app_pushes.report("ada", [tapped, event(), event()], LATER) == EventCounts(noted=2, repeated=1)
    again = [event(at=NOW + 5 * MINUTE), tapped]
    assert await store.app_pushes.report("ada", again, LATER) == EventCounts(repeated=2)
    await store.app_pushes.note(PUSH, [DEVICE], LATER)
    assert await store.app_pushes.list_events(REQUEST) == {
        PushOfDevice("ada", "ready", DEVICE): (
            AppEvent(type=AppEventType.RECEIVED, at=NOW + MINUTE),
            AppEvent(type=AppEventType.TAPPED, at=NOW + 2 * MINUTE),
        )
    }


@pytest.mark.parametrize(
    "unknown", [event(key="x" * 22), event(stage="reminder-1"), event(device="f" * 12)], ids=["key", "stage", "device"]
)
async def test_an_event_of_no_push_is_ignored(store: Store, unknown: ReportedEvent) -> None:
    await store.app_pushes.note(PUSH, [DEVICE], NOW)
    assert await store.app_pushes.report("ada", [unknown], LATER) == EventCounts(unknown=1)
    assert await store.app_pushes.report("bob", [event()], LATER) == EventCounts(unknown=1), "another's push"
    assert await store.app_pushes.list_events(REQUEST) == {}


async def test_an_old_event_is_ignored_and_a_wrong_clock_is_put_right(store: Store) -> None:
    await store.app_pushes.note(PUSH, [DEVICE], NOW)
    events = [
        event(at=LATER - timedelta(days=REPORTED_WITHIN_DAYS) - MINUTE),
        event(at=LATER - timedelta(days=REPORTED_WITHIN_DAYS)),
        event(AppEventType.DISMISSED, datetime.max.replace(tzinfo=UTC)),
        event(AppEventType.TAPPED, datetime.min.replace(tzinfo=UTC)),
    ]
    assert await store.app_pushes.report("ada", events, LATER) == EventCounts(noted=2, old=2)
    [reported] = (await store.app_pushes.list_events(REQUEST)).values()
    assert [(line.type, line.at) for line in reported] == [
        (AppEventType.RECEIVED, NOW),
        (AppEventType.DISMISSED, LATER),
    ]


async def test_pushes_are_dropped_after_their_time_and_with_a_person(store: Store) -> None:
    await store.app_pushes.note(PUSH, [DEVICE], NOW)
    await store.app_pushes.note(PUSH._replace(workflow_id="task:t", stage="overdue-1"), [DEVICE], NOW)
    assert await store.app_pushes.drop(NOW + timedelta(days=PUSHES_KEPT_DAYS)) == 0
    erasure = Erasure(REQUEST, "ada", "operator", "asked", NOW, NOW)
    assert await store.erasures.carry_out(erasure, ())
    [row] = await store.database.rows(select(APP_PUSHES))
    assert row.workflow_id == "task:t"
    assert await store.app_pushes.drop(NOW + timedelta(days=PUSHES_KEPT_DAYS + 7)) == 1
    await store.app_pushes.note(PUSH, [DEVICE], NOW)
    await store.erasures.devices("ada")
    assert await store.database.rows(select(APP_PUSHES)) == []


def test_a_week_begins_on_monday() -> None:
    assert [week_of(NOW + timedelta(days=days)) for days in (-3, -2, 4, 5)] == [
        date(2026, 11, 23),
        date(2026, 11, 30),
        date(2026, 11, 30),
        date(2026, 12, 7),
    ]


@pytest.mark.long
async def test_a_hundred_thousand_pushes_are_counted_by_their_index_alone(store: Store) -> None:
    weeks, people = 10, 1_000
    rows = [
        PUSH._asdict()
        | {"person": f"p{number % people}", "stage": f"s{number // people}", "device": DEVICE, "at": NOW}
        | {"week": week_of(NOW - timedelta(weeks=number // people % weeks)), "reached": number % 2 == 0}
        | {"department": f"d{number % 10}"}
        for number in range(100_000)
    ]
    # In parts: all in one statement take longer than a statement may, where the machine is busy.
    for start in range(0, len(rows), 5_000):
        await store.database.write(partial(_insert, rows[start : start + 5_000]))
    counts = await store.app_pushes.count_by_week(date(2026, 1, 1), NOW.date())
    assert len(counts) == weeks * 10
    assert {(count.accepted, count.reached) for count in counts} == {(100, 100), (100, 0)}
    if store.database.local:
        statement = text(
            "EXPLAIN QUERY PLAN SELECT week, department, count(DISTINCT person), count(DISTINCT CASE WHEN reached THEN"
            " person END) FROM app_pushes WHERE week >= '2026-01-01' AND week <= '2026-12-31' GROUP BY week, department"
        )
        plan = " ".join(row.detail for row in await store.database.rows(statement))
        assert "USING COVERING INDEX ix_app_pushes_reach" in plan


def _insert(rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(APP_PUSHES.insert(), rows)


async def test_of_more_weeks_and_departments_than_are_read_the_latest_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WEEK_LINES_AT_MOST", 2)
    for number in range(20):
        at = NOW - timedelta(weeks=number)
        await store.app_pushes.note(PUSH._replace(stage=f"s{number}"), [DEVICE], at)
    counts = await store.app_pushes.count_by_week(date.min, NOW.date())
    assert [count.week for count in counts] == [week_of(NOW), week_of(NOW) - timedelta(weeks=1)]
