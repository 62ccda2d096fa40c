"""What a process of ours ends with, and the failure whose text is for the person at the terminal."""

import signal
from enum import IntEnum


class Exit(IntEnum):
    """What a process ends with; those above 128 are the shell's words for a signal."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    INTERRUPTED = 128 + signal.SIGINT
    BROKEN_PIPE = 128 + signal.SIGPIPE
    TERMINATED = 128 + signal.SIGTERM


class Refusal(Exception):
    """An expected failure; its text is written for the person at the terminal and has no secret."""


class Terminated(SystemExit):
    """SIGTERM, raised in the main thread so that `finally` blocks run.

    An event loop lets a `SystemExit` through, whatever it is doing when the signal comes; it keeps other exceptions for
    the task that was running, which nobody may be waiting for.
    """
