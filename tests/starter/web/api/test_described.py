"""The API does what its own description says: a peer's tool calls all of it."""

import asyncio
import json
import os
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
async def running_workers(client: Client) -> AsyncIterator[None]:
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
@pytest.mark.timeout(1200)
async def test_schemathesis_finds_nothing(dev_server: str, tmp_path: Path) -> None:
    """All its checks, on requests and tasks that live."""
    client: Client = await own_namespace(dev_server)
    async with program(tmp_path, client) as crm, running_workers(client):
        await crm.calls("POST", "/requests", an_offer(id="offer-1"))
        await crm.calls("POST", "/tasks", a_task(id="account"))
        code, output = await _run(crm, tmp_path)
    assert code == 0, output[-20_000:]
    [calls] = re.findall(r"([\d,]+) generated", output)[:1]
    assert int(calls.replace(",", "")) >= CALLS_AT_LEAST, output[-2_000:]


async def _run(crm: Program, folder: Path) -> tuple[int, str]:
    schema_url = f"{crm.http.base_url}".rstrip("/") + f"{ROOT}/openapi.json"
    arguments = ["--config-file", str(CONFIGURED), "run", schema_url, "-H", f"Authorization: Bearer {crm.token}"]
    arguments += ["--phases", PHASES, "--checks", "all", "--no-color"]
    # How fast it makes up its calls says something about the machine, nothing about the API.
    arguments += ["--suppress-health-check", "too_slow"]
    tool = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output = (await tool.communicate())[0].decode()
    finally:
        if tool.returncode is None:
            tool.kill()
    return tool.returncode or 0, output


GENERATED = """
import json, sys
from api_client import AuthenticatedClient
from api_client.api.request import request_list, request_start
from api_client.models import RequestFile

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)
started = request_start.sync(client=client, body=RequestFile.from_dict(json.loads(sys.argv[3])))
print(started.id, type(request_list.sync(client=client)).__name__)
"""


def references(node: Any) -> set[str]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own_reference = {node["$ref"]} if isinstance(node, dict) and isinstance(node.get("$ref"), str) else set()
    return own_reference.union(*map(references, children))


@pytest.mark.real_server
async def test_every_reference_leads_to_a_schema_of_the_description(dev_server: str, tmp_path: Path) -> None:
    async with program(tmp_path, await own_namespace(dev_server)) as crm:
        description = crm.api.description
    names = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert references(description) - names == set()
    assert references(description["webhooks"])


@pytest.mark.long
@pytest.mark.real_server
async def test_a_generator_of_clients_makes_one_without_a_warning_that_starts_a_request(
    dev_server: str, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("content_type_overrides: {application/pdf: application/octet-stream}")
    async with program(tmp_path, await own_namespace(dev_server)) as crm:
        root = f"{crm.http.base_url}".rstrip("/") + ROOT
        (tmp_path / "openapi.json").write_text(json.dumps(crm.api.description))
        arguments = [
            "--path",
            "openapi.json",
            "--output-path",
            "api_client",
            "--meta",
            "none",
            "--config",
            "config.yaml",
        ]
        generator = Path(sys.executable).with_name("openapi-python-client")
        code, text = await run_in(tmp_path, str(generator), "generate", *arguments, "--fail-on-warning")
        assert code == 0, text
        # Version 0.29.1 forgets this import where a call takes JSON or a multipart body, and has no optional parameter.
        for module in (tmp_path / "api_client" / "api").rglob("*.py"):
            module.write_text(module.read_text().replace("import UNSET, Response\n", "import UNSET, Response, Unset\n"))
        offer = json.dumps(an_offer(id="offer-1"))
        code, text = await run_in(tmp_path, sys.executable, "-c", GENERATED, root, crm.token, offer)
    assert (code, text.split()) == (0, ["offer-1", "LinesPage"]), text


async def run_in(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and output of a command that finds ruff, with which the generator formats what it makes."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=folder,
        env={**os.environ, "PATH": tools, "NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()
