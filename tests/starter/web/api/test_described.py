"""The API does what its own description says: a peer's tool calls all of it."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from starter.temporal.plugin import workflows
from starter.web.api.api import ROOT
from tests.servers import own_namespace
from tests.starter.web.api.program import Program, a_task, an_offer, program
from tests.workflows.fakes import World
from workflows.names import CAMPAIGN_QUEUE, SIGNATURE_QUEUE, WORKFLOW_QUEUE

CALLS_AT_LEAST = 5_000
PHASES = "examples,coverage,fuzzing,stateful"
CONFIGURED = Path(__file__).with_name("schemathesis.toml")


@asynccontextmanager
async def at_work(client: Client) -> AsyncIterator[None]:
    """Workers of all kinds: each answers; requests and tasks go on, onboardings and campaigns wait for activities."""
    world = World()
    everything: dict[str, Any] = {"workflows": workflows(), "workflow_runner": UnsandboxedWorkflowRunner()}
    activities = [*world.planner.activities(), *world.push.activities(), *world.handoff.activities()]
    async with AsyncExitStack() as stack:
        for worker in (
            Worker(client, task_queue=WORKFLOW_QUEUE, activities=activities, **everything),
            Worker(client, task_queue=CAMPAIGN_QUEUE, **everything),
            Worker(client, task_queue=SIGNATURE_QUEUE, activities=world.signatures.activities()),
        ):
            await stack.enter_async_context(worker)
        yield


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.timeout(400)
async def test_schemathesis_finds_nothing(dev_server: str, tmp_path: Path) -> None:
    """All its checks, on requests and tasks that live."""
    client: Client = await own_namespace(dev_server)
    async with program(tmp_path, client) as it, at_work(client):
        await it.calls("POST", "/requests", an_offer(id="offer-1"))
        await it.calls("POST", "/tasks", a_task(id="account"))
        code, said = await _run(it, tmp_path)
    assert code == 0, said[-20_000:]
    [calls] = re.findall(r"([\d,]+) generated", said)[:1]
    assert int(calls.replace(",", "")) >= CALLS_AT_LEAST, said[-2_000:]


async def _run(it: Program, folder: Path) -> tuple[int, str]:
    where = f"{it.http.base_url}".rstrip("/") + f"{ROOT}/openapi.json"
    words = ["--config-file", str(CONFIGURED), "run", where, "-H", f"Authorization: Bearer {it.token}"]
    words += ["--phases", PHASES, "--checks", "all", "--no-color"]
    tool = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *words,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said = (await tool.communicate())[0].decode()
    finally:
        if tool.returncode is None:
            tool.kill()
    return tool.returncode or 0, said
