"""A laptop stack under test, and the `countersign` command typed beside it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starter.boot import processes as modules
from tests import prompt
from tests.glances import glances

READY_WITHIN = 60.0
ENDS_WITHIN = 10.0
_GLANCE = 0.05
_STARTS = 3
BUILD = "build-1"
"""The worker version of the shared stack."""


@dataclass
class Laptop:
    """One `countersign dev` on a folder of its own."""

    folder: Path
    process: "subprocess.Popen[str]"

    @property
    def addresses(self) -> dict[str, Any]:
        """What `dev.json` says."""
        addresses: dict[str, Any] = json.loads((self.folder / "dev.json").read_text())
        return addresses

    @property
    def example(self) -> Path:
        """The request file that the stack laid out."""
        return self.folder / "example" / "msa.yaml"

    def request(self, id: str) -> Path:
        """A copy of the example request under another id."""
        file = self.folder / "example" / f"{id}.yaml"
        file.write_text(self.example.read_text().replace("id: msa-0042", f"id: {id}"))
        return file

    def type(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Type a command in a second terminal."""
        return countersign(*arguments, COUNTERSIGN_DATA_DIR=str(self.folder), **environment)

    def answer(self, *arguments: str, **environment: str) -> Any:
        """The JSON answer of a command that is done."""
        typed = self.type(*arguments, "--json", **environment)
        assert (typed.returncode, typed.stderr) == (0, ""), typed
        return json.loads(typed.stdout)

    def wait_for_view(self, id: str, is_reached: Callable[[Any], bool]) -> Any:
        """`request show` once it says what is waited for."""
        return eventually(lambda: view if is_reached(view := self.answer("request", "show", id)) else None)

    def children(self) -> list[int]:
        """The processes that the supervisor started."""
        table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607
        pairs = [line.split() for line in table.stdout.splitlines()]
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]

    def ends_in_order(self) -> None:
        """Told to end it does so soon, with all that it started, and is found no longer."""
        children = self.children()
        assert self.end() < ENDS_WITHIN
        assert self.process.returncode == 0
        assert not (self.folder / "dev.json").exists()
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]

    def end(self, with_signal: signal.Signals = signal.SIGTERM) -> float:
        """Signal the supervisor; the seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(with_signal)
        self.process.wait(ENDS_WITHIN + 5)
        return time.monotonic() - began


def countersign(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, without the environment of whoever runs the tests."""
    return prompt.run("starter", *arguments, environment={**clean(), **environment})


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Laptop]:
    """Start a stack, with further `words`, and wait until it is ready; it is ended with the block."""
    process = _start(folder, arguments, environment)
    with process:
        try:
            yield Laptop(folder, process)
        finally:
            process.terminate()


def _start(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Started anew where another test has taken one of its ports since they were chosen."""
    for _ in range(_STARTS):
        # A killed stack leaves its addresses behind: those of this one are waited for.
        (folder / "dev.json").unlink(missing_ok=True)
        process = subprocess.Popen(  # noqa: S603  our own command
            modules.command("starter", "dev", "--data", str(folder), *arguments),
            env={**clean(), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        ready = eventually(partial(_is_up_or_over, folder, process), READY_WITHIN)
        if ready and process.poll() is None:
            return process
        words = _last_words(process)
        assert "address already in use" in words, words
    raise AssertionError(words)


def _is_up_or_over(folder: Path, process: "subprocess.Popen[str]") -> bool:
    return (folder / "dev.json").exists() or process.poll() is not None


def _last_words(process: "subprocess.Popen[str]") -> str:
    """What it said before it ended; one that was only slow is ended first, or it would be waited for."""
    process.terminate()
    return process.stderr.read() if process.stderr else ""


def eventually(probe: Callable[[], Any], limit_seconds: float = 60.0) -> Any:
    """What the probe finds, looking until it finds something; the last it found when it takes too long."""
    finding = None
    for pause in glances(_GLANCE, limit_seconds):
        if finding := probe():
            break
        time.sleep(pause)
    return finding


def clean() -> dict[str, str]:
    """The environment without anything that means Countersign or a Temporal server."""
    shell = {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "TEMPORAL_"))}
    return modules.environment(shell)
