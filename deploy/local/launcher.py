"""Runs a command that cannot outlive its parent: `python launcher.py PARENT_PID COMMAND…`. On Linux the kernel ends it;
elsewhere the launcher does.
"""

import ctypes
import os
import platform
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
_GLANCE = 0.2
_PARENT_GONE = 1


def main(arguments: list[str]) -> int:
    """Become the command (Linux), or watch it; 1 if the parent has died before."""
    parent, command = int(arguments[0]), arguments[1:]
    if platform.system() != "Linux":
        return watch(parent, command)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the kernel was asked.
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606  the very purpose
    return _PARENT_GONE


def watch(parent: int, command: list[str]) -> int:
    """Run the command until it ends or the parent is gone; passes signals on. Returns its code."""
    child = subprocess.Popen(command)  # noqa: S603  the command comes from the supervisor's own code

    def pass_on(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while (code := child.poll()) is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(_GLANCE)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
