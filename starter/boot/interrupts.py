"""Holds signals while a process is importing, until `exits.run` can end it with its code."""

import signal
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def hold() -> None:
    """Defer Ctrl-C and SIGTERM, also in the process image that this one becomes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def release() -> None:
    """Deliver a deferred signal, and later ones: Ctrl-C is a `KeyboardInterrupt` again."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
