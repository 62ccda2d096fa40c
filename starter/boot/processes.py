"""Processes of this project: their signals while they import, further kinds; others are spawned, never imported."""

import gc
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
KINDS: Final = "countersign.kinds"
OBJECTS_BEFORE_COLLECTION: Final = 50_000
_DEFAULT_THRESHOLDS: Final = gc.get_threshold()
ROOT: Final = Path(__file__).parents[2]
"""Folder of `workflows`, `activities`, `starter`, `deploy` and `worker`, installed or not."""


def begin_imports() -> None:
    """Hold signals, and collect garbage seldom: imports leave none, yet collecting took an eighth of their time."""
    hold_signals()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)


def end_imports() -> None:
    """Call once in a long-running process, after its imports: garbage is collected at Python's own thresholds, imported
    objects never. With the threshold of imports a full collection of a worker takes two to four seconds, in which a
    workflow task fails as deadlocked.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_DEFAULT_THRESHOLDS)


def hold_signals() -> None:
    """Defer Ctrl-C and SIGTERM, also in the process image that this one becomes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def release_signals() -> None:
    """Deliver a deferred signal, and later ones: Ctrl-C is a `KeyboardInterrupt` again."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def release() -> str:
    """The version of this code."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  as below

    try:
        return version("countersign")
    except PackageNotFoundError:
        return "from source"


def load_kinds() -> None:
    """Import the module of each entry point of the group `KINDS`; called once, when a process begins."""
    from importlib.metadata import entry_points  # noqa: PLC0415  not before Ctrl-C can wait for it

    for point in entry_points(group=KINDS):
        point.load()


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a module of ours; `-P` keeps modules of the current folder out."""
    return (sys.executable, "-P", "-m", module, *arguments)


def environment(shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The shell's environment, with our modules first."""
    path = os.pathsep.join(filter(None, (str(ROOT), shell.get("PYTHONPATH", ""))))
    return {**shell, "PYTHONPATH": path}


def become(module: str, *arguments: str) -> NoReturn:
    """Replace this process by that module: signals and exit code are its own."""
    argv = command(module, *arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    hold_signals()
    os.execve(argv[0], argv, environment())  # noqa: S606  our own module, by our own interpreter
