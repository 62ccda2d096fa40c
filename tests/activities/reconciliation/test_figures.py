"""What is open, counted by reconciliation, on the real server: once, and for all workers."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.alerts import OF_INCIDENTS
from activities.notifications.alerts import OnCallAlerts
from activities.reconciliation.callback_health import CallbackClockSkew, CallbackHealth
from activities.reconciliation.figures import CurrentFigures, FigureCounter, exported, read_figures
from activities.records.incidents import PUSH, TARGETS, About, Incident
from activities.records.starts import Start
from activities.records.store import Store
from activities.temporal.executions import OPEN
from tests.glances import glances
from tests.metering import metered
from tests.servers import own_namespace
from tests.workflows.fakes import World
from workflows import names

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
_START = Start("nda", "NDA", ("chair",), "legal-desk", None, NOW - timedelta(minutes=2))


@pytest.fixture
async def temporal(dev_server: str) -> Client:
    return await own_namespace(dev_server)


async def open_one(client: Client, id: str, **attributes: str) -> None:
    """A workflow with these search attributes; nobody works on it."""
    keys = {"status": names.STATUS, "kind": names.KIND, "problem": names.PROBLEM, "handoff": names.HANDOFF}
    pairs = [SearchAttributePair(keys[name], value) for name, value in attributes.items()]
    await client.start_workflow("Any", id=id, task_queue="nobody", search_attributes=TypedSearchAttributes(pairs))


async def until_open(client: Client, count: int) -> None:
    """Visibility lags by a moment."""
    for pause in glances():
        if (await client.count_workflows(OPEN)).count == count:
            break
        await asyncio.sleep(pause)


@pytest.mark.real_server
async def test_reconciliation_counts_what_is_open_and_every_worker_exports_it(temporal: Client, tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    await open_one(temporal, "a", status="sent", kind="nda", problem="unreachable")
    await open_one(temporal, "b", status="sent", kind="nda", problem="unreachable")
    await open_one(temporal, "c", status="open", kind="of-nobody", handoff="dead")
    for subject in (About(TARGETS, "crm"), About(PUSH, "ours")):
        await store.incidents.change(subject, lambda incident: incident.becomes(1, NOW))
    behind = CallbackClockSkew(behind=60, at=NOW - timedelta(minutes=59))
    await store.notes.note_clock(behind.model_dump_json().encode())
    silent = CallbackHealth(incident=Incident().becomes(1, NOW))
    counter = FigureCounter(temporal, store, lambda: ("nda", "offer-letter"))
    with metered():
        await counter.count(CallbackHealth(), NOW - timedelta(minutes=5))
    await store.starts.begin("signature-request:a", _START)
    await store.starts.begin("signature-request:b", replace(_START, started_at=NOW + timedelta(seconds=1)))

    await until_open(temporal, 3)
    with metered() as counted:
        await counter.count(silent, NOW)
        assert counted.counts() == {("countersign_started", "nda"): 1}, "the other one is too young"
    with metered() as of_another_worker:
        async with exported(store):
            for pause in glances():
                if of_another_worker.counts():
                    break
                await asyncio.sleep(pause)
        assert of_another_worker.counts() == {
            ("countersign_open", "nda", "sent"): 2,
            ("countersign_open", "other", "open"): 1,
            ("countersign_problems", "unreachable"): 2,
            ("countersign_hand_offs", "dead"): 1,
            ("countersign_incidents", "CallbacksMissing"): 1,
            ("countersign_incidents", "ReceiverClockBehind"): 1,
            ("countersign_incidents", "TargetFailing"): 1,
            ("countersign_incidents", "PushCredentialsRefused"): 1,
            ("countersign_counted_timestamp_seconds",): NOW.timestamp(),
        }
        assert {series[1] for series in of_another_worker.seen if series[0] == "countersign_incidents"} == {
            alert.name for alert in OF_INCIDENTS
        }


async def test_what_cannot_be_counted_stays_what_it_was(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    figures_before = CurrentFigures(at=NOW, started_until=NOW)
    await store.notes.note_figures(figures_before.model_dump_json().encode())
    nobody = await Client.connect("127.0.0.1:9", lazy=True)
    with metered():
        await FigureCounter(nobody, store).count(CallbackHealth(), NOW + timedelta(minutes=5))
    assert await read_figures(store) == figures_before


@pytest.mark.real_server
async def test_who_exports_no_metrics_counts_nothing(temporal: Client, tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    await FigureCounter(temporal, store).count(CallbackHealth(), NOW)
    assert await read_figures(store) is None


@pytest.mark.real_server
async def test_an_unfinished_reconciliation_counts_and_leaves_the_instant_of_the_last(
    temporal: Client, tmp_path: Path
) -> None:
    store = Store(str(tmp_path))
    counter = FigureCounter(temporal, store, lambda: ("nda",))
    with metered():
        await counter.count(CallbackHealth(), NOW)
        await open_one(temporal, "a", status="sent", kind="nda")
        await until_open(temporal, 1)
        await counter.count(CallbackHealth(), NOW + timedelta(minutes=5), finished=False)
    assert (figures := await read_figures(store)) is not None
    assert (figures.at, figures.open) == (NOW, (("nda", "sent", 1),))


@pytest.mark.real_server
async def test_on_call_hears_once_of_a_problem_that_lasts_an_hour_and_once_that_it_is_over(
    temporal: Client, tmp_path: Path
) -> None:
    store, push = Store(str(tmp_path)), World().push
    counter = FigureCounter(temporal, store, on_call=OnCallAlerts(push, "on-call"))
    await open_one(temporal, "a", status="sent", kind="nda", problem="unreachable")
    await open_one(temporal, "b", status="sent", kind="nda", problem="question_open")
    await until_open(temporal, 2)
    for minutes in (0, 30, 59):
        await counter.count(CallbackHealth(), NOW + timedelta(minutes=minutes))
    assert push.stages() == []
    for minutes in (60, 65, 120):
        await counter.count(CallbackHealth(), NOW + timedelta(minutes=minutes))
    assert push.stages() == [("problem.lasts", "on-call")]
    assert push.deliveries[0].subject.title == "unreachable"
    await temporal.get_workflow_handle("a").terminate()
    await until_open(temporal, 1)
    for minutes in (125, 130):
        await counter.count(CallbackHealth(), NOW + timedelta(minutes=minutes))
    assert push.stages() == [("problem.lasts", "on-call"), ("problem.over", "on-call")]
