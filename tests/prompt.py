"""A prompt at which commands are typed: each runs in a process of its own, forked from one that has imported our house.

A command's cost is mostly its imports; tests/starter/cli/test_cli.py counts them in fresh processes.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from activities.calendar.calendar import public_holidays
from starter.boot import processes as modules

_MUST_END_WITHIN: Final = 280.0
_CHUNK: Final = 65536
_NOT_IMPORTED: Final = ("starter.__main__", "starter.cli.app", "starter.examples")
_ONLY_WHEN_USED: Final = (
    "anyio._backends._asyncio",
    "cyclopts.help",
    "docstring_parser",
    "encodings.idna",
    "fsspec.implementations.local",
    "rich.markdown",
)
"""What libraries import once a command has begun: most commands use some of it."""
_ONE_AT_A_TIME: Final = threading.Lock()


def run(
    module: str, *typed: str, environment: Mapping[str, str], stdin: str = "", stdout: int | None = None
) -> "subprocess.CompletedProcess[str]":
    """What came of `python -m module …` in exactly this environment, as `subprocess.run` tells it.

    What it prints goes to `stdout` instead, if that is given.
    """
    order = {"module": module, "typed": typed, "environment": dict(environment), "cwd": str(Path.cwd())}
    with contextlib.ExitStack() as closing:
        input_file, output_file, error_file = (closing.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        input_file.write(stdin.encode())
        input_file.seek(0)
        code = _code(
            order, [input_file.fileno(), output_file.fileno() if stdout is None else stdout, error_file.fileno()]
        )
        texts = [(stream.seek(0), stream.read().decode())[1] for stream in (output_file, error_file)]
    return subprocess.CompletedProcess([module, *typed], code, *texts)


def _code(order: dict[str, Any], streams: Sequence[int]) -> int:
    reading, writing = os.pipe()
    with os.fdopen(reading) as answers:
        try:
            with _ONE_AT_A_TIME:
                socket.send_fds(_prompt(), [json.dumps(order).encode() + b"\n"], [*streams, writing])
        finally:
            os.close(writing)
        pid = int(answers.readline())
        late = threading.Timer(_MUST_END_WITHIN, os.kill, (pid, signal.SIGKILL))
        late.start()
        try:
            return int(answers.readline())
        finally:
            late.cancel()


@cache
def _prompt() -> socket.socket:
    """Where orders go; the process behind it ends with this one."""
    own_socket, child_socket = socket.socketpair()
    with child_socket:
        process = subprocess.Popen(  # noqa: S603  our own module
            modules.command("tests.prompt", str(child_socket.fileno())),
            env=modules.environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=[child_socket.fileno()],
        )

    @atexit.register
    def end() -> None:
        own_socket.close()
        process.wait()

    return own_socket


def _serve(orders: socket.socket) -> None:
    """Fork for every order; returns in a process that is to carry one out, and else ends with the last order."""
    for module_info in pkgutil.walk_packages(importlib.import_module("starter").__path__, "starter."):
        if not module_info.name.startswith(_NOT_IMPORTED):
            importlib.import_module(module_info.name)
    for name in _ONLY_WHEN_USED:
        importlib.import_module(name)
    public_holidays("NL", 2026)  # whoever plans needs it, and with it all countries are imported
    gc.collect()
    gc.freeze()
    while True:
        order, descriptors = _next(orders)
        if os.fork() == 0:
            orders.close()
            _run(order, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _bury()


def _next(orders: socket.socket) -> tuple[dict[str, Any], list[int]]:
    text, descriptors, _, _ = socket.recv_fds(orders, _CHUNK, 4)
    while not text.endswith(b"\n"):
        if not (chunk := orders.recv(_CHUNK)):
            sys.exit()
        text += chunk
    return json.loads(text), descriptors


def _bury() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Carry an order out in one process, and tell of it from another."""
    *streams, answer = descriptors
    if pid := os.fork():
        for stream in streams:
            os.close(stream)
        os.write(answer, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(answer, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
    os.closerange(3, max(descriptors) + 1)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["cwd"])
    sys.argv = [order["module"], *order["typed"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
