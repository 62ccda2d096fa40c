"""With Worker Versioning nothing runs before somebody has made the version current: here that is us."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from deploy.processes import StackFailure

_CURRENT_WITHIN = 15.0
_PAUSE = 0.2


async def make_current(binary: str, address: str, environment: Mapping[str, str], versioning: Mapping[str, str]) -> str:
    """Make the worker's version the current one of its deployment; returns its name. `StackFailure` if refused.

    The server knows a version only once its worker has asked for work, so it is told until it does.
    """
    deployment = versioning.get("TEMPORAL_DEPLOYMENT_NAME", "countersign")
    build_id = versioning["TEMPORAL_WORKER_BUILD_ID"]
    named = ("--deployment-name", deployment, "--build-id", build_id)
    command = (binary, "worker", "deployment", "set-current-version", *named, "--yes", "--address", address)
    says = ""
    try:
        async with asyncio.timeout(_CURRENT_WITHIN):
            while True:
                code, says = await _told(command, environment)
                if code == 0:
                    return f"{deployment} {build_id}"
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise StackFailure(f"{deployment} {build_id} could not be made the current version: {says}") from None


async def _told(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:  # Whoever does not wait for the answer any more leaves nothing behind.
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode or 0, said.decode(errors="replace").strip()
