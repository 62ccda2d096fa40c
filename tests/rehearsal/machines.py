"""Two workers and two web processes behind a proxy, as on four machines: each with a folder and a people file of its
own, and nothing shared but Temporal, PostgreSQL and an S3 server. They run from here, or from an image.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Final

from activities.records.database import Database
from deploy.local.environment import authority, url
from deploy.local.processes import Program, RunningProgram, answers
from tests.faults.town import HOST, RECEIVER, SANDBOX, TEMPORAL, WORKER, Conditions, Town, connect, laid_out
from tests.image.containers import DATA, Bind, ContainedProgram, Image, RunningContainer, give
from tests.object_stores import BUCKET, ObjectStore, seaweedfs
from tests.postgresql import PostgreSQL, postgresql
from tests.servers import free_ports

WORKERS: Final = (f"{WORKER}-1", f"{WORKER}-2")
WEB: Final = (f"{RECEIVER}-1", f"{RECEIVER}-2")
POSTGRESQL, S3_SERVER = "PostgreSQL", "S3 server"
_DEAD_SECONDS: Final = 5.0
"""Longer than any call to a part is tried again by itself."""
_READY_WITHIN: Final = 120.0
_CONNECTIONS: Final = "max_connections=200"
_LOGO: Final = "northwind.svg"
_QUICK: Final = {"SANDBOX_RETRY_UNIT": "1"}


@dataclass(frozen=True)
class Part:
    """A process or server of an installation; `start` returns once it does its work."""

    name: str
    kill: Callable[[], Awaitable[None]]
    start: Callable[[], Awaitable[None]]

    async def kill_and_restart(self) -> None:
        """kill -9, `_DEAD_SECONDS` without it, and wait until it does its work again."""
        await self.kill()
        await asyncio.sleep(_DEAD_SECONDS)
        await self.start()


@dataclass
class Installation(Town):
    """A town whose worker and web process are two of each, on machines of their own."""

    database: PostgreSQL = field(kw_only=True)
    bucket: ObjectStore = field(kw_only=True)
    ports: Mapping[str, int] = field(kw_only=True)
    """Of the web processes."""
    probes: Mapping[str, int] = field(kw_only=True)
    """Where each process says whether it does its work."""
    images: Mapping[str, Image] = field(kw_only=True)
    """What a worker or web process runs from, if it is an image."""
    builds: Mapping[str, str] = field(kw_only=True)
    """The build id of a worker, if it has one."""

    def machine(self, name: str) -> Path:
        """The folder of one machine."""
        return self.folder.path / "machines" / name

    def furnish(self) -> None:
        """Give each machine what is deployed to it."""
        for name in (*WORKERS, *WEB):
            self.machine(name).mkdir(parents=True)
            for file in (self.people, self.people.with_name(_LOGO)):
                shutil.copy(file, self.machine(name))
            if name in self.images:
                give(self.machine(name))

    async def start_patiently(self, *names: str) -> None:
        """Start processes side by side, and wait until they do their work, also on a machine that has much to do."""
        await self.start(*names, ready=False)
        await self.ready(*names, timeout_seconds=_READY_WITHIN)

    def process(self, name: str) -> Part:
        """One of the processes, as a part that can be killed."""
        return Part(name, partial(self.kill, name), partial(self.start_patiently, name))

    @property
    def servers(self) -> Sequence[Part]:
        """PostgreSQL and the S3 server."""
        return [
            Part(name, partial(asyncio.to_thread, server.kill), partial(asyncio.to_thread, server.start))
            for name, server in ((POSTGRESQL, self.database), (S3_SERVER, self.bucket))
        ]

    def log(self, name: str) -> str:
        """What a process has written so far, or both of its kind."""
        of_it = [process_name for process_name in (*WORKERS, *WEB, SANDBOX, TEMPORAL) if process_name.startswith(name)]
        return "".join(super(Installation, self).log(process_name) for process_name in of_it)

    async def run_in_image(
        self, image: Image, *arguments: str, entry: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run `countersign …` of an image, or another of its programs, on a machine that has been furnished."""
        machine = Bind(self.machine(WEB[0]), DATA, is_writable=True)
        environment = {**self.environment, **deployed(DATA)}
        return await asyncio.to_thread(image.run, arguments, environment, [machine], entry=entry)

    async def _begin(self, program: Program) -> RunningProgram:
        kind = RunningContainer if isinstance(program, ContainedProgram) else RunningProgram
        return await kind.start(program, self.folder.logs)

    def program(self, name: str) -> Program:
        kind = name.rpartition("-")[0]
        if not kind:
            return super().program(name)
        program = super().program(kind)
        if program.ready_file:
            program = replace(
                program, command=program.command[: program.command.index("--ready-file")], ready_file=None
            )
        program = replace(program, name=name, ready=answers(f"{url(HOST, self.probes[name])}/readyz"))
        image = self.images.get(name)
        if image is None:
            return replace(program, environment=self._environment(program, self.machine(name)))
        arguments = ("worker" if kind == WORKER else "webhook",)
        program = replace(program, environment=self._environment(program, DATA))
        return image.make_contained(program, arguments, [Bind(self.machine(name), DATA, is_writable=True)])

    def _environment(self, program: Program, machine: Path) -> dict[str, str]:
        name = program.name
        probe = {"COUNTERSIGN_HEALTH_BIND": authority(HOST, self.probes[name])}
        bind = {"COUNTERSIGN_WEBHOOK_BIND": authority(HOST, self.ports[name])} if name in WEB else {}
        build = {"TEMPORAL_WORKER_BUILD_ID": self.builds[name]} if name in self.builds else {}
        return {**program.environment, **deployed(machine), **probe, **bind, **build}


def deployed(machine: Path) -> dict[str, str]:
    """What leads a process to the files of its machine, wherever it sees them."""
    return {
        "COUNTERSIGN_DATA_DIR": str(machine),
        "COUNTERSIGN_PEOPLE": str(machine / "people.yaml"),
        "COUNTERSIGN_COMPANY_LOGO": str(machine / _LOGO),
    }


@asynccontextmanager
async def installation(
    folder: Path,
    images: Mapping[str, Image] = MappingProxyType({}),
    builds: Mapping[str, str] = MappingProxyType({}),
    *,
    temporal: tuple[str, ...] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
    set_up: bool = True,
) -> AsyncIterator[Installation]:
    """One that is set up as docs/operating.md says; its machines are furnished and started by the caller, and without
    `set_up` its schema is made, and it is connected. `temporal` are more words for the server, `variables`
    more settings.
    """
    async with AsyncExitStack() as ending:
        database = ending.enter_context(postgresql(_CONNECTIONS))
        bucket = ending.enter_context(seaweedfs())
        os.environ.update(bucket.environment)  # the machine of whoever types commands is this process
        address = database.url(database.create())
        shared = {"COUNTERSIGN_DATABASE": address, "COUNTERSIGN_STORE": f"s3://{BUCKET}/countersign"}
        conditions = Conditions(
            temporal=temporal, sandbox=_QUICK, own_programs={**shared, **bucket.environment, **variables}
        )
        town = await laid_out(folder, conditions, ending)
        free = iter(free_ports(2 * len(WEB) + len(WORKERS)))
        ports, probes = dict(zip(WEB, free, strict=False)), dict(zip((*WORKERS, *WEB), free, strict=True))
        installed = Installation(
            town.folder, town.folder_state, town.conditions, town.settings, town.vendor,
            database=database, bucket=bucket, ports=ports, probes=probes, images=images, builds=builds,
        )  # fmt: skip
        ending.push_async_callback(_end, installed)
        await installed.start(SANDBOX, TEMPORAL)
        if set_up:
            with closing(Database(address)) as database_to_upgrade:
                await database_to_upgrade.upgrade()
            await connect(installed, ending)
        await ending.enter_async_context(proxy(installed.folder_state.ports.receiver, [*ports.values()]))
        yield installed


async def _end(installed: Installation) -> None:
    for name in sorted(installed.running, key=(TEMPORAL, SANDBOX).__contains__):
        installed.running[name].kill()
        await installed.running[name].ended()


@asynccontextmanager
async def proxy(port: int, backends: Sequence[int]) -> AsyncIterator[None]:
    """Each connection goes to the next backend, or to the other if that one is dead."""
    turns, passing = cycle(range(len(backends))), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(turns)
        for turn in range(len(backends)):
            with suppress(OSError):
                backend_reader, backend_writer = await asyncio.open_connection(
                    HOST, backends[(first + turn) % len(backends)]
                )
                await asyncio.gather(_pass(reader, backend_writer), _pass(backend_reader, writer))
                return
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        passing.add(task)
        task.add_done_callback(passing.discard)

    async with await asyncio.start_server(begin, HOST, port):
        yield
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one says to the other, until either is gone."""
    with suppress(ConnectionError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()
