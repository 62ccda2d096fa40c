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


async def typed(name: str, address: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of a command, typed in the project's folder with this server's address set."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-euc", documented()[name]),
        cwd=ROOT,
        env={**_clean(), "TEMPORAL_ADDRESS": address, **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def _clean() -> Mapping[str, str]:
    shell = {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "TEMPORAL_"))}
    return {**shell, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{shell['PATH']}"}
