"""The processes, the laptop stack and what is done on it: worker, webhook, dev, demo, fast-forward."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from starter import modules, tables
from starter import webhook as receiver
from starter.commands.printing import AsJson, answer
from starter.context import opened
from starter.fast_forward import forward, span
from starter.startup import on_duty, ready

ReadyFile = Annotated[Path | None, Parameter(help="A file that is written once the process does its work.")]
JsonLog = Annotated[bool, Parameter(name="--json", negative=(), help="Log in JSON on a terminal, too.")]
DataDir = Annotated[
    Path | None, Parameter(help="Folder of data, logs and addresses; default: .countersign, or COUNTERSIGN_DATA_DIR.")
]


def _is_span(_: object, value: str) -> None:
    span(value)


def worker(*, ready_file: ReadyFile = None, json: JsonLog = False) -> None:
    """Run the worker: workflows and activities, until SIGTERM; then it finishes what it has begun."""
    words = [*(("--ready-file", str(ready_file)) if ready_file else ()), *(("--json",) if json else ())]
    modules.become("worker", *words)


async def webhook(*, ready_file: ReadyFile = None, json: JsonLog = False) -> None:
    """Run the receiver of Core Signature's callbacks and the pages for signers, until SIGTERM."""
    await receiver.serve(on_duty(*receiver.NEEDS, json=json), ready_file=ready_file)


def dev(*, data: DataDir = None, host: str = "127.0.0.1", json: AsJson = False) -> None:
    """Run the whole stack on this laptop until Ctrl-C: Temporal with its Web UI, sandbox, receiver, worker.

    A second start continues with the data of the first. Commands in another terminal find it when they are typed in
    the same folder.

    Parameters
    ----------
    host
        The loopback address to listen on; any other is refused.
    json
        Print the addresses as JSON once all is ready.
    """
    words = [*(("--data", str(data)) if data else ()), "--host", host, *(("--json",) if json else ())]
    modules.become("deploy.local", *words)


def demo(*, keep: bool = False, json: AsJson = False) -> None:
    """Start a fresh stack, live one customer contract through two weeks of its calendar, and check every step.

    Takes less than a minute: durations are real days, the request's clock is moved. Ends with 0 only if every step
    was seen. Data and logs stay until the next demo.

    Parameters
    ----------
    keep
        Leave the stack running afterwards, until Ctrl-C, to look around.
    json
        Print `{ok, seconds, steps[{name, seen, at}]}`.
    """
    modules.become("deploy.demo", *(("--keep",) if keep else ()), *(("--json",) if json else ()))


async def fast_forward(
    id: str, duration: Annotated[str, Parameter(validator=_is_span)], /, *, json: AsJson = False
) -> None:
    """Move one request's clock, on a dev server only: a policy of weeks is rehearsed in seconds.

    Parameters
    ----------
    id
        The request's id, or its whole workflow id.
    duration
        How far, such as 4h, 3d or 2w.
    json
        Print `{id, now, reached}`.
    """
    async with opened(ready()) as context:
        forwarded = await forward(context.client, id, span(duration))
    answer(forwarded, tables.of_forwarded(forwarded), as_json=json)


def register(app: App) -> None:
    """Add these words to the command."""
    for name, word in (
        ("worker", worker),
        ("webhook", webhook),
        ("dev", dev),
        ("demo", demo),
        ("fast-forward", fast_forward),
    ):
        app.command(word, name=name)
