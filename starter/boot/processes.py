"""Starts processes of this project: spawned, never imported (CONTRIBUTING.md, Where code belongs)."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from starter.boot import interrupts

ROOT: Final = Path(__file__).parents[2]
"""Folder of `workflows`, `activities`, `starter`, `deploy` and `worker`, installed or not."""


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a module of ours; `-P` keeps modules of the current folder out."""
    return (sys.executable, "-P", "-m", module, *arguments)


def environment(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The shell's environment, with our modules first."""
    path = os.pathsep.join(filter(None, (str(ROOT), shell.get("PYTHONPATH", ""))))
    return {**shell, "PYTHONPATH": path}


def become(module: str, *arguments: str) -> NoReturn:
    """Replace this process by that module: signals and exit code are its own."""
    words = command(module, *arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    interrupts.hold()
    os.execve(words[0], words, environment())  # noqa: S606  our own module, by our own interpreter
