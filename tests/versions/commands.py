"""The commands of docs/deploying.md, run as they stand there."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"<!-- run: (?P<name>[\w-]+) -->\n```sh\n(?P<command>.*?)```", re.DOTALL)


def documented() -> dict[str, str]:
    """Every command of the page by its name."""
    page = (ROOT / "docs" / "deploying.md").read_text()
    return {block["name"]: block["command"] for block in _BLOCK.finditer(page)}


async def run_command(name: str, address: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of a command, typed in the project's folder with this server's address set."""
    return await run_in_shell(documented()[name], ROOT, {"TEMPORAL_ADDRESS": address, **variables})


async def run_in_shell(
    command: str, folder: Path, variables: Mapping[str, str], *, stdin: int = asyncio.subprocess.DEVNULL
) -> tuple[int, str]:
    """Exit code and output of a command in a folder; of ours and Temporal's variables it has only these."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-euc", command),
        cwd=folder,
        env={**clean(), **variables},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def clean() -> Mapping[str, str]:
    """This shell without what is ours or Temporal's, and with the commands of this Python."""
    shell = {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "TEMPORAL_"))}
    return {**shell, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{shell['PATH']}"}
