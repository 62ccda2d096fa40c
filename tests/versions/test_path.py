"""docs/deploying.md from its beginning, typed as it stands there: from an empty folder to a request that is signed."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from deploy.sandbox.core_signature.pdf import render_pdf
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client
from tests.servers import free_ports, real_server
from tests.versions.commands import clean, documented, run_in_shell
from tests.versions.stage import eventually

pytestmark = [pytest.mark.long, pytest.mark.real_server]

ME: Final = "me@tester.example"
LOADED: Final = ". ./settings.sh\n"
ENDS_WITHIN: Final = 120.0
BEGINS_WITHIN: Final = 300.0
"""Each look is a command of its own, which takes some seconds on a busy machine."""
OF_THE_PATH: Final = frozenset({"secrets", "settings", "init", "start", "doctor", "try", "first"})
"""The commands of the page that are typed here."""


async def run_documented(
    name: str, folder: Path, *, preparation: str = LOADED, variables: Mapping[str, str] | None = None
) -> str:
    """The output of a command of the page, which succeeds."""
    code, output = await run_in_shell(preparation + documented()[name], folder, variables or {})
    assert code == 0, f"{name}: {output}"
    return output


@asynccontextmanager
async def start_processes(folder: Path) -> AsyncIterator[None]:
    """The processes of the page, each as its line says; they end in order."""
    lines, log_file = (
        documented()["start"].splitlines(),
        os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    )
    processes = [
        await asyncio.create_subprocess_exec(
            *("sh", "-euc", f"{LOADED}exec {line}"),
            cwd=folder,
            env=dict(clean()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
        )
        for line in lines
    ]
    os.close(log_file)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(ENDS_WITHIN):
            assert [await process.wait() for process in processes] == [0 for _ in lines]


async def signed(sandbox: RunningSandbox, request: str) -> None:
    """The signer signs."""
    async with plain_client(sandbox.url) as browser:
        [document] = (await browser.get("/_sandbox/documents", params={"external_id": request})).json()
        [signer] = document["signers"]
        (await browser.post(f"/_sandbox/signers/{signer['uuid']}/sign")).raise_for_status()


async def test_from_an_empty_folder_to_a_request_that_is_signed(tmp_path: Path) -> None:
    [port] = free_ports(1)
    async with real_server() as env, running(SandboxSettings(conversion_delay=0.1)) as sandbox:
        sandbox_settings = sandbox.state.settings
        of_ours = {
            "TEMPORAL": env.client.service_client.config.target_host,
            "TENANT": sandbox.url,
            "TENANT_TOKENS": f"{sandbox.url}/tenants/{sandbox_settings.tenant}/oauth2/token",
            "CLIENT_ID": sandbox_settings.client_id,
            "CLIENT_SECRET": sandbox_settings.client_secret,
            "CALLBACK_SECRET": sandbox_settings.callback_secret,
            "OUR_ADDRESS": f"http://127.0.0.1:{port}",
            "PORT": str(port),
            "MY_ADDRESS": ME,
        }
        for name in ("secrets", "settings"):
            await run_documented(name, tmp_path, preparation="", variables=of_ours)
        assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
        output = await run_documented("init", tmp_path)
        assert "database" in output
        async with start_processes(tmp_path):
            await eventually(lambda: _examined(tmp_path), BEGINS_WITHIN)
            assert await _run_trial(tmp_path) == 0
            (tmp_path / "document.pdf").write_bytes(render_pdf(["The first contract"]))
            await run_documented("first", tmp_path)
            [request] = await _list_requests(tmp_path)
            await eventually(lambda: _has_status(tmp_path, "sent"), BEGINS_WITHIN)
            await signed(sandbox, request["id"])
            await eventually(lambda: _has_status(tmp_path, "signed"), BEGINS_WITHIN)


async def _examined(folder: Path) -> bool:
    """Whether nothing is wrong any more: the processes have to begin first."""
    code, _ = await run_in_shell(LOADED + documented()["doctor"], folder, {})
    return code == 0


async def _run_trial(folder: Path) -> int:
    """The exit code of the trial, for somebody at a terminal who agrees and signs nothing."""
    terminal, theirs = os.openpty()
    try:
        os.write(terminal, b"y\n")
        code, output = await run_in_shell(
            LOADED + documented()["try"], folder, {"MY_ADDRESS": ME, "WAIT": "0s"}, stdin=theirs
        )
    finally:
        os.close(terminal)
        os.close(theirs)
    assert code == 0, output
    return code


async def _list_requests(folder: Path) -> list[dict[str, str]]:
    code, output = await run_in_shell(f"{LOADED}countersign request list --json", folder, {})
    assert code == 0, output
    requests: list[dict[str, str]] = json.loads(output.splitlines()[-1])
    return requests


async def _has_status(folder: Path, status: str) -> bool:
    return [request["status"] for request in await _list_requests(folder)] == [status]
