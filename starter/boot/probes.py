"""Probes of a process: `/healthz` fails when it has to be restarted, `/readyz` when it cannot work now. A thread with a
loop of its own answers them, since a loop that hangs cannot answer. And the listening sockets of our processes.
"""

import asyncio
import http
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, NamedTuple

from temporalio.service import RPCError

from starter.config.values import Bind
from starter.errors import Refusal

HANGS_AFTER: Final = 60.0
"""Seconds without a turn of the process's loop after which it is taken to hang."""
TURNS_EVERY: Final = 1.0
LOOKS_EVERY: Final = 10.0
"""Seconds between two looks at what the process needs."""
LOOKED_WITHIN: Final = 5.0
"""Seconds of one look; what has not answered by then is away."""
CONNECTIONS_AT_MOST: Final = 100
HEAD_BYTES_AT_MOST: Final = 8 * 1024
ANSWERED_WITHIN: Final = 2.0
"""Seconds of a connection from its beginning to its end."""
_BACKLOG: Final = 1024
_HEAD: Final = re.compile(rb"(GET|HEAD) (/[^ ]*) HTTP/1\.[01]\r\n")


class ProbeResult(NamedTuple):
    """`away` says why the process cannot work now, `stopped` why it has to be restarted; both empty: it works."""

    unready: str = ""
    stopped: str = ""


class ProcessHealth:
    """Health of a process: written by its event loop, read by the thread of its probes. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turned_at = clock()
        self._latest = ProbeResult(unready="it has not begun yet")
        self._drains = False

    def loop_turned(self) -> None:
        self._turned_at = self._clock()

    def record(self, result: ProbeResult) -> None:
        self._latest = result

    def drain(self) -> None:
        """From now on the process only finishes what it has begun: not ready, and healthy although it polls no more."""
        self._drains = True

    @property
    def unhealthy(self) -> str:
        """Why it has to be restarted, or empty."""
        still = self._clock() - self._turned_at
        if still > HANGS_AFTER:
            return f"the event loop has not turned for {still:.0f} s"
        return "" if self._drains else self._latest.stopped

    @property
    def unready(self) -> str:
        """Why it cannot do its work now, or empty."""
        return self.unhealthy or ("it drains" if self._drains else self._latest.unready)


@asynccontextmanager
async def answer_probes(bind: Bind | None, health: ProcessHealth) -> AsyncIterator[str]:
    """Answer probes at `bind` while the block runs; yields the address, empty without one. Raises `CannotListen`."""
    if bind is None:
        yield ""
        return
    turning = asyncio.create_task(_turning(health))
    try:
        with bound_to(bind) as bound, _answering(bound, health):
            yield address_of(bound)
    finally:
        turning.cancel()


@asynccontextmanager
async def watch(health: ProcessHealth, look: Callable[[], Awaitable[ProbeResult]]) -> AsyncIterator[None]:
    """Record a result of `look` before the block, and every `LOOKS_EVERY` seconds while it runs."""
    health.record(await _looked(look))
    task = asyncio.create_task(_looking(health, look))
    try:
        yield
    finally:
        task.cancel()


class CannotListen(Refusal):
    """The address is taken, or not ours."""


def bound_to(bind: Bind) -> socket.socket:
    """A listening socket without Nagle's delay; raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        bound = socket.create_server((bind.host, bind.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise CannotListen(f"cannot listen on {bind.host}:{bind.port}: {reason}") from error
    # asyncio leaves it to us on sockets that were made without naming TCP: the end of a page would wait for 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _turning(health: ProcessHealth) -> None:
    while True:
        health.loop_turned()
        await asyncio.sleep(TURNS_EVERY)


async def _looking(health: ProcessHealth, look: Callable[[], Awaitable[ProbeResult]]) -> None:
    while True:
        await asyncio.sleep(LOOKS_EVERY)
        health.record(await _looked(look))


async def _looked(look: Callable[[], Awaitable[ProbeResult]]) -> ProbeResult:
    try:
        async with asyncio.timeout(LOOKED_WITHIN):
            return await look()
    except (RPCError, TimeoutError):
        return ProbeResult(unready="temporal is not reachable")


@contextmanager
def _answering(bound: socket.socket, health: ProcessHealth) -> Iterator[None]:
    stop, runner = asyncio.Event(), asyncio.Runner()
    loop = runner.get_loop()

    def run() -> None:
        with runner:
            runner.run(_serve(bound, health, stop))

    thread = threading.Thread(target=run, name="probes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(bound: socket.socket, health: ProcessHealth, stop: asyncio.Event) -> None:
    places = asyncio.Semaphore(CONNECTIONS_AT_MOST)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A malformed call is hung up on, and so is one beyond the bound.
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            if not places.locked():
                async with places, asyncio.timeout(ANSWERED_WITHIN):
                    writer.write(_answer_to(await reader.readuntil(b"\r\n\r\n"), health))
                    await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, sock=bound, limit=HEAD_BYTES_AT_MOST):
        await stop.wait()


def _answer_to(head: bytes, health: ProcessHealth) -> bytes:
    match = _HEAD.match(head)
    status, text = http.HTTPStatus.BAD_REQUEST, "expected GET or HEAD of a path"
    if match:
        wrong = {b"/healthz": health.unhealthy, b"/readyz": health.unready}.get(match[2])
        status, text = http.HTTPStatus.NOT_FOUND, "there are /healthz and /readyz"
        if wrong is not None:
            status, text = (http.HTTPStatus.SERVICE_UNAVAILABLE, wrong) if wrong else (http.HTTPStatus.OK, "ok")
    body = f"{text}\n".encode()
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
    )
    answer = "\r\n".join((*lines, "", "")).encode()
    return answer if match and match[1] == b"HEAD" else answer + body
