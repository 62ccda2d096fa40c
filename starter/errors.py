"""Exit codes, and the failure whose text is for the terminal."""

import signal
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command that refuses nothing waits for no model
    from workflows.model.messages import Message


class Exit(IntEnum):
    """Exit codes; those above 128 are the shell's for a signal."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNCONFIRMED = 3
    INTERRUPTED = 128 + signal.SIGINT
    BROKEN_PIPE = 128 + signal.SIGPIPE
    TERMINATED = 128 + signal.SIGTERM


class Refusal(Exception):
    """An expected failure; its text is for the person at the terminal and has no secret, `message` the same as data."""

    def __init__(self, text: str, message: "Message | None" = None) -> None:
        super().__init__(text)
        self.message = message


class Termination(SystemExit):
    """SIGTERM, raised in the main thread so that `finally` blocks run. A `SystemExit` passes through the event loop;
    other exceptions would be kept for the running task.
    """
