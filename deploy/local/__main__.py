"""Runs the laptop stack until Ctrl-C: `python -m deploy.local [--data DIR]`: Temporal with its Web UI, sandbox, web
process and worker, on loopback. `DIR/dev.json` has their addresses. A second start continues with the same data.
"""

from starter.boot import processes

if __name__ == "__main__":
    processes.begin_imports()  # `exits.run` takes signals that come while it imports.

import argparse
import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from deploy.local import environment as example
from deploy.local.environment import LOOPBACK, only_loopback
from deploy.local.stack import RunningStack, Say, Stack, in_one_line, planned
from starter.boot import exits
from starter.config import settings
from starter.config.environment import DATA_DIR
from starter.errors import Exit
from starter.telemetry import logs


def main() -> int:
    """Until SIGINT or SIGTERM, then 0; `Refusal` if a process cannot start or ends."""
    logs.configure("debug" if os.environ.get("COUNTERSIGN_LOG_LEVEL") == "debug" else "warning")
    options = _parser().parse_args()
    settings.load()  # Malformed settings are reported here, not by the first process that reads them.
    with in_one_line("countersign dev"):
        url_by_name = {"COUNTERSIGN_DATABASE": options.database, "COUNTERSIGN_STORE": options.store}
        shell = {**os.environ, **{name: url for name, url in url_by_name.items() if url}}
        planning = planned(options.data, only_loopback(options.host), shell, encrypted=options.encrypted)
        asyncio.run(serve(planning, as_json=options.json))
    return Exit.DONE


async def serve(planning: AbstractAsyncContextManager[RunningStack], *, as_json: bool) -> None:
    """The stack until a signal; raises `StackFailure`."""
    say = _silent if as_json else _say
    async with planning as stack:
        life = asyncio.create_task(_run_until_end(stack, say, as_json=as_json))
        # Ending the processes is outside this task: a second Ctrl-C does not interrupt it.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, life.cancel)
        with suppress(asyncio.CancelledError):
            await life
        say("ending worker, receiver, sandbox, Temporal server …")


def start_words(data: Path) -> str:
    if data == DATA_DIR.absolute():
        return f", from this folder or below: countersign request start {DATA_DIR / example.REQUEST}"
    named, file = (shlex.quote(str(path)) for path in (data, data / example.REQUEST))
    return f": countersign --dev {named} request start {file}"


def activation(path: str | None = None) -> Iterator[str]:
    """Commands to type first, if this `PATH` lacks our command."""
    activate = Path(sys.prefix, "bin", "activate")
    if shutil.which("countersign", path=path) is None and activate.is_file():
        yield f"(first, for the command to be found there: . {shlex.quote(str(activate))})"


def usual_data(shell: Mapping[str, str] = os.environ) -> Path:
    """The data folder without `--data`."""
    return Path(shell.get("COUNTERSIGN_DATA_DIR", "").strip() or DATA_DIR)


async def _run_until_end(stack: RunningStack, say: Say, *, as_json: bool) -> None:
    async with stack.start(say):
        _print_addresses(stack.plan, as_json=as_json)
        raise await stack.until_one_ends(say)


def _print_addresses(stack: Stack, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps({name: address for name, address in stack.addresses.items() if name != "env"}))
        return
    for line in (
        "",
        f"  Phones (inboxes)  {stack.addresses['sandbox']}",
        f"  Web UI            {stack.addresses['web_ui']}",
        f"  Receiver          {stack.addresses['receiver']}",
        f"  Desk              {stack.addresses['desk']}",
        f"  Logs              {stack.folder.logs}",
        *(f"  Metrics           {page}" for page in stack.metrics),
        "",
        f"In a second terminal{start_words(stack.folder.path)}",
        *activation(),
        "Ctrl-C ends everything; the data stays for the next start.",
    ):
        _say(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Countersign on one laptop.")
    parser.add_argument("--data", type=Path, default=usual_data(), help="folder of data, logs and addresses")
    parser.add_argument("--database", help="URL of a PostgreSQL database instead of a local file")
    parser.add_argument("--store", help="fsspec URL of the files instead of a local folder")
    parser.add_argument("--encrypted", action="store_true", help="encrypt payloads, and have the Web UI read them")
    parser.add_argument("--host", default=LOOPBACK, help="loopback address to listen on")
    parser.add_argument("--json", action="store_true", help="print the addresses as JSON once all is ready")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the progress of a command is its output


def _silent(line: str) -> None:
    """With --json only JSON is printed."""


if __name__ == "__main__":
    exits.run(main, until_stopped=True)
