"""The sandbox as a process: the ready file, the data folder, a quick end, and settings from the environment."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def process(folder: Path, **environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A sandbox process and its address; the caller ends it, else it is killed."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    options = ["--port", "0", "--data", str(folder / "data"), "--ready-file", str(ready)]
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.sandbox", *options),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while not ready.exists():
                assert started.returncode is None, "it ended instead of becoming ready"
                await asyncio.sleep(0.02)
        yield started, json.loads(ready.read_text())["url"]
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def hanging_call(http: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
    """A call the sandbox has taken and does not answer for a minute."""
    await http.post("/_sandbox/faults", json={"fault": "slow", "delay": 60, "path": "/healthz"})
    call = asyncio.create_task(http.get("/healthz", timeout=30))
    while True:
        [fault] = (await http.get("/_sandbox/faults")).json()
        if fault["hits"]:
            return call
        await asyncio.sleep(0.01)


@pytest.mark.long
async def test_it_becomes_ready_keeps_its_data_and_ends_quickly(tmp_path: Path) -> None:
    async with process(tmp_path, SANDBOX_TENANT="zeta") as (first, url), plain_client(url) as http:
        grant = {"grant_type": "client_credentials"}
        client = ("countersign", "sandbox-signature-secret")
        assert (await http.post("/tenants/zeta/oauth2/token", data=grant, auth=client)).status_code == 200
        hanging = await hanging_call(http)
        terminated_at = time.monotonic()
        first.send_signal(signal.SIGTERM)
        assert await first.wait() == 0
        assert time.monotonic() - terminated_at < 3
        with pytest.raises(httpx.HTTPError):
            await hanging
    async with process(tmp_path) as (_, url), plain_client(url) as http:
        assert [entry["type"] for entry in (await http.get("/_sandbox/ledger")).json()][:1] == ["token_issued"]


def test_settings_come_from_the_environment() -> None:
    environment = {
        "SANDBOX_LIST_LAG": "5",
        "SANDBOX_ABSOLUTE_URLS": "no",
        "SANDBOX_EMBEDDED_KEY": "signature_request",
        "SANDBOX_MAX_UPLOAD_MB": "3",
        "SANDBOX_DATA": "here",
        "OTHER": "x",
    }
    read = SandboxSettings.from_environment(environment)
    assert (read.list_lag, read.absolute_urls, read.embedded_key) == (5.0, False, "signature_request")
    assert (read.max_upload_mb, read.data) == (3, Path("here"))
    assert SandboxSettings.from_environment(environment, data=Path("there")).data == Path("there")


@pytest.mark.parametrize(
    ("variable", "text"),
    [("SANDBOX_LIST_LAGG", "5"), ("SANDBOX_LIST_LAG", "five"), ("SANDBOX_EMBEDDED_KEY", "x"), ("SANDBOX_CLOCK", "x")],
)
def test_a_wrong_variable_is_named(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=variable):
        SandboxSettings.from_environment({variable: text})
