"""A Temporal that takes only so many calls a second."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.faults.population import colleague
from tests.faults.town import TEMPORAL, Conditions, Town, connect, eventually, ids, start_town
from workflows.kinds import Kind

pytestmark = pytest.mark.real_server
SLOW = Conditions(temporal=("--dynamic-config-value", "frontend.namespaceRPS=5"))


@pytest.mark.long
async def test_no_start_is_lost_to_a_rate_limit_of_temporal(tmp_path: Path) -> None:
    """D17: 20 starts at once at 5 calls a second are all acknowledged, and all are there."""
    names = list(ids("limited", 20))
    async with AsyncExitStack() as closing:
        town = await closing.enter_async_context(start_town(tmp_path / "data", SLOW, server=False))
        await town.start(TEMPORAL)
        await connect(town, closing)
        started = await asyncio.gather(*(town.ask(name, colleague(number)) for number, name in enumerate(names)))
        assert all(start.created for start in started)
        assert await _count_refusals(town) > 0
        await eventually(lambda: _all_there(town, names))


async def _all_there(town: Town, names: list[str]) -> bool:
    return {execution.id async for execution in town.context.client.list_workflows()} == {
        Kind.REQUEST.workflow_id(name) for name in names
    }


async def _count_refusals(town: Town) -> float:
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(f"http://127.0.0.1:{town.folder_state.ports.temporal_metrics}/metrics")
    counts = [line for line in page.text.splitlines() if line.startswith("service_errors_resource_exhausted")]
    return sum(float(line.split()[-1]) for line in counts)
