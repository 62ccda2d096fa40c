"""The door of the command: what is typed waits for imports of half a second, in which Ctrl-C must be no traceback."""

from typing import NoReturn

from starter.boot import interrupts


def main() -> NoReturn:
    """Run what was typed and end the process with its code."""
    interrupts.hold()
    from starter.cli import app as command_line  # noqa: PLC0415  not before Ctrl-C can wait for it

    command_line.main()


if __name__ == "__main__":
    main()
