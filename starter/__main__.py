"""The command's entry point: holds Ctrl-C during half a second of imports, so that it causes no traceback."""

from typing import NoReturn

from starter.boot import processes


def main() -> NoReturn:
    processes.begin_imports()
    from starter.cli import app as command_line  # noqa: PLC0415  not before Ctrl-C can wait for it

    command_line.main()


if __name__ == "__main__":
    main()
