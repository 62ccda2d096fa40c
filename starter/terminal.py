"""The terminal that answers are printed on."""

import errno
import os
from typing import NoReturn

from rich.console import Console


class Terminal(Console):
    """A console for which a reader who went away is a broken pipe, as for any other output (exits.py)."""

    def on_broken_pipe(self) -> NoReturn:
        """Say so, where rich itself would end the process as if something had been refused."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
