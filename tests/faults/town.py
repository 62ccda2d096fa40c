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
from activities.people.file_directory import FileDirectory
from deploy.local.folder import DataFolder, FolderState
from deploy.local.processes import Program, RunningProgram
from deploy.local.stack import Stack, plan
from starter.boot import clients
from starter.boot import processes as modules
from starter.cli import start_files as requests
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

    `ours` is for worker, receiver and commands, `worker` for the worker alone.
    """

    temporal: tuple[str, ...] = ()
    sandbox: dict[str, str] = field(default_factory=dict)
    ours: dict[str, str] = field(default_factory=dict)
    worker: dict[str, str] = field(default_factory=dict)
    worker_words: tuple[str, ...] = ()


@dataclass
class Town:
    """Four processes on one folder. What a test starts here it names by ids of its own."""

    folder: DataFolder
    kept: FolderState
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
    def directory(self) -> FileDirectory:
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

    async def ready(self, *names: str, within: float = READY_WITHIN) -> float:
        """Wait until processes do their work; the seconds that took."""
        began = time.monotonic()
        await asyncio.gather(*(self.running[name].until_ready(within) for name in names))
        return time.monotonic() - began

    async def is_ready(self, name: str) -> bool:
        """Whether a process says that it does its work."""
        return await self.running[name].program.ready()

    async def kill(self, name: str) -> None:
        """kill -9."""
        dead = self.running.pop(name)
        dead.kill()
        await dead.ended()

    async def end(self, name: str) -> tuple[int | None, float]:
        """SIGTERM; the exit code and the seconds it took."""
        began = time.monotonic()
        ending = self.running.pop(name)
        await ending.stop()
        return ending.exit_code, time.monotonic() - began

    # --- requests

    async def ask(self, id: str, *signers: str, **more: Any) -> requests.StartAnswer:
        """Start a request from a file, as the command does; see `population.write_request` for `more`."""
        return await requests.start(self.context, await self.prepared(id, *signers, **more))

    async def prepared(self, id: str, *signers: str, **more: Any) -> PreparedRequest:
        """A request as it is started: its file was written, read and checked."""
        file = population.write_request(self.folder.path / "files", id, *signers, **more)
        prepared: PreparedRequest = await requests.read(self.settings, str(file))
        return prepared

    async def command(self, *words: str) -> tuple[int, str]:
        """Type `countersign …`: its exit code, and all that it says."""
        typed = await asyncio.to_thread(prompt.run, "starter", *words, environment=self._typing)
        return typed.returncode, typed.stdout + typed.stderr

    async def fresh_command(self, *words: str) -> tuple[int, str]:
        """The same in a process that has nothing in memory yet."""
        process = await asyncio.create_subprocess_exec(
            *modules.command("starter", *words),
            env=self._typing,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return int(process.returncode or 0), said.decode()

    @property
    def _typing(self) -> dict[str, str]:
        return {**modules.environment(), "COUNTERSIGN_DATA_DIR": str(self.folder.path), **self.environment}

    @property
    def environment(self) -> dict[str, str]:
        """What leads a command here."""
        told: dict[str, str] = self._stack().addresses["env"]
        return {**told, **self.conditions.ours}

    async def shown(self, id: str) -> RequestShow:
        """What `request show` says."""
        return await requests.show(self.context, id)

    async def until_shown(self, id: str, holds: Callable[[RequestShow], Any], within: float = 20) -> RequestShow:
        """`request show` once it says what is waited for."""

        async def probe() -> RequestShow | None:
            shown = await self.shown(id)
            return shown if holds(shown) else None

        return await eventually(probe, within)

    async def until_idle(self, id: str, within: float = 20) -> None:
        """Until every callback about the request is answered and its workflow has nothing to do but wait."""

        async def all_told() -> bool:
            events = {entry["event"] for entry in await self.vendor.ledger("event", external_id=id)}
            told = {entry["event"] for entry in await self.vendor.ledger("callback", external_id=id, status=200)}
            return events == told

        await eventually(all_told, within)
        await eventually(lambda: self._only_waits(id), within)

    async def forward(self, id: str, by: timedelta) -> None:
        """Move the clock of one request, until it has nothing more to do than wait."""
        await forward(self.context.client, id, by)
        await eventually(lambda: self._only_waits(id))

    async def _only_waits(self, id: str) -> bool:
        raw = (await self.handle(id).describe()).raw_description
        return not raw.pending_activities and not raw.HasField("pending_workflow_task")

    def handle(self, id: str) -> WorkflowHandle[Any, Any]:
        """The workflow of a request."""
        return self.context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))

    async def sign(self, id: str, times: int = 1, within: float = 20) -> None:
        """Let whoever's turn it is sign, so many times."""
        for _ in range(times):
            [one] = await eventually(lambda: self.vendor.waiting(id), within)
            assert await self.vendor.sign(one)

    # --- inside

    def _stack(self) -> Stack:
        # Planned anew each time: a worker's ready file of an earlier life is removed by that.
        return plan(self.folder, self.kept, HOST, {})

    def program(self, name: str) -> Program:
        """How a process is started here."""
        stack = self._stack()
        program = next(one for one in (*stack.first, stack.worker) if one.name == name)
        mine = self.conditions
        more = {
            TEMPORAL: {},
            SANDBOX: mine.sandbox,
            RECEIVER: mine.ours,
            WORKER: mine.ours | mine.worker,
        }[name]
        words = {TEMPORAL: (*PUNCTUAL_TIMERS, *mine.temporal), WORKER: mine.worker_words}
        return replace(
            program,
            command=(*program.command, *words.get(name, ())),
            environment={**program.environment, **more},
            grace=_GRACE_AND_SOME if name in (WORKER, RECEIVER) else program.grace,
        )


@asynccontextmanager
async def town(folder: Path, conditions: Conditions | None = None, *, server: bool = True) -> AsyncIterator[Town]:
    """A town on a folder of its own: all four processes at work, or with `server=False` the sandbox alone."""
    async with AsyncExitStack() as closing:
        it = await laid_out(folder, conditions or Conditions(), closing)
        closing.push_async_callback(_end, it)
        await it.start(SANDBOX, *((TEMPORAL, RECEIVER) if server else ()))
        if server:
            await connect(it, closing)
            await it.start(WORKER)
        yield it


async def connect(it: Town, closing: AsyncExitStack) -> None:
    """Open the desk: the server is there."""
    it._context = await closing.enter_async_context(opened(it.settings))


async def laid_out(path: Path, conditions: Conditions, closing: AsyncExitStack) -> Town:
    folder = DataFolder(path)
    population.settle(path / "example" / "people.yaml", path / "files")
    # The looks of the stack name it.
    shutil.copy(ROOT / "deploy" / "examples" / "northwind.svg", path / "example")
    conditions = replace(conditions, ours={**_BRISK, **conditions.ours})
    kept = folder.kept(HOST)
    addresses = plan(folder, kept, HOST, {}).addresses
    environment = {**addresses["env"], **conditions.ours}
    vendor = await closing.enter_async_context(Vendor(addresses["sandbox"]))
    return Town(folder, kept, conditions, settings.load(Need.PEOPLE, environment=environment), vendor)


async def _end(it: Town) -> None:
    for name in (WORKER, RECEIVER, SANDBOX, TEMPORAL):
        if name in it.running:
            it.running[name].kill()
            await it.running[name].ended()


async def eventually(probe: Callable[[], Awaitable[T | None]], within: float = 20) -> T:
    """What the probe finds, looking until it finds something; fails when that takes too long."""
    last: Any = None
    for pause in glances(_GLANCE, within):
        try:
            if last := await probe():
                return last
        except Refusal as refusal:
            last = refusal
        await asyncio.sleep(pause)
    raise AssertionError(f"not seen within {within:g} s; last looked like {last!r}")


def ids(prefix: str, count: int) -> Iterable[str]:
    """Names for many requests."""
    return (f"{prefix}-{number:03}" for number in range(count))
