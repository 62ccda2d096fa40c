"""The demo's own laptop stack, on a fresh folder; it ends with the demo, however the demo ends."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from starter import modules, settings
from starter.environment import DEV_FILE
from starter.exits import Refusal
from starter.needs import Need
from starter.settings import Settings

READY_WITHIN: Final = 30.0
_ENDS_WITHIN: Final = 12.0
_GLANCE: Final = 0.05


@asynccontextmanager
async def running(folder: Path, say: Callable[[str], None]) -> AsyncIterator[Settings]:
    """Start the stack on `folder`; yields settings that lead to it. `Refusal` with its own words when it fails."""
    process = await _spawn(folder)
    relay = asyncio.create_task(_relay(process, say))
    try:
        await _until_ready(process, folder / DEV_FILE)
        yield settings.load(Need.PEOPLE, environment={"COUNTERSIGN_DATA_DIR": str(folder)})
    finally:
        await _end(process)
        await relay
        if words := await _last_words(process):
            say(words)


async def _spawn(folder: Path) -> asyncio.subprocess.Process:
    launcher = modules.ROOT / "deploy" / "launcher.py"
    stack = modules.command("deploy.local", "--data", str(folder))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(launcher), str(os.getpid()), *stack),
        env=modules.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _until_ready(process: asyncio.subprocess.Process, dev_file: Path) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN):
            while not await asyncio.to_thread(dev_file.is_file):
                if process.returncode is not None:
                    raise Refusal(await _last_words(process) or f"the stack ended with {process.returncode}")
                await asyncio.sleep(_GLANCE)
    except TimeoutError:
        raise Refusal(f"the stack was not ready within {READY_WITHIN:.0f} s; see {dev_file.parent / 'logs'}") from None


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """What it said of its end and nobody has read yet; nothing when it was told to end."""
    said = await process.stderr.read() if process.stderr else b""
    return said.decode(errors="replace").strip()


async def _relay(process: asyncio.subprocess.Process, say: Callable[[str], None]) -> None:
    """Show the start of each process; what the stack says further is for somebody who started it themselves."""
    while process.stdout and (line := await process.stdout.readline()):
        if b" ready after " in line:
            say(line.decode(errors="replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()
