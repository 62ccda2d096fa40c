"""A second terminal: the command in a process of its own, as a person types it."""

import os
import subprocess

from starter import modules


def type_(*typed: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """What came of a command; of this process's environment it has nothing that is ours or Temporal's."""
    shell = {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "TEMPORAL_"))}
    return subprocess.run(  # noqa: S603  our own command
        modules.command("starter", *typed),
        env={**modules.environment(shell), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
