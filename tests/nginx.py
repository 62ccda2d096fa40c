"""Debian's nginx before a web process, with the configuration of deploy/nginx."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from deploy.validate import HERE
from tests.plain_http import plain_client
from tests.servers import free_ports

HOW_TO_HAVE_IT: Final = (
    "There is no nginx here: the web process was not tested behind it. To have that, install it "
    "(Debian and Ubuntu: apt-get install nginx-light) and type the command again."
)
_READY_WITHIN: Final = 20.0


def required() -> str:
    """The program; where it is missing the test is skipped, and fails where it must not be."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None and os.environ.get("REQUIRE_NGINX") == "1":
        pytest.fail(f"REQUIRE_NGINX=1. {HOW_TO_HAVE_IT}", pytrace=False)
    return program or pytest.skip(HOW_TO_HAVE_IT)


@dataclass(frozen=True)
class Nginx:
    url: str
    log: Path
    """What it has written to its standard output and error."""


@asynccontextmanager
async def nginx_before(web: str, folder: Path, changes: Mapping[str, str] | None = None) -> AsyncIterator[Nginx]:
    """nginx as in a pod of the cluster, before the web process at the address `web`; `changes` replaces texts of its
    configuration."""
    program, [port] = required(), free_ports(1)
    configuration = shutil.copytree(HERE / "nginx", folder / "nginx")
    replaced = {"listen 8000": f"listen 127.0.0.1:{port}", "127.0.0.1:8080": httpx.URL(web).netloc.decode()}
    _replace(configuration, replaced | dict(changes or {}))
    # The folder of a test belongs to its user alone; nginx started by root would work as nobody.
    user = ("-g", "user root;") if os.geteuid() == 0 else ()
    arguments = ("-p", str(folder), "-c", str(configuration / "cluster.conf"), *user)
    nginx = Nginx(f"http://127.0.0.1:{port}", folder / "nginx.log")
    with nginx.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=log, stderr=log)
    try:
        await _until_ready(nginx)
        yield nginx
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


def _replace(configuration: Path, changes: Mapping[str, str]) -> None:
    texts = {file: file.read_text() for file in configuration.glob("*.conf")}
    for old_text, new_text in changes.items():
        assert any(old_text in text for text in texts.values()), f"the configuration of nginx no longer has {old_text}"
        texts = {file: text.replace(old_text, new_text) for file, text in texts.items()}
    for file, text in texts.items():
        file.write_text(text)


async def _until_ready(nginx: Nginx) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN), plain_client(nginx.url) as client:
            while True:
                with suppress(httpx.TransportError):
                    await client.get("/healthz")
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"nginx does not answer: {nginx.log.read_text()}")
