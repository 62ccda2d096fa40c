"""The command's entry point: holds Ctrl-C during half a second of imports, so that it causes no traceback."""

import gc
from typing import Final, NoReturn

from starter.boot import processes

OBJECTS_BEFORE_COLLECTION: Final = 50_000
"""What a command imports is never garbage, yet an eighth of its processor time went into looking for some."""


def main() -> NoReturn:
    processes.hold_signals()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    from starter.cli import app as command_line  # noqa: PLC0415  not before Ctrl-C can wait for it

    command_line.main()


if __name__ == "__main__":
    main()
