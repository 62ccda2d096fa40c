"""Onboardings under deaths, and ten times as large, or as many, as anybody will have them."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from activities.launch import launch
from starter.temporal.codec import data_converter
from tests.chaos.conftest import Note
from tests.faults.evidence import gather, gather_onboarding
from tests.faults.joining import (
    SMALL,
    WHOLE,
    begin,
    deaths,
    kill_in_between,
    prepare_onboarding_file,
    until_ended,
)
from tests.faults.oracle import judge, judge_onboarding, most_sends
from tests.faults.town import Conditions, ids, start_town
from tests.servers import real_server
from tests.workflows.follow_up.test_largest import PAYLOAD_AT_MOST, RUN_AT_MOST, payloads
from tests.workflows.onboarding.stage import OnboardingStory, a_file, start_onboarding
from workflows.kinds import Kind
from workflows.model.commands import UPDATES, TaskCompletion
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(1800)]

WORKERS, SERVERS = 20, 2
PARTS = 7
MANY, AT_ONCE = 2_000, 10
STAGES, EACH = 20, 20


async def test_twenty_dead_workers_and_two_servers_over_one_onboarding_show_nothing_twice(
    tmp_path: Path, seed: int, note: Note
) -> None:
    dice, began = random.Random(seed), time.monotonic()  # noqa: S311  chaos that can be repeated, no secret
    async with start_town(tmp_path / "data", Conditions(sandbox={"SANDBOX_RETRY_UNIT": "1"})) as town:
        await begin(town, "mortal", WHOLE)
        await kill_in_between(town, "mortal", PARTS, deaths(WORKERS, SERVERS, dice), dice)
        await until_ended(town, "mortal")
        joined = await gather_onboarding(town, "mortal")
        findings = [*judge_onboarding(joined), *judge(await gather(town, {}, "mortal."))]
    raw = most_sends(joined)
    note(
        f"one onboarding: {WORKERS} workers and {SERVERS} servers killed, {len(joined.parts)} parts begun, "
        f"{len(joined.pushes())} pushes, at most {raw} of one notice, {len(findings)} violations, "
        f"{time.monotonic() - began:.0f} s"
    )
    assert findings == []
    assert joined.view.status is Status.DONE
    assert len(joined.parts) == PARTS
    assert raw <= 1 + WORKERS + SERVERS


async def test_two_thousand_onboardings_are_begun(tmp_path: Path, note: Note) -> None:
    async with start_town(tmp_path / "data") as town:
        began, names = time.monotonic(), list(ids("many", MANY))

        async def start(id: str) -> bool:
            ready = await prepare_onboarding_file(town, id, SMALL)
            return (await launch.start(town.context.client, town.context.store, ready)).created

        created = []
        for first in range(0, MANY, AT_ONCE):
            created += await asyncio.gather(*map(start, names[first : first + AT_ONCE]))
        started = time.monotonic() - began
        worker = memory_of(town.running["worker"].pid)
        is_created_again = await start(names[0])
        note(
            f"{MANY} onboardings started in {started:.0f} s, {MANY / started:.0f} a second; "
            f"the worker has {worker:.0f} MB, we {memory_of(None):.0f} MB"
        )
    assert created == [True] * MANY
    assert not is_created_again


def memory_of(pid: int | None) -> float:
    """Megabytes that a process holds."""
    lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def test_an_onboarding_of_four_hundred_parts_comes_to_its_end(tmp_path: Path, note: Note) -> None:
    began = time.monotonic()
    stages = [
        {"name": f"stage {number}", "tasks": [{"title": f"Task {n}", "team": "operations"} for n in range(EACH)]}
        for number in range(STAGES)
    ]
    async with start_onboarding(
        tmp_path, a_file(*stages), server=real_server(converter=data_converter(()))
    ) as onboarding:
        for number in range(STAGES):
            await stage_is_done(onboarding, number)
        settlement = await onboarding.handle.result()
        histories = await sizes(onboarding)
    longest, largest = max(map(sum, histories)), max(max(events) for events in histories)
    note(
        f"an onboarding of {STAGES * EACH} parts: {len(histories)} runs, {sum(map(len, histories))} events, "
        f"the longest run {longest / 1024:.0f} KB, the largest event {largest / 1024:.0f} KB, "
        f"{time.monotonic() - began:.0f} s"
    )
    assert Counter(part.state for part in settlement.parts) == {"done": STAGES * EACH}
    assert largest < PAYLOAD_AT_MOST
    assert longest < RUN_AT_MOST


async def stage_is_done(onboarding: OnboardingStory, number: int) -> None:
    """Have all that runs side by side in a stage done at once."""
    view = await onboarding.wait_until(lambda view: all(part.state == "open" for part in view.stages[number].parts))
    command = TaskCompletion(actor="operations-desk")
    handles = [onboarding.client.get_workflow_handle(part.workflow or "") for part in view.stages[number].parts]
    await asyncio.gather(*(handle.execute_update(UPDATES[TaskCompletion], command) for handle in handles))


async def sizes(onboarding: OnboardingStory) -> list[list[int]]:
    """The bytes of each event of each run."""
    payload_sizes, run_id = [], (await onboarding.handle.describe()).run_id
    while run_id:
        handle = onboarding.client.get_workflow_handle(Kind.ONBOARDING.workflow_id("acme"), run_id=run_id)
        events = [event async for event in handle.fetch_history_events()]
        payload_sizes.append([payloads(event) for event in events])
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return payload_sizes
