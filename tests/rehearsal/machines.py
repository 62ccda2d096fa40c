"""Two workers and two web processes behind a proxy, as on four machines: each with a folder and a people file of its
own, and nothing shared but Temporal, PostgreSQL and an S3 server.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Final

from activities.records.database import Database
from deploy.local.environment import authority, url
from deploy.local.processes import Program, answers, written
from tests.faults.town import HOST, RECEIVER, SANDBOX, TEMPORAL, WORKER, Conditions, Town, connect, laid_out
from tests.object_stores import BUCKET, ObjectStore, seaweedfs
from tests.postgresql import PostgreSQL, postgresql
from tests.servers import free_ports

WORKERS: Final = (f"{WORKER}-1", f"{WORKER}-2")
WEB: Final = (f"{RECEIVER}-1", f"{RECEIVER}-2")
_CONNECTIONS: Final = "max_connections=200"
_QUICK: Final = {"SANDBOX_RETRY_UNIT": "1"}


@dataclass
class Installation(Town):
    """A town whose worker and web process are two of each, on machines of their own."""

    database: PostgreSQL = field(kw_only=True)
    bucket: ObjectStore = field(kw_only=True)
    ports: Mapping[str, int] = field(kw_only=True)
    """Of the web processes."""

    def machine(self, name: str) -> Path:
        """The folder of one machine."""
        return self.folder.path / "machines" / name

    def furnish(self) -> None:
        """Give each machine what is deployed to it."""
        for name in (*WORKERS, *WEB):
            self.machine(name).mkdir(parents=True)
            shutil.copy(self.people, self.machine(name) / "people.yaml")

    def log(self, name: str) -> str:
        """What a process has written so far, or both of its kind."""
        of_it = [one for one in (*WORKERS, *WEB, SANDBOX, TEMPORAL) if one.startswith(name)]
        return "".join(super(Installation, self).log(one) for one in of_it)

    def program(self, name: str) -> Program:
        kind = name.rpartition("-")[0]
        if not kind:
            return super().program(name)
        program, machine = super().program(kind), self.machine(name)
        own = {"COUNTERSIGN_DATA_DIR": str(machine), "COUNTERSIGN_PEOPLE": str(machine / "people.yaml")}
        program = replace(program, name=name, environment={**program.environment, **own})
        if kind == WORKER:
            ready = machine / "worker.ready"
            command = (*program.command[:-1], str(ready))
            return replace(program, command=command, ready=written(ready), ready_file=ready)
        bind = {"COUNTERSIGN_WEBHOOK_BIND": authority(HOST, self.ports[name])}
        probe = answers(f"{url(HOST, self.ports[name])}/readyz")
        return replace(program, environment={**program.environment, **bind}, ready=probe)


@asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[Installation]:
    """One that is set up as docs/operating.md says; its machines are furnished and started by the caller."""
    async with AsyncExitStack() as closing:
        database = closing.enter_context(postgresql(_CONNECTIONS))
        bucket = closing.enter_context(seaweedfs())
        os.environ.update(bucket.environment)  # the machine of whoever types commands is this process
        address = database.url(database.create())
        shared = {"COUNTERSIGN_DATABASE": address, "COUNTERSIGN_STORE": f"s3://{BUCKET}/countersign"}
        await Database(address).upgrade()
        town = await laid_out(folder, Conditions(sandbox=_QUICK, ours={**shared, **bucket.environment}), closing)
        ports = dict(zip(WEB, free_ports(len(WEB)), strict=True))
        it = Installation(
            town.folder, town.kept, town.conditions, town.settings, town.vendor,
            database=database, bucket=bucket, ports=ports,
        )  # fmt: skip
        closing.push_async_callback(_end, it)
        await it.start(SANDBOX, TEMPORAL)
        await connect(it, closing)
        await closing.enter_async_context(proxy(it.kept.ports.receiver, [*ports.values()]))
        yield it


async def _end(it: Installation) -> None:
    for name in sorted(it.running, key=(TEMPORAL, SANDBOX).__contains__):
        it.running[name].kill()
        await it.running[name].ended()


@asynccontextmanager
async def proxy(port: int, backends: Sequence[int]) -> AsyncIterator[None]:
    """Each connection goes to the next backend, or to the other if that one is dead."""
    turns, passing = cycle(range(len(backends))), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(turns)
        for turn in range(len(backends)):
            with suppress(OSError):
                theirs, ours = await asyncio.open_connection(HOST, backends[(first + turn) % len(backends)])
                await asyncio.gather(_pass(reader, ours), _pass(theirs, writer))
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
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
    writer.close()
