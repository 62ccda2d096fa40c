"""Strangers who connect and stay, as a process of its own: their ends take as many descriptors as ours.

Run as `python -m tests.deploy.strangers HOST PORT COUNT TEXT ADDRESSES`: it connects from so many addresses, the
first of them 127.0.0.2, sends the text, and says so in a line. For each line that it reads it says how many are still
connected.
"""

import asyncio
import itertools
import resource
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

ADDRESSES: Final = [f"127.0.0.{number}" for number in range(2, 251)]
_ROOT: Final = Path(__file__).parents[2]


@dataclass
class Strangers:
    """Those of such a process."""

    process: asyncio.subprocess.Process

    async def connected(self) -> int:
        """How many of them nobody has hung up on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return int(await self._line())

    async def _line(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.readline()


@asynccontextmanager
async def strangers(
    url: str, count: int, text: str = "", *, addresses: int = len(ADDRESSES)
) -> AsyncIterator[Strangers]:
    """So many have connected, and said no more than this."""
    target, pipe = httpx.URL(url), asyncio.subprocess.PIPE
    arguments = ("-m", "tests.deploy.strangers", target.host, str(target.port), str(count), text, str(addresses))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=_ROOT, stdin=pipe, stdout=pipe)
    connections = Strangers(process)
    try:
        await connections._line()
        yield connections
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _main(host: str, port: str, count: str, text: str, addresses: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    callers = itertools.islice(itertools.cycle(ADDRESSES[: int(addresses)]), int(count))
    ends = [_connected(address, host, int(port)) for address in callers]
    for end in ends:
        with suppress(OSError):
            end.sendall(text.encode())
    print("connected", flush=True)
    for _ in sys.stdin:
        print(sum(map(_is_open, ends)), flush=True)


def _connected(address: str, host: str, port: int) -> socket.socket:
    end = socket.socket()
    end.bind((address, 0))
    end.connect((host, port))
    end.setblocking(False)
    return end


def _is_open(end: socket.socket) -> bool:
    try:
        return bool(end.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    _main(*sys.argv[1:])
