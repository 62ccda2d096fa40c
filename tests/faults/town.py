"""A laptop stack whose processes die and come back one by one: the real server on a file, sandbox, receiver, worker."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from temporalio.client import WorkflowHandle

from activities.launch.request_file import PreparedRequest
from activities.people.company_directory import CompanyDirectory
from deploy.local.folder import DataFolder, FolderState
from deploy.local.processes import Program, RunningProgram
from deploy.local.stack import Stack, plan
from starter.boot import clients
from starter.boot import processes as modules
from starter.cli import start_files
from starter.config import settings
from starter.config.settings import Need, Settings
from starter.errors import Refusal
from starter.queries.fast_forward import forward
from starter.temporal.connection import Context, opened
from tests import prompt
from tests.faults import population
from tests.faults.vendor import Vendor
from tests.glances import glances
from tests.markdown import ROOT
from tests.servers import PUNCTUAL_TIMERS
from workflows.kinds import Kind
from workflows.model.views import RequestShow

HOST: Final = "127.0.0.1"
TEMPORAL, SANDBOX, RECEIVER, WORKER = "temporal", "sandbox", "receiver", "worker"
READY_WITHIN: Final = 40.0
_GRACE_AND_SOME: Final = 40.0
_GLANCE: Final = 0.05
_BRISK: Final = {"COUNTERSIGN_SIGNATURE_MAX_RPS": "1000", "COUNTERSIGN_NOTICES_MOST": "1000"}

T = TypeVar("T")


@dataclass(frozen=True)
class Conditions:
    """How a town differs from a laptop's stack: more for the command lines of server and worker, and for environments.

    `own_programs` is for worker, receiver and commands, `worker` for the worker alone; `zone` is that of its people.
    """

    temporal: tuple[str, ...] = ()
    sandbox: dict[str, str] = field(default_factory=dict)
    own_programs: dict[str, str] = field(default_factory=dict)
    worker: dict[str, str] = field(default_factory=dict)
    worker_words: tuple[str, ...] = ()
    zone: str = population.ZONE


@dataclass
class Town:
    """Four processes on one folder. What a test starts here it names by ids of its own."""

    folder: DataFolder
    folder_state: FolderState
    conditions: Conditions
    settings: Settings
    vendor: Vendor
    running: dict[str, RunningProgram] = field(default_factory=dict)
    _context: Context | None = None

    @property
    def context(self) -> Context:
        """Where requests are started and looked at; there once the server has been up."""
        assert self._context is not None, "the server has not been started yet"
        return self._context

    @cached_property
    def directory(self) -> CompanyDirectory:
        """The people, as a process knows them that has read their file before."""
        return clients.directory(self.settings, self.context.store)

    @property
    def people(self) -> Path:
        """The people file."""
        return self.folder.path / "example" / "people.yaml"

    @property
    def receiver(self) -> str:
        """Address of the receiver."""
        return str(self._stack().addresses["receiver"])

    def log(self, name: str) -> str:
        """What a process has written so far."""
        return (self.folder.logs / f"{name}.log").read_text(errors="replace")

    # --- processes

    async def start(self, *names: str, ready: bool = True) -> None:
        """Start processes side by side, again after their death too; with `ready` wait until they do their work."""
        for name in names:
            self.running[name] = await self._begin(self.program(name))
        if ready:
            await asyncio.gather(*(self.running[name].until_ready(READY_WITHIN) for name in names))

    async def _begin(self, program: Program) -> RunningProgram:
        return await RunningProgram.start(program, self.folder.logs)

    async def ready(self, *names: str, timeout_seconds: float = READY_WITHIN) -> float:
        """Wait until processes do their work; the seconds that took."""
        began = time.monotonic()
        await asyncio.gather(*(self.running[name].until_ready(timeout_seconds) for name in names))
        return time.monotonic() - began

    async def is_ready(self, name: str) -> bool:
        """Whether a process says that it does its work."""
        return await self.running[name].program.ready()

    async def kill(self, name: str) -> None:
        """kill -9."""
        dead = self.running.pop(name)
        dead.kill()
        await dead.ended()

    @asynccontextmanager
    async def outage(self, name: str) -> AsyncIterator[None]:
        """kill -9 before the block, started again after it even when the block fails: other tests use this town too."""
        await self.kill(name)
        try:
            yield
        finally:
            await self.start(name)

    async def end(self, name: str) -> tuple[int | None, float]:
        """SIGTERM; the exit code and the seconds it took."""
        began = time.monotonic()
        ending = self.running.pop(name)
        await ending.stop()
        return ending.exit_code, time.monotonic() - began

    # --- requests

    async def ask(self, id: str, *signers: str, **fields: Any) -> start_files.StartAnswer:
        """Start a request from a file, as the command does; see `population.write_request` for `more`."""
        return await start_files.start(self.context, await self.prepared(id, *signers, **fields))

    async def prepared(self, id: str, *signers: str, **fields: Any) -> PreparedRequest:
        """A request as it is started: its file was written, read and checked."""
        file = population.write_request(self.folder.path / "files", id, *signers, **fields)
        prepared: PreparedRequest = await start_files.read(self.settings, str(file))
        return prepared

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Type `countersign …`: its exit code, and all that it says."""
        typed = await asyncio.to_thread(prompt.run, "starter", *arguments, environment=self._typing)
        return typed.returncode, typed.stdout + typed.stderr

    async def fresh_command(self, *arguments: str) -> tuple[int, str]:
        """The same in a process that has nothing in memory yet."""
        process = await asyncio.create_subprocess_exec(
            *modules.command("starter", *arguments),
            env=self._typing,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return int(process.returncode or 0), output.decode()

    @property
    def _typing(self) -> dict[str, str]:
        return {**modules.environment(), "COUNTERSIGN_DATA_DIR": str(self.folder.path), **self.environment}

    @property
    def environment(self) -> dict[str, str]:
        """What leads a command here."""
        variables: dict[str, str] = self._stack().addresses["env"]
        return {**variables, **self.conditions.own_programs}

    async def read_view(self, id: str) -> RequestShow:
        """What `request show` says."""
        return await start_files.show(self.context, id)

    async def until_shown(
        self, id: str, holds: Callable[[RequestShow], Any], timeout_seconds: float = 20
    ) -> RequestShow:
        """`request show` once it says what is waited for."""

        async def probe() -> RequestShow | None:
            view = await self.read_view(id)
            return view if holds(view) else None

        return await eventually(probe, timeout_seconds)

    async def until_idle(self, id: str, timeout_seconds: float = 20) -> None:
        """Until every callback about the request is answered and its workflow has nothing to do but wait."""

        async def all_told() -> bool:
            events = {entry["event"] for entry in await self.vendor.ledger("event", external_id=id)}
            acknowledged = {
                entry["event"] for entry in await self.vendor.ledger("callback", external_id=id, status=200)
            }
            return events == acknowledged

        await eventually(all_told, timeout_seconds)
        await eventually(lambda: self._only_waits(id), timeout_seconds)

    async def forward(self, id: str, duration: timedelta) -> None:
        """Move the clock of one request, until it has nothing more to do than wait."""
        await forward(self.context.client, id, duration)
        await eventually(lambda: self._only_waits(id))

    async def _only_waits(self, id: str) -> bool:
        raw = (await self.handle(id).describe()).raw_description
        return not raw.pending_activities and not raw.HasField("pending_workflow_task")

    def handle(self, id: str) -> WorkflowHandle[Any, Any]:
        """The workflow of a request."""
        return self.context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))

    async def sign(self, id: str, times: int = 1, timeout_seconds: float = 20) -> None:
        """Let whoever's turn it is sign, so many times."""
        for _ in range(times):
            [signer] = await eventually(lambda: self.vendor.waiting(id), timeout_seconds)
            assert await self.vendor.sign(signer)

    # --- inside

    def _stack(self) -> Stack:
        # Planned anew each time: a worker's ready file of an earlier life is removed by that.
        return plan(self.folder, self.folder_state, HOST, {})

    def program(self, name: str) -> Program:
        """How a process is started here."""
        stack = self._stack()
        program = next(program for program in (*stack.first, stack.worker) if program.name == name)
        conditions = self.conditions
        variables = {
            TEMPORAL: {},
            SANDBOX: conditions.sandbox,
            RECEIVER: conditions.own_programs,
            WORKER: conditions.own_programs | conditions.worker,
        }[name]
        arguments_by_program = {TEMPORAL: (*PUNCTUAL_TIMERS, *conditions.temporal), WORKER: conditions.worker_words}
        return replace(
            program,
            command=(*program.command, *arguments_by_program.get(name, ())),
            environment={**program.environment, **variables},
            grace=_GRACE_AND_SOME if name in (WORKER, RECEIVER) else program.grace,
        )


@asynccontextmanager
async def start_town(folder: Path, conditions: Conditions | None = None, *, server: bool = True) -> AsyncIterator[Town]:
    """A town on a folder of its own: all four processes at work, or with `server=False` the sandbox alone."""
    async with AsyncExitStack() as closing:
        new_town = await laid_out(folder, conditions or Conditions(), closing)
        closing.push_async_callback(_end, new_town)
        await new_town.start(SANDBOX, *((TEMPORAL, RECEIVER) if server else ()))
        if server:
            await connect(new_town, closing)
            await new_town.start(WORKER)
        yield new_town


async def connect(town: Town, closing: AsyncExitStack) -> None:
    """Open the desk: the server is there."""
    town._context = await closing.enter_async_context(opened(town.settings))


async def laid_out(path: Path, conditions: Conditions, closing: AsyncExitStack) -> Town:
    folder = DataFolder(path)
    population.settle(path / "example" / "people.yaml", path / "files", conditions.zone)
    # The looks of the stack name it.
    shutil.copy(ROOT / "deploy" / "examples" / "northwind.svg", path / "example")
    conditions = replace(conditions, own_programs={**_BRISK, **conditions.own_programs})
    folder_state = folder.kept(HOST)
    addresses = plan(folder, folder_state, HOST, {}).addresses
    environment = {**addresses["env"], **conditions.own_programs}
    vendor = await closing.enter_async_context(Vendor(addresses["sandbox"]))
    return Town(folder, folder_state, conditions, settings.load(Need.PEOPLE, environment=environment), vendor)


async def _end(town: Town) -> None:
    for name in (WORKER, RECEIVER, SANDBOX, TEMPORAL):
        if name in town.running:
            town.running[name].kill()
            await town.running[name].ended()


async def eventually(probe: Callable[[], Awaitable[T | None]], timeout_seconds: float = 20) -> T:
    """What the probe finds, looking until it finds something; fails when that takes too long."""
    last: Any = None
    for pause in glances(_GLANCE, timeout_seconds):
        try:
            if last := await probe():
                return last
        except Refusal as refusal:
            last = refusal
        await asyncio.sleep(pause)
    raise AssertionError(f"not seen within {timeout_seconds:g} s; last looked like {last!r}")


def ids(prefix: str, count: int) -> Iterable[str]:
    """Names for many requests."""
    return (f"{prefix}-{number:03}" for number in range(count))
