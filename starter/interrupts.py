"""Ctrl-C in a process that is still importing: it waits until `exits.run` can end it, in silence and with its code."""

import signal
from typing import Final

_CTRL_C: Final = (signal.SIGINT,)


def hold() -> None:
    """Let Ctrl-C wait, also in what this process goes on as."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)


def release() -> None:
    """Take the Ctrl-C that waits, and every one that comes: each is a `KeyboardInterrupt` again."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _CTRL_C)
