"""How a service is connected to: whatever becomes of who connects, no connection stays open that nobody knows of."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpcore
import pytest

from activities.http.transport import _Connections


class Stream(httpcore.AsyncNetworkStream):
    """A connection that knows whether it is open."""

    def __init__(self) -> None:
        self.open = True

    async def aclose(self) -> None:
        self.open = False


class Gate(httpcore.AsyncNetworkBackend):
    """Connects once it is let."""

    def __init__(self) -> None:
        self.let, self.streams = asyncio.Event(), list[Stream]()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await self.let.wait()
        self.streams.append(Stream())
        return self.streams[-1]


def connecting() -> tuple[Gate, "asyncio.Task[httpcore.AsyncNetworkStream]"]:
    connections, gate = _Connections(), Gate()
    connections._network = gate  # type: ignore[assignment]
    return gate, asyncio.create_task(connections.connect_tcp("127.0.0.1", 443))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(4))
async def test_who_gives_up_in_the_instant_in_which_it_is_connected_leaves_nothing_open(turns: int) -> None:
    """A deadline of a caller ends the waiting, however far the connection has come: in each turn of the loop."""
    gate, task = connecting()
    await settled()
    gate.let.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    await settled()
    open_streams = [stream for stream in gate.streams if stream.open]
    assert open_streams == ([] if task.cancelled() else [task.result()])


async def test_the_connection_that_is_wanted_stays_open() -> None:
    gate, task = connecting()
    await settled()
    gate.let.set()
    assert await task is gate.streams[0]
    assert gate.streams[0].open
