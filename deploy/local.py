"""The whole of Countersign on one laptop, until Ctrl-C: `python -m deploy.local [--data DIR]`.

A real Temporal server with its Web UI, the sandbox in the vendors' place, the receiver and the worker: four processes
on loopback. While they run, `DIR/dev.json` tells other programs where they are. A second start continues with the data
of the first.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from deploy import example
from deploy.folder import DataFolder
from deploy.loopback import only_loopback
from deploy.processes import RunningProgram, StackFailure
from deploy.stack import Say, Stack, bring_up, plan, tear_down, until_one_ends

_FAILED = 1


def main() -> int:
    """Run until SIGINT or SIGTERM, then 0; 1 and the reason when the stack cannot start or a process of it ends."""
    options = _parser().parse_args()
    try:
        asyncio.run(serve(options.data, only_loopback(options.host), as_json=options.json))
    except StackFailure as failure:
        print(f"countersign dev: {failure}", file=sys.stderr, flush=True)  # noqa: T201
        return _FAILED
    return 0


async def serve(data: Path, host: str, *, as_json: bool) -> None:
    """The stack on the folder `data` until a signal; raises `StackFailure` when it falls apart."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = DataFolder(data)
    with folder.taken():
        stack = plan(folder, folder.kept(host), host)
        example.lay_out(folder.path / "example", stack.addresses["sandbox"])
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
    example_file = os.path.relpath(stack.folder.path / "example" / "msa.yaml")
    for line in (
        "",
        f"  Phones (inboxes)  {stack.addresses['sandbox']}",
        f"  Web UI            {stack.addresses['web_ui']}",
        f"  Receiver          {stack.addresses['receiver']}",
        f"  Logs              {stack.folder.logs}",
        "",
        f"In a second terminal, from this folder: countersign request start {example_file}",
        "Ctrl-C ends everything; the data stays for the next start.",
    ):
        _say(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Countersign on one laptop.")
    parser.add_argument("--data", type=Path, default=Path(".countersign"), help="folder of data, logs and addresses")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--json", action="store_true", help="print the addresses as JSON once all is ready")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the progress of a command is its output


def _silent(line: str) -> None:
    """With --json nothing but JSON is printed."""


if __name__ == "__main__":
    sys.exit(main())
