"""A Temporal that takes only so many calls a second."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.faults.population import colleague
from tests.faults.town import TEMPORAL, Conditions, Town, connect, eventually, ids, town
from workflows.kinds import Kind

pytestmark = pytest.mark.real_server
SLOW = Conditions(temporal=("--dynamic-config-value", "frontend.namespaceRPS=5"))


@pytest.mark.long
async def test_no_start_is_lost_to_a_rate_limit_of_temporal(tmp_path: Path) -> None:
    """D17: 20 starts at once at 5 calls a second are all acknowledged, and all are there."""
    names = list(ids("limited", 20))
    async with AsyncExitStack() as closing:
        it = await closing.enter_async_context(town(tmp_path / "data", SLOW, server=False))
        await it.start(TEMPORAL)
        await connect(it, closing)
        started = await asyncio.gather(*(it.ask(name, colleague(number)) for number, name in enumerate(names)))
        assert all(one.created for one in started)
        assert await _exhausted(it) > 0
        await eventually(lambda: _all_there(it, names))


async def _all_there(it: Town, names: list[str]) -> bool:
    return {one.id async for one in it.context.client.list_workflows()} == {
        Kind.REQUEST.workflow_id(name) for name in names
    }


async def _exhausted(it: Town) -> float:
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(f"http://127.0.0.1:{it.kept.ports.temporal_metrics}/metrics")
    counts = [line for line in page.text.splitlines() if line.startswith("service_errors_resource_exhausted")]
    return sum(float(line.split()[-1]) for line in counts)
