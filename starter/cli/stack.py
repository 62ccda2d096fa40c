"""Commands that stay: the web process, and those that become another module of ours: worker, dev, demo."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from starter.boot import processes as modules
from starter.cli.arguments import AsJson, JsonLog, ReadyFile

DataDir = Annotated[
    Path | None, Parameter(help="Folder of data, logs and addresses; default: .countersign, or COUNTERSIGN_DATA_DIR.")
]


Queues = Annotated[
    str | None,
    Parameter(help="Pools to work on, with commas: requests, campaigns, core-signature, reconciliation; default: all."),
]


def worker(*, queues: Queues = None, ready_file: ReadyFile = None, json: JsonLog = False) -> None:
    """Run the worker: workflows and activities, until SIGTERM; then it finishes what it has begun."""
    value_by_option = {"--queues": queues, "--ready-file": ready_file}
    arguments = [
        argument for name, value in value_by_option.items() if value is not None for argument in (name, str(value))
    ]
    modules.become("worker", *arguments, *(("--json",) if json else ()))


async def webhook(*, ready_file: ReadyFile = None, json: JsonLog = False) -> None:
    """Run the web process: callbacks, pages, desk and API, until SIGTERM."""
    from starter.boot.startup import load_service_settings  # noqa: PLC0415  the other words of this file need nothing
    from starter.web import app as receiver  # noqa: PLC0415  as above

    modules.end_imports()
    await receiver.serve(load_service_settings(*receiver.NEEDS, json=json), ready_file=ready_file)


def dev(
    *,
    data: DataDir = None,
    database: str | None = None,
    store: str | None = None,
    encrypted: bool = False,
    host: str = "127.0.0.1",
    json: AsJson = False,
) -> None:
    """Run the whole stack on this laptop until Ctrl-C: Temporal with its Web UI, sandbox, receiver, worker.

    A second start continues with the data of the first. Commands in another terminal find it when they are typed in
    this folder or below.

    Parameters
    ----------
    database
        A PostgreSQL database instead of a local file: as COUNTERSIGN_DATABASE. Its tables are made, or upgraded.
    store
        Where files are, such as s3://bucket/folder, instead of a folder: as COUNTERSIGN_STORE.
    encrypted
        Encrypt payloads from now on, as COUNTERSIGN_PAYLOAD_KEYS does, and have the Web UI of this machine read them.
    host
        The loopback address to listen on; any other is refused.
    json
        Print the addresses as JSON once all is ready.
    """
    value_by_option = {"--data": data, "--database": database, "--store": store, "--host": host}
    arguments = [argument for name, value in value_by_option.items() if value for argument in (name, str(value))]
    flags = {"--encrypted": encrypted, "--json": json}
    modules.become("deploy.local", *arguments, *(flag for flag, is_set in flags.items() if is_set))


def demo(*, keep: bool = False, json: AsJson = False) -> None:
    """Start a fresh stack, play one onboarding of two weeks on it, and check every step.

    Takes less than a minute, because the clocks are moved. The exit code is 0 only if every step was
    seen. Data and logs stay until the next demo.

    Parameters
    ----------
    keep
        Leave the stack running afterwards, until Ctrl-C, to look around.
    json
        Print `{ok, seconds, steps[{name, seen, at}]}`.
    """
    modules.become("deploy.demo", *(("--keep",) if keep else ()), *(("--json",) if json else ()))
