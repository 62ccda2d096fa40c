"""`handoff listen`: the hand-off calls of the laptop stack at somebody's own receiver, each in a line."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.server import RunningSandbox, running, serving
from deploy.sandbox.state.settings import SandboxSettings
from starter.boot import processes as modules
from tests.starter.terminal import type_

pytestmark = pytest.mark.long

CALL = {"webhook-id": "msg_1", "webhook-timestamp": "1796376600", "webhook-signature": "v1,abc"}
SECRET = "whsec_c2VjcmV0IG9mIGZpbmFuY2UgYXMgbG9uZyBhcyBpdCBtdXN0"


def stack(folder: Path, sandbox: str) -> dict[str, str]:
    """The note of a laptop stack with this sandbox, and the environment of a terminal that means it."""
    env = {"COUNTERSIGN_HANDOFF_SECRETS": f"finance={SECRET}", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    addresses = {"temporal": "127.0.0.1:1", "web_ui": "", "sandbox": sandbox, "receiver": ""}
    (folder / "dev.json").write_text(json.dumps({**addresses, "env": env}))
    return {"COUNTERSIGN_DATA_DIR": str(folder)}


@asynccontextmanager
async def answering_server(*statuses: int) -> AsyncIterator[str]:
    """A receiver that answers so, one after the other."""
    remaining_statuses = list(statuses)

    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=remaining_statuses.pop(0))

    app = Starlette(routes=[Route("/hooks", take, methods=["POST"])])
    async with serving(app, host="127.0.0.1", port=0) as url:
        yield f"{url}/hooks"


@asynccontextmanager
async def listening_command(
    folder: Path, sandbox: RunningSandbox, receiver_url: str, *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command at work, forwarding."""
    process = await asyncio.create_subprocess_exec(
        *modules.command("starter", "handoff", "listen", "--forward-to", receiver_url, *options),
        env=modules.environment(stack(folder, sandbox.url)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert (await process.stderr.readline()).decode() == f"calls to finance are signed with {SECRET}\n"
        assert (await process.stderr.readline()).decode() == f"forwarding to {receiver_url}; Ctrl-C ends it\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def hand_off(sandbox: RunningSandbox, target: str, **headers: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"type": "signature.settled", "timestamp": "2026-12-04T09:30:00Z", "data": {"request": "msa"}}
        answer = await http.post(f"{sandbox.url}/_sandbox/targets/{target}", json=body, headers=headers)
    return answer.status_code


async def test_each_call_is_a_line_with_the_answer_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    async with answering_server(204, 503) as receiver_url, running(SandboxSettings()) as sandbox:
        await hand_off(sandbox, "finance", **CALL)  # Before: it is not told.
        async with listening_command(tmp_path, sandbox, receiver_url) as process:
            assert process.stdout is not None
            assert await hand_off(sandbox, "finance", **CALL) == 204
            assert await hand_off(sandbox, "crm", **{"webhook-id": "msg_2"}) == 503
            lines = [(await process.stdout.readline()).decode() for _ in range(2)]
            process.send_signal(signal.SIGINT)
            remaining_output, aside = await process.communicate()
        assert sandbox.targets.receiver is None
    assert [line.split()[1:] for line in lines] == [
        ["finance", "signature.settled", "msg_1", "HTTP", "204"],
        ["crm", "signature.settled", "msg_2,", "unsigned", "HTTP", "503"],
    ]
    assert (process.returncode, remaining_output, aside) == (0, b"", b"")


async def test_for_programs_each_call_is_json_as_soon_as_it_was_answered(tmp_path: Path) -> None:
    async with (
        running(SandboxSettings()) as sandbox,
        listening_command(tmp_path, sandbox, "http://127.0.0.1:1/hooks", "--json") as process,
    ):
        assert process.stdout is not None
        assert await hand_off(sandbox, "finance", **CALL) == 502
        call = json.loads(await process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert call.keys() == {"at", "target", "type", "webhook_id", "signed", "status", "error", "body"}
    assert (call["target"], call["status"], call["error"]) == ("finance", None, "ConnectError")
    assert call["body"]["data"] == {"request": "msa"}


def test_without_a_laptop_stack_it_is_refused_in_a_line(tmp_path: Path) -> None:
    process = type_("handoff", "listen", "--forward-to", "http://127.0.0.1:3000", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr == (
        "hand-off calls are forwarded on the laptop stack only: start `countersign dev`, or name its folder: "
        "`countersign --dev FOLDER …`\n"
    )


def test_a_stack_whose_sandbox_is_gone_is_told_in_a_line(tmp_path: Path) -> None:
    process = type_(
        "handoff", "listen", "--forward-to", "http://127.0.0.1:3000", **stack(tmp_path, "http://127.0.0.1:1")
    )
    assert (process.returncode, process.stderr.splitlines()[-1]) == (
        1,
        "the laptop stack has ended: its sandbox gives no answer",
    )
