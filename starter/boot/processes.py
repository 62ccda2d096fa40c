"""How a process of this project is started: spawned, never imported (CONTRIBUTING.md, Where code belongs)."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from starter.boot import interrupts

ROOT: Final = Path(__file__).parents[2]
"""Where `workflows`, `activities`, `starter`, `deploy` and `worker` are found, installed or not."""


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line that runs a module of ours; the folder it is typed in must not lend its own modules (`-P`)."""
    return (sys.executable, "-P", "-m", module, *arguments)


def environment(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The shell's environment, in which our modules are found first."""
    path = os.pathsep.join(filter(None, (str(ROOT), shell.get("PYTHONPATH", ""))))
    return {**shell, "PYTHONPATH": path}


def become(module: str, *arguments: str) -> NoReturn:
    """Go on as that module: signals and exit code are then its own."""
    words = command(module, *arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    interrupts.hold()
    os.execve(words[0], words, environment())  # noqa: S606  our own module, by our own interpreter
