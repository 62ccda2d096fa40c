"""The whole of Countersign on one laptop, until Ctrl-C: `python -m deploy.local [--data DIR]`.

A real Temporal server with its Web UI, the sandbox in the vendors' place, the receiver and the worker: four processes
on loopback. While they run, `DIR/dev.json` tells other programs where they are. A second start continues with the data
of the first.
"""

import argparse
import asyncio
import json
import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy import example
from deploy.folder import DataFolder
from deploy.loopback import only_loopback
from deploy.processes import RunningProgram, StackFailure
from deploy.stack import Say, Stack, bring_up, plan, tear_down, until_one_ends
from starter import exits, logs
from starter.environment import DATA_DIR

_OWNER_ONLY = 0o077


def main() -> int:
    """Run until SIGINT or SIGTERM, then 0; `Refusal` when the stack cannot start or a process of it ends."""
    # Contracts, names and secrets are below this folder: what these processes write is for its owner.
    os.umask(_OWNER_ONLY)
    logs.configure("debug" if os.environ.get("COUNTERSIGN_LOG_LEVEL") == "debug" else "warning")
    options = _parser().parse_args()
    with _in_one_line():
        asyncio.run(serve(options.data, only_loopback(options.host), as_json=options.json))
    return exits.Exit.DONE


async def serve(data: Path, host: str, *, as_json: bool) -> None:
    """The stack on the folder `data` until a signal; raises `StackFailure` when it falls apart."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = DataFolder(data)
    with folder.taken():
        stack = plan(folder, folder.kept(host), host)
        example.lay_out(folder.path, stack.addresses["sandbox"])
        await _run(stack, stop, _silent if as_json else _say, as_json=as_json)


async def _run(stack: Stack, stop: asyncio.Event, say: Say, *, as_json: bool) -> None:
    running: list[RunningProgram] = []
    stopped = asyncio.create_task(stop.wait())
    life = asyncio.create_task(_live(stack, running, say, as_json=as_json))
    try:
        await asyncio.wait([stopped, life], return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            await life
        say("ending worker, receiver, sandbox, Temporal server …")
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await tear_down(stack, running)


async def _live(stack: Stack, running: list[RunningProgram], say: Say, *, as_json: bool) -> None:
    try:
        await bring_up(stack, running, say)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    with stack.folder.announced(stack.addresses):
        _tell(stack, as_json=as_json)
        raise await until_one_ends(running)


def _tell(stack: Stack, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps({name: told for name, told in stack.addresses.items() if name != "env"}))
        return
    for line in (
        "",
        f"  Phones (inboxes)  {stack.addresses['sandbox']}",
        f"  Web UI            {stack.addresses['web_ui']}",
        f"  Receiver          {stack.addresses['receiver']}",
        f"  Logs              {stack.folder.logs}",
        *(f"  Metrics           {page}" for page in stack.metrics),
        "",
        f"In a second terminal{start_words(stack.folder.path)}",
        "Ctrl-C ends everything; the data stays for the next start.",
    ):
        _say(line)


def start_words(data: Path) -> str:
    """What is typed to start the example request on the stack of this folder: any but the usual one has to be named."""
    if data == DATA_DIR.absolute():
        return f", from this folder: countersign request start {DATA_DIR / example.REQUEST}"
    named, file = (shlex.quote(str(path)) for path in (data, data / example.REQUEST))
    return f": COUNTERSIGN_DATA_DIR={named} countersign request start {file}"


def usual_data(shell: Mapping[str, str] = os.environ) -> Path:
    """The folder of a stack that was started without `--data`: where a second terminal of this shell looks, too."""
    return Path(shell.get("COUNTERSIGN_DATA_DIR", "").strip() or DATA_DIR)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """What keeps the stack from running, a file that cannot be used among it, as one line for the terminal."""
    try:
        yield
    except StackFailure as failure:
        raise exits.Refusal(f"countersign dev: {failure}") from failure
    except OSError as error:
        if error.filename is None:
            raise
        raise exits.Refusal(f"countersign dev: {error.filename} cannot be used: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Countersign on one laptop.")
    parser.add_argument("--data", type=Path, default=usual_data(), help="folder of data, logs and addresses")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--json", action="store_true", help="print the addresses as JSON once all is ready")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the progress of a command is its output


def _silent(line: str) -> None:
    """With --json nothing but JSON is printed."""


if __name__ == "__main__":
    exits.run(main)
