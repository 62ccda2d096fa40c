"""Processes that come and go as they do in a deploy, and commands that are typed while they do."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from activities.launch.launch import BrokenOff, IdTaken
from starter.cli import start_files
from starter.cli.doctor.health import PartHealth, SetUpPart
from starter.cli.doctor.temporal import progress, worker
from tests.faults.creates import start_all, until_made
from tests.faults.evidence import gather
from tests.faults.population import colleague
from tests.faults.town import RECEIVER, TEMPORAL, WORKER, Town, connect, eventually, ids, start_town
from tests.faults.vendor import DOCUMENTS
from workflows.kinds import Kind
from workflows.model.subject import Status
from workflows.names import SIGNATURE_REQUEST, WORKFLOW_QUEUE

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.long
async def test_a_worker_told_to_stop_finishes_what_it_has_begun(shared: Town) -> None:
    """D4: SIGTERM under load: exit 0 within the grace, and no activity is tried a second time."""
    names = list(ids("draining", 4))
    for name in names:
        await shared.vendor.arm("slow", DOCUMENTS, method="POST", contains=f'"{name}"', delay=1)
    await start_all(shared, names)
    await until_made(shared, names)
    code, seconds = await shared.end(WORKER)
    await shared.start(WORKER)
    assert (code, seconds < 35) == (0, True)
    for name in names:
        await eventually(lambda: _is_created(shared, name))  # noqa: B023  awaited at once
    lives = (await gather(shared, {}, "draining")).lives.values()
    assert [call.attempts for life in lives for call in life.calls if call.name == "create_signature_request"] == [
        1
    ] * 4


@pytest.mark.long
async def test_worker_and_receiver_wait_for_a_server_that_is_not_there_yet(tmp_path: Path) -> None:
    """D7: not ready, no crash loop, and ready soon after the server comes."""
    async with start_town(tmp_path / "data", server=False) as town, httpx.AsyncClient(trust_env=False) as browser:
        await town.start(WORKER, RECEIVER, ready=False)

        async def waited_twice() -> bool:
            return (
                town.log(WORKER).count("waiting for temporal") >= 2 and await _answers(browser, town, "healthz") == 200
            )

        await eventually(waited_twice)
        assert await _answers(browser, town, "readyz") == 503
        assert not await town.is_ready(WORKER)
        assert [town.running[name].exit_code for name in (WORKER, RECEIVER)] == [None, None]
        await town.start(TEMPORAL)
        assert await town.ready(WORKER, RECEIVER, timeout_seconds=15) <= 15
        async with AsyncExitStack() as closing:
            await connect(town, closing)
            await town.ask("patience", colleague(1))
            await town.until_shown("patience", lambda view: view.notifications)


async def test_a_stuck_request_is_noticed_and_delays_nobody(shared: Town, metrics_port: int) -> None:
    """D11: a workflow task that fails for ever shows in `doctor` and in a metric; others are told meanwhile."""
    poison = await shared.context.client.start_workflow(
        SIGNATURE_REQUEST, {"no": "request"}, id=Kind.REQUEST.workflow_id("poison"), task_queue=WORKFLOW_QUEUE
    )
    try:
        part = await eventually(lambda: _unless_fine(shared))
        assert part.says.startswith("1 stuck")
        assert await _failed_tasks(metrics_port) >= 1
        await shared.ask("beside-poison", colleague(21))
        await shared.until_shown("beside-poison", lambda view: view.notifications)
        still = await _unless_fine(shared)
        assert still and still.says.startswith("1 stuck")
    finally:
        await poison.terminate("the test is over")


@pytest.mark.long
async def test_a_worker_that_hangs_is_seen_although_it_asked_for_work_just_now(shared: Town) -> None:
    """S6: `doctor` asks the newest request, and the list of what needs attention says that nothing is done."""
    await shared.ask("asked-of-nobody", colleague(28))
    await shared.until_shown("asked-of-nobody", lambda view: view.notifications)
    assert (await eventually(lambda: _at_work(shared))).endswith("at work")
    os.kill(shared.running[WORKER].pid, signal.SIGSTOP)
    try:
        part = await worker(shared.context.client)
        _, output = await shared.command("request", "list", "--attention", "--json")
    finally:
        os.kill(shared.running[WORKER].pid, signal.SIGCONT)
    assert (part.state, "does not do it" in part.says) == (PartHealth.WRONG, True)
    assert "worker: asks for work and does not do it" in output
    assert (await eventually(lambda: _at_work(shared))).endswith("at work")


@pytest.mark.long
async def test_exit_codes_of_request_show_are_true(shared: Town) -> None:
    """D18: three processes, three times 0; `make chaos` types it a hundred times."""
    await shared.ask("looked-at", colleague(22))
    endings = await asyncio.gather(*(shared.fresh_command("request", "show", "looked-at") for _ in range(3)))
    assert [code for code, _ in endings] == [0] * 3, endings


async def test_fifty_starts_at_once_are_one_request(shared: Town) -> None:
    """F10: one workflow, one document, one of them says `created`; other content under the id is refused meanwhile."""
    prepared = await shared.prepared("wanted", colleague(23))
    conflicting = await shared.prepared("wanted", colleague(24))
    answers = await asyncio.gather(
        *(start_files.start(shared.context, conflicting if n == 25 else prepared) for n in range(51)),
        return_exceptions=True,
    )
    started = [answer for answer in answers if isinstance(answer, start_files.StartAnswer)]
    refused = [answer for answer in answers if not isinstance(answer, start_files.StartAnswer)]
    assert len(started) == 50
    assert [type(refusal).__name__ for refusal in refused] == ["IdTaken"]
    assert len({answer.run_id for answer in started}) == 1
    assert [answer.created for answer in started].count(True) == 1
    await shared.until_shown("wanted", lambda view: view.notifications)
    assert len(await shared.vendor.documents("wanted")) == 1


async def test_a_terminated_request_is_taken_up_again_with_its_living_document(shared: Town) -> None:
    """S3: a start says so and changes nothing; with `--again` it goes on, also when it was signed meanwhile."""
    for name, signed_meanwhile in (("ended-by-hand", False), ("signed-meanwhile", True)):
        prepared = await shared.prepared(name, colleague(25))
        first = await start_files.start(shared.context, prepared)
        await shared.until_shown(name, lambda view: view.notifications)
        with_nothing_to_take_up = await start_files.start(shared.context, prepared, restart=True)
        assert (with_nothing_to_take_up.created, with_nothing_to_take_up.run_id) == (False, first.run_id)
        await shared.handle(name).terminate("by hand")
        with pytest.raises(BrokenOff, match=f"{name}: its workflow was terminated .* start it with --again"):
            await start_files.start(shared.context, prepared)
        if signed_meanwhile:
            await shared.sign(name)
        restarted = await start_files.start(shared.context, prepared, restart=True)
        assert restarted.created and restarted.run_id != first.run_id
        if not signed_meanwhile:
            await shared.until_shown(name, lambda view: view.status is Status.SENT)
            await shared.sign(name)
        await shared.until_shown(name, lambda view: view.status is Status.SIGNED)
        assert len(await shared.vendor.documents(name)) == 1


async def test_other_content_takes_no_terminated_request_up(shared: Town) -> None:
    await shared.ask("other-content", colleague(26))
    await shared.handle("other-content").terminate("by hand")
    with pytest.raises(IdTaken):
        await start_files.start(shared.context, await shared.prepared("other-content", colleague(27)), restart=True)


async def _is_created(town: Town, name: str) -> bool:
    events = town.handle(name).fetch_history_events()
    return any([event.HasField("activity_task_completed_event_attributes") async for event in events])


async def _answers(browser: httpx.AsyncClient, town: Town, page: str) -> int | None:
    try:
        return (await browser.get(f"{town.receiver}/{page}")).status_code
    except httpx.TransportError:
        return None


async def _at_work(town: Town) -> str | None:
    part = await worker(town.context.client)
    return part.says if part.state is PartHealth.OK else None


async def _unless_fine(town: Town) -> SetUpPart | None:
    part = await progress(town.context.client)
    return None if part.state is PartHealth.OK else part


async def _failed_tasks(port: int) -> float:
    async with httpx.AsyncClient(trust_env=False) as browser:
        lines = (await browser.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("temporal_workflow_task_execution_failed_total{")
    )
