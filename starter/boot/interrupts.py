"""Signals to a process that is still importing wait until `exits.run` can end it, in silence and with its code."""

import signal
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def hold() -> None:
    """Let Ctrl-C and SIGTERM wait, also in what this process goes on as."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def release() -> None:
    """Take the one that waits, and every one that comes: Ctrl-C is a `KeyboardInterrupt` again."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
